"""Every row of the two tables that say what progress is and what the clock does, each with its minute and its words."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from incidentd import holds
from incidentd.holds import (
    IN_FORCE,
    DeclareOn,
    HoldPolicy,
    HoldState,
    OnFlap,
    Outcome,
    ProgressQuery,
    ShortWindow,
)  # fmt: skip
from tests.unit.holds.course import MINUTE, POLICY, START, Course, like, new_hold

# -- what is progress ------------------------------------------------------------------------------------------------


def test_a_fifth_fewer_alerts_than_ever_restart_the_wait_and_refill_the_notes() -> None:
    course = Course(10).at(5).do(holds.note_progress, by="ana", text="looking").at(10).fires(8)

    assert (course.deadline, course.hold.notes_used, course.hold.best) == (40, 0, 8)
    assert course.signals("hold.progress") == ["human_note", "alerts_down"]


def test_in_its_first_minute_it_only_learns_how_many_there_are() -> None:
    course = Course(2).at(0.5).fires(9).at(0.9).fires(5)

    assert (course.hold.peak, course.hold.best, course.hold.state) == (9, 9, HoldState.HOLDING)


def test_a_query_that_is_a_fifth_better_on_two_samples_in_a_row_restarts_the_wait() -> None:
    course = Course(policy=replace(POLICY, query=ProgressQuery(promql="max(depth)")))
    for minute, depth in ((0, 1000), (2, 790), (2.5, 790)):
        course.at(minute).do(holds.sampled, 0, depth, why="")

    assert course.deadline == 32.5
    assert course.words("hold.progress") == [
        "Progress: the query gives 790, 1000 at the best before. Declares at 14:32:30 UTC unless there is more."
    ]


def test_a_short_window_back_under_its_threshold_restarts_the_wait_once() -> None:
    course = Course(policy=replace(POLICY, slo=ShortWindow(promql="burn", condition="< 14.4")))
    for minute, burn in ((0, 20), (2, 3), (3, 3), (4, 20), (5, 2), (6, 2)):
        course.at(minute).do(holds.sampled, 0, burn, why="")

    assert (course.deadline, course.signals("hold.progress")) == (33, ["slo_short_window"])


def test_a_verified_playbook_restarts_the_wait() -> None:
    course = Course().at(10).do(holds.playbook_finished, playbook="drain", verified=True, why="")

    assert (course.deadline, course.signals("hold.progress")) == (40, ["playbook_verified"])


def test_a_severity_that_the_source_lowered_restarts_the_wait_and_once_only() -> None:
    course = Course().at(5).do(holds.joined, like(rule="critical", severity="sev2", rank=2, wait=40 * MINUTE))
    for minute, rank in ((6, 2), (10, 3), (12, 2), (14, 3)):
        course.at(minute).do(holds.source_severity, severity=f"sev{rank}", rank=rank)

    assert (course.deadline, course.signals("hold.progress")) == (40, ["severity_lowered"])
    assert course.hold.severity == "sev2"


def test_two_notes_in_a_row_restart_the_wait_and_a_third_does_not() -> None:
    course = Course()
    for minute in (10, 20, 30):
        course.at(minute).do(holds.note_progress, by="ana", text="found the slow consumer")

    assert (course.deadline, course.signals()) == (50, ["comment"])


def test_a_step_that_runs_is_no_progress_and_the_deadline_waits_for_its_timeout_and_never_for_more_than_the_cap() -> (
    None
):
    hold = holds.step_runs(new_hold().hold, what="step `x`", until=START + 33 * MINUTE, now=START + 30 * MINUTE).hold
    long = holds.step_runs(new_hold().hold, what="step `x`", until=START + 90 * MINUTE, now=START + 30 * MINUTE).hold

    assert (holds.declares_at(hold), hold.deadline_at) == (START + 33 * MINUTE, START + 30 * MINUTE)
    assert holds.declares_at(long) == long.cap_at


def test_what_a_step_delayed_is_declared_when_its_run_ends_without_a_proof() -> None:
    course = Course().at(29)
    course.do(holds.step_runs, what="step `x`", until=START + 40 * MINUTE).at(35)
    course.do(holds.playbook_finished, playbook="x", verified=False, why="", blamed=False).at(35)

    assert (course.hold.outcome, course.ended) == (Outcome.DECLARED_NO_PROGRESS, 35)


def test_an_acknowledgement_is_no_progress_and_the_declaration_says_so() -> None:
    course = Course(3).at(10).do(holds.acknowledged, by="ana").at(30)

    assert course.ended == 30
    assert course.words("hold.declared") == [
        "Declared: no progress for 30m; 3 firing at 14:00:00 UTC, 3 firing now; ack by ana at 14:10:00 UTC is not "
        "progress. Rule queue-lag (rules/platform.yaml:12)."
    ]


def test_repeats_more_alerts_returns_and_small_improvements_are_no_progress() -> None:
    course = Course(10).at(3).do(holds.repeated).at(4).fires(11).at(5).fires(9).at(6).fires(9, refired=1).at(30)

    assert (course.ended, course.hold.outcome) == (30, Outcome.DECLARED_NO_PROGRESS)
    assert course.signals() == ["new_member", "alerts_down"]
    assert course.words("hold.repeated") == [
        "Alertmanager tells the same again. A repeat is not progress; more of them are only counted."
    ]
    assert course.signals("hold.refired") == ["refire"]
    assert (
        "1 more alert at 14:04:00 UTC, 2 alerts fewer at 14:05:00 UTC, a return at 14:06:00 UTC are not progress"
        in (course.words("hold.declared")[0])
    )


def test_a_silence_is_no_progress_and_the_clock_stands_still_meanwhile() -> None:
    course = Course().at(10).fires(1, muted=1).at(50).fires(1)
    assert (course.deadline, course.hold.cap_at, course.signals("hold.snoozed")) == (
        70,
        START + 100 * MINUTE,
        ["silence"],
    )
    assert course.at(70).hold.outcome is Outcome.DECLARED_NO_PROGRESS


def test_no_number_is_no_progress_and_is_said_once() -> None:
    course = Course(policy=replace(POLICY, query=ProgressQuery(promql="max(depth)")))
    for minute, value in ((0, 1000.0), (1, None), (2, float("nan")), (3, 100.0), (4, None), (5, 100.0)):
        course.at(minute).do(holds.sampled, 0, value, why="" if value else "no answer within 5s")

    assert course.deadline == 30
    assert course.words("hold.ignored") == [
        "The query for progress gives no number: no answer within 5s. That is not progress, and is said once."
    ]


# -- the clock -------------------------------------------------------------------------------------------------------


def test_it_says_at_the_opening_when_it_declares() -> None:
    turn = new_hold(carry=10 * MINUTE)

    assert turn.drafts[0].text == (
        "Holding: declares at 14:20:00 UTC unless there is progress. A rule says so. An earlier hold of these alerts "
        "used up 10m of the wait."
    )


@pytest.mark.parametrize(
    ("rank", "urgency", "wait"),
    [(1, "urgent", 0), (2, "ticket", 0), (3, "urgent", 30), (3, "business_critical", 30), (4, "ticket", 60)],
)
def test_how_long_it_waits_when_no_rule_says_it(rank: int, urgency: str, wait: int) -> None:
    assert holds.usual_wait(rank=rank, urgency=urgency) == wait * MINUTE


def test_progress_never_moves_the_deadline_past_the_cap() -> None:
    course = Course(100).at(20).fires(70).at(45).fires(50)
    assert course.deadline == 60
    course.at(60)

    assert (course.hold.outcome, course.ended) == (Outcome.DECLARED_HARD_CAP, 60)


def test_it_recovers_when_all_resolved_and_closes_after_its_quiet_time() -> None:
    course = Course().at(4).fires(0)
    assert course.hold.state is HoldState.RECOVERING
    course.at(9)

    assert (course.hold.outcome, course.ended) == (Outcome.SELF_RESOLVED, 9)


@pytest.mark.parametrize(
    ("event", "outcome"),
    [
        ({"playbook": "drain", "verified": True, "why": ""}, Outcome.AUTO_REMEDIATED),
        ({"by": "ana", "text": "restarted it"}, Outcome.HUMAN_RESOLVED),
    ],
)
def test_it_says_who_healed_it(event: dict[str, object], outcome: Outcome) -> None:
    take = holds.playbook_finished if "playbook" in event else holds.note_progress

    assert Course().at(4).do(take, **event).fires(0).at(20).hold.outcome is outcome


def test_a_return_within_the_quiet_time_goes_on_with_what_was_left_and_never_with_a_fresh_wait() -> None:
    course = Course().at(10).fires(0).at(14).fires(1, refired=1)
    assert course.deadline == 36
    course = Course().at(0.5).fires(0).at(5).fires(1, refired=1)
    assert course.deadline == 35


def test_three_returns_in_half_an_hour_are_flapping() -> None:
    course = Course(5)
    for minute in (5, 10, 15):
        course.at(minute).fires(5, refired=1)

    assert (course.hold.outcome, course.ended) == (Outcome.DECLARED_FLAPPING, 15)
    assert course.words("hold.declared") == [
        "Declared: flapping; it fired again 3 times in 30m. Rule queue-lag (rules/platform.yaml:12)."
    ]


def test_what_flaps_is_a_ticket_when_the_rule_says_so_and_its_successor_has_all_its_patience() -> None:
    course = Course(policy=replace(POLICY, on_flap=OnFlap.TICKET))
    for minute in (5, 10, 15):
        course.at(minute).fires(1, refired=1)

    assert (course.hold.outcome, course.hold.state) == (Outcome.TICKETED, HoldState.CLOSED)
    assert holds.carry_over(course.hold, course.now) == timedelta(0)


def test_how_often_how_soon_and_how_long_a_burst_must_be_are_the_rules() -> None:
    policy = replace(POLICY, flaps=2, flap_window=10 * MINUTE, flap_shortest=2 * MINUTE)
    course = Course(policy=policy).at(1).fires(1, refired=1).at(2).fires(1, refired=1)  # bursts of a minute
    course.at(5).fires(1, refired=1).at(16).fires(1, refired=1)  # too far apart
    assert course.hold.state is HoldState.HOLDING
    course.at(19).fires(1, refired=1)

    assert (course.hold.outcome, course.ended) == (Outcome.DECLARED_FLAPPING, 19)


def test_a_label_that_changes_within_one_body_is_no_flap() -> None:
    course = Course().at(5).fires(0).fires(1)

    assert (course.hold.refires, course.hold.state, course.deadline) == ((), HoldState.HOLDING, 30)


def test_a_successor_inherits_the_used_up_wait_less_half_of_the_quiet() -> None:
    course = Course().at(25).fires(0).at(35).fires(1)
    assert course.deadline == 45
    assert "used up 20m" in course.said[-1][1].text


def test_a_new_member_joins_and_never_extends() -> None:
    course = Course(5).at(10).fires(6).do(holds.joined, like())

    assert (course.deadline, course.hold.peak, course.hold.state) == (30, 5, HoldState.HOLDING)


@pytest.mark.parametrize(("firing", "then", "grows"), [(1, 3, True), (1, 2, False), (5, 14, False), (5, 15, True)])
def test_three_times_the_settled_peak_is_growing(firing: int, then: int, grows: bool) -> None:
    course = Course(firing).at(5).fires(then)

    assert (course.hold.outcome is Outcome.DECLARED_GROWING) == grows


def test_growing_starts_where_the_rule_says() -> None:
    course = Course(10, replace(POLICY, growth=1.5)).at(5).fires(15)

    assert course.words("hold.declared")[0].startswith("Declared: growing; 15 alerts firing now, 10 when it settled.")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"services": ("checkout",)}, "service checkout joined, it was mail"),
        ({"owners": ("payments",)}, "team payments joined, it was platform"),
    ],
)
def test_a_second_service_or_team_is_spread(change: dict[str, object], words: str) -> None:
    course = Course().at(5).fires(2).do(holds.joined, like(**change))

    assert (course.hold.outcome, course.ended) == (Outcome.DECLARED_SPREAD, 5)
    assert words in course.words("hold.declared")[0]


def test_a_higher_severity_shortens_the_wait_to_its_own_and_never_lengthens_it() -> None:
    higher = like(rule="critical", severity="sev2", rank=2, urgency="business_critical", wait=10 * MINUTE)
    course = Course().at(5).do(holds.joined, higher)
    assert (course.deadline, course.hold.severity, course.hold.urgency) == (15, "sev2", "business_critical")
    course = Course().at(25).do(holds.joined, higher)
    assert course.deadline == 30


def test_a_severity_that_allows_no_waiting_declares_at_once() -> None:
    course = Course().at(5).do(holds.joined, like(rule="bleeding", severity="sev1", rank=1, wait=timedelta(0)))

    assert (course.hold.outcome, course.hold.severity) == (Outcome.DECLARED_SEVERITY_RAISED, "sev1")


def test_a_lower_severity_changes_nothing() -> None:
    course = Course().at(5).do(holds.joined, like(rule="warning", severity="sev4", rank=4, wait=timedelta(0)))

    assert (course.deadline, course.hold.severity, course.hold.state) == (30, "sev3", HoldState.HOLDING)


def test_what_customers_see_declares() -> None:
    probe = Course().at(5).do(holds.joined, like(customer="ProbeFailed"))
    said = Course().at(5).do(holds.customer_reported, by="cho", text="three tickets")

    assert {probe.hold.outcome, said.hold.outcome} == {Outcome.DECLARED_CUSTOMER_VISIBLE}


def test_a_failed_playbook_declares() -> None:
    course = Course().at(5).do(holds.playbook_finished, playbook="drain", verified=False, why="exit 1")

    assert (course.hold.outcome, course.ended) == (Outcome.DECLARED_PLAYBOOK_FAILED, 5)


def test_a_page_that_nobody_answers_declares() -> None:
    course = Course().at(5).do(holds.ack_missed, within=5 * MINUTE)

    assert (course.hold.outcome, course.ended) == (Outcome.DECLARED_ACK_MISSED, 5)


def test_what_the_rule_leaves_out_is_said_and_declares_nothing() -> None:
    course = Course(2, replace(POLICY, declare_on=frozenset())).at(2)
    course.do(holds.joined, like(services=("checkout",), customer="ProbeFailed"))
    course.do(holds.joined, like(rule="c", severity="sev1", rank=1, wait=timedelta(0)))
    course.do(holds.playbook_finished, playbook="x", verified=False, why="").do(holds.ack_missed, within=MINUTE)
    course.do(holds.customer_reported, by="ana", text="calls").fires(9)
    for minute in (3, 4, 5):
        course.at(minute).fires(9, refired=1)

    assert course.hold.state is HoldState.HOLDING
    assert course.signals() == ["spread", "customer", "severity", "playbook", "ack_missed", "customer", "new_member"]


def test_by_default_everything_declares() -> None:
    assert HoldPolicy().declare_on == IN_FORCE == frozenset(DeclareOn)


def test_people_are_asked_when_a_fifth_of_the_wait_is_left_and_again_after_progress() -> None:
    course = Course(10).at(23.9)
    assert course.words("hold.asked") == []
    course.at(24).at(26).fires(8).at(50)

    assert [minute for minute, draft in course.said if draft.kind == "hold.asked"] == [24, 50]
    assert course.words("hold.asked")[0] == (
        "No progress seen for 24m of 30m; declares at 14:30:00 UTC. Whoever was paged is asked."
    )


def test_one_extension_moves_the_cap_and_the_deadline() -> None:
    course = Course().at(20).do(holds.extend, by="ana", approver="ben", reason="copying", length=40 * MINUTE)

    assert (course.deadline, course.hold.cap_at, course.hold.extended_by) == (70, START + 100 * MINUTE, "ana")
    assert "asked by ana and approved by ben" in course.words("hold.extended")[0]


def test_by_hand_it_is_declared_or_stood_down_at_any_time() -> None:
    declared = Course().at(2).do(holds.declare_by_hand, by="ben", reason="customers call")
    stood_down = Course().at(4).fires(0).do(holds.stand_down, by="ben", reason="a test")

    assert (declared.hold.outcome, stood_down.hold.outcome) == (Outcome.DECLARED_MANUAL, Outcome.STOOD_DOWN)


def test_what_resolves_while_it_is_silenced_is_snoozed_out() -> None:
    assert Course().at(5).fires(1, muted=1).at(20).fires(0).at(30).hold.outcome is Outcome.SNOOZED_OUT


def test_a_clock_that_goes_back_leaves_what_was_left_of_the_wait() -> None:
    hold = replace(new_hold().hold, last_tick=START + 10 * MINUTE)
    turn = holds.clock_looked_at(hold, START - 50 * MINUTE)

    assert turn.hold.deadline_at == START - 50 * MINUTE + 20 * MINUTE
    assert turn.drafts[0].text == "The clock went back by 1h, which extends nothing: declares at 13:30:00 UTC."
    assert holds.clock_looked_at(hold, START + 10 * MINUTE - timedelta(seconds=1)).hold == hold


def test_alerts_that_were_left_out_make_fewer_of_them_no_progress() -> None:
    course = Course(10).at(5).fires(10, truncated=7).at(6).fires(5, truncated=7)

    assert (course.deadline, course.signals()) == (30, ["truncated", "alerts_down"])


# -- what is asked before it declares by itself -----------------------------------------------------------------------


def grown() -> holds.Turn:
    hold = new_hold(3).hold
    return holds.alerts_changed(hold, firing=9, refired=0, now=START + 5 * MINUTE)


def test_before_it_declares_by_itself_it_is_put_off_until_alertmanager_was_asked() -> None:
    asked = holds.asks_first(grown())

    assert asked is not None
    assert (asked.hold.state, asked.hold.wants) == (HoldState.HOLDING, Outcome.DECLARED_GROWING)
    done = holds.answered(asked.hold, START + 6 * MINUTE)
    assert done.drafts[0].text == (
        "Declared: growing; 9 alerts firing now, 3 when it settled. Rule queue-lag (rules/platform.yaml:12)."
    )


def test_it_declares_without_an_answer_and_says_that_it_is_not_verified() -> None:
    asked = holds.asks_first(grown())
    assert asked is not None
    done = holds.answered(asked.hold, START + 6 * MINUTE, unverified="connection refused")

    assert done.hold.unverified
    assert "Not verified: connection refused." in done.drafts[0].text


@pytest.mark.parametrize(("firing", "words"), [(0, "nothing of it fires"), (4, "4 alerts of it firing")])
def test_it_does_not_declare_what_alertmanager_refutes(firing: int, words: str) -> None:
    asked = holds.asks_first(grown())
    assert asked is not None
    recount = holds.alerts_changed(asked.hold, firing=firing, refired=0, now=START + 6 * MINUTE).hold
    done = holds.answered(recount, START + 6 * MINUTE)

    assert done.hold.wants is None
    assert done.drafts[0].text == f"Not declared (growing): Alertmanager has {words}."


def test_what_people_declare_and_what_allows_no_waiting_is_not_put_off() -> None:
    by_hand = holds.declare_by_hand(new_hold().hold, by="ana", reason="", now=START)
    severe = holds.joined(new_hold().hold, like(rank=1, severity="sev1", wait=timedelta(0)), START)

    assert holds.asks_first(by_hand) is None
    assert holds.asks_first(severe) is None
