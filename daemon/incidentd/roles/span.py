"""How many people one commander leads, and how to divide them when they are too many."""

from __future__ import annotations

from collections.abc import Mapping

SPAN = 7
"""So many people report to one at most (PagerDuty's guide: span of control)."""
_TEAM_OF = 5
"""So many work well under one leader."""
NAMES = (
    "alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliett", "kilo", "lima",
)  # fmt: skip
"""The names that sub-teams have beforehand, so that nobody has to think of one."""


def sub_teams(people: Mapping[str, str], commander: str) -> dict[str, tuple[str, ...]]:
    """Divide people (their teams by name) into sub-teams of much the same size, those of one team beside each other.

    Nothing comes while they are few enough for one commander, who is in none of them.
    """
    names = sorted((name for name in people if name != commander), key=lambda name: (people[name], name))
    if len(names) <= SPAN:
        return {}
    count = min(-(-len(names) // _TEAM_OF), len(NAMES))
    cuts = [len(names) * number // count for number in range(count + 1)]
    return {NAMES[number]: tuple(names[cuts[number] : cuts[number + 1]]) for number in range(count)}
