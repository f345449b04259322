"""What guards refused, and the words of the one page that calls people for many of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from incidentd.text import count, plain

FEW = 5
"""When more than this are refused within WITHIN, one page calls for all that are refused from there on."""
WITHIN = timedelta(minutes=10)
GATHERS = timedelta(seconds=10)
"""How long that page waits for those that are refused in the same moment."""
_SHOWN = 5
MANY = "Guards refused many runs of playbooks: what they were for is left to people"
"""The title of such a page in lists; where it is read alone, it counts them."""
NAMED = 3
"""Targets that are named for each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A run that a guard did not let begin, and who is paged in its place."""

    playbook: str
    guard: str
    reason: str
    target: str
    subject: str
    policy: str
    urgency: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """How many runs of a playbook one guard refused."""

    playbook: str
    guard: str
    number: int
    reason: str
    """Of the newest."""
    targets: tuple[str, ...]
    """The first few."""


def title(sums: Sequence[Sum]) -> str:
    """Say it in one line."""
    names = list(dict.fromkeys(it.playbook for it in sums))
    of = f"playbook {names[0]}" if len(names) == 1 else f"{len(names)} playbooks"
    return f"{count(sum(it.number for it in sums), 'run')} of {of} refused: what they were for is left to people"


def in_words(sums: Sequence[Sum]) -> str:
    """Count them, by playbook and guard, those refused most often first."""
    return ", ".join(f"{it.number} of {it.playbook} by `{it.guard}`" for it in sums)


def lines(sums: Sequence[Sum]) -> tuple[str, ...]:
    """Say what was refused, why, and where first: a line for each playbook and guard."""
    said = []
    for it in sums[:_SHOWN]:
        more = f" and {it.number - len(it.targets)} more" if it.number > len(it.targets) else ""
        where = f"on {', '.join(plain(one, 60) for one in it.targets)}{more}"
        said.append(f"{it.playbook}, {it.number} refused by `{it.guard}` {where}: {plain(it.reason, 300)}")
    if len(sums) > _SHOWN:
        said.append(f"and {sum(it.number for it in sums[_SHOWN:])} more by other guards")
    return tuple(said)
