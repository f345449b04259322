"""Bodies a second that are answered after their commit."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence

from tests.bench.figures import Figure, Line, Section, Size, in_turn, ratio
from tests.bench.load import Seen
from tests.bench.servers import empty_folder, load, running

SERVERS = ("daemon", "parse", "journal", "commit")
WARM = 0.5
LEAST = 0.6
"""Of the journal floor, at 64 connections: what a receiver must do besides is half of what it can do."""


def report(size: Size) -> Iterator[Line]:
    """Measure every server in every case."""
    yield "Bodies a second answered after the commit (parse: no commit; journal: no parsing; commit: both)."
    yield "connections  alerts | daemon/s   p50 ms   p99 ms | parse only      journal        parse and commit"
    ratios = []
    unexpected, busiest = 0, 0.0
    for connections, alerts in _cases(size):
        found = _measure(size, connections, alerts)
        daemon = found["daemon"]
        floors = "  ".join(f"{rate(found[it]):6.0f} {_beside(found, it):5.2f}x" for it in SERVERS[1:])
        p50, p99 = (statistics.median(getattr(seen, of) * 1000 for seen in daemon) for of in ("p50", "p99"))
        yield f"{connections:11d} {alerts:7d} | {rate(daemon):8.0f} {p50:8.2f} {p99:8.2f} | {floors}"
        unexpected += sum(seen.refused + seen.otherwise + seen.broken for seen in daemon)
        busiest = max(busiest, *(seen.cpu for seen in daemon + found["journal"]))
        if connections == max(size.connections):
            ratios.append((alerts, _beside(found, "journal")))
    for alerts, value in ratios:
        words = f"Of the journal floor with 64 connections, alerts in a body {alerts}"
        yield Figure(what=words, value=value, unit="x", digits=2, least=LEAST)
    yield Figure(what="Answers other than 2xx, counted in no rate", value=unexpected, most=0)
    yield f"The load's own process took {busiest:.0%} of one processor at most."


def _cases(size: Size) -> list[tuple[int, int]]:
    """Give connections, and alerts in a body."""
    *few, most = size.connections
    return [(connections, 1) for connections in few] + [(most, alerts) for alerts in size.bodies]


def _measure(size: Size, connections: int, alerts: int) -> dict[str, list[Seen]]:
    found: dict[str, list[Seen]] = {server: [] for server in SERVERS}
    for server in in_turn(SERVERS, size.rounds):
        with empty_folder() as folder, running(server, folder) as it:
            found[server].append(load(it.port, connections, seconds=size.seconds, alerts=alerts, warm=WARM))
    return found


def _beside(found: dict[str, list[Seen]], floor: str) -> float:
    return ratio((per_second(it) for it in found["daemon"]), (per_second(it) for it in found[floor]))


def per_second(seen: Seen) -> float:
    """Give the bodies answered 2xx a second."""
    return seen.answered / seen.seconds


def rate(found: Sequence[Seen]) -> float:
    """Give the median rate."""
    return statistics.median(per_second(seen) for seen in found)


def takes(size: Size) -> float:
    """Give about how many seconds it takes."""
    return len(_cases(size)) * len(SERVERS) * size.rounds * (size.seconds + WARM + 1.3)


SECTION = Section(about="answered after the commit", report=report, takes=takes)
