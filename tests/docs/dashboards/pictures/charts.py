"""Where everything of a panel over time stands: the axes, lines or stacked bars, and what they are called."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from tests.docs.dashboards.pictures.panels import Kind, Panel, Series, Shown
from tests.docs.dashboards.pictures.shapes import GRID, SOFT, Box, Place, Shape, Stroke, Words, cut, length

LINES = (
    "#2f8f46", "#d9a400", "#1f60c4", "#d9730d", "#c62828", "#7a4fb5", "#0d8f8f", "#a0522d", "#b83280", "#5f6b7a",
)  # fmt: skip
_SIZE, _LEGEND_LINE, _LEGEND_LINES = 12, 18, 3
_SWATCH = 10
_EACH = 15.0
"""Seconds between two words on the axis of time."""


def chart(panel: Panel, place: Place, shown: Shown) -> Iterator[Shape]:
    """Place what was measured between two times."""
    legend = list(_legend(panel.series, place))
    rows = len({it.y for it in legend if isinstance(it, Words)})
    field = place.inset(0, 6, 6, rows * _LEGEND_LINE + 20)
    scale = _Scale.of(panel, field, shown)
    yield from _values(panel, scale)
    yield from _times(scale)
    for series, colour in zip(panel.series, _colours(panel), strict=True):
        if panel.kind is Kind.LINES:
            yield from (Stroke(points=run, colour=colour, wide=2) for run in _runs(series, scale, shown.step))
    if panel.kind is Kind.BARS:
        yield from _bars(panel, scale, shown.bar)
    yield from legend


@dataclass(frozen=True, slots=True)
class _Scale:
    field: Place
    start: float
    end: float
    ticks: tuple[float, ...]
    words: tuple[str, ...]

    @classmethod
    def of(cls, panel: Panel, room: Place, shown: Shown) -> _Scale:
        """Make one that holds every figure, with room for what is written beside it."""
        ticks = _ticks(panel)
        words = tuple(panel.words(it, shown.end) for it in ticks)
        field = room.inset(max(length(it, _SIZE) for it in words) + 8, 0, 0, 0)
        return cls(field, shown.start, shown.end, ticks, words)

    def x(self, at: float) -> float:
        share = (at - self.start) / (self.end - self.start)
        return self.field.left + self.field.width * min(max(share, 0), 1)

    def y(self, value: float) -> float:
        low, high = self.ticks[0], self.ticks[-1]
        return self.field.bottom - self.field.height * (value - low) / (high - low)


def _ticks(panel: Panel) -> tuple[float, ...]:
    """Choose round values that hold every figure: what is counted is seen from nothing up."""
    tops = _stacked(panel.series) if panel.kind is Kind.BARS else [at for it in panel.series for _, at in it.points]
    high, low = max(*tops, 0.0), min(*tops, 0.0)
    step = _round((high - low) / 4 or 0.25, 2 if panel.unit == "bytes" else 10)
    if panel.decimals == 0:
        step = max(step, 1.0)
    first, last = math.floor(low / step), max(math.ceil(high / step - 1e-9), 1)
    return tuple(number * step for number in range(first, last + 1))


def _round(rough: float, base: int) -> float:
    """Give the next number up that is easy to read."""
    size = float(base) ** math.floor(math.log(rough, base) + 1e-9)
    return next(size * it for it in (1, 2, 5, 10) if size * it >= rough * (1 - 1e-9))


def _stacked(every: tuple[Series, ...]) -> list[float]:
    sums: defaultdict[float, float] = defaultdict(float)
    for series in every:
        for at, value in series.points:
            sums[at] += value
    return list(sums.values())


def _values(panel: Panel, scale: _Scale) -> Iterator[Shape]:
    for tick, words in zip(scale.ticks, scale.words, strict=True):
        y, left = scale.y(tick), scale.field.left
        yield Stroke(points=((left, y), (scale.field.right, y)), colour=GRID)
        yield Words(x=left - 6, y=y + 4, text=words, size=_SIZE, colour=SOFT, anchor="r")


def _times(scale: _Scale) -> Iterator[Shape]:
    apart = _EACH * (1 if scale.field.width > 500 else 2)
    at = math.ceil(scale.start / apart) * apart
    while at <= scale.end:
        x, words = scale.x(at), f"{datetime.fromtimestamp(at, UTC):%H:%M:%S}"
        half = length(words, _SIZE) / 2
        if scale.field.left + half <= x <= scale.field.right - half:
            yield Words(x=x, y=scale.field.bottom + 16, text=words, size=_SIZE, colour=SOFT, anchor="m")
        at += apart


def _runs(series: Series, scale: _Scale, step: float) -> Iterator[tuple[tuple[float, float], ...]]:
    """Give the runs of points without a gap between two."""
    run: list[tuple[float, float]] = []
    before = -math.inf
    for at, value in series.points:
        if run and at - before > step * 1.5:
            yield tuple(run)
            run = []
        run.append((scale.x(at), scale.y(value)))
        before = at
    if run:
        yield tuple(run)


def _bars(panel: Panel, scale: _Scale, bar: float) -> Iterator[Box]:
    """Stack what happened in the time before each point."""
    reached: defaultdict[float, float] = defaultdict(float)
    for series, colour in zip(panel.series, _colours(panel), strict=True):
        for at, value in series.points:
            if value <= 0:
                continue
            begun, reached[at] = reached[at], reached[at] + value
            left, right = scale.x(at - bar), scale.x(at)
            air = (right - left) * 0.15
            place = Place(left=left + air, top=scale.y(reached[at]), right=right - air, bottom=scale.y(begun))
            yield Box(place=place, colour=colour)


def _colours(panel: Panel) -> list[str]:
    return [LINES[number % len(LINES)] for number in range(len(panel.series))]


def _legend(every: tuple[Series, ...], place: Place) -> Iterator[Shape]:
    """Place the names at the bottom, one after the other; what has no room is counted."""
    placed: list[tuple[int, float, str]] = []
    row, x = 0, place.left
    for series in every:
        name = cut(series.name, _SIZE, place.width - _SWATCH - 30)
        wide = _SWATCH + 5 + length(name, _SIZE) + 16
        last = row == _LEGEND_LINES - 1
        if x + wide > place.right - (90 if last else 0) and x > place.left:
            if last:
                break
            row, x = row + 1, place.left
        placed.append((row, x, name))
        x += wide
    bottom = place.bottom - 2 - row * _LEGEND_LINE
    for (line, left, name), colour in zip(placed, LINES * (len(placed) // len(LINES) + 1), strict=False):
        y = bottom + line * _LEGEND_LINE
        yield Box(place=Place(left=left, top=y - 9, right=left + _SWATCH, bottom=y), colour=colour)
        yield Words(x=left + _SWATCH + 5, y=y, text=name, size=_SIZE)
    if len(placed) < len(every):
        more = f"and {len(every) - len(placed)} more"
        yield Words(x=place.right, y=bottom + row * _LEGEND_LINE, text=more, size=_SIZE, colour=SOFT, anchor="r")
