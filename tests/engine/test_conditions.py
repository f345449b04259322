"""Rules that ask live data, in the engine: what is asked when, what a silent Prometheus delays, and maintenance."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from incidentd.engine import facts, lifecycle, loop, maintenance
from incidentd.errors import TemporaryError
from incidentd.holds import HoldState
from incidentd.incidents import Status
from incidentd.matchers import parse_matcher
from incidentd.playbooks.numbers import parse_condition
from incidentd.prometheus import Answer
from incidentd.rules import CATCH_ALL, Decide, FromLabel, Maintenance, Query, SeverityRule, Spread
from incidentd.settings import AlertmanagerSettings, PrometheusSettings, Settings, Source
from incidentd.store.tables import alert
from incidentd.templates import compile_template
from incidentd.timeline import SYSTEM, Actor
from tests.engine.world import START, Making, World, minutes, roster

LOST = 'sum(lost{service="shop"})'
MONEY = SeverityRule(
    name="money", match=(parse_matcher('service!=""'),), decide=Decide.DECLARE, severity="sev1",
    urgency="business_critical",
    when=(
        Query(
            name="lost", promql=compile_template('sum(lost{service="{{ labels.service }}"})'),
            is_=parse_condition("> 100"),
        ),
    ),
)  # fmt: skip
BURNS = replace(MONEY, name="burns", decide=Decide.TICKET, severity="sev4", urgency="ticket")
SETTINGS = Settings(
    rules=(MONEY, replace(CATCH_ALL, page="")), roster=roster("ana"),
    sources={"default": Source(name="default", prometheus=PrometheusSettings(url="http://127.0.0.1:9"))},
)  # fmt: skip


async def decided(w: World) -> dict[str, str]:
    """Say which rule decided about each alert, by its name."""
    rows = await w.store.read(lambda tx: tx.conn.execute(select(alert.c.labels, alert.c.rule)).all())
    return {row.labels["alertname"]: row.rule for row in rows}


async def test_a_number_above_the_threshold_declares_and_the_reason_says_the_number(world: Making) -> None:
    w = await world(SETTINGS)
    w.numbers.answers[LOST] = 340.0
    await w.send(w.firing("CheckoutDown", service="shop"))

    incident = await w.incident()
    assert (incident.severity, w.numbers.asked) == ("sev1", [LOST])
    assert 'matches service!=""; lost 340 > 100.' in incident.reason


async def test_a_number_below_it_leaves_the_alert_to_the_next_rule(world: Making) -> None:
    w = await world(SETTINGS)
    w.numbers.answers[LOST] = 40.0
    await w.send(w.firing("CheckoutDown", service="shop"))

    assert (await w.hold()).rule == "everything-else"
    assert "money did not apply: lost 40, not > 100." in (await w.hold()).reason


async def test_a_prometheus_that_gives_no_answer_makes_it_unknown_which_declares(world: Making) -> None:
    w = await world(SETTINGS)
    w.numbers.answers[LOST] = TemporaryError("Prometheus cannot be reached: connection refused")
    await w.send(w.firing("CheckoutDown", service="shop"))

    reason = "lost unknown because Prometheus cannot be reached: connection refused, which counts as met."
    assert reason in (await w.incident()).reason
    assert w.metrics.condition_queries_total.labels(source="default", result="failed")._value.get() == 1


async def test_an_answer_is_used_again_for_a_while_and_nothing_is_asked_about_what_is_over(world: Making) -> None:
    w = await world(SETTINGS)
    w.numbers.answers[LOST] = 40.0
    await w.send(w.firing("A", service="shop"))
    await w.send(w.firing("B", service="shop"))
    await w.send(w.resolved("A", service="shop"))
    assert w.numbers.asked == [LOST]

    w.clock[0] += facts.FRESH
    await w.send(w.firing("C", service="shop"))
    assert w.numbers.asked == [LOST, LOST]


async def test_a_prometheus_that_answers_nothing_is_left_alone_for_a_moment(world: Making) -> None:
    w = await world(SETTINGS)
    services = ("shop", "mail", "feed", "late", "later")
    for service in services:
        w.numbers.answers[LOST.replace("shop", service)] = TemporaryError("Prometheus is down")
    await w.send(*(w.firing("Down", service=service) for service in services[:3]))
    await w.send(w.firing("Down", service="late"))
    assert len(w.numbers.asked) == 3
    assert "lost unknown because Prometheus is down" in (await w.incident(4)).reason

    w.clock[0] += facts.FAILED
    await w.send(w.firing("Down", service="later"))
    assert len(w.numbers.asked) == 4


async def test_a_fault_while_finding_out_leaves_it_unknown_and_the_alert_is_decided(world: Making) -> None:
    async def fails(promql: str, *, timeout: timedelta = facts.DEADLINE) -> Answer:  # noqa: ASYNC109
        raise ZeroDivisionError

    w = await world(SETTINGS)
    w.numbers.query = fails  # type: ignore[method-assign]
    await w.send(w.firing("Odd", service="shop"))

    assert "lost unknown because nobody asked Prometheus, which counts as met" in (await w.incident()).reason


async def test_an_alert_that_waits_for_prometheus_does_not_delay_another(world: Making) -> None:
    w = await world(SETTINGS)
    answer = asyncio.Event()

    async def slow(promql: str, *, timeout: timedelta = facts.DEADLINE) -> Answer:  # noqa: ASYNC109
        await answer.wait()
        return Answer(value=500.0)

    w.numbers.query = slow  # type: ignore[method-assign]
    body = {"version": "4", "receiver": "incidentd", "groupKey": "{}:{}"}
    for it in (w.firing("Waits", service="shop"), w.firing("DoesNot")):
        await w.store.append("default", json.dumps({**body, "alerts": [it]}).encode())
    await w.engine.unpack()
    while await w.engine.decide_one():
        pass
    assert await decided(w) == {"Waits": "", "DoesNot": "everything-else"}

    answer.set()
    await w.settle()
    assert await decided(w) == {"Waits": "money", "DoesNot": "everything-else"}


async def test_an_alert_behind_all_that_one_look_takes_does_not_wait_for_prometheus_with_them(
    world: Making, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "DECIDE", 3)
    w = await world(SETTINGS)
    answer = asyncio.Event()

    async def slow(promql: str, *, timeout: timedelta = facts.DEADLINE) -> Answer:  # noqa: ASYNC109
        await answer.wait()
        return Answer(value=500.0)

    w.numbers.query = slow  # type: ignore[method-assign]
    waiting = [w.firing(f"Waits{number}", service=f"shop{number}") for number in range(7)]
    body = {"version": "4", "receiver": "incidentd", "groupKey": "{}:{}"}
    for alerts in (waiting, [w.firing("DoesNot")]):
        await w.store.append("default", json.dumps({**body, "alerts": alerts}).encode())
        await w.engine.unpack()
        w.clock[0] += timedelta(seconds=1)
    while await w.engine.decide_one():
        pass
    assert (await decided(w))["DoesNot"] == "everything-else"

    answer.set()
    await w.settle()
    assert set((await decided(w)).values()) == {"money", "everything-else"}


async def test_a_second_service_is_seen_among_what_fires(world: Making) -> None:
    spread = Spread(of="service", by=("alertname",), is_=parse_condition(">= 2"))
    rule = replace(MONEY, name="spreads", when=(spread,), correlate_by=("alertname",))
    w = await world(replace(SETTINGS, rules=(rule, replace(CATCH_ALL, page=""))))
    await w.send(w.firing("Slow", service="shop"))
    assert (await w.hold()).rule == "everything-else"

    await w.send(w.firing("Slow", service="mail"))
    assert "2 services (mail, shop) >= 2" in (await w.incident()).reason


async def test_a_ticket_hears_that_its_alert_stopped_although_the_condition_is_no_longer_met(world: Making) -> None:
    w = await world(replace(SETTINGS, rules=(BURNS, CATCH_ALL)))
    w.numbers.answers[LOST] = 340.0
    await w.send(w.firing("Burns", service="shop"))
    w.numbers.answers[LOST] = 0.0
    await w.at(10)
    await w.send(w.resolved("Burns", service="shop"))

    assert any("It stopped" in line for line in await w.story(SYSTEM))


async def test_a_severity_label_that_says_nothing_is_held_paged_and_counted(world: Making) -> None:
    by_label = replace(MONEY, when=(), from_label=FromLabel(label="severity", grades={}))
    w = await world(replace(SETTINGS, rules=(by_label, CATCH_ALL)))
    await w.send(w.firing("Odd", service="shop", severity="sev-two"))

    hold = await w.hold()
    assert (hold.rule, hold.policy.no_progress_after) == ("money", minutes(15))
    assert w.metrics.rule_evaluation_errors_total.labels(reason="unreadable_severity")._value.get() == 1


async def test_a_rule_that_fails_holds_and_pages_and_the_other_alerts_are_decided(world: Making) -> None:
    class Fails(Query):
        def look(self, subject: Any, facts: Any) -> Any:
            raise ZeroDivisionError

    broken = replace(MONEY, when=(Fails(promql=MONEY.when[0].promql, is_=MONEY.when[0].is_),))  # type: ignore[attr-defined]
    w = await world(replace(SETTINGS, rules=(broken, CATCH_ALL)))
    await w.send(w.firing("Fails", service="shop"), w.firing("Fine"))

    assert sorted((await decided(w)).items()) == [("Fails", "everything-else"), ("Fine", "everything-else")]
    assert w.metrics.rule_evaluation_errors_total.labels(reason="error")._value.get() == 1


async def test_b5_16_what_still_fires_when_maintenance_ends_is_decided_as_new(world: Making) -> None:
    window = Maintenance(
        name="upgrade", match=(parse_matcher('service="shop"'),), begins=START, ends=START + minutes(60)
    )
    w = await world(replace(SETTINGS, maintenance=(window,)))
    w.numbers.answers[LOST] = 340.0
    await w.at(10)
    await w.send(w.firing("Stays", service="shop"), w.firing("Passes", service="shop"))
    await w.at(20)
    await w.send(w.resolved("Passes", service="shop", since=10))
    await w.at(59)
    assert await decided(w) == {"Stays": "maintenance", "Passes": "maintenance"}

    await w.at(60)
    assert (await w.incident()).declared_at == START + minutes(60)
    assert (await decided(w))["Stays"] == "money"


async def test_a_window_that_is_taken_out_of_the_files_ends_at_once(world: Making) -> None:
    window = Maintenance(
        name="upgrade", match=(parse_matcher('service="shop"'),), begins=START, ends=START + minutes(60)
    )
    w = await world(replace(SETTINGS, maintenance=(window,)))
    await w.send(w.firing("Stays", service="shop"))
    w.settings = SETTINGS
    await w.store.write(maintenance.changed)
    await w.settle()

    assert await decided(w) == {"Stays": "money"}


async def test_a_hold_that_began_before_a_window_goes_on(world: Making) -> None:
    window = Maintenance(
        name="upgrade", match=(parse_matcher('service="shop"'),), begins=START + minutes(5), ends=START + minutes(60)
    )
    w = await world(replace(SETTINGS, rules=(CATCH_ALL,), maintenance=(window,)))
    await w.send(w.firing("Lag", service="shop"))
    await w.at(14)
    await w.send(w.firing("Lag", since=12, service="shop"))
    assert (await w.hold()).state is HoldState.HOLDING

    await w.at(15)
    assert (await w.hold()).state is HoldState.DECLARED


async def test_a_return_in_a_window_counts_once_for_a_hold_however_often_it_is_decided_anew(world: Making) -> None:
    window = Maintenance(
        name="upgrade", match=(parse_matcher('service="shop"'),), begins=START + minutes(2), ends=START + minutes(10)
    )
    w = await world(replace(SETTINGS, rules=(CATCH_ALL,), maintenance=(window,)))
    await w.send(w.firing("Lag", service="shop"))
    await w.at(4)
    await w.send(w.firing("Lag", since=3, service="shop"))
    for minute in (5, 6, 7):
        await w.at(minute)
        await w.store.write(maintenance.changed)
    await w.at(11)

    hold = await w.hold()
    assert (hold.state, len(hold.refires)) == (HoldState.HOLDING, 1)


async def test_a_return_in_a_window_takes_an_incident_up_once_however_often_it_is_decided_anew(world: Making) -> None:
    window = Maintenance(
        name="upgrade", match=(parse_matcher('service="shop"'),), begins=START + minutes(2), ends=START + minutes(60)
    )
    declares = replace(CATCH_ALL, decide=Decide.DECLARE, page="")
    w = await world(replace(SETTINGS, rules=(declares,), maintenance=(window,)))
    await w.send(w.firing("Lag", service="shop"))
    await w.at(4)
    await w.send(w.firing("Lag", since=3, service="shop"))
    await w.do(lifecycle.mitigate, 1, actor=Actor(name="ana", via="api"))
    await w.store.write(maintenance.changed)
    await w.settle()

    assert (await w.incident()).status is Status.MITIGATED


async def test_what_is_asked_about_first_is_not_believed_because_the_windows_changed(world: Making) -> None:
    window = Maintenance(
        name="upgrade", match=(parse_matcher('service="shop"'),), begins=START, ends=START + minutes(9)
    )
    asked = {"default": Source(name="default", alertmanager=AlertmanagerSettings(urls=("http://am",)))}
    w = await world(replace(SETTINGS, rules=(CATCH_ALL,), maintenance=(window,), sources=asked))
    lag = w.firing("Lag", service="shop")
    await w.send(lag)
    await w.at(3)
    await w.send(w.resolved("Lag", service="shop"))
    await w.store.append("default", json.dumps({"receiver": "incidentd", "alerts": [lag]}).encode())
    await w.engine.unpack()
    await w.engine.decide_one()
    await w.store.write(maintenance.changed)
    await w.settle()

    status = await w.store.read(lambda tx: tx.conn.execute(select(alert.c.status)).scalar_one())
    assert status == "resolved"
