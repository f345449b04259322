"""The roles of an incident, who holds them and who was asked to, and the people who work on it."""

from __future__ import annotations

from incidentd.roles.offer import ANSWERS_WITHIN, OFFERED, Offer, OfferState
from incidentd.roles.participant import Participant
from incidentd.roles.role import (
    MAIN,
    Assignment,
    Role,
    assigned,
    effective_holder,
    held_by,
    holder,
    named,
    released,
    since,
    vacant,
)
from incidentd.roles.span import SPAN, sub_teams
from incidentd.roles.worries import TIRED_AFTER, not_apart, tired, tires_at, worries

__all__ = [
    "ANSWERS_WITHIN", "MAIN", "OFFERED", "SPAN", "TIRED_AFTER", "Assignment", "Offer", "OfferState", "Participant",
    "Role", "assigned", "effective_holder", "held_by", "holder", "named", "not_apart", "released", "since",
    "sub_teams", "tired", "tires_at", "vacant", "worries",
]  # fmt: skip
