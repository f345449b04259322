"""Alerts a second that are accepted, unpacked and decided, over a time that no queue can hide."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

from tests.bench.accept import load
from tests.bench.servers import Running, empty_folder, metric, running

SECONDS = float(os.environ.get("INCIDENTD_BENCH_SUSTAIN", "8"))
"""60 for the figure that counts."""


def report(rounds: int, seconds: float) -> Iterator[str]:
    """Load for a while, wait until the inbox is empty, and divide by both; beside the floor that only upserts."""
    del rounds, seconds
    yield f"One alert a body, 64 connections, {SECONDS:.0f} s of load and then until the inbox is empty."
    with empty_folder() as folder, running("group", folder) as it:
        floor = load(it.port, 64, SECONDS, warm=0.5).rate
    with empty_folder() as folder, running("daemon", folder) as it:
        for what in ("new", "repeated"):
            rate, longest = _drained(it)
            ratio = rate / floor
            yield f"{what:9s} {rate:7.0f}/s, {ratio:.2f}x of the floor ({floor:.0f}/s); inbox at most {longest:.0f}"


def _drained(it: Running) -> tuple[float, float]:
    began = time.monotonic()
    answered = load(it.port, 64, SECONDS, warm=0).rate * SECONDS
    longest = waiting = metric(it.port, "incidentd_inbox_length")
    while waiting:
        time.sleep(0.1)
        waiting = metric(it.port, "incidentd_inbox_length")
        longest = max(longest, waiting)
    return answered / (time.monotonic() - began), longest
