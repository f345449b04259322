"""What people put down during an incident: its course, who comes second, deadlines once, and what a run leaves."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from incidentd import records as nouns
from incidentd.engine import commands, records, stale
from incidentd.errors import BadRequest, Conflict, NotFound
from incidentd.incidents import Status
from incidentd.playbooks import StepResult
from incidentd.records import Belief, Choice, Confidence, CriterionState, Kind, Records, SectionName, TaskState
from incidentd.settings import Settings
from incidentd.store import Tx, jobs, retention, subjects
from incidentd.store import records as kept
from incidentd.timeline import Actor, first_broken
from tests.engine.test_automation import playbook
from tests.engine.test_automation import settings as with_playbook
from tests.engine.world import Making, World, make_world, minutes, policy, roster

ANA, BEN, CHO = (Actor(name=name, via="api") for name in ("ana", "ben", "cho"))
SETTINGS = Settings(
    external_url="http://incidentd.example.org", roster=roster("ana", "ben", "cho"),
    escalations=policy("default", (0, "ana")),
)  # fmt: skip


async def declared(world: Making) -> World:
    w = await world(SETTINGS)
    await w.do(commands.declare_incident, actor=ANA, title="Checkout fails", severity="sev2")
    return w


async def of(w: World) -> Records:
    return await w.store.read(kept.records_of, 1)


def told(w: World, of_task: str) -> list[str]:
    return [n.title for n in w.post.sent if n.key.startswith(f"INC-1/{of_task}/")]


async def last(w: World) -> str:
    return (await w.story("INC-1"))[-1]


async def test_a_section_keeps_every_text_and_the_second_of_two_writers_is_told_what_changed(world: Making) -> None:
    w = await declared(world)
    first = await w.do(
        records.write_section, 1, SectionName.SUMMARY, text="Half of all payments fail.", actor=CHO, expected_version=0
    )
    assert first.version == 1
    assert await last(w) == "cho writes the summary: Half of all payments fail."
    await w.do(records.write_section, 1, SectionName.SUMMARY, text="All fail.", actor=BEN, expected_version=1)
    with pytest.raises(Conflict, match=r"changed meanwhile \(version 2\): 14:00:00 UTC: ben writes the summary: All"):
        await w.do(records.write_section, 1, SectionName.SUMMARY, text="Few fail.", actor=CHO, expected_version=1)
    with pytest.raises(Conflict, match="says that already"):
        await w.do(records.write_section, 1, SectionName.SUMMARY, text=" All fail. ", actor=CHO)
    await w.do(records.write_section, 1, SectionName.SUMMARY, text=" ", actor=CHO)
    texts = await w.store.read(kept.history, 1, Kind.SECTION, SectionName.SUMMARY.number)
    assert [one.record.text for one in texts] == ["Half of all payments fail.", "All fail.", ""]  # type: ignore[union-attr]
    assert (await of(w)).text_of(SectionName.SUMMARY) == ""
    with pytest.raises(BadRequest, match="begins with http"):
        await w.do(records.write_section, 1, SectionName.DASHBOARD, text="javascript:alert(1)", actor=CHO)
    with pytest.raises(Conflict, match="nobody has written the impact"):
        await w.do(records.write_section, 1, SectionName.IMPACT, text="x", actor=CHO, expected_version=3)


async def test_of_many_writers_at_once_one_wins_and_nothing_is_lost(world: Making) -> None:
    w = await declared(world)

    async def write(number: int) -> object:
        return await w.store.write(
            records.write_section, w.settings, 1, SectionName.IMPACT, text=f"text {number}", actor=BEN,
            expected_version=0,
        )  # fmt: skip

    results = await asyncio.gather(*(write(number) for number in range(8)), return_exceptions=True)
    assert sum(isinstance(one, Conflict) for one in results) == 7
    await asyncio.gather(
        *(w.store.write(records.add_criterion, w.settings, 1, text=f"it holds {n}", actor=BEN) for n in range(5))
    )
    assert [one.number for one in (await of(w)).criteria] == [1, 2, 3, 4, 5]
    assert first_broken(await w.entries("INC-1")) is None


async def test_a_hypothesis_goes_from_open_to_supported_and_that_lets_the_cause_count_as_found(world: Making) -> None:
    w = await declared(world)
    assert nouns.blocks_identified(await of(w)) == ("no hypothesis is written down; write one and mark it supported",)
    await w.do(records.add_hypothesis, 1, text="the pool is exhausted", actor=BEN, owner="@cho")
    assert await last(w) == ("Hypothesis H1 by ben, confidence low; cho looks into it: the pool is exhausted.")
    assert nouns.blocks_identified(await of(w)) == ("no hypothesis is marked supported (H1 is open)",)
    await w.do(
        records.judge_hypothesis, 1, 1, actor=CHO, state=Belief.SUPPORTED, confidence=Confidence.HIGH,
        evidence="http://grafana.example/d/7",
    )  # fmt: skip
    assert nouns.blocks_identified(await of(w)) == ()
    assert "H1 is supported, confidence high; evidence: http://grafana.example/d/7" in await last(w)
    with pytest.raises(Conflict, match="stands like that already"):
        await w.do(records.judge_hypothesis, 1, 1, actor=CHO, state=Belief.SUPPORTED)
    with pytest.raises(NotFound, match="INC-1 has no H2"):
        await w.do(records.judge_hypothesis, 1, 2, actor=CHO, state=Belief.REFUTED)
    with pytest.raises(BadRequest, match="nobody called 'zoe'"):
        await w.do(records.add_hypothesis, 1, text="dns", actor=BEN, owner="zoe")


async def test_silence_is_consent_and_an_objection_is_not(world: Making) -> None:
    w = await declared(world)
    await w.do(records.propose, 1, text="fail over to the second site", actor=ANA, wait=minutes(5), options="wait")
    assert (await last(w)).endswith("Not taken: wait. Strong objections? Without one it is decided at 14:05:00 UTC.")
    await w.do(records.propose, 1, text="stop the exports", actor=BEN, wait=minutes(5))
    await w.do(records.object_to, 1, 2, text="month end", actor=CHO)
    await w.at(60)
    first, second = (await of(w)).decisions
    assert (first.state, first.decided_by, first.at - first.made_at) == (Choice.DECIDED, "ana", minutes(5))
    assert second.state is Choice.PROPOSED
    assert (await w.kinds("INC-1")).count("decision.made") == 1
    await w.do(records.decide, 1, 2, actor=ANA)
    assert await last(w) == "ana decides D2, against 1 objection: stop the exports."
    with pytest.raises(Conflict, match="D2 is decided"):
        await w.do(records.withdraw, 1, 2, actor=ANA)
    with pytest.raises(BadRequest, match="waits 1m to 4h"):
        await w.do(records.propose, 1, text="now", actor=BEN, wait=timedelta(seconds=3))
    await w.do(records.propose, 1, text="roll back", actor=BEN)
    assert (await of(w)).decisions[2].state is Choice.DECIDED


async def test_a_task_is_given_taken_asked_about_once_and_done(world: Making) -> None:
    w = await declared(world)
    for owner, box, why in (("", minutes(10), "name one person"), ("ben", None, "time box"), ("ben", minutes(0), "1m")):
        with pytest.raises(BadRequest, match=why):
            await w.do(records.add_task, 1, text="check", owner=owner, box=box, actor=ANA)
    await w.do(records.add_task, 1, text="check web latency", owner="@ben", box=minutes(10), actor=ANA)
    assert "Task T1 by ana: ben, please, back in 10m: check web latency." in await w.story("INC-1")
    assert told(w, "T1") == ["INC-1 T1 for you until 14:10:00 UTC: check web latency"]
    with pytest.raises(Conflict, match="T1 is ben's"):
        await w.do(records.acknowledge_task, 1, 1, actor=CHO)
    await w.do(records.acknowledge_task, 1, 1, actor=BEN)
    await w.at(9.9)
    assert (await w.kinds("INC-1")).count("task.overdue") == 0
    await w.at(30)
    assert (await w.story("INC-1")).count("The 10m of T1 are over; ben, how does it stand? (check web latency)") == 1
    assert told(w, "T1")[1:] == ["INC-1 T1 is due: check web latency"]
    await w.do(records.reassign_task, 1, 1, owner="cho", actor=ANA)
    await w.do(records.end_task, 1, 1, actor=CHO, result="p99 is 4 s")
    assert await last(w) == "T1 of cho is done: p99 is 4 s (check web latency)."
    await w.at(90)
    assert (await w.kinds("INC-1")).count("task.overdue") == 1
    with pytest.raises(Conflict, match="T1 is done: p99 is 4 s"):
        await w.do(records.reassign_task, 1, 1, owner="ben", actor=ANA)
    assert (await of(w)).tasks[0].state is TaskState.DONE


async def test_a_reminder_survives_restarts_and_comes_once_of_two_engines(store_url: str) -> None:
    first = await make_world(store_url, SETTINGS)
    await first.do(commands.declare_incident, actor=ANA, title="Checkout fails", severity="sev2")
    await first.do(records.add_task, 1, text="look", owner="ben", box=minutes(10), actor=ANA)
    await first.store.close()
    again = await make_world(store_url, SETTINGS, clock=[first.now + minutes(45)])
    due = [again]
    if store_url.startswith("postgresql"):
        due.append(await make_world(store_url, SETTINGS, me="other", clock=again.clock))
    await asyncio.gather(*(w.engine.watch_one() for w in due))
    for w in due:
        await w.settle()
    await again.until(again.now + minutes(60))
    assert (await again.kinds("INC-1")).count("task.overdue") == 1
    assert sum(n.title == "INC-1 T1 is due: look" for w in due for n in w.post.sent) == 1
    for w in due:
        await w.store.close()


async def test_changes_and_criteria_block_until_somebody_dealt_with_them(world: Making) -> None:
    w = await declared(world)
    await w.do(records.add_change, 1, what="feature flag off", actor=BEN)
    await w.do(records.add_criterion, 1, text="error rate below 0.1% for 30 min", actor=ANA)
    await w.do(records.add_criterion, 1, text="customers told", actor=ANA)
    assert nouns.blocks_closed(await of(w)) == ("C1 is still in place: feature flag off",)
    assert len(nouns.blocks_resolved(await of(w))) == 2
    await w.do(records.settle_criterion, 1, 1, state=CriterionState.MET, actor=ANA, expected_version=1)
    with pytest.raises(BadRequest, match="say why X2 is waived"):
        await w.do(records.settle_criterion, 1, 2, state=CriterionState.WAIVED, actor=ANA)
    await w.do(records.settle_criterion, 1, 2, state=CriterionState.WAIVED, reason="no customer saw it", actor=ANA)
    assert nouns.blocks_resolved(await of(w)) == ()
    await w.do(records.settle_criterion, 1, 1, state=CriterionState.OPEN, actor=BEN)
    assert nouns.blocks_resolved(await of(w)) == ("X1 is neither met nor waived: error rate below 0.1% for 30 min",)
    await w.do(records.explain_change, 1, 1, undo="flag on", actor=BEN)
    await w.do(records.undo_change, 1, 1, actor=CHO)
    with pytest.raises(Conflict, match="dealt with by cho: undone"):
        await w.do(records.accept_change, 1, 1, reason="it is better so", actor=BEN)
    assert nouns.blocks_closed(await of(w)) == ()


async def test_nothing_is_written_about_what_is_closed_and_its_records_are_pruned_with_it(world: Making) -> None:
    w = await world(SETTINGS)
    await w.do(commands.declare_incident, actor=ANA, title="Slow", severity="sev4")
    await w.do(records.add_task, 1, text="look", owner="ben", box=minutes(10), actor=ANA)
    await w.store.write(_closed)
    with pytest.raises(Conflict, match="INC-1 is closed"):
        await w.do(records.add_criterion, 1, text="x", actor=ANA)
    await w.at(300)
    assert "task.overdue" not in await w.kinds("INC-1")
    w.clock[0] += timedelta(days=500)
    await w.store.write(lambda tx: retention.prune(tx, w.settings.retention))
    assert await of(w) == Records()


def _closed(tx: Tx) -> None:
    """Close it without a postmortem, which its records would stay for."""
    incident = subjects.get_incident(tx, 1)
    subjects.save_incident(tx, replace(incident, status=Status.CLOSED, version=incident.version + 1))
    jobs.cancel(tx, f"{stale.KIND}:INC-1")


@pytest.mark.parametrize("rollback", [False, True])
async def test_what_a_run_changed_and_cannot_roll_back_is_among_the_changes(world: Making, rollback: bool) -> None:
    undo = {"rollback": [{"name": "back", "command": ["back"]}]} if rollback else {}
    w = await world(with_playbook(playbook(**undo)))
    w.hands.answers["answers"] = StepResult(ok=False, summary="no answer")
    await w.send(w.firing("WorkerStuck", instance="w-3"))
    await w.at(30)
    assert (await w.incident()).hold_id == 1
    changes = (await of(w)).changes
    if rollback:
        assert changes == ()
        return
    assert [(one.run, one.what, one.made_by) for one in changes] == [
        ("RUN-1", "restart-worker on w-3", "restart-worker")
    ]
    told_so = "put down by itself: RUN-1 (restart-worker on w-3, failed) has no rollback"
    assert told_so in " ".join(await w.story("INC-1"))
