"""Alerts a second that are accepted, unpacked and decided, over a time that no queue can hide."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from tests.bench.accept import per_second
from tests.bench.figures import Figure, Line, Section, Size
from tests.bench.load import Seen
from tests.bench.servers import Running, empty_folder, load, running

LEAST = 0.4
"""Of the floor that only upserts."""
OLDEST = 10.0
"""Seconds that a body may wait in the inbox, however long the load goes on; what is decided later is felt by people."""
_LOOK = 0.25


def report(size: Size) -> Iterator[Line]:
    """Load for a while, wait until all is decided, and divide by both; beside the floor that only upserts."""
    seconds = size.sustained
    yield f"One alert a body, 64 connections, {seconds:.0f} s of load and then until the last one is decided."
    with empty_folder() as folder, running("group", folder) as it:
        floor = per_second(load(it.port, 64, seconds=seconds / 2))
    with empty_folder() as folder, running("daemon", folder) as it:
        fresh = _sustained(it, seconds, repeat=0)
        known = it.alerts()
        again = _sustained(it, seconds, repeat=known)
        memory = it.peak
    with empty_folder() as folder, running("group", folder) as it:
        floor = (floor + per_second(load(it.port, 64, seconds=seconds / 2))) / 2
    for what, found in (("new alerts", fresh), ("repeated alerts", again)):
        yield from _lines(what, found, floor)
    yield Figure(what="Alerts answered 2xx that are not stored", value=max(fresh.seen.answered - known, 0), most=0)
    yield f"Peak memory {memory:.0f} MiB with {known} alerts."


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What one load showed."""

    seen: Seen
    rate: float
    longest: int
    oldest: float


def _lines(what: str, found: Found, floor: float) -> Iterator[Line]:
    yield Figure(
        what=f"Of the group floor, {what}", value=found.rate / floor if floor else 0, unit="x", digits=2, least=LEAST,
        note=f"{found.rate:.0f}/s of {floor:.0f}/s",
    )  # fmt: skip
    yield Figure(
        what=f"The oldest body of the inbox, {what}", value=found.oldest, unit=" s", digits=1, most=OLDEST,
        note=f"it held {found.longest} bodies at most, and {found.seen.refused} were answered 503",
    )  # fmt: skip
    wrong = found.seen.otherwise + found.seen.broken
    yield Figure(what=f"Answers other than 2xx and 503, {what}", value=wrong, most=0)


def _sustained(it: Running, seconds: float, *, repeat: int) -> Found:
    over = threading.Event()
    looks: list[tuple[int, float]] = [(0, 0.0)]
    looking = threading.Thread(target=_look, args=(it, over, looks))
    began = time.monotonic()
    looking.start()
    try:
        seen = load(it.port, 64, seconds=seconds, repeat=repeat)
        it.drained()
    finally:
        over.set()
        looking.join()
    rate = seen.answered / (time.monotonic() - began)
    return Found(seen=seen, rate=rate, longest=max(look[0] for look in looks), oldest=max(look[1] for look in looks))


def _look(it: Running, over: threading.Event, looks: list[tuple[int, float]]) -> None:
    """Look at the inbox now and then."""
    while not over.wait(_LOOK):
        looks.append(it.inbox())


def takes(size: Size) -> float:
    """Give about how many seconds it takes."""
    return 4 * size.sustained + 10


SECTION = Section(about="accepted, unpacked and decided", report=report, takes=takes)
