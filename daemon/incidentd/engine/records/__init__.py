"""What people put down during an incident, as units of work: checked, a new version, and a sentence on the timeline."""

from __future__ import annotations

from incidentd.engine.records.carrying import bring_back, carry
from incidentd.engine.records.changes import (
    accept_change,
    add_change,
    add_criterion,
    explain_change,
    note_run,
    run_ended,
    settle_criterion,
    undo_change,
)
from incidentd.engine.records.common import number_of
from incidentd.engine.records.decisions import KIND as DECISION
from incidentd.engine.records.decisions import decide, object_to, propose, wait_is_over, withdraw
from incidentd.engine.records.sections import add_hypothesis, judge_hypothesis, write_section
from incidentd.engine.records.tasks import KIND as TASK
from incidentd.engine.records.tasks import (
    acknowledge_task,
    add_task,
    box_is_over,
    end_task,
    known,
    message,
    reassign_task,
)

__all__ = [
    "DECISION", "TASK", "accept_change", "acknowledge_task", "add_change", "add_criterion", "add_hypothesis",
    "add_task", "box_is_over", "bring_back", "carry", "decide", "end_task", "explain_change", "judge_hypothesis",
    "known", "message", "note_run", "number_of", "object_to", "propose", "reassign_task", "run_ended",
    "settle_criterion", "undo_change", "wait_is_over", "withdraw", "write_section",
]  # fmt: skip
