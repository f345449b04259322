"""Every section of the bench works: run once at a tiny size, where figures say nothing and nothing may be lost."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.__main__ import SECTIONS
from tests.bench.figures import QUICK, Figure, in_turn, ratio
from tests.bench.load import Seen, percentile, template

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.needs(*section.needs)) for name, section in SECTIONS.items()]
)
def test_a_section_prints_its_figures_and_loses_nothing(name: str) -> None:
    lines = list(SECTIONS[name].report(QUICK))
    figures = [line for line in lines if isinstance(line, Figure)]
    explains = {"profile": "store.writer", "grouping": "4 threads, up to 16 a transaction"}  # it has no target
    assert figures or any(explains[name] in str(line) for line in lines)
    assert not [str(figure) for figure in figures if figure.most == 0 and not figure.met]


@pytest.mark.slow
def test_the_bench_says_first_how_long_it_takes() -> None:
    said = subprocess.run(
        [sys.executable, "-m", "tests.bench", "--list"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert re.search(r"^This takes about \d+ minutes:$", said, re.MULTILINE)
    assert all(re.search(rf"^  {name} ", said, re.MULTILINE) for name in SECTIONS)


def test_a_figure_stands_beside_its_target() -> None:
    assert str(Figure(what="Of the floor", value=0.6, unit="x", digits=2, least=0.6)) == (
        "Of the floor: 0.60x (at least 0.6: met)"
    )
    assert str(Figure(what="Lost", value=1, most=0, note="of 5")) == "Lost: 1 (at most 0: not met; of 5)"


def test_servers_take_turns_in_another_order_each_round() -> None:
    assert list(in_turn(["a", "b", "c"], 2)) == ["a", "b", "c", "b", "c", "a"]


def test_a_ratio_is_the_median_of_the_rounds_own_ratios() -> None:
    assert ratio([50, 100, 30], [100, 100, 100]) == 0.5


def test_answers_are_told_apart_by_their_status() -> None:
    seen = Seen()
    for status in (b"200 OK", b"503 Busy", b"400 Bad", b"204 None"):
        seen.note(b"HTTP/1.1 " + status, 0.25)
    assert (seen.answered, seen.refused, seen.otherwise) == (2, 1, 1)
    assert percentile(seen.latencies, 0.99) == 0.25


def test_each_posted_body_is_one_that_the_receiver_takes() -> None:
    from incidentd.alerts import parse_group

    request = (b"%012d" % 7).join(template(10))
    head, _, body = request.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert len({alert.fingerprint for alert in parse_group(body).alerts}) == 10
