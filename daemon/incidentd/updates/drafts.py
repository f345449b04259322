"""Drafts of updates, by phase and audience, from what is known now. What only a person knows is left to fill in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from incidentd.durations import about
from incidentd.incidents import Incident, Status
from incidentd.text import count, plain
from incidentd.updates.cadence import Audience

_ONE_OF_OURS = "one of our services"


class Phase(StrEnum):
    """What people outside of the work are told of a state."""

    INVESTIGATING = "investigating"
    IDENTIFIED = "identified"
    MONITORING = "monitoring"
    RESOLVED = "resolved"
    STOOD_DOWN = "stood_down"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a draft is made of; '' is what nobody said yet, and is left to fill in."""

    incident: Incident
    public_service: str = ""
    """What people outside call the service."""
    impact: str = ""
    cause: str = ""
    action: str = ""
    """What is being done."""
    doer: str = ""
    """By whom; nobody outside reads it."""
    decided_at: datetime | None = None
    """When somebody was given that to do."""
    channel: str = ""
    """Where people inside follow it."""
    status_page: str = ""
    """Where people outside follow it."""
    review_by: date | None = None
    """Until when what is learned from it has to be there."""
    firing: int | None = None


def phase_of(status: Status) -> Phase:
    """Say what a state of an incident is called outside."""
    match status:
        case Status.DECLARED | Status.INVESTIGATING:
            return Phase.INVESTIGATING
        case Status.IDENTIFIED:
            return Phase.IDENTIFIED
        case Status.MITIGATED:
            return Phase.MONITORING
        case Status.RESOLVED | Status.POSTMORTEM | Status.CLOSED:
            return Phase.RESOLVED
        case Status.STOOD_DOWN | Status.MERGED:
            return Phase.STOOD_DOWN


def draft(known: Known, audience: Audience, now: datetime) -> str:
    """Write an update as far as the facts go; the promise of the next one is added when it is sent."""
    phase = phase_of(known.incident.status)
    if audience is Audience.EXECUTIVES:
        return _for_executives(known, phase, now)
    return " ".join(_sentences(known, audience, phase, now))


def first_words(known: Known, audience: Audience, now: datetime) -> str:
    """Write the words that may go out by themselves: they say nothing that somebody would have to know first."""
    what = _what(known, audience)
    return f"{_clock(now, now)}: we are investigating {what}. Its extent and its cause are not yet known."


def with_promise(text: str, next_at: datetime | None, now: datetime) -> str:
    """Add when the next update comes."""
    return text if next_at is None else f"{text.rstrip()}\nNext update by {_clock(next_at, now)}."


def _sentences(known: Known, audience: Audience, phase: Phase, now: datetime) -> list[str]:
    it, what = known.incident, _what(known, audience)
    impact = known.impact or _fill("who is affected, and how")
    match phase:
        case Phase.INVESTIGATING:
            detected = f"{_clock(now, now)}: we detected {what}."
            return [detected, _end(impact), "The cause is not yet known.", *_follow(known, audience)]
        case Phase.IDENTIFIED:
            began = f"It began at {_clock(it.impact_started_at, now)}; its severity is {it.severity}."
            return [
                f"{_clock(now, now)}: we know what contributes to {what}:", _end(known.cause or _fill("the factor")),
                _end(f"What is done now: {_decided(known, audience, now)}"), began,
                _end(f"You recognise it by {_fill('what a reader sees')}"),
            ]  # fmt: skip
        case Phase.MONITORING:
            at = _clock(it.mitigated_at or now, now)
            return [
                f"{_clock(now, now)}: a fix for {what} is in place since {at}, and we are watching it.",
                _end(f"You should see {_fill('the expected effect')}"),
                _end(f"If it persists, {_fill('how that shows, and what to do')}"),
            ]  # fmt: skip
        case Phase.RESOLVED:
            end = it.resolved_at or now
            lasted = about(max(end - it.impact_started_at, timedelta(0)))
            return [
                f"{_clock(now, now)}: {what} is over since {_clock(end, now)}.",
                f"It began at {_clock(it.impact_started_at, now)} and lasted {lasted}.",
                _end(f"Data were {_fill('lost, or not lost')}"), _end(f"What lingers: {_fill('effects, or nothing')}"),
                _end(f"The review will be published by {known.review_by or _fill('date')}"),
            ]  # fmt: skip
        case Phase.STOOD_DOWN:
            return [
                f"{_clock(now, now)}: no customer impact.",
                _end(f"The response to {what} is called off because {_fill('why')}"),
            ]


def _for_executives(known: Known, phase: Phase, now: datetime) -> str:
    it = known.incident
    firing = f"; {count(known.firing, 'alert')} firing" if known.firing is not None else ""
    began = f"it began at {_clock(it.impact_started_at, now)}"
    lines = (
        f"{it.key} {it.severity} is {phase.value.replace('_', ' ')}; {began}{firing}.",
        _end(f"Customers: {known.impact or _fill('how many, and what they cannot do')}"),
        _end(f"Now: {_action(known, Audience.EXECUTIVES) or _fill('what is done, and by whom')}"),
        f"From you we need: {_fill('what, or nothing')}.",
    )
    return "\n".join(lines)


def _what(known: Known, audience: Audience) -> str:
    """Name the trouble: inside by its title; outside only in words that somebody chose for outside."""
    if audience is Audience.EXTERNAL:
        return f"a problem with {known.public_service or _ONE_OF_OURS}"
    return f"{known.incident.key} {plain(known.incident.title, 120)}"


def _action(known: Known, audience: Audience) -> str:
    """Say what is done, and inside also who does it."""
    by = f" ({known.doer})" if known.doer and audience is not Audience.EXTERNAL else ""
    return f"{known.action.rstrip('.')}{by}" if known.action else ""


def _decided(known: Known, audience: Audience, now: datetime) -> str:
    """Say what is done and since when that is decided, or leave it to fill in."""
    action = _action(known, audience)
    if not action:
        return _fill("what, in words of the readers")
    return action if known.decided_at is None else f"{action}, decided at {_clock(known.decided_at, now)}"


def _follow(known: Known, audience: Audience) -> list[str]:
    """Say where a reader follows it: inside in the room of the incident, outside on the status page."""
    where = known.status_page if audience is Audience.EXTERNAL else known.channel
    return [_end(f"How to follow it: {where}")] if where else []


def _fill(what: str) -> str:
    return f"[say: {what}]"


def _end(text: str) -> str:
    return text if text.endswith(("!", "?", "…")) else text.rstrip(".") + "."


def _clock(at: datetime, now: datetime) -> str:
    """Write a time of day, with the day when that is another one than now."""
    at = at.astimezone(UTC)
    return at.strftime("%H:%M UTC" if at.date() == now.astimezone(UTC).date() else "%Y-%m-%d %H:%M UTC")
