"""The postmortem: its draft, the checks of its text, its pieces, its way to publication, and its clock."""

from __future__ import annotations

from incidentd.postmortem.checking import MOST_FINDINGS, check, counts, passes
from incidentd.postmortem.drafting import draft, due_for, missing_in, quick_review
from incidentd.postmortem.facts import facts_for, users_affected
from incidentd.postmortem.feedback import LATE
from incidentd.postmortem.findings import Finding, Level, written
from incidentd.postmortem.items import Proposal, quality
from incidentd.postmortem.language import language
from incidentd.postmortem.markup import Page
from incidentd.postmortem.pieces import KEYS, Piece, find, fitting, joined, key_of, split
from incidentd.postmortem.policy import AGAIN_WITHIN, Because, Occasion
from incidentd.postmortem.prompts import HUMAN
from incidentd.postmortem.rules import RULES, Rule
from incidentd.postmortem.sections import sections
from incidentd.postmortem.workflow import (
    ALL_POINTS,
    CHECKLIST,
    EXCEPTIONS,
    MOVES,
    OUT,
    Approval,
    Comment,
    Gate,
    Item,
    Lack,
    Postmortem,
    Seen,
    State,
    Waiver,
    following,
    lacks,
    move,
)

__all__ = [
    "AGAIN_WITHIN", "ALL_POINTS", "CHECKLIST", "EXCEPTIONS", "HUMAN", "KEYS", "LATE", "MOST_FINDINGS", "MOVES", "OUT",
    "RULES", "Approval", "Because", "Comment", "Finding", "Gate", "Item", "Lack", "Level", "Occasion", "Page", "Piece",
    "Postmortem", "Proposal", "Rule", "Seen", "State", "Waiver", "check", "counts", "draft", "due_for", "facts_for",
    "find", "fitting", "following", "joined", "key_of", "lacks", "language", "missing_in", "move", "passes", "quality",
    "quick_review", "sections", "split", "users_affected", "written",
]  # fmt: skip
