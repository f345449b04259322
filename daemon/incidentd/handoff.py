"""The handoff report: what whoever takes the pager over has to know of whoever hands it on. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from incidentd.durations import about
from incidentd.holds import Hold
from incidentd.incidents import Incident
from incidentd.matchers import Matcher
from incidentd.messages import for_reader
from incidentd.oncall import Channel, ChannelKind, Override, Person
from incidentd.pages import Page, PageState
from incidentd.text import count, plain

_MOST = 20
"""Lines of one kind; how many more there are is said."""
_READ_AT_REST = (ChannelKind.MAIL, ChannelKind.CHAT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A silence of Alertmanager."""

    matchers: str
    ends_at: datetime
    by: str
    comment: str
    id: str = ""
    match: tuple[Matcher, ...] = ()
    """Its matchers as they are held against labels."""

    def mutes(self, labels: Mapping[str, str]) -> bool:
        """Say whether an alert with these labels is silenced by it."""
        return bool(self.match) and all(matcher.matches(labels) for matcher in self.match)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flapping:
    """An alert that fired again and again."""

    what: str
    fired: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One shift change of a schedule; '' is nobody."""

    schedule: str
    at: datetime
    leaving: str
    coming: str
    began: datetime
    """When the shift of whoever leaves began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known at a shift change."""

    change: Change
    incidents: Sequence[Incident] = ()
    holds: Sequence[Hold] = ()
    pages: Sequence[Page] = ()
    """Started during the shift, oldest first."""
    flapping: Sequence[Flapping] = ()
    silences: Sequence[Silence] | None = ()
    """None when Alertmanager does not say, or none is configured."""
    overrides: Sequence[Override] = ()
    """Of this schedule, that have not ended."""
    preview: bool = False
    """Read during a shift, as if the pager were handed on now; nobody hands it on."""
    next_at: datetime | None = None
    """In a preview: when it is handed on; None when no shift change is ahead."""


def report(known: Known, *, now: datetime, person: Person | None = None, url: str = "") -> tuple[str, str]:
    """Write the report for one reader: its title and its body, plain text, every stranger's value made harmless."""
    change = known.change
    leaving, coming = plain(change.leaving, 40) or "nobody", plain(change.coming, 40) or "nobody"
    opened = len(known.incidents) + len(known.holds)
    what = "Preview of the handoff" if known.preview else "Handoff"
    title = f"{what} of {plain(change.schedule, 40)}: {leaving} to {coming}, {opened or 'nothing'} open"
    lines = [
        *(_previewed if known.preview else _handed_on)(known, leaving, coming, person),
        "Open pages stay with whoever has them, until the next one takes them.",
        *_part("Open incidents", [_incident(it) for it in known.incidents]),
        *_part("Open holds", [_hold(it, person) for it in known.holds]),
        *_part(f"Paged since {for_reader(change.began, person)}", [_page(it, now) for it in known.pages]),
        *_part("Flapping", [f"{plain(it.what, 200)}: fired {count(it.fired, 'time')}" for it in known.flapping]),
        *_silences(known.silences, person),
        *_part("Overrides ahead", [_override(it, person) for it in known.overrides]),
    ]
    if url:
        lines += ["", f"Details: {url}/"]
    return title, "\n".join(lines)


def channels_for(person: Person) -> tuple[Channel, ...]:
    """Choose where a report goes, which nobody has to be woken for: mail and chat, else the person's first channel."""
    quiet = tuple(channel for channel in person.channels if channel.kind in _READ_AT_REST)
    return quiet or person.channels[:1]


def _handed_on(known: Known, leaving: str, coming: str, person: Person | None) -> list[str]:
    change = known.change
    return [
        f"{coming} has the pager of {plain(change.schedule, 40)} since {for_reader(change.at, person)};",
        f"{leaving} had it before.",
    ]


def _previewed(known: Known, leaving: str, coming: str, person: Person | None) -> list[str]:
    change = known.change
    following = f"{coming} has it next, from {for_reader(known.next_at, person)}" if known.next_at else "nobody is next"
    now = for_reader(change.at, person)
    return [
        f"This is a preview, as if the pager were handed on now, {now}; it was sent to nobody.",
        f"{leaving} has the pager of {plain(change.schedule, 40)}; {following}.",
    ]


def _part(name: str, lines: Sequence[str]) -> list[str]:
    if not lines:
        return ["", f"{name}: none"]
    more = [f"- and {len(lines) - _MOST} more"] if len(lines) > _MOST else []
    return ["", f"{name}: {len(lines)}", *(f"- {line}" for line in lines[:_MOST]), *more]


def _incident(it: Incident) -> str:
    who = plain(it.commander, 40) if it.commander else "nobody"
    return f"{it.key} {it.severity} {it.status}: {plain(it.title, 140)}; in command: {who}"


def _hold(it: Hold, person: Person | None) -> str:
    since = for_reader(it.opened_at, person)
    return f"{it.key} {it.severity} {it.state}: {plain(it.title, 140)}; {it.firing} firing, since {since}"


def _page(it: Page, now: datetime) -> str:
    return f"{it.key} about {it.subject}, {it.urgency}: {plain(it.title, 140)}; {_answered(it, now)}"


def _answered(it: Page, now: datetime) -> str:
    match it.state:
        case PageState.ACKED:
            took = about((it.acked_at or it.started_at) - it.started_at)
            return f"{plain(it.acked_by, 40)} answered after {took}" + (", too late" if it.breached else "")
        case PageState.RESOLVED:
            return "over before anybody answered"
        case PageState.OPEN:
            return f"nobody answered for {about(now - it.started_at)}"


def _silences(silences: Sequence[Silence] | None, person: Person | None) -> list[str]:
    if silences is None:
        return ["", "Silences: unknown, since no Alertmanager answers; look there"]
    lines = [
        f"{plain(it.matchers, 200)} until {for_reader(it.ends_at, person)}, by {plain(it.by, 60)}: "
        f"{plain(it.comment, 140)}"
        for it in sorted(silences, key=lambda one: one.ends_at)
    ]
    return _part("Silences", lines)


def _override(it: Override, person: Person | None) -> str:
    why = f" ({plain(it.because, 100)})" if it.because else ""
    return f"{plain(it.person, 40)} from {for_reader(it.start, person)} to {for_reader(it.end, person)}{why}"
