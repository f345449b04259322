"""Where the figures of a panel stand: big numbers, side by side, and lying bars, the greatest first."""

from __future__ import annotations

from collections.abc import Iterator

from tests.docs.dashboards.pictures.panels import Panel, Series
from tests.docs.dashboards.pictures.shapes import SOFT, Box, Place, Shape, Words, cut, fitting, length

_NUMBER, _NAME, _BAR = 36, 15, 14
"""The largest letters, in pixels."""
_LOWEST, _HIGHEST = 14, 30
"""Of a lying bar with its name, in pixels."""
COLOURS = {"green": "#2f8f46", "red": "#c62828", "orange": "#d9730d", "yellow": "#b58900", "blue": "#1f60c4"}
"""On white; the names are those that Grafana knows."""
_TRACK = "#eef0f2"


def numbers(panel: Panel, place: Place, now: float) -> Iterator[Shape]:
    """Place the newest figure of each series in a cell of its own, its name above it where names are shown."""
    shows = panel.says_names or len(panel.series) > 1
    cell = place.width / len(panel.series)
    names = [it.name if shows else "" for it in panel.series]
    figures = names if panel.only_names else [panel.words(it.newest, now) for it in panel.series]
    large, small = fitting(figures, cell - 8, _NUMBER), fitting(names, cell - 8, _NAME)
    above = any(names) and not panel.only_names
    for number, (it, figure, name) in enumerate(zip(panel.series, figures, names, strict=True)):
        middle = place.left + cell * (number + 0.5)
        y = place.top + place.height / 2 + large * 0.36 + (small * 0.7 if above else 0)
        if above:
            yield Words(x=middle, y=y - large - 2, text=cut(name, small, cell - 6), size=small, colour=SOFT, anchor="m")
        yield Words(
            x=middle, y=y, text=cut(figure, large, cell - 6), size=large, colour=COLOURS[panel.colour(it.newest)],
            anchor="m", bold=True,
        )  # fmt: skip


def ranked(panel: Panel, place: Place, now: float) -> Iterator[Shape]:
    """Place a lying bar for each series; what has no room is counted in the last line."""
    lines = max(1, int(place.height / _LOWEST))
    shown = panel.series if len(panel.series) <= lines else panel.series[: lines - 1]
    high = min(place.height / (len(shown) + (len(shown) < len(panel.series))), _HIGHEST)
    size = min(_BAR, int(high) - 2)
    figures = [panel.words(it.newest, now) for it in shown]
    names = [cut(it.name, size, place.width * 0.56) for it in shown]
    room = place.inset(
        max(length(it, size) for it in names) + 8, 0, max(length(it, size) for it in figures) + 8, 0
    )  # fmt: skip
    most = panel.most or max(*(it.newest for it in panel.series), 0) or 1
    for number, (it, name, figure) in enumerate(zip(shown, names, figures, strict=True)):
        y = place.top + high * (number + 0.5)
        yield Words(x=place.left, y=y + size * 0.36, text=name, size=size)
        yield from _bar(it, room, (y, min(high - 4, 18)), most, COLOURS[panel.colour(it.newest)])
        yield Words(x=place.right, y=y + size * 0.36, text=figure, size=size, anchor="r")
    if len(shown) < len(panel.series):
        y = place.top + high * (len(shown) + 0.5) + size * 0.36
        yield Words(x=place.left, y=y, text=f"and {len(panel.series) - len(shown)} more", size=size, colour=SOFT)


def _bar(it: Series, room: Place, lies: tuple[float, float], most: float, colour: str) -> Iterator[Box]:
    y, high = lies
    track = Place(left=room.left, top=y - high / 2, right=room.right, bottom=y + high / 2)
    yield Box(place=track, colour=_TRACK)
    share = max(0.0, min(it.newest / most, 1.0))
    if share > 0:
        yield Box(place=track.inset(0, 0, track.width * (1 - share), 0), colour=colour)
