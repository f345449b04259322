"""What other waits would have made of the holds that there were: stored histories through the hold engine.

Each hold is told anew, by itself: its alerts, and the notes of people. What Alertmanager was asked, queries, playbooks
and the patience that an earlier hold used up are left out, of the rule as it is as well, so both are alike.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from incidentd import holds
from incidentd.durations import about, format_duration
from incidentd.holds import OPEN, Hold, HoldPolicy, HoldState
from incidentd.incidents import Incident, StandDown, Status
from incidentd.report.finding import Finding, Kind, Table, keys, median
from incidentd.report.history import Firing, History
from incidentd.report.limits import FEWER_FALSE, HOLDS, NEWEST_HOLDS, SOONER
from incidentd.text import count, plain

_WAITS = (0.5, 2 / 3, 1.0, 1.5, 2.0)
_QUIETS = (1.0, 2.0)
_NO_REASON = frozenset({StandDown.TEST_OR_DRILL, StandDown.DUPLICATE})
"""Stood down for a reason that says nothing of whether it was one."""
_MOST_TURNS = 500


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to a hold: how many of its alerts fire from then on, or a person's note."""

    at: datetime
    firing: int
    refired: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A hold that there was, what happened to it, and whether it was worth an incident."""

    hold: Hold
    events: tuple[Event, ...]
    was_real: bool
    until: datetime
    """When the trouble was over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a policy makes of the holds of a rule."""

    policy: HoldPolicy
    declared: int
    false: int
    """Declared, and it was no incident."""
    missed: int
    """An incident that it would not have declared."""
    delays: tuple[timedelta, ...]
    """From the opening to the declaration of what was one."""

    @property
    def delay(self) -> timedelta:
        """The one in the middle."""
        return median(self.delays)


def cases(history: History) -> dict[str, list[Case]]:
    """Gather by rule the holds that are over, the newest last; those of a playbook's or an operator's doing as well."""
    of = {one.hold_id: one for one in history.incidents if one.hold_id is not None}
    firings: dict[tuple[str, str], list[Firing]] = defaultdict(list)
    for firing in history.firings:
        firings[firing.key].append(firing)
    notes: dict[str, list[datetime]] = defaultdict(list)
    for deed in history.deeds:
        notes[deed.subject].append(deed.at)
    found: dict[str, list[Case]] = defaultdict(list)
    for hold in sorted(history.holds, key=lambda hold: hold.opened_at):
        case = _case(hold, of.get(hold.id), history, firings, notes)
        if case is not None:
            found[hold.rule].append(case)
    return {rule: its[-NEWEST_HOLDS:] for rule, its in sorted(found.items())}


def _case(
    hold: Hold, incident: Incident | None, history: History, firings: Mapping[tuple[str, str], list[Firing]],
    notes: Mapping[str, list[datetime]],
) -> Case | None:  # fmt: skip
    if hold.ended_at is None or (incident is not None and incident.stand_down in _NO_REASON):
        return None
    until = hold.ended_at
    if incident is not None:
        until = incident.mitigated_at or incident.resolved_at or incident.ended_at or history.until
    mine = [
        one
        for key in history.members.get(hold.key, ())
        for one in firings.get(key, ())
        if one.began <= until and (one.ended is None or one.ended >= hold.opened_at)
    ]
    if not mine:
        return None
    events = [*_changes(mine, hold.opened_at), *(Event(at, -1, note="a note") for at in notes.get(hold.key, ()))]
    was_real = incident is not None and incident.status is not Status.STOOD_DOWN
    return Case(hold=hold, events=tuple(sorted(events, key=lambda it: it.at)), was_real=was_real, until=until)


def _changes(firings: Sequence[Firing], opened: datetime) -> Iterator[Event]:
    steps = sorted(
        [(one.began, 1, one.key) for one in firings] + [(one.ended, -1, one.key) for one in firings if one.ended],
        key=lambda step: step[:2],
    )
    firing, before = 0, set()
    for at, change, key in steps:
        firing += change
        refired = int(change > 0 and key in before)
        before.add(key)
        yield Event(max(at, opened), firing, refired)


def replayed(case: Case, policy: HoldPolicy) -> datetime | None:
    """Say when a hold would have been declared under a policy; None when it would not have been."""
    opened = case.hold.opened_at
    begins = [event for event in case.events if event.at <= opened]
    firing = max((event.firing for event in begins), default=1) or 1
    hold = Hold(
        id=case.hold.id, source="", rule=case.hold.rule, correlation_key="", title="", severity=case.hold.severity,
        urgency=case.hold.urgency, impact_started_at=opened, policy=policy, state=HoldState.HOLDING, opened_at=opened,
        deadline_at=opened, cap_at=opened, firing=firing, peak=firing, best=firing, progress_at=opened,
    )  # fmt: skip
    hold = holds.open_hold(hold, carry=timedelta(0)).hold
    for event in case.events[len(begins) :]:
        hold = _until(hold, event.at)
        if hold.state not in OPEN:
            break
        hold = _told(hold, event)
    hold = _until(hold, case.until)
    return hold.ended_at if hold.state is HoldState.DECLARED else None


def _told(hold: Hold, event: Event) -> Hold:
    if event.note:
        return holds.note_progress(hold, by="somebody", text=event.note, now=event.at).hold
    return holds.alerts_changed(hold, firing=event.firing, refired=event.refired, now=event.at).hold


def _until(hold: Hold, until: datetime) -> Hold:
    for _ in range(_MOST_TURNS):
        due = holds.next_due(hold)
        if hold.state not in OPEN or due > until:
            break
        hold = holds.time_passed(hold, due).hold
    return hold


def told(its: Sequence[Case], policy: HoldPolicy) -> Told:
    """Replay the holds of a rule under a policy."""
    ends = [(case, replayed(case, policy)) for case in its]
    return Told(
        policy=policy,
        declared=sum(at is not None for _, at in ends),
        false=sum(at is not None and not case.was_real for case, at in ends),
        missed=sum(at is None and case.was_real for case, at in ends),
        delays=tuple(at - case.hold.opened_at for case, at in ends if at is not None and case.was_real),
    )


def others(policy: HoldPolicy) -> tuple[HoldPolicy, ...]:
    """Give the policies that are tried beside that of a rule: other waits (T), caps (C) and quiet times (Q)."""
    found = []
    for wait in _WAITS:
        for quiet in _QUIETS:
            after = _whole(policy.no_progress_after * wait)
            other = replace(
                policy, no_progress_after=after, quiet=_whole(policy.quiet * quiet),
                hard_cap=max(policy.hard_cap, after),
            )  # fmt: skip
            if other != policy and other.no_progress_after > timedelta(0):
                found.append(other)
    return tuple(found)


def _whole(time: timedelta) -> timedelta:
    return timedelta(minutes=round(time / timedelta(minutes=1)))


def tuned(history: History, now_in_force: Mapping[str, HoldPolicy]) -> tuple[list[Finding], Table]:
    """Find rules whose holds another wait would have served better, and count what each wait makes of them."""
    found, rows = [], []
    for rule, its in cases(history).items():
        policy = now_in_force.get(rule)
        if policy is None or len(its) < HOLDS or policy.no_progress_after <= timedelta(0):
            continue
        base = told(its, policy)
        tried = [told(its, other) for other in others(policy)]
        rows += [_row(rule, it, len(its)) for it in (base, *tried)]
        candidates = [it for it in tried if _is_better(it, base)]
        if candidates:
            best = min(candidates, key=lambda it: (it.missed, it.false, it.delay, it.policy.quiet))
            found.append(_finding(rule, its, base, best))
    head = ("Rule", "T", "C", "Q", "Holds", "Declared", "For nothing", "Missed", "Median delay")
    return found, Table(name="hold_tuning", title="Holds told anew", head=head, rows=tuple(rows))


def _is_better(it: Told, base: Told) -> bool:
    """Say whether it is better in something that counts, and worse in nothing."""
    if it.missed > base.missed or it.false > base.false or it.delay >= base.delay + SOONER:
        return False
    return it.missed < base.missed or base.false - it.false >= FEWER_FALSE or base.delay - it.delay >= SOONER


def _row(rule: str, it: Told, number: int) -> tuple[str, ...]:
    policy = it.policy
    times = (policy.no_progress_after, policy.hard_cap, policy.quiet)
    figures = (number, it.declared, it.false, it.missed)
    delay = about(it.delay) if it.delays else "-"
    return (plain(rule, 80), *map(format_duration, times), *map(str, figures), delay)


def _finding(rule: str, its: Sequence[Case], base: Told, best: Told) -> Finding:
    why = [
        name
        for name, holds_ in (
            ("fewer_missed", best.missed < base.missed), ("fewer_false", base.false - best.false >= FEWER_FALSE),
            ("sooner", base.delay - best.delay >= SOONER),
        )
        if holds_
    ]  # fmt: skip
    new, old = best.policy, base.policy
    change = f"`no_progress_after: {format_duration(new.no_progress_after)}`"
    if new.hard_cap != old.hard_cap:
        change += f", `hard_cap: {format_duration(new.hard_cap)}`"
    if new.quiet != old.quiet:
        change += f", `quiet: {format_duration(new.quiet)}`"
    return Finding(
        kind=Kind.HOLD, about=rule, why=tuple(why),
        says=(
            f"Of {count(len(its), 'hold')}, T={format_duration(new.no_progress_after)} "
            f"Q={format_duration(new.quiet)} would have declared {best.false} for nothing (now {base.false}) and "
            f"missed {best.missed} (now {base.missed}); the median delay of what was real would be {_delay(best)} "
            f"(now {_delay(base)})."
        ),
        evidence=keys(case.hold.key for case in its), propose=f"Give {plain(rule, 80)} {change}.",
        weight=(base.false - best.false) + (base.delay - best.delay) / timedelta(minutes=1),
    )  # fmt: skip


def _delay(it: Told) -> str:
    return about(it.delay) if it.delays else "unknown"
