"""How a run walks through its playbook."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentd.errors import Location
from incidentd.playbooks import (
    Input,
    Limits,
    Mode,
    OnFailure,
    Playbook,
    Run,
    RunState,
    Step,
    StepResult,
    Verify,
    When,
)
from incidentd.playbooks.numbers import is_met, parse_condition
from incidentd.playbooks.scopes import NotRunnable, inputs_for
from incidentd.playbooks.walk import (
    changes,
    context,
    current_step,
    longest,
    may_repeat,
    step_done,
    step_interrupted,
    target_for,
    verify_looked,
)

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
GOOD = StepResult(ok=True, summary="4.2", value={"value": 4.2})
BAD = StepResult(ok=False, summary="0, wanted > 0", value={"value": 0.0})
UNKNOWN = StepResult(ok=False, summary="no data", value={"value": None}, unknown=True)


def step(name: str, kind: str = "command", args: Any = ("true",), **more: Any) -> Step:
    return Step(name=name, kind=kind, args=args, **more)


RATE = step("rate", "promql", {"query": "rate(jobs[1m])", "is": "> 0"}, timeout=timedelta(seconds=5))
VERIFY = Verify(step=RATE, hold_for=2 * MINUTE, within=10 * MINUTE, every=timedelta(seconds=30))


def playbook(**changes: Any) -> Playbook:
    book = Playbook(
        name="restart-stuck-worker", title="Restart a worker", mode=Mode.AUTO, match=(),
        inputs={"instance": Input(source="labels.instance", pattern="[a-z0-9-]{1,40}")},
        target="{{ inputs.instance }}", risk="low", limits=Limits(),
        steps=(step("depth before", register="before"), step("restart")), verify=VERIFY, rollback=(),
        on_failure=OnFailure.DECLARE, manual_minutes=12, at=Location("a.yaml", 1), sha256="0", source={},
    )  # fmt: skip
    return replace(book, **changes)


def run(**changes: Any) -> Run:
    running = Run(
        id=7, subject="HOLD-1", playbook="restart-stuck-worker", sha256="0", definition={}, state=RunState.RUNNING,
        mode=Mode.AUTO, target="w-3", inputs={"instance": "w-3"}, registers={}, source="prod", started_at=NOON,
    )  # fmt: skip
    return replace(running, **changes)


def verifying(**changes: Any) -> Run:
    return run(state=RunState.VERIFYING, cursor=2, verify_since=NOON, ends_at=NOON + 10 * MINUTE, **changes)


# what it runs on


def test_an_input_is_taken_from_the_labels_or_the_annotations_of_the_alert() -> None:
    book = playbook(
        inputs={
            "a": Input(source="labels.dc.rack", pattern="r[0-9]"),
            "b": Input(source="annotations.job", pattern=".*"),
        }
    )
    assert inputs_for(book, {"dc.rack": "r7"}, {"job": "mail"}) == {"a": "r7", "b": "mail"}


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ({}, "has no value: the alert has no labels.instance"),
        ({"instance": ""}, "has no value"),
        ({"instance": "w-3; reboot"}, r"does not match .* as a whole: 'w-3; reboot'"),
        ({"instance": "w-3\n"}, "does not match"),
        ({"instance": "-w"}, "begins with a minus"),
        ({"instance": "w" * 2000}, r"has 2000 characters, .*w…'"),
        ({"instance": "\x1b[31m\ud800"}, "does not match"),
    ],
)
def test_an_input_that_is_missing_or_not_what_it_has_to_be_stops_the_run(labels: dict[str, str], words: str) -> None:
    with pytest.raises(NotRunnable, match=words) as refused:
        inputs_for(playbook(), labels, {})
    assert "`instance`" in str(refused.value)
    assert len(str(refused.value)) < 250
    assert "\x1b" not in str(refused.value)


def test_a_pattern_that_cannot_be_read_stops_the_run_and_says_so() -> None:
    book = playbook(inputs={"instance": Input(source="labels.instance", pattern="(")})
    with pytest.raises(NotRunnable, match="pattern of the input `instance` cannot be read"):
        inputs_for(book, {"instance": "w-3"}, {})


@given(st.text(max_size=80))
def test_only_values_that_match_as_a_whole_become_inputs(value: str) -> None:
    try:
        got = inputs_for(playbook(), {"instance": value}, {})
    except NotRunnable:
        return
    assert got == {"instance": value}
    assert set(value) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert not value.startswith("-")


def test_the_target_is_filled_in_from_inputs_and_labels() -> None:
    book = playbook(target="{{ labels.env }}/{{ inputs.instance }}")
    assert target_for(book, {"instance": "w-3"}, {"env": "prod"}) == "prod/w-3"


@pytest.mark.parametrize("target", ["", "  ", "{{ inputs.instance }}", "{{ inputs.nobody }}", "{{"])
def test_an_empty_target_acts_on_nothing(target: str) -> None:
    with pytest.raises(NotRunnable, match="restart-stuck-worker"):
        target_for(playbook(target=target), {"instance": " "}, {})


def test_templates_see_the_inputs_and_what_was_registered_and_nothing_can_stand_in_for_the_inputs() -> None:
    seen = context(run(registers={"before": {"value": 812.0}, "inputs": {"instance": "another"}}), step("x"))
    assert seen == {"inputs": {"instance": "w-3"}, "before": {"value": 812.0}}


# which steps may be done again


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (step("a"), False),
        (step("a", idempotent=True), True),
        (step("a", "promql", {"query": "up"}), True),
        (step("a", "http", {"url": "http://a/"}), True),
        (step("a", "http", {"url": "http://a/", "method": "head"}), True),
        (step("a", "http", {"url": "http://a/", "method": "POST"}), False),
        (step("a", "http", {"url": "http://a/", "method": "POST"}, idempotent=True), True),
    ],
)
def test_only_reading_steps_and_those_called_idempotent_may_be_repeated(one: Step, expected: bool) -> None:
    assert may_repeat(one) is expected


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (step("a"), True),
        (step("a", idempotent=True), True),
        (step("a", "http", {"url": "http://a/"}), False),
        (step("a", "http", {"url": "http://a/", "method": "PUT"}, idempotent=True), True),
        (step("a", "promql", {"query": "up"}), False),
        (step("a", "alertmanager", {}), False),
        (step("a", "wait", "1m"), False),
        (step("a", "approve", {}), False),
        (step("a", "notify", {}), False),
        (step("a", "drain", {}), True),
        (step("a", "drain", {}, reads=True), False),
    ],
)
def test_what_only_asks_waits_or_tells_changes_nothing(one: Step, expected: bool) -> None:
    assert changes(one) is expected


def test_there_is_nothing_to_roll_back_until_a_step_that_changes_something_has_begun() -> None:
    left_out = replace(playbook().steps[1], when=(When(text="before.value > 9"),))
    book = playbook(steps=(replace(RATE, register="before"), left_out, RATE, step("act")), rollback=(step("undo"),))
    on = step_done(run(untouched=True), book, GOOD, NOON)
    on = step_done(on, book, StepResult(ok=True, skipped=True, summary="skipped"), NOON)
    assert on.untouched
    ended = step_done(on, book, BAD, NOON)
    assert (ended.state, ended.phase) == (RunState.FAILED, "steps")
    assert ended.reason.endswith("; nothing was changed yet, so nothing is rolled back")
    acted = step_done(step_done(on, book, GOOD, NOON), book, BAD, NOON)
    assert (acted.state, acted.phase, acted.untouched) == (RunState.RUNNING, "rollback", False)


def test_a_claim_on_a_step_lasts_for_all_its_tries() -> None:
    one = step("a", timeout=timedelta(seconds=10), retries=2, delay=timedelta(seconds=3))
    assert longest(one) == timedelta(seconds=51)


# the walk


def test_a_run_walks_from_step_to_step_keeps_what_they_registered_and_ends_in_its_verification() -> None:
    book = playbook()
    first = step_done(run(), book, replace(GOOD, value={"value": 812.0}), NOON)
    assert current_step(first, book) == book.steps[1]
    assert first.registers == {"before": {"value": 812.0, "ok": True}}
    last = step_done(first, book, GOOD, NOON + MINUTE)
    assert (last.state, last.verify_since, last.ends_at) == (RunState.VERIFYING, NOON + MINUTE, NOON + 11 * MINUTE)
    assert last.finished_at is None
    assert current_step(last, book) is None


def test_a_run_without_a_verification_is_done_and_called_no_success() -> None:
    ended = step_done(run(cursor=1), playbook(verify=None), GOOD, NOON)
    assert (ended.state, ended.finished_at) == (RunState.DONE, NOON)
    assert "nothing verifies" in ended.reason


@pytest.mark.parametrize("result", [BAD, UNKNOWN])
def test_a_failed_step_fails_the_run_and_says_which(result: StepResult) -> None:
    ended = step_done(run(cursor=1), playbook(), result, NOON)
    assert (ended.state, ended.finished_at, ended.cursor) == (RunState.FAILED, NOON, 1)
    assert ended.reason == f"the step `restart` failed: {result.summary}"


def test_a_step_whose_errors_are_ignored_lets_the_run_go_on_and_still_registers() -> None:
    book = playbook(steps=(step("a", ignore_errors=True, register="a"), step("b")))
    on = step_done(run(), book, BAD, NOON)
    assert current_step(on, book) == book.steps[1]
    assert on.registers == {"a": {"value": 0.0, "ok": False}}


def test_a_failed_step_is_rolled_back_and_the_run_stays_failed() -> None:
    book = playbook(rollback=(step("undo"), step("undo more")))
    undoing = step_done(run(cursor=1), book, BAD, NOON)
    assert (undoing.state, undoing.phase, undoing.cursor) == (RunState.RUNNING, "rollback", 0)
    assert current_step(undoing, book) == book.rollback[0]
    ended = step_done(step_done(undoing, book, GOOD, NOON), book, GOOD, NOON + MINUTE)
    assert (ended.state, ended.finished_at) == (RunState.FAILED, NOON + MINUTE)
    assert ended.reason == "the step `restart` failed: 0, wanted > 0; it was rolled back"


def test_a_rollback_that_fails_is_said_beside_what_failed_before() -> None:
    book = playbook(rollback=(step("undo"), step("undo more")))
    ended = step_done(step_done(run(), book, BAD, NOON), book, BAD, NOON)
    assert ended.state is RunState.FAILED
    assert "`depth before` failed" in ended.reason
    assert "its rollback failed: the step `undo`" in ended.reason


def test_a_run_that_is_not_running_has_no_step_that_could_end() -> None:
    assert current_step(run(state=RunState.PROPOSED), playbook()) is None
    with pytest.raises(ValueError, match="RUN-7 has no step"):
        step_done(run(state=RunState.VERIFIED), playbook(), GOOD, NOON)


def test_an_interrupted_step_hands_the_run_to_a_person() -> None:
    ended = step_interrupted(run(cursor=1), playbook().steps[1], NOON)
    assert (ended.state, ended.finished_at) == (RunState.INTERRUPTED, NOON)
    assert "`restart`, which may not be repeated" in ended.reason
    assert "w-3" in ended.reason


# the verification


def looks(results: list[StepResult], book: Playbook, every: timedelta = VERIFY.every) -> Run:
    """Look as often as it asks for, and give the run as it ends or as it stands when there are no more results."""
    at, walking = NOON, verifying()
    for result in results:
        walking, then = verify_looked(walking, book, result, at)
        if then is None:
            return walking
        assert at < then <= at + VERIFY.every
        at = at + every
    return walking


def test_a_run_is_verified_when_it_was_good_for_as_long_as_it_has_to_be() -> None:
    assert looks([GOOD] * 4, playbook()).state is RunState.VERIFYING
    ended = looks([GOOD] * 5, playbook())
    assert (ended.state, ended.finished_at) == (RunState.VERIFIED, NOON + 2 * MINUTE)
    assert ended.reason == "its verification held for 2m"


@pytest.mark.parametrize("break_", [BAD, UNKNOWN, replace(UNKNOWN, ok=True)])
def test_a_look_that_is_not_good_begins_the_time_anew(break_: StepResult) -> None:
    assert looks([GOOD] * 4 + [break_] + [GOOD] * 4, playbook()).state is RunState.VERIFYING
    assert looks([GOOD] * 4 + [break_] + [GOOD] * 5, playbook()).state is RunState.VERIFIED


@pytest.mark.parametrize("result", [BAD, UNKNOWN])
def test_a_verification_that_never_holds_fails_at_its_deadline(result: StepResult) -> None:
    assert looks([result] * 20, playbook()).state is RunState.VERIFYING
    ended = looks([result] * 21, playbook())
    assert (ended.state, ended.finished_at) == (RunState.VERIFY_FAILED, NOON + 10 * MINUTE)
    assert ended.reason.endswith(f"within 10m; the last look: {result.summary}")


def test_good_too_late_is_not_good_enough() -> None:
    ended = looks([BAD] * 18 + [GOOD] * 9, playbook())
    assert (ended.state, ended.finished_at) == (RunState.VERIFY_FAILED, NOON + 10 * MINUTE)


def test_the_last_look_is_at_the_deadline() -> None:
    _, then = verify_looked(verifying(), playbook(), BAD, NOON + 10 * MINUTE - timedelta(seconds=7))
    assert then == NOON + 10 * MINUTE


def test_a_gap_in_which_nobody_looked_is_a_break() -> None:
    before, _ = verify_looked(verifying(), playbook(), GOOD, NOON)
    after, then = verify_looked(before, playbook(), GOOD, NOON + 5 * MINUTE)
    assert (after.state, after.good_since, then) == (
        RunState.VERIFYING, NOON + 5 * MINUTE, NOON + 5 * MINUTE + VERIFY.every,
    )  # fmt: skip


def test_a_first_look_long_after_the_deadline_is_no_success() -> None:
    ended, then = verify_looked(verifying(), playbook(), GOOD, NOON + 60 * MINUTE)
    assert (ended.state, then) == (RunState.VERIFY_FAILED, None)


def test_a_failed_verification_is_rolled_back_and_stays_a_failed_verification() -> None:
    book = playbook(rollback=(step("undo"),))
    undoing, then = verify_looked(verifying(), book, BAD, NOON + 10 * MINUTE)
    assert (undoing.state, undoing.phase, then) == (RunState.RUNNING, "rollback", None)
    assert current_step(undoing, book) == book.rollback[0]
    ended = step_done(undoing, book, GOOD, NOON + 11 * MINUTE)
    assert (ended.state, ended.finished_at) == (RunState.VERIFY_FAILED, NOON + 11 * MINUTE)


def test_only_a_run_that_is_being_verified_can_be_looked_at() -> None:
    with pytest.raises(ValueError, match="RUN-7 is not being verified: it is running"):
        verify_looked(run(), playbook(), GOOD, NOON)


@given(st.lists(st.sampled_from([GOOD, BAD, UNKNOWN]), min_size=21, max_size=25))
def test_verified_means_five_good_looks_in_a_row_and_everything_is_decided_at_the_deadline(
    results: list[StepResult],
) -> None:
    ended = looks(results, playbook())
    assert ended.state in {RunState.VERIFIED, RunState.VERIFY_FAILED}
    window = results[:21]
    held = any(window[i : i + 5] == [GOOD] * 5 for i in range(17))
    assert (ended.state is RunState.VERIFIED) == held


# conditions


@pytest.mark.parametrize(
    ("expression", "value", "expected"),
    [
        ("> 0", 4.2, True), ("> 0", 0.0, False), (">= 1.5", 1.5, True), ("== 3", 3.0, True), ("!= 0", 0.0, False),
        ("< 5", 5.0, False), ("<= 5", 5.0, True), (" >-1e3 ", -5.0, True), ("> 0", float("inf"), True),
        ("> 0", None, None), ("!= 0", None, None), ("!= 0", float("nan"), None), ("< 5", float("nan"), None),
    ],
)  # fmt: skip
def test_a_condition_is_met_or_not_or_unknown(expression: str, value: float | None, expected: bool | None) -> None:
    assert is_met(expression, value) is expected


@pytest.mark.parametrize(
    "expression", ["", "0", "> ", "=> 1", "> x", "> 1 and < 3", "> nan", "> inf", "> 1e999", ">" * 99]
)
def test_what_is_no_condition_is_refused_with_an_example(expression: str) -> None:
    with pytest.raises(ValueError, match="for example '> 0'"):
        parse_condition(expression)
