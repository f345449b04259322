"""What playbooks do: whether they help, what stops them, and how much work they save."""

from __future__ import annotations

from tests.docs.dashboards.board import (
    PLAYBOOK,
    Board,
    Row,
    bars,
    hourly,
    most,
    number,
    quantiles,
    ranked,
    state,
    total,
    total_fresh,
)

CHOSEN = 'playbook=~"$playbook"'

RUNS = Row(
    title="Runs",
    panels=(
        number("Runs", "Ended in the time looked at; what a guard refused began none.",
               total("incidentd_playbook_runs_total", having=CHOSEN)),
        number("Helped", "The verification passed and the alert stayed away.",
               total("incidentd_playbook_remediations_total", having=CHOSEN)),
        number("Time saved", "By what each playbook says that it would take a person.",
               ('sum(increase(incidentd_toil_saved_seconds_total{HERE,playbook=~"$playbook"}[$__range]))', ""),
               unit="s"),
        number("Under way", "Now.", state("incidentd_playbook_runs_active", "")),
        number("Automation", "Whether somebody has every playbook switched off.",
               ("max(incidentd_automation_switched_off{HERE})", ""), names={"0": "on", "1": "switched off"},
               limits=((1, "orange"),)),
        number("Playbooks off", "Switched off one by one.",
               ("sum(max by (job, playbook) (incidentd_playbook_switched_off{HERE}))", ""), limits=((1, "orange"),)),
        bars("What came of runs", "`verified` helped; `verify_failed` ran and did not.",
             hourly("incidentd_playbook_runs_total", "result", having=CHOSEN)),
        ranked("Success, by playbook", "Over 30 days: 90 % before one may run by itself, under 80 % it asks again.",
               ("max by (playbook) (job_playbook:incidentd_playbook_remediations:ratio_increase30d"
                '{HERE,playbook=~"$playbook"}) >= 0', "{{playbook}}"), unit="percentunit", most=1, width=12),
        ranked("Results, by playbook", "What each came to, and whether it asked first.",
               ('sum by (playbook, mode, result) (increase(incidentd_playbook_runs_total{HERE,playbook=~"$playbook"}'
                "[$__range])) > 0", "{{playbook}} {{mode}} {{result}}")),
        ranked("How long runs take", "By playbook.",
               *quantiles("incidentd_playbook_run_duration_seconds", "playbook", having=CHOSEN), unit="s"),
        ranked("Saved, by playbook", "Work of people.",
               total("incidentd_toil_saved_seconds_total", "playbook", having=CHOSEN), unit="s"),
    ),
)  # fmt: skip

KEPT = Row(
    title="What keeps them safe",
    panels=(
        ranked("Refused, by guard", "Each says that automation wanted to do more than it may.",
               total_fresh("incidentd_playbook_guard_denials_total", "guard", having=CHOSEN), width=6),
        ranked("Fired again", "What a playbook was verified on came back. It treats a symptom, or looks too early.",
               total("incidentd_playbook_regressions_total", "playbook", having=CHOSEN), width=6),
        ranked("Promoted and demoted", "By what their own runs showed.",
               total("incidentd_playbook_mode_changes_total", "change", having=CHOSEN), width=6),
        ranked("Switched off", "1 while somebody has it off.",
               ('max by (playbook) (incidentd_playbook_switched_off{HERE,playbook=~"$playbook"})', "{{playbook}}"),
               width=6),
    ),
)  # fmt: skip

LEFT = Row(
    title="What is left to automate",
    panels=(
        ranked("Who deals with it", "Of alerts that a playbook takes, or that are annotated `automatable: true`.",
               total_fresh("incidentd_alerts_automatable_total", "handled")),
        ranked("Time of people", "By whether a machine could have done it.",
               total_fresh("incidentd_toil_spent_seconds_total", "automatable"), unit="s"),
        ranked("Done by hand all the same", "By alert: what a machine could have done.",
               most(10, total_fresh("incidentd_toil_spent_seconds_total", "alertname", having='automatable="yes"')),
               unit="s"),
    ),
)  # fmt: skip

BOARD = Board(
    name="automation", reader="whoever writes playbooks", title="Playbooks",
    since="now-30d", variables=(PLAYBOOK,), rows=(RUNS, KEPT, LEFT),
    about="Whether playbooks help, what stops them, and how much work they save.",
)  # fmt: skip
