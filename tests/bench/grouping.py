"""One unit a transaction or several, on one database thread or several: the store alone, on PostgreSQL.

Threads, loop and callers share one process, as in the daemon. Within a round every way of working does the same work,
in turn, each on a new database; a ratio is of one round, and what is shown is the median of the rounds.
"""

from __future__ import annotations

import asyncio
import gc
import json
import statistics
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from incidentd.alerts import fingerprint_of
from incidentd.engine import decide
from incidentd.metrics import Metrics
from incidentd.oncall import Channel, ChannelKind, Person, Roster, Target
from incidentd.pages import Chain, EscalationPolicy, Level
from incidentd.redaction import Secret
from incidentd.rules import Decide, SeverityRule
from incidentd.settings import Settings
from incidentd.store import Store, Tx, inbox, migrate, open_store, postgres, tables, writer
from tests.bench.figures import Line, Section, Size, in_turn, ratio
from tests.bench.postgres import server
from tests.postgres import Server

CALLERS = (64, 8)
NOW = datetime(2026, 11, 24, 14, 0, tzinfo=UTC)
BODY = b"x" * 1000
RULE = SeverityRule(
    name="all", match=(), decide=Decide.DECLARE, severity="sev2", urgency="business_critical", page="default",
    correlate_by=("instance",),
)  # fmt: skip
ANA = Person(
    handle="ana", name="Ana", channels=(Channel(name="ana/push", kind=ChannelKind.MAIL, url=Secret("json://127.0.0.1")),)
)  # fmt: skip
CHAIN = Chain(levels=(Level(after=timedelta(0), page=Target(person="ana")),))
SETTINGS = Settings(
    rules=(RULE,),
    roster=Roster(people={"ana": ANA}),
    escalations={"default": EscalationPolicy(name="default", chains={"business_critical": CHAIN})},
)
EXPECTED = 150
"""Decisions a second, about: how many there are to be made."""
Work = Callable[[Store], Awaitable[None]]
Preparing = Callable[[Store, "Way", int], Awaitable[deque[Work]]]


@dataclass(frozen=True, slots=True)
class Way:
    """One way of working."""

    threads: int
    together: int
    """Units of one transaction, at most."""

    def __str__(self) -> str:
        of = f"up to {self.together} a transaction" if self.together > 1 else "one a transaction"
        return f"{self.threads} {'threads' if self.threads > 1 else 'thread'}, {of}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of work, and the ways of doing it, of which the first is the daemon's own."""

    words: str
    ways: Sequence[Way]
    prepared: Preparing


def report(size: Size) -> Iterator[Line]:
    """Measure both kinds of work, with many callers and with few."""
    yield "Every commit on the disk; of the daemon's own way, which stands first."
    with server() as it:
        template = it.database()
        migrate.upgrade(postgres.make_engine(template, None))
        for kind in KINDS:
            for callers in CALLERS[-1:] if size.quick else CALLERS:
                yield f"{kind.words}, {callers} callers:"
                yield from _compared(it, template, kind, size, callers)


def _compared(it: Server, template: str, kind: Kind, size: Size, callers: int) -> Iterator[Line]:
    ways = {str(way): way for way in (kind.ways[:2] if size.quick else kind.ways)}
    found: dict[str, list[float]] = {name: [] for name in ways}
    for name in in_turn(tuple(ways), size.rounds):
        url = it.database(like=template.rpartition("/")[2])
        amount = callers * 2 + int(size.seconds * EXPECTED)
        found[name].append(asyncio.run(_rate(url, ways[name], callers, amount, kind.prepared)))
        it.drop(url)
    for name, rates in found.items():
        of_first = ratio(rates, found[str(kind.ways[0])])
        yield f"  {name:38s} {statistics.median(rates):6.0f}/s  {of_first:5.2f}x"


async def _rate(url: str, way: Way, callers: int, amount: int, prepared: Preparing) -> float:
    """Give how many of the things prepared are done in a second; raises what one of them raises."""
    before = postgres.WRITERS, postgres.GROUP
    postgres.WRITERS, postgres.GROUP = way.threads, way.together
    store = await open_store(url, lambda: NOW, Metrics(version="bench"))
    postgres.WRITERS, postgres.GROUP = before
    try:
        work = await prepared(store, way, amount)
        for _ in range(callers):
            await work.popleft()(store)  # connections are opened, statements are prepared
        gc.collect()
        left = len(work)

        async def call() -> None:
            while work:
                await work.popleft()(store)

        began = time.perf_counter()
        await asyncio.gather(*(call() for _ in range(callers)))
        return left / (time.perf_counter() - began)
    finally:
        await store.close()


async def _decisions(store: Store, way: Way, amount: int) -> deque[Work]:
    """Have alerts stored and unpacked about which nothing is decided; each makes an incident, a page and its jobs."""
    del way
    for first in range(0, amount, 100):
        body = {"groupKey": "{}", "alerts": [_alert(number) for number in range(first, min(first + 100, amount))]}
        await store.append("default", json.dumps(body).encode())
    while deliveries := await store.read(inbox.next_deliveries):
        await store.write(_unpack, deliveries)
    changed = await store.read(inbox.undecided, amount)

    def deciding(of_key: tuple[decide.Bundle, ...]) -> Work:
        async def work(store: Store) -> None:
            await store.write(decide.settle, SETTINGS, of_key)

        return work

    return deque(deciding(of_key) for of_key in decide.bundles(changed, SETTINGS, now=NOW))


def _unpack(tx: Tx, deliveries: Sequence[inbox.Delivery]) -> None:
    new = inbox.take(tx, deliveries)
    assert new is not None
    inbox.unpack(tx, new, lambda labels: "")


def _alert(number: int) -> dict[str, object]:
    labels = {"alertname": "Down", "instance": f"i-{number}"}
    return {
        "status": "firing", "labels": labels, "annotations": {"summary": "it is down"},
        "startsAt": NOW.isoformat(), "fingerprint": fingerprint_of(labels),
    }  # fmt: skip


async def _bodies(store: Store, way: Way, amount: int) -> deque[Work]:
    async def append(store: Store) -> None:
        await store.append("default", BODY)

    async def alone(store: Store) -> None:
        await store.write(_insert)

    return deque([append if way.together > 1 else alone] * amount * 10)


def _insert(tx: Tx) -> None:
    tx.conn.execute(_APPEND, {"source": "default", "at": tx.now, "body": BODY})


_APPEND = tables.inbox.insert()


KINDS = (
    Kind(
        words="Decisions that declare",
        ways=(Way(4, 1), Way(4, 16), Way(8, 1), Way(8, 16), Way(1, 1), Way(1, 16)),
        prepared=_decisions,
    ),
    Kind(words="Bodies of 1 kB", ways=(Way(1, writer.APPENDS), Way(4, 1), Way(8, 1), Way(1, 1)), prepared=_bodies),
)


def takes(size: Size) -> float:
    """Give about how many seconds it takes."""
    cells = 2 * len(KINDS) if size.quick else len(CALLERS) * sum(len(kind.ways) for kind in KINDS)
    return cells * size.rounds * (size.seconds * 2 + 2) + 10


SECTION = Section(about="units in a transaction of PostgreSQL", report=report, takes=takes, needs=("postgres",))
