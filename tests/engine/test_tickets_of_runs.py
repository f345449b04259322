"""Tickets that runs file: told of their team, and done again after a crash, since the same order finds its ticket."""

from __future__ import annotations

import json

from incidentd.engine import automation
from incidentd.playbooks import RunState, Step, StepResult
from incidentd.playbooks.errands import Errand
from incidentd.store import jobs
from tests.engine.test_automation import playbook, run_of, settings
from tests.engine.world import Making, minutes

FILE = {"name": "file", "ticket": {"summary": "Mend {{ inputs.instance }}"}, "register": "filed"}
SETTINGS = settings(playbook(steps=[FILE, {"name": "say", "note": "See {{ filed.key }}."}]))


class Hands:
    """Does steps, and remembers on whose behalf."""

    def __init__(self) -> None:
        self.errands: list[Errand] = []

    async def run_step(self, step: Step, context: object, *, source: str, errand: Errand) -> StepResult:
        """Say that it is there."""
        if step.kind == "ticket":
            self.errands.append(errand)
        return StepResult(ok=True, summary="OPS-7 is in the backlog", value={"key": "OPS-7", "url": "http://jira/7"})


async def test_a_ticket_knows_its_team_and_what_it_registers_is_known_to_later_steps(world: Making) -> None:
    w = await world(SETTINGS)
    w.doors.runner = hands = Hands()
    await w.send(w.firing("WorkerStuck", instance="w-3", team="payments"))
    [errand] = hands.errands
    assert (errand.teams, errand.subject, errand.target) == (("payments",), "HOLD-1", "w-3")
    assert "RUN-1: say: See OPS-7." in await w.story("HOLD-1")


async def test_a_crash_while_a_ticket_is_filed_has_the_same_order_given_again(world: Making) -> None:
    w = await world(SETTINGS)
    w.doors.runner = hands = Hands()
    await w.store.append("default", json.dumps({"alerts": [w.firing("WorkerStuck", instance="w-3")]}).encode())
    await w.engine.unpack()
    await w.engine.decide_one()
    job = (await w.store.write(jobs.claim, jobs.PLAYBOOK, me="dead", lease=minutes(1), most=1))[0]
    assert await w.store.write(automation.step_due, w.settings, job)
    await w.store.write(jobs.release_all)
    await w.at(1.5)
    run = await run_of(w)
    assert run.state is RunState.VERIFYING
    assert [errand.key for errand in hands.errands] == [f"RUN-1@{int(run.started_at.timestamp() * 1000)}/steps/0"]
