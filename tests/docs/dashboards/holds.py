"""Whether rules and holds are right: what was decided, what became of it, and what counted as progress."""

from __future__ import annotations

from tests.docs.dashboards.board import (
    SEVERITY,
    Board,
    Row,
    bars,
    happened,
    hourly,
    lines,
    number,
    quantiles,
    ranked,
    state,
    total,
)

CHOSEN = 'severity=~"$severity"'

HELD = Row(
    title="Holds",
    panels=(
        number("Opened", "In the time looked at.", total("incidentd_holds_opened_total", having=CHOSEN)),
        number("Became incidents", "There was no progress, or another signal declared.",
               total("incidentd_holds_finished_total", having=f'outcome=~"declared_.*",{CHOSEN}')),
        number("Went away", "By themselves, by a playbook or by somebody.",
               total("incidentd_holds_finished_total",
                     having=f'outcome=~"self_resolved|auto_remediated|human_resolved",{CHOSEN}')),
        number("Open now", "By state.", state("incidentd_holds_active", "state", having=CHOSEN, inner="severity")),
        number("Oldest open", "When it began.",
               ("min(incidentd_hold_oldest_start_timestamp_seconds{HERE} > 0) * 1000 or vector(0)", ""),
               unit="dateTimeFromNow", names={"0": "none"}),
        number("Fired again", "Alerts that came back while a hold was recovering.",
               total("incidentd_hold_refires_total")),
        bars("How holds ended", "By outcome.",
             happened(hourly("incidentd_holds_finished_total", "outcome", having=CHOSEN))),
        ranked("Share declared, by rule", "Over 30 days. Below 20 %: a ticket would do. Above 60 %: declare at once.",
               ("max by (rule) (job_rule:incidentd_holds_declared:ratio_increase30d{HERE}) >= 0", "{{rule}}"),
               unit="percentunit", most=1, width=12),
        ranked("How long holds last", "By outcome.", *quantiles("incidentd_hold_duration_seconds", "outcome"),
               unit="s"),
        ranked("Progress", "Signals that counted.", total("incidentd_hold_progress_events_total", "signal")),
        ranked("Not progress", "Signals that were seen and did not count.",
               total("incidentd_hold_ignored_signals_total", "signal")),
        ranked("Opened, by rule", "Which rules hold most.",
               total("incidentd_holds_opened_total", "rule", having=CHOSEN)),
        ranked("Outcomes, by rule", "What each rule's holds came to.",
               (f'sum by (rule, outcome) (increase(incidentd_holds_finished_total{{HERE,{CHOSEN}}}[$__range])) > 0',
                "{{rule}} {{outcome}}")),
        ranked("Fired again, by rule", "A longer `quiet` would have waited for it.",
               total("incidentd_hold_refires_total", "rule")),
    ),
)  # fmt: skip

DECIDED = Row(
    title="Decisions",
    panels=(
        bars("Decisions", "Declare, hold, ticket or record.",
             hourly("incidentd_decisions_total", "decision", having=CHOSEN)),
        ranked("By rule", "How often each rule decided.",
               ("topk(15, sum by (rule) (increase(incidentd_decisions_total{HERE}[$__range])))", "{{rule}}"),
               width=12),
        number("No rule matched", "The last rule of all decided. Write rules for what comes often.",
               total("incidentd_alerts_unmatched_total"), width=12, limits=((20, "yellow"),)),
        number("Could not be decided", "Held and paged instead, by why. Mend the rule.",
               total("incidentd_rule_evaluation_errors_total", "reason"), width=12, limits=((1, "orange"),)),
        lines("Questions of rules", "What Prometheus said to the queries of `when`, by source.",
              ("sum by (source, result) (increase(incidentd_condition_queries_total{HERE}[$__rate_interval]))",
               "{{source}} {{result}}"), width=24),
    ),
)  # fmt: skip

BOARD = Board(
    name="holds", reader="whoever writes rules", title="Holds and rules",
    since="now-30d", variables=(SEVERITY,), rows=(HELD, DECIDED),
    about="What rules decided, what became of holds, and which rules want another threshold.",
)  # fmt: skip
