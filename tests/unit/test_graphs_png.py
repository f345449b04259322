"""Graphs as PNG: the same picture as the SVG, whatever was measured and however it is called."""

from __future__ import annotations

import math
from datetime import timedelta
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from incidentd.graphs import Graph, Line, Mark, lay_out
from incidentd.graphs.layout import MOST_LINES, MOST_MARKS, MOST_POINTS, Curve, Straight, Words
from incidentd.graphs.png import SCALE, png
from tests.unit.test_graphs import HOUR, START, graph, line, values

BLUE, ORANGE, RED = (26, 95, 180), (198, 70, 0), (179, 38, 30)
LARGEST = 300_000
"""Bytes; mail servers and chats take a hundred times as much."""


def drawn(it: Graph) -> Image.Image:
    written = png(lay_out(it))
    assert len(written) < LARGEST
    image = Image.open(BytesIO(written))
    assert image.format == "PNG"
    return image.convert("RGB")


def at(image: Image.Image, x: float, y: float) -> object:
    return image.getpixel((round(x * SCALE), round(y * SCALE)))


def colours(image: Image.Image) -> set[object]:
    found = image.getcolors(1000)
    assert found is not None
    return {colour for _, colour in found}


def test_it_is_the_picture_of_the_svg_and_twice_as_large() -> None:
    it = graph(line(0, 5, 10, 5, 0), threshold=8, marks=(Mark(at=START + HOUR / 2, text="declared"),))
    picture, image = lay_out(it), drawn(it)
    assert image.size == (picture.width * SCALE, picture.height * SCALE)
    (curve,) = (shape for shape in picture.shapes if isinstance(shape, Curve))
    assert all(at(image, x, y) == BLUE for x, y in curve.runs[0])
    limit, mark = (shape for shape in picture.shapes if isinstance(shape, Straight) and shape.dash)
    assert at(image, limit.x1 + 2, limit.y1) == RED
    assert at(image, mark.x1, mark.y1 + 1) == (68, 68, 68)
    assert at(image, 0, 0) == (255, 255, 255)


def test_a_gap_is_white_and_a_point_alone_is_seen() -> None:
    it = graph(line(10, 10, math.nan, 10, math.inf, 0, 0))
    (curve,) = (shape for shape in lay_out(it).shapes if isinstance(shape, Curve))
    first, alone, last = curve.runs
    image = drawn(it)
    assert at(image, *alone[0]) == BLUE
    middle = (first[-1][0] + alone[0][0]) / 2
    assert at(image, middle, alone[0][1]) != BLUE
    assert len(last) == 2


@pytest.mark.parametrize("lines", [(), (line(),), (line(math.nan, math.nan),), (line(7),)])
def test_nothing_one_point_and_no_number_are_pictures_too(lines: tuple[Line, ...]) -> None:
    assert drawn(graph(*lines)).width == 760 * SCALE


def test_each_line_has_its_colour_and_its_square() -> None:
    image = drawn(graph(line(1, 2, a="x"), line(2, 1, a="y")))
    assert {BLUE, ORANGE} <= colours(image)


def test_what_grows_is_bounded() -> None:
    many = Line(
        labels={"pod": "x" * 10_000},
        points=tuple((START + HOUR * place / 20_000, float(place % 100)) for place in range(20_000)),
    )
    marks = tuple(Mark(at=START + timedelta(minutes=place), text="y" * 10_000) for place in range(60))
    it = Graph(title="z" * 10_000, start=START, end=START + HOUR, lines=(many,) * 50, marks=marks)
    picture = lay_out(it)
    curves = [shape for shape in picture.shapes if isinstance(shape, Curve)]
    assert len(curves) == MOST_LINES
    assert all(sum(map(len, curve.runs)) <= MOST_POINTS for curve in curves)
    words = [shape.text for shape in picture.shapes if isinstance(shape, Words)]
    assert sum(text.endswith("y…") for text in words) == MOST_MARKS
    assert max(map(len, words)) < 130
    assert drawn(it).height < 500 * SCALE


@pytest.mark.parametrize(
    "value", ["\x00\x1b[31m", "a\nb\r\n", "\u202e", "\ud800", "日本語", "🔥", "\u2028", "", "\\", "%s"]
)
def test_a_strangers_words_are_drawn_as_they_can_be(value: str) -> None:
    it = graph(line(1, 2, label=value), title=value, marks=(Mark(at=START + HOUR / 2, text=value),))
    assert drawn(it).width == 760 * SCALE


@pytest.mark.slow
@given(
    st.lists(st.lists(values, max_size=6), max_size=3), st.none() | values,
    st.timedeltas(timedelta(seconds=1), timedelta(days=60)), st.text(max_size=20),
)  # fmt: skip
def test_whatever_was_measured_a_png_comes_of_it(
    measured: list[list[float]], threshold: float | None, length: timedelta, title: str
) -> None:
    it = Graph(
        title=title, start=START, end=START + length, lines=tuple(line(*series) for series in measured),
        threshold=threshold, marks=(Mark(at=START, text=title),),
    )  # fmt: skip
    assert drawn(it).width == 760 * SCALE
