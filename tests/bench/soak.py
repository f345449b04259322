"""An hour of alerts of which no label ever comes twice: memory, files and series stay as they are.

One alert in ten is held and, after seconds without progress, an incident that pages; the others are written down.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench.figures import Figure, Line, Section, Size
from tests.bench.load import Seen
from tests.bench.servers import Running, empty_folder, load, metric, running, scrape

RATE = 50
"""Webhooks a second."""
GROWTH = 20.0
"""MiB, from the tenth of the sixty minutes on."""
FILES = 5
"""Descriptors, likewise."""
_WARM = 1 / 6
"""Of the time: what is loaded once, and caches, have grown by then."""
_FILLS = 600
"""Webhooks that declare, before it begins: every label has all the values then that it may ever have."""
_LOOKS = 60
CONFIG = """kind: config
include: []
---
kind: rules
rules:
  - {name: fills, match: ['alertname=~"Fill.*"'], severity: sev3, urgency: urgent, decide: declare, page: default}
  - name: held
    match: ['instance=~".*0:9100"']
    severity: sev3
    urgency: urgent
    decide: hold
    page: default
    hold: {no_progress_after: 5s, hard_cap: 1m}
  - {name: everything-else, match: [], severity: sev4, decide: record}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How the daemon was at one moment."""

    memory: float
    files: float
    series: int
    oldest: float
    """Seconds that a body has waited in the inbox."""


def report(size: Size) -> Iterator[Line]:
    """Fill every label, then post at a rate and look at the daemon again and again."""
    seconds = size.soaked * 60
    yield f"{RATE} webhooks a second for {size.soaked:g} minutes, every label of every alert its own."
    with empty_folder() as folder:
        (folder / "incidentd.yaml").write_text(CONFIG)
        with running("daemon", folder, "--config.file", str(folder / "incidentd.yaml")) as it:
            load(it.port, 8, count=_FILLS, unique=True, name="Fill", kind=0xF000)
            it.drained()
            seen, looks = _soaked(it, seconds)
    yield from _lines(seen, looks[int(len(looks) * _WARM) :] or looks[-1:])


def _soaked(it: Running, seconds: float) -> tuple[Seen, list[Look]]:
    over = threading.Event()
    looks: list[Look] = []

    def watch() -> None:
        while not over.wait(max(seconds / _LOOKS, 0.5)):
            looks.append(_look(it))

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        seen = load(it.port, 8, seconds=seconds, rate=RATE, first=_FILLS, unique=True)
    finally:
        over.set()
        watching.join()
    it.drained()
    return seen, looks


def _look(it: Running) -> Look:
    text = scrape(f"http://127.0.0.1:{it.port}")
    series = sum(1 for line in text.splitlines() if not line.startswith("#"))
    files = len(list(Path(f"/proc/{it.pid}/fd").iterdir()))
    since = metric(text, "incidentd_inbox_oldest_received_timestamp_seconds")
    return Look(memory=it.memory, files=files, series=series, oldest=max(time.time() - since, 0) if since else 0)


def _lines(seen: Seen, looks: list[Look]) -> Iterator[Line]:
    first, last = looks[0], looks[-1]
    highest = max(look.memory for look in looks)
    yield Figure(
        what="Series that came after the warm-up", value=max(look.series for look in looks) - first.series, most=0,
        note=f"{last.series} in the end",
    )  # fmt: skip
    yield Figure(
        what="Memory that it grew by after the warm-up", value=highest - first.memory, unit=" MiB", digits=1,
        most=GROWTH, note=f"{first.memory:.0f} MiB then, {highest:.0f} MiB at most, {last.memory:.0f} MiB in the end",
    )  # fmt: skip
    files = max(abs(look.files - first.files) for look in looks)
    yield Figure(what="Open files more or less than after the warm-up", value=files, most=FILES)
    wrong = seen.refused + seen.otherwise + seen.broken
    yield Figure(
        what="Webhooks not answered 2xx", value=wrong, most=0, note=f"{seen.answered} were, p99 {seen.p99:.3f} s"
    )
    yield f"The oldest body of the inbox waited {max(look.oldest for look in looks):.1f} s at most."


SECTION = Section(
    about=f"{RATE} webhooks a second of labels that never come twice, for an hour", report=report,
    takes=lambda size: size.soaked * 60 + 15, alone=True,
)  # fmt: skip
