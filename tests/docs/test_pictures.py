"""The pictures of the dashboards: every title and figure has its place, nothing lies on anything else, all is small."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from itertools import combinations
from typing import Any

import pytest
from PIL import Image

from tests.docs.dashboards import files
from tests.docs.dashboards.pictures import units
from tests.docs.dashboards.pictures.layout import WIDTH, card, lay_out
from tests.docs.dashboards.pictures.paint import png
from tests.docs.dashboards.pictures.panels import Kind, Panel, Series, Shown, named, read, series
from tests.docs.dashboards.pictures.shapes import Box, Picture, Place, Stroke, Words

START, END, STEP, BAR = 1_000_000.0, 1_000_060.0, 0.5, 5.0
NAMES = ("sev1", "business_critical late", "declared_no_progress queue-lag", "An alert with quite a long name p90")
FIGURES = (0.0, 1.0, 0.987, 12_345.0, 999_999_000.0)
LARGEST = 150_000
"""Bytes; a page shows seven of them."""


def answered(panel: dict[str, Any], number: int) -> Panel:
    """Give a panel so many series, of names and figures of every length."""
    it = read(panel)
    if it.kind is Kind.ROW:
        return it
    times = [START + STEP * moment for moment in range(121)] if it.kind is Kind.LINES else [END]
    times = [START + BAR * moment for moment in range(1, 13)] if it.kind is Kind.BARS else times
    figures = [FIGURES[place % len(FIGURES)] for place in range(number)]
    found = [
        Series(name=f"{NAMES[place % 4]} {place}", points=tuple((at, figure * (at % 3)) for at in times))
        for place, figure in enumerate(figures)
    ]
    return replace(it, series=tuple(found))


def shown(name: str, number: int) -> Shown:
    made = json.loads((files.FOLDER / f"{name}.json").read_text())
    panels = tuple(answered(panel, number) for panel in made["panels"])
    return Shown(title=made["title"], panels=panels, start=START, end=END, step=STEP, bar=BAR)


def written_in(picture: Picture) -> list[tuple[str, Place]]:
    """Give every text with the place of its letters."""
    return [(it.text, it.place) for it in picture.shapes if isinstance(it, Words)]


BOARDS = [board.name for board in files.BOARDS]


@pytest.mark.parametrize("number", [0, 1, 2, 8])
@pytest.mark.parametrize("name", BOARDS)
def test_words_stay_in_their_panel_and_beside_each_other(name: str, number: int) -> None:
    it = shown(name, number)
    everywhere = written_in(lay_out(it))
    for panel in it.panels:
        written = [(text, place) for text, place in everywhere if card(panel).meets(place)]
        assert panel.title in [text for text, _ in written], panel.title
        assert not [text for text, place in written if not card(panel).holds(place)], panel.title
        both = [(one, other) for (one, a), (other, b) in combinations(written, 2) if a.meets(b)]
        assert not both, panel.title


@pytest.mark.parametrize("name", BOARDS)
def test_figures_are_written_whole(name: str) -> None:
    it = shown(name, 2)
    everywhere = written_in(lay_out(it))
    for panel in it.panels:
        written = [text for text, place in everywhere if card(panel).meets(place)]
        for one in panel.series:
            if panel.kind in (Kind.NUMBER, Kind.RANKED) and not panel.only_names:
                assert panel.words(one.newest, END) in written, (panel.title, written)


@pytest.mark.parametrize("name", BOARDS)
def test_where_nothing_is_it_says_so(name: str) -> None:
    it = shown(name, 0)
    written = [words.text for words in lay_out(it).shapes if isinstance(words, Words)]
    assert written.count("nothing yet") == sum(panel.kind is not Kind.ROW for panel in it.panels)


@pytest.mark.parametrize("name", BOARDS)
def test_everything_lies_within_the_picture(name: str) -> None:
    picture = lay_out(shown(name, 8))
    page = Place(left=0, top=0, right=WIDTH, bottom=picture.height)
    for it in picture.shapes:
        match it:
            case Stroke():
                assert all(0 <= x <= page.right and 0 <= y <= page.bottom for x, y in it.points)
            case Box() | Words():
                assert page.holds(it.place), it


def only(panel: dict[str, Any], *series: Series) -> list[Box | Stroke | Words]:
    """Lay out a dashboard of one panel."""
    one = replace(read(panel), series=series)
    made = lay_out(Shown(title="", panels=(one,), start=START, end=END, step=STEP, bar=BAR))
    return list(made.shapes)


def a_panel(kind: str, **how: Any) -> dict[str, Any]:
    steps = [{"color": "green", "value": None}, {"color": "red", "value": 2}]
    defaults = {"unit": "short", "noValue": "nothing yet", "decimals": 0, "thresholds": {"steps": steps}} | how
    place = {"x": 0, "y": 0, "w": 12, "h": 8}
    return {"title": "It", "type": kind, "gridPos": place, "fieldConfig": {"defaults": defaults}, "options": None}


def boxes(shapes: list[Box | Stroke | Words], colour: str) -> Iterator[Place]:
    return (it.place for it in shapes if isinstance(it, Box) and it.colour == colour)


def test_bars_lie_beside_each_other_as_long_as_their_figures() -> None:
    shapes = only(a_panel("bargauge", max=4), *(Series(name=str(it), points=((END, it),)) for it in (4.0, 1.0)))
    (large,) = boxes(shapes, "#c62828")
    (small,) = boxes(shapes, "#2f8f46")
    assert large.width == pytest.approx(small.width * 4)
    assert not large.meets(small)


def test_what_happened_at_once_is_stacked() -> None:
    bars = a_panel("timeseries", custom={"drawStyle": "bars"})
    at = (START + BAR, START + 2 * BAR)
    one, other = (Series(name=name, points=tuple((it, value) for it in at)) for name, value in (("a", 1.0), ("b", 3.0)))
    shapes = only(bars, one, other)
    *lower, _ = boxes(shapes, "#2f8f46")  # the last is the square of the legend
    *upper, _ = boxes(shapes, "#d9a400")
    assert [it.top for it in lower] == pytest.approx([it.bottom for it in upper])
    assert upper[0].height == pytest.approx(lower[0].height * 3)
    assert lower[0].right < lower[1].left


def test_a_line_has_a_gap_where_nothing_was_measured() -> None:
    points = [(START + STEP * moment, 1.0) for moment in range(20) if moment not in (5, 6)]
    shapes = only(a_panel("timeseries"), Series(name="a", points=tuple(points)))
    runs = [len(it.points) for it in shapes if isinstance(it, Stroke) and it.colour == "#2f8f46"]
    assert runs == [5, 13]


def test_what_is_not_a_number_is_no_figure() -> None:
    answer: list[dict[str, Any]] = [{"metric": {"a": "x"}, "value": [1, "NaN"]}]
    answer += [{"metric": {"a": "y"}, "values": [[1, "+Inf"], [2, "7"]]}]
    assert series("{{a}} p90", answer) == [Series(name="y p90", points=((2.0, 7.0),))]


def test_a_series_is_called_as_its_legend_says() -> None:
    labels = {"job": "incidentd", "severity": "sev1"}
    assert named("{{severity}} median", labels) == "sev1 median"
    assert named("__auto", labels) == "job=incidentd, severity=sev1"


@pytest.mark.parametrize(
    ("value", "unit", "decimals", "text"),
    [
        (3.02, "short", 0, "3"), (-0.2, "short", 0, "0"), (12_345, "short", 0, "12.3 K"), (0.04, "short", None, "0.04"),
        (2_000_000, "short", None, "2 Mil"), (0, "s", None, "0 s"), (0.0123, "s", None, "12.3 ms"),
        (90, "s", None, "1.5 min"), (1200, "s", None, "20 min"), (86_400, "s", None, "1 day"),
        (0.985, "percentunit", None, "98.5%"), (1, "percentunit", None, "100%"), (0.25, "cps", None, "0.25 c/s"),
        (3, "reqps", None, "3 req/s"), (80 * 2**20, "bytes", None, "80 MiB"),
        (988_000, "dateTimeFromNow", None, "12 s ago"),
        (1_090_000, "dateTimeFromNow", None, "in 2 min"), (math.inf, "s", None, "inf"),
    ],
)  # fmt: skip
def test_figures_are_read_with_their_unit(value: float, unit: str, decimals: int | None, text: str) -> None:
    assert units.written(value, unit, 1000, decimals) == text


def test_a_figure_that_is_a_word_is_that_word_and_limits_colour_it() -> None:
    panel = read(a_panel("stat", mappings=[{"type": "value", "options": {"0": {"text": "broken"}}}]))
    assert [panel.words(it, END) for it in (0.0, 1.0)] == ["broken", "1"]
    assert [panel.colour(it) for it in (0.0, 1.9, 2.0)] == ["green", "green", "red"]


def test_a_painted_one_has_its_colours_where_they_belong_and_is_small() -> None:
    it = shown("now", 2)
    picture = lay_out(it)
    written = png(picture)
    image = Image.open(BytesIO(written)).convert("RGB")
    assert image.size == (picture.width, picture.height)
    assert image.getpixel((0, 0)) == pytest.approx((243, 244, 246), abs=2)  # the packing rounds
    assert len(written) < LARGEST


@pytest.mark.parametrize("name", BOARDS)
def test_each_dashboard_has_its_picture_on_the_page(name: str) -> None:
    file = files.PICTURES / f"{name}.png"
    assert f"](pictures/{file.name})" in files.PAGE.read_text()
    assert file.stat().st_size < LARGEST
    with Image.open(file) as image:
        assert (image.format, image.width, image.height) == ("PNG", WIDTH, lay_out(shown(name, 0)).height), (
            "run `make pictures`"
        )
