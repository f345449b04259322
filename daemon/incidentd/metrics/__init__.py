"""What incidentd says about itself to Prometheus: every metric, its labels, and the values that they may have.

    metrics = Metrics(version="0.1.0")
    metrics.decisions_total.labels(decision="hold", rule="queue-lag", severity="sev3").inc()
    body, content_type = metrics.render(request.headers.get("Accept", ""))

No label ever holds a person, an incident, a fingerprint or free text, and each label has a bounded number of values.
docs/metrics.md is written from this file.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import Any

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, disable_created_metrics
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

from incidentd.metrics import values
from incidentd.metrics.counts import StateCounts
from incidentd.metrics.family import Family, Known, LabelBounds, counter, gauge, histogram, set_all

__all__ = ["Known", "LabelBounds", "Metrics", "StateCounts", "families", "values"]


class Metrics:
    """Every metric of one daemon, in a registry of its own."""

    build_info = gauge("Which incidentd this is; always 1.", version="one", python="one")
    store_info = gauge("Which database engine keeps the memory; always 1.", engine="one", version="one")
    config_last_reload_successful = gauge("1 when the last reload of rules, playbooks and schedules succeeded.", "min")
    config_last_reload_success_timestamp_seconds = gauge("Unix time of the last successful reload.")
    tls_certificate_expiry_timestamp_seconds = gauge(
        "Unix time at which the listener's own certificate ends (0 without TLS).", "min"
    )
    tls_handshakes_failed_total = counter(
        "Connections that never spoke TLS with us: a client certificate that is not good, or plain HTTP."
    )
    auth_failures_total = counter("Requests refused because the caller proved no right to them.")
    log_lines_dropped_total = counter("Log lines thrown away because nobody took them.")

    # from the front door to the known state
    webhook_requests_total = counter(
        "Alertmanager webhook deliveries by outcome.",
        result=("accepted", "refused", "unauthorized", "unknown_source", "too_large", "unavailable"),
    )
    webhook_duration_seconds = histogram("Time to accept and durably store one webhook delivery.", values.REQUEST)
    webhook_last_received_timestamp_seconds = gauge("Unix time of the last accepted webhook delivery.")
    inbox_length = gauge("Accepted deliveries that are stored and not yet unpacked.")
    inbox_oldest_received_timestamp_seconds = gauge("Unix time the oldest of them was received (0 when none).")
    quarantined_alerts_total = counter("Bad alerts of good deliveries, set aside.")
    alerts_received_total = counter(
        "Alerts in accepted deliveries (after de-duplication).", status=("firing", "resolved"), severity="alert labels"
    )
    alerts_truncated_total = counter("Alerts dropped by Alertmanager max_alerts (truncatedAlerts).")
    alerts_unmatched_total = counter("Alerts for which no severity rule matched (default rule used).")
    rule_evaluation_errors_total = counter(
        "Alerts that a rule could not decide, and that were held and paged instead.",
        reason=("unreadable_severity", "error"),
    )
    condition_queries_total = counter(
        "Queries that rules asked Prometheus before deciding.", source="sources",
        result=("ok", "unknown", "failed", "refused"),
    )  # fmt: skip
    document_exports_total = counter(
        "Documents of incidents that were to be written to the directory.", result=("written", "unchanged", "failed")
    )
    postmortem_exports_total = counter(
        "Published postmortems that were to be written to their directory.", result=("written", "unchanged", "failed")
    )
    document_outbox_length = gauge("Documents that changed and are not written to the directory yet.")
    graphs_total = counter("Graphs of incidents that were to be drawn.", result=("drawn", "no_data", "failed"))
    watchdog_last_received_timestamp_seconds = gauge("Unix time the watchdog was last received.", source="watched")
    alertmanager_requests_total = counter(
        "Questions to Alertmanager what fires.", source="asked", result=values.ANSWERS
    )
    alertmanager_up = gauge("1 when Alertmanager answered the last question.", source="asked")
    reconciled_alerts_total = counter(
        "Alerts of which Alertmanager said something new when asked.", verdict=values.VERDICTS
    )
    alert_delivery_lag_seconds = histogram("Received time minus startsAt for new firing alerts.", values.LAG)

    # deciding and holding
    decisions_total = counter(
        "Severity rule decisions.", decision=values.DECISIONS, rule="rules", severity="severities"
    )
    holds_active = gauge("Holds not yet finished.", state=values.HOLD_STATES, severity="severities")
    holds_opened_total = counter("Holds opened.", rule="hold rules", severity="severities")
    holds_finished_total = counter(
        "Holds finished by outcome.", outcome=values.HOLD_OUTCOMES, rule="hold rules", severity="severities"
    )
    hold_duration_seconds = histogram("Time from hold opened to finished.", values.COURSE, outcome=values.HOLD_OUTCOMES)
    hold_oldest_start_timestamp_seconds = gauge("Unix time the oldest unfinished hold was opened (0 when none).")
    hold_progress_events_total = counter(
        "Signals that were counted as progress.",
        signal=("alerts_down", "query", "slo_short_window", "playbook_verified", "severity_lowered", "human_note"),
    )
    hold_ignored_signals_total = counter(
        "Signals seen while holding that were not progress.",
        signal=(
            "ack",
            "repeat",
            "refire",
            "new_member",
            "comment",
            "alerts_down",
            "query",
            "slo_short_window",
            "playbook",
            "silence",
            "truncated",
            "severity",
            "spread",
            "customer",
            "ack_missed",
        ),
    )
    hold_refires_total = counter("Alerts that re-fired inside the recovery window.", rule="hold rules")

    # incidents
    incidents_active = gauge("Incidents not in a terminal state.", state=values.INCIDENT_STATES, severity="severities")
    incidents_declared_total = counter(
        "Incidents declared.", trigger=values.TRIGGERS, severity="severities", service="alert labels"
    )
    incidents_finished_total = counter(
        "Incidents finished.", resolution=("resolved", "stood_down", "merged"), severity="severities"
    )
    incidents_reopened_total = counter("Incidents taken up again after they were over.", severity="severities")
    incident_severity_changes_total = counter("Severity changes after declaration.", direction=("up", "down"))
    incident_merges_total = counter("Incidents merged into another.")
    incident_detections_total = counter(
        "Declared incidents by who noticed first.", method=values.DETECTIONS, severity="severities"
    )
    repeat_incidents_total = counter(
        "Incidents declared anew of what had one before, too late to take that up again.", service="alert labels"
    )
    incident_time_to_detect_seconds = histogram(
        "Impact start to first alert received, as it is known when the incident is resolved.", values.LAG,
        severity="severities",
    )  # fmt: skip
    incident_time_to_declare_seconds = histogram(
        "First alert startsAt to declaration.", values.COURSE, trigger=values.TRIGGERS, severity="severities"
    )
    incident_time_to_commander_seconds = histogram(
        "Declaration to accepted Incident Commander.", values.RESPONSE, severity="severities"
    )
    incidents_role_vacant = gauge(
        "Active incidents with nobody in the role; the commander answers for what is not delegated.",
        role=values.ROLES, severity="severities",
    )  # fmt: skip
    incident_time_to_mitigate_seconds = histogram(
        "Declaration to mitigated (impact stopped).", values.COURSE, severity="severities"
    )
    incident_time_to_resolve_seconds = histogram("Declaration to resolved.", values.COURSE, severity="severities")

    # people
    pages_total = counter(
        "Pages started (one per incident or hold and on-call target).",
        urgency="urgencies", team="teams", period=("business", "off", "sleep"),
    )  # fmt: skip
    page_response_seconds = histogram(
        "Decision instant to the first human ownership act.", values.RESPONSE, urgency="urgencies", team="teams"
    )
    page_acknowledgements_total = counter(
        "Pages by how they were answered the first time; what went away before has a label of its own.",
        urgency="urgencies", team="teams", timeliness=("on_time", "late", "resolved_before_ack"),
    )  # fmt: skip
    page_renotifications_total = counter(
        "Pages opened again because nothing was heard after the answer.", urgency="urgencies", team="teams"
    )
    response_breaches_total = counter(
        "Pages not acknowledged inside the response time.", urgency="urgencies", team="teams"
    )
    page_feedback_total = counter(
        "Verdicts on pages.", alertname="alerts", verdict=(
            "actionable", "false_positive", "not_actionable", "self_resolved", "duplicate", "poor_details",
        ),
    )  # fmt: skip
    escalations_total = counter(
        "Escalation steps taken.", team="teams", reason=("no_answer", "nobody", "delivery_failure", "asked")
    )
    escalations_exhausted_total = counter("Escalation chains that ran out with no acknowledgement.", team="teams")
    # not started at zero, which would say that nobody is on call
    oncall_staffed = gauge("1 when somebody is on call now.", team="set_staffed")
    oncall_coverage_gap_seconds = gauge("Uncovered time inside the look-ahead window.", team="set_staffed")
    oncall_shift_incidents = histogram(
        "Holds and incidents that a finished shift was paged for, each once.", values.INTERRUPTIONS, team="schedules"
    )
    oncall_shifts_over_budget_total = counter(
        "Finished shifts with more than two holds and incidents within some 12 hours.", team="schedules"
    )
    notifications_total = counter(
        "Notification attempts.", channel="channels", purpose=values.PURPOSES, result=values.TRIES
    )
    notification_duration_seconds = histogram("Time of one notification attempt.", values.REQUEST, channel="channels")
    notification_lag_seconds = histogram(
        "Time from when somebody was to be told to when their channel took the message.",
        values.LAG,
        purpose=values.PURPOSES,
    )
    notification_last_success_timestamp_seconds = gauge(
        "Unix time of the last delivered notification.", channel="channels"
    )
    oncall_contacts = gauge("Channels of people, by whether they are known to work.", state=values.CONTACTS)
    notification_circuits_open = gauge(
        "Channels that failed again and again and are left alone now.", "sum", channel="channels"
    )
    notifications_held_back_total = counter(
        "Messages that waited because their channel was not to be tried.", channel="channels",
        reason=("circuit", "asked", "rate", "retries"),
    )  # fmt: skip
    notifications_merged_total = counter(
        "Messages that reached somebody within another one, since they had waited.", channel="channels"
    )
    notification_pictures_total = counter(
        "Graphs that were to go with messages: sent, left out since they were not taken, or not taken by the service.",
        channel="channels", result=("sent", "left_out", "not_taken"),
    )  # fmt: skip
    notification_fallbacks_total = counter(
        "Pages that went to the fallback of their channel, which did not take them.", channel="channels"
    )
    notifications_undeliverable_total = counter(
        "Messages that were given up: refused for good, or not taken for a day.",
        channel="channels",
        purpose=values.PURPOSES,
    )
    notification_outbox_length = gauge("Notifications waiting to be sent.")

    # playbooks
    playbook_runs_total = counter(
        "Playbook runs by mode and result.", playbook="playbooks", mode=values.RUN_MODES, result=values.RUN_RESULTS
    )
    playbook_run_duration_seconds = histogram("Playbook run time.", values.WORK, playbook="playbooks")
    playbook_runs_active = gauge("Playbook runs in progress.")
    automation_switched_off = gauge("1 while somebody has every playbook switched off.")
    playbook_switched_off = gauge("1 while somebody has this playbook switched off.", playbook="playbooks")
    playbook_mode_changes_total = counter(
        "Playbooks that their own runs promoted or demoted.", playbook="playbooks", change=("promoted", "demoted")
    )
    playbook_guard_denials_total = counter("Runs refused by a safety guard.", playbook="playbooks", guard="guards")
    playbook_remediations_total = counter(
        "Runs after which verification passed and the alert stayed resolved.", playbook="playbooks"
    )
    playbook_regressions_total = counter(
        "Alerts that fired again after a playbook was verified on them, while they were watched or within an hour.",
        playbook="playbooks",
    )
    toil_saved_seconds_total = counter(
        "Estimated human time saved: manual_minutes of the playbook for each verified remediation.",
        playbook="playbooks",
    )
    # counted once a hold or incident is over, by the alert that it began with
    toil_spent_seconds_total = counter(
        "Time of people from an answer until it hurts no more, by whether a machine could have done it.",
        alertname="alerts", automatable=("yes", "no"),
    )  # fmt: skip
    alerts_automatable_total = counter(
        "Holds and incidents of alerts that a playbook takes, or that are annotated so, by who dealt with them.",
        alertname="alerts", handled=values.HANDLED,
    )  # fmt: skip
    pages_without_runbook_total = counter(
        "Pages whose alert named no runbook and that no playbook took.", alertname="alerts"
    )

    incident_updates_total = counter(
        "Stakeholder updates sent.", audience=values.AUDIENCES, timeliness=("on_time", "late")
    )
    incidents_update_overdue = gauge(
        "Incidents whose promised next update is in the past.", audience=values.AUDIENCES, severity="severities"
    )

    role_handovers_total = counter("Role handovers by result.", role=values.HANDED_OVER, result=values.HANDOVERS)
    role_handover_duration_seconds = histogram("Offer to acceptance.", values.RESPONSE, role=values.HANDED_OVER)

    # learning
    postmortems = gauge("Postmortems by state.", state=values.POSTMORTEM_STATES)
    postmortems_overdue = gauge("Postmortems past their due time.", severity="severities")
    postmortem_time_to_publish_seconds = histogram(
        "Incident resolved to postmortem published.", values.DAYS, severity="severities"
    )
    postmortem_language_findings_total = counter("Blameless-language findings at review.", rule=values.LANGUAGE_RULES)
    action_items = gauge("Action items by state and priority.", state=values.ITEM_STATES, priority=values.PRIORITIES)
    action_items_overdue = gauge("Open action items past their due date.", priority=values.PRIORITIES)
    action_items_created_total = counter("Action items filed.", type=values.ITEM_TYPES, priority=values.PRIORITIES)
    action_item_closure_seconds = histogram("Action item filed to done.", values.CLOSURE, priority=values.PRIORITIES)
    action_item_effects_total = counter(
        "Done action items whose effect was looked at after 30 days.", effect=("verified", "ineffective")
    )
    jira_requests_total = counter(
        "Jira API calls.", operation=("create", "comment", "link", "sync", "look"), result=values.TRIES
    )
    jira_sync_last_success_timestamp_seconds = gauge("Unix time of the last successful Jira sync (0 before the first).")
    jira_outbox_length = gauge("Jira writes waiting.")

    # the machine itself
    promise_kept = gauge("1 while incidentd keeps what it promises about itself.", "min", promise=values.PROMISES)
    promise_late_seconds = gauge("How long the oldest that is due has been due.", promise=values.PROMISES)
    heartbeats_total = counter("Heartbeats to the dead man's switch.", result=("sent", "failed", "withheld"))
    heartbeat_last_success_timestamp_seconds = gauge("Unix time the dead man's switch took a heartbeat last.")
    timer_lag_seconds = histogram("How late deadlines were handled.", values.LAG)
    store_operation_duration_seconds = histogram(
        "Database operation time.", values.REQUEST, operation=("commit", "read")
    )
    store_reruns_total = counter("Units of work that were run again, since a change of somebody else came in between.")

    def __init__(self, *, version: str = "") -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # twice the series, and nothing reads them
        self.registry = CollectorRegistry()
        self.bounds = LabelBounds()
        self.made = {family.attribute: family.make(self.registry, self.bounds) for family in families()}
        self._staffed: tuple[str, ...] = ()
        self._known = Known()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.build_info.labels(version=version, python=platform.python_version()).set(1)
        self.prime(Known())

    def prime(self, known: Known) -> None:
        """Export a zero for every set of labels that is known now; at start and after each reload."""
        for label, known_values in (
            ("rule", known.rules), ("severity", known.severities), ("urgency", known.urgencies),
            ("team", (*known.teams, *known.schedules)), ("channel", known.channels), ("playbook", known.playbooks),
            ("source", known.sources),
        ):  # fmt: skip
            self.bounds.allow(label, known_values)
        for family in families():
            if family.labels:
                for labels in family.known_label_sets(known):
                    self.made[family.attribute].labels(**labels)
        for of_source, before, now in (
            (self.watchdog_last_received_timestamp_seconds, self._known.watched, known.watched),
            (self.alertmanager_up, self._known.asked, known.asked),
        ):
            for source in set(before).difference(now):  # else an alert would fire for good of what is gone
                of_source.remove(self.bounds.bounded("source", source))
        self._known = known

    def set_state(self, counts: StateCounts) -> None:
        """Set every gauge of what lasts; a set of labels that is no longer counted goes to zero."""
        self.hold_oldest_start_timestamp_seconds.set(counts.hold_oldest_start)
        self.playbook_runs_active.set(counts.playbook_runs)
        self.notification_outbox_length.set(counts.notification_outbox)
        self.jira_outbox_length.set(counts.jira_outbox)
        self.document_outbox_length.set(counts.document_outbox)
        self.inbox_length.set(counts.inbox)
        self.inbox_oldest_received_timestamp_seconds.set(counts.inbox_oldest_received)
        self.automation_switched_off.set("" in counts.switched_off)
        set_all(self.playbook_switched_off, {(name,): 1 for name in counts.switched_off if name})
        set_all(self.holds_active, counts.holds)
        set_all(self.incidents_active, counts.incidents)
        set_all(self.incidents_role_vacant, counts.roles_vacant)
        set_all(self.incidents_update_overdue, counts.updates_overdue)
        set_all(self.action_items, counts.action_items)
        set_all(self.postmortems_overdue, {(name,): number for name, number in counts.postmortems_overdue.items()})
        set_all(self.action_items_overdue, {(name,): number for name, number in counts.items_overdue.items()})
        self.jira_sync_last_success_timestamp_seconds.set(counts.jira_synced)
        set_all(self.postmortems, {(state,): number for state, number in counts.postmortems.items()})

    def set_staffed(self, teams: Mapping[str, bool], gaps: Mapping[str, float]) -> None:
        """Say of each team whether somebody is on call now, and for how many seconds of the weeks ahead nobody is.

        A team that is gone from the files is gone from here.
        """
        for team in set(self._staffed).difference(teams):
            for family in (self.oncall_staffed, self.oncall_coverage_gap_seconds):
                family.remove(self.bounds.bounded("team", team))
        for team, staffed in teams.items():
            self.oncall_staffed.labels(team=team).set(staffed)
            self.oncall_coverage_gap_seconds.labels(team=team).set(gaps[team])
        self._staffed = tuple(teams)

    def set_contacts(self, states: Mapping[str, int]) -> None:
        """Say how many channels of people are in each state."""
        for state in values.CONTACTS:
            self.oncall_contacts.labels(state=state).set(states.get(state, 0))

    @staticmethod
    def is_openmetrics(accept: str) -> bool:
        """Say whether an Accept header names OpenMetrics."""
        return "application/openmetrics-text" in accept

    def render(self, accept: str) -> tuple[bytes, str]:
        """Write all of it for a scrape: the body and its content type, OpenMetrics when the Accept header names it."""
        # the library's own choice raises on a version it cannot read, and repeats a stranger's words in the type
        if self.is_openmetrics(accept):
            body: bytes = openmetrics.generate_latest(self.registry)  # type: ignore[no-untyped-call]
            return body, openmetrics.CONTENT_TYPE_LATEST
        return generate_latest(self.registry), CONTENT_TYPE_PLAIN_0_0_4


def families() -> tuple[Family[Any], ...]:
    """Give every metric as declared, in the order of this file."""
    return tuple(family for family in vars(Metrics).values() if isinstance(family, Family))
