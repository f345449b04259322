"""Whether people answer, and what it costs them: pages, shifts and messages."""

from __future__ import annotations

from tests.docs.dashboards.board import (
    TEAM,
    Board,
    Row,
    bars,
    hourly,
    lines,
    most,
    number,
    quantiles,
    quantiles_now,
    ranked,
    share,
    state,
    total,
    total_fresh,
    when,
)

CHOSEN = 'team=~"$team"'

ANSWERED = Row(
    title="Answers",
    panels=(
        number("Answered in time", "Share of 30 days, by urgency; aim at 95 %.",
               ("min by (urgency) (job_urgency:incidentd_pages_on_time:ratio_increase30d{HERE})", "{{urgency}}"),
               unit="percentunit", width=8, limits=((0, "red"), (0.95, "green"))),
        number("Time to answer, 7 days", "Median, and the 95th percentile that should stay within the response time.",
               ("max by (urgency) (job_urgency:incidentd_page_response_seconds:p50_7d{HERE})", "{{urgency}} median"),
               ("max by (urgency) (job_urgency:incidentd_page_response_seconds:p95_7d{HERE})", "{{urgency}} p95"),
               unit="s", width=16),
        number("Too late", "Pages that were not answered inside the response time.",
               total("incidentd_response_breaches_total", having=CHOSEN), width=8, limits=((1, "orange"),)),
        number("Nobody answered", "Chains that ran out. Each of them is worth a talk.",
               total("incidentd_escalations_exhausted_total", having=CHOSEN), width=8, limits=((1, "red"),)),
        number("Opened again", "Answered, and then nothing was heard.",
               total("incidentd_page_renotifications_total", having=CHOSEN), width=8),
        bars("Pages by team", "Begun, hour by hour.", hourly("incidentd_pages_total", "team", having=CHOSEN)),
        bars("Pages by time of day", "At work, off work, and in people's sleep.",
             hourly("incidentd_pages_total", "period", having=CHOSEN)),
        ranked("Time to answer", "Within the time looked at, by team.",
               *quantiles("incidentd_page_response_seconds", "team", having=CHOSEN), unit="s"),
        ranked("How pages were answered", "What went away by itself needed nobody.",
               total("incidentd_page_acknowledgements_total", "timeliness", having=CHOSEN)),
        ranked("Escalations", "By why the next one was called.",
               total("incidentd_escalations_total", "reason", having=CHOSEN)),
    ),
)  # fmt: skip

SHIFTS = Row(
    title="Shifts",
    panels=(
        number("Pages a shift", "Of 12 hours, over a week; the budget is two. Above it: make tickets, or automate.",
               ('max by (team) (job_team:incidentd_pages:per_shift7d{HERE,team=~"$team"})', "{{team}}"), width=8,
               fractions=True, limits=((2, "orange"), (4, "red"))),
        number("On call", "Which schedules have somebody now.",
               ("max by (team) (incidentd_oncall_staffed{HERE})", "{{team}}"), width=8,
               names={"0": "nobody", "1": "somebody"}, limits=((0, "red"), (1, "green"))),
        number("Uncovered ahead", "Time of the weeks ahead in which nobody is on call.",
               ("max by (team) (incidentd_oncall_coverage_gap_seconds{HERE})", "{{team}}"), unit="s", width=8,
               limits=((1, "orange"),)),
        ranked("Incidents a shift", "What finished shifts were paged for, each once; the budget is two in 12 hours.",
               *quantiles("incidentd_oncall_shift_incidents", "team"), width=12, fractions=True),
        ranked("Shifts over budget", "Finished ones with more than two within some 12 hours.",
               total("incidentd_oncall_shifts_over_budget_total", "team"), width=12),
    ),
)  # fmt: skip

WORTH = Row(
    title="What people are woken for",
    panels=(
        ranked("Verdicts", "What people say of pages.",
               total_fresh("incidentd_page_feedback_total", "verdict"), width=12),
        ranked("Share of pages that were worth it", "By alert. Below a half: make it a ticket or delete it.",
               share(total_fresh("incidentd_page_feedback_total", "alertname", having='verdict="actionable"'),
                     total_fresh("incidentd_page_feedback_total", "alertname")), unit="percentunit", most=1, width=12),
        ranked("Pages without a runbook", "By alert; no playbook took it either. Write down what to do.",
               most(10, total_fresh("incidentd_pages_without_runbook_total", "alertname")), width=12),
        ranked("Time that people spend", "By alert, from the answer until it hurts no more.",
               most(10, total_fresh("incidentd_toil_spent_seconds_total", "alertname")), unit="s", width=12),
    ),
)  # fmt: skip

SENT = Row(
    title="Messages",
    panels=(
        bars("Attempts", "By what came of them.", hourly("incidentd_notifications_total", "result")),
        lines("From due to taken", "How long until a channel took a message; pages within a minute.",
              *quantiles_now("incidentd_notification_lag_seconds", "purpose"), unit="s"),
        ranked("Attempts by channel", "`failed` is tried again, `given_up` is not.",
               total("incidentd_notifications_total", "channel, result"), width=12),
        ranked("Time of an attempt", "By channel.",
               *quantiles("incidentd_notification_duration_seconds", "channel"), unit="s", width=12),
        number("Last success", "By channel.",
               when("incidentd_notification_last_success_timestamp_seconds", "channel"), unit="dateTimeFromNow",
               names={"0": "never"}, width=12),
        number("Contacts", "Channels of people, by whether they are known to work. Have the others tested.",
               ("max by (state) (incidentd_oncall_contacts{HERE})", "{{state}}"), width=12),
        number("Given up", "Messages that nobody got. The log says why.",
               total("incidentd_notifications_undeliverable_total"), limits=((1, "red"),)),
        number("By the fallback", "Pages whose own channel did not take them.",
               total("incidentd_notification_fallbacks_total"), width=5, limits=((1, "orange"),)),
        number("Left alone", "Channels that failed again and again, and are not tried now.",
               ("sum(incidentd_notification_circuits_open{HERE})", ""), width=5, limits=((1, "orange"),)),
        number("Within another", "Messages that had waited and went along with another one.",
               total("incidentd_notifications_merged_total"), width=5),
        number("Waiting", "Messages that are not sent yet.",
               state("incidentd_notification_outbox_length", ""), width=5),
        ranked("Held back", "Messages that waited, by why.",
               total("incidentd_notifications_held_back_total", "reason"), width=12),
        ranked("Graphs in messages", "Sent, or left out.",
               total("incidentd_notification_pictures_total", "result"), width=12),
    ),
)  # fmt: skip

BOARD = Board(
    name="response", reader="team leads", title="On call and paging",
    since="now-7d", variables=(TEAM,),
    rows=(ANSWERED, SHIFTS, WORTH, SENT),
    about="Whether pages are answered in time, how much a shift has to bear, and whether messages arrive.",
)  # fmt: skip
