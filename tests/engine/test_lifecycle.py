"""The lifecycle of incidents over hours: who moves them, what comes back, what is called off, and what goes stale."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from incidentd.document import render
from incidentd.engine import commands, lifecycle, records, roles
from incidentd.errors import BadRequest, Conflict, NotAllowed
from incidentd.holds import HoldPolicy, HoldState
from incidentd.incidents import StandDown, Status
from incidentd.pages import PageState
from incidentd.records import Belief, CriterionState
from incidentd.roles import Role
from incidentd.settings import Settings
from incidentd.store import facts, things, views
from incidentd.timeline import Actor, first_broken
from incidentd.updates import Audience, Known, draft
from tests.engine.test_holds_and_incidents import LAG, MONEY, SETTINGS
from tests.engine.world import Making, World, minutes, roster

ANA, BEN, CHO, FAY = (Actor(name=name, via="api") for name in ("ana", "ben", "cho", "fay"))
SMALL = replace(MONEY, name="small", severity="sev3", urgency="urgent")
MINOR = replace(SETTINGS, rules=(replace(SMALL, match=()),))
PEOPLE = replace(SETTINGS, roster=roster("ana", "ben", "cho", "fay"))


def sample(w: World, name: str, **labels: str) -> float:
    return w.metrics.registry.get_sample_value(f"incidentd_{name}", labels) or 0


async def refused(w: World, command: Any, *args: Any, error: type[Exception] = Conflict, **how: Any) -> str:
    with pytest.raises(error) as said:
        await w.do(command, *args, **how)
    return str(said.value)


async def begun(world: Making, settings: Settings = PEOPLE) -> World:
    """Declare INC-1 by an alert, and let ana take it."""
    w = await world(settings)
    await w.send(w.firing("CheckoutDown", service="shop"))
    await w.do(commands.ack_page, 1, by="ana", actor=ANA)
    return w


async def test_a_story_from_identified_to_closed_leaves_its_instants_and_sentences(world: Making) -> None:
    w = await begun(world)
    await w.at(5)
    await w.do(lifecycle.identify, 1, actor=ANA, cause="the disk is full")
    await w.at(6)
    await w.do(lifecycle.investigate, 1, actor=ANA, text="the disk is fine")
    await w.do(lifecycle.identify, 1, actor=ANA, cause="the cache is cold")
    await w.at(8)
    await w.do(lifecycle.mitigate, 1, actor=ANA, note="warmed")
    await w.at(12)
    done = await w.do(lifecycle.resolve, 1, actor=ANA, note="restarted")
    incident = await w.incident()
    assert (done.status, incident.status, incident.cause) == (Status.RESOLVED, Status.POSTMORTEM, "the cache is cold")
    assert incident.identified_at == w.start + minutes(6)
    assert incident.mitigated_at == w.start + minutes(8)
    story = await w.story("INC-1")
    assert "Not the cause after all: the disk is full. ana investigates again: the disk is fine" in story
    assert "Mitigated by ana: warmed" in story
    assert await refused(w, lifecycle.close, 1, actor=ANA) == "the postmortem of INC-1 is not published yet"
    assert sample(w, "incident_time_to_mitigate_seconds_count", severity="sev1") == 1
    assert first_broken(await w.entries("INC-1")) is None


async def test_a_stranger_is_told_who_may_and_an_admin_may_always(world: Making) -> None:
    w = await begun(world)
    said = await refused(w, lifecycle.resolve, 1, actor=FAY, error=NotAllowed)
    assert "IC may (its Incident Commander is ana)" in said
    assert await refused(w, lifecycle.correct_times, 1, actor=FAY, times={"detected_at": w.now}, error=NotAllowed)
    assert (await w.do(lifecycle.resolve, 1, actor=FAY, admin=True)).status is Status.RESOLVED


async def test_of_two_who_move_it_at_once_one_wins_and_the_other_is_told_what_changed(world: Making) -> None:
    w = await begun(world)
    seen = (await w.incident()).version
    await w.do(lifecycle.mitigate, 1, actor=ANA, note="rolled back", expected_version=seen)
    said = await refused(w, lifecycle.stand_down, 1, actor=BEN, code="duplicate", admin=True, expected_version=seen)
    assert f"you saw version {seen}, it is {seen + 1} and mitigated now" in said
    assert "ana: Mitigated by ana: rolled back" in said


async def test_two_units_at_the_same_moment_leave_one_winner_and_one_who_knows_why(world: Making) -> None:
    w = await begun(world)
    seen = (await w.incident()).version
    both = await asyncio.gather(
        w.store.write(lifecycle.mitigate, w.settings, 1, actor=ANA, expected_version=seen),
        w.store.write(lifecycle.resolve, w.settings, 1, actor=ANA, expected_version=seen),
        return_exceptions=True,
    )
    [loser] = [one for one in both if isinstance(one, Conflict)]
    [winner] = [one for one in both if not isinstance(one, BaseException)]
    assert "Meanwhile: " in str(loser)
    assert (await w.incident()).version >= winner.version == seen + 1


async def test_the_same_thing_within_an_hour_reopens_and_later_it_is_a_recurrence(world: Making) -> None:
    w = await begun(world, replace(PEOPLE, rules=MINOR.rules))
    await w.at(4)
    await w.do(lifecycle.resolve, 1, actor=ANA)
    await w.send(w.resolved("CheckoutDown", service="shop"))
    assert await w.store.read(things.postmortem_state, 1) == "draft"
    await w.at(60)
    await w.send(w.firing("CheckoutDown", service="shop"))
    incident = await w.incident()
    assert (incident.status, incident.reopened, incident.resolved_at) == (Status.INVESTIGATING, 1, None)
    assert (await w.page(2)).state is PageState.OPEN
    assert sample(w, "incidents_reopened_total", severity="sev3") == 1

    await w.do(lifecycle.resolve, 1, actor=ANA)
    await w.send(w.resolved("CheckoutDown", since=60, service="shop"))
    await w.at(121)
    await w.send(w.firing("CheckoutDown", service="shop"))
    again = await w.incident(2)
    assert (again.recurrence_of, (await w.incident()).status) == (1, Status.RESOLVED)
    assert "The same thing was INC-1 before." in (await w.story("INC-2"))[0]
    assert sample(w, "repeat_incidents_total", service="shop") == 1
    said = await refused(w, lifecycle.reopen, 1, actor=ANA, reason="not over")
    assert said.startswith("something else of the same correlation key is open")


async def test_what_did_not_resolve_it_after_all_is_no_reason_to_call_it_off(world: Making) -> None:
    w = await begun(world, replace(PEOPLE, rules=MINOR.rules))
    await w.do(lifecycle.resolve, 1, actor=ANA, note="Rolled back to 4.1")
    await w.send(w.resolved("CheckoutDown", service="shop"))
    await w.at(20)
    await w.send(w.firing("CheckoutDown", service="shop"))
    assert ((await w.incident()).status, (await w.incident()).resolution) == (Status.INVESTIGATING, "")
    page = render(await w.store.read(facts.incident_facts, w.settings, 1))
    assert "Resolution: " not in page
    assert "Resolved by ana: Rolled back to 4.1" in page
    await w.at(40)
    await w.do(lifecycle.stand_down, 1, actor=ANA, code="third_party_only")
    text = draft(Known(incident=await w.incident()), Audience.INTERNAL, w.now)
    assert text.endswith("is called off because [say: why].")


async def test_people_reopen_within_a_day_with_a_reason(world: Making) -> None:
    w = await begun(world)
    await w.do(lifecycle.resolve, 1, actor=ANA)
    await refused(w, lifecycle.reopen, 1, actor=BEN, reason=" ", error=BadRequest)
    await w.at(23 * 60)
    back = await w.do(lifecycle.reopen, 1, actor=BEN, reason="orders still fail")
    assert (back.status, back.reopened) == (Status.INVESTIGATING, 1)
    assert any("orders still fail (1 alert firing now.)" in one for one in await w.story("INC-1"))
    await w.do(lifecycle.resolve, 1, actor=ANA, note="orders work")
    assert "orders work" in (await w.store.read(views.postmortem, 1))["markdown"]  # the draft was written again
    await w.at(48 * 60)
    assert "Declare a new incident" in await refused(w, lifecycle.reopen, 1, actor=BEN, reason="again")


async def test_a_stand_down_gives_the_all_clear_to_exactly_those_who_were_told(world: Making) -> None:
    w = await begun(world)
    told = {sent.channel for sent in w.post.sent}
    await w.at(3)
    assert "false_positive" in await refused(w, lifecycle.stand_down, 1, actor=ANA, code="", error=BadRequest)
    assert "no reason code" in await refused(w, lifecycle.stand_down, 1, actor=ANA, code="lol", error=BadRequest)
    before = len(w.post.sent)
    await w.do(lifecycle.stand_down, 1, actor=ANA, code="false_positive", text="a probe was wrong")
    clear = w.post.sent[before:]
    assert sorted(sent.channel for sent in clear) == sorted(told)
    assert "is called off because false positive: a probe was wrong" in clear[0].body
    incident = await w.incident()
    assert (incident.status, incident.stand_down, incident.commander) == (
        Status.STOOD_DOWN, StandDown.FALSE_POSITIVE, "",
    )  # fmt: skip
    review = (await w.store.read(views.postmortem, 1))["markdown"]
    assert "CheckoutDown" in review
    assert "at most 1 person x 3 minutes = 3 minutes" in review
    assert "ana" in review
    assert sample(w, "incidents_finished_total", resolution="stood_down", severity="sev1") == 1

    await w.at(10)
    await w.send(w.resolved("CheckoutDown", service="shop"))
    await w.at(20)
    await w.send(w.firing("CheckoutDown", since=20, service="shop"))
    assert (await w.incident()).status is Status.INVESTIGATING  # it was wrong to stand it down


async def test_severity_up_pages_anew_and_down_needs_a_reason(world: Making) -> None:
    w = await begun(world, replace(PEOPLE, rules=MINOR.rules))
    assert (await w.page()).state is PageState.ACKED
    await w.do(lifecycle.set_severity, 1, actor=ANA, severity="sev1", reason="all customers")
    page = await w.page()
    assert (page.state, page.urgency) == (PageState.OPEN, "business_critical")
    assert page.title.startswith("Raised to sev1")
    await refused(w, lifecycle.set_severity, 1, actor=ANA, severity="sev2", error=BadRequest)
    await refused(w, lifecycle.set_severity, 1, actor=FAY, severity="sev2", reason="meh", error=NotAllowed)
    assert "sev9" in await refused(w, lifecycle.set_severity, 1, actor=ANA, severity="sev9", error=BadRequest)
    await w.do(lifecycle.set_severity, 1, actor=ANA, severity="sev2", reason="one region")
    incident = await w.incident()
    assert (incident.severity, incident.peak_severity) == ("sev2", "sev1")
    assert [sample(w, "incident_severity_changes_total", direction=it) for it in ("up", "down")] == [1, 1]

    await w.do(lifecycle.resolve, 1, actor=ANA)
    assert (await w.do(lifecycle.set_severity, 1, actor=ANA, severity="sev3")).final_severity == "sev3"


async def test_instants_are_corrected_together_and_what_was_recorded_stays(world: Making) -> None:
    w = await begun(world)
    earlier = w.start - timedelta(hours=1)
    incident = await w.do(
        lifecycle.correct_times, 1, actor=ANA, times={"detected_at": earlier, "impact_started_at": earlier}
    )
    assert incident.detected_at == incident.impact_started_at == earlier
    assert [entry.recorded for entry in incident.corrections] == [w.start, w.start]
    assert any(one.startswith("impact_started_at corrected by ana: 2026-11-24 13:00") for one in await w.story("INC-1"))
    await refused(
        w, lifecycle.correct_times, 1, actor=ANA, times={"detected_at": w.start + minutes(1)}, error=BadRequest
    )
    await refused(w, lifecycle.correct_times, 1, actor=ANA, times={}, error=BadRequest)


@pytest.mark.slow
async def test_the_system_resolves_what_is_small_and_healthy_and_never_what_is_serious(world: Making) -> None:
    w = await begun(world, replace(PEOPLE, rules=(replace(MONEY, severity="sev2"), replace(SMALL, match=()))))
    await w.send(w.firing("DiskFull"))
    await w.do(commands.ack_page, 2, by="ana", actor=ANA)
    await w.send(w.resolved("CheckoutDown", service="shop"), w.resolved("DiskFull"))
    await w.at(34.9)
    assert (await w.incident(2)).status is Status.MITIGATED
    await w.at(35)
    assert (await w.incident(2)).status is Status.RESOLVED
    assert "Resolved by incidentd: nothing fired for 30m after it was mitigated" in await w.story("INC-2")
    await w.at(24 * 60)
    assert (await w.incident(1)).status is Status.MITIGATED


async def test_what_fires_again_before_that_is_investigated_again_and_not_resolved(world: Making) -> None:
    w = await begun(world, replace(PEOPLE, rules=MINOR.rules))
    await w.send(w.resolved("CheckoutDown", service="shop"))
    await w.at(20)
    await w.send(w.firing("CheckoutDown", since=20, service="shop"))
    assert (await w.incident()).status is Status.INVESTIGATING
    await w.at(120)
    assert (await w.incident()).status is Status.INVESTIGATING


async def test_what_a_person_mitigates_while_it_fires_comes_back_only_when_more_fires(world: Making) -> None:
    w = await begun(world)
    await w.send(w.firing("CheckoutDown", service="shop", pod="b"))
    await w.do(lifecycle.mitigate, 1, actor=ANA, note="traffic goes elsewhere")
    await w.send(w.resolved("CheckoutDown", service="shop"))
    assert (await w.incident()).status is Status.MITIGATED  # one less fires: that is no relapse
    await w.at(1)
    await w.send(w.firing("CheckoutDown", service="shop"))
    assert (await w.incident()).status is Status.INVESTIGATING


async def test_the_deputy_is_asked_with_those_on_call_when_the_commander_is_silent(world: Making) -> None:
    w = await begun(world)
    await w.do(roles.assign, 1, Role.DEPUTY, "fay", actor=FAY)
    await w.at(90)
    asked = [entry.data["asked"] for entry in await w.entries("INC-1") if entry.kind == "incident.stale"]
    assert asked == [["ana"], ["ana", "fay"]]


@pytest.mark.slow
async def test_a_page_that_calls_nobody_any_more_keeps_nobody_from_being_asked(world: Making) -> None:
    w = await world(PEOPLE)
    await w.do(commands.declare_incident, actor=CHO, title="Down", severity="sev1", page="platform")
    await w.do(lifecycle.mitigate, 1, actor=CHO)
    await w.at(90)
    page = await w.page()
    assert (page.state, page.paged, page.acked_at) == (PageState.OPEN, ("ana",), None)
    asked = [entry.data["asked"] for entry in await w.entries("INC-1") if entry.kind == "incident.stale"]
    assert asked == [["cho"], ["cho", "ana"]]


async def test_what_waits_for_a_criterion_is_resolved_once_it_is_met_and_stayed_healthy(world: Making) -> None:
    w = await begun(world, replace(PEOPLE, rules=MINOR.rules))
    await w.do(records.add_criterion, 1, actor=ANA, text="p99 under 1 s")
    await w.send(w.resolved("CheckoutDown", service="shop"))
    await w.at(50)
    assert (await w.incident()).status is Status.MITIGATED
    await w.do(records.settle_criterion, 1, 1, actor=ANA, state=CriterionState.MET)
    await w.at(66)
    incident = await w.incident()
    assert incident.resolved_at == w.start + minutes(65)
    assert incident.status is Status.POSTMORTEM  # it took more than an hour


async def test_while_nobody_commands_whoever_is_on_call_lowers_a_severity_and_no_stranger(world: Making) -> None:
    w = await world(replace(PEOPLE, rules=MINOR.rules))
    await w.send(w.firing("CheckoutDown", service="shop"))
    assert (await w.incident()).commander == ""
    said = await refused(w, lifecycle.set_severity, 1, actor=FAY, severity="sev4", reason="meh", error=NotAllowed)
    assert "lowered by whoever is on call for it, while nobody commands" in said
    assert (await w.do(lifecycle.set_severity, 1, actor=ANA, severity="sev4", reason="one user")).severity == "sev4"


async def test_whoever_comes_second_is_told_of_what_incidentd_did_and_not_of_what_was_before(world: Making) -> None:
    w = await begun(world)
    seen = (await w.incident()).version
    await w.send(w.resolved("CheckoutDown", service="shop"))
    await w.at(6)
    await w.do(commands.add_note, "INC-1", actor=BEN, text="all is well")
    said = await refused(w, lifecycle.resolve, 1, actor=ANA, expected_version=seen)
    assert "Meanwhile: 14:05:00 UTC, incidentd: Mitigated: all its alerts stayed resolved." in said
    assert "ana has it" not in said
    assert "all is well" not in said  # that changed nothing


async def test_silence_asks_the_commander_then_those_on_call_then_once_a_working_day(world: Making) -> None:
    lasting = {name: replace(it, renotify=timedelta(0)) for name, it in PEOPLE.urgencies.items()}  # no page of six days
    w = await begun(world, replace(PEOPLE, urgencies=lasting))  # sev1: to be heard every 30 minutes; a Tuesday, 14:00
    await w.at(59)
    assert "incident.stale" not in await w.kinds("INC-1")
    for _ in range(3):
        await w.do(commands.add_note, "INC-1", actor=ANA, text="still looking")
    await w.at(118)
    assert "incident.stale" not in await w.kinds("INC-1")
    await w.at(24 * 60 * 6)
    asked = [entry for entry in await w.entries("INC-1") if entry.kind == "incident.stale"]
    when = [f"{entry.at:%a %H:%M}" for entry in asked]
    assert when == ["Tue 15:59", "Tue 16:29", "Wed 09:00", "Thu 09:00", "Fri 09:00", "Mon 09:00"]
    assert asked[0].text == "Nothing was heard for 1h; asking ana."
    assert any("nothing was heard for 1h" in sent.title for sent in w.post.sent)


async def test_a_hold_of_the_same_key_waits_as_before(world: Making) -> None:
    hold = replace(LAG, match=(), hold=HoldPolicy(no_progress_after=minutes(20), quiet=minutes(5)))
    w = await world(replace(PEOPLE, rules=(hold,)))
    await w.send(w.firing())
    await w.at(20)
    assert (await w.incident()).trigger == "hold"
    await w.do(lifecycle.resolve, 1, actor=ANA)
    await w.send(w.resolved())
    await w.at(100)
    await w.send(w.firing(since=100))
    assert (await w.hold(2)).state is HoldState.HOLDING
    await w.at(120)
    assert (await w.incident(2)).recurrence_of == 1


async def test_what_people_put_down_keeps_it_from_its_next_state(world: Making) -> None:
    """A supported hypothesis is a cause, an open exit criterion blocks the resolve, a change in place the close."""
    w = await begun(world)
    assert "mark a hypothesis as supported" in await refused(w, lifecycle.identify, 1, actor=ANA, error=BadRequest)
    await w.do(records.add_hypothesis, 1, actor=ANA, text="The index is gone")
    await w.do(records.judge_hypothesis, 1, 1, actor=ANA, state=Belief.SUPPORTED)
    assert (await w.do(lifecycle.identify, 1, actor=ANA)).status is Status.IDENTIFIED

    await w.do(records.add_criterion, 1, actor=ANA, text="p99 under 1 s for 30 minutes")
    assert "X1 is neither met nor waived" in await refused(w, lifecycle.resolve, 1, actor=ANA)
    await w.do(records.settle_criterion, 1, 1, actor=ANA, state=CriterionState.MET)
    await w.do(records.add_change, 1, actor=ANA, what="the old index is back", undo="drop it")
    await w.do(lifecycle.resolve, 1, actor=ANA)
    closing = refused(w, lifecycle.close, 1, actor=ANA, admin=True, waive="the same as before")
    assert "C1 is still in place" in await closing
