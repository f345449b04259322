"""PromQL of others: what an alert measures, and the number that it is held against."""

from __future__ import annotations

import math

import pytest

from incidentd.config.promql import measured


@pytest.mark.parametrize(
    ("query", "alone", "threshold"),
    [
        ('sum(rate(x{a="b"}[5m])) by (job) / 2 > 0.5', 'sum by (job)(rate(x{a="b"}[5m])) / 2', 0.5),
        ("(lag >= 30)", "lag{}", 30),
        ("0.5 < lag", "lag{}", 0.5),
        ("temperature < -18", "temperature{}", -18),
        ("up == 0", "up{}", 0),
        ("x > bool 1e3", "x{}", 1000),
        ("x > +Inf", "x{}", math.inf),
        ("rate(a[5m] offset 1h) != 0", "rate(a{}[5m] offset 1h)", 0),
    ],
)
def test_the_comparison_is_taken_off(query: str, alone: str, threshold: float) -> None:
    assert measured(query) == (alone, threshold)


@pytest.mark.parametrize(
    "query",
    ["a > b", "absent(up)", "up", "x < 0.9 and on (job) y", "1 > 2", "((", "", 'a{x="\\"} > 2"} > 4', "a + 3"],
)
def test_what_is_no_comparison_with_a_number_stays_as_it_is(query: str) -> None:
    assert measured(query) == (query, None)
