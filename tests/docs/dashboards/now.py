"""What is happening now: for whoever is on call, and for whoever looks over a shoulder."""

from __future__ import annotations

from tests.docs.dashboards.board import (
    SEVERITY,
    Board,
    Row,
    bars,
    hourly,
    hourly_fresh,
    lines,
    most,
    number,
    or_called,
    ranked,
    rate,
    state,
    total_fresh,
    when,
)

CHOSEN = 'severity=~"$severity"'

OPEN = Row(
    title="Open now",
    panels=(
        number("Incidents", "Declared and not over. The link at the top leads to the console, which lists them.",
               state("incidentd_incidents_active", "", having=CHOSEN, inner="state, severity"), limits=((1, "red"),)),
        number("Holds", "Watched for progress; each becomes an incident when there is none in time.",
               state("incidentd_holds_active", "", having=CHOSEN, inner="state, severity"), limits=((1, "yellow"),)),
        number("Oldest hold", "When the oldest hold that is open began. One of hours wants a decision.",
               ("min(incidentd_hold_oldest_start_timestamp_seconds{HERE} > 0) * 1000 or vector(0)", ""),
               unit="dateTimeFromNow", names={"0": "none"}),
        number("No commander", "Incidents without an Incident Commander. Somebody has to take command.",
               state("incidentd_incidents_role_vacant", "", having=f'role="ic",{CHOSEN}', inner="severity"),
               limits=((1, "red"),)),
        number("Updates overdue", "Promised updates whose time is over. Send them, also when nothing is new.",
               state("incidentd_incidents_update_overdue", "", having=CHOSEN, inner="audience, severity"),
               limits=((1, "orange"),)),
        number("Nobody on call", "Schedules that have nobody now. Their pages go to the last resort.",
               ("sum(1 - max by (job, team) (incidentd_oncall_staffed{HERE}))", ""), limits=((1, "red"),)),
        number("Playbook runs", "Under way now.", state("incidentd_playbook_runs_active", "")),
        number("Automation", "Whether somebody has every playbook switched off.",
               ("max(incidentd_automation_switched_off{HERE})", ""), names={"0": "on", "1": "switched off"},
               limits=((1, "orange"),)),
        number("Messages waiting", "Notifications that are not sent yet.",
               state("incidentd_notification_outbox_length", ""), limits=((50, "orange"),)),
        number("Promises of incidentd", "Whether it does what is due. If not, /-/ready says what waits.",
               ("min(incidentd_promise_kept{HERE})", ""), names={"0": "broken", "1": "kept"},
               limits=((0, "red"), (1, "green"))),
        number("Last delivery", "When Alertmanager delivered last.",
               when("incidentd_webhook_last_received_timestamp_seconds"), unit="dateTimeFromNow",
               names={"0": "never"}),
        number("Watchdog", "When the alert that always fires was last heard; one number a source that has one.",
               when("incidentd_watchdog_last_received_timestamp_seconds", "source"), unit="dateTimeFromNow",
               names={"0": "never"}),
        lines("Incidents by state", "How many were open at each time, and how far they were.",
              state("incidentd_incidents_active", "state", having=CHOSEN, inner="severity")),
        lines("Holds by state", "How many were watched, recovered or were snoozed.",
              state("incidentd_holds_active", "state", having=CHOSEN, inner="severity")),
    ),
)  # fmt: skip

CAME = Row(
    title="What came, and what was made of it",
    panels=(
        lines("Alerts", "New and resolved alerts, a second.", rate("incidentd_alerts_received_total", "status"),
              unit="cps"),
        bars("Decisions", "What rules decided, hour by hour.",
             hourly("incidentd_decisions_total", "decision", having=CHOSEN)),
        bars("Incidents declared", "By what declared them: a rule, a hold without progress, or somebody.",
             hourly_fresh("incidentd_incidents_declared_total", "trigger", having=CHOSEN)),
        bars("Pages", "Begun, by urgency.", hourly("incidentd_pages_total", "urgency")),
        ranked("Where incidents are", "The ten services with most incidents in the time looked at.",
               or_called("no service", "service",
                         most(10, total_fresh("incidentd_incidents_declared_total", "service", having=CHOSEN))),
               width=12),
        ranked("What fires", "Alerts in the time looked at, by the word of their severity label.",
               or_called("no severity", "severity",
                         total_fresh("incidentd_alerts_received_total", "severity", having='status="firing"')),
               width=12),
    ),
)  # fmt: skip

BOARD = Board(
    name="now", reader="whoever is on call", title="Now",
    since="now-6h", variables=(SEVERITY,), rows=(OPEN, CAME),
    about="What is open, who is missing, and what came in.",
)  # fmt: skip
