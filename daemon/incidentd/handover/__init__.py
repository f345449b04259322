"""The handover of roles from one person to another: the message, what it must say, and what became of the offer. Pure.

The report at a schedule's shift change, which hands over no role, is `handoff`.
"""

from __future__ import annotations

from incidentd.handover.drafting import draft
from incidentd.handover.facts import Facts, Measured
from incidentd.handover.gate import FRESH_FOR, Gap, gaps, refusal
from incidentd.handover.kinds import (
    ANSWER_WITHIN,
    OBSERVES_FOR,
    Handover,
    HumanLine,
    Item,
    Line,
    Message,
    State,
    titles,
    trend_of,
)
from incidentd.handover.rendering import as_markdown, as_text, rows

__all__ = [
    "ANSWER_WITHIN", "FRESH_FOR", "OBSERVES_FOR", "Facts", "Gap", "Handover", "HumanLine", "Item", "Line", "Measured",
    "Message", "State", "as_markdown", "as_text", "draft", "gaps", "refusal", "rows", "titles", "trend_of",
]  # fmt: skip
