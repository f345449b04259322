"""How long a scrape takes with very much stored, and whether very many of them at once are felt by webhooks."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from incidentd.holds import Hold, HoldPolicy, HoldState
from incidentd.incidents import Incident, Status, Trigger
from incidentd.metrics import Metrics
from incidentd.store import Tx, open_store, subjects
from tests.bench.figures import Figure, Line, Section, Size
from tests.bench.load import Seen, percentile
from tests.bench.servers import Running, empty_folder, load, running

WITHIN = 0.05
"""Seconds."""
AT_ONCE = 200
DISTURBED = 0.15
"""Seconds that 99 of 100 webhooks may take beside them: what a page may take beside others."""
_RATE, _IN_A_UNIT = 50, 500
_FAR = timedelta(days=30)


def report(size: Size) -> Iterator[Line]:
    """Fill a store, scrape one after the other, then very often at once while webhooks come."""
    with empty_folder() as folder:
        asyncio.run(_fill(folder, size.scraped))
        with running("daemon", folder) as it:
            _scrape(it)
            took = [_scrape(it) for _ in range(20 if size.quick else 200)]
            median, most = (percentile(took, share) for share in (0.5, 0.95))
            what = f"95 of 100 scrapes with {size.scraped:,} holds and as many incidents stored"
            yield Figure(what=what, value=most, unit=" s", digits=3, most=WITHIN, note=f"median {median:.3f} s")
            yield from _beside(it, size)


def _beside(it: Running, size: Size) -> Iterator[Line]:
    alone = load(it.port, 16, seconds=size.probed, rate=_RATE)
    failed, disturbed = _stormed(it, size.probed)
    wrong = disturbed.refused + disturbed.otherwise + disturbed.broken
    yield Figure(
        what=f"99 of 100 webhooks while {AT_ONCE} scrape at once, again and again", value=disturbed.p99, unit=" s",
        digits=3, most=DISTURBED, note=f"{alone.p99:.3f} s without",
    )  # fmt: skip
    yield Figure(what="Webhooks not answered 2xx meanwhile", value=wrong, most=0, note=f"of {disturbed.answered}")
    yield Figure(what="Scrapes not answered meanwhile", value=failed, most=0)


def _stormed(it: Running, seconds: float) -> tuple[int, Seen]:
    """Post at a rate while very many scrape at once each second; gives how many of those failed."""
    over, failed = threading.Event(), [0]

    def storm() -> None:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            while not over.wait(1):
                failed[0] += sum(not took for took in pool.map(lambda _: _tried(it), range(AT_ONCE)))

    storming = threading.Thread(target=storm)
    storming.start()
    try:
        seen = load(it.port, 16, seconds=seconds, rate=_RATE, first=1_000_000)
    finally:
        over.set()
        storming.join()
    return failed[0], seen


def _scrape(it: Running) -> float:
    began = time.perf_counter()
    with urllib.request.urlopen(f"http://127.0.0.1:{it.port}/metrics", timeout=60) as answer:
        answer.read()
    return time.perf_counter() - began


def _tried(it: Running) -> float:
    try:
        return _scrape(it)
    except OSError:
        return 0


async def _fill(folder: Path, number: int) -> None:
    """Write holds and incidents, all of them open and far from any deadline."""
    now = datetime.now(UTC)
    store = await open_store(f"sqlite:///{folder}/daemon.db", lambda: now, Metrics(version="bench"))
    try:
        for first in range(0, number, _IN_A_UNIT):
            await store.write(_write, range(first, min(first + _IN_A_UNIT, number)))
    finally:
        await store.close()
    with closing(sqlite3.connect(folder / "daemon.db")) as db:
        held = db.execute("SELECT count(*) FROM hold").fetchone()[0]
        declared = db.execute("SELECT count(*) FROM incident").fetchone()[0]
    assert held == declared == number


def _write(tx: Tx, numbers: range) -> None:
    for number in numbers:
        subjects.insert_hold(tx, _hold(number, tx.now))
        subjects.insert_incident(tx, _incident(number, tx.now))


def _hold(number: int, now: datetime) -> Hold:
    return Hold(
        id=0, source="default", rule="queue-lag", correlation_key=f"hold-{number}", title="QueueLag", severity="sev3",
        urgency="urgent", impact_started_at=now, policy=HoldPolicy(), state=HoldState.HOLDING, opened_at=now,
        deadline_at=now + _FAR, cap_at=now + _FAR, firing=1, peak=1, best=1, progress_at=now,
    )  # fmt: skip


def _incident(number: int, now: datetime) -> Incident:
    return Incident(
        id=0, title="Down", status=Status.INVESTIGATING, severity="sev2", declared_severity="sev2",
        peak_severity="sev2", urgency="urgent", trigger=Trigger.RULE, reason="a rule", source="default",
        correlation_key=f"incident-{number}", impact_started_at=now, detected_at=now, declared_at=now,
        declared_by="incidentd",
    )  # fmt: skip


SECTION = Section(
    about="a scrape with very much stored, and very many at once", report=report,
    takes=lambda size: 2 * size.probed + size.scraped / 500 + 20,
)  # fmt: skip
