"""Conditions on live data: met, not met, unknown, and what each says it saw."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from incidentd.playbooks.numbers import parse_condition
from incidentd.rules import (
    BurnRate,
    Condition,
    CustomerReport,
    Facts,
    LabelMap,
    Measured,
    MoneyLost,
    Neighbours,
    OpenAlert,
    Query,
    Related,
    Spread,
)
from incidentd.rules.conditions import TICKET_PAIRS, Subject
from incidentd.templates import compile_template

NOW = datetime(2026, 11, 24, 14, 0, tzinfo=UTC)
LABELS = {"alertname": "CheckoutDown", "service": "checkout", "env": "prod"}
MEANING = LabelMap()
LOST = Query(
    name="lost_revenue", promql=compile_template('sum(lost{service="{{ labels.service }}"})'),
    is_=parse_condition("> 100"),
)  # fmt: skip
ASKED = 'sum(lost{service="checkout"})'
BURN = BurnRate(error_ratio=compile_template("errors[{{ window }}]"), budget=0.001)


def look(
    condition: Condition, facts: Facts, annotations: dict[str, str] | None = None, labels: dict[str, str] | None = None
) -> tuple[bool | None, str]:
    subject = Subject(labels=labels or LABELS, annotations=annotations or {}, meaning=MEANING)
    seen = condition.look(subject, facts)
    return seen.met, seen.text


def knowing(**measured: float) -> Facts:
    return Facts(now=NOW, measured={query: Measured(value) for query, value in measured.items()})


def firing(minutes_ago: float = 0, annotations: dict[str, str] | None = None, **labels: str) -> OpenAlert:
    began = NOW - timedelta(minutes=minutes_ago)
    return OpenAlert(labels={"env": "prod", **labels}, annotations=annotations or {}, starts_at=began)


def around(*alerts: OpenAlert) -> Facts:
    return Facts(now=NOW, neighbours=Neighbours(alerts, MEANING))


def test_a_query_is_held_against_its_threshold_and_says_what_it_measured() -> None:
    assert LOST.queries(LABELS) == (ASKED,)
    assert look(LOST, knowing(**{ASKED: 340})) == (True, "lost_revenue 340 > 100")
    assert look(LOST, knowing(**{ASKED: 40.0})) == (False, "lost_revenue 40, not > 100")
    assert look(LOST, knowing(**{ASKED: math.inf})) == (True, "lost_revenue +Inf > 100")
    assert look(LOST, knowing(**{ASKED: 123456.789})) == (True, "lost_revenue 123457 > 100")


def test_a_query_without_an_answer_is_unknown_and_says_why() -> None:
    down = Facts(measured={ASKED: Measured(None, "Prometheus did not answer within 5s")})

    assert look(LOST, down) == (None, "lost_revenue unknown because Prometheus did not answer within 5s")
    assert look(LOST, Facts()) == (None, "lost_revenue unknown because nobody asked Prometheus")


def test_a_query_that_the_alert_cannot_fill_in_is_never_asked_and_unknown() -> None:
    hostile = {"service": 'x"} or vector(1000) #'}

    assert LOST.queries({}) == LOST.queries(hostile) == ()
    assert look(LOST, Facts(), labels={"a": "b"}) == (
        None,
        "lost_revenue unknown because the alert has no labels.service",
    )
    assert look(LOST, Facts(), labels=hostile)[1].endswith("a label of the alert may not stand in a query")


@pytest.mark.parametrize(
    ("long", "short", "met", "words"),
    [
        (20, 30, True, "burn rate 20 over 1h and 30 over 5m, both > 14.4"),
        (20, 10, False, "burn rate 20 over 1h and 10 over 5m, not both > 14.4"),
        (14.4, 30, False, "not both > 14.4"),
        (None, 30, None, "burn rate unknown over 1h because Prometheus is down"),
        (None, 10, False, "burn rate 10 over 5m, not > 14.4"),
        (20, None, None, "burn rate unknown over 5m because Prometheus is down"),
    ],
)
def test_a_budget_burns_when_both_windows_burn(long: float, short: float, met: bool | None, words: str) -> None:
    one = replace(BURN, pairs=BURN.pairs[:1])
    rates = {"errors[1h]": long, "errors[5m]": short}
    measured = {
        query: Measured(None, "Prometheus is down") if rate is None else Measured(rate / 1000)
        for query, rate in rates.items()
    }
    seen, text = look(one, Facts(measured=measured))

    assert (seen, words in text) == (met, True), text


def test_any_pair_of_windows_is_enough_and_all_have_to_deny() -> None:
    calm = {"errors[1h]": 0.001, "errors[5m]": 0.001, "errors[6h]": 0.001, "errors[30m]": 0.001}

    assert set(BURN.queries(LABELS)) == set(calm)
    assert look(BURN, knowing(**calm))[0] is False
    assert look(BURN, knowing(**{**calm, "errors[6h]": 0.007, "errors[30m]": 0.008})) == (
        True, "burn rate 7 over 6h and 8 over 30m, both > 6",
    )  # fmt: skip
    assert look(BURN, knowing(**{query: 0.001 for query in calm if query != "errors[6h]"}))[0] is False
    assert look(replace(BURN, pairs=TICKET_PAIRS), knowing(**{"errors[3d]": 0.002, "errors[6h]": 0.002}))[0] is True


def test_money_lost_is_what_the_annotation_says_else_what_the_query_gives() -> None:
    both = MoneyLost(annotation="lost", promql=LOST.promql, currency="EUR", is_=LOST.is_)
    said = replace(both, promql=None)

    assert look(both, Facts(), {"lost": "250"}) == (True, "money lost a minute in EUR 250 > 100")
    assert look(both, knowing(**{ASKED: 5})) == (False, "money lost a minute in EUR 5, not > 100")
    assert look(both, knowing(**{ASKED: 500}), {"lost": "a lot"})[0] is True
    assert look(said, Facts())[1].endswith("unknown because the alert has no annotation lost")
    assert look(said, Facts(), {"lost": "a lot"})[1].endswith("its annotation lost is no number: 'a lot'")
    assert [look(said, Facts(), {"lost": odd})[0] for odd in ("nan", "9" * 50, "inf")] == [None, None, True]


def test_a_second_service_is_a_spread_and_another_environment_is_not() -> None:
    spread = Spread(of="service", by=("alertname", "environment"), is_=parse_condition(">= 2"))
    other = firing(alertname="CheckoutDown", service="payments")

    assert look(spread, around(other)) == (True, "2 services (checkout, payments) >= 2")
    assert look(spread, around(firing(alertname="CheckoutDown", service="checkout")))[0] is False
    assert look(spread, around(firing(alertname="Other", service="payments"))) == (
        False,
        "1 service (checkout), not >= 2",
    )
    assert look(spread, around(replace(other, labels={**other.labels, "env": "dev"})))[0] is False
    assert look(spread, Facts())[0] is None


def test_a_spread_within_a_time_counts_only_what_began_in_it() -> None:
    spread = Spread(of="service", by=("alertname",), is_=parse_condition(">= 2"), within=timedelta(minutes=10))
    near, old = (firing(ago, alertname="CheckoutDown", service="payments") for ago in (9, 11))
    assert look(spread, around(near)) == (True, "2 services (checkout, payments) in 10m >= 2")
    assert look(spread, around(old)) == (False, "1 service (checkout) in 10m, not >= 2")


def test_related_alerts_are_counted_in_their_window_this_one_among_them() -> None:
    related = Related(by=("service",), within=timedelta(minutes=10), is_=parse_condition(">= 3"))
    near, old = firing(5, service="checkout", pod="a"), firing(11, service="checkout", pod="b")

    assert look(related, around(near, old)) == (False, "2 related alerts in 10m, not >= 3")
    assert look(related, around(near, near, old)) == (True, "3 related alerts in 10m >= 3")
    itself = OpenAlert(labels=LABELS, annotations={}, starts_at=NOW)
    assert look(related, around(near, itself)) == (False, "2 related alerts in 10m, not >= 3")


def test_a_customer_report_is_this_alert_or_another_one_of_the_same_service() -> None:
    report = CustomerReport(by=("service",), annotation="ticket", is_=parse_condition(">= 1"))
    called = firing(service="checkout", alertname="HelpDesk", customer_visible="true")

    assert look(report, around()) == (False, "no customer reported it")
    assert look(report, around(called)) == (True, "1 customer report (HelpDesk) >= 1")
    assert look(report, around(replace(called, labels={**called.labels, "service": "mail"})))[0] is False
    assert look(report, around(replace(called, labels={**called.labels, "customer_visible": "no"})))[0] is False
    assert look(report, around(), {"ticket": "HELP-7"})[0] is True
    assert look(report, Facts(), labels={**LABELS, "customer_impact": "yes"})[0] is True
    assert look(report, Facts())[0] is None
