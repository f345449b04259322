"""Memory, start-up and the cost of a webhook, with nothing stored and with 100,000 alerts."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from tests.bench.figures import Figure, Line, Section, Size, in_turn
from tests.bench.servers import Running, empty_folder, load, running

IDLE_MEMORY, IDLE_READY = 100.0, 1.2
FULL_MEMORY, FULL_READY = 300.0, 3.0
COSTS = 1.25
_ONE = "FilledOne"
_STORED, _FAR = 0x1000, 1_000_000
"""Where the fingerprints and the numbers begin of what is stored."""
_BODIES = 500
"""Webhooks of which the cost is the time until all are decided, divided by their number."""
_SETTLED = 3.0
"""Seconds after which a start has loaded what it loads beside being ready."""


def report(size: Size) -> Iterator[Line]:
    """Look at an empty daemon; then fill two, compare what a webhook costs them, and start the full one anew."""
    yield from _idle(size)
    with ExitStack() as stack:
        folders = {number: stack.enter_context(empty_folder()) for number in (size.few, size.stored)}
        yield from _filled(size, folders)
        yield from _again(size, folders[size.stored])


def _idle(size: Size) -> Iterator[Line]:
    ready, memory = [], []
    for _ in range(size.starts):
        with empty_folder() as folder, running("daemon", folder) as it:
            ready.append(it.ready_after)
            time.sleep(_SETTLED if size.starts > 1 else 0)
            memory.append(it.memory)
    yield Figure(what="Empty, ready after", value=statistics.median(ready), unit=" s", digits=2, most=IDLE_READY)
    yield Figure(what="Empty and idle, memory", value=max(memory), unit=" MiB", most=IDLE_MEMORY)


def _filled(size: Size, folders: dict[int, Path]) -> Iterator[Line]:
    with ExitStack() as stack:
        them = {
            number: stack.enter_context(running("daemon", folder, clean=True)) for number, folder in folders.items()
        }
        for number, it in them.items():
            _fill(it, number)
        much = them[size.stored]
        yield Figure(
            what=f"{much.alerts():,} alerts stored, memory", value=much.memory, unit=" MiB", most=FULL_MEMORY,
            note=f"{much.peak:.0f} MiB at most while they came",
        )  # fmt: skip
        yield _costs(size, them, "new", "QueueLagHigh", 0)
        yield _costs(size, them, "repeated", "QueueLagHigh", 0)
        yield _costs(size, them, f"new (joining the hold of the {size.stored // 2:,})", _ONE, 2 * _FAR)


def _costs(size: Size, them: dict[int, Running], what: str, name: str, first: int) -> Figure:
    """Let both take as many webhooks, in turn, and compare how long it is until the last one is decided."""
    took: dict[int, list[float]] = {number: [] for number in them}
    bodies = min(_BODIES, size.stored)
    for turn, number in enumerate(in_turn(list(map(str, them)), 2 * size.rounds)):
        start = first if what == "repeated" else first + turn // 2 * bodies
        took[int(number)].append(_seconds(them[int(number)], bodies, name, start))
    few, many = (statistics.median(took[number]) for number in (size.few, size.stored))
    return Figure(
        what=f"A webhook with {size.stored:,} alerts stored costs, of that with {size.few:,}, {what} alerts",
        value=many / few, unit="x", digits=2, most=COSTS,
        note=f"{many / bodies * 1e6:.0f} and {few / bodies * 1e6:.0f} microseconds each",
    )  # fmt: skip


def _seconds(it: Running, bodies: int, name: str, first: int) -> float:
    seen = load(it.port, 16, count=bodies, first=first, name=name)
    it.drained()
    return time.perf_counter() - seen.began


def _again(size: Size, folder: Path) -> Iterator[Line]:
    for how, clean in (("a clean stop", False), ("a kill", True)):
        with running("daemon", folder, clean=clean) as it:
            words = f"{size.stored:,} alerts stored, ready after {how} and a start after"
            yield Figure(
                what=words, value=it.ready_after, unit=" s", digits=2, most=FULL_READY, note=f"{it.memory:.0f} MiB"
            )


def _fill(it: Running, alerts: int) -> None:
    """Store this many alerts and wait until they are decided: half of them of one name, half of a hundred names."""
    bodies = alerts // 200
    while it.alerts() < 200 * bodies:  # again what was refused; what is known already is a repeat
        load(it.port, 4, count=bodies, alerts=100, name=_ONE, kind=_STORED)
        load(it.port, 4, count=bodies, alerts=100, name="Filled", kind=_STORED, spread=True, first=_FAR)
        it.drained()


def takes(size: Size) -> float:
    """Give about how many seconds it takes."""
    return size.starts * (_SETTLED + 1) + size.stored / 3000 + 8 * size.rounds * 1.5 + 10


SECTION = Section(about="memory, start and cost with many alerts stored", report=report, takes=takes)
