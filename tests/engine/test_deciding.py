"""Alerts of one correlation key that are not equally bad: each is decided about by itself, the worst first."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest

from incidentd.engine import commands, lifecycle
from incidentd.errors import NotFound
from incidentd.holds import HoldPolicy, HoldState, Outcome
from incidentd.rules import CATCH_ALL, Decide, FromLabel, Grade
from incidentd.store import inbox, subjects, things
from incidentd.timeline import Actor
from tests.engine.test_holds_and_incidents import LAG, SETTINGS
from tests.engine.world import Making, World, minutes

GRADES = {
    "critical": Grade(severity="sev1", urgency="business_critical", decide=Decide.DECLARE, waits=minutes(0)),
    "error": Grade(severity="sev2", urgency="business_critical", decide=Decide.HOLD, waits=minutes(10)),
    "warning": Grade(severity="sev3", urgency="urgent", decide=Decide.HOLD, waits=minutes(20)),
    "info": Grade(severity="sev4", urgency="ticket", decide=Decide.TICKET),
    "none": Grade(severity="sev4", urgency="ticket", decide=Decide.RECORD),
}
BY_LABEL = replace(
    LAG, severity="sev1", urgency="business_critical", decide=Decide.DECLARE, hold=HoldPolicy(),
    from_label=FromLabel(label="severity", grades=GRADES),
)  # fmt: skip
ANA = Actor(name="ana", via="api")
AS_IT_SAYS = replace(SETTINGS, rules=(BY_LABEL, CATCH_ALL))


def orders(*severities: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("order", list(permutations(severities)), ids="-".join)


async def decided(w: World, *severities: str) -> list[tuple[str, str]]:
    """Say of the alert of each severity what was decided, and to what it came."""
    fingerprints = [str(w.firing(severity=severity)["fingerprint"]) for severity in severities]
    rows = {row.fingerprint: row for row in await w.store.read(inbox.alerts_of, "default", fingerprints)}
    return [(rows[one].decision, rows[one].subject) for one in fingerprints]


async def firing(w: World, subject: str) -> int:
    return await w.store.read(subjects.firing, subject)


@orders("critical", "warning", "info")
async def test_in_whatever_order_a_body_lists_them_the_worst_is_declared_and_paged_and_no_other_decision_is_lost(
    world: Making, order: tuple[str, ...]
) -> None:
    w = await world(AS_IT_SAYS)
    await w.send(*(w.firing(severity=severity) for severity in ("none", *order)))

    incident, page = await w.incident(), await w.page()
    assert (incident.severity, incident.urgency) == ("sev1", "business_critical")
    assert (page.subject, page.urgency, page.policy) == ("INC-1", "business_critical", "platform")
    assert await decided(w, "critical", "warning", "info", "none") == [
        ("declare", "INC-1"), ("hold", "INC-1"), ("ticket", "AI-1"), ("record", "")
    ]  # fmt: skip
    assert await firing(w, "INC-1") == 2
    with pytest.raises(NotFound):
        await w.hold()  # the incident was there first


@orders("error", "warning", "info")
async def test_of_several_that_are_held_the_worst_opens_the_hold_and_the_others_join_or_stay_beside_it(
    world: Making, order: tuple[str, ...]
) -> None:
    w = await world(AS_IT_SAYS)
    await w.send(*(w.firing(severity=severity) for severity in order))

    hold, page = await w.hold(), await w.page()
    assert (hold.severity, hold.urgency, hold.deadline_at, hold.firing) == (
        "sev2", "business_critical", w.now + minutes(10), 2
    )  # fmt: skip
    assert (page.subject, page.urgency) == ("HOLD-1", "business_critical")
    assert await decided(w, "error", "warning", "info") == [
        ("hold", "HOLD-1"), ("hold", "HOLD-1"), ("ticket", "AI-1")
    ]  # fmt: skip


@orders("critical", "info")
async def test_a_resolve_of_what_was_not_so_bad_decides_nothing_about_what_fires(
    world: Making, order: tuple[str, ...]
) -> None:
    w = await world(AS_IT_SAYS)
    await w.send(w.firing(severity="info"))
    await w.at(5)
    now = {"critical": w.firing(severity="critical"), "info": w.resolved(severity="info")}
    await w.send(*(now[severity] for severity in order))

    assert ((await w.incident()).severity, (await w.page()).subject) == ("sev1", "INC-1")
    assert await firing(w, "INC-1") == 1
    said = [text for text in await w.story("SYSTEM") if "It stopped" in text]
    assert len(said) == 1


@orders("critical", "warning")
async def test_what_gets_worse_in_one_body_raises_its_hold_and_is_no_flap(
    world: Making, order: tuple[str, ...]
) -> None:
    w = await world(AS_IT_SAYS)
    await w.send(w.firing(severity="warning"))
    await w.at(5)
    now = {"critical": w.firing(severity="critical"), "warning": w.resolved(severity="warning")}
    await w.send(*(now[severity] for severity in order))

    hold, incident = await w.hold(), await w.incident()
    assert (hold.outcome, hold.refires) == (Outcome.DECLARED_SEVERITY_RAISED, ())
    assert (incident.severity, incident.hold_id, (await w.page()).urgency) == ("sev1", 1, "business_critical")
    assert await firing(w, "INC-1") == 1


async def test_what_is_only_filed_or_written_down_leaves_the_open_hold_of_its_key_alone(world: Making) -> None:
    w = await world(AS_IT_SAYS)
    await w.send(w.firing(severity="warning"))
    before = await w.hold()
    await w.at(5)
    await w.send(w.firing(severity="none"), w.firing(severity="info"), w.firing(severity="warning", since=0))

    hold = await w.hold()
    assert (hold.state, hold.firing, hold.severity, hold.deadline_at) == (
        HoldState.HOLDING, 1, "sev3", before.deadline_at
    )  # fmt: skip
    assert await decided(w, "info", "none") == [("ticket", "AI-1"), ("record", "")]


@orders("critical", "unheard-of")
async def test_a_severity_that_cannot_be_read_takes_nothing_from_one_that_can(
    world: Making, order: tuple[str, ...]
) -> None:
    w = await world(AS_IT_SAYS)
    await w.send(*(w.firing(severity=severity) for severity in order))

    assert ((await w.incident()).severity, await firing(w, "INC-1")) == ("sev1", 2)
    assert w.metrics.rule_evaluation_errors_total.labels(reason="unreadable_severity")._value.get() == 1


async def test_a_worse_alert_that_joins_an_incident_of_its_key_raises_it_and_is_paged_for(world: Making) -> None:
    """Whoever answered for the less severe one is called anew; what people lowered stays so while the same joins."""
    w = await world(AS_IT_SAYS)
    await w.send(w.firing(severity="warning", instance="a"))
    await w.do(commands.declare_hold, 1, actor=ANA)
    for page in await w.store.read(things.pages_of, "INC-1"):
        await w.do(commands.ack_page, page.id, by="ana", actor=ANA)
    await w.at(3)
    called = len(w.post.sent)
    await w.send(w.firing(severity="critical", instance="b"))

    incident = await w.incident()
    assert (incident.severity, incident.peak_severity, incident.urgency) == ("sev1", "sev1", "business_critical")
    assert (incident.declared_severity, await firing(w, "INC-1")) == ("sev3", 2)
    assert "Raised from sev3 to sev1 by queue-lag: alerts joined that are sev1." in await w.story("INC-1")
    assert len(w.post.sent) > called
    assert any(page.urgency == "business_critical" for page in await w.store.read(things.pages_of, "INC-1"))

    await w.do(lifecycle.set_severity, 1, severity="sev3", actor=ANA, reason="few are hit", admin=True)
    called = len(w.post.sent)
    await w.send(w.firing(severity="critical", instance="c"), w.firing(severity="warning", instance="d"))
    assert ((await w.incident()).severity, await firing(w, "INC-1")) == ("sev3", 4)
    assert not [it for it in w.post.sent[called:] if it.purpose in ("page", "escalation")]
