"""Where everything of a dashboard stands, on the grid of 24 columns on which Grafana lays it out."""

from __future__ import annotations

from collections.abc import Iterator

from tests.docs.dashboards.pictures.charts import chart
from tests.docs.dashboards.pictures.figures import numbers, ranked
from tests.docs.dashboards.pictures.panels import Kind, Panel, Shown
from tests.docs.dashboards.pictures.shapes import CARD, GRID, PAGE, SOFT, Box, Picture, Place, Shape, Words, fitting

WIDTH = 1400
_HEAD, _EDGE, _GAP = 54, 12, 4
_COLUMN, _LINE = (WIDTH - 2 * _EDGE) / 24, 33
_TITLE = 15
SAYS = "Our own rendering, not Grafana's, of what a real Prometheus answered. Times are UTC."


def lay_out(shown: Shown) -> Picture:
    """Find the place of everything; the picture gets as high as its panels need."""
    lines = max(panel.grid[1] + panel.grid[3] for panel in shown.panels)
    height = _HEAD + lines * _LINE + _EDGE
    shapes: list[Shape] = [
        Box(place=Place(left=0, top=0, right=WIDTH, bottom=height), colour=PAGE),
        Words(x=_EDGE + _GAP, y=36, text=shown.title, size=24, bold=True),
        Words(x=WIDTH - _EDGE - _GAP, y=36, text=SAYS, size=14, colour=SOFT, anchor="r"),
    ]
    for panel in shown.panels:
        shapes += _panel(panel, shown)
    return Picture(width=WIDTH, height=height, shapes=tuple(shapes))


def card(panel: Panel) -> Place:
    """Give the place of a whole panel."""
    column, line, wide, high = panel.grid
    left, top = _EDGE + column * _COLUMN, _HEAD + line * _LINE
    return Place(left=left, top=top, right=left + wide * _COLUMN, bottom=top + high * _LINE).inset(*[_GAP] * 4)


def _panel(panel: Panel, shown: Shown) -> Iterator[Shape]:
    place = card(panel)
    if panel.kind is Kind.ROW:
        yield Words(x=place.left, y=place.bottom - 6, text=panel.title, size=17, bold=True)
        return
    yield Box(place=place, colour=CARD, edge=GRID)
    size = fitting([panel.title], place.width - 20, _TITLE)
    yield Words(x=place.left + 10, y=place.top + 20, text=panel.title, size=size, bold=True)
    body = place.inset(10, 32, 10, 8)
    if not panel.series:
        size = fitting([panel.nothing], body.width, 20)
        y = body.top + body.height / 2 + size * 0.36
        yield Words(x=body.left + body.width / 2, y=y, text=panel.nothing, size=size, colour=SOFT, anchor="m")
    else:
        yield from _figures(panel, body, shown)


def _figures(panel: Panel, body: Place, shown: Shown) -> Iterator[Shape]:
    match panel.kind:
        case Kind.NUMBER:
            yield from numbers(panel, body, shown.end)
        case Kind.RANKED:
            yield from ranked(panel, body, shown.end)
        case Kind.LINES | Kind.BARS:
            yield from chart(panel, body, shown)
        case Kind.ROW:
            return
