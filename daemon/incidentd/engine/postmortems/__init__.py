"""Postmortems as units of work: drafted, written together, reviewed, published, and reminded of."""

from __future__ import annotations

from incidentd.engine.postmortems.clock import copies_are_due, reopened, time_came
from incidentd.engine.postmortems.common import COPIES, KIND, REVIEW, stop
from incidentd.engine.postmortems.drafting import ASKED, drafted, reasons
from incidentd.engine.postmortems.moving import Asked, approve, go, time_is_over
from incidentd.engine.postmortems.planning import Plan, assign, names
from incidentd.engine.postmortems.showing import (
    comment_shape,
    edition,
    history,
    listed,
    sections,
    standing,
    text,
    written_shape,
)
from incidentd.engine.postmortems.writing import comment, edit, resolve_comment

__all__ = [
    "ASKED", "COPIES", "KIND", "REVIEW", "Asked", "Plan", "approve", "assign", "comment", "comment_shape",
    "copies_are_due", "drafted", "edit", "edition", "go", "history", "listed", "names", "reasons", "reopened",
    "resolve_comment", "sections", "standing", "stop", "text", "time_came", "time_is_over", "written_shape",
]  # fmt: skip
