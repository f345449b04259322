"""The daemon's own health: what it promises, how fast it is, and what it is given."""

from __future__ import annotations

from tests.docs.dashboards.board import (
    INSTANCE,
    Board,
    Row,
    bars,
    hourly,
    lines,
    number,
    quantiles_now,
    ranked,
    rate,
    total,
    when,
)

ONE = 'instance=~"$instance"'
BUDGETS = (
    ("webhook_errors", "Deliveries refused", 0.001),
    ("webhook_slow", "Deliveries slow", 0.01),
    ("page_late", "Pages late", 0.001),
    ("deadline_late", "Deadlines late", 0.01),
)

RUNS = Row(
    title="Does it run",
    panels=(
        number("Up", "Replicas that answer.", ("sum(up{HERE})", ""), limits=((0, "red"), (1, "green"))),
        number("Version", "Of each replica; different ones only while you upgrade.",
               ("max by (version, python) (incidentd_build_info{HERE})", "{{version}}, Python {{python}}"),
               named=True),
        number("Store", "Which database keeps the memory.",
               ("max by (engine, version) (incidentd_store_info{HERE})", "{{engine}} {{version}}"), named=True),
        number("Restarts", "Within a day.", ('sum(changes(process_start_time_seconds{HERE,instance=~"$instance"}[1d]))',
               ""), limits=((3, "orange"),)),
        number("Files", "Whether the last reload was taken.",
               ("min(incidentd_config_last_reload_successful{HERE})", ""), names={"0": "refused", "1": "taken"},
               limits=((0, "red"), (1, "green"))),
        number("Read", "When the files were last taken.",
               when("incidentd_config_last_reload_success_timestamp_seconds"), unit="dateTimeFromNow"),
        number("Promises", "What it promises about itself. `/-/ready` says what waits.",
               ("min by (promise) (incidentd_promise_kept{HERE})", "{{promise}}"), width=24,
               names={"0": "broken", "1": "kept"}, limits=((0, "red"), (1, "green"))),
        lines("Late", "How long the oldest that is due has been due.",
              ("max by (promise) (incidentd_promise_late_seconds{HERE})", "{{promise}}"), unit="s",
              width=24),
    ),
)  # fmt: skip

OBJECTIVES = Row(
    title="Objectives",
    panels=(
        *(
            number(what, f"Share of 30 days; at most {most:.1%}.",
                   (f"max(job:incidentd_{name}:ratio_rate30d{{HERE}})", ""), unit="percentunit", width=6,
                   limits=((most, "red"),))
            for name, what, most in BUDGETS
        ),
        lines("How fast budgets burn", "1 spends in 30 days what 30 days allow; alerts begin at 14.4 within an hour.",
              *((f"max(job:incidentd_{name}:ratio_rate1h{{HERE}}) / {most:g}", what.lower())
                for name, what, most in BUDGETS), width=24, fractions=True),
    ),
)  # fmt: skip

RECEIVES = Row(
    title="Receiving",
    panels=(
        lines("Deliveries", "By what was answered, a second.", rate("incidentd_webhook_requests_total", "result"),
              unit="reqps"),
        lines("Until durable", "How long a delivery takes.",
              *quantiles_now("incidentd_webhook_duration_seconds"), unit="s"),
        lines("Inbox", "Deliveries that are stored and not unpacked yet.",
              ("max(incidentd_inbox_length{HERE})", "deliveries")),
        lines("Oldest in the inbox", "How long it has waited.",
              ("time() - min(incidentd_inbox_oldest_received_timestamp_seconds{HERE} > 0) or vector(0)", "waits"),
              unit="s"),
        lines("From firing to here", "How long after its begin an alert came.",
              *quantiles_now("incidentd_alert_delivery_lag_seconds", high=0.9), unit="s"),
        ranked("What Alertmanager says", "What was new when it was asked what fires.",
               total("incidentd_reconciled_alerts_total", "verdict"), width=12),
        number("Truncated", "Alerts that `max_alerts` left out. Set it to 0.",
               total("incidentd_alerts_truncated_total"), limits=((1, "orange"),)),
        number("Quarantined", "Bad alerts of good deliveries. See /api/v1/quarantine.",
               total("incidentd_quarantined_alerts_total"), limits=((1, "orange"),)),
        number("Alertmanager", "Whether it answered the last question.",
               ("max by (source) (incidentd_alertmanager_up{HERE})", "{{source}}"), names={"0": "down", "1": "up"},
               limits=((0, "red"), (1, "green"))),
        number("Watchdog", "When it was last heard.",
               when("incidentd_watchdog_last_received_timestamp_seconds", "source"), unit="dateTimeFromNow",
               names={"0": "never"}),
        number("Last delivery", "Of any source.", when("incidentd_webhook_last_received_timestamp_seconds"),
               unit="dateTimeFromNow", names={"0": "never"}),
        number("Heartbeat", "When the dead man's switch took the last one.",
               when("incidentd_heartbeat_last_success_timestamp_seconds"), unit="dateTimeFromNow",
               names={"0": "never"}),
        ranked("Questions to Alertmanager", "By source and what came of them.",
               total("incidentd_alertmanager_requests_total", "source, result"), width=12),
        ranked("Heartbeats", "Withheld ones say that a promise was broken.",
               total("incidentd_heartbeats_total", "result"), width=12),
    ),
)  # fmt: skip

WORKS = Row(
    title="Working",
    panels=(
        lines("Deadlines", "How late they were acted on.", *quantiles_now("incidentd_timer_lag_seconds"), unit="s"),
        lines("Database", "How long an operation takes.",
              *quantiles_now("incidentd_store_operation_duration_seconds", "operation"), unit="s"),
        lines("Waiting", "What is not done yet: messages, writes to Jira, documents.",
              ("max(incidentd_notification_outbox_length{HERE})", "messages"),
              ("max(incidentd_jira_outbox_length{HERE})", "Jira"),
              ("max(incidentd_document_outbox_length{HERE})", "documents")),
        lines("Run again", "Units of work that another replica's change came between, a second.",
              ("sum(rate(incidentd_store_reruns_total{HERE}[$__rate_interval]))", "units"), unit="cps"),
        ranked("Documents written", "To the directory of documents.",
               total("incidentd_document_exports_total", "result")),
        ranked("Postmortems written", "To the directory of postmortems.",
               total("incidentd_postmortem_exports_total", "result")),
        ranked("Graphs drawn", "`no_data` means that the query gave nothing.",
               total("incidentd_graphs_total", "result")),
    ),
)  # fmt: skip

MACHINE = Row(
    title="The process, and who knocks",
    panels=(
        lines("Memory", "Resident, by replica.",
              (f"process_resident_memory_bytes{{HERE,{ONE}}}", "{{instance}}"), unit="bytes"),
        lines("Processor", "Cores in use, by replica.",
              (f"rate(process_cpu_seconds_total{{HERE,{ONE}}}[$__rate_interval])", "{{instance}}"), fractions=True),
        lines("Files open", "Share of how many may be; at 100 % nobody is let in.",
              (f"process_open_fds{{HERE,{ONE}}} / process_max_fds{{HERE,{ONE}}}", "{{instance}}"), unit="percentunit"),
        bars("Refused callers", "Without the right, or without TLS that is good.",
             (hourly("incidentd_auth_failures_total")[0], "without the right"),
             (hourly("incidentd_tls_handshakes_failed_total")[0], "no good TLS")),
        number("Certificate ends", "Of the listener.",
               ("min(incidentd_tls_certificate_expiry_timestamp_seconds{HERE}) * 1000", ""), unit="dateTimeFromNow",
               names={"0": "no TLS"}, width=12),
        number("Log lines lost", "Nobody took them.", total("incidentd_log_lines_dropped_total"), width=12,
               limits=((1, "orange"),)),
    ),
)  # fmt: skip

BOARD = Board(
    name="itself", reader="whoever runs incidentd", title="incidentd itself",
    since="now-6h", variables=(INSTANCE,),
    rows=(RUNS, OBJECTIVES, RECEIVES, WORKS, MACHINE),
    about="Whether the daemon keeps what it promises, how fast it is, and what it is given.",
)  # fmt: skip
