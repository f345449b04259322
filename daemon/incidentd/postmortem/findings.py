"""What a check found in a postmortem: which rule, where, why it matters and what to write instead."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from incidentd.text import plain

WORDS_LIMIT = 80
"""Characters of the text that a finding shows."""


class Level(StrEnum):
    """How much a finding weighs: only an error keeps a draft from its review."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"

    @property
    def weight(self) -> int:
        """Give a number that is higher for what weighs more."""
        return {Level.ERROR: 2, Level.WARNING: 1, Level.INFO: 0}[self]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing to look at in a postmortem. It says nothing of who wrote it, and nobody is to count it that way."""

    rule: str
    level: Level
    line: int
    """Counted from 1."""
    column: int
    """Characters, counted from 1."""
    words: str
    """The words that are meant, as one harmless line; '' when something is missing."""
    reason: str
    """Why it matters, in one sentence."""
    instead: str
    """What to write instead, or what to do."""

    def __str__(self) -> str:
        said = f"`{self.words}`: " if self.words else ""
        return f"{self.line}:{self.column}: {self.level.value}: {self.rule}: {said}{self.reason} {self.instead}"


def shown(words: str) -> str:
    """Write the words that a finding means as one harmless line."""
    return plain(" ".join(words.split()), WORDS_LIMIT)


def written(finding: Finding) -> dict[str, Any]:
    """Write a finding as JSON says it."""
    return {**asdict(finding), "level": finding.level.value}
