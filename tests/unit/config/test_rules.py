"""Rules as the files say them: conditions, severities from labels, what a severity decides by itself, maintenance."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from incidentd.rules import BurnRate, CustomerReport, Decide, Grade, MoneyLost, Query, Related, SeverityRule, Spread
from incidentd.rules.conditions import PAGE_PAIRS, TICKET_PAIRS
from tests.unit.config.trees import CATCH_ALL, loaded

ALL_CONDITIONS = """
  - name: everything-asked
    match: ['env="prod"']
    severity: sev2
    page: default
    correlate_by: [alertname, service, environment]
    when:
      - {promql: 'sum(rate(lost{service="{{ labels.service }}"}[5m])) * 60', is: "> 100", name: lost, unknown: false}
      - burn_rate: {error_ratio: 'errors[{{ window }}]', objective: 99.9%}
      - burn_rate: {error_ratio: 'errors[{{ window }}]', objective: 99%, windows: ticket}
        name: slow burn
      - burn_rate: {error_ratio: 'errors[{{ window }}]', objective: 99%, pairs: [{long: 2h, short: 10m, factor: 10}]}
      - {money_lost: {annotation: lost_per_minute, promql: lost, currency: EUR}, is: ">= 5e1"}
      - spread: {of: service}
      - {spread: {of: team, by: [environment], within: 5m}, is: ">= 3"}
      - {related: {within: 10m}, is: ">= 5"}
      - customer_report: {annotation: ticket}
"""


def rules(folder: Path, text: str, config: str = "") -> tuple[SeverityRule, ...]:
    return loaded(folder, f"kind: config\n{config}---\nkind: rules\nrules:{text}\n  - {CATCH_ALL}\n").rules


def test_every_kind_of_condition_is_read(tmp_path: Path) -> None:
    query, burn, slow, own, money, spread, teams, related, report = rules(tmp_path, ALL_CONDITIONS)[0].when

    assert isinstance(query, Query)
    assert (query.name, query.unknown, query.is_.threshold) == ("lost", False, 100)
    assert isinstance(burn, BurnRate)
    assert (burn.budget, burn.pairs, burn.unknown) == (0.001, PAGE_PAIRS, True)
    assert isinstance(slow, BurnRate)
    assert (slow.name, slow.pairs) == ("slow burn", TICKET_PAIRS)
    assert isinstance(own, BurnRate)
    assert [(p.long, p.short, p.factor) for p in own.pairs] == [(timedelta(hours=2), timedelta(minutes=10), 10)]
    assert isinstance(money, MoneyLost)
    assert (money.annotation, money.currency, money.is_.threshold) == ("lost_per_minute", "EUR", 50)
    assert isinstance(spread, Spread)
    assert (spread.of, spread.by, spread.is_.threshold) == ("service", ("alertname", "environment"), 2)
    assert isinstance(teams, Spread)
    assert (teams.by, teams.is_.threshold, teams.within) == (("environment",), 3, timedelta(minutes=5))
    assert spread.within is None
    assert isinstance(related, Related)
    assert (related.by, related.within) == (("alertname", "service", "environment"), timedelta(minutes=10))
    assert isinstance(report, CustomerReport)
    assert (report.by, report.annotation, report.is_.threshold) == (("service", "environment"), "ticket", 1)


def test_a_severity_decides_what_is_usual_for_it_unless_the_rule_says(tmp_path: Path) -> None:
    text = """
  - {name: bad, match: ['a="1"'], severity: sev1, page: default}
  - {name: watched, match: ['a="2"'], severity: sev1, decide: hold, page: default}
  - {name: small, match: ['a="3"'], severity: sev4}
  - {name: own, match: ['a="4"'], severity: sev0, page: default}"""
    config = "severities: {sev0: {means: all is lost, urgency: urgent, decide: declare}, sev1: {}}\n"

    found = rules(tmp_path, text, config)
    assert [(one.decide, one.urgency) for one in found[:4]] == [
        (Decide.DECLARE, "business_critical"), (Decide.HOLD, "business_critical"), (Decide.TICKET, "ticket"),
        (Decide.DECLARE, "urgent"),
    ]  # fmt: skip


def test_a_severity_is_read_from_a_label_by_a_map_or_by_its_own_name(tmp_path: Path) -> None:
    text = """
  - name: mapped
    match: ['env="prod"']
    severity: {label: severity, map: {Critical: sev1, page: sev1, warning: sev3, info: sev4}}
    page: default
  - {name: named, match: ['env="test"'], severity: {label: sev}, decide: ticket}"""
    mapped, named, _ = rules(tmp_path, text)
    assert mapped.from_label
    assert named.from_label

    assert mapped.severity == "sev1"
    assert mapped.from_label.grade("CRITICAL ") == Grade(
        severity="sev1", urgency="business_critical", decide=Decide.DECLARE, waits=timedelta(0)
    )
    info = Grade(severity="sev4", urgency="ticket", decide=Decide.TICKET, waits=timedelta(hours=1))
    assert mapped.from_label.grade("info") == info
    assert mapped.from_label.grade("crit") is None
    sev2 = Grade(severity="sev2", urgency="business_critical", decide=Decide.TICKET, waits=timedelta(0))
    assert named.from_label.grade("SEV2") == sev2


@pytest.mark.parametrize(
    ("hold", "value", "waits"),
    [
        ("", "sev3", 30),
        ("", "sev1", 0),
        ("hold: {hard_cap: 10m}", "sev3", 10),
        ("hold: {no_progress_after: 7m}", "sev1", 7),
    ],
)
def test_alerts_of_one_rule_wait_for_progress_as_their_own_severity_does(
    tmp_path: Path, hold: str, value: str, waits: float
) -> None:
    text = f"""
  - name: labelled
    match: ['env="prod"']
    severity: {{label: severity, map: {{sev1: sev1, sev3: sev3}}}}
    decide: hold
    page: default
    {hold}"""
    rule, _ = rules(tmp_path, text)
    assert rule.from_label
    grade = rule.from_label.grade(value)
    assert grade

    assert grade.holds(rule.hold).no_progress_after == timedelta(minutes=waits)


def test_a_window_is_read_in_its_own_time_zone(tmp_path: Path) -> None:
    text = f"""kind: config
---
kind: rules
rules: [{CATCH_ALL}]
---
kind: maintenance
windows:
  - {{name: up, match: ['service="db"'], time_zone: Europe/Madrid, from: 2026-12-24 09:00, until: 2026-12-24 11:00}}
"""
    [window] = loaded(tmp_path, text).maintenance

    assert window.begins == datetime(2026, 12, 24, 8, tzinfo=UTC)
    assert window.ends == datetime(2026, 12, 24, 10, tzinfo=UTC)
    assert window.matches({"service": "db"})
    assert not window.matches({})
