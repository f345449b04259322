"""Metrics: bounded, without people in them, at zero before anything happens, and accepted by promtool."""

from __future__ import annotations

import re
import subprocess

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from incidentd import actionitems, holds, incidents, playbooks, rules
from incidentd.metrics import Known, LabelBounds, Metrics, StateCounts, families, values

KNOWN = Known(
    rules={"queue-lag": ("hold", "sev3"), "checkout-bleeding": ("declare", "sev1")},
    severities=("sev1", "sev2", "sev3", "sev4"),
    urgencies=("business_critical", "urgent"),
    teams=("payments",),
    channels=("ops-chat", "ana/mail"),
    playbooks=("restart-stuck-worker",),
)


@pytest.fixture
def daemon() -> Metrics:
    return Metrics(version="0.1.0")


def value(daemon: Metrics, name: str, **labels: str) -> float | None:
    return daemon.registry.get_sample_value(name, labels)


def test_every_name_has_the_prefix_and_counters_end_in_total() -> None:
    for family in families():
        assert re.fullmatch(r"incidentd_[a-z_]+", family.name)
        assert family.name.endswith("_total") == (family.type == "counter")


def test_words_in_labels_are_the_words_of_the_house() -> None:
    assert set(values.DECISIONS) == set(rules.Decide)
    assert set(values.HOLD_STATES) == holds.OPEN
    assert set(values.HOLD_OUTCOMES) == set(holds.Outcome)
    assert set(values.INCIDENT_STATES) == incidents.ACTIVE
    assert set(values.TRIGGERS) == set(incidents.Trigger)
    assert set(values.RUN_RESULTS) == playbooks.FINISHED
    assert set(values.ITEM_STATES) == set(actionitems.ItemState)
    assert set(values.ITEM_TYPES) == set(actionitems.ItemType)


def test_no_label_names_a_person_an_incident_or_a_fingerprint() -> None:
    asked = {label for family in families() for label in family.labels}
    assert not asked & {"person", "user", "handle", "actor", "incident", "subject", "id", "fingerprint", "title"}


def test_a_closed_set_of_labels_is_at_zero_from_the_start(daemon: Metrics) -> None:
    assert value(daemon, "incidentd_webhook_requests_total", result="unavailable") == 0
    assert value(daemon, "incidentd_hold_duration_seconds_count", outcome="declared_no_progress") == 0
    assert value(daemon, "incidentd_decisions_total", decision="hold", rule="queue-lag", severity="sev3") is None


def test_what_the_files_name_is_at_zero_once_they_are_read(daemon: Metrics) -> None:
    daemon.prime(KNOWN)
    assert value(daemon, "incidentd_decisions_total", decision="hold", rule="queue-lag", severity="sev3") == 0
    assert value(daemon, "incidentd_decisions_total", decision="declare", rule="queue-lag", severity="sev3") is None
    assert value(daemon, "incidentd_holds_opened_total", rule="queue-lag", severity="sev3") == 0
    assert value(daemon, "incidentd_holds_opened_total", rule="checkout-bleeding", severity="sev1") is None
    assert value(daemon, "incidentd_incidents_active", state="declared", severity="sev2") == 0
    assert value(daemon, "incidentd_pages_total", urgency="urgent", team="payments", period="sleep") == 0
    assert value(daemon, "incidentd_notifications_total", channel="ops-chat", purpose="page", result="ok") == 0


def test_a_rule_of_language_is_none_of_the_operators_rules(daemon: Metrics) -> None:
    daemon.prime(KNOWN)
    assert value(daemon, "incidentd_postmortem_language_findings_total", rule="blame") == 0
    assert value(daemon, "incidentd_postmortem_language_findings_total", rule="queue-lag") is None


def test_what_nobody_asks_is_not_said_to_be_down(daemon: Metrics) -> None:
    daemon.prime(Known(sources=("prod", "bare"), asked=("prod",), watched=("prod",)))
    for name in ("incidentd_alertmanager_up", "incidentd_watchdog_last_received_timestamp_seconds"):
        assert value(daemon, name, source="prod") == 0
        assert value(daemon, name, source="bare") is None
    assert value(daemon, "incidentd_condition_queries_total", source="bare", result="ok") == 0


def test_priming_again_keeps_what_was_counted(daemon: Metrics) -> None:
    daemon.prime(KNOWN)
    daemon.decisions_total.labels(decision="hold", rule="queue-lag", severity="sev3").inc()
    daemon.prime(KNOWN)
    assert value(daemon, "incidentd_decisions_total", decision="hold", rule="queue-lag", severity="sev3") == 1


def test_a_persons_channel_counts_by_its_kind(daemon: Metrics) -> None:
    daemon.prime(KNOWN)
    daemon.notifications_total.labels(channel="ana/mail", purpose="page", result="ok").inc()
    daemon.notifications_total.labels(channel="ben/mail", purpose="page", result="ok").inc()
    assert value(daemon, "incidentd_notifications_total", channel="mail", purpose="page", result="ok") == 2
    text, _ = daemon.render("")
    assert b'"ana' not in text


def test_strangers_values_are_bounded_and_configured_ones_always_fit() -> None:
    bounds = LabelBounds(limit=3)
    assert [bounds.bounded("severity", n) for n in range(5)] == ["0", "1", "2", "other", "other"]
    bounds.allow("severity", ["sev1"])
    assert bounds.bounded("severity", "sev1") == "sev1"
    assert bounds.bounded("severity", "1") == "1"
    assert bounds.bounded("service", "x" * 101) == "other"


def test_a_strangers_value_cannot_break_a_scrape(daemon: Metrics) -> None:
    for service in ('\ud800"\n\\', "", "\x00"):
        daemon.incidents_declared_total.labels(trigger="rule", severity="sev1", service=service).inc()
    daemon.alerts_received_total.labels("firing", "\udfff").inc()
    text, _ = daemon.render("")
    assert {family.name for family in parse_text(text.decode())} >= {"incidentd_incidents_declared"}


def test_state_is_what_was_counted_and_what_is_gone_goes_to_zero(daemon: Metrics) -> None:
    daemon.prime(KNOWN)
    daemon.set_state(StateCounts(holds={("holding", "sev3"): 2}, incidents={("declared", "sev9"): 1}, inbox=4))
    assert value(daemon, "incidentd_holds_active", state="holding", severity="sev3") == 2
    assert value(daemon, "incidentd_inbox_length") == 4
    daemon.set_state(StateCounts(holds={("recovering", "sev3"): 1}, postmortems={"draft": 3}))
    assert value(daemon, "incidentd_holds_active", state="holding", severity="sev3") == 0
    assert value(daemon, "incidentd_holds_active", state="recovering", severity="sev3") == 1
    assert value(daemon, "incidentd_incidents_active", state="declared", severity="sev9") == 0
    assert value(daemon, "incidentd_postmortems", state="draft") == 3
    assert value(daemon, "incidentd_inbox_length") == 0


def test_a_team_that_left_the_files_is_not_reported_as_unstaffed(daemon: Metrics) -> None:
    daemon.set_staffed({"payments": True, "platform": False}, {"payments": 0, "platform": 3600})
    assert value(daemon, "incidentd_oncall_staffed", team="platform") == 0
    daemon.set_staffed({"payments": True}, {"payments": 0})
    assert value(daemon, "incidentd_oncall_staffed", team="payments") == 1
    assert value(daemon, "incidentd_oncall_staffed", team="platform") is None


def test_of_a_source_that_left_the_files_nothing_stays_that_an_alert_asks_for(daemon: Metrics) -> None:
    daemon.prime(Known(sources=("a", "b"), watched=("a", "b"), asked=("a", "b")))
    daemon.watchdog_last_received_timestamp_seconds.labels(source="a").set(7)
    daemon.prime(Known(sources=("a", "b"), watched=("b",), asked=()))
    names = ("incidentd_watchdog_last_received_timestamp_seconds", "incidentd_alertmanager_up")
    assert [value(daemon, name, source="a") for name in names] == [None, None]
    assert [value(daemon, name, source="b") for name in names] == [0, None]
    daemon.prime(Known())
    assert value(daemon, names[0], source="b") is None


@pytest.mark.parametrize("accept", ["", "*/*", "text/plain;version=nonsense", "text/plain; version=1.0.0"])
def test_a_scrape_gets_text(daemon: Metrics, accept: str) -> None:
    text, kind = daemon.render(accept)
    assert kind == "text/plain; version=0.0.4; charset=utf-8"
    assert list(parse_text(text.decode()))


@pytest.mark.parametrize("version", ["1.0.0", "0.0.1", "nonsense"])
def test_a_scrape_that_asks_for_openmetrics_gets_it(daemon: Metrics, version: str) -> None:
    text, kind = daemon.render(f"application/openmetrics-text;version={version};q=0.6,text/plain;q=0.1")
    assert kind == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert list(parse_openmetrics(text.decode()))  # type: ignore[no-untyped-call]
    assert b"_created{" not in text


def test_two_daemons_in_one_process_count_apart(daemon: Metrics) -> None:
    daemon.auth_failures_total.inc()
    assert value(Metrics(version="0.1.0"), "incidentd_auth_failures_total") == 0


@pytest.mark.needs("promtool")
def test_promtool_finds_nothing_to_say_about_the_metrics(daemon: Metrics) -> None:
    """`promtool check metrics` accepts everything that /metrics exports, with no finding."""
    daemon.prime(KNOWN)
    daemon.store_info.labels(engine="sqlite", version="3.40.1").set(1)
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=daemon.render("")[0], capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
