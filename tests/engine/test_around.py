"""What stands around an incident, through the whole engine: past ones like it and what helped, on each store."""

from __future__ import annotations

from datetime import timedelta

from incidentd.engine import commands, lifecycle
from incidentd.store import facts
from incidentd.timeline import Actor
from tests.engine.test_graphing import SETTINGS
from tests.engine.world import Making, World

ANA = Actor(name="ana", via="api")


async def declared(w: World, minute: float) -> None:
    await w.send(w.firing("QueueLag", queue="mail"))
    await w.at(minute + 20)


async def test_the_next_incident_of_the_kind_knows_what_fixed_the_last_one(world: Making) -> None:
    w = await world(SETTINGS)
    await declared(w, 0)
    await w.do(commands.add_action_item, 1, actor=ANA, title="Close connections", owner="ben")
    await w.do(lifecycle.resolve, 1, actor=ANA, note="consumers restarted", admin=True)
    await w.send(w.resolved("QueueLag", queue="mail"))
    w.clock[0] += timedelta(days=2)
    await w.settle()
    await declared(w, (w.now - w.start) / timedelta(minutes=1))
    known = await w.store.read(facts.incident_facts, w.settings, 2)
    [one] = known.alike
    assert one.incident.key == "INC-1"
    assert one.why == ("the same correlation", "1 alert in common", "the same rule", "the same title")
    assert one.fixed_by == "consumers restarted"
    assert [item.title for item in one.items] == ["Close connections"]
    [progress] = [it for it in known.pointers if it.kind == "Progress"]
    assert progress.url.startswith(
        "http://prometheus/graph?g0.expr=max%28queue_depth%7Bqueue%3D%22mail%22%7D%29&g0.range"
    )
    assert (await w.store.read(facts.incident_facts, w.settings, 1)).alike == ()


async def test_a_page_says_what_fixed_the_last_incident_of_the_kind_and_shows_the_time(world: Making) -> None:
    w = await world(SETTINGS)
    await declared(w, 0)
    assert all("Before: " not in n.body for n in w.post.sent)
    await w.do(lifecycle.resolve, 1, actor=ANA, note="consumers <b>restarted</b>", admin=True)
    await w.send(w.resolved("QueueLag", queue="mail"))
    w.clock[0] += timedelta(days=2)
    await w.settle()
    before, since = len(w.post.sent), w.now
    notes = {"dashboard": "https://grafana.example.org/d/abc"}
    await w.send(w.firing("QueueLag", queue="mail") | {"annotations": notes})
    page = next(n for n in w.post.sent[before:] if n.purpose == "page")
    assert "Before: INC-1 of 2026-11-24: consumers <b>restarted</b>\n" in page.body
    began = round((since - timedelta(minutes=30)).timestamp() * 1000)
    assert f"Dashboard: https://grafana.example.org/d/abc?from={began}&to=now" in page.body
