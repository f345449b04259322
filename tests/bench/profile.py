"""What the daemon's time goes to while bodies come as fast as they are answered."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from tests.bench.accept import per_second
from tests.bench.figures import Line, Section, Size
from tests.bench.load import Seen
from tests.bench.servers import empty_folder, load, running

_MOST = 8
"""Lines a thread."""
_LEAST = 0.01
"""Of the looks: what is seen less often is left out."""


class Looks(msgspec.Struct):
    """What `tests.bench.sampled` wrote."""

    looks: int
    found: dict[str, dict[str, int]]

    def since(self, before: Looks) -> Looks:
        """Give what was seen after that."""
        found = {
            thread: {place: number - before.found.get(thread, {}).get(place, 0) for place, number in places.items()}
            for thread, places in self.found.items()
        }
        return Looks(self.looks - before.looks, found)


def report(size: Size) -> Iterator[Line]:
    """Look into the daemon while it takes in bodies of each size."""
    for alerts in size.bodies:
        seen, looks = _looked_into(size, alerts)
        yield f"64 connections, alerts in a body {alerts}: {per_second(seen):.0f} bodies a second while somebody looks."
        yield from _lines(looks)


def _looked_into(size: Size, alerts: int) -> tuple[Seen, Looks]:
    with empty_folder() as folder:
        file = folder / "profile.json"
        with running("daemon", folder, profile=file) as it:
            load(it.port, 64, seconds=size.seconds, alerts=alerts)  # start and warm-up count for nothing
            before = _written_next(file)
            seen = load(it.port, 64, seconds=5 * size.seconds, alerts=alerts, first=10_000_000)
            return seen, _written_next(file).since(before)


def _written_next(file: Path) -> Looks:
    """Wait for what is written from now on: on a busy machine what lies there may be from before the load."""
    there = _read(file).looks
    while (found := _read(file)).looks == there:
        time.sleep(0.05)
    return found


def _read(file: Path) -> Looks:
    while not file.exists():
        time.sleep(0.05)
    return msgspec.json.decode(file.read_bytes(), type=Looks)


def _lines(it: Looks) -> Iterator[str]:
    for thread, places in it.found.items():
        busy = sum(number for place, number in places.items() if place)
        if busy >= it.looks * _LEAST:
            yield f"  {thread}: busy {busy / it.looks:.0%} of the time"
            for place, number in sorted(places.items(), key=lambda it: -it[1])[:_MOST]:
                if place and number >= it.looks * _LEAST:
                    yield f"    {number / it.looks:6.1%}  {place}"


def takes(size: Size) -> float:
    """Give about how many seconds it takes."""
    return len(size.bodies) * (6 * size.seconds + 2)


SECTION = Section(about="what its time goes to", report=report, takes=takes)
