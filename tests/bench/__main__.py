"""What the daemon does a second, beside floors of this very machine, in ratios of one run.

    python -m tests.bench [SECTION ...] [--rounds 3] [--seconds 1.2]

Sections: `accept` (answered after the commit), `sustain` (accepted, unpacked and decided), `latency` (from a webhook to
its notification), `size` (memory and start with many alerts stored). Without a name all of them are run. Each figure is
the median over the rounds; within a round the servers take turns, and each is started anew on an empty database.
"""

from __future__ import annotations

import argparse
import os
import platform
import time

from tests.bench import accept, latency, size, sustain

SECTIONS = {"accept": accept, "sustain": sustain, "latency": latency, "size": size}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []], metavar="SECTION")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.2)
    asked = parser.parse_args()
    print(f"{os.cpu_count()} processors shared by server and load, Python {platform.python_version()}.")
    for name in asked.sections or SECTIONS:
        began = time.monotonic()
        print(f"\n{name}")
        for line in SECTIONS[name].report(asked.rounds, asked.seconds):
            print(f"  {line}", flush=True)
        print(f"  Took {time.monotonic() - began:.0f} s.")


if __name__ == "__main__":
    main()
