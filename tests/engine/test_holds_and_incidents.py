"""The course of holds and incidents, in simulated time on a real store."""

from dataclasses import replace

import pytest

from incidentd.actionitems import JiraSettings
from incidentd.engine import commands, lifecycle
from incidentd.errors import Conflict
from incidentd.holds import HoldPolicy, HoldState, Outcome
from incidentd.incidents import Status, Trigger
from incidentd.matchers import parse_matcher
from incidentd.pages import PageState
from incidentd.redaction import Secret
from incidentd.rules import CATCH_ALL, Decide, SeverityRule
from incidentd.settings import Settings
from incidentd.timeline import Actor
from tests.engine.world import Making, minutes, policy, roster

ANA = Actor(name="ana", via="api")

LAG = SeverityRule(
    name="queue-lag", match=(parse_matcher('alertname="QueueLag"'),), decide=Decide.HOLD, severity="sev3",
    urgency="urgent", page="platform",
    hold=HoldPolicy(no_progress_after=minutes(20), hard_cap=minutes(60), quiet=minutes(5)),
)  # fmt: skip
MONEY = SeverityRule(
    name="bleeding", match=(parse_matcher('alertname="CheckoutDown"'),), decide=Decide.DECLARE, severity="sev1",
    urgency="business_critical", page="platform", because="Every minute without checkout costs money.",
)  # fmt: skip
SETTINGS = Settings(
    external_url="http://incidentd.example.org",
    rules=(LAG, MONEY, CATCH_ALL),
    roster=roster("ana", "ben"),
    escalations={**policy("platform", (0, "ana"), (5, "ben")), **policy("default", (0, "ana"))},
)

QUIETLY = replace(LAG, page="", hold=HoldPolicy())
JIRA = JiraSettings(url="http://jira", token=Secret("t0ken-of-the-test"), project="OPS")


async def test_a_held_alert_is_declared_when_nobody_makes_progress(world: Making) -> None:
    w = await world(SETTINGS)
    await w.send(w.firing(service="mail"))
    assert (await w.hold()).deadline_at == w.now + minutes(20)

    await w.at(19.9)
    assert (await w.hold()).state is HoldState.HOLDING

    await w.at(20)
    hold, incident = await w.hold(), await w.incident()
    assert (hold.state, hold.outcome) == (HoldState.DECLARED, Outcome.DECLARED_NO_PROGRESS)
    assert (incident.trigger, incident.severity, incident.hold_id) == (Trigger.HOLD, "sev3", 1)
    assert "Declared: no progress for 20m; 1 firing at 14:00:00 UTC, 1 firing now." in await w.story("HOLD-1")


async def test_an_acknowledgement_is_not_progress(world: Making) -> None:
    w = await world(SETTINGS)
    await w.send(w.firing())
    await w.at(10)
    await w.do(commands.ack_page, 1, by="ana", actor=ANA)
    await w.at(20)

    assert (await w.hold()).outcome is Outcome.DECLARED_NO_PROGRESS
    assert "The acknowledgement by ana is not progress; the wait goes on." in await w.story("HOLD-1")


async def test_fewer_firing_alerts_are_progress_and_repeats_are_not(world: Making) -> None:
    w = await world(SETTINGS)
    alerts = [w.firing(pod=str(n)) for n in range(5)]
    await w.send(*alerts)
    await w.at(9)
    await w.send(*alerts)
    assert (await w.hold()).deadline_at == w.now + minutes(11)

    await w.send(w.resolved(pod="0"))
    assert (await w.hold()).deadline_at == w.now + minutes(20)
    await w.at(29)
    assert (await w.hold()).outcome is Outcome.DECLARED_NO_PROGRESS


async def test_two_notes_restart_the_wait_and_a_third_does_not(world: Making) -> None:
    w = await world(SETTINGS)
    await w.send(w.firing())
    await w.do(commands.ack_page, 1, by="ana", actor=ANA)
    for minute in (10, 20, 30):
        await w.at(minute)
        await w.do(commands.add_note, "HOLD-1", actor=ANA, text="found the slow consumer")

    assert (await w.hold()).deadline_at == w.now + minutes(10)
    await w.at(40)
    assert (await w.hold()).outcome is Outcome.DECLARED_NO_PROGRESS


async def test_progress_never_moves_a_hold_past_its_cap(world: Making) -> None:
    w = await world(replace(SETTINGS, rules=(replace(QUIETLY, hold=HoldPolicy(hard_cap=minutes(40))), CATCH_ALL)))
    await w.send(w.firing())
    await w.at(25)
    await w.do(commands.add_note, "HOLD-1", actor=ANA, text="on it")
    await w.at(40)

    assert (await w.hold()).outcome is Outcome.DECLARED_HARD_CAP


async def test_a_hold_closes_when_its_alerts_stay_resolved(world: Making) -> None:
    w = await world(SETTINGS)
    await w.send(w.firing())
    await w.at(4)
    await w.send(w.resolved())
    await w.at(8.9)
    assert (await w.hold()).state is HoldState.RECOVERING
    await w.at(9)

    assert (await w.hold()).outcome is Outcome.SELF_RESOLVED
    assert (await w.page()).state is PageState.RESOLVED


@pytest.mark.parametrize(
    ("on", "off", "minute", "outcome"),
    [(4, 3, 21, Outcome.DECLARED_FLAPPING), (10, 4, 42, Outcome.DECLARED_FLAPPING)],
)
async def test_flapping_declares(world: Making, on: float, off: float, minute: float, outcome: Outcome) -> None:
    w = await world(replace(SETTINGS, rules=(QUIETLY, CATCH_ALL)))
    at = 0.0
    while at <= minute:
        await w.at(at)
        await w.send(w.firing(since=at))
        await w.at(at + on)
        if (await w.hold()).state is HoldState.HOLDING:
            await w.send(w.resolved(since=at))
        at += on + off

    hold = await w.hold()
    assert hold.outcome is outcome
    assert hold.ended_at == hold.opened_at + minutes(minute)


async def test_slow_flapping_uses_up_the_patience_of_its_successor(world: Making) -> None:
    w = await world(replace(SETTINGS, rules=(QUIETLY, CATCH_ALL)))
    await w.send(w.firing())
    await w.at(25)
    await w.send(w.resolved())
    await w.at(35)
    await w.send(w.firing(since=35))
    await w.at(45)

    assert (await w.hold(2)).outcome is Outcome.DECLARED_NO_PROGRESS


async def test_bleeding_money_is_declared_at_once_and_pages_the_one_on_call(world: Making) -> None:
    w = await world(SETTINGS)
    await w.send(w.firing("CheckoutDown", service="checkout"))

    incident = await w.incident()
    assert (incident.status, incident.severity, incident.trigger) == (Status.DECLARED, "sev1", Trigger.RULE)
    assert "Every minute without checkout costs money." in incident.reason
    assert len(w.post.to("ana/mail")) == 1
    assert w.post.to("ben/mail") == []


async def test_an_unanswered_page_escalates_and_is_breached(world: Making) -> None:
    w = await world(SETTINGS)
    await w.send(w.firing("CheckoutDown"))
    await w.at(5)

    assert len(w.post.to("ben/mail")) == 1
    assert (await w.page()).breached
    assert "PAGE-1 was not answered within 5m." in await w.story("INC-1")


async def test_an_acknowledged_page_stops_and_the_incident_is_investigated(world: Making) -> None:
    w = await world(SETTINGS)
    await w.send(w.firing("CheckoutDown"))
    await w.at(3)
    await w.do(commands.ack_page, 1, by="ana", actor=ANA)
    for minute in (15, 29, 43, 57):  # an answer that nothing follows would expire
        await w.at(minute)
        await w.do(commands.add_note, "INC-1", actor=ANA, text="calling the card gateway")
    await w.at(60)

    incident = await w.incident()
    assert (incident.status, incident.acknowledged_at) == (Status.INVESTIGATING, incident.declared_at + minutes(3))
    assert w.post.to("ben/mail") == []
    with pytest.raises(Conflict, match="acknowledged by ana"):
        await w.do(commands.ack_page, 1, by="ben", actor=Actor(name="ben", via="api"))


async def test_an_incident_whose_alerts_stay_resolved_is_mitigated_and_reopened_by_a_new_fire(world: Making) -> None:
    w = await world(SETTINGS)
    await w.send(w.firing("CheckoutDown"))
    await w.at(2)
    await w.send(w.resolved("CheckoutDown"))
    await w.at(7)
    assert (await w.incident()).status is Status.MITIGATED
    assert any("Resolved by itself" in title for title in w.post.to("ana/mail"))

    await w.at(8)
    await w.send(w.firing("CheckoutDown", since=8))
    assert (await w.incident()).status is Status.INVESTIGATING


async def test_resolving_drafts_the_postmortem_and_files_the_action_item_once(world: Making) -> None:
    w = await world(replace(SETTINGS, jira=JIRA))
    await w.send(w.firing("CheckoutDown"))
    await w.do(lifecycle.resolve, 1, actor=ANA, note="rolled back")
    item = await w.do(commands.add_action_item, 1, actor=ANA, title="Alert on queue depth")

    assert (await w.incident()).status is Status.POSTMORTEM  # a sev1 asks for one
    assert "postmortem.drafted" in await w.kinds("INC-1")
    assert [issue.id for issue in w.backlog.issues.values()] == [item.id]
    assert "AI-1 is OPS-1 in Jira: Alert on queue depth" in await w.story("INC-1")


async def test_a_body_delivered_many_times_makes_one_hold_one_page_and_one_entry(world: Making) -> None:
    w = await world(SETTINGS)
    alert = w.firing()
    for _ in range(20):
        await w.send(alert)

    assert len(w.post.sent) == 1
    assert (await w.kinds("HOLD-1")).count("alert.fired") == 1


async def test_the_same_body_is_a_new_fire_once_its_alert_has_resolved(world: Making) -> None:
    w = await world(SETTINGS)
    alert = w.firing()
    await w.send(alert)
    await w.at(1)
    await w.send(w.resolved())
    await w.at(30)
    assert (await w.hold()).outcome is Outcome.SELF_RESOLVED

    await w.send(alert)
    assert (await w.hold(2)).state is HoldState.HOLDING


async def test_a_held_page_that_nobody_answers_in_time_declares(world: Making) -> None:
    w = await world(replace(SETTINGS, rules=(replace(LAG, hold=HoldPolicy(no_progress_after=minutes(50))), CATCH_ALL)))
    await w.send(w.firing())
    await w.at(30)

    assert (await w.hold()).outcome is Outcome.DECLARED_ACK_MISSED
    assert (await w.page()).subject == "INC-1"


async def test_who_declares_a_hold_by_hand_commands_the_incident(world: Making) -> None:
    w = await world(SETTINGS)
    await w.send(w.firing())
    ben = Actor(name="ben", via="api")
    incident = await w.do(commands.declare_hold, 1, actor=ben, reason="customers call")

    assert (incident.declared_by, incident.commander) == ("ben", "ben")
    assert (await w.hold()).outcome is Outcome.DECLARED_MANUAL
