"""What the daemon does, beside floors of this very machine, in ratios of one run; docs/performance.md reads it.

    python -m tests.bench [SECTION ...] [--quick] [--list] [--rounds 3] [--seconds 1.5] [--minutes 60]

Without a name all sections are run, but those that take an hour. Each ratio is the median over the rounds; within a
round the servers take turns, and each is started anew on an empty store. `--quick` takes seconds, and shows only that
all of it works.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from dataclasses import replace

from tests.bench import (
    accept,
    grouping,
    latency,
    postgres,
    practice,
    profile,
    rules,
    scrape,
    search,
    size,
    slow_disk,
    soak,
    storm,
    sustain,
)
from tests.bench.figures import FULL, QUICK, Figure, Section, Size
from tests.programs import find, package_of

SECTIONS: dict[str, Section] = {
    "accept": accept.SECTION,
    "slow-disk": slow_disk.SECTION,
    "sustain": sustain.SECTION,
    "latency": latency.SECTION,
    "storm": storm.SECTION,
    "size": size.SECTION,
    "postgres": postgres.SECTION,
    "grouping": grouping.SECTION,
    "rules": rules.SECTION,
    "report": practice.SECTION,
    "search": search.SECTION,
    "scrape": scrape.SECTION,
    "profile": profile.SECTION,
    "soak": soak.SECTION,
}
PROCESSORS = 2
"""On which everything runs, load and servers: what the targets were set for."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []], metavar="SECTION")
    parser.add_argument("--quick", action="store_true", help="seconds instead of minutes; the figures mean nothing")
    parser.add_argument("--list", action="store_true", help="say only what would be run, and how long it takes")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float, help="of each load that is compared")
    parser.add_argument("--minutes", type=float, dest="soaked", help="of the soak")
    asked = parser.parse_args()
    given = {name: value for name in ("rounds", "seconds", "soaked") if (value := getattr(asked, name)) is not None}
    usual = [name for name, section in SECTIONS.items() if not section.alone]
    names, size = asked.sections or usual, replace(QUICK if asked.quick else FULL, **given)
    announce(names, size)
    if not asked.list:
        run(names, size)


def announce(names: list[str], size: Size) -> None:
    """Say on what it runs, and for how long."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:PROCESSORS])
    processors = len(os.sched_getaffinity(0))
    print(f"{processors} processors for servers and load together, Python {platform.python_version()}.")
    print(f"This takes about {_about(sum(SECTIONS[name].takes(size) for name in names))}:", flush=True)
    _list(names, size)
    if others := [name for name in SECTIONS if SECTIONS[name].alone and name not in names]:
        print("And when it is named:")
        _list(others, size)


def _list(names: list[str], size: Size) -> None:
    for name in names:
        print(f"  {name:9s} {SECTIONS[name].about} ({_about(SECTIONS[name].takes(size))})", flush=True)


def run(names: list[str], size: Size) -> None:
    """Run these sections, and sum up which targets are met."""
    figures = [figure for name in names for figure in _section(name, size)]
    missed = [figure for figure in figures if not figure.met]
    print(f"\n{len(figures) - len(missed)} of {len(figures)} targets are met.", "Not met:" if missed else "")
    for figure in missed:
        print(f"  {figure}")


def _section(name: str, size: Size) -> list[Figure]:
    section = SECTIONS[name]
    print(f"\n{name}: {section.about}")
    if lacking := [program for program in section.needs if find(program) is None]:
        print(f"  Not measured, for want of: {' '.join(package_of(program) for program in lacking)}")
        return []
    began = time.monotonic()
    figures = []
    for line in section.report(size):
        print(f"  {line}", flush=True)
        if isinstance(line, Figure):
            figures.append(line)
    print(f"  Took {time.monotonic() - began:.0f} s.", flush=True)
    return figures


def _about(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds >= 100 else f"{seconds:.0f} seconds"


if __name__ == "__main__":
    main()
