"""The language of playbooks: which way a run goes through blocks, conditions, repetitions and calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentd import config
from incidentd.errors import ConfigError, Location
from incidentd.playbooks import Mode, Playbook, Run, RunState, StepResult
from incidentd.playbooks.flow import Block, onward
from incidentd.playbooks.scopes import NotRunnable, inputs_for
from incidentd.playbooks.walk import context, current_step, known, step_done
from incidentd.playbooks.when import parse_test
from incidentd.templates import BadTemplate, compile_template

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
HERE = Location("disk.yaml", 1)
HEAD: dict[str, Any] = {"kind": "playbook", "name": "tidy", "title": "Tidy up", "mode": "approve", "target": "w-3"}
INPUTS = {"host": {"from": "labels.instance", "pattern": "[a-z0-9-]+"}}


def book(steps: list[dict[str, Any]], **more: Any) -> Playbook:
    return config.playbook_from({**HEAD, "inputs": INPUTS, "steps": steps, **more}, HERE)


def do(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "command": ["true"], **more}


def begun(playbook: Playbook) -> Run:
    return Run(
        id=7, subject="HOLD-1", playbook="tidy", sha256="0", definition=playbook.source, state=RunState.RUNNING,
        mode=Mode.AUTO, target="w-3", inputs={"host": "w-3"}, registers={}, source="prod", started_at=NOON,
    )  # fmt: skip


def walked(
    playbook: Playbook, given: Mapping[str, Any] | None = None, *, untouched: bool = False
) -> tuple[list[str], Run]:
    """Walk to the end; a step gives what is said, or goes well. Each one is found anew from what the run has stored."""
    run, done = replace(begun(playbook), untouched=untouched), []
    while (step := current_step(run, config.playbook_from(run.definition, HERE))) is not None:
        result = known(run, step)
        if result is None or not result.skipped:
            done.append(step.name)
        said = (given or {}).get(step.name, StepResult(ok=True, summary="fine"))
        told = StepResult(ok=True, summary="fine", value=said) if isinstance(said, dict) else said
        run = step_done(run, playbook, result or told, NOON)
    return done, run


VERIFY = {"http": {"url": "http://w-3/"}, "within": "5m"}
BAD = StepResult(ok=False, summary="exit 1", value={"exit": 1, "stdout": "", "stderr": ""})
BLOCK = [
    {"name": "all", "block": [do("a"), do("b")], "rescue": [do("mend"), do("look")], "always": [do("sweep")]},
    do("after"),
]


@pytest.mark.parametrize(
    ("failing", "way", "state"),
    [
        ([], ["a", "b", "sweep", "after"], RunState.DONE),
        (["a"], ["a", "mend", "look", "sweep", "after"], RunState.DONE),
        (["b"], ["a", "b", "mend", "look", "sweep", "after"], RunState.DONE),
        (["a", "mend"], ["a", "mend", "sweep"], RunState.FAILED),
        (["sweep"], ["a", "b", "sweep"], RunState.FAILED),
        (["a", "sweep"], ["a", "mend", "look", "sweep"], RunState.FAILED),
        (["after"], ["a", "b", "sweep", "after"], RunState.FAILED),
    ],
)
def test_a_block_is_rescued_and_what_is_always_done_is_always_done(
    failing: list[str], way: list[str], state: RunState
) -> None:
    done, run = walked(book(BLOCK), dict.fromkeys(failing, BAD))
    assert (done, run.state) == (way, state)
    assert run.pending == {}


def test_a_failure_goes_on_after_what_is_always_done_and_says_what_failed_first() -> None:
    steps = [{"name": "all", "block": [do("a")], "always": [do("sweep")]}, do("after")]
    done, run = walked(book(steps), {"a": BAD})
    assert (done, run.state) == (["a", "sweep"], RunState.FAILED)
    assert run.reason == "the step `a` failed: exit 1"


def test_a_failure_leaves_blocks_from_the_inside_out() -> None:
    inner = {"name": "inner", "block": [do("a")], "always": [do("sweep inside")]}
    steps = [{"name": "outer", "block": [inner, do("b")], "rescue": [do("mend")], "always": [do("sweep")]}]
    done, run = walked(book(steps), {"a": BAD})
    assert (done, run.state) == (["a", "sweep inside", "mend", "sweep"], RunState.DONE)


def test_a_block_that_fails_has_the_playbook_rolled_back() -> None:
    done, run = walked(book(BLOCK, rollback=[do("undo")]), {"a": BAD, "mend": BAD})
    assert done == ["a", "mend", "sweep", "undo"]
    assert run.reason == "the step `mend` failed: exit 1; it was rolled back"


@st.composite
def rows(draw: st.DrawFn) -> tuple[int, list[Block]]:
    """A row of steps with blocks in it, none of which cuts another."""
    blocks: list[Block] = []

    def lay(start: int, depth: int) -> int:
        at = start
        for _ in range(draw(st.integers(1, 3))):
            if depth and draw(st.booleans()):
                rescue = lay(at, depth - 1)
                always = lay(rescue, depth - 1) if draw(st.booleans()) else rescue
                end = lay(always, depth - 1) if draw(st.booleans()) else always
                blocks.append(Block(at, rescue, always, end))
                at = end
            else:
                at += 1
        return at

    return lay(0, 2), blocks


@given(rows(), st.data())
def test_a_run_always_goes_forward_and_ends_with_nothing_pending(
    row: tuple[int, list[Block]], data: st.DataObject
) -> None:
    length, blocks = row
    position = 0
    pending: Mapping[str, str] = {}
    while position < length:
        failure = data.draw(st.sampled_from(["", "", "failed"]))
        decided = data.draw(st.sampled_from(["", "by ana"])) if failure else ""
        way = onward(blocks, position, pending, failure, decided)
        assert way.position > position or way.failure
        position, pending = way.position, way.pending
        if way.failure:
            break
    assert pending == {}


def test_what_is_always_done_is_done_whatever_fails() -> None:
    for failing in ([], ["a"], ["b"], ["a", "mend"], ["b", "look"]):
        assert "sweep" in walked(book(BLOCK), dict.fromkeys(failing, BAD))[0]


def may(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "approve": {"question": "May I?", "expires": "10m"}, **more}


NO = StepResult(ok=False, summary="`no` by ben", value={"answer": "no", "by": "ben"})
LATE_NO = StepResult(ok=False, summary="nobody answered in time", value={"answer": "", "by": ""})


@pytest.mark.parametrize("no", [NO, LATE_NO])
def test_what_a_person_decides_is_not_rescued_and_what_is_always_done_is_done(no: StepResult) -> None:
    inner = {"name": "inner", "block": [may("ask"), do("a")], "rescue": [do("mend")], "always": [do("sweep")]}
    outer = {"name": "outer", "block": [inner, do("b")], "rescue": [do("help")], "always": [do("close")]}
    done, run = walked(book([outer, do("after")], rollback=[do("undo")], verify=VERIFY), {"ask": no}, untouched=True)
    assert (done, run.state) == (["ask", "sweep", "close"], RunState.FAILED)
    assert run.pending == {}
    assert run.reason.startswith(f"the step `ask` failed: {no.summary}")


def test_after_a_no_only_what_was_done_before_it_is_rolled_back() -> None:
    block = {"name": "all", "block": [may("ask")], "always": [do("sweep")]}
    undo = {"rollback": [do("undo")], "verify": VERIFY}
    done, run = walked(book([block], **undo), {"ask": NO}, untouched=True)
    assert done == ["ask", "sweep"]
    assert run.reason.endswith("nothing was changed before that, so nothing is rolled back")
    assert walked(book([do("act"), block], **undo), {"ask": NO}, untouched=True)[0] == ["act", "ask", "sweep", "undo"]


def test_what_is_always_done_may_be_rescued_after_a_no_and_when_it_fails_both_are_said() -> None:
    tidy = {"name": "tidy", "block": [do("sweep")], "rescue": [do("mend")]}
    steps = [{"name": "all", "block": [may("ask")], "rescue": [do("help")], "always": [tidy]}, do("after")]
    done, run = walked(book(steps), {"ask": NO, "sweep": BAD})
    assert (done, run.reason) == (["ask", "sweep", "mend"], "the step `ask` failed: `no` by ben")
    done, run = walked(book(steps), {"ask": NO, "sweep": BAD, "mend": BAD})
    assert done == ["ask", "sweep", "mend"]
    assert run.reason == "the step `ask` failed: `no` by ben; and then the step `mend` failed: exit 1"


def test_a_question_that_cannot_be_asked_went_wrong_and_is_rescued() -> None:
    ask = {"name": "ask", "approve": {"question": "{{ seen.stdout }}?", "expires": "10m"}}
    steps = [do("look", register="seen"), {"name": "all", "block": [ask], "rescue": [do("mend")]}]
    assert walked(book(steps))[0] == ["look", "ask", "mend"]


def test_a_no_that_is_ignored_lets_the_run_go_on() -> None:
    steps = [{"name": "all", "block": [may("ask", ignore_errors=True), do("a")]}, do("after")]
    assert walked(book(steps), {"ask": NO})[0] == ["ask", "a", "after"]


# conditions


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("before.value > 100", True), ("before.value >= 812", True), ("before.value < 1e2", False),
        ("before.value == 812", True), ("before.value != 812", False), ("before.ok", True), ("not before.ok", False),
        ('inputs.env == "prod"', True), ("inputs.env != 'prod'", False), ('inputs.env =~ "p.*"', True),
        ('inputs.env =~ "ro"', False), ('inputs.env !~ "staging|test"', True), ("  before.value   >   1  ", True),
    ],
)  # fmt: skip
def test_a_condition_holds_or_does_not(text: str, holds: bool) -> None:
    names = {"before": {"value": 812.0, "ok": True}, "inputs": {"env": "prod"}}
    assert parse_test(text).holds(names) is holds


@pytest.mark.parametrize(
    "text",
    [
        "", "> 1", "before.value >", "before.value > many", "a b", "not a > 1", "a =~ 3", 'a > "3"', 'a =~ "("',
        "a.b() == 1", "a == 1 or b == 2", "{{ a }} > 1", "a > nan", "a > inf", "x" * 600, "a == \"b\\\"",
    ],
)  # fmt: skip
def test_what_is_no_condition_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_test(text)


@pytest.mark.parametrize("text", ["a.ok or b.ok", "a == 1 and b == 2", "a == 1 || b == 2"])
def test_a_condition_of_two_says_that_it_wants_a_list(text: str) -> None:
    with pytest.raises(ValueError, match="write a list, all of which has to hold; there is no `or`"):
        parse_test(text)


@pytest.mark.parametrize("value", [{}, {"value": None}, {"value": "many"}])
def test_a_condition_about_what_nobody_knows_is_neither_true_nor_false(value: dict[str, Any]) -> None:
    with pytest.raises(BadTemplate):
        parse_test("before.value > 1").holds({"before": value})


def test_a_step_whose_condition_does_not_hold_is_left_out_and_registers_nothing() -> None:
    steps = [do("look", register="seen"), do("act", when="seen.exit == 1", register="acted"), do("end")]
    done, run = walked(book(steps), {"look": {"exit": 0}})
    assert done == ["look", "end"]
    assert run.registers == {"seen": {"exit": 0, "ok": True}, "acted": {"?": "`act` was skipped"}}


def test_a_condition_that_cannot_be_told_fails_the_step_and_does_nothing() -> None:
    steps = [{"name": "look", "promql": {"query": "up"}, "register": "seen", "ignore_errors": True}]
    steps.append(do("act", when="seen.value > 1"))
    _, run = walked(book(steps), {"look": StepResult(ok=False, unknown=True, summary="no data", value={"value": None})})
    assert run.state is RunState.FAILED
    assert "`look` gave no answer (no data), so `seen.value` is not known; to go on all the same, put" in run.reason


REFUSED = StepResult(ok=False, unknown=True, summary="cannot be reached: refused")
LATE = StepResult(ok=False, unknown=True, summary="no answer within 10s", value={"value": None})
LOOKS = {"http": {"url": "http://w-3/"}, "command": ["ping", "w-3"], "promql": {"query": "up"}}


@pytest.mark.parametrize(
    ("kind", "given", "way", "reason"),
    [
        ("http", REFUSED, ["look", "act"], ""),
        ("command", StepResult(ok=False, final=True, summary="cannot be started"), ["look", "act"], ""),
        ("promql", LATE, ["look", "act"], "`look` gave no answer (no answer within 10s), so `seen.ok` is not known"),
        ("promql", StepResult(ok=False, summary="refused"), ["look", "act"], "so `seen.ok` is not known"),
        ("promql", StepResult(ok=False, summary="0, wanted > 0", value={"value": 0.0}), ["look", "act"], ""),
    ],
)
def test_what_does_not_answer_is_not_ok_and_a_prometheus_that_does_not_says_nothing(
    kind: str, given: StepResult, way: list[str], reason: str
) -> None:
    steps = [
        {"name": "look", kind: LOOKS[kind], "register": "seen", "ignore_errors": True},
        do("act", when="not seen.ok"),
    ]
    done, run = walked(book(steps), {"look": given})
    assert (done, run.state) == (way, RunState.FAILED if reason else RunState.DONE)
    assert reason in run.reason


def test_what_was_not_tried_because_something_is_not_known_says_nothing_itself() -> None:
    steps = [
        {"name": "look", "promql": LOOKS["promql"], "register": "seen", "ignore_errors": True},
        do("ask", when="seen.ok", register="asked", ignore_errors=True),
        do("act", when="not asked.ok"),
    ]
    _, run = walked(book(steps), {"look": LATE})
    assert run.state is RunState.FAILED
    assert "so `asked.ok` is not known" in run.reason
    assert config.playbook_from(run.definition, HERE).steps[run.cursor].name == "act"


def test_a_condition_about_a_step_that_was_skipped_says_so_and_a_rescue_takes_it() -> None:
    steps = [
        do("look", register="seen"),
        do("one", when="seen.exit == 1", register="one"),
        {"name": "all", "block": [do("two", when="one.ok")], "rescue": [do("mend")]},
    ]
    done, run = walked(book(steps), {"look": {"exit": 0}})
    assert (done, run.state) == (["look", "two", "mend"], RunState.DONE)
    _, run = walked(book([*steps[:2], do("two", when="one.ok")]), {"look": {"exit": 0}})
    assert (
        "`one` was skipped, so `one.ok` is not known; to go on all the same, put the steps into a `block`" in run.reason
    )


def test_what_a_request_without_an_answer_does_not_give_is_not_known() -> None:
    steps = [{"name": "look", "http": LOOKS["http"], "register": "seen", "ignore_errors": True}]
    _, run = walked(book([*steps, do("act", when="seen.status == 503")]), {"look": REFUSED})
    assert "`look` gave no answer (cannot be reached: refused), so `seen.status` is not known" in run.reason
    note = {"name": "say", "note": "HTTP {{ seen.status | default('none') }}"}
    assert walked(book([*steps, note]), {"look": REFUSED})[1].state is RunState.DONE


def test_a_condition_of_a_block_is_one_of_each_of_its_steps() -> None:
    steps = [do("look", register="seen"), {"name": "all", "when": "seen.exit == 1", "block": [do("a"), do("b")]}]
    assert walked(book(steps), {"look": {"exit": 0}})[0] == ["look"]
    assert walked(book(steps), {"look": {"exit": 1}})[0] == ["look", "a", "b"]


def test_a_rescue_can_see_what_failed() -> None:
    steps = [{"name": "all", "block": [do("a", register="tried")], "rescue": [do("mend", when="tried.exit == 1")]}]
    assert walked(book(steps), {"a": BAD})[0] == ["a", "mend"]


# for each


def test_a_step_is_done_for_each_item() -> None:
    steps = [
        do("look", register="seen"),
        {"name": "tell", "note": "{{ item }}", "for_each": {"items": ["a", "{{ inputs.host }}"]}},
    ]
    playbook = book(steps)
    assert walked(playbook)[0] == ["look", "tell (1)", "tell (2)"]
    told = [known(begun(playbook), step) for step in playbook.steps[1:]]
    assert [one.summary for one in told if one] == ["a", "w-3"]


LINES = [
    do("find", register="found"),
    do("clean", for_each={"lines": "{{ found.stdout }}", "pattern": "/var/[a-z]+", "most": 3}),
    do("after"),
]


@pytest.mark.parametrize(
    ("stdout", "way"),
    [
        ("", ["find", "after"]),
        ("/var/a\n\n  /var/b\n", ["find", "clean (1)", "clean (2)", "after"]),
        ("/var/a\n/var/b\n/var/c", ["find", "clean (1)", "clean (2)", "clean (3)", "after"]),
    ],
)
def test_lines_are_items_and_repetitions_without_one_are_passed_over(stdout: str, way: list[str]) -> None:
    assert walked(book(LINES), {"find": {"stdout": stdout}})[0] == way


@pytest.mark.parametrize(
    ("stdout", "words"),
    [
        ("/var/a\n" * 4, "`for_each` has 4 items, and at most 3 may be"),
        ("/etc/shadow", "does not match"),
        ("-rf", "begins with a minus"),
    ],
)
def test_too_many_lines_or_a_line_that_is_not_as_it_has_to_be_do_nothing(stdout: str, words: str) -> None:
    _, run = walked(book(LINES), {"find": {"stdout": stdout}})
    assert run.state is RunState.FAILED
    assert words in run.reason


def test_the_first_item_that_fails_ends_it() -> None:
    done, run = walked(book([do("clean", for_each={"items": ["a", "b", "c"]})]), {"clean (2)": BAD})
    assert (done, run.state) == (["clean (1)", "clean (2)"], RunState.FAILED)


def test_a_block_is_repeated_as_a_whole() -> None:
    block = {"name": "one", "for_each": {"items": ["a", "b"]}, "block": [do("x"), do("y")], "always": [do("z")]}
    done, _ = walked(book([block]), {"x (2)": BAD})
    assert done == ["x (1)", "y (1)", "z (1)", "x (2)", "z (2)"]


# calling another playbook


def written(tmp_path: Path, *documents: str) -> dict[str, Playbook]:
    (tmp_path / "incidentd.yaml").write_text("kind: config\n---\n" + "\n---\n".join(documents))
    return dict(config.load(tmp_path / "incidentd.yaml", env={}).playbooks)


CALLED = """
kind: playbook
name: restart
title: Restart one
mode: suggest
target: "{{ inputs.unit }}"
inputs:
  unit: {pattern: "[a-z]+"}
  grace: {pattern: "[0-9]+", type: integer, default: "5"}
steps:
  - {name: stop, command: [stop, "{{ inputs.unit }}"], register: stopped}
  - {name: start, command: [start, "{{ inputs.unit }}", "{{ inputs.grace }}"], when: stopped.ok}
"""
CALLING = """
kind: playbook
name: all
title: Restart them
mode: approve
target: x
inputs: {host: {from: labels.instance, pattern: "[a-z0-9-]+"}}
steps:
  - {name: list, command: [list], register: units}
  - name: each
    for_each: {lines: "{{ units.stdout }}", pattern: "[a-z]+", most: 2}
    playbook: {name: restart, inputs: {unit: "{{ item }}"}}
  - {name: end, command: [end]}
"""


def test_a_called_playbook_does_its_steps_with_what_it_is_given_and_sees_nothing_else(tmp_path: Path) -> None:
    playbook = written(tmp_path, CALLING, CALLED)["all"]
    done, run = walked(playbook, {"list": {"stdout": "web"}})
    assert done == ["list", "each (1) / stop", "each (1) / start", "end"]
    names = context(run, playbook.steps[2])
    assert names == {"inputs": {"unit": "web", "grace": "5"}, "stopped": {"ok": True}}
    assert context(run, playbook.steps[-1])["units"] == {"stdout": "web", "ok": True}


def test_what_a_called_playbook_is_given_is_checked_as_it_wants(tmp_path: Path) -> None:
    callee = CALLED.replace('unit: {pattern: "[a-z]+"}', 'unit: {pattern: "db"}')
    _, run = walked(written(tmp_path, CALLING, callee)["all"], {"list": {"stdout": "web"}})
    assert run.state is RunState.FAILED
    assert "the input `unit` does not match 'db'" in run.reason


def test_a_run_keeps_the_playbooks_that_it_calls_and_its_version_tells_them_apart(tmp_path: Path) -> None:
    before = written(tmp_path, CALLING, CALLED)["all"]
    after = written(tmp_path, CALLING, CALLED.replace("[start,", "[begin,"))["all"]
    assert before.sha256 != after.sha256
    frozen = config.playbook_from(before.source, HERE)
    assert [step.args for step in frozen.steps] == [step.args for step in before.steps]
    assert frozen.sha256 == before.sha256


# inputs


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("integer", ["0", "42", "+7"], ["4.2", "many", "0x1f", "9" * 30]),
        ("hostname", ["w-3", "db1.example.org", "w-3:9100"], ["w_3", ".a", "a..b", "a-", "w-3:", "a b"]),
        ("duration", ["5m", "1h30m"], ["5", "soon"]),
        ("text", ["anything at all"], []),
    ],
)
def test_an_input_is_of_its_type(kind: str, good: list[str], bad: list[str]) -> None:
    playbook = book([do("a")], inputs={"x": {"from": "labels.x", "type": kind, "pattern": ".*"}})
    for value in good:
        assert inputs_for(playbook, {"x": value}, {}) == {"x": value}
    for value in bad:
        with pytest.raises(NotRunnable, match=f"is no {kind}"):
            inputs_for(playbook, {"x": value}, {})


def test_an_input_that_nothing_gives_takes_its_default() -> None:
    playbook = book([do("a")], inputs={"x": {"from": "labels.x", "pattern": "[a-z]+", "default": "blue"}})
    assert inputs_for(playbook, {}, {}) == {"x": "blue"}
    assert inputs_for(playbook, {"x": "red"}, {}) == {"x": "red"}


# what `check` says


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ("- {name: a, note: '{{ item }}'}", "`item` is not known here"),
        ("- {name: a, note: x, register: y}", "`register` does not belong to a step of kind `note`"),
        ("- {name: a, command: [x], rescue: [{name: b, note: y}]}", "`rescue` belongs to a block"),
        ("- {name: a, command: [x], when: 'seen.exit == 1'}", "`seen.exit` is not known here"),
        ("- {name: a, command: [x], when: 'many'}\n- {name: b, note: x}", "`many` is not known here"),
        ("- {name: a, command: [x], when: '1 > x'}", "is no condition"),
        ("- {name: a, wait: 2h}", "a step may wait 1h at most"),
        ("- {name: a, notify: {channel: nowhere, title: x}}", "there is no channel `nowhere`"),
        ("- {name: a, playbook: {name: nothing}}", "there is no playbook `nothing`"),
        ("- {name: a, playbook: {name: restart}}", "`restart` needs the input `unit`"),
        ("- {name: a, playbook: {name: restart, inputs: {unit: a, unti: b}}}", "`restart` has no input `unti`"),
        ("- {name: a, playbook: {name: all}}", "this call leads back to itself: all -> all"),
        ("- {name: a, note: x, for_each: {lines: x}}", "`for_each` needs `pattern` with `lines`"),
        ("- {name: a, note: x, for_each: {most: 3}}", "`for_each` takes either `items` or `lines`"),
        (
            "- {name: a, for_each: {items: [a]}, block: [{name: b, note: x, for_each: {items: [a]}}]}",
            "a `for_each` stands inside another one",
        ),
        ("- {name: a, note: x, block: [{name: b, note: x}]}", "does not have exactly one of"),
        (
            "- {name: a, block: [{name: b, block: [{name: c, block: [{name: d, note: x}]}]}]}",
            "blocks stand in blocks two deep at most",
        ),
    ],
)  # fmt: skip
def test_a_mistake_in_a_step_is_said(tmp_path: Path, steps: str, words: str) -> None:
    calling = CALLING[: CALLING.index("steps:")] + "steps:\n" + "\n".join(f"  {line}" for line in steps.split("\n"))
    with pytest.raises(ConfigError) as refused:
        written(tmp_path, calling, CALLED)
    assert any(words in str(problem) for problem in refused.value.problems), refused.value.problems


def test_playbooks_that_call_each_other_in_a_circle_are_refused(tmp_path: Path) -> None:
    first = CALLED.replace("name: restart", "name: a").replace(
        'unit: {pattern: "[a-z]+"}', 'unit: {pattern: "a", default: a}'
    )
    first = first[: first.index("steps:")]
    documents = [
        f"{first.replace('name: a', f'name: {one}')}steps:\n  - {{name: go, playbook: {{name: {other}}}}}\n"
        for one, other in (("a", "b"), ("b", "c"), ("c", "a"))
    ]
    with pytest.raises(ConfigError) as refused:
        written(tmp_path, *documents)
    assert "a -> b -> c -> a" in str(refused.value.problems[0])


def test_repetitions_of_repetitions_have_an_end(tmp_path: Path) -> None:
    step = "  - {name: s, for_each: {items: [%s]}, playbook: {name: %s}}\n"
    head = "kind: playbook\nname: %s\ntitle: x\nmode: suggest\ntarget: x\nsteps:\n"
    many = ", ".join("abcdefghijklmnopqrstuvwxyz")
    documents = [head % name + step % (many, other) for name, other in (("a", "b"), ("b", "c"))]
    documents.append(head % "c" + "  - {name: t, note: x}\n")
    with pytest.raises(ConfigError) as refused:
        written(tmp_path, *documents)
    assert "`steps` has more than 500 steps" in str(refused.value.problems[0])


def test_a_value_that_looks_like_a_template_stays_a_value() -> None:
    run = replace(begun(book([do("a")])), registers={"seen": {"stdout": "{{ inputs.host }}"}})
    names = context(run, book([do("a")]).steps[0])
    assert compile_template("{{ seen.stdout }}").render(names) == "{{ inputs.host }}"


def test_what_a_program_printed_is_harmless_in_a_note_and_in_a_message() -> None:
    printed = "\x1b[31mred\n{{ inputs.host }}\r\n" + "x" * 5000
    steps: list[dict[str, Any]] = [
        {"name": "say", "note": "It said: {{ seen.stdout }}"},
        {"name": "tell", "notify": {"channel": "room", "title": "Look", "body": "First line\n{{ seen.stdout }}"}},
    ]
    playbook = book([do("look", register="seen"), *steps])
    run = replace(begun(playbook), registers={"seen": {"stdout": printed}})
    note, message = (known(run, step) for step in playbook.steps[1:])
    assert note is not None
    assert message is not None
    for said in (note.summary, message.value["body"]):
        assert "\x1b" not in said
        assert "{{ inputs.host }}" in said
        assert len(said) <= 1000
    assert note.summary.count("\n") == 0
    assert message.value["body"].count("\n") == 1
