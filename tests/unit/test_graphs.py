"""Graphs: what is drawn, and that whatever is drawn stays a picture."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentd import graphs
from incidentd.graphs import MOST_LINES, Graph, Line, Mark, chosen, lay_out

START = datetime(2026, 11, 24, 13, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
NAME = "{http://www.w3.org/2000/svg}"


def line(*values: float, **labels: str) -> Line:
    points = tuple((START + timedelta(minutes=place), value) for place, value in enumerate(values))
    return Line(labels=labels, points=points)


def graph(*lines: Line, threshold: float | None = None, marks: tuple[Mark, ...] = (), title: str = "depth") -> Graph:
    return Graph(title=title, start=START, end=START + HOUR, lines=lines, threshold=threshold, marks=marks)


def svg(it: Graph) -> str:
    return graphs.svg(lay_out(it))


def read(it: Graph) -> ET.Element:
    return ET.fromstring(svg(it))  # noqa: S314 - our own


def texts(it: Graph) -> list[str]:
    return ["".join(element.itertext()) for element in read(it).iter(f"{NAME}text")]


def paths(it: Graph) -> list[str]:
    return [element.attrib["d"] for element in read(it).iter(f"{NAME}path")]


def test_a_line_goes_through_its_points_from_nothing_up() -> None:
    [drawn] = paths(graph(line(0, 5, 10)))
    assert drawn == "M64.0 236.0 L75.3 146.0 L86.7 56.0"


def test_what_is_no_number_is_a_gap_and_a_point_alone_is_seen() -> None:
    [drawn] = paths(graph(line(10, math.nan, 10, math.inf, 0)))
    assert [part[0] for part in drawn.split(" ") if part[0].isalpha()] == ["M", "M", "M"]
    assert "#1a5fb4" in svg(graph(line(10)))
    assert 'stroke-linecap="round"' in svg(graph(line(10)))


def test_it_says_what_it_is_about_where_the_limit_is_and_what_happened_when() -> None:
    marks = (Mark(at=START + timedelta(minutes=40), text="declared"), Mark(at=START - HOUR, text="long ago"))
    it = graph(line(1, 120, 80, queue="mail"), threshold=100, marks=marks)
    said = texts(it)
    assert said[0] == "depth"
    assert "14:10 declared" in said
    assert '■ {queue="mail"}: 80 at last, 120 at most' in said
    assert "100" in said
    assert not any("long ago" in text for text in said)
    assert [text for text in said if len(text) == 5 and text[2] == ":"][:4] == ["13:30", "13:40", "13:50", "14:00"]
    assert "2026-11-24 UTC" in said


def test_more_lines_than_anybody_tells_apart_are_counted() -> None:
    it = graph(*(line(number, pod=str(number)) for number in range(MOST_LINES + 3)))
    assert len(paths(it)) == MOST_LINES
    assert "and 3 more that are not drawn" in texts(it)


def test_without_data_it_says_so() -> None:
    assert "no data" in texts(graph())
    assert '■ {a="b"}: no number' in texts(graph(line(math.nan, a="b")))


def test_lines_about_the_alerts_come_first() -> None:
    lines = (line(1, instance="a", job="x"), line(1, instance="b", job="x"), line(1, job="y"))
    found = chosen(lines, [{"alertname": "Slow", "instance": "b", "job": "x"}])
    assert [dict(it.labels) for it in found] == [
        {"instance": "b", "job": "x"}, {"instance": "a", "job": "x"}, {"job": "y"},
    ]  # fmt: skip


@pytest.mark.parametrize(
    "value", ['"/><script>x</script>', "]]>", "\x00\x1b[31m", "a\nb", "\u202e", "&#x41;", "\ud800"]
)
def test_a_strangers_words_stay_words(value: str) -> None:
    it = graph(line(1, 2, label=value), title=value, marks=(Mark(at=START + HOUR / 2, text=value),))
    written = svg(it)
    assert {element.tag.removeprefix(NAME) for element in read(it).iter()} <= {
        "svg", "title", "rect", "text", "tspan", "line", "path",
    }  # fmt: skip
    written.encode("utf-8")
    assert "\x1b" not in written


values = st.floats(allow_nan=True, allow_infinity=True)


@given(
    st.lists(st.lists(values, max_size=12), max_size=4), st.none() | values,
    st.timedeltas(timedelta(seconds=1), timedelta(days=60)),
)  # fmt: skip
def test_whatever_was_measured_a_picture_comes_of_it(
    measured: list[list[float]], threshold: float | None, length: timedelta
) -> None:
    it = Graph(
        title="any", start=START, end=START + length, lines=tuple(line(*series) for series in measured),
        threshold=threshold, marks=(Mark(at=START, text="held"),),
    )  # fmt: skip
    written = svg(it)
    assert "nan" not in written
    assert "inf" not in written.replace("inf at most", "").replace(">inf<", "")
    assert len(written) < 60_000
    ET.fromstring(written)  # noqa: S314 - our own


@pytest.mark.parametrize(
    "pair", [(5e-324, 0.0), (-0.0, 5e-324), (1.7e308, -1.7e308), (1e-300, 2e-300), (3.0, 3.0), (0.0, 1.797e308)]
)
def test_numbers_at_the_edge_are_drawn_too(pair: tuple[float, float]) -> None:
    written = svg(graph(line(*pair), threshold=pair[1]))
    assert "nan" not in written
    assert "inf" not in written
