"""Triage: which rule decides, why, and what decides when none can."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from incidentd.errors import Location
from incidentd.holds import HoldPolicy
from incidentd.matchers import parse_matcher
from incidentd.playbooks.numbers import parse_condition
from incidentd.rules import CATCH_ALL, Decide, Facts, FromLabel, Grade, Maintenance, Measured, Query, SeverityRule
from incidentd.settings import Settings
from incidentd.templates import compile_template
from incidentd.triage import Book, Fallback, Needs, book_of, explain, needs, triage

NOW = datetime(2026, 11, 24, 14, 0, tzinfo=UTC)
PROD = {"alertname": "CheckoutDown", "service": "checkout", "env": "prod"}
LOST = Query(name="lost_revenue", promql=compile_template("lost"), is_=parse_condition("> 100"))


def rule(name: str, *match: str, **others: object) -> SeverityRule:
    made = SeverityRule(
        name=name, match=tuple(parse_matcher(one) for one in match), decide=Decide.DECLARE, severity="sev1",
        urgency="business_critical", page="payments", at=Location("rules/checkout.yaml", 12),
    )  # fmt: skip
    return replace(made, **others)  # type: ignore[arg-type]


BLEEDING = rule("bleeding", 'env="prod"', when=(LOST,), because="Money is lost.")
BY_LABEL = rule(
    "by-label", 'env="prod"',
    from_label=FromLabel(
        label="severity",
        grades={
            "critical": Grade(severity="sev1", urgency="business_critical", decide=Decide.DECLARE),
            "info": Grade(severity="sev4", urgency="ticket", decide=Decide.TICKET),
        },
    ),
)  # fmt: skip


def book(*rules: SeverityRule, **others: object) -> Book:
    return book_of(Settings(rules=(*rules, CATCH_ALL), **others), NOW)  # type: ignore[arg-type]


def measured(value: float | None, why: str = "") -> Facts:
    return Facts(measured={"lost": Measured(value, why)})


def test_a_reason_says_the_rule_its_place_and_what_was_measured() -> None:
    decision = triage(PROD, {}, book(BLEEDING), measured(340))

    assert (decision.rule, decision.decide, decision.fallback) == ("bleeding", Decide.DECLARE, None)
    assert decision.reason == (
        'Rule bleeding (rules/checkout.yaml:12) says declare: matches env="prod"; lost_revenue 340 > 100. '
        "Money is lost."
    )


def test_a_rule_whose_condition_is_not_met_is_passed_by_and_the_reason_says_so() -> None:
    decision = triage(PROD, {}, book(BLEEDING), measured(40))

    assert decision.rule == "everything-else"
    assert decision.reason.endswith(" bleeding did not apply: lost_revenue 40, not > 100.")


def test_the_unknown_counts_as_met_unless_the_rule_says_otherwise() -> None:
    down = measured(None, "Prometheus did not answer within 5s")
    strict = replace(BLEEDING, when=(replace(LOST, unknown=False),))

    declared, held = triage(PROD, {}, book(BLEEDING), down), triage(PROD, {}, book(strict), down)

    assert declared.rule == "bleeding"
    assert "lost_revenue unknown because Prometheus did not answer within 5s, which counts as met." in declared.reason
    assert held.rule == "everything-else"
    assert "which counts as not met" in held.reason


def test_what_has_to_be_found_out_is_what_matching_rules_ask_up_to_the_first_that_asks_nothing() -> None:
    later = replace(LOST, promql=compile_template("later"))
    rules = book(BLEEDING, rule("plain", 'service="checkout"'), rule("after", 'env="prod"', when=(later,)))

    assert needs(PROD, rules) == Needs(queries=frozenset({"lost"}))
    assert not needs({"env": "dev"}, rules)
    assert not needs(PROD, book(rule("plain")))


def test_a_severity_comes_from_a_label_whatever_its_letters_size() -> None:
    declared = triage({**PROD, "severity": "Critical "}, {}, book(BY_LABEL))
    ticket = triage({**PROD, "severity": "info"}, {}, book(BY_LABEL))

    assert (declared.decide, declared.severity, declared.urgency) == (Decide.DECLARE, "sev1", "business_critical")
    assert (ticket.decide, ticket.severity, ticket.urgency) == (Decide.TICKET, "sev4", "ticket")
    assert "says declare: matches env=\"prod\"; its severity is 'Critical '" in declared.reason


def test_a_severity_that_cannot_be_read_is_held_for_15_minutes_and_paged() -> None:
    odd, missing = (triage({**PROD, **more}, {}, book(BY_LABEL)) for more in ({"severity": "sev-two"}, {}))

    assert (odd.decide, odd.rule, odd.page, odd.fallback) == (
        Decide.HOLD, "by-label", "payments", Fallback.UNREADABLE_SEVERITY,
    )  # fmt: skip
    assert odd.hold.no_progress_after == timedelta(minutes=15)
    assert "from the label severity, which says 'sev-two', which is no severity here" in odd.reason
    assert "from the label severity, which is missing" in missing.reason


def test_without_any_rule_it_is_held_and_paged_as_the_last_rule_says_and_no_longer_than_15_minutes() -> None:
    slow = replace(CATCH_ALL, page="platform", hold=HoldPolicy(no_progress_after=timedelta(hours=1)))
    last = book_of(Settings(rules=(BLEEDING, slow)), NOW).catch_all
    alone = triage(PROD, {}, book_of(Settings(rules=(rule("other", 'env="dev"'),)), NOW))

    assert (last.page, last.decide, last.hold.no_progress_after) == ("platform", Decide.HOLD, timedelta(minutes=15))
    assert (alone.fallback, alone.page, alone.decide) == (Fallback.UNMATCHED, "default", Decide.HOLD)


def test_maintenance_and_drills_are_only_written_down() -> None:
    window = Maintenance(
        name="upgrade", match=(parse_matcher('service="checkout"'),), begins=NOW, ends=NOW + timedelta(hours=2),
        because="The database moves.", at=Location("maintenance.yaml", 4),
    )  # fmt: skip
    during = book(BLEEDING, maintenance=(window,))
    decision, drill = triage(PROD, {}, during), triage({**PROD, "drill": "yes"}, {}, book(BLEEDING))

    assert (decision.decide, decision.rule, decision.window, decision.page) == (
        Decide.RECORD,
        "maintenance",
        window,
        "",
    )
    assert "Maintenance upgrade (maintenance.yaml:4) is on until 2026-11-24 16:00 UTC" in decision.reason
    assert (drill.decide, drill.rule) == (Decide.RECORD, "drill")
    assert triage({**PROD, "drill": "false"}, {}, book(BLEEDING)).rule == "bleeding"
    assert not needs(PROD, during)
    after = book_of(Settings(rules=(BLEEDING, CATCH_ALL), maintenance=(window,)), window.ends)
    assert triage(PROD, {}, after).rule == "bleeding"


def test_what_is_over_is_decided_by_the_rule_that_decided_before_without_asking() -> None:
    rules = book(BLEEDING, rule("plain", 'env="prod"'))

    assert triage(PROD, {}, rules, earlier="bleeding").rule == "bleeding"
    assert triage(PROD, {}, rules, earlier="gone").rule == "plain"


def test_an_explanation_says_of_each_rule_why_it_did_or_did_not_apply() -> None:
    rules = book(rule("other", 'env="dev"'), rule("no-such", 'team="x"'), BLEEDING, rule("plain", 'env="prod"'))
    told = explain(PROD, {}, rules, measured(40))

    assert [(one.rule, one.matched, one.why) for one in told.tried] == [
        ("other", False, "env=\"dev\" does not match: it is 'prod'"),
        ("no-such", False, 'team="x" does not match: there is no team'),
        ("bleeding", False, 'matches env="prod", but lost_revenue 40, not > 100'),
        ("plain", True, 'matches env="prod"'),
    ]
    assert told.decision.rule == "plain"
    assert explain({"drill": "1"}, {}, rules).tried == ()
