"""Runs whose steps nobody can do any more: a package was taken away, or an upgrade takes less than it did."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from incidentd.engine import commands, stopping
from incidentd.engine.course import busy
from incidentd.errors import Conflict
from incidentd.holds import Outcome
from incidentd.playbooks import Mode, RunState, StepResult
from incidentd.store import things
from tests.engine.test_automation import ANA, playbook, run_of, settings
from tests.engine.world import Making, World
from tests.steps_of_ones_own import GOOD, forget, install

STEPS: list[dict[str, Any]] = [
    {"name": "settle", "wait": "5m"},
    {"name": "empty", "drain": {"queue": "{{ inputs.instance }}", "at_once": 50}, "register": "rest"},
    {"name": "say", "note": "{{ rest.left }} are left.", "when": "rest.left > 0"},
]
STRICTER = GOOD.replace('"maximum": 100', '"maximum": 10').replace('registers=("left",)', 'registers=("rest",)')
NAMES = {GOOD: "queue-steps", STRICTER: "queue-steps-next"}
Upgrade = Callable[[str], None]


@pytest.fixture
def upgrade(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Upgrade]:
    """Install the package that brings `drain`, and give what puts another version in its place ('': none)."""

    def installed(module: str) -> None:
        monkeypatch.undo()
        if module:
            name = NAMES.get(module, "queue-steps-broken")
            monkeypatch.syspath_prepend(tmp_path / name)
            install(tmp_path / name, name, module, drain="drain")
        forget()

    installed(GOOD)
    yield installed
    monkeypatch.undo()
    forget()


async def begun(world: Making, mode: Mode = Mode.AUTO) -> World:
    w = await world(settings(playbook(steps=STEPS, rollback=[{"name": "undo", "command": ["undo"]}]), mode))
    await w.send(w.firing("WorkerStuck", instance="w-3"))
    return w


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (
            STRICTER,
            "nobody can do the step `empty`: the package queue-steps-next 1.2 does not take it as it is written: the "
            "value of 'at_once' is not what `drain` takes: 50 is greater than the maximum of 10. Look how far",
        ),
        ("", "nobody can do the step `empty`: no package that is installed brings the kind of step `drain`. Look how"),
        (
            "drain = 1",
            "nobody can do the step `empty`: `drain` cannot be used here; the package queue-steps-broken 1.2",
        ),
    ],
)
@pytest.mark.slow
async def test_a_step_that_nobody_can_do_any_more_hands_the_run_to_a_person(
    world: Making, upgrade: Upgrade, module: str, words: str
) -> None:
    w = await begun(world)
    upgrade(module)
    at_work = await w.store.read(busy.step_at_work, "HOLD-1")
    assert at_work is not None
    assert at_work.what == "the step `settle` of RUN-1"
    await w.at(5)

    run = await run_of(w)
    assert run.state is RunState.INTERRUPTED
    assert words in run.reason
    assert w.hands.done == []
    assert (await w.hold()).outcome is Outcome.DECLARED_PLAYBOOK_FAILED
    assert len(w.post.to("ana/mail")) == 1


async def test_a_run_with_a_lost_step_is_stopped_and_one_that_waits_for_approval_may_not_begin(
    world: Making, upgrade: Upgrade
) -> None:
    w = await begun(world)
    upgrade(STRICTER)
    assert (await w.do(stopping.stop, 1, actor=ANA, reason="the package is another one")).state is RunState.STOPPED

    upgrade("")
    other = await run_of(w)
    other = await w.store.write(things.insert_run, replace(other, state=RunState.PROPOSED, finished_at=None))
    with pytest.raises(Conflict, match="RUN-2 may not run now: no package that is installed brings"):
        await w.do(commands.approve_run, other.id, actor=ANA)


async def test_a_lost_step_of_a_rollback_says_what_failed_before(world: Making, upgrade: Upgrade) -> None:
    w = await world(settings(playbook(steps=[{"name": "act", "command": ["true"]}, STEPS[0]], rollback=[STEPS[1]])))
    upgrade("")
    w.hands.answers["act"] = StepResult(ok=False, summary="exit 1")
    await w.send(w.firing("WorkerStuck", instance="w-3"))
    run = await run_of(w)
    assert run.state is RunState.INTERRUPTED
    assert run.reason.startswith("the step `act` failed: exit 1; and nobody can do the step `empty`: no package")


async def test_a_lost_step_that_is_left_out_keeps_nobody(world: Making, upgrade: Upgrade) -> None:
    steps = [{"name": "look", "command": ["true"], "register": "seen"}, {**STEPS[1], "when": "not seen.ok"}]
    w = await world(settings(playbook(steps=[*steps, STEPS[0]]), Mode.APPROVE))
    await w.send(w.firing("WorkerStuck", instance="w-3"))
    await w.store.write(commands.approve_run, w.settings, 1, actor=ANA)
    upgrade("")
    await w.at(5)
    assert (await run_of(w)).state is RunState.VERIFYING


async def test_a_frozen_playbook_that_cannot_be_read_any_more_ends_its_run_and_never_holds_its_hold_up(
    world: Making, upgrade: Upgrade
) -> None:
    w = await begun(world)
    run = await run_of(w)
    await w.store.write(things.save_run, replace(run, definition={**run.definition, "later": 1}))
    assert await w.store.read(busy.step_at_work, "HOLD-1") is None
    await w.at(5)

    run = await run_of(w)
    assert run.state is RunState.INTERRUPTED
    assert "nobody can do the playbook as it was when the run began: this version of incidentd cannot" in run.reason
    assert "unknown key `later`" in run.reason
    assert (await w.hold()).outcome is Outcome.DECLARED_PLAYBOOK_FAILED
