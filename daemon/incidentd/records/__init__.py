"""What people put down while an incident goes on: the document's own words, hypotheses, decisions, tasks, changes made
to production, exit criteria. Each thing has a number within its incident (`T3`) and a version; nothing is overwritten.
"""

from __future__ import annotations

from incidentd.records.blocking import blocks, blocks_closed, blocks_identified, blocks_resolved
from incidentd.records.kinds import (
    Belief,
    Change,
    Choice,
    Confidence,
    Criterion,
    CriterionState,
    Decision,
    Hypothesis,
    Kind,
    Objection,
    Record,
    Records,
    Section,
    SectionName,
    Task,
    TaskState,
    Written,
    gathered,
)

__all__ = [
    "Belief", "Change", "Choice", "Confidence", "Criterion", "CriterionState", "Decision", "Hypothesis", "Kind",
    "Objection", "Record", "Records", "Section", "SectionName", "Task", "TaskState", "Written", "blocks",
    "blocks_closed", "blocks_identified", "blocks_resolved", "gathered",
]  # fmt: skip
