"""Kinds of steps that installed packages bring: found, checked like those of incidentd, and refused when broken."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from incidentd import config
from incidentd.config import kinds, shape
from incidentd.errors import ConfigError
from incidentd.playbooks import scopes
from incidentd.playbooks.scopes import NotRunnable
from incidentd.playbooks.walk import may_repeat
from incidentd.rehearsal.cases import try_case
from incidentd.rehearsal.plan import Asked, plan
from incidentd.settings import Settings
from tests.doors.runners import running
from tests.engine.world import START
from tests.steps_of_ones_own import GOOD, forget, install

HEAD = """\
kind: config
---
kind: rules
rules: [{name: all, match: [], severity: sev4, decide: record}]
---
kind: playbook
name: tidy
title: Tidy
mode: approve
target: x
inputs: {queue: {from: labels.queue, pattern: "[a-z0-9-]+"}}
steps:
"""
TEST = """\
---
kind: playbook_test
playbook: tidy
cases:
  - name: x
    alert: {labels: {queue: q-1}}
    given: {empty: {registers: {left: 0}}, look: {}}
    expect: {outcome: done, ran: [empty, look], arguments: {empty: {queue: q-1, at_once: 5}}}
"""
BROKEN_STEPS = """\
  - {name: empty, drain: {whatever: 1}, register: rest}
  - {name: say, note: "{{ rest.left }} are left.", when: rest.ok}
"""
GOOD_STEPS = """\
  - {name: empty, drain: {queue: "{{ inputs.queue }}", at_once: 5}, register: rest}
  - {name: look, depth: {queue: q}, when: rest.left == 0}
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Install packages for one test; what is known of installed ones is forgotten before and after."""
    folder = tmp_path / "site"
    monkeypatch.syspath_prepend(folder)

    def installed(name: str, module: str = GOOD, **points: str) -> None:
        install(folder, name, module, **points)
        forget()

    yield installed
    forget()


def loaded(tmp_path: Path, steps: str, more: str = "") -> Settings:
    (tmp_path / "incidentd.yaml").write_text(HEAD + steps + more)
    return config.load(tmp_path / "incidentd.yaml", env={})


async def test_a_kind_of_an_installed_package_is_checked_planned_and_tried(
    tmp_path: Path, package: Callable[..., None]
) -> None:
    package("queue-steps", drain="drain", depth="depth")
    settings = loaded(tmp_path, GOOD_STEPS, TEST)
    playbook = settings.playbooks["tidy"]
    assert [may_repeat(step) for step in playbook.steps] == [False, True]
    assert settings.warnings == ()
    assert config.playbook_from(playbook.source, playbook.at) == playbook

    told = await try_case(settings.cases[0], playbook)
    assert told.failures == ()
    asked = Asked(labels={"queue": "q-1"}, annotations={}, starts_at=START, now=START)
    assert (
        plan(playbook, Settings(), asked).steps[0].does.startswith('drain {"queue": "q-1", "at_once": 5} (timeout 1m')
    )
    assert "drain" in shape.schema_of("playbook")["properties"]["steps"]["items"]["properties"]


@pytest.mark.parametrize(
    ("step", "column", "words"),
    [
        ("drain: {queue: UPPER}", 32, "`queue` is 'UPPER' (it has to match ^[a-z0-9-]{1,20}$)"),
        ("drain: {queue: q, at_once: 500}", 44, "`at_once` is 500, which is too large (write at most 100)"),
        ("drain: {queue: q, at_once: many}", 44, "`at_once` must be a whole number, not text"),
        ("drain: {queue: q, how: gentle}", 40, "`how` is 'gentle'; it must be one of fast, gently (did you mean"),
        ("drain: {at_once: 5}", 17, "`queue` is missing"),
        ("drain: {queue: q, kwik: 1}", 35, "unknown key `kwik`"),
        ('drain: {queue: "{{ inputs.kueue }}"}', 32, "`inputs.kueue` is not known here"),
        ("drane: {queue: q}", 17, "unknown key `drane` (did you mean `drain`?)"),
        ("drain: {queue: q}, depth: {queue: q}", 5, "exactly one of `command`, `http`, `promql`, `alertmanager`, "
         "`ticket`, `approve`, `note`, `notify`, `wait`, `block`, `playbook` and `depth`, `drain`"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_step_of_an_installed_kind_is_said_at_its_place(
    tmp_path: Path, package: Callable[..., None], step: str, column: int, words: str
) -> None:
    package("queue-steps", drain="drain", depth="depth")
    with pytest.raises(ConfigError) as refused:
        loaded(tmp_path, f"  - {{name: empty, {step}}}\n")
    problem = refused.value.problems[0]
    assert words in str(problem), problem
    assert (problem.at.line, problem.at.column) == (HEAD.count("\n") + 1, column + 2 if column > 5 else column)


async def test_a_run_goes_on_to_its_end_although_its_package_was_taken_away(
    tmp_path: Path, package: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    package("queue-steps", drain="drain", depth="depth")
    before = loaded(tmp_path, GOOD_STEPS).playbooks["tidy"]
    monkeypatch.undo()
    forget()
    after = config.playbook_from(before.source, before.at)
    assert [(step.kind, may_repeat(step)) for step in after.steps] == [("drain", False), ("depth", False)]
    async with running() as runner:
        result = await runner.run_step(after.steps[0], {}, source="prod")
    assert (result.final, "no kind of step called 'drain'" in result.summary) == (True, True)
    with pytest.raises(ConfigError, match="unknown key `drain`"):
        loaded(tmp_path, GOOD_STEPS)


@pytest.mark.parametrize(
    ("module", "attribute", "words"),
    [
        ("raise RuntimeError('no libqueue')", "drain", "cannot be loaded: RuntimeError: no libqueue"),
        ("import sys; sys.exit(3)", "drain", "cannot be loaded: SystemExit"),
        ("drain = 1", "drain", "is no StepKind"),
        (GOOD, "nothing", "cannot be loaded: AttributeError"),
        (GOOD, "depth", "its kind is called 'depth' and its entry point 'drain'"),
        (GOOD.replace("async def run", "def run").replace("await ", ""), "drain", "its `run` is no async function"),
        (GOOD.replace('"type": "object"', '"type": "thing"'), "drain", "its schema is no JSON Schema"),
        (GOOD.replace('"type": "object"', '"$ref": "x.json"'), "drain", "its schema may not hold `$ref`"),
        (
            GOOD.replace("^[a-z0-9-]{1,20}$", "(?=a)b"),
            "drain",
            "a pattern of its schema: this is no regular expression",
        ),
        (GOOD.replace('registers=("left",)', 'registers=("a b",)'), "drain", "what it registers needs names"),
        (GOOD.replace("{Door.COMMAND, Door.PROMQL}", "{'ssh'}"), "drain", "it asks for a door that there is not"),
    ],
)
def test_a_broken_package_is_named_and_refuses_only_the_playbooks_that_need_it(
    tmp_path: Path, package: Callable[..., None], module: str, attribute: str, words: str
) -> None:
    package(f"queue-steps-{abs(hash((module, attribute)))}", module, drain=attribute)
    assert words in kinds.installed().broken["drain"]
    other = HEAD[HEAD.index("---\nkind: playbook") :].replace("tidy", "other") + "  - {name: say, note: Fine.}\n"
    settings = loaded(tmp_path, BROKEN_STEPS, other)
    (warning,) = settings.warnings
    assert re.search(r":13:19: `drain` cannot be used, so this playbook does not run here .*queue-steps", str(warning))
    with pytest.raises(NotRunnable, match="`drain` cannot be used here; the package queue-steps"):
        scopes.inputs_for(settings.playbooks["tidy"], {"queue": "q"}, {})
    assert scopes.inputs_for(settings.playbooks["other"], {"queue": "q"}, {}) == {"queue": "q"}


def test_a_name_that_two_packages_bring_or_that_is_taken_is_nobodys(
    tmp_path: Path, package: Callable[..., None]
) -> None:
    package("queue-steps", drain="drain")
    package("other-steps", drain="drain", command="drain")
    found = kinds.installed()
    assert "another package brings a kind of this name" in found.broken["drain"]
    assert found.left_out == ("`command` of the package other-steps 1.2: a step has this key already",)
    assert loaded(tmp_path, "  - {name: go, command: [x]}\n").playbooks["tidy"].refused == ""
