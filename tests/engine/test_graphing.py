"""Graphs of incidents through the whole engine: what is asked, when it is drawn, and what becomes of trouble."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from incidentd.engine import lifecycle
from incidentd.errors import NotFound, PermanentError, TemporaryError
from incidentd.graphs import Line
from incidentd.holds import HoldPolicy, ProgressQuery
from incidentd.matchers import parse_matcher
from incidentd.rules import CATCH_ALL, Decide, SeverityRule
from incidentd.settings import PrometheusSettings, Settings, Source
from incidentd.store import graphs
from incidentd.timeline import Actor
from tests.engine.world import START, Making, World, minutes, policy, roster

ANA = Actor(name="ana", via="api")
DEPTH = 'max(queue_depth{queue="mail"})'
HELD = SeverityRule(
    name="queue-lag", match=(parse_matcher('alertname="QueueLag"'),), decide=Decide.HOLD, severity="sev3",
    urgency="urgent", page="platform",
    hold=HoldPolicy(
        at="rules.yaml:7", no_progress_after=minutes(20),
        query=ProgressQuery(promql='max(queue_depth{queue="{{ labels.queue }}"})'),
    ),
)  # fmt: skip
SETTINGS = Settings(
    external_url="http://incidentd.example.org", rules=(HELD, CATCH_ALL), roster=roster("ana", "ben"),
    escalations=policy("platform", (0, "ana")),
    sources={"default": Source(name="default", prometheus=PrometheusSettings(url="http://prometheus"))},
)  # fmt: skip


def course(*values: float, **labels: str) -> tuple[Line, ...]:
    return (Line(labels=labels, points=tuple((START + minutes(place), it) for place, it in enumerate(values))),)


async def declared(world: Making, settings: Settings = SETTINGS) -> World:
    w = await world(settings)
    w.numbers.rules = {"QueueLag": "queue_lag_seconds > 30", "Other": "up == 0"}
    w.numbers.drawn = {"queue_lag_seconds{}": course(10, 40, 50, queue="mail"), DEPTH: course(100, 110)}
    await w.send(w.firing("QueueLag", queue="mail"))
    await w.at(20)
    return w


async def drawn(w: World) -> list[tuple[int, str]]:
    return [(it.number, it.title) for it in await w.store.read(graphs.of, "INC-1")]


async def test_an_incident_has_a_graph_of_its_alert_and_one_of_the_holds_progress(world: Making) -> None:
    w = await declared(world)
    assert await drawn(w) == [(1, "QueueLag: queue_lag_seconds > 30"), (4, f"progress of queue-lag: {DEPTH}")]
    picture = await w.store.read(graphs.picture, "INC-1", 1)
    for text in ("14:00 held", "14:20 declared", ">30<", "50 at most"):
        assert text in picture
    said = [text for text in await w.story("INC-1") if text.startswith("Graph")]
    assert said == [
        "Graph 1 is drawn from here on: QueueLag: queue_lag_seconds > 30.",
        f"Graph 4 is drawn from here on: progress of queue-lag: {DEPTH}.",
    ]
    with pytest.raises(NotFound):
        await w.store.read(graphs.picture, "INC-1", 2)


@pytest.mark.slow
async def test_it_is_drawn_again_while_it_is_open_and_once_more_when_it_is_resolved(world: Making) -> None:
    w = await declared(world)
    await w.at(26)
    before = {it.at for it in await w.store.read(graphs.of, "INC-1")}
    await w.at(40)
    await w.do(lifecycle.resolve, 1, actor=ANA)
    after = {it.at for it in await w.store.read(graphs.of, "INC-1")}
    assert max(before) < max(after) == START + minutes(40)
    assert "14:40 resolved" in await w.store.read(graphs.picture, "INC-1", 1)
    await w.at(600)
    assert {it.at for it in await w.store.read(graphs.of, "INC-1")} == after


@pytest.mark.parametrize("failure", [TemporaryError("no answer"), PermanentError("it refuses")])
@pytest.mark.slow
async def test_what_cannot_be_drawn_delays_nothing_and_is_drawn_at_the_next_look(
    world: Making, failure: TemporaryError | PermanentError
) -> None:
    w = await world(SETTINGS)
    w.numbers.failure = failure
    w.numbers.rules = {"QueueLag": "queue_lag_seconds > 30"}
    w.numbers.drawn = {"queue_lag_seconds{}": course(10, 40)}
    await w.send(w.firing("QueueLag", queue="mail"))
    await w.at(20)
    assert (await w.incident()).declared_at == START + minutes(20)
    assert await drawn(w) == []

    w.numbers.failure = None
    await w.at(22)
    assert [number for number, _ in await drawn(w)] == [1]
    assert w.metrics.graphs_total.labels(result="failed")._value.get() > 0


@pytest.mark.slow
async def test_a_picture_that_is_there_stays_when_prometheus_is_gone(world: Making) -> None:
    w = await declared(world)
    w.numbers.failure = TemporaryError("no answer")
    await w.at(50)
    assert len(await drawn(w)) == 2


@pytest.mark.slow
async def test_a_source_without_prometheus_is_asked_nothing(world: Making) -> None:
    w = await declared(world, replace(SETTINGS, sources={"default": Source(name="default")}))
    await w.at(40)
    assert await drawn(w) == []
    assert w.metrics.graphs_total.labels(result="failed")._value.get() == 0


@pytest.mark.slow
async def test_an_alert_that_brings_a_query_along_has_it_not_asked(world: Making) -> None:
    w = await world(SETTINGS)
    w.numbers.drawn = {"secret_of_others": course(1, 2)}
    alert = w.firing("QueueLag", queue="mail") | {"generatorURL": "http://prometheus/graph?g0.expr=secret_of_others"}
    await w.send(alert)
    await w.at(40)
    assert await drawn(w) == []


@pytest.mark.slow
async def test_a_look_that_was_missed_is_made_late(world: Making) -> None:
    w = await declared(world)
    w.clock[0] += timedelta(hours=3)
    await w.settle()
    assert {it.at for it in await w.store.read(graphs.of, "INC-1")} == {w.now}
