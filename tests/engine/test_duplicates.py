"""Captured bodies again and again, in parallel, and out of order: what comes of them is what came of one."""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from incidentd.engine import course, reconcile
from incidentd.holds import HoldState, Outcome
from incidentd.incidents import Status
from incidentd.pages import PageState
from incidentd.playbooks import Mode
from incidentd.rules import CATCH_ALL, Decide
from incidentd.settings import Automation, Source
from incidentd.store import Tx, things
from incidentd.store.tables import alert, hold, incident
from tests.engine.test_automation import RULE, playbook
from tests.engine.test_reconciling import ASKED, SETTINGS, UNREACHABLE, statuses
from tests.engine.world import Making, World, minutes, policy, roster

DATA = Path(__file__).parent.parent / "data" / "payloads"
EXPECTED: dict[str, dict[str, Any]] = json.loads((DATA / "expected.json").read_text())
CLUSTER = [name for name in EXPECTED if name.startswith("cluster_")]
LARGE = {"group_of_1000", "very_large_annotations"}
ORDERS = 40 if os.environ.get("INCIDENTD_TEST_LONG") == "1" else 8
DECLARE = replace(
    CATCH_ALL, decide=Decide.DECLARE, severity="sev2", urgency="business_critical",
    correlate_by=("alertname", "cluster", "service"),
)  # fmt: skip
HOLD = replace(CATCH_ALL, page="", hold=replace(CATCH_ALL.hold, no_progress_after=minutes(20)))
ONE_EACH = replace(
    SETTINGS, rules=(DECLARE,), sources={name: Source(name=name) for name in ("once", "thrice", "together")}
)  # fmt: skip


def bodies(scenario: str) -> list[bytes]:
    return [(DATA / step["file"]).read_bytes() for step in EXPECTED[scenario]["steps"]]


def twin_of(body: bytes) -> bytes:
    """Write a body as another peer of the same cluster does: it differs in its externalURL."""
    return json.dumps(json.loads(body) | {"externalURL": "http://peer-2:9093"}).encode()


def known(tx: Tx, source: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        table.name: tx.conn.execute(select(func.count()).where(table.c.source == source)).scalar_one()
        for table in (hold, incident)
    }
    wanted = select(alert.c.fingerprint, alert.c.status).where(alert.c.source == source).order_by(alert.c.fingerprint)
    return found | {"alerts": [tuple(row) for row in tx.conn.execute(wanted)]}


async def replayed(w: World, source: str, steps: Sequence[bytes], *, times: int, together: bool) -> dict[str, Any]:
    """Replay bodies, each several times, and give what is known and how many messages went out."""
    before = len(w.post.sent)
    for body in steps:
        if together:
            await asyncio.gather(*(w.store.append(source, body) for _ in range(times)))
            await w.settle()
        else:
            for _ in range(times):
                await w.store.append(source, body)
                await w.settle()
    return await w.store.read(known, source) | {"messages": len(w.post.sent) - before}


@pytest.mark.parametrize("scenario", sorted(set(EXPECTED) - LARGE))
@pytest.mark.slow
async def test_t02_bodies_sent_three_and_twenty_times_are_one(world: Making, scenario: str) -> None:
    w = await world(ONE_EACH)
    steps = bodies(scenario)
    once = await replayed(w, "once", steps, times=1, together=False)

    assert await replayed(w, "thrice", steps, times=3, together=False) == once
    assert await replayed(w, "together", steps, times=20, together=True) == once


async def test_t02_one_alert_of_many_deliveries_is_one_incident_one_page_and_one_run(world: Making) -> None:
    book = playbook()
    rule = replace(RULE, decide=Decide.DECLARE, page="default", urgency="business_critical")
    settings = replace(
        SETTINGS, rules=(rule,), sources={}, playbooks={book.name: book}, automation=Automation(mode=Mode.AUTO)
    )
    w = await world(settings)
    body = json.dumps({"receiver": "x", "groupKey": "g", "alerts": [w.firing("WorkerStuck", instance="w-3")]}).encode()
    for _ in range(3):
        await asyncio.gather(*(w.store.append("default", one) for one in [body, twin_of(body)] * 10))
        await w.settle()

    assert (await w.store.read(known, "default"))["incident"] == 1
    assert len(await w.store.read(things.pages_of, "INC-1")) == 1
    assert len(await w.store.read(things.runs_of, "INC-1")) == 1
    assert w.hands.done.count("restart") == 1
    assert len(w.post.to("ana/mail")) == 1


@pytest.mark.parametrize("scenario", CLUSTER)
@pytest.mark.parametrize("answers", [True, False], ids=["with its API", "without it"])
async def test_t03_twins_in_any_order_are_one_incident_and_one_page(
    world: Making, scenario: str, answers: bool
) -> None:
    """With Alertmanager's own word the end is what is expected; without it nothing firing is ever lost."""
    over = bool(EXPECTED[scenario]["steps"][-1]["resolved"])
    sources = {f"s{order}": replace(ASKED["default"], name=f"s{order}") for order in range(ORDERS)}
    if not answers:
        sources = {name: Source(name=name) for name in sources}
    w = await world(replace(SETTINGS, rules=(DECLARE,), sources=sources))
    last = json.loads(bodies(scenario)[-1])["alerts"]
    if not over:
        w.peer.knows(*last)
    w.clock[0] = w.clock[0].replace(year=2099)  # the bodies are from the past, and no start is in the future
    for order, source in enumerate(sources):
        steps = [one for body in bodies(scenario) for one in (body, twin_of(body))]
        random.Random(f"{scenario} {order}").shuffle(steps)  # noqa: S311 - a seeded order
        for body in steps:
            await w.store.append(source, body)
            await w.settle()
        found = await w.store.read(known, source)
        assert found["incident"] == 1 or (over and found["incident"] == 0), order
        if not over:
            assert [status for _, status in found["alerts"]] == ["firing"]
    assert len(w.post.to("ana/mail")) <= ORDERS


@pytest.mark.parametrize("scenario", ["max_alerts_status_lies", "max_alerts_truncation"])
async def test_t04_a_cut_group_that_says_resolved_keeps_its_incident_open(world: Making, scenario: str) -> None:
    w = await world(replace(SETTINGS, rules=(DECLARE,), sources={}))
    for body in bodies(scenario):
        await w.store.append("default", body)
        await w.settle()
    await w.at(30)
    assert (await w.incident()).status is Status.DECLARED

    body = json.loads(bodies(scenario)[-1])
    over = [one | {"status": "resolved", "endsAt": w.now.isoformat()} for one in body["alerts"]]
    await w.store.append("default", json.dumps(body | {"alerts": over, "truncatedAlerts": 0}).encode())
    await w.at(40)
    assert (await w.incident()).status is Status.MITIGATED


async def test_t04_the_page_of_a_cut_group_that_may_still_fire_goes_on_as_if_it_fired(world: Making) -> None:
    chain = policy("default", (0, "ana"), (10, "ben"))
    w = await world(replace(SETTINGS, rules=(DECLARE,), sources={}, roster=roster("ana", "ben"), escalations=chain))
    first = w.firing("DiskFull", disk="a")
    await w.send(first, truncated=1)
    await w.at(3)
    await w.send(w.resolved("DiskFull", disk="a"), truncated=1)
    await w.at(30)

    assert (await w.incident()).status is Status.DECLARED
    assert (await w.kinds("INC-1")).count("alert.cut") == 1
    page = await w.page()
    assert page.breached
    assert page.paged == ("ana", "ben")

    await w.send(w.resolved("DiskFull", disk="a"), w.resolved("DiskFull", disk="b"))
    await w.at(32)
    assert (await w.incident()).status is Status.DECLARED
    await w.at(36)
    assert (await w.incident()).status is Status.MITIGATED
    assert (await w.page()).state is PageState.RESOLVED


async def test_t04_a_hold_of_a_cut_group_does_not_recover_and_says_why(world: Making) -> None:
    w = await world(replace(SETTINGS, rules=(HOLD,), sources={}))
    for body in bodies("max_alerts_status_lies"):
        await w.store.append("default", body)
        await w.settle()
    assert (await w.hold()).state is HoldState.HOLDING
    assert "alert.cut" in await w.kinds("HOLD-1")

    await w.at(20)
    assert (await w.hold()).outcome is Outcome.DECLARED_NO_PROGRESS


async def test_t04_an_incident_of_a_held_cut_group_is_mitigated_once_nothing_is_left_out(world: Making) -> None:
    w = await world(replace(SETTINGS, rules=(HOLD,), sources={}))
    await w.send(w.firing("DiskFull", disk="a"), truncated=1)
    await w.send(w.resolved("DiskFull", disk="a"), truncated=1)
    await w.at(30)
    assert (await w.incident()).status is Status.DECLARED

    await w.send(w.resolved("DiskFull", disk="a"), w.resolved("DiskFull", disk="b"))
    await w.at(36)
    assert (await w.incident()).status is Status.MITIGATED


@pytest.mark.slow
async def test_t04_asking_alertmanager_finds_what_was_cut(world: Making) -> None:
    w = await world(replace(SETTINGS, rules=(replace(DECLARE, correlate_by=("alertname",)),)))
    await w.engine.begin()
    first, last = (json.loads(body) for body in bodies("max_alerts_status_lies"))
    others = [w.firing(first["alerts"][0]["labels"]["alertname"], pod=str(n)) for n in range(2)]
    w.peer.knows(*first["alerts"], *others, receiver=first["receiver"])
    for body in (first, last):
        await w.store.append("default", json.dumps(body).encode())
        await w.settle()
    w.peer.forgets(*first["alerts"])
    await w.at(30)

    assert sorted(await statuses(w)) == ["firing", "firing", "resolved"]
    assert (await w.incident()).status is Status.DECLARED


@pytest.mark.parametrize("why", ["gives no answer", "hides muting"])
@pytest.mark.slow
async def test_t04_what_was_cut_may_fire_while_alertmanager_does_not_list_all_that_does(
    world: Making, why: str
) -> None:
    w = await world(replace(SETTINGS, rules=(replace(DECLARE, correlate_by=("alertname",)),)))
    w.peer.hides_muting = why == "hides muting"
    w.peer.failure = UNREACHABLE if why == "gives no answer" else None
    await w.engine.begin()
    first, last = (json.loads(body) for body in bodies("max_alerts_status_lies"))
    other = w.firing(first["alerts"][0]["labels"]["alertname"], pod="1")
    w.peer.knows(*first["alerts"], other, receiver=first["receiver"])
    for body in (first, last):
        await w.store.append("default", json.dumps(body).encode())
        await w.settle()
    w.peer.forgets(*first["alerts"])
    await w.at(30)

    assert (await w.incident()).status is Status.DECLARED
    page = await w.page()
    assert page.state is PageState.OPEN
    assert page.breached
    assert "alert.cut" in await w.kinds("INC-1")

    w.peer.failure, w.peer.hides_muting = None, False
    w.peer.forgets(other)
    await w.at(42)
    assert (await w.incident()).status is Status.MITIGATED


@pytest.mark.slow
async def test_t04_only_alertmanagers_last_answer_says_that_nothing_fires_of_what_was_cut(world: Making) -> None:
    settings = replace(SETTINGS, rules=(DECLARE,))
    w = await world(settings)
    await w.engine.begin()
    first = w.firing("DiskFull", disk="a")
    w.peer.knows(first)
    await w.send(first, truncated=1)
    await w.at(1)
    await w.send(w.resolved("DiskFull", disk="a"), truncated=1)
    w.peer.forgets(first)
    await w.at(3)
    assert "alert.cut" not in await w.kinds("INC-1")

    w.clock[0] += minutes(0.2)
    await w.store.write(reconcile.begin, settings, started=True)  # a process that starts does not know yet
    await w.store.write(course.quiet_passed, settings, "INC-1")
    assert (await w.incident()).status is Status.DECLARED
    assert "alert.cut" not in await w.kinds("INC-1")  # it hears in a moment, and nobody is called for that

    w.peer.failure = UNREACHABLE
    await w.at(20)
    assert (await w.incident()).status is Status.DECLARED
    w.peer.failure = None
    await w.at(30)
    assert (await w.incident()).status is Status.MITIGATED


@pytest.mark.parametrize("scenario", ["flap_within_group_interval", "time_zones_and_precision"])
async def test_t06_odd_times_come_to_sound_durations(world: Making, scenario: str) -> None:
    w = await world(replace(SETTINGS, rules=(DECLARE,), sources={}))
    for body in bodies(scenario):
        await w.store.append("default", body)
        await w.settle()
    found = await w.incident()

    assert found.impact_started_at.tzinfo is not None
    assert all(1970 <= row.year <= 2099 for row in await w.store.read(starts))


def starts(tx: Tx) -> list[Any]:
    return list(tx.conn.execute(select(alert.c.starts_at)).scalars())
