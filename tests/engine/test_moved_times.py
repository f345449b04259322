"""Times that another replica of Prometheus or another peer moves: they take no decision from anybody."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from incidentd.engine import facts
from incidentd.holds import HoldState
from incidentd.prometheus import Answer
from incidentd.settings import Source
from tests.engine.test_conditions import SETTINGS as WITH_NUMBERS
from tests.engine.test_reconciling import ASKED, SETTINGS, statuses
from tests.engine.test_watchdog import WATCHED, started
from tests.engine.world import START, Making, World, minutes

TOLD = replace(SETTINGS, sources={"default": Source(name="default")})


async def unpacked(w: World, *bodies: dict[str, Any]) -> None:
    """Receive bodies of one alert each in one batch, and decide nothing yet."""
    for it in bodies:
        body = {"version": "4", "receiver": "incidentd", "groupKey": "{}:{}", "alerts": [it]}
        await w.store.append("default", json.dumps(body).encode())
    assert await w.engine.unpack()


@pytest.mark.parametrize("at_once", [True, False])
async def test_an_alert_whose_start_moves_before_it_is_decided_is_held(world: Making, at_once: bool) -> None:
    w = await world(TOLD)
    bodies = [w.firing(since=0), w.firing(since=-0.25)]
    for batch in [bodies] if at_once else [[it] for it in bodies]:
        await unpacked(w, *batch)
    await w.settle()

    hold = await w.hold()
    assert (hold.state, hold.firing, hold.refires) == (HoldState.HOLDING, 1, ())
    assert hold.impact_started_at == START - minutes(0.25)


@pytest.mark.parametrize("alerts", [1, 2])
async def test_an_alert_whose_start_moves_while_its_rule_asks_is_decided_with_that_start(
    world: Making, alerts: int
) -> None:
    w = await world(WITH_NUMBERS)
    answer = asyncio.Event()

    async def slow(promql: str, *, timeout: timedelta = facts.DEADLINE) -> Answer:  # noqa: ASYNC109
        await answer.wait()
        return Answer(value=500.0)

    w.numbers.query = slow  # type: ignore[method-assign]
    pods = [str(number) for number in range(alerts)]
    await unpacked(w, *(w.firing(since=0, service="shop", pod=pod) for pod in pods))
    while await w.engine.decide_one():
        pass
    await unpacked(w, *(w.firing(since=-2, service="shop", pod=pod) for pod in pods))
    answer.set()
    await w.settle()

    incident = await w.incident()
    assert (incident.rule, incident.impact_started_at) == ("money", START - minutes(2))


async def test_an_alert_whose_start_moves_while_alertmanager_is_asked_whether_it_is_back_is_believed(
    world: Making,
) -> None:
    w = await world(replace(SETTINGS, sources=ASKED))
    await w.send(w.firing(since=0))
    await w.at(3)
    await w.send(w.resolved())
    assert (await w.hold()).state is HoldState.RECOVERING
    w.peer.knows(w.firing(since=-1))
    await unpacked(w, w.firing(since=0))
    assert await w.engine.decide_one()
    await unpacked(w, w.firing(since=-1))
    await w.settle()

    assert await statuses(w) == ["firing"]
    hold = await w.hold()
    assert (hold.state, hold.firing) == (HoldState.HOLDING, 1)


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_resolve_whose_end_moves_before_it_is_decided_is_taken(world: Making, at_once: bool) -> None:
    w = await world(TOLD)
    await w.send(w.firing())
    await w.at(3)
    bodies = [w.resolved(), w.resolved() | {"endsAt": (w.now + timedelta(seconds=7)).isoformat()}]
    for batch in [bodies] if at_once else [[it] for it in bodies]:
        await unpacked(w, *batch)
    await w.settle()

    hold = await w.hold()
    assert (hold.state, hold.firing) == (HoldState.RECOVERING, 0)


async def test_a_resolve_that_proves_nothing_is_doubted_though_its_end_moves(world: Making) -> None:
    w = await started(world, WATCHED)
    await w.send(w.firing("Watchdog"))
    await w.send(w.firing("Down"))
    await w.at(2)
    await w.send(w.resolved("Watchdog"))
    await unpacked(w, w.resolved("Down"), w.resolved("Down") | {"endsAt": (w.now + minutes(0.1)).isoformat()})
    await w.settle()

    assert sorted(await statuses(w)) == ["resolved", "unknown"]


async def test_starts_that_alertmanager_answered_in_milliseconds_are_no_refires_when_deliveries_tell_them_exactly(
    world: Making,
) -> None:
    w = await world(SETTINGS)
    await w.send(w.firing("Old"))  # so that the receiver is known
    await w.send(w.resolved("Old"))
    starts = START - minutes(10) + timedelta(microseconds=515_426)
    exact = [w.firing(pod=str(number)) | {"startsAt": starts.isoformat()} for number in range(3)]
    w.peer.knows(*(it | {"startsAt": starts.isoformat(timespec="milliseconds")} for it in exact))
    await w.engine.begin()
    await w.settle()
    hold = await w.hold(2)
    assert hold.impact_started_at == starts.replace(microsecond=515_000)

    await w.at(1)
    await w.send(*exact)
    hold = await w.hold(2)
    assert (hold.state, hold.firing, hold.refires) == (HoldState.HOLDING, 3, ())
