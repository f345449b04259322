"""Holds of a correlation key whose earlier incident is part of another one: what they declare into, and who hears."""

from __future__ import annotations

from dataclasses import replace

import pytest

from incidentd.engine import commands, lifecycle, merging
from incidentd.holds import HoldPolicy, HoldState, Outcome
from incidentd.incidents import Status
from incidentd.pages import Ending, PageState
from incidentd.rules import CATCH_ALL
from incidentd.store import jobs, subjects, things
from tests.engine.test_holds_and_incidents import LAG, SETTINGS
from tests.engine.test_lifecycle import ANA, BEN
from tests.engine.world import Making, World, minutes, policy

LATER = 60 * 20
"""Minutes after which nothing reopens by itself any more, and people may still reopen it."""
PATIENT = replace(LAG, hold=HoldPolicy(no_progress_after=minutes(20), quiet=minutes(5), declare_on=frozenset()))
OURS = replace(SETTINGS, escalations={**SETTINGS.escalations, **policy("shop", (0, "ben"))})


async def held_again(world: Making, *, severity: str = "sev3", page: str = "shop") -> World:
    """Give a world in which INC-1 was merged into INC-2, which was over; HOLD-2 is of the key of INC-1."""
    w = await world(replace(OURS, rules=(PATIENT, CATCH_ALL)))
    await w.send(w.firing())
    await w.do(commands.declare_hold, 1, actor=ANA)
    await w.do(commands.declare_incident, actor=BEN, title="Shop is slow", severity="sev3", page=page)
    await w.do(merging.merge, 1, into=2, actor=BEN, admin=True)
    await w.send(w.resolved())
    await w.do(lifecycle.resolve, 2, actor=BEN)
    await w.at(LATER)
    w.settings = replace(w.settings, rules=(replace(PATIENT, severity=severity), CATCH_ALL))
    await w.send(w.firing(pod="b"))
    assert (await w.hold(2)).state is HoldState.HOLDING
    await w.do(lifecycle.reopen, 2, actor=BEN, reason="it is slow again")
    return w


async def test_a_hold_that_declares_into_a_mitigated_incident_takes_it_up_again(world: Making) -> None:
    w = await held_again(world)
    (page,) = await w.store.read(things.pages_of, "HOLD-2")
    await w.do(lifecycle.mitigate, 2, actor=BEN, note="drained")
    w.post.sent.clear()
    await w.at(LATER + 20)

    assert (await w.hold(2)).outcome is Outcome.DECLARED_NO_PROGRESS
    assert (await w.incident(2)).status is Status.INVESTIGATING
    assert await w.store.read(subjects.firing, "INC-2") == 1
    story = await w.story("INC-2")
    assert any(text.startswith("HOLD-2 (QueueLag) is part of this from here. Declared: no progress") for text in story)
    assert "Fires again (1 alert): the impact is back." in story
    moved = await w.page(page.id)
    assert (moved.subject, moved.state) == ("INC-2", PageState.OPEN)
    assert w.post.to("ana/mail") != []
    assert {it.policy for it in await w.store.read(things.pages_of, "INC-2") if it.state is PageState.OPEN} == {
        "platform",
        "shop",
    }


async def test_an_incident_does_not_end_by_itself_while_the_hold_that_declared_into_it_fires(world: Making) -> None:
    w = await held_again(world)
    await w.at(LATER + 1)
    await w.send(w.firing(since=LATER + 1))
    await w.at(LATER + 2)
    await w.send(w.resolved(since=LATER + 1))
    await w.at(LATER + 19)
    assert (await w.incident(2)).status is Status.MITIGATED
    await w.at(LATER + 90)

    assert (await w.incident(2)).status is Status.INVESTIGATING
    assert await w.store.read(jobs.live, "healthy:INC-2") is None


async def test_an_incident_becomes_as_severe_as_the_hold_that_declares_into_it(world: Making) -> None:
    w = await held_again(world, severity="sev2")
    await w.at(LATER + 20)

    incident = await w.incident(2)
    assert (incident.severity, incident.peak_severity) == ("sev2", "sev2")
    assert [(it.was, it.to, it.reason) for it in incident.severity_changes] == [("sev3", "sev2", "HOLD-2 was sev2")]


@pytest.mark.parametrize("answered", [True, False])
async def test_nobody_is_paged_twice_for_what_the_incident_pages_already(world: Making, *, answered: bool) -> None:
    w = await held_again(world, page="platform")
    (page,) = await w.store.read(things.pages_of, "HOLD-2")
    own = (await w.store.read(things.pages_of, "INC-2"))[-1]
    if answered:
        await w.do(commands.ack_page, own.id, by="ana", actor=ANA)
    await w.at(LATER + 20)

    ended = await w.page(page.id)
    assert (ended.subject, ended.state, ended.ending) == ("HOLD-2", PageState.RESOLVED, Ending.MERGED)
    assert [it.id for it in await w.store.read(things.pages_of, "INC-2") if it.state is not PageState.RESOLVED] == [
        own.id
    ]
    assert "1 more alert joined, 1 alert firing now." in await w.story("INC-2")
