"""The watchdog: when it is late or resolves, monitoring is blind, and what resolves meanwhile proves nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from incidentd.engine import lifecycle, reconcile
from incidentd.holds import HoldState, Outcome
from incidentd.incidents import Status
from incidentd.matchers import parse_matcher
from incidentd.settings import Settings, Source, Watchdog
from incidentd.store import jobs
from incidentd.timeline import Actor
from tests.engine.test_reconciling import ASKED, SETTINGS, statuses
from tests.engine.world import Making, World, minutes

DATA = Path(__file__).parent.parent / "data" / "payloads"
WATCHDOG = Watchdog(match=(parse_matcher('alertname="Watchdog"'),), late_after=minutes(10))
WATCHED = replace(SETTINGS, sources={"default": Source(name="default", watchdog=WATCHDOG)})
BOTH = replace(SETTINGS, sources={"default": replace(ASKED["default"], watchdog=WATCHDOG)})
BLIND = "Monitoring of default is blind"


async def started(world: Making, settings: Settings = WATCHED) -> World:
    w = await world(settings)
    await w.engine.begin()
    await w.settle()
    return w


async def test_a_watchdog_that_fires_is_recorded_and_nothing_else(world: Making) -> None:
    w = await started(world)
    await w.send(w.firing("Watchdog"))
    await w.at(9)
    await w.send(w.firing("Watchdog", since=0))
    await w.at(18)

    assert w.post.sent == []
    name = "incidentd_watchdog_last_received_timestamp_seconds"
    heard_at = w.metrics.registry.get_sample_value(name, {"source": "default"})
    assert heard_at == (w.now - minutes(9)).timestamp()


async def test_when_it_was_heard_is_known_after_a_restart(world: Making) -> None:
    w = await started(world)
    await w.send(w.firing("Watchdog"))
    await w.at(5)
    gauge = w.metrics.watchdog_last_received_timestamp_seconds.labels(source="default")
    gauge.set(0)  # a new process knows nothing
    await w.store.write(reconcile.begin, w.settings, started=True)
    name = "incidentd_watchdog_last_received_timestamp_seconds"
    assert w.metrics.registry.get_sample_value(name, {"source": "default"}) == (w.now - minutes(5)).timestamp()


async def test_a_late_watchdog_is_an_incident_of_the_worst_severity_until_it_is_back(world: Making) -> None:
    w = await started(world)
    await w.send(w.firing("Watchdog"))
    await w.at(10)
    incident = await w.incident()
    assert (incident.title, incident.severity, incident.urgency) == (BLIND, "sev1", "business_critical")
    assert "The watchdog of default was not heard for 10m, last at 2026-11-24 14:00:00 UTC." in incident.reason
    assert len(w.post.to("ana/mail")) == 1

    await w.at(12)
    await w.send(w.firing("Watchdog", since=0))
    assert (await w.incident()).status is Status.MITIGATED
    await w.at(21)
    await w.send(w.firing("Watchdog", since=0))
    assert len(await w.kinds("INC-1")) == len(set(await w.kinds("INC-1"))) + 1  # the same page was sent twice at most


async def test_a_watchdog_that_never_comes_after_the_start_is_late_too(world: Making) -> None:
    w = await started(world)
    await w.at(10)

    assert "never since incidentd listens" in (await w.incident()).reason


async def test_a_watchdog_that_is_lost_again_opens_the_same_incident_again(world: Making) -> None:
    w = await started(world)
    await w.send(w.firing("Watchdog"))
    await w.at(10)
    await w.send(w.firing("Watchdog", since=0))
    await w.at(20)
    assert (await w.incident()).status is Status.INVESTIGATING

    await w.send(w.firing("Watchdog", since=0))
    await w.do(lifecycle.resolve, 1, actor=Actor(name="ana", via="api"), note="")
    await w.at(30)
    assert (await w.incident(2)).title == BLIND


async def test_one_of_two_watchdogs_is_enough(world: Making) -> None:
    w = await started(world)
    await w.send(w.firing("Watchdog", replica="a"), w.firing("Watchdog", replica="b"))
    await w.send(w.resolved("Watchdog", replica="a"))
    assert w.post.sent == []

    await w.send(w.resolved("Watchdog", replica="b"))
    assert (await w.incident()).title == BLIND


@pytest.mark.parametrize("order", ["the watchdog first", "the watchdog last", "in one body"])
async def test_t07_resolves_that_come_with_the_watchdogs_close_nothing(world: Making, order: str) -> None:
    w = await started(world)
    await w.send(w.firing("Watchdog"))
    await w.send(w.firing())
    await w.send(w.firing("Down"))
    await w.at(5)
    bodies: list[list[dict[str, Any]]] = [[w.resolved(), w.resolved("Down")], [w.resolved("Watchdog")]]
    if order == "the watchdog first":
        bodies.reverse()
    if order == "in one body":
        bodies = [bodies[0] + bodies[1]]
    for body in bodies:
        await w.send(*body)
    await w.at(14)

    assert (await w.incident(2)).title == BLIND
    assert sorted(await statuses(w)) == ["resolved", "unknown", "unknown"]
    hold = await w.hold()
    assert (hold.state, hold.firing, hold.refires) == (HoldState.HOLDING, 1, ())
    assert (await w.incident()).status is Status.DECLARED
    for subject in ("HOLD-1", "INC-1"):
        assert (await w.kinds(subject)).count("alert.unproven") == 1
    await w.at(20)
    assert (await w.hold()).outcome is Outcome.DECLARED_NO_PROGRESS


async def test_resolves_in_doubt_are_believed_once_the_watchdog_was_back_for_long_enough(world: Making) -> None:
    w = await started(world)
    await w.send(w.firing("Watchdog"))
    await w.send(w.firing("Down"), w.firing("Down", pod="2"))
    await w.at(2)
    await w.send(w.resolved("Down"), w.resolved("Down", pod="2"), w.resolved("Watchdog"))
    await w.at(6)
    await w.send(w.firing("Watchdog"))
    await w.send(w.firing("Down", pod="2"))
    assert sorted(await statuses(w)) == ["firing", "firing", "unknown"]

    await w.at(15)
    await w.send(w.firing("Watchdog", since=6))
    await w.at(16.1)
    assert sorted(await statuses(w)) == ["firing", "firing", "resolved"]
    assert (await w.incident()).status is Status.DECLARED


@pytest.mark.parametrize("gone", ["the watchdog", "its source"])
@pytest.mark.parametrize("settings", [WATCHED, BOTH])
@pytest.mark.slow
async def test_resolves_in_doubt_are_believed_when_the_configuration_has_the_watchdog_no_longer(
    world: Making, settings: Settings, gone: str
) -> None:
    w = await started(world, settings)
    dog, down = w.firing("Watchdog"), w.firing("Down")
    w.peer.knows(dog, down)
    await w.send(dog, down)
    await w.at(2)
    w.peer.has.clear()
    await w.send(w.resolved("Down"), w.resolved("Watchdog"))
    await w.at(4)
    assert sorted(await statuses(w)) == ["resolved", "unknown"]

    source = settings.sources["default"]
    left = {"other": Source(name="other")} if gone == "its source" else {"default": replace(source, watchdog=None)}
    w.settings = replace(settings, sources=left)
    await w.engine.begin()
    await w.at(30)
    assert sorted(await statuses(w)) == ["resolved", "resolved"]
    assert (await w.incident()).status is Status.MITIGATED


async def test_resolves_that_were_left_in_doubt_without_a_watchdog_are_believed_at_start(world: Making) -> None:
    w = await started(world)
    await w.send(w.firing("Watchdog"), w.firing("Down"))
    await w.send(w.resolved("Down"), w.resolved("Watchdog"))
    await w.store.write(jobs.cancel, "watchdog:default")
    w.settings = replace(WATCHED, sources={"default": Source(name="default")})
    await w.store.write(reconcile.begin, w.settings, started=True)
    await w.settle()

    assert sorted(await statuses(w)) == ["resolved", "resolved"]


async def test_resolves_in_doubt_are_checked_with_alertmanager(world: Making) -> None:
    w = await started(world, BOTH)
    dog, down = w.firing("Watchdog"), w.firing("Down")
    w.peer.knows(dog, down)
    await w.send(dog, down)
    await w.at(2)
    w.peer.has.clear()
    await w.send(w.resolved("Down"), w.resolved("Watchdog"))
    await w.at(5)
    assert sorted(await statuses(w)) == ["resolved", "unknown"]  # that it is not there proves nothing now

    w.peer.knows(w.firing("Down"))
    await w.at(6)
    assert sorted(await statuses(w)) == ["firing", "resolved"]


async def test_while_blind_an_alert_that_alertmanager_lost_may_still_fire(world: Making) -> None:
    w = await started(world, BOTH)
    await w.send(w.firing("Watchdog"), w.firing("Down"))
    w.peer.knows(w.firing("Down"))
    await w.at(1)
    await w.send(w.resolved("Watchdog"))
    w.peer.has.clear()
    await w.at(5)

    assert sorted(await statuses(w)) == ["firing", "resolved"]


async def test_t07_the_end_of_the_captured_prometheus_is_blindness_and_not_recovery(world: Making) -> None:
    w = await started(world)
    for step in json.loads((DATA / "expected.json").read_text())["prometheus_real_rules"]["steps"]:
        await w.store.append("default", (DATA / step["file"]).read_bytes())
        await w.settle()
        w.clock[0] += minutes(0.1)

    assert (await w.incident()).title == BLIND
    found = await statuses(w)
    assert "unknown" in found
    assert (await w.hold()).state is HoldState.HOLDING
