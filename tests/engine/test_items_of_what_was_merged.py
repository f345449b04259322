"""What is to be done after an incident that was merged: its TODOs and action items go along, and come back."""

from __future__ import annotations

import re

from incidentd import postmortem
from incidentd.actionitems import ActionItem
from incidentd.document import render, todos
from incidentd.engine import commands, learning, lifecycle, merging
from incidentd.engine.backlog import collecting
from incidentd.engine.backlog import commands as asked
from incidentd.engine.postmortems import moving
from incidentd.engine.postmortems.common import opened
from incidentd.errors import TemporaryError
from incidentd.incidents import Status
from incidentd.store import Tx, facts, subjects, views
from tests.engine.test_backlog import LOCAL, SETTINGS
from tests.engine.test_lifecycle import ANA, BEN, FAY
from tests.engine.world import Making, World, minutes

LIMIT, ALERT = "Add a limit to the queue", "Alert on the queue before it is full"


async def declared(world: Making, number: int = 2, *, jira: bool = False) -> World:
    w = await world(SETTINGS if jira else LOCAL)
    for title in ("Shop is slow", "Queue is full", "Mail is late")[:number]:
        await w.do(commands.declare_incident, actor=ANA, title=title, severity="sev3")
    return w


async def merge(w: World, gone: int, into: int) -> None:
    await w.do(merging.merge, gone, into=into, actor=ANA, admin=True)


async def unmerge(w: World, gone: int) -> None:
    await w.do(merging.unmerge, gone, actor=ANA, admin=True)


async def noted(w: World, number: int) -> list[tuple[str, str]]:
    """Give who asked for what, as the document of an incident has it."""
    return [(one.by, one.text) for one in todos(await w.store.read(facts.incident_facts, w.settings, number))]


async def document(w: World, number: int) -> str:
    return render(await w.store.read(facts.incident_facts, w.settings, number))


async def items(w: World, number: int) -> list[str]:
    """Name the items in the document of an incident."""
    table = (await document(w, number)).partition("## Action items")[2].partition("## Timeline")[0]
    return re.findall(r"AI-[0-9]+", table)


async def collected(w: World, number: int) -> list[ActionItem]:
    made: list[ActionItem] = await w.do(collecting.collect, number, actor=ANA)
    return made


async def test_a_todo_of_before_the_merge_is_the_survivors_until_it_is_taken_out_again(world: Making) -> None:
    w = await declared(world)
    await w.do(commands.add_note, "INC-2", actor=BEN, text=f"it is full\nTODO: {LIMIT}")
    said = w.now
    await w.do(commands.add_note, "INC-2", actor=FAY, text=f"TODO: {ALERT}")
    w.clock[0] += minutes(5)
    await merge(w, 2, into=1)
    assert await noted(w, 1) == [("ben", LIMIT), ("fay", ALERT)]
    known = await w.store.read(facts.incident_facts, w.settings, 1)
    assert [(one.at, one.of) for one in todos(known)] == [(said, "INC-2")] * 2
    assert f", ben: {LIMIT}\n" in render(known)
    assert f"| {ALERT} |" in postmortem.draft(known, owner="ana", due=None)

    await unmerge(w, 2)
    assert await noted(w, 1) == []
    assert await noted(w, 2) == [("ben", LIMIT), ("fay", ALERT)]
    await merge(w, 2, into=1)
    assert await noted(w, 1) == [("ben", LIMIT), ("fay", ALERT)], "copied once, and part of it again"


async def test_a_todo_that_went_through_another_is_found_where_it_is_and_goes_back_from_there(world: Making) -> None:
    w = await declared(world, 3)
    await w.do(commands.add_note, "INC-3", actor=BEN, text=f"TODO: {LIMIT}")
    await merge(w, 3, into=2)
    await w.do(commands.add_note, "INC-3", actor=FAY, text=f"TODO: {ALERT}")  # stands with INC-2, where it is read
    await merge(w, 2, into=1)
    assert await noted(w, 1) == [("ben", LIMIT), ("fay", ALERT)]
    assert [it.subject for it in await collected(w, 1)] == ["INC-3", "INC-3"]
    await unmerge(w, 3)
    assert await noted(w, 1) == []
    await unmerge(w, 2)
    assert await noted(w, 1) == []


async def test_what_is_taken_out_of_a_chain_of_merges_is_part_of_nothing_that_it_went_through(world: Making) -> None:
    w = await declared(world, 3)
    await w.do(commands.add_note, "INC-3", actor=BEN, text=f"TODO: {LIMIT}")
    await merge(w, 3, into=2)
    await merge(w, 2, into=1)
    await unmerge(w, 3)
    await unmerge(w, 2)
    assert [await noted(w, number) for number in (1, 2, 3)] == [[], [], [("ben", LIMIT)]]
    assert [it.subject for it in await collected(w, 3)] == ["INC-3"]
    assert [await collected(w, number) for number in (1, 2)] == [[], []]
    told = [entry.text for entry in await w.entries("INC-2") if entry.kind == "incident.gave_back"]
    assert told == ["INC-3 is no part of this any more, says ana."]


async def test_what_was_taken_out_does_not_come_along_with_what_it_was_part_of(world: Making) -> None:
    w = await declared(world, 3)
    await w.do(commands.add_note, "INC-3", actor=BEN, text=f"TODO: {LIMIT}")
    await merge(w, 3, into=2)
    await unmerge(w, 3)
    await merge(w, 2, into=1)
    assert await noted(w, 1) == []
    await merge(w, 3, into=1)
    assert await noted(w, 1) == [("ben", LIMIT)]
    await unmerge(w, 2)
    assert await noted(w, 1) == [("ben", LIMIT)], "of its own"
    await unmerge(w, 3)
    await merge(w, 3, into=2)
    await merge(w, 2, into=1)
    assert await noted(w, 1) == [("ben", LIMIT)], "part of it again, and copied before"
    await unmerge(w, 2)
    assert [await noted(w, number) for number in (1, 2)] == [[], [("ben", LIMIT)]]


async def test_a_todo_that_came_in_two_ways_is_asked_for_once(world: Making) -> None:
    w = await declared(world, 3)
    await w.do(commands.add_note, "INC-3", actor=BEN, text=f"TODO: {LIMIT}")
    await merge(w, 3, into=2)
    await merge(w, 2, into=1)
    await unmerge(w, 3)
    await merge(w, 3, into=1)
    assert await noted(w, 1) == [("ben", LIMIT)]
    await unmerge(w, 2)
    assert [await noted(w, number) for number in (1, 2)] == [[("ben", LIMIT)], []], "from here as its own part"
    await unmerge(w, 3)
    assert await noted(w, 1) == []


async def test_a_todo_of_a_part_becomes_an_item_once_wherever_it_is_collected(world: Making) -> None:
    w = await declared(world)
    await w.do(commands.add_note, "INC-2", actor=BEN, text=f"TODO: {LIMIT}\nTODO: {ALERT}")
    assert [it.title for it in await collected(w, 2)] == [LIMIT, ALERT]
    await w.do(asked.edit, 2, actor=ANA, changes={"title": "Alert on the queue at 80%"})
    await merge(w, 2, into=1)
    assert await collected(w, 1) == []

    await w.do(commands.add_note, "INC-2", actor=BEN, text="TODO: Page for the queue")
    made = await collected(w, 1)
    assert [(it.subject, it.title) for it in made] == [("INC-2", "Page for the queue")]
    assert await collected(w, 1) == []
    await unmerge(w, 2)
    assert await collected(w, 2) == []
    assert await collected(w, 1) == []
    assert (await items(w, 1), await items(w, 2)) == ([], ["AI-1", "AI-2", "AI-3"])


async def test_items_of_a_part_are_in_the_survivors_document_while_it_is_one(world: Making) -> None:
    w = await declared(world, 3)
    w.clock[0] += minutes(1)
    await w.do(commands.add_action_item, 3, actor=ANA, title=LIMIT)
    await w.do(commands.add_action_item, 1, actor=ANA, title=ALERT)
    before = (await w.entries("INC-1"))[-1].seq
    w.clock[0] += minutes(1)
    await merge(w, 3, into=2)
    await merge(w, 2, into=1)
    assert [await items(w, number) for number in (1, 2, 3)] == [["AI-1", "AI-2"], ["AI-1"], ["AI-1"]]
    then = await w.store.read(facts.facts_at, w.settings, 1, before)
    assert [it.key for it in then.items] == ["AI-2"], "of a version of before it is no part"
    assert not then.parts

    await unmerge(w, 2)
    assert [await items(w, number) for number in (1, 2, 3)] == [["AI-2"], ["AI-1"], ["AI-1"]]


def _gates(tx: Tx, w: World, number: int) -> tuple[list[str], tuple[str, ...]]:
    """Give the items that the gates of a postmortem and of the incident's end look at."""
    look, _ = moving.seen(tx, w.settings, opened(tx, w.settings, number))
    return [one.key for one in look.items], learning.known_of(tx, w.settings, subjects.get_incident(tx, number)).unfiled


async def test_items_of_a_part_keep_the_survivor_from_its_end(world: Making) -> None:
    w = await declared(world, jira=True)
    w.backlog.failure = TemporaryError("Jira is away")
    proposed = await w.do(asked.propose, 2, actor=ANA, title=LIMIT)
    await w.do(commands.add_action_item, 2, actor=ANA, title=ALERT)
    await merge(w, 2, into=1)
    await w.do(lifecycle.mitigate, 1, actor=ANA, note="more workers")
    await w.do(lifecycle.resolve, 1, actor=ANA, note="it is gone")
    await w.do(learning.request, 1, actor=ANA, reason="it may come again")
    assert (await w.incident(1)).status is Status.POSTMORTEM
    assert await w.store.read(_gates, w, 1) == (["AI-1", "AI-2"], ("AI-2",))
    await w.do(asked.decline, proposed.id, actor=ANA, reason="no")
    await unmerge(w, 2)
    assert await w.store.read(_gates, w, 1) == ([], ())


async def test_items_of_a_part_are_listed_with_the_survivor_and_with_what_is_like_it(world: Making) -> None:
    w = await declared(world, 3)
    await w.do(commands.add_action_item, 3, actor=ANA, title=LIMIT)
    await w.do(commands.add_action_item, 1, actor=ANA, title=ALERT)
    await merge(w, 3, into=2)
    await merge(w, 2, into=1)
    listed = [(await w.store.read(views.incident, number))["action_items"] for number in (1, 2, 3)]
    assert listed == [["AI-1", "AI-2"], ["AI-1"], ["AI-1"]]
    await w.do(lifecycle.mitigate, 1, actor=ANA, note="more workers")
    await w.do(lifecycle.resolve, 1, actor=ANA, note="it is gone")
    await w.do(commands.declare_incident, actor=ANA, title="Shop is slow", severity="sev3")
    known = await w.store.read(facts.incident_facts, w.settings, 4)
    assert [(one.incident.key, [it.key for it in one.items]) for one in known.alike] == [("INC-1", ["AI-1", "AI-2"])]
    await unmerge(w, 2)
    assert (await w.store.read(views.incident, 1))["action_items"] == ["AI-2"]


async def newest(w: World) -> int:
    """Give the newest version of the document of INC-1; what follows happens a minute later."""
    w.clock[0] += minutes(1)
    return (await w.entries("INC-1"))[-1].seq


async def test_a_version_of_the_document_shows_the_items_of_what_was_part_of_it_then(world: Making) -> None:
    w = await declared(world, 3)
    w.clock[0] += minutes(1)
    await w.do(commands.add_action_item, 3, actor=ANA, title=LIMIT)
    await w.do(commands.add_action_item, 2, actor=ANA, title=ALERT)
    alone = await newest(w)
    await merge(w, 3, into=2)
    await merge(w, 2, into=1)
    both = await newest(w)
    await unmerge(w, 3)
    one = await newest(w)
    await unmerge(w, 2)
    none = await newest(w)
    await merge(w, 3, into=1)
    again = await newest(w)
    await unmerge(w, 3)
    last = await newest(w)
    seen = {at: await w.store.read(facts.facts_at, w.settings, 1, at) for at in (alone, both, one, none, again, last)}
    assert {at: [it.key for it in known.items] for at, known in seen.items()} == {
        alone: [], both: ["AI-1", "AI-2"], one: ["AI-2"], none: [], again: ["AI-1"], last: [],
    }  # fmt: skip
    assert [len(known.parts) for known in seen.values()] == [0, 2, 1, 0, 1, 0]
