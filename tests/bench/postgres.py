"""Bodies a second answered after the commit in PostgreSQL, beside a floor that does nothing else."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import contextmanager

from tests.bench.accept import LEAST, WARM, per_second, rate
from tests.bench.figures import Figure, Line, Section, Size, in_turn, ratio
from tests.bench.load import Seen
from tests.bench.servers import empty_folder, load, running
from tests.postgres import Server

# what Debian's server does by itself: a commit is on the disk
SETTINGS = ("fsync=on", "synchronous_commit=on", "max_connections=100", "shared_buffers=128MB", "logging_collector=off")


@contextmanager
def server() -> Iterator[Server]:
    """Give a PostgreSQL that keeps what it commits."""
    it = Server(SETTINGS)
    it.start()
    try:
        yield it
    finally:
        it.remove()


def report(size: Size) -> Iterator[Line]:
    """Measure the daemon and the floor in turn, each on an empty database of one server."""
    yield "PostgreSQL on the same processors, every commit on the disk; the floor has eight connections."
    unexpected = 0
    with server() as it:
        for alerts in size.bodies:
            found = _measure(size, it, alerts)
            daemon, floor = found["daemon"], found["pg"]
            value = ratio(map(per_second, daemon), map(per_second, floor))
            p99 = statistics.median(seen.p99 for seen in daemon) * 1000
            yield Figure(
                what=f"Of the floor with 64 connections, alerts in a body {alerts}", value=value, unit="x", digits=2,
                least=LEAST, note=f"{rate(daemon):.0f}/s of {rate(floor):.0f}/s, p99 {p99:.0f} ms",
            )  # fmt: skip
            unexpected += sum(seen.refused + seen.otherwise + seen.broken for seen in daemon)
    yield Figure(what="Answers other than 2xx, counted in no rate", value=unexpected, most=0)


def _measure(size: Size, postgres: Server, alerts: int) -> dict[str, list[Seen]]:
    found: dict[str, list[Seen]] = {"daemon": [], "pg": []}
    for name in in_turn(tuple(found), size.rounds):
        url = postgres.database()
        with empty_folder() as folder, running(name, folder, store=url) as it:
            found[name].append(load(it.port, 64, seconds=size.seconds, alerts=alerts, warm=WARM))
        postgres.drop(url)
    return found


def takes(size: Size) -> float:
    """Give about how many seconds it takes."""
    return len(size.bodies) * 2 * size.rounds * (size.seconds + WARM + 2) + 6


SECTION = Section(about="the same on PostgreSQL", report=report, takes=takes, needs=("postgres",))
