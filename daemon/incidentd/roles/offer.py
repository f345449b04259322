"""A role that somebody was asked to take, and what became of the question."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from incidentd.roles.role import Role

ANSWERS_WITHIN = timedelta(minutes=5)
"""How long somebody has to accept a role before the people behind it are paged."""


OFFERED = "role_offer"
"""The kind of the deadline by which whoever was asked has to answer, and of the message that asks."""


class OfferState(StrEnum):
    """What became of the question."""

    ASKED = "asked"
    TAKEN = "taken"
    DECLINED = "declined"
    TIMED_OUT = "timed_out"
    VOID = "void"
    """Withdrawn, or overtaken by another assignment, or the incident is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """Somebody is asked to take a role."""

    id: int
    incident_id: int
    role: Role
    person: str
    asked_at: datetime
    answered_at: datetime | None = None
    state: OfferState = OfferState.ASKED
    because: str = ""
    by: str = ""
    """Who asks; '' is incidentd."""

    @property
    def key(self) -> str:
        """The speakable id."""
        return f"OFFER-{self.id}"
