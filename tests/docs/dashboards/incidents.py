"""How incidents go: for the incident manager and the review of a month."""

from __future__ import annotations

from tests.docs.dashboards.board import (
    SEVERITY,
    Board,
    Row,
    bars,
    hourly,
    lines,
    most,
    number,
    or_none,
    quantiles,
    ranked,
    state,
    total,
    total_fresh,
)

CHOSEN = 'severity=~"$severity"'

COUNTED = Row(
    title="How many",
    panels=(
        number("Declared", "In the time looked at.", total("incidentd_incident_detections_total", having=CHOSEN)),
        number("Over", "Resolved, stood down or merged.",
               total("incidentd_incidents_finished_total", having=CHOSEN)),
        number("Taken up again", "Over, and then not. Many of them: they are resolved too early.",
               total("incidentd_incidents_reopened_total", having=CHOSEN), limits=((1, "yellow"),)),
        number("Merged", "Found to be the same as another.", total("incidentd_incident_merges_total")),
        number("Repeats", "Declared anew of what had an incident before. What was to be done after that one?",
               or_none(total_fresh("incidentd_repeat_incidents_total", "")), limits=((1, "yellow"),)),
        number("Noticed by alerts", "Share of 30 days that an alert noticed before a person did; aim at 90 %.",
               ("min(job:incidentd_detections_by_alert:ratio_increase30d{HERE})", ""), unit="percentunit",
               limits=((0, "red"), (0.9, "green"))),
        bars("Declared by severity", "Day and night of the time looked at.",
             hourly("incidentd_incident_detections_total", "severity", having=CHOSEN)),
        bars("How they ended", "By resolution.",
             hourly("incidentd_incidents_finished_total", "resolution", having=CHOSEN)),
        ranked("Who noticed first", "Customers should not.",
               total("incidentd_incident_detections_total", "method", having=CHOSEN)),
        ranked("Severity changed", "Up or down after the declaration.",
               total("incidentd_incident_severity_changes_total", "direction")),
        ranked("Repeats by service", "Where the same thing comes again.",
               most(10, total_fresh("incidentd_repeat_incidents_total", "service"))),
    ),
)  # fmt: skip

TAKEN = Row(
    title="How long (medians and 90th percentiles; read them beside the counts above)",
    panels=(
        ranked("To detect", "From the begin of the impact to the first alert.",
               *quantiles("incidentd_incident_time_to_detect_seconds", "severity", having=CHOSEN), unit="s",
               width=6),
        ranked("To declare", "From the first alert's begin.",
               *quantiles("incidentd_incident_time_to_declare_seconds", "severity", having=CHOSEN), unit="s",
               width=6),
        ranked("To a commander", "From the declaration until somebody has taken command.",
               *quantiles("incidentd_incident_time_to_commander_seconds", "severity", having=CHOSEN), unit="s",
               width=6),
        ranked("To mitigated", "From the declaration until the impact has stopped.",
               *quantiles("incidentd_incident_time_to_mitigate_seconds", "severity", having=CHOSEN), unit="s",
               width=6),
        ranked("To resolved", "From the declaration.",
               *quantiles("incidentd_incident_time_to_resolve_seconds", "severity", having=CHOSEN), unit="s"),
        ranked("To declare, by what declared", "A hold takes its time on purpose; a rule should not.",
               *quantiles("incidentd_incident_time_to_declare_seconds", "trigger", having=CHOSEN), unit="s"),
        ranked("Handover", "From the offer until it is accepted.",
               *quantiles("incidentd_role_handover_duration_seconds", "role"), unit="s"),
    ),
)  # fmt: skip

KEPT = Row(
    title="Roles and promises",
    panels=(
        lines("Roles with nobody", "The commander answers for what is not delegated: `ic` must be 0.",
              state("incidentd_incidents_role_vacant", "role", having=CHOSEN, inner="severity")),
        lines("Updates overdue", "By audience.",
              state("incidentd_incidents_update_overdue", "audience", having=CHOSEN, inner="severity")),
        bars("Updates sent", "On time or late.", hourly("incidentd_incident_updates_total", "timeliness")),
        ranked("Updates by audience", "On time and late.",
               total("incidentd_incident_updates_total", "audience, timeliness"), width=6),
        ranked("Handovers", "By what came of them.", total("incidentd_role_handovers_total", "result"), width=6),
    ),
)  # fmt: skip

BOARD = Board(
    name="incidents", reader="the incident manager", title="Incidents",
    since="now-30d", variables=(SEVERITY,), rows=(COUNTED, TAKEN, KEPT),
    about="How many incidents there are, how long they take, and whether roles and updates are kept.",
)  # fmt: skip
