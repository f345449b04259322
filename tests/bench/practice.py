"""How long a report on a year takes: 2,000 alerts, 120 incidents, with all that is planted in them for the tests.

The year is written into a new store; read and found is what `incidentd report --since 365d` waits for in the daemon.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from incidentd.engine import reporting
from incidentd.metrics import Metrics
from incidentd.settings import Settings
from incidentd.store import Tx, open_store
from tests.bench.figures import Figure, Line, Section, Size
from tests.report.files import settings_in
from tests.report.planted import Truth, plant
from tests.report.year import ALERTS, INCIDENTS, NOW, SINCE, Year

WITHIN = 5.0
"""Seconds."""


def report(size: Size) -> Iterator[Line]:
    """Measure reports on the same year, one after the other."""
    with tempfile.TemporaryDirectory() as folder:
        taken, lost = asyncio.run(_measured(Path(folder), size))
    what = f"A report on a year of {ALERTS:,} alerts and {INCIDENTS} incidents"
    yield Figure(what=what, value=median(taken), unit=" s", digits=2, most=WITHIN)
    yield Figure(what="Planted truths that it did not find, or found and nobody planted", value=lost, most=0)


async def _measured(folder: Path, size: Size) -> tuple[list[float], int]:
    store = await open_store(f"sqlite:///{folder}/incidentd.db", lambda: NOW, Metrics(version="bench"))
    try:
        settings = settings_in(folder)
        truths = await store.write(_written, settings)
        taken, lost = [], 0
        for _ in range(size.rounds):
            began = time.monotonic()
            found = await store.read(reporting.found, settings, NOW - SINCE)
            taken.append(time.monotonic() - began)
            lost = len(truths ^ {(it.kind, it.about, it.why) for it in found.findings})
        return taken, lost
    finally:
        await store.close()


def _written(tx: Tx, settings: Settings) -> set[Truth]:
    return plant(Year(tx, settings))


SECTION = Section(
    about="a report on a year of 2,000 alerts and 120 incidents", report=report, takes=lambda size: 20 + 2 * size.rounds
)  # fmt: skip
