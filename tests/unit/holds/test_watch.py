"""What the answers of a query say about progress, sample by sample."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from incidentd.holds import HoldPolicy, ProgressQuery, ShortWindow, Watch, watches_for
from incidentd.holds.watch import look

QUERY = ProgressQuery(promql='max(queue_depth{queue="{{ labels.queue }}"})')
SLO = ShortWindow(promql="burn:5m", condition="< 14.4")


def watch(policy: HoldPolicy) -> Watch:
    [found], _ = watches_for(policy, {"queue": "mail"}, {})
    return found


def progress(policy: HoldPolicy, values: Sequence[float | None], *, settling: int = 1) -> list[int]:
    """Give at which samples there is progress; so many of the first come while the hold settles."""
    seen, found = watch(policy), []
    for number, value in enumerate(values):
        result = look(seen, value, "no data" if value is None else "", settling=number < settling)
        seen = result.watch
        if result.progress:
            found.append(number)
    return found


@pytest.mark.parametrize(
    ("values", "at"),
    [
        ([100, 79, 79], [2]),  # two in a row
        ([100, 79, 100, 79, 100], []),  # never two in a row
        ([100, 79, None, 79], []),  # no number breaks the row
        ([100, 79, float("nan"), 79, 79], [4]),
        ([100, 81, 81, 81], []),  # not by a fifth
        ([100, 79, 79, 79, 100, 79, 79], [2]),  # the same improvement never counts twice
        ([100, 80, 80, 64, 64], [2, 4]),
        ([0, 0, 0], []),  # nothing is better than nothing
        ([float("inf"), 100, 100], [2]),
        ([-10, -11, -11], []),
        ([-10, -12, -13], [2]),
        ([100 - 2 * n for n in range(40)], [11, 19, 26, 31, 35, 39]),  # what falls steadily does make progress
    ],
)
def test_lower_is_better(values: list[float | None], at: list[int]) -> None:
    assert progress(HoldPolicy(query=QUERY), values) == at


def test_higher_is_better_when_the_rule_says_so() -> None:
    policy = HoldPolicy(query=ProgressQuery(promql="time_to_full", higher=True, by=0.5))

    assert progress(policy, [100, 149, 149, 151, 150, float("inf"), float("inf")]) == [4, 6]


def test_the_best_of_what_is_seen_while_it_settles_is_where_it_begins() -> None:
    assert progress(HoldPolicy(query=QUERY), [100, 60, 90, 50, 50], settling=3) == []
    assert progress(HoldPolicy(query=QUERY), [100, 60, 90, 48, 48], settling=3) == [4]


def test_a_flat_line_with_noise_hardly_ever_looks_like_progress() -> None:
    chance = random.Random(20261124)  # noqa: S311 - noise
    delayed = sum(
        bool(progress(HoldPolicy(query=QUERY), [chance.uniform(85, 115) for _ in range(60)], settling=3))
        for _ in range(500)
    )

    assert delayed < 25


@pytest.mark.parametrize(
    ("values", "at"),
    [
        ([20, 3, 3], [2]),
        ([3, 3, 3], []),  # it did not burn, so nothing got better
        ([20, 3, 20, 3, 3], [4]),
        ([20, 3, None, 3, 3], [4]),
        ([20, 3, 3, 20, 3, 3], [2]),  # once
        ([None, 20, 14.4, 14.3, 14.3], [4]),
    ],
)
def test_a_short_window_has_to_come_back_under_its_threshold(values: list[float | None], at: list[int]) -> None:
    assert progress(HoldPolicy(slo=SLO), values) == at


def test_a_query_is_filled_in_once_and_a_value_that_would_be_a_query_is_refused() -> None:
    policy = HoldPolicy(query=QUERY, slo=SLO)
    found, trouble = watches_for(policy, {"queue": "{{ labels.other }}", "other": "x"}, {})
    assert [one.promql for one in found] == ['max(queue_depth{queue="{{ labels.other }}"})', "burn:5m"]
    assert trouble == ()

    found, trouble = watches_for(policy, {"queue": 'x"} or vector(0) #'}, {})
    assert ([one.promql for one in found], len(trouble)) == (["burn:5m"], 1)
    assert trouble[0].startswith("The query for progress cannot be asked of this alert: a value with a quote")


def test_that_there_is_no_number_is_said_once_and_one_good_sample_alone_is_said_too() -> None:
    seen = look(watch(HoldPolicy(query=QUERY)), 100, "", settling=True)
    said = []
    for value in (None, None, 50, 99, None):
        seen = look(seen.watch, value, "no data", settling=False)
        said.append(seen.ignored)

    assert [bool(text) for text in said] == [True, False, False, True, False]
    assert said[3] == "50 was better, and the sample after it is 99: one sample is not progress."
