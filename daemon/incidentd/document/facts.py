"""What the document and the postmortem are made of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from incidentd.actionitems import ActionItem
from incidentd.document.alike import Alike
from incidentd.document.spans import Span, span_of
from incidentd.incidents import Incident
from incidentd.pages import Page
from incidentd.playbooks import Run
from incidentd.records import Records
from incidentd.roles import Participant
from incidentd.timeline import Entry
from incidentd.updates import Promise

# a note's first line may begin with its author's name, and with the incident that it was written to
_TODO = re.compile(r"^[ \t]*(?:[\w.@-]{1,64}:[ \t]+(?:from INC-\d{1,15}:[ \t]+)?)?TODO:[ \t]*(\S.*)$", re.MULTILINE)
# what a copy out of a merged incident begins with: where from, when, and who
_TAG = re.compile(r"from (INC-\d{1,15}), (?:\d{4}-\d{2}-\d{2} )?\d{2}:\d{2}:\d{2} UTC, ([^\n]{1,80}?): ")


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertLine:
    """An alert of the incident, as one line."""

    title: str
    status: str
    starts_at: datetime
    ends_at: datetime | None = None
    link: str = ""
    """Where it can be looked at; shown when it is an http or https address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointer:
    """A place to look at."""

    kind: str
    """Runbook | Dashboard | Query | Progress."""
    what: str
    """The alert or the query that it is about."""
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphLine:
    """A graph of the incident."""

    number: int
    title: str
    at: datetime
    """When it was drawn last."""
    link: str
    """Where its picture is: an address, or the name of a file that lies beside the document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentFacts:
    """Everything that the document and the postmortem are made of."""

    incident: Incident
    entries: tuple[Entry, ...] = ()
    """Its timeline and, when it was held before, the hold's, each in the order of its chain."""
    alerts: tuple[AlertLine, ...] = ()
    pages: tuple[Page, ...] = ()
    runs: tuple[Run, ...] = ()
    items: tuple[ActionItem, ...] = ()
    """Its own, and those of what is part of it."""
    parts: Mapping[str, datetime] = field(default_factory=dict)
    """Incidents that are part of it now, and since when."""
    records: Records = field(default_factory=Records)
    """What people put down."""
    graphs: tuple[GraphLine, ...] = ()
    pointers: tuple[Pointer, ...] = ()
    alike: tuple[Alike, ...] = ()
    """Past incidents that are like it, the most alike first."""
    people: tuple[Participant, ...] = ()
    """Who was called and who came."""
    next_commander: str = ""
    """Who was asked to command next, and did not answer yet."""
    promises: tuple[Promise, ...] = ()
    """What audiences are owed that the files name."""
    rooms: tuple[str, ...] = ()
    """Channels that follow it."""
    rank: int = 1
    """Of its severity; 1 is the worst."""
    severity_means: str = ""
    external_url: str = ""
    version: str = ""
    """Which version of the document it is, in words; '' for the newest."""
    head_hash: str = ""
    """The hash of the timeline's last entry, printed at the end so that a copy cut short shows."""

    @property
    def span(self) -> Span:
        """The time that links to dashboards and queries show."""
        return span_of(self.incident, max((entry.at for entry in self.entries), default=self.incident.declared_at))


@dataclass(frozen=True, slots=True, kw_only=True)
class Todo:
    """Something that somebody wants done later, said in a note."""

    at: datetime
    by: str
    text: str
    of: str = ""
    """The incident that it was written to, where that is part of this one; '' for this one."""


def ordered(facts: IncidentFacts) -> list[Entry]:
    """Give the timeline, oldest first; what happened at one instant stays in the order in which it came."""
    return sorted(facts.entries, key=lambda entry: entry.at)


def todos(facts: IncidentFacts) -> list[Todo]:
    """Find what was asked for in notes and in the document's own words, by lines that begin with `TODO:`.

    Notes of what was merged into it count, and no longer once that is taken out again, of this or of what brought it.
    """
    noted = [note for entry in ordered(facts) if (note := _note(entry)) is not None]
    back = _given_back(facts)
    stands = [one for one, through in noted if through <= facts.parts.keys() or not back & through]
    written = [Todo(at=one.at, by=one.by, text=one.text) for one in facts.records.sections]
    found = [
        replace(one, text=text.strip())
        for one in sorted([*stands, *written], key=lambda one: one.at)
        for text in _TODO.findall(one.text)
    ]
    return list(dict.fromkeys(found))  # what came in two ways is said once


def _note(entry: Entry) -> tuple[Todo, set[str]] | None:
    """Read a note, or the copy of one, and through which incidents it came; None for any other entry."""
    data = entry.data
    copied = entry.kind == "copied" and data.get("kind") == "note"
    if not copied and entry.kind != "note":
        return None
    of = str(data.get("of") or data.get("from") or "")
    at, by, text, through = entry.at, entry.actor.name, entry.text, {of} - {""}
    if copied:
        at = datetime.fromisoformat(str(data["at"]))
    while copied and (tag := _TAG.match(text)) is not None:  # one for each merge that it went through
        by, text, through = tag[2], text[tag.end() :], through | {tag[1]}
    return Todo(at=at, by=by, text=text, of=of), through


def _given_back(facts: IncidentFacts) -> set[str]:
    """Name what was part of it, or of what was merged into it, and was taken out again."""
    back: set[str] = set()
    for entry in ordered(facts):
        if "incident.gave_back" in (entry.kind, entry.data.get("kind")):
            back.add(str(entry.data.get("merged", "")))
        elif entry.kind == "incident.took_in":
            back.discard(str(entry.data.get("merged", "")))
    return back
