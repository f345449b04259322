"""The guards of playbooks, each alone and all together."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentd.errors import Location
from incidentd.guards import GUARDS, Facts, check, check_again, effective_mode, every, failed_in_a_row, horizon
from incidentd.playbooks import Limit, Limits, Mode, OnFailure, Playbook, Run, RunState
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


def test_while_another_incident_is_active_on_the_service_whoever_leads_it_is_asked() -> None:
    beside = {"incident": "INC-3", "service": "shop"}
    assert refusal(**beside) == (
        "incident",
        "INC-3 is active on shop: whoever leads its operations has to let restart-stuck-worker run "
        "(safe_during_incident)",
    )
    assert check(facts(**beside, approved=True)).allowed
    assert check(facts(**beside, playbook=replace(BOOK, safe_during_incident=True))).allowed
    assert check_again(facts(**beside)).allowed, "what is under way goes on; people stop it"


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
    day = timedelta(days=1)
    assert horizon(BOOK, Automation()) == day
    assert horizon(BOOK, Automation(overall=Limit(runs=1, window=2 * day))) == 2 * day
    assert horizon(replace(BOOK, limits=Limits(cool_down=2 * day)), Automation()) == 2 * day


@given(st.lists(st.integers(0, 120), max_size=200))
def test_within_its_limits_a_playbook_never_begins_more_runs_than_allowed(minutes: list[int]) -> None:
    begun: list[datetime] = []
    for at in sorted(NOW + minute * MINUTE for minute in minutes):
        seen = tuple(begun)
        if check(facts(now=at, starts_at=at, recent_on_target=(), recent_total=seen, recent_overall=seen)).allowed:
            begun.append(at)
    assert all(sum(end - 10 * MINUTE < start <= end for start in begun) <= 3 for end in begun)
    assert all(sum(end - 60 * MINUTE < start <= end for start in begun) <= 20 for end in begun)


# what keeps a playbook from doing much harm


def test_what_is_of_high_risk_asks_a_person_whatever_the_mode() -> None:
    risky = replace(BOOK, risk="high")
    assert effective_mode(risky, Mode.AUTO) is Mode.APPROVE
    assert effective_mode(risky, Mode.SUGGEST) is Mode.SUGGEST
    assert refusal(playbook=risky) == (
        "approval", "restart-stuck-worker needs a person's approval: it is of high risk",
    )  # fmt: skip
    assert check(facts(playbook=risky, approved=True)).allowed


@pytest.mark.parametrize(("target", "allowed"), [("db-1", False), ("db-12", False), ("adb-1", True), ("w-3", True)])
def test_no_playbook_acts_on_a_protected_target(target: str, allowed: bool) -> None:
    automation = Automation(mode=Mode.AUTO, protected=("db-[0-9]+", "lb"))
    verdict = check(facts(automation=automation, target=target))
    assert verdict.allowed is allowed
    assert (
        allowed or verdict.reason == f"{target} is protected: no playbook may act on 'db-[0-9]+' (automation.protected)"
    )


def test_an_approval_opens_no_other_guard() -> None:
    automation = Automation(mode=Mode.AUTO, protected=("w-3",))
    assert not check(facts(automation=automation, approved=True)).allowed
    assert not check(facts(running_on_target=True, approved=True)).allowed


def test_a_playbook_that_did_not_help_twice_is_stopped() -> None:
    assert check(facts(failed_in_a_row=1)).allowed
    guard, reason = refusal(failed_in_a_row=2)
    assert guard == "stopped"
    assert "the last 2 runs of restart-stuck-worker did not help" in reason


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ("", 0), ("verify_failed", 1), ("verify_failed verify_failed", 2), ("verify_failed verified", 0),
        ("verified verify_failed", 1), ("verify_failed done verify_failed running", 2), ("failed interrupted", 0),
    ],
)  # fmt: skip
def test_failed_verifications_are_counted_back_to_the_last_one_that_held(states: str, expected: int) -> None:
    runs = [
        Run(
            id=1, subject="HOLD-1", playbook="x", sha256="0", definition={}, state=RunState(state), mode=Mode.AUTO,
            target="w-3", inputs={}, registers={}, source="prod", started_at=NOW,
        )
        for state in states.split()
    ]  # fmt: skip
    assert failed_in_a_row(runs) == expected


def test_one_target_is_tried_first_and_the_others_when_it_was_healed() -> None:
    first = (("w-1", ""),)
    assert refusal(under_way=first)[0] == "canary"
    assert "is tried on w-1 first" in refusal(under_way=first)[1]
    assert check(facts(under_way=first, last_verified=NOW - 59 * MINUTE)).allowed
    assert refusal(under_way=first, last_verified=NOW - 60 * MINUTE)[0] == "canary"


def test_runs_act_in_one_failure_domain_at_a_time() -> None:
    healed = NOW - MINUTE
    assert check(facts(domain="zone-a", under_way=(("w-1", "zone-a"),), last_verified=healed)).allowed
    assert check(facts(domain="", under_way=(("w-1", "zone-b"),), last_verified=healed)).allowed
    guard, reason = refusal(domain="zone-a", under_way=(("w-1", "zone-b"),), last_verified=healed)
    assert (guard, reason) == (
        "domain", "restart-stuck-worker is at work in zone-b, and acts in one domain at a time (domain)",
    )  # fmt: skip


def test_a_target_is_left_alone_for_a_while_after_a_run() -> None:
    assert check(facts(last_ended_on_target=NOW - 5 * MINUTE)).allowed
    assert refusal(last_ended_on_target=NOW - 4 * MINUTE) == (
        "cool_down", "a run on w-3 ended 4m ago, and 5m have to pass (limits.cool_down)",
    )  # fmt: skip


def test_every_guard_says_something_and_those_that_let_it_pass_say_so_too() -> None:
    verdicts = every(facts(still_firing=False, running_on_target=True))
    assert tuple(verdict.guard for verdict in verdicts) == GUARDS
    assert [verdict.guard for verdict in verdicts if not verdict.allowed] == ["still_firing", "one_at_a_time"]
    assert all(verdict.reason for verdict in verdicts)


def test_a_small_fleet_still_lets_one_target_be_mended() -> None:
    book = replace(BOOK, fleet=3)
    assert check(facts(playbook=book, alerting=1)).allowed
    assert refusal(playbook=book, alerting=2)[0] == "alerting"
    assert refusal(playbook=book, alerting=1, lately=1)[0] == "share"
    assert check(facts(alerting=1000, lately=2)).allowed, "without a fleet nobody knows a share of it"


def test_what_is_asked_again_before_a_step_is_about_what_may_have_changed() -> None:
    assert check_again(facts(recent_total=ago(1, 2, 3), running_on_target=True)).allowed
    assert check_again(facts(still_firing=False)).guard == "still_firing"
    assert check_again(facts(starts_at=NOW - 11 * MINUTE)).guard == "alert_age"
    assert check_again(facts(automation=Automation(mode=Mode.OFF))).guard == "mode"
    book = replace(BOOK, fleet=10)
    assert check_again(facts(playbook=book, alerting=4)).guard == "alerting"
    assert check_again(facts(playbook=book, lately=1)).guard == "share"
    assert check_again(facts(domain="a", under_way=(("w-4", "b"),))).guard == "domain"
    old = facts(starts_at=NOW - 90 * MINUTE)
    assert check_again(replace(old, seen_at=NOW - MINUTE)).allowed
    assert check_again(replace(old, seen_at=NOW - 11 * MINUTE)).guard == "alert_age"
