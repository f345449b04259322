"""What stands in the library: one text of a postmortem, and how it is found again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Standing(StrEnum):
    """Whether a text is for everybody who may read."""

    DRAFT = "draft"
    PUBLISHED = "published"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelved:
    """A postmortem's text as it is put into the library."""

    incident_id: int
    standing: Standing
    version: int
    """Counts the published copies; 0 for a draft."""
    title: str
    severity: str
    service: str
    markdown: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A postmortem that was found."""

    incident_id: int
    standing: Standing
    version: int
    title: str
    severity: str
    service: str
    tags: tuple[str, ...]
    at: datetime
    """When this text was put there: for a published one when it was published."""
    body: str
    """The text without its Markdown; strangers' words."""
