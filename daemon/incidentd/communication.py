"""Communication channels: rooms in which people follow an incident, which of them are told of it, and of what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from incidentd.holds import Hold
from incidentd.incidents import Incident
from incidentd.matchers import Matcher

FIELDS = ("severity", "team", "rule", "service", "drill")
"""What a route may ask of an incident."""
OWN = "channel."
"""How the kinds begin of entries that come from posting itself; they are posted nowhere, or there would be no end."""
POSTED = "channel.posted"
"""The kind of the entries that say that others were posted."""
ENTRIES = (
    "incident.*", "hold.opened", "hold.progress", "hold.refuted", "hold.extended", "hold.raised", "hold.declared",
    "hold.closed", "hold.woken", "note", "alert.fired", "role.*", "handover.*", "people.called", "people.joined",
    "page.acked", "page.helping", "page.escalated", "page.breached", "page.lapsed", "page.nobody", "hypothesis.*",
    "decision.*",
    "task.given", "task.reassigned", "task.overdue", "task.done", "task.dropped", "change.*", "criterion.*",
    "run.proposed", "run.started", "run.asked", "run.answered", "run.done", "run.ended", "run.failed", "run.verified",
    "run.interrupted", "run.stopped", "update.sent", "graph.drawn", "item.opened", "postmortem.requested",
    "postmortem.drafted", "postmortem.in_review", "postmortem.reviewed", "postmortem.draft", "postmortem.published",
    "postmortem.corrected", "postmortem.closed",
)  # fmt: skip
"""What is posted when the files do not say: what people who follow along want to read, not each look and each send."""
GROUPS = frozenset({
    "alert", "alertmanager", "change", "copied", "criterion", "decision", "graph", "handover", "hold", "hypothesis",
    "incident", "item", "message", "note", "page", "people", "postmortem", "role", "run", "section", "task", "update",
    "updates",
})  # fmt: skip
"""How kinds of entries may begin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Which incidents are followed in which channels."""

    channels: tuple[str, ...]
    """Shared channels."""
    match: tuple[Matcher, ...] = ()
    """On FIELDS; empty means every incident that is no drill."""

    def takes(self, about: Incident | Hold) -> bool:
        """Say whether it is about this one: one of its teams, with all else that it is, has to meet every matcher.

        A drill is followed only where a matcher asks for it.
        """
        drill = isinstance(about, Incident) and about.drill
        if drill and not any(matcher.name == "drill" for matcher in self.match):
            return False
        same = {
            "severity": about.severity, "rule": about.rule, "service": about.service, "drill": str(drill).lower(),
        }  # fmt: skip
        each = [{**same, "team": team} for team in about.teams or ("",)]
        return any(all(matcher.matches(fields) for matcher in self.match) for fields in each)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommunicationSettings:
    """Where and how incidents can be followed."""

    routes: tuple[Route, ...] = ()
    entries: tuple[str, ...] = ENTRIES
    """Kinds of timeline entries that are posted; `incident.*` is all that begin so."""
    interval: timedelta = timedelta(seconds=30)
    """How long entries wait for those that follow, so that they come as one message."""
    lines: int = 20
    """The most entries that one message holds; the others are counted."""
    holds: bool = True
    """Whether holds are followed as well: where the routes say, and in the rooms of their teams."""

    def channels_of(self, about: Incident | Hold) -> tuple[str, ...]:
        """Name the channels that the routes give to a hold or incident."""
        if isinstance(about, Hold) and not self.holds:
            return ()
        found = [name for route in self.routes if route.takes(about) for name in route.channels]
        return tuple(dict.fromkeys(found))

    def posts(self, kind: str) -> bool:
        """Say whether entries of this kind are posted."""
        if kind.startswith(OWN):
            return False
        return any(_is_of(kind, wanted) for wanted in self.entries)


def _is_of(kind: str, wanted: str) -> bool:
    return kind.startswith(wanted[:-1]) if wanted.endswith("*") else kind == wanted


def can_take(match: Sequence[Matcher], field: str, values: Sequence[str]) -> bool:
    """Say whether some value that a field may have meets every matcher on it."""
    asked = [matcher for matcher in match if matcher.name == field]
    return not asked or any(all(matcher.matches({field: value}) for matcher in asked) for value in values)
