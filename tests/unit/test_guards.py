"""The guards of playbooks, each alone and all together."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentd.errors import Location
from incidentd.guards import Facts, check, effective_mode, horizon
from incidentd.playbooks import Limit, Limits, Mode, OnFailure, Playbook
from incidentd.settings import Automation

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
BOOK = Playbook(
    name="restart-stuck-worker", title="Restart a worker", mode=Mode.AUTO, match=(), inputs={}, target="w-3",
    risk="low", limits=Limits(), steps=(), verify=None, rollback=(), on_failure=OnFailure.DECLARE, manual_minutes=12,
    at=Location("a.yaml", 1), sha256="0", source={},
)  # fmt: skip


def facts(**changes: Any) -> Facts:
    fine = Facts(
        playbook=BOOK, automation=Automation(mode=Mode.AUTO), target="w-3", starts_at=NOW - MINUTE, still_firing=True,
        running_on_target=False, now=NOW,
    )  # fmt: skip
    return replace(fine, **changes)


def ago(*minutes: float) -> tuple[datetime, ...]:
    return tuple(NOW - each * MINUTE for each in minutes)


def refusal(**changes: Any) -> tuple[str, str]:
    verdict = check(facts(**changes))
    assert not verdict.allowed
    return verdict.guard, verdict.reason


def test_a_fresh_alert_on_a_quiet_target_is_allowed() -> None:
    verdict = check(facts())
    assert (verdict.allowed, verdict.guard) == (True, "")
    assert verdict.reason == "every guard lets restart-stuck-worker run on w-3"


def test_a_playbook_that_is_off_does_not_run() -> None:
    assert refusal(playbook=replace(BOOK, mode=Mode.OFF)) == (
        "mode",
        "restart-stuck-worker is off: its file says so (mode)",
    )


def test_no_playbook_runs_while_automation_is_off() -> None:
    guard, reason = refusal(automation=Automation(mode=Mode.OFF))
    assert guard == "mode"
    assert "automation.mode" in reason


@pytest.mark.parametrize("own", list(Mode))
@pytest.mark.parametrize("ceiling", list(Mode))
def test_the_weaker_mode_counts(own: Mode, ceiling: Mode) -> None:
    strength = ["off", "suggest", "approve", "auto"]
    expected = strength[min(strength.index(own), strength.index(ceiling))]
    assert effective_mode(replace(BOOK, mode=own), ceiling) == expected


def test_an_alert_that_stopped_firing_is_left_alone() -> None:
    assert refusal(still_firing=False)[0] == "still_firing"


def test_an_alert_that_is_too_old_is_for_people() -> None:
    assert check(facts(starts_at=NOW - 10 * MINUTE)).allowed
    assert refusal(starts_at=NOW - 11 * MINUTE) == (
        "alert_age",
        "the alert began 11m ago; restart-stuck-worker acts on alerts up to 10m old (limits.alert_age)",
    )


def test_an_alert_from_a_clock_that_runs_ahead_is_young() -> None:
    assert check(facts(starts_at=NOW + 5 * MINUTE)).allowed


def test_one_run_at_a_time_is_on_a_target() -> None:
    assert refusal(running_on_target=True) == ("one_at_a_time", "another run is on w-3 now, and only one may be")


def test_a_target_has_its_own_limit() -> None:
    assert check(facts(recent_on_target=ago(1, 31, 45))).allowed
    assert refusal(recent_on_target=ago(1, 29)) == (
        "per_target",
        "on w-3, restart-stuck-worker began 2 runs within 30m; limits.per_target allows 2",
    )


def test_a_playbook_has_a_limit_over_all_targets() -> None:
    assert check(facts(recent_total=ago(1, 2, 10))).allowed
    assert refusal(recent_total=ago(1, 2, 9))[0] == "total"


def test_all_playbooks_together_have_a_limit() -> None:
    assert check(facts(recent_overall=ago(*range(1, 20)))).allowed
    guard, reason = refusal(recent_overall=ago(*range(1, 21)))
    assert guard == "overall"
    assert reason == "all playbooks together began 20 runs within 1h; automation.overall allows 20"


def test_a_limit_of_none_lets_nothing_run() -> None:
    assert refusal(playbook=replace(BOOK, limits=Limits(total=Limit(runs=0, window=MINUTE))))[0] == "total"


def test_an_alert_that_comes_back_after_two_believed_runs_gets_no_third() -> None:
    guard, reason = refusal(recent_on_target=ago(50, 25), last_verified_on_target=NOW - 20 * MINUTE)
    assert guard == "loop"
    assert reason == (
        "the alert is back 20m after restart-stuck-worker was believed to have healed w-3, and not for the first time: "
        "a person has to look"
    )


@pytest.mark.parametrize(
    ("starts", "verified"),
    [((25,), 20), ((50, 40), 30), ((70, 25), 20), ((50, 40), None)],
)
def test_what_is_no_loop_is_allowed(starts: tuple[float, ...], verified: float | None) -> None:
    last = None if verified is None else NOW - verified * MINUTE
    assert check(facts(recent_on_target=ago(*starts), last_verified_on_target=last)).allowed


def test_a_run_that_another_replicas_clock_puts_into_the_future_counts() -> None:
    assert refusal(recent_on_target=ago(-1, -2))[0] == "per_target"


def test_a_hostile_target_is_shown_harmless() -> None:
    assert "\x1b" not in check(facts(target="\x1b[31m" * 99)).reason


def test_the_facts_reach_as_far_back_as_the_longest_window() -> None:
    assert horizon(BOOK, Automation()) == 60 * MINUTE
    assert horizon(BOOK, Automation(overall=Limit(runs=1, window=90 * MINUTE))) == 90 * MINUTE


@given(st.lists(st.integers(0, 120), max_size=200))
def test_within_its_limits_a_playbook_never_begins_more_runs_than_allowed(minutes: list[int]) -> None:
    begun: list[datetime] = []
    for at in sorted(NOW + minute * MINUTE for minute in minutes):
        seen = tuple(begun)
        if check(facts(now=at, starts_at=at, recent_on_target=(), recent_total=seen, recent_overall=seen)).allowed:
            begun.append(at)
    assert all(sum(end - 10 * MINUTE < start <= end for start in begun) <= 3 for end in begun)
    assert all(sum(end - 60 * MINUTE < start <= end for start in begun) <= 20 for end in begun)
