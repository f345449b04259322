"""Somebody who works on an incident, what they were asked for, and when they came and went."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Participant:
    """One person's part in an incident, from when they were called or came until they were let go."""

    id: int
    incident_id: int
    person: str
    team: str = ""
    """The team that they were called for; '' when they came by themselves."""
    asked: str = ""
    """What they were asked to do."""
    by: str = ""
    """Who asked them; '' when they came by themselves."""
    paged_at: datetime | None = None
    acked_at: datetime | None = None
    joined_at: datetime | None = None
    released_at: datetime | None = None
    released_by: str = ""
