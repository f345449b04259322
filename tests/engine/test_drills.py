"""Drills: only who takes part is called, nothing of it is counted, filed or told outside."""

from __future__ import annotations

from dataclasses import replace

import pytest

from incidentd.engine import commands, handover, lifecycle, roles, updates
from incidentd.errors import Conflict
from incidentd.handover import HumanLine
from incidentd.incidents import Status
from incidentd.oncall import Channel, ChannelKind, Roster, Team
from incidentd.redaction import Secret
from incidentd.roles import Role
from incidentd.store import updates as updates_stored
from incidentd.store import views
from incidentd.updates import CADENCES, Audience, AudiencePlan, UpdateSettings
from tests.engine.test_holds_and_incidents import SETTINGS
from tests.engine.test_lifecycle import ANA, BEN, FAY, PEOPLE, sample
from tests.engine.world import Making, person, policy


async def test_a_drill_calls_only_those_who_take_part_and_counts_nowhere(world: Making) -> None:
    people = {handle: person(handle) for handle in ("ana", "ben")}
    people["ben"] = replace(people["ben"], drills=True)
    settings = replace(SETTINGS, roster=Roster(people=people), escalations=policy("default", (0, "ana"), (5, "ben")))
    w = await world(settings)
    made = await w.do(commands.declare_incident, actor=FAY, title="Region lost", severity="sev1", drill=True)
    assert made.title == "DRILL: Region lost"
    assert w.post.sent == []
    await w.at(5)
    assert [sent.channel for sent in w.post.sent] == ["ben/mail"]
    assert "DRILL" in w.post.sent[0].title
    await w.do(commands.ack_page, 1, by="ben", actor=BEN)
    item = await w.do(commands.add_action_item, 1, actor=BEN, title="Write it down")
    await w.do(roles.assign, 1, Role.OPERATIONS_LEAD, "ana", actor=BEN)
    await w.do(roles.accept, 1, actor=ANA)
    await w.do(lifecycle.resolve, 1, actor=BEN)
    assert (await w.incident()).status is Status.RESOLVED
    assert (item.state, list(w.backlog.issues.values())) == ("open", [])
    w.metrics.set_state(await w.store.read(views.state_counts))
    counted = {
        sample.name: sample.value
        for family in w.metrics.registry.collect()
        for sample in family.samples
        if sample.name.startswith(
            (
                "incidentd_incident",
                "incidentd_page",
                "incidentd_response",
                "incidentd_escalation",
                "incidentd_role",
                "incidentd_postmortem",
                "incidentd_action_item",
                "incidentd_toil",
                "incidentd_repeat",
            )
        )
        and not sample.name.endswith("_bucket")
    }
    assert not any(counted.values()), counted


async def test_a_handover_in_a_drill_is_not_announced_in_a_room(world: Making) -> None:
    shared = Channel(name="room", kind=ChannelKind.CHAT, url=Secret("json://127.0.0.1:9/room"))
    people = replace(PEOPLE.roster, teams={"shop": Team(name="shop", people=("ben",), channel="room")})
    w = await world(replace(PEOPLE, roster=people, channels={"room": shared}))
    told = {}
    for number, drill in ((1, True), (2, False)):
        await w.do(
            commands.declare_incident, actor=ANA, title="Region lost", severity="sev3", drill=drill, teams=("shop",)
        )
        await w.do(handover.say, number, dict.fromkeys(HumanLine, "none") | {HumanLine.TREND: "same"}, actor=ANA)
        asking = updates.Asking(actor=ANA)
        await w.do(handover.offer, number, roles=(Role.INCIDENT_COMMANDER,), receiver="ben", asking=asking)
        await w.do(handover.accept, number, actor=BEN)
        told[drill] = [it.title for it in w.post.sent if it.channel == "room"]
    assert told[True] == []
    assert any(title.startswith("INC-2: ben is Incident Commander now") for title in told[False])


async def test_in_a_drill_updates_are_practised_and_nobody_gets_them(world: Making) -> None:
    inside = AudiencePlan(channels=("staff",), cadences=CADENCES[Audience.INTERNAL])
    outside = AudiencePlan(channels=("status",), cadences=CADENCES[Audience.EXTERNAL])
    told = UpdateSettings(audiences={Audience.INTERNAL: inside, Audience.EXTERNAL: outside})
    w = await world(replace(PEOPLE, updates=told))
    await w.do(commands.declare_incident, actor=ANA, title="Region lost", severity="sev1", drill=True)
    text = "Half of all pages do not load; whoever reloads sees them."
    asking = updates.Asking(actor=ANA)
    sent, _ = await w.do(updates.send_update, 1, audience=Audience.INTERNAL, asking=asking, text=text)
    assert sent.text == text
    assert any("ana told internal (a drill: it stands here, and went to nobody)" in it for it in await w.story("INC-1"))
    with pytest.raises(Conflict, match="INC-1 is a drill: people outside are told nothing of it"):
        await w.do(updates.send_update, 1, audience=Audience.EXTERNAL, asking=asking, text=text)
    assert w.post.sent == []
    assert sample(w, "incident_updates_total", audience="internal", timeliness="on_time") == 0
    assert (await w.store.read(updates.outside, w.settings))["incidents"] == []


async def test_of_a_drill_nobody_outside_is_promised_a_word(world: Making) -> None:
    outside = AudiencePlan(channels=("status",), cadences=CADENCES[Audience.EXTERNAL])
    told = UpdateSettings(audiences={Audience.EXTERNAL: outside})
    w = await world(replace(PEOPLE, updates=told))
    for drill in (True, False):
        await w.do(commands.declare_incident, actor=ANA, title="Region lost", severity="sev1", drill=drill)
    promised = [await w.store.read(updates_stored.promises, number) for number in (1, 2)]
    assert [list(it) for it in promised] == [[], [Audience.EXTERNAL]]
