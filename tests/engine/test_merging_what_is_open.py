"""Merging takes along what is open, with its deadlines, and what was promised; unmerging gives it back."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from incidentd import records as nouns
from incidentd.engine import commands, lifecycle, merging, records, updates
from incidentd.errors import Conflict
from incidentd.incidents import Incident, Status
from incidentd.records import Belief, Choice, CriterionState, Records, TaskState
from incidentd.roles import Assignment, Role
from incidentd.settings import Settings
from incidentd.store import Tx, subjects
from incidentd.store import records as kept
from incidentd.store import updates as stored
from incidentd.timeline import Actor, first_broken
from incidentd.updates import CADENCES, Audience, AudiencePlan, UpdateSettings
from tests.engine.test_automation import playbook
from tests.engine.test_automation import settings as with_playbook
from tests.engine.world import Making, World, make_world, minutes, policy, roster

ANA, BEN, CHO = (Actor(name=name, via="api") for name in ("ana", "ben", "cho"))
INSIDE, OUTSIDE = Audience.INTERNAL, Audience.EXTERNAL
SETTINGS = Settings(
    external_url="http://incidentd.example.org", roster=roster("ana", "ben", "cho"),
    escalations=policy("default", (0, "ana")),
    updates=UpdateSettings(
        audiences={which: AudiencePlan(cadences=CADENCES[which]) for which in (INSIDE, OUTSIDE)}
    ),
)  # fmt: skip


async def two(world: Making) -> World:
    """Declare INC-1, with a task of its own, and INC-2, in which one of each kind is open and one is not."""
    w = await world(SETTINGS)
    for title, actor in (("Shop is slow", ANA), ("Disk is full", BEN)):
        await w.do(commands.declare_incident, actor=actor, title=title, severity="sev2")
    await w.do(records.add_task, 1, text="ask the provider", owner="ana", box=minutes(60), actor=ANA)
    await w.do(records.add_task, 2, text="look at the disk", owner="cho", box=minutes(10), actor=BEN)
    await w.do(records.add_task, 2, text="done before", owner="ben", box=minutes(10), actor=BEN)
    await w.do(records.end_task, 2, 2, actor=BEN, result="nothing")
    await w.do(records.add_change, 2, what="logs off", undo="logs on", actor=BEN)
    await w.do(records.add_hypothesis, 2, text="the logs fill it", actor=BEN)
    await w.do(records.add_hypothesis, 2, text="a thief", actor=BEN)
    await w.do(records.judge_hypothesis, 2, 2, actor=BEN, state=Belief.REFUTED)
    await w.do(records.propose, 2, text="drop the logs", wait=minutes(20), actor=BEN)
    await w.do(records.add_criterion, 2, text="disk below 80 %", actor=BEN)
    return w


async def of(w: World, number: int) -> Records:
    return await w.store.read(kept.records_of, number)


async def due(w: World, number: int) -> dict[str, float | None]:
    """Say what each audience was promised, in minutes from the beginning."""
    found = await w.store.read(stored.promises, number)
    begin = (await w.incident(1)).declared_at
    return {
        one.audience.value: None if one.due_at is None else (one.due_at - begin) / minutes(1) for one in found.values()
    }


async def test_what_is_open_goes_on_in_the_survivor_under_new_numbers_with_its_deadlines(world: Making) -> None:
    w = await two(world)
    await w.do(merging.merge, 2, into=1, actor=BEN)
    there = await of(w, 1)
    assert [(it.key, it.origin, it.text, it.owner) for it in there.tasks] == [
        ("T1", "", "ask the provider", "ana"), ("T2", "INC-2 T1", "look at the disk", "cho"),
    ]  # fmt: skip
    assert [(it.origin, it.what, it.undo, it.made_by) for it in there.changes] == [
        ("INC-2 C1", "logs off", "logs on", "ben")
    ]
    assert [(it.origin, it.text) for it in there.hypotheses] == [("INC-2 H1", "the logs fill it")]
    assert [(it.origin, it.state) for it in there.decisions] == [("INC-2 D1", Choice.PROPOSED)]
    assert [(it.origin, it.state) for it in there.criteria] == [("INC-2 X1", CriterionState.OPEN)]
    assert "C1 is still in place: logs off" in nouns.blocks_closed(there)
    story = await w.story("INC-1")
    assert "T2 is T1 of INC-2, which goes on here (cho): look at the disk." in story
    assert "C1 is C1 of INC-2, which goes on here: logs off." in story
    assert any(sent.title.startswith("INC-1 T2 for you until 14:10:00 UTC") for sent in w.post.sent)
    with pytest.raises(Conflict, match="INC-2 is merged; its document does not change any more; what is open goes on"):
        await w.do(records.acknowledge_task, 2, 1, actor=CHO)

    await w.do(records.acknowledge_task, 1, 2, actor=CHO)
    await w.at(10)
    assert "The 10m of T2 are over; cho, how does it stand? (look at the disk)" in await w.story("INC-1")
    await w.at(20)
    assert (await of(w, 1)).decisions[0].state is Choice.DECIDED
    assert (await of(w, 2)).decisions[0].state is Choice.PROPOSED, "its document stays as it was"
    for subject in ("INC-1", "INC-2"):
        assert first_broken(await w.entries(subject)) is None
    assert not [kind for kind in await w.kinds("INC-2") if kind in ("task.overdue", "decision.made")]


async def test_unmerging_gives_back_what_went_along_as_it_stands(world: Making) -> None:
    w = await two(world)
    await w.do(merging.merge, 2, into=1, actor=BEN)
    await w.do(records.end_task, 1, 2, actor=CHO, result="it is the logs")
    await w.do(records.judge_hypothesis, 1, 1, actor=CHO, state=Belief.SUPPORTED)
    await w.do(merging.unmerge, 2, actor=ANA, admin=True, reason="two things")
    back, stayed = await of(w, 2), await of(w, 1)
    assert (back.tasks[0].state, back.tasks[0].result, back.tasks[0].version) == (TaskState.DONE, "it is the logs", 2)
    assert (back.hypotheses[0].state, back.hypotheses[0].origin) == (Belief.SUPPORTED, "")
    assert (back.changes[0].in_place, back.changes[0].version) == (True, 1)
    assert (back.criteria[0].state, back.decisions[0].state) == (CriterionState.OPEN, Choice.PROPOSED)
    assert [it.state for it in stayed.tasks] == [TaskState.OPEN, TaskState.DONE]
    assert stayed.hypotheses[0].state is Belief.SUPPORTED
    assert (stayed.changes[0].in_place, stayed.changes[0].outcome) == (False, "goes on as C1 of INC-2")
    assert (stayed.criteria[0].state, stayed.decisions[0].state) == (CriterionState.WAIVED, Choice.WITHDRAWN)
    assert nouns.blocks_closed(stayed) == nouns.blocks_resolved(stayed) == ()
    assert "T1 comes back from INC-1 T2 as it stands there: look at the disk." in await w.story("INC-2")
    assert "C1 goes on as C1 of INC-2: logs off." in await w.story("INC-1")
    await w.at(20)
    assert ((await of(w, 2)).decisions[0].state, (await of(w, 1)).decisions[0].state) == (
        Choice.DECIDED, Choice.WITHDRAWN,
    )  # fmt: skip


async def test_what_was_merged_twice_over_comes_back_from_where_it_is(world: Making) -> None:
    w = await two(world)
    await w.do(commands.declare_incident, actor=CHO, title="Everything is slow", severity="sev2")
    await w.do(merging.merge, 2, into=1, actor=BEN)
    await w.do(merging.merge, 1, into=3, actor=ANA)
    there = await of(w, 3)
    assert [it.origin for it in there.tasks] == ["INC-1 T1", "INC-1 T2"]
    await w.do(records.explain_change, 3, 1, undo="logs on, slowly", actor=CHO)
    await w.do(merging.unmerge, 2, actor=CHO, admin=True)
    back, left = await of(w, 2), await of(w, 3)
    assert (back.changes[0].undo, back.tasks[0].state) == ("logs on, slowly", TaskState.OPEN)
    assert [it.state for it in left.tasks] == [TaskState.OPEN, TaskState.DROPPED]
    await w.do(merging.unmerge, 1, actor=CHO, admin=True)
    assert [it.state for it in (await of(w, 1)).tasks] == [TaskState.OPEN, TaskState.DROPPED]


async def test_merging_once_more_copies_nothing_twice(world: Making) -> None:
    w = await two(world)
    for _ in range(2):
        await w.do(merging.merge, 2, into=1, actor=BEN, admin=True)
        await w.do(merging.unmerge, 2, actor=BEN, admin=True)
    await w.do(merging.merge, 2, into=1, actor=BEN, admin=True)
    copied = [entry.data["seq"] for entry in await w.entries("INC-1") if entry.kind == "copied"]
    assert copied == sorted(set(copied))
    assert [it.state for it in (await of(w, 1)).tasks[1:]] == [TaskState.DROPPED, TaskState.DROPPED, TaskState.OPEN]
    assert len((await of(w, 2)).tasks) == 2


async def test_the_earlier_of_two_promises_holds_and_who_was_told_hears_the_end(world: Making) -> None:
    w = await world(SETTINGS)
    await w.do(commands.declare_incident, actor=ANA, title="Shop is slow", severity="sev3")
    await w.at(1)
    await w.do(commands.declare_incident, actor=BEN, title="Disk is full", severity="sev2")
    await w.do(
        updates.send_update, 2, audience=OUTSIDE, asking=updates.Asking(actor=BEN), next_in=minutes(25),
        text="We look into slow pages; the cause is not yet known.",
    )  # fmt: skip
    assert await due(w, 2) == {"external": 26, "internal": 31}
    await w.do(merging.merge, 2, into=1, actor=BEN)
    assert await due(w, 1) == {"external": 26, "internal": 31}
    assert await due(w, 2) == {"external": None, "internal": None}
    assert any(text.startswith("What was promised of INC-2 is owed here: ") for text in await w.story("INC-1"))
    promise = (await w.store.read(stored.promises, 1))[OUTSIDE]
    assert (promise.sent, promise.last_text) == (1, "We look into slow pages; the cause is not yet known.")
    await w.at(26)
    assert "updates.overdue" in await w.kinds("INC-1")
    assert "updates.overdue" not in await w.kinds("INC-2")
    await w.do(lifecycle.resolve, 1, actor=ANA, admin=True)
    assert await due(w, 1) == {"external": 26, "internal": 31}, "whoever was told hears that it is over"


@pytest.mark.slow
async def test_what_is_overdue_is_not_called_in_anew_when_another_becomes_part_of_it(world: Making) -> None:
    w = await two(world)
    await w.at(1)
    asking = updates.Asking(actor=BEN)
    text = "We look into slow pages; the cause is not yet known."
    await w.do(updates.send_update, 2, audience=OUTSIDE, asking=asking, text=text)
    await w.at(70)
    await w.do(merging.merge, 2, into=1, actor=BEN)
    await w.at(120)
    await w.do(merging.unmerge, 2, actor=ANA, admin=True)
    await w.at(180)
    keys = [it.key for it in w.post.sent]
    assert any("/update/external/" in key for key in keys)
    assert {key for key in keys if keys.count(key) > 1} == set()


async def test_what_was_called_in_for_both_goes_on_where_its_reminders_were(world: Making) -> None:
    """Both were due at the same instant; of the survivor it was left out, and comes back from the other one."""
    w = await two(world)
    for number in (1, 2):
        text = "We look into slow pages; the cause is not yet known."
        asking = updates.Asking(actor=(ANA, BEN)[number - 1])
        await w.do(
            updates.send_update, number, audience=OUTSIDE, asking=asking, next_in=minutes(10), text=f"{text} {number}"
        )
    await w.at(17)
    asking = updates.Asking(actor=ANA)
    await w.do(updates.skip_update, 1, audience=OUTSIDE, asking=asking, reason="nothing is new")
    later = (await due(w, 1))["external"]
    assert later is not None
    assert later > 17
    await w.do(merging.merge, 2, into=1, actor=BEN)
    assert (await due(w, 1))["external"] == 10
    await w.at(60)
    called = [
        (entry.data["nag"], f"{entry.at:%H:%M}")
        for entry in await w.entries("INC-1")
        if entry.kind == "updates.overdue" and entry.data["audience"] == "external"
    ]
    assert called == [(0, "14:10"), (1, "14:15"), (2, "14:20"), (3, "14:35"), (4, "14:50")]
    keys = [it.key for it in w.post.sent]
    assert {key for key in keys if keys.count(key) > 1} == set()


@pytest.mark.parametrize("waits_there", [False, True])
@pytest.mark.slow
async def test_a_text_that_waits_for_approval_is_given_up_and_who_leads_the_survivor_gets_its_words(
    world: Making, waits_there: bool
) -> None:
    """The survivor may have one waiting for the same audience, which goes on to wait."""
    plan = AudiencePlan(cadences=CADENCES[OUTSIDE], approval=True)
    w = await world(replace(SETTINGS, updates=UpdateSettings(audiences={OUTSIDE: plan})))
    for title, actor in (("Shop is slow", ANA), ("Disk is full", BEN)):
        await w.do(commands.declare_incident, actor=actor, title=title, severity="sev2")
    for number in (1, 2):
        await w.do(_cho_leads_communications, number)
    words = "We look into slow pages; the cause is not yet known."
    mine = None
    if waits_there:
        asking = updates.Asking(actor=CHO)
        mine, _ = await w.do(updates.send_update, 1, audience=OUTSIDE, asking=asking, text=f"{words} Ana looks.")
    gone, _ = await w.do(updates.send_update, 2, audience=OUTSIDE, asking=updates.Asking(actor=CHO), text=words)
    n = len(w.post.sent)
    await w.do(merging.merge, 2, into=1, actor=BEN)
    await w.at(1)

    (kept,) = await w.store.read(stored.of_incident, 2)
    assert (kept.id, kept.state, kept.approved_by) == (gone.id, "replaced", "")
    told = [(it.channel, it.title, it.body) for it in w.post.sent[n:] if it.title.startswith(gone.key)]
    assert [it[:2] for it in told] == [("cho/mail", f"{gone.key} to external was not sent: write it anew for INC-1")]
    assert words in told[0][2]
    assert "incidentd update INC-1 --audience external" in told[0][2]
    what = f"{gone.key} to external by cho, written for INC-2, waited for approval and was not sent"
    assert f"{what}: INC-2 is part of INC-1 now." in await w.story("INC-2")
    assert f"{what}. cho is asked to write it anew for INC-1: {words}" in await w.story("INC-1")
    for subject in ("INC-1", "INC-2"):
        assert first_broken(await w.entries(subject)) is None
    there = await w.store.read(stored.waiting, 1, OUTSIDE)
    assert there == mine
    if mine is not None:
        sent = await w.do(updates.approve_update, mine.id, asking=updates.Asking(actor=ANA))
        assert sent.state == "sent"


def _cho_leads_communications(tx: Tx, settings: Settings, number: int) -> None:
    incident = subjects.get_incident(tx, number)
    role = Assignment(role=Role.COMMUNICATIONS_LEAD, person="cho", since=tx.now)
    subjects.save_incident(tx, replace(incident, roles=(*incident.roles, role), version=incident.version + 1))


async def test_of_what_is_part_of_another_nobody_is_told_anything_more(world: Making) -> None:
    w = await two(world)
    await w.do(merging.merge, 2, into=1, actor=BEN)
    asking = updates.Asking(actor=BEN)
    text = "We look into slow pages; the cause is not yet known."
    for command, how in (
        (updates.send_update, {"text": text}), (updates.skip_update, {"reason": "nothing is new"}),
        (updates.change_cadence, {"reason": "it lasts", "every": minutes(20)}),
    ):  # fmt: skip
        with pytest.raises(Conflict, match="INC-2 is part of INC-1 now; tell people of that one"):
            await w.do(command, 2, audience=INSIDE, asking=asking, **how)
    sent, _ = await w.do(updates.send_update, 1, audience=INSIDE, asking=updates.Asking(actor=ANA), text=text)
    assert sent.incident_id == 1


async def test_a_run_that_ends_after_its_incident_was_merged_leaves_its_change_with_the_survivor(world: Making) -> None:
    w = await world(with_playbook(playbook()))
    await w.send(w.firing("WorkerStuck", instance="w-3"))
    await w.do(commands.declare_hold, 1, actor=ANA)
    await w.do(commands.declare_incident, actor=BEN, title="Disk is full", severity="sev2")
    await w.do(merging.merge, 1, into=2, actor=ANA, admin=True)
    assert (await of(w, 2)).changes == (), "it is still at work"
    await w.at(30)
    assert [(it.run, it.origin) for it in (await of(w, 2)).changes] == [("RUN-1", "")]
    assert (await of(w, 1)).changes == ()


@pytest.mark.parametrize("how", [((2, 1), (2, 1)), ((2, 1), (1, 2))])
async def test_of_two_merges_at_once_one_takes_effect_and_moves_everything_once(
    store_url: str, how: tuple[tuple[int, int], ...]
) -> None:
    """Two replicas: the same merge twice, and crosswise; whoever is second is told what happened."""
    w = await two(lambda settings: make_world(store_url, settings))
    shared = store_url.startswith("postgresql")
    other = await make_world(store_url, SETTINGS, me="other", clock=w.clock) if shared else w
    results = await asyncio.gather(
        *(
            place.store.write(merging.merge, SETTINGS, gone, into=into, actor=ANA, admin=True)
            for place, (gone, into) in zip((w, other), how, strict=True)
        ),
        return_exceptions=True,
    )
    won = [it for it in results if isinstance(it, Incident)]
    lost = [it for it in results if not isinstance(it, Incident)]
    assert (len(won), [type(it) for it in lost]) == (1, [Conflict])
    assert [(await w.incident(it)).status is Status.MERGED for it in (1, 2)] == [won[0].id == 2, won[0].id == 1]
    found = await of(w, won[0].id)
    moved = [it for kind in (found.tasks, found.changes, found.decisions, found.criteria) for it in kind if it.origin]
    assert len(moved) == len({it.origin for it in moved})
    for it in {id(it): it for it in (w, other)}.values():
        await it.store.close()
