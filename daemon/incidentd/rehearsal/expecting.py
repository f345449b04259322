"""Hold what is to be seen at an instant of a story against what is expected there, and say in words what differs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from incidentd.durations import format_duration
from incidentd.holds import Hold, HoldState, Outcome, declares_at
from incidentd.incidents import Incident, Trigger
from incidentd.oncall import Roster
from incidentd.pages import Notification
from incidentd.rules import Decide
from incidentd.store.views.everything import Everything
from incidentd.stories import Expectation, Expects
from incidentd.text import plain
from incidentd.timeline import Entry

_INSTANT = timedelta(seconds=1)
"""What happened this long before an expectation's minute still happened at it."""
_AT_ONCE = "at_once"
_DECLARED = "declared_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What is to be seen at an instant."""

    starts: datetime
    now: datetime
    seen: Everything
    said: Sequence[Entry]
    sent: Sequence[tuple[datetime, Notification]]
    roster: Roster
    refused: Sequence[str] = ()
    """Why what people tried at this instant is not possible."""

    def just(self, at: datetime | None) -> bool:
        """Say whether something happened at this very instant."""
        return at is not None and self.now - _INSTANT < at <= self.now

    def time(self, at: datetime) -> str:
        """Write an instant as the story counts."""
        return format_duration(at - self.starts)

    def paged(self, *, just: bool) -> list[str]:
        """Name who was paged until now, or at this instant: escalation policies, people, channels."""
        pages = [it.policy for it in self.seen.pages if not just or self.just(it.started_at)]
        channels = [it.channel for at, it in self.sent if it.page and (not just or self.just(at))]
        owners = {channel.name: person.handle for person in self.roster.people.values() for channel in person.channels}
        people = [owners[channel] for channel in channels if channel in owners]
        return list(dict.fromkeys([*pages, *people, *channels]))

    def by_kind(self) -> dict[str, list[str]]:
        """Name the people who are called at this instant, each with the kinds of channels, sorted."""
        owners = {it.name: (person.handle, it.kind) for person in self.roster.people.values() for it in person.channels}
        called: dict[str, set[str]] = {}
        for at, sent in self.sent:
            if sent.page and self.just(at) and sent.purpose in ("page", "escalation") and sent.channel in owners:
                handle, kind = owners[sent.channel]
                called.setdefault(handle, set()).add(kind.value)
        return {handle: sorted(kinds) for handle, kinds in called.items()}

    def reason(self, incident: Incident) -> str:
        """Say why an incident was declared, in the words of the files."""
        hold = next((it for it in self.seen.holds if it.id == incident.hold_id), None)
        if hold is not None and hold.outcome is not None:
            return hold.outcome.value.removeprefix(_DECLARED)
        return _AT_ONCE if incident.trigger is Trigger.RULE else Outcome.DECLARED_MANUAL.value.removeprefix(_DECLARED)


def unmet(wanted: Sequence[Expectation], sight: Sight) -> list[tuple[Expectation, str]]:
    """Give what is not as expected, each with the words for it; `wanted` are those of one instant."""
    subject = _subject(wanted, sight)
    found = [(it, _CHECKS[it.kind](it, sight, subject)) for it in wanted]
    return [(it, text) for it, text in found if text]


def _subject(wanted: Sequence[Expectation], sight: Sight) -> Hold | Incident | None:
    """Find what `severity` and the like are about: what is named beside them, else what began last."""
    kinds = {it.kind: it for it in wanted}
    holds = [it for it in sight.seen.holds if it.ended_at is None]
    incidents = list(sight.seen.incidents)
    if Expects.HOLD in kinds:
        holds = [it for it in holds if it.rule == kinds[Expects.HOLD].word]
        return holds[-1] if holds else None
    if Expects.DECLARED in kinds:
        # when none is declared now, the others are held against the last one: one difference is told once
        incidents = [it for it in incidents if sight.just(it.declared_at)] or incidents
        named = [it for it in incidents if Expects.RULE not in kinds or it.rule == kinds[Expects.RULE].word]
        meant = [it for it in named if sight.reason(it) == kinds[Expects.DECLARED].word]
        return next(reversed(meant or named or incidents), None) or next(reversed(holds), None)
    if Expects.STATE in kinds or Expects.DECLARES_AT in kinds:
        return holds[-1] if holds else None
    if Expects.STATUS in kinds:
        return incidents[-1] if incidents else None
    return holds[-1] if holds else next(reversed(incidents), None)


# -- each of them: '' when it is met, else what is wrong --------------------------------------------------------------


def _hold(it: Expectation, sight: Sight, subject: Hold | Incident | None) -> str:
    if isinstance(subject, Hold):
        return ""
    return f"expected an open hold of rule {it.word}; {_state(sight)}"


def _state_of(it: Expectation, sight: Sight, subject: Hold | Incident | None) -> str:
    if not isinstance(subject, Hold):
        return f"expected a hold that is {it.word}; {_state(sight)}"
    return "" if subject.state.value == it.word else f"expected {subject.key} {it.word}; it is {subject.state}"


def _declares_at(it: Expectation, sight: Sight, subject: Hold | Incident | None) -> str:
    wanted = format_duration(it.after)
    if not isinstance(subject, Hold):
        return f"expected a hold that declares at {wanted}; {_state(sight)}"
    found = sight.time(declares_at(subject))
    return "" if found == wanted else f"expected {subject.key} to declare at {wanted}; it would at {found}"


def _declared(it: Expectation, sight: Sight, subject: Hold | Incident | None) -> str:
    if not isinstance(subject, Incident) or not sight.just(subject.declared_at):
        return f"expected declared: {it.word}; {_state(sight)}"
    reason = sight.reason(subject)
    if reason == it.word:
        return ""
    return f"expected declared: {it.word}; {subject.key} is declared now, but the reason is {reason}"


def _rule(it: Expectation, sight: Sight, subject: Hold | Incident | None) -> str:
    if subject is not None:
        return "" if subject.rule == it.word else f"expected rule {it.word}; {subject.key} is of rule {subject.rule}"
    tickets = [_rule_of(ticket.correlation_key) for ticket in sight.seen.tickets]
    decided = [*tickets, *(alert.rule for alert in sight.seen.alerts)]
    return "" if it.word in decided else f"expected rule {it.word}; {_state(sight)}"


def _severity(it: Expectation, sight: Sight, subject: Hold | Incident | None) -> str:
    return _field(it, sight, subject, subject.severity if subject else "")


def _urgency(it: Expectation, sight: Sight, subject: Hold | Incident | None) -> str:
    return _field(it, sight, subject, subject.urgency if subject else "")


def _status(it: Expectation, sight: Sight, subject: Hold | Incident | None) -> str:
    return _field(it, sight, subject, subject.status.value if isinstance(subject, Incident) else "")


def _field(it: Expectation, sight: Sight, subject: Hold | Incident | None, found: str) -> str:
    if subject is None or not found:
        return f"expected {it.kind}: {it.word}; {_state(sight)}"
    return "" if found == it.word else f"expected {it.kind}: {it.word}; that of {subject.key} is {found}"


def _closed(it: Expectation, sight: Sight, subject: Hold | Incident | None) -> str:
    closed = [hold for hold in sight.seen.holds if sight.just(hold.ended_at) and hold.outcome is not None]
    found = [hold.outcome.value for hold in closed if hold.outcome is not None]
    if it.word in found:
        return ""
    now = f"what ended now ended as {', '.join(found)}" if found else _state(sight)
    return f"expected closed: {it.word}; {now}"


def _ticket(it: Expectation, sight: Sight, subject: Hold | Incident | None) -> str:
    found = [_rule_of(ticket.correlation_key) for ticket in sight.seen.tickets if sight.just(ticket.created_at)]
    if it.word in found:
        return ""
    now = f"the tickets of now are of {', '.join(found)}" if found else _state(sight)
    return f"expected a ticket of rule {it.word}; {now}"


def _recorded(it: Expectation, sight: Sight, subject: Hold | Incident | None) -> str:
    just = [alert for alert in sight.seen.alerts if sight.just(alert.changed_at)]
    if any(alert.decision == Decide.RECORD and alert.rule == it.word for alert in just):
        return ""
    found = ", ".join(f"{alert.decision} by rule {alert.rule}" for alert in just) or "nothing happened to any alert"
    return f"expected recorded by rule {it.word}; it was: {found}"


def _paged(it: Expectation, sight: Sight, subject: Hold | Incident | None) -> str:
    if it.by is not None:
        called, wanted = sight.by_kind(), {name: sorted(set(kinds)) for name, kinds in it.by}
        return "" if called == wanted else f"expected paged: {_whom(wanted)}; paged now: {_whom(called)}"
    if not it.words:
        ever = sight.paged(just=False)
        return f"expected that nobody was paged; {', '.join(ever)} was" if ever else ""
    found = sight.paged(just=True)
    missing = [name for name in it.words if name not in found]
    if not missing:
        return ""
    return f"expected {', '.join(missing)} paged; paged now: {', '.join(found) or 'nobody'}{_earlier(missing, sight)}"


def _whom(people: Mapping[str, Sequence[str]]) -> str:
    """Write who is paged by what, as it stands in a file."""
    return "{" + ", ".join(f"{name}: [{', '.join(kinds)}]" for name, kinds in people.items()) + "}"


def _earlier(names: Iterable[str], sight: Sight) -> str:
    wanted = set(names)
    times = [it.started_at for it in sight.seen.pages if it.policy in wanted]
    times += [at for at, sent in sight.sent if sent.page and {sent.channel, sent.channel.split("/")[0]} & wanted]
    return f"; earlier: at {sight.time(times[-1])}" if times else ""


def _not_paged(it: Expectation, sight: Sight, subject: Hold | Incident | None) -> str:
    paged = [name for name in it.words if name in sight.paged(just=False)]
    return f"expected {', '.join(paged)} not paged until now{_earlier(paged, sight)}" if paged else ""


def _playbook(it: Expectation, sight: Sight, subject: Hold | Incident | None) -> str:
    run = sight.seen.runs[-1] if sight.seen.runs else None
    if run is None:
        return f"expected playbook: {it.word}; no playbook was begun"
    return "" if run.state.value == it.word else f"expected playbook: {it.word}; {run.key} is {run.state}"


def _says(it: Expectation, sight: Sight, subject: Hold | Incident | None) -> str:
    now = [entry.text for entry in sight.said if sight.just(entry.at)]
    now += [alert.reason for alert in sight.seen.alerts if sight.just(alert.changed_at)]
    missing = [words for words in it.words if not any(words in text for text in now)]
    return f"expected the words {plain(missing[0])!r}; no sentence of this minute has them" if missing else ""


def _refused(it: Expectation, sight: Sight, subject: Hold | Incident | None) -> str:
    missing = [words for words in it.words if not any(words in text for text in sight.refused)]
    told = f"the answer was {plain('; '.join(sight.refused))!r}" if sight.refused else "nobody was told no"
    return f"expected that somebody is refused with the words {plain(missing[0])!r}; {told}" if missing else ""


def _number(what: str, count: Callable[[Everything], int]) -> Callable[..., str]:
    def check(it: Expectation, sight: Sight, subject: Hold | Incident | None) -> str:
        found = count(sight.seen)
        return "" if found == it.number else f"expected {it.number} {what} until now; there were {found}"

    return check


def _nothing(it: Expectation, sight: Sight, subject: Hold | Incident | None) -> str:
    seen = sight.seen
    something = bool(seen.holds or seen.incidents or seen.tickets)
    if something != bool(it.number):
        return ""
    return f"expected {'nothing' if it.number else 'something'} to come of it; {_state(sight)}"


_CHECKS: dict[Expects, Callable[[Expectation, Sight, Any], str]] = {
    Expects.HOLD: _hold, Expects.STATE: _state_of, Expects.DECLARES_AT: _declares_at, Expects.DECLARED: _declared,
    Expects.RULE: _rule, Expects.SEVERITY: _severity, Expects.URGENCY: _urgency, Expects.STATUS: _status,
    Expects.CLOSED: _closed, Expects.TICKET: _ticket, Expects.RECORDED: _recorded, Expects.PAGED: _paged,
    Expects.NOT_PAGED: _not_paged, Expects.PLAYBOOK: _playbook, Expects.SAYS: _says, Expects.NOTHING: _nothing,
    Expects.REFUSED: _refused,
    Expects.HOLDS: _number("holds", lambda seen: len(seen.holds)),
    Expects.INCIDENTS: _number("incidents", lambda seen: len(seen.incidents)),
    Expects.TICKETS: _number("tickets", lambda seen: len(seen.tickets)),
}  # fmt: skip


def _state(sight: Sight) -> str:
    """Say what there is, for whoever expected something else."""
    lines = [_hold_line(hold, sight) for hold in sight.seen.holds if hold.outcome is None or _closed_itself(hold)]
    lines += [
        f"{it.key} ({it.rule or 'by hand'}, {it.severity}) was declared at {sight.time(it.declared_at)}, "
        f"reason {sight.reason(it)}, and is {it.status}"
        for it in sight.seen.incidents
    ]
    lines += [f"a ticket of rule {_rule_of(it.correlation_key)} at {sight.time(it.created_at)}" for it in _open(sight)]
    if not lines:
        lines = [f"{alert.decision} by rule {alert.rule}" for alert in sight.seen.alerts[-1:] if alert.decision]
    return f"there is: {'; '.join(lines)}" if lines else "nothing came of it so far"


def _open(sight: Sight) -> Sequence[Any]:
    return sight.seen.tickets[-3:]


def _closed_itself(hold: Hold) -> bool:
    return hold.outcome is not None and not hold.outcome.value.startswith(_DECLARED)


def _hold_line(hold: Hold, sight: Sight) -> str:
    if hold.ended_at is not None and hold.outcome is not None:
        return f"{hold.key} ({hold.rule}) closed at {sight.time(hold.ended_at)}: {hold.outcome}"
    declares = sight.time(declares_at(hold))
    due = f", declares at {declares}" if hold.state is HoldState.HOLDING else ""
    return f"{hold.key} ({hold.rule}, {hold.severity}) {hold.state}{due}"


def _rule_of(correlation_key: str) -> str:
    """Give the rule of a correlation key, which begins with it."""
    return str(json.loads(correlation_key)[0])
