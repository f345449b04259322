"""What is learned: postmortems, action items, and whether they were worth it."""

from __future__ import annotations

from tests.docs.dashboards.board import (
    Board,
    Row,
    bars,
    hourly,
    lines,
    number,
    quantiles,
    ranked,
    state,
    total,
    when,
)

POSTMORTEMS = Row(
    title="Postmortems",
    panels=(
        number("Postmortems", "How many there are, by state.", state("incidentd_postmortems", "state"), width=12),
        number("Overdue now", "Past their due time, by severity of the incident.",
               ("max by (severity) (incidentd_postmortems_overdue{HERE})", "{{severity}}"), width=12,
               limits=((1, "orange"),)),
        ranked("To published", "From resolved. The worst severity within three days, all within a week.",
               *quantiles("incidentd_postmortem_time_to_publish_seconds", "severity"), unit="s", width=12),
        ranked("Words that blame", "Findings at reviews, by rule.",
               total("incidentd_postmortem_language_findings_total", "rule"), width=12),
        lines("Postmortems overdue", "Whether they grow.",
              ("sum(max by (job, severity) (incidentd_postmortems_overdue{HERE}))", "overdue"),
              width=24),
    ),
)  # fmt: skip

ITEMS = Row(
    title="Action items",
    panels=(
        number("Items", "How many there are, by state; `stuck` are those that Jira refused.",
               state("incidentd_action_items", "state", inner="priority"), width=12),
        number("Items overdue", "By priority; P0 and P1 must be 0.",
               ("max by (priority) (incidentd_action_items_overdue{HERE})", "{{priority}}"), width=12,
               limits=((1, "orange"),)),
        bars("Filed", "By type. Only `repair` and `process`: look for what would prevent.",
             hourly("incidentd_action_items_created_total", "type")),
        lines("Open by priority", "Whether they grow.",
              state("incidentd_action_items", "priority", having='state!~"done|declined"', inner="state")),
        ranked("From filed to done", "By priority.",
               *quantiles("incidentd_action_item_closure_seconds", "priority"), unit="s"),
        ranked("Filed, by priority", "In the time looked at.",
               total("incidentd_action_items_created_total", "priority")),
        ranked("Did it help", "What was seen 30 days after they were done.",
               total("incidentd_action_item_effects_total", "effect")),
    ),
)  # fmt: skip

JIRA = Row(
    title="Jira",
    panels=(
        bars("Calls", "By what came of them.", hourly("incidentd_jira_requests_total", "result"), width=12),
        ranked("Calls, by operation", "`failed` is tried again.",
               total("incidentd_jira_requests_total", "operation, result"), width=12),
        number("Last read", "When Jira last said how things stand.",
               when("incidentd_jira_sync_last_success_timestamp_seconds"), unit="dateTimeFromNow",
               names={"0": "never"}, width=12),
        number("Waiting", "Writes that Jira has not taken yet.", state("incidentd_jira_outbox_length", ""), width=12,
               limits=((20, "orange"),)),
    ),
)  # fmt: skip

BOARD = Board(
    name="learning", reader="whoever leads the reviews", title="Postmortems and action items",
    since="now-90d", rows=(POSTMORTEMS, ITEMS, JIRA),
    about="Whether incidents are learned from: drafts, reviews, action items, and what became of them.",
)  # fmt: skip
