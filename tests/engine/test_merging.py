"""Merging and unmerging incidents: what goes along, what comes back, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from incidentd.document import render
from incidentd.engine import commands, lifecycle, merging, roles
from incidentd.errors import BadRequest, NotAllowed
from incidentd.incidents import Status
from incidentd.oncall import Roster
from incidentd.pages import PageState
from incidentd.roles import Role
from incidentd.settings import Settings
from incidentd.store import Tx, facts, subjects
from incidentd.timeline import INCIDENTD, first_broken
from tests.engine.test_holds_and_incidents import MONEY, SETTINGS
from tests.engine.test_lifecycle import ANA, BEN, FAY, refused, sample
from tests.engine.world import Making, World, minutes, person, policy

DISK = replace(MONEY, name="disk", severity="sev3", urgency="urgent", match=(), page="storage")
PEOPLE: Settings = replace(
    SETTINGS, rules=(MONEY, DISK), roster=Roster(people={name: person(name) for name in ("ana", "ben", "fay")}),
    escalations={**SETTINGS.escalations, **policy("storage", (0, "ben"))},
)  # fmt: skip


async def two(world: Making) -> World:
    """Declare INC-1 (sev1, ana has it) and INC-2 (sev3, ben commands it and nobody answered the second page)."""
    w = await world(PEOPLE)
    await w.send(w.firing("CheckoutDown", service="shop"))
    await w.do(commands.ack_page, 1, by="ana", actor=ANA)
    await w.send(w.firing("DiskFull"), group="disk")
    await w.do(_commands, 2, "ben")
    await w.do(lifecycle.investigate, 2, actor=FAY)  # whom its page does not call
    return w


def _commands(tx: Tx, settings: Settings, number: int, person: str) -> None:
    """Have somebody command who said nothing yet, as whoever is on call for it does."""
    incident, role = subjects.get_incident(tx, number), Role.INCIDENT_COMMANDER
    roles.change(tx, settings, incident, role, person, actor=INCIDENTD, because="on call")


async def firing(w: World, subject: str) -> list[bool]:
    return [it.firing for it in await w.store.read(subjects.members, subject)]


async def test_the_survivor_takes_over_alerts_pages_severity_and_a_copy_of_the_timeline(world: Making) -> None:
    w = await two(world)
    own = await w.story("INC-2")
    survivor = await w.do(merging.merge, 2, with_=1, actor=BEN, reason="the disk of the shop")
    gone = await w.incident(2)
    assert (survivor.id, gone.status, gone.merge and gone.merge.into) == (1, Status.MERGED, 1)
    assert await firing(w, "INC-1") == [True, True]
    assert (await w.page(2)).subject == "INC-1"  # ben was asked for the disk, and did not answer yet
    copies = [entry for entry in await w.entries("INC-1") if entry.kind == "copied"]
    assert [entry.text.split(": ", 1)[1] for entry in copies] == [
        *own,
        "Merged into INC-1 by ben: the disk of the shop",
    ]
    assert copies[0].text.startswith("from INC-2, 14:00:00 UTC, ")
    assert "ben, who commanded INC-2, investigates here; told so." in await w.story("INC-1")
    assert any(sent.title.startswith("INC-2 is part of INC-1") for sent in w.post.sent)
    assert first_broken(await w.entries("INC-1")) is None
    assert sample(w, "incident_merges_total") == 1
    assert sample(w, "incidents_finished_total", resolution="merged", severity="sev3") == 1

    await w.send(w.firing("DiskFull"), group="disk")  # a repeat
    await w.send(w.resolved("DiskFull"), group="disk")
    w.clock[0] = w.start + minutes(60 * 25)
    await w.send(w.firing("DiskFull", since=60 * 25), group="disk")
    assert sorted(await firing(w, "INC-1")) == [True, True]
    assert (await w.incident()).status is Status.INVESTIGATING


async def test_a_copy_of_what_happened_on_another_day_has_its_day(world: Making) -> None:
    w = await two(world)
    w.clock[0] = datetime(2026, 11, 24, 23, 50, tzinfo=UTC)
    await w.do(commands.add_note, "INC-2", text="the disk is full", actor=BEN)
    w.clock[0] = datetime(2026, 11, 25, 0, 10, tzinfo=UTC)
    await w.do(commands.add_note, "INC-2", text="the other one, too", actor=BEN)
    await w.do(merging.merge, 2, into=1, actor=BEN)
    copies = [text for text in await w.story("INC-1") if text.startswith("from INC-2, ")]
    assert "from INC-2, 2026-11-24 23:50:00 UTC, ben: ben: the disk is full" in copies
    assert "from INC-2, 00:10:00 UTC, ben: ben: the other one, too" in copies


async def test_a_minor_survivor_becomes_as_severe_as_what_it_takes_in(world: Making) -> None:
    w = await two(world)
    survivor = await w.do(merging.merge, 1, into=2, actor=ANA)
    assert (survivor.id, survivor.severity, survivor.peak_severity) == (2, "sev1", "sev1")
    assert survivor.urgency == "business_critical"
    assert [(change.was, change.to, change.reason) for change in survivor.severity_changes] == [
        ("sev3", "sev1", "INC-1 was sev1"),
    ]  # fmt: skip


async def test_unmerging_gives_back_alerts_as_they_stand_and_pages(world: Making) -> None:
    w = await two(world)
    await w.do(merging.merge, 2, into=1, actor=BEN)
    await w.send(w.firing("DiskFull", pod="b"), group="disk")  # of the same key, or a new one: it stays where it is
    await w.do(merging.unmerge, 2, actor=FAY, reason="two disks", admin=True)
    back = await w.incident(2)
    assert (back.status, back.merge) == (Status.INVESTIGATING, None)
    assert await firing(w, "INC-2") == [True]
    assert (await w.page(2)).subject == "INC-2"
    assert (await w.page(2)).state is PageState.OPEN
    assert "INC-2 is no part of this any more, says fay: two disks" in await w.story("INC-1")

    await w.send(w.resolved("DiskFull"), group="disk")
    await w.at(6)
    assert (await w.incident(2)).status is Status.MITIGATED
    assert (await w.incident(1)).status is Status.INVESTIGATING


async def test_what_resolved_while_it_was_part_of_another_is_mitigated_when_it_is_taken_out(world: Making) -> None:
    w = await two(world)
    await w.do(merging.merge, 2, into=1, actor=BEN)
    await w.send(w.resolved("DiskFull"), group="disk")
    back = await w.do(merging.unmerge, 2, actor=FAY, admin=True)
    assert (back.status, await firing(w, "INC-2")) == (Status.INVESTIGATING, [False])
    await w.at(6)
    assert (await w.incident(2)).status is Status.MITIGATED
    assert (await w.incident(1)).status is Status.INVESTIGATING


async def test_a_note_on_what_is_part_of_another_stands_where_people_work_on_it_and_once(world: Making) -> None:
    w = await two(world)
    await w.do(merging.merge, 2, into=1, actor=BEN)
    text = "TODO: Alert on replicas\nreplica 2 must not be promoted"
    assert await w.do(commands.add_note, "INC-2", actor=BEN, text=text) == "INC-1"
    assert (await w.story("INC-1"))[-1] == f"ben: from INC-2: {text}"
    shown = render(await w.store.read(facts.incident_facts, w.settings, 1))
    assert "ben: from INC-2: TODO: Alert on replicas / replica 2 must not be promoted" in shown
    assert ", ben: Alert on replicas\n" in shown

    assert await w.do(commands.add_note, "INC-1", actor=ANA, text="looking") == "INC-1"
    await w.do(merging.unmerge, 2, actor=FAY, admin=True)
    assert f"ben: {text}" in await w.story("INC-2"), "it goes back with what it is about"
    await w.do(merging.merge, 2, into=1, actor=BEN)
    assert len([said for said in await w.story("INC-1") if "must not be promoted" in said]) == 1


@pytest.mark.parametrize("resolved", [False, True])
async def test_what_is_mitigated_by_hand_while_it_fires_stays_so_when_it_takes_in_what_does_not_fire(
    world: Making, *, resolved: bool
) -> None:
    """What is taken in has no alerts, or one that has resolved."""
    w = await world(PEOPLE)
    await w.send(w.firing("CheckoutDown", service="shop"))
    await w.do(commands.ack_page, 1, by="ana", actor=ANA)
    if resolved:
        await w.send(w.firing("DiskFull"), group="disk")
        await w.do(lifecycle.investigate, 2, actor=BEN)
        await w.send(w.resolved("DiskFull"), group="disk")
    else:
        await w.do(commands.declare_incident, actor=ANA, title="Shop is slow", severity="sev3")
    await w.do(lifecycle.mitigate, 1, actor=ANA, note="drained")
    await w.do(merging.merge, 2, into=1, actor=ANA, admin=True)
    assert (await w.incident(1)).status is Status.MITIGATED
    assert not [kind for kind in await w.kinds("INC-1") if kind == "incident.refired"]
    assert len([kind for kind in await w.kinds("INC-1") if kind == "page.started"]) == 1


async def test_what_is_mitigated_by_hand_while_it_fires_is_back_when_it_takes_in_one_more_that_fires(
    world: Making,
) -> None:
    w = await two(world)
    await w.do(lifecycle.mitigate, 1, actor=ANA, note="drained")
    await w.do(merging.merge, 2, into=1, actor=ANA, admin=True)
    assert (await w.incident(1)).status is Status.INVESTIGATING
    assert "1 alert of what was taken in fire: the impact is back." in await w.story("INC-1")


async def test_what_takes_in_alerts_that_resolved_before_is_mitigated_and_resolved_as_if_they_did_there(
    world: Making,
) -> None:
    w = await world(PEOPLE)
    await w.do(commands.declare_incident, actor=FAY, title="Shop is slow", severity="sev3")
    await w.send(w.firing("DiskFull"), group="disk")
    await w.do(lifecycle.investigate, 2, actor=BEN)
    await w.send(w.resolved("DiskFull"), group="disk")
    await w.at(1)
    await w.do(merging.merge, 2, into=1, actor=FAY, admin=True)
    await w.at(5)
    assert (await w.incident(1)).status is Status.DECLARED, "the quiet time begins with the merge"
    await w.at(7)
    assert (await w.incident(1)).status is Status.MITIGATED
    await w.at(100)
    assert (await w.incident(1)).status is Status.RESOLVED


async def test_what_is_mitigated_is_resolved_no_later_for_taking_in_alerts_that_resolved_before(world: Making) -> None:
    w = await world(PEOPLE)
    for name, group in (("DiskFull", "disk"), ("DiskSlow", "slow")):
        await w.send(w.firing(name), group=group)
    assert (await w.incident(2)).status is Status.DECLARED
    await w.send(w.resolved("DiskFull"), group="disk")
    await w.at(6)
    assert (await w.incident(1)).status is Status.MITIGATED
    await w.send(w.resolved("DiskSlow"), group="slow")
    await w.do(merging.merge, 2, into=1, actor=FAY, admin=True)
    await w.at(34)
    assert (await w.incident(1)).status is Status.MITIGATED
    await w.at(36)
    assert (await w.incident(1)).status is Status.RESOLVED


async def test_what_has_no_alerts_and_takes_in_another_without_any_does_not_end_by_itself(world: Making) -> None:
    w = await world(PEOPLE)
    for title in ("Shop is slow", "Shop is slower"):
        await w.do(commands.declare_incident, actor=FAY, title=title, severity="sev3")
    await w.do(merging.merge, 2, into=1, actor=FAY)
    await w.at(100)
    assert (await w.incident(1)).status is Status.DECLARED


async def test_what_went_through_another_is_taken_out_of_both_and_called_for_once(world: Making) -> None:
    w = await world(PEOPLE)
    for title in ("Everything is slow", "Shop is slow"):
        await w.do(commands.declare_incident, actor=FAY, title=title, severity="sev3")
    await w.send(w.firing("DiskFull"), group="disk")
    for gone, into in ((3, 2), (2, 1)):
        await w.do(merging.merge, gone, into=into, actor=FAY, admin=True)
    await w.do(merging.unmerge, 3, actor=FAY, admin=True)
    assert [await firing(w, f"INC-{n}") for n in (1, 2, 3)] == [[], [], [True]]
    await w.do(merging.unmerge, 2, actor=FAY, admin=True)
    assert [await firing(w, f"INC-{n}") for n in (1, 2, 3)] == [[], [], [True]]
    kinds = await w.kinds("INC-2")
    assert "page.started" not in kinds[kinds.index("incident.unmerged") :]


async def test_an_alert_that_the_last_of_several_had_itself_stays_there(world: Making) -> None:
    w = await world(PEOPLE)
    await w.send(w.firing("DiskFull"), group="disk")
    for _ in range(2):
        await w.do(commands.declare_incident, actor=FAY, title="Shop is slow", severity="sev3")
    await w.store.write(lambda tx, _: subjects.copy_members(tx, of="INC-1", to="INC-3"), w.settings)
    for gone, into in ((1, 2), (2, 3)):
        await w.do(merging.merge, gone, into=into, actor=FAY, admin=True)
    await w.do(merging.unmerge, 1, actor=FAY, admin=True)
    assert [await firing(w, f"INC-{n}") for n in (1, 2, 3)] == [[True], [], [True]]


async def test_an_alert_that_two_parts_have_stays_until_the_last_of_them_is_taken_out(world: Making) -> None:
    w = await world(PEOPLE)
    await w.send(w.firing("DiskFull"), group="disk")
    for _ in range(2):
        await w.do(commands.declare_incident, actor=FAY, title="Shop is slow", severity="sev3")
    await w.store.write(lambda tx, _: subjects.copy_members(tx, of="INC-1", to="INC-3"), w.settings)
    for gone in (1, 3):
        await w.do(merging.merge, gone, into=2, actor=FAY, admin=True)
    await w.do(merging.unmerge, 1, actor=FAY, admin=True)
    assert [await firing(w, f"INC-{n}") for n in (1, 2)] == [[True], [True]]
    await w.do(merging.unmerge, 3, actor=FAY, admin=True)
    assert [await firing(w, f"INC-{n}") for n in (1, 2, 3)] == [[True], [], [True]]


@pytest.mark.parametrize("resolved", [False, True])
async def test_what_had_no_alerts_of_its_own_does_not_end_by_itself_when_what_it_took_in_is_taken_out(
    world: Making, *, resolved: bool
) -> None:
    w = await world(PEOPLE)
    await w.do(commands.declare_incident, actor=FAY, title="Shop is slow", severity="sev3")
    await w.send(w.firing("DiskFull"), group="disk")
    await w.do(merging.merge, 2, into=1, actor=FAY, admin=True)
    if resolved:
        await w.send(w.resolved("DiskFull"), group="disk")
    await w.do(merging.unmerge, 2, actor=FAY, admin=True)
    assert ("Nothing fires any more." in await w.story("INC-1")) is resolved
    await w.at(100)
    assert (await w.incident(1)).status is Status.DECLARED


async def test_what_is_mitigated_is_resolved_no_later_for_giving_back_what_it_took_in(world: Making) -> None:
    w = await world(PEOPLE)
    for name, group in (("DiskFull", "disk"), ("DiskSlow", "slow")):
        await w.send(w.firing(name), group=group)
        await w.send(w.resolved(name), group=group)
    await w.do(merging.merge, 2, into=1, actor=FAY, admin=True)
    await w.at(6)
    assert (await w.incident(1)).status is Status.MITIGATED
    await w.at(20)
    await w.do(merging.unmerge, 2, actor=FAY, admin=True)
    await w.at(36)
    assert (await w.incident(1)).status is Status.RESOLVED


async def test_circles_ends_and_strangers_are_refused_and_roots_are_found(world: Making) -> None:
    w = await two(world)
    await w.do(commands.declare_incident, actor=FAY, title="Shop is slow", severity="sev3")
    assert "say which" in await refused(w, merging.merge, 1, actor=ANA, error=BadRequest)
    assert "itself" in await refused(w, merging.merge, 1, into=1, actor=ANA)
    await refused(w, merging.merge, 1, into=2, actor=FAY, error=NotAllowed)
    await w.do(merging.merge, 2, into=1, actor=BEN)
    assert "part of INC-1 already" in await refused(w, merging.merge, 1, into=2, actor=ANA)
    assert "allowed from here: investigating" in await refused(w, merging.merge, 2, into=3, actor=BEN, admin=True)

    assert (await w.do(merging.merge, 3, into=2, actor=FAY)).id == 1  # where INC-2 went
    said = await refused(w, merging.unmerge, 1, actor=ANA)
    assert said.startswith("INC-1 is investigating; it is part of no other incident (allowed from here: identified, ")
    await refused(w, merging.unmerge, 3, actor=FAY, error=NotAllowed)  # the commander of the survivor is ana
    w.clock[0] = w.start + minutes(24 * 60 + 1)
    assert "within 1d" in await refused(w, merging.unmerge, 3, actor=ANA)
    await w.do(lifecycle.resolve, 1, actor=ANA)
    await w.do(commands.declare_incident, actor=FAY, title="Late", severity="sev3")
    said = await refused(w, merging.merge, 4, into=3, actor=FAY)
    assert said.startswith("INC-1 (that is where INC-3 went) is ")


async def test_two_merges_crosswise_leave_one_survivor(world: Making) -> None:
    w = await two(world)
    seen = [(await w.incident(n)).version for n in (1, 2)]
    await w.do(merging.merge, 1, into=2, actor=ANA, expected_version=seen[0])
    said = await refused(w, merging.merge, 2, into=1, actor=BEN, expected_version=seen[1])
    assert "INC-1 (" in said
    assert [(await w.incident(n)).status for n in (1, 2)] == [Status.MERGED, Status.INVESTIGATING]


async def test_what_is_merged_or_over_survives_no_other_though_it_is_older_and_more_severe(world: Making) -> None:
    w = await two(world)
    await w.do(merging.merge, 1, into=2, actor=ANA)
    for asked, other in ((1, 2), (2, 1)):
        said = await refused(w, merging.merge, asked, with_=other, actor=ANA, admin=True)
        assert said in (
            "INC-1 is merged; only an active incident takes another in",
            "INC-1 is part of INC-2 already; merged the other way round they would be none",
        )
    assert [(await w.incident(n)).status for n in (1, 2)] == [Status.MERGED, Status.INVESTIGATING]
