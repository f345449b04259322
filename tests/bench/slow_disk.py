"""A disk on which every fsync takes 8 ms longer, and 900 bodies at once on it."""

from __future__ import annotations

import statistics
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.bench.accept import LEAST, WARM, per_second, rate
from tests.bench.figures import Figure, Line, Section, Size, in_turn, ratio
from tests.bench.load import Seen
from tests.bench.servers import empty_folder, load, running
from tests.programs import path_of

SLOWER = 8
"""Milliseconds; a cloud's block storage takes 1 to 10."""
WITHIN = 1.0
"""Seconds for 900 bodies: 200 or 503, but soon."""
SOURCE = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>

static void wait_first(void) {
  struct timespec left = {0, MILLISECONDS * 1000000L};
  while (nanosleep(&left, &left) != 0) {}
}

#define SLOW(call) \\
  int call(int fd) { \\
    static int (*real)(int); \\
    if (real == 0) real = (int (*)(int))dlsym(RTLD_NEXT, #call); \\
    wait_first(); \\
    return real(fd); \\
  }

SLOW(fsync)
SLOW(fdatasync)
"""


def library(folder: Path) -> Path:
    """Compile what is put before libc."""
    source, made = folder / "slow_disk.c", folder / "slow_disk.so"
    source.write_text(SOURCE)
    command = [path_of("gcc"), "-shared", "-fPIC", "-O1", "-Wall", "-Werror", f"-DMILLISECONDS={SLOWER}"]
    subprocess.run([*command, "-o", str(made), str(source), "-ldl"], check=True)
    return made


def report(size: Size) -> Iterator[Line]:
    """Compare with the journal floor on the same disk, then post many bodies at once."""
    with empty_folder() as made:
        preload = str(library(made))
        yield f"Every fsync and fdatasync takes {SLOWER} ms longer, for the daemon and for the journal floor."
        yield from _proof(size, preload)
        for alerts in size.bodies:
            found = _measure(size, preload, alerts)
            daemon, floor = found["daemon"], found["journal"]
            value = ratio(map(per_second, daemon), map(per_second, floor))
            p99 = statistics.median(seen.p99 for seen in daemon) * 1000
            yield Figure(
                what=f"Of the floor with 64 connections, alerts in a body {alerts}", value=value, unit="x", digits=2,
                least=LEAST, note=f"{rate(daemon):.0f}/s of {rate(floor):.0f}/s, p99 {p99:.0f} ms",
            )  # fmt: skip
        yield from _burst(size, preload)


def _proof(size: Size, preload: str) -> Iterator[Line]:
    with empty_folder() as folder, running("journal", folder, LD_PRELOAD=preload) as it:
        seen = load(it.port, 1, seconds=size.seconds)
    most = 1000 / SLOWER
    yield Figure(what="Commits a second one after the other", value=per_second(seen), most=most, note="it is slow")


def _measure(size: Size, preload: str, alerts: int) -> dict[str, list[Seen]]:
    found: dict[str, list[Seen]] = {"daemon": [], "journal": []}
    for server in in_turn(tuple(found), size.rounds):
        with empty_folder() as folder, running(server, folder, LD_PRELOAD=preload) as it:
            found[server].append(load(it.port, 64, seconds=size.seconds, alerts=alerts, warm=WARM))
    return found


def _burst(size: Size, preload: str) -> Iterator[Line]:
    slowest, lost = [], 0
    with empty_folder() as folder, running("daemon", folder, LD_PRELOAD=preload) as it:
        load(it.port, 1, count=20)  # the first answers pay for what is done once
        for turn in range(size.rounds):
            seen = load(it.port, size.burst, burst=True, first=(turn + 1) * size.burst)
            yield f"{size.burst} connections at once: {seen.answered} answered 200 and {seen.refused} 503."
            slowest.append(seen.slowest)
            lost += seen.otherwise + seen.broken
            it.drained()
    yield Figure(what="The last of them answered after", value=max(slowest), unit=" s", digits=2, most=WITHIN)
    yield Figure(what="Answered in another way or not at all", value=lost, most=0)


def takes(size: Size) -> float:
    """Give about how many seconds it takes."""
    return len(size.bodies) * 2 * size.rounds * (size.seconds + WARM + 1.6) + 4 + 3 * size.rounds


SECTION = Section(
    about=f"every fsync {SLOWER} ms slower, and 900 bodies at once", report=report, takes=takes, needs=("gcc",)
)
