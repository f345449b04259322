"""Nouns are read by several threads at once, from the first one on."""

import subprocess
import sys

import pytest

# Classes that nobody read before, again and again: in a process of its own, which a crash ends.
MANY_FIRST_TIMES = """
import dataclasses, datetime, sys, threading
from incidentd.store.base import load

sys.setswitchinterval(1e-6)
BODY = {"number": 1, "parts": [{"at": "2026-01-01T00:00:00Z"}] * 3}
for _ in range(500):
    Part = dataclasses.make_dataclass("Part", [("at", datetime.datetime)], frozen=True)
    Whole = dataclasses.make_dataclass("Whole", [("number", int), ("parts", tuple[Part, ...])], frozen=True)
    together = threading.Barrier(4)

    def read():
        together.wait()
        assert load(BODY, Whole) == load(BODY, Whole)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
print("read")
"""


@pytest.mark.slow
def test_threads_that_read_a_noun_for_the_first_time_at_once_do_not_crash() -> None:
    done = subprocess.run([sys.executable, "-c", MANY_FIRST_TIMES], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "read", "")
