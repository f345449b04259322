"""Where everything of a graph stands: straight lines, curves and words, each with its place, for any renderer.

All that grows with what was measured or written is bounded here: lines, points, marks, and the length of every text.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from incidentd.graphs.series import Graph, Line, Mark
from incidentd.text import labels_line, plain

MOST_LINES = 8
"""More lines than this nobody tells apart; how many were left out is said."""
MOST_POINTS = 1000
"""Of one line; of more every second or third is drawn, since no picture is wide enough for all."""
MOST_MARKS = 12
INK = "#444444"
_SOFT, _ALARM = "#cccccc", "#b3261e"
_WIDTH, _LEFT, _RIGHT, _TOP, _BOTTOM = 760, 64, 744, 56, 236
_LEGEND_LINE = 16
_TITLE, _NAME, _WORDS = 85, 75, 40
"""Characters of a title, of the labels of a line, and of a mark, that have room in the picture."""
_LINES = ("#1a5fb4", "#c64600", "#26a269", "#813d9c", "#a51d2d", "#63452c", "#008080", "#5e5c64")
COLOURS = (INK, _SOFT, _ALARM, *_LINES)
"""Every colour that is drawn with, on white."""
_STEPS = tuple(timedelta(minutes=it) for it in (1, 2, 5, 10, 15, 30, 60, 120, 360, 720, 1440, 2880, 10080))
_MOST_TICKS = 7
_LEAST = 1e-290
"""Numbers nearer to each other than this are the same for a picture; halves of smaller ones are nothing."""


class Anchor(StrEnum):
    """Which end of a text stands at its place."""

    START = "start"
    MIDDLE = "middle"
    END = "end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Straight:
    """A straight line."""

    x1: float
    y1: float
    x2: float
    y2: float
    colour: str
    dash: tuple[int, int] | None = None
    """How long a dash is and how long the gap after it; None for no gaps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """What was measured: runs of points, with a gap between two. A run of one point is a dot."""

    runs: tuple[tuple[tuple[float, float], ...], ...]
    colour: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """One line of text, whose letters stand on `y`; strangers' words, made harmless but not escaped."""

    x: float
    y: float
    text: str
    anchor: Anchor = Anchor.START
    colour: str = INK
    bold: bool = False
    swatch: str = ""
    """The colour of a small square before it; '' for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A graph with the place of everything, in pixels from the upper left corner."""

    width: int
    height: int
    title: str
    shapes: tuple[Straight | Curve | Words, ...]
    """In the order in which they are drawn."""


def lay_out(graph: Graph) -> Picture:
    """Find the place of everything. The picture is 760 wide; it gets higher by what the legend needs."""
    lines, left_out = graph.lines[:MOST_LINES], max(len(graph.lines) - MOST_LINES, 0)
    low, high = _range(lines, graph.threshold)
    scale = _Scale(graph.start, graph.end, low, high)
    legend = tuple(_legend(lines, left_out))
    shapes = (
        Words(x=_LEFT, y=18, text=plain(graph.title, _TITLE), bold=True),
        *_values(scale),
        *_times(scale),
        *_threshold(graph.threshold, scale),
        *_marks(graph.marks, scale),
        *(_curve(line, colour, scale) for line, colour in zip(lines, _LINES, strict=False)),
        *legend,
    )
    height = _BOTTOM + 28 + _LEGEND_LINE * len(legend)
    return Picture(width=_WIDTH, height=height, title=plain(graph.title, 100), shapes=shapes)


@dataclass(frozen=True, slots=True)
class _Scale:
    start: datetime
    end: datetime
    low: float
    high: float

    def x(self, at: datetime) -> float:
        return _LEFT + (_RIGHT - _LEFT) * ((at - self.start) / (self.end - self.start))

    def y(self, value: float) -> float:
        # halved first: the difference of two finite numbers need not be finite
        share = (value / 2 - self.low / 2) / (self.high / 2 - self.low / 2)
        return _BOTTOM - (_BOTTOM - _TOP) * share

    def holds(self, at: datetime) -> bool:
        return self.start <= at <= self.end


def _range(lines: Iterable[Line], threshold: float | None) -> tuple[float, float]:
    values = [value for line in lines for _, value in line.points if math.isfinite(value)]
    values += [threshold] if threshold is not None and math.isfinite(threshold) else []
    low, high = min(values, default=0.0), max(values, default=1.0)
    if low >= 0 and low < high:
        low = 0.0  # what is counted is seen from nothing up
    if high / 2 - low / 2 < _LEAST:
        room = max(abs(low) / 10, 1.0 if abs(low) < _LEAST else 0.0)
        low, high = low - room, high + room
    return (low, high) if math.isfinite(low) and math.isfinite(high) else (-1.7e308, 1.7e308)


def _values(scale: _Scale) -> Iterator[Straight | Words]:
    for value in _ticks(scale.low, scale.high):
        y = scale.y(value)
        yield Straight(x1=_LEFT, y1=y, x2=_RIGHT, y2=y, colour=_SOFT)
        yield Words(x=_LEFT - 6, y=y + 4, text=_written(value), anchor=Anchor.END)


def _ticks(low: float, high: float) -> list[float]:
    """Choose a few round values between two numbers; the two themselves when there are none."""
    rough = high / 4 - low / 4
    size = 10.0 ** math.floor(math.log10(rough)) if rough > 0 else 0.0
    if size <= 0 or not math.isfinite(size):
        return [low, high]
    step = next((size * it for it in (1, 2, 5, 10) if size * it >= rough), size * 10)
    if not math.isfinite(step):
        return [low, high]
    first = math.ceil(low / step)
    found = [
        number * step
        for number in range(first, first + 6)
        if number * step <= min(high * (1 + 1e-9), sys.float_info.max)
    ]
    return found or [low, high]


def _times(scale: _Scale) -> Iterator[Straight | Words]:
    length = scale.end - scale.start
    step = next((it for it in _STEPS if length / it <= _MOST_TICKS), length / _MOST_TICKS)
    midnight = scale.start.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    at = midnight + step * -((midnight - scale.start) // step)
    while at <= scale.end:
        x = scale.x(at)
        written = f"{at:%H:%M}" if step < timedelta(days=1) else f"{at:%m-%d}"
        yield Straight(x1=x, y1=_BOTTOM, x2=x, y2=_BOTTOM + 4, colour=INK)
        yield Words(x=x, y=_BOTTOM + 17, text=written, anchor=Anchor.MIDDLE)
        at += step
    yield Words(x=_RIGHT, y=18, text=f"{scale.start.astimezone(UTC):%Y-%m-%d} UTC", anchor=Anchor.END)


def _threshold(threshold: float | None, scale: _Scale) -> Iterator[Straight | Words]:
    if threshold is None or not math.isfinite(threshold):
        return
    y = scale.y(threshold)
    yield Straight(x1=_LEFT, y1=y, x2=_RIGHT, y2=y, colour=_ALARM, dash=(6, 3))
    yield Words(x=_RIGHT, y=y - 3, text=_written(threshold), anchor=Anchor.END, colour=_ALARM)


def _marks(marks: Sequence[Mark], scale: _Scale) -> Iterator[Straight | Words]:
    """Draw each mark that is in the picture; their words stand in two rows, so that neighbours can be read."""
    shown = [it for it in sorted(marks, key=lambda it: it.at) if scale.holds(it.at)][:MOST_MARKS]
    for place, mark in enumerate(shown):
        x, y = scale.x(mark.at), 34 + 14 * (place % 2)
        anchor = Anchor.END if x > (_LEFT + _RIGHT) / 2 else Anchor.START
        yield Straight(x1=x, y1=y + 2, x2=x, y2=_BOTTOM, colour=INK, dash=(2, 3))
        yield Words(x=x, y=y, text=plain(f"{mark.at.astimezone(UTC):%H:%M} {mark.text}", _WORDS), anchor=anchor)


def _curve(line: Line, colour: str, scale: _Scale) -> Curve:
    runs: list[list[tuple[float, float]]] = [[]]
    for at, value in line.points[:: max(math.ceil(len(line.points) / MOST_POINTS), 1)]:
        if math.isfinite(value) and scale.holds(at):
            runs[-1].append((scale.x(at), scale.y(value)))
        elif runs[-1]:
            runs.append([])
    return Curve(runs=tuple(tuple(run) for run in runs if run), colour=colour)


def _legend(lines: Sequence[Line], left_out: int) -> Iterator[Words]:
    y = _BOTTOM + 36
    for line, colour in zip(lines, _LINES, strict=False):
        name = labels_line(dict(line.labels), _NAME) or "value"
        yield Words(x=_LEFT, y=y, text=f"{name}{_last(line)}", swatch=colour)
        y += _LEGEND_LINE
    if left_out:
        yield Words(x=_LEFT, y=y, text=f"and {left_out} more that are not drawn")
    if not lines:
        yield Words(x=_LEFT, y=y, text="no data")


def _last(line: Line) -> str:
    known = [value for _, value in line.points if math.isfinite(value)]
    return f": {_written(known[-1])} at last, {_written(max(known))} at most" if known else ": no number"


def _written(value: float) -> str:
    return f"{value:.4g}"
