"""Alerts of another rule join a hold: what they bring is kept, through the whole engine in simulated time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from incidentd.errors import Location
from incidentd.holds import HoldPolicy, OnFlap, Outcome
from incidentd.matchers import parse_matcher
from incidentd.rules import CATCH_ALL, Decide, Maintenance
from incidentd.settings import Settings
from incidentd.store import subjects
from tests.engine.test_hold_signals import ASKABLE, CRITICAL, RULE, SETTINGS
from tests.engine.world import START, Making, World, minutes, policy

LEAST = replace(RULE, severity="sev4", urgency="ticket", hold=HoldPolicy(on_flap=OnFlap.TICKET))
SEV1 = replace(CRITICAL, severity="sev1", urgency="business_critical", page="platform")
AT_ONCE = replace(SEV1, decide=Decide.DECLARE)
HELD = replace(SEV1, hold=HoldPolicy(no_progress_after=minutes(5)))


def with_rules(*rules: object, settings: Settings = SETTINGS) -> Settings:
    return replace(settings, rules=(*rules, CATCH_ALL))  # type: ignore[arg-type]  # rules


async def returned_twice(w: World) -> None:
    for minute in (0, 4, 8):
        await w.at(minute)
        await w.send(w.firing(severity="warning", since=minute))
        await w.at(minute + 2)
        await w.send(w.resolved(severity="warning", since=minute))
    await w.at(11)


async def test_a_worse_alert_that_is_the_last_return_of_what_flaps_is_declared_and_not_filed(world: Making) -> None:
    w = await world(with_rules(LEAST, AT_ONCE))
    await returned_twice(w)
    await w.send(w.firing(severity="critical"))

    assert (await w.hold()).outcome is Outcome.DECLARED_SEVERITY_RAISED
    incident, page = await w.incident(), await w.page()
    assert (incident.severity, await w.store.read(subjects.firing, "INC-1")) == ("sev1", 1)
    assert (page.subject, page.urgency, page.policy) == ("INC-1", "business_critical", "platform")


async def test_a_worse_alert_that_is_held_keeps_open_what_would_be_filed_and_is_paged_for(world: Making) -> None:
    w = await world(with_rules(LEAST, HELD))
    await returned_twice(w)
    await w.send(w.firing(severity="critical"))

    hold, page = await w.hold(), await w.page()
    assert (hold.outcome, hold.severity, hold.deadline_at) == (None, "sev1", w.now + minutes(5))
    assert (page.subject, page.urgency) == ("HOLD-1", "business_critical")


@pytest.mark.parametrize("settings", [SETTINGS, ASKABLE], ids=["at once", "once it was asked"])
async def test_what_grows_by_worse_alerts_is_declared_as_bad_as_they_are(world: Making, settings: Settings) -> None:
    night = {**settings.escalations, **policy("night", (0, "ben"))}
    w = await world(replace(with_rules(LEAST, replace(HELD, page="night"), settings=settings), escalations=night))
    first = w.firing(severity="warning")
    w.peer.knows(first)
    await w.send(first)
    await w.at(5)
    more = [w.firing(severity="critical", pod=str(number)) for number in range(3)]
    w.peer.knows(*more)
    await w.send(*more)

    assert (await w.hold()).outcome is Outcome.DECLARED_GROWING
    incident, page = await w.incident(), await w.page()
    assert (incident.severity, incident.urgency, incident.page_policy) == ("sev1", "business_critical", "night")
    assert (page.subject, page.urgency, page.policy) == ("INC-1", "business_critical", "night")


async def test_a_raised_hold_goes_on_with_the_shorter_wait_after_progress(world: Making) -> None:
    w = await world(SETTINGS)  # 30 minutes, and 10 for what is critical
    await w.send(*(w.firing(severity="warning", pod=str(number)) for number in range(5)))
    await w.at(2)
    await w.send(w.firing(severity="critical"))
    await w.at(5)
    await w.send(*(w.resolved(severity="warning", pod=str(number)) for number in range(3)))

    hold = await w.hold()
    assert (hold.deadline_at, hold.severity) == (w.start + minutes(15), "sev2")
    await w.at(15)
    assert (await w.hold()).outcome is Outcome.DECLARED_NO_PROGRESS


# -- the severity that the source has for what is held ---------------------------------------------------------------


async def raised(w: World) -> None:
    """Have a hold of a warning and of something worse, and let some minutes pass."""
    await w.send(w.firing(severity="warning"))
    await w.at(0.5)
    await w.send(w.firing(severity="critical"))
    await w.at(4)


async def more_of_it(w: World) -> None:
    await w.send(w.firing(severity="warning", pod="1"))
    await w.send(w.resolved(severity="warning", pod="1", since=(w.now - w.start) / minutes(1)))


async def test_a_rule_that_was_renamed_is_no_lower_severity_while_its_alerts_fire(world: Making) -> None:
    w = await world(SETTINGS)
    await raised(w)
    before = await w.hold()
    w.settings = replace(SETTINGS, rules=(RULE, replace(CRITICAL, name="very-critical"), CATCH_ALL))
    await more_of_it(w)
    assert (await w.hold()).deadline_at == before.deadline_at == w.start + minutes(10.5)

    await w.send(w.resolved(severity="critical", since=0.5))
    assert "Progress: the source lowered the severity to sev3. " in (await w.story("HOLD-1"))[-1]


async def test_what_no_rule_takes_counts_as_severe_as_it_is_held(world: Making) -> None:
    least = replace(RULE, match=(RULE.match[0], parse_matcher('severity="warning"')), severity="sev4", urgency="ticket")
    w = await world(replace(SETTINGS, rules=(least,)))
    await raised(w)
    before = await w.hold()
    assert (before.severity, before.mixed) == ("sev3", True)
    await more_of_it(w)
    assert (await w.hold()).deadline_at == before.deadline_at == w.start + minutes(15.5)

    await w.send(w.resolved(severity="critical", since=0.5))
    assert "Progress: the source lowered the severity to sev4. " in (await w.story("HOLD-1"))[-1]


async def test_what_comes_back_during_a_maintenance_is_no_lower_severity(world: Making) -> None:
    window = Maintenance(
        name="disks", match=(parse_matcher('severity="critical"'),), begins=START + minutes(3),
        ends=START + minutes(60), at=Location("maintenance.yaml", 1),
    )  # fmt: skip
    w = await world(replace(SETTINGS, maintenance=(window,)))
    await raised(w)
    before = await w.hold()
    await w.send(w.firing(severity="critical"))  # it began anew, unseen
    await more_of_it(w)

    assert (await w.hold()).deadline_at == before.deadline_at
    assert "hold.progress" not in await w.kinds("HOLD-1")
