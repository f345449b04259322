"""The check of a postmortem that was really drafted: what people have to write, and whom it knows."""

from __future__ import annotations

import pytest

from incidentd.engine import commands, lifecycle, postmortems, records, reviewing
from incidentd.errors import NotFound
from incidentd.records import SectionName
from incidentd.store import subjects
from incidentd.timeline import Actor
from tests.drafts import text_of
from tests.engine.test_holds_and_incidents import SETTINGS
from tests.engine.world import Making, World

ANA, DIA = (Actor(name=name, via="api") for name in ("ana", "dia"))


async def declared(world: Making) -> World:
    w = await world(SETTINGS)
    await w.send(w.firing("CheckoutDown"))
    return w


async def test_a_draft_asks_people_only_for_what_only_they_know(world: Making) -> None:
    w = await declared(world)
    await w.do(commands.add_note, "INC-1", actor=DIA, text="the pool is full")
    with pytest.raises(NotFound, match="INC-1 has no postmortem"):
        await w.store.read(reviewing.findings, SETTINGS, 1)
    await w.do(lifecycle.resolve, 1, actor=ANA, note="rolled back")

    found = await w.store.read(reviewing.findings, SETTINGS, 1)
    assert not found["passes"]
    assert {it["rule"] for it in found["findings"] if it["level"] == "error"} == {"unfilled", "executive-summary"}


async def test_whoever_had_a_part_in_it_is_known_and_what_they_noted_is_read(world: Making) -> None:
    w = await declared(world)
    await w.do(commands.add_note, "INC-1", actor=DIA, text="dia never looked")
    people = await w.store.read(lambda tx: reviewing.people_of(tx, SETTINGS, subjects.get_incident(tx, 1)))
    assert {"ana", "dia"} <= people
    await w.do(lifecycle.resolve, 1, actor=ANA)

    found = await w.store.read(reviewing.findings, SETTINGS, 1)
    [cause] = [it for it in found["findings"] if it["rule"] == "person-as-cause"]
    assert (cause["words"], found["counts"]["person-as-cause"]) == ("dia never", 1)


async def test_a_quick_review_is_asked_for_its_five_lines_only(world: Making) -> None:
    w = await declared(world)
    await w.do(lifecycle.stand_down, 1, actor=ANA, code="false_positive", text="a probe was wrong")
    found = await w.store.read(reviewing.findings, SETTINGS, 1)
    assert set(found["counts"]) == {"unfilled"}


async def test_a_draft_that_nobody_edited_is_drafted_again_with_what_people_write_afterwards(world: Making) -> None:
    w = await declared(world)
    await w.do(lifecycle.resolve, 1, actor=ANA, note="rolled back")
    await w.do(records.write_section, 1, SectionName.IMPACT, text="3% of all orders failed", actor=DIA)
    await w.at(1)
    assert "| estimate: 3% of all orders |" in await w.store.read(text_of, 1)
    texts = [it.text for it in await w.entries("INC-1") if it.kind == "postmortem.drafted"]
    assert texts[1:] == ["Postmortem drafted again with what was written since; nobody has edited it."]

    await w.do(postmortems.edit, 1, "lucky", text="It was Sunday.", actor=DIA)
    await w.do(records.write_section, 1, SectionName.IMPACT, text="2% of all orders failed", actor=DIA)
    await w.at(2)
    text = await w.store.read(text_of, 1)
    assert "It was Sunday." in text
    assert "| estimate: 2% of all orders |" in text
    assert [it.kind for it in await w.entries("INC-1")].count("postmortem.drafted") == 2
