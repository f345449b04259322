"""The working surface of each role in an incident: what is due next, and what the role has to look at. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise

from incidentd.incidents import ACTIVE, Incident, Status, allowed
from incidentd.pages import Page, PageState
from incidentd.playbooks import FINISHED, Run, RunState
from incidentd.records import (
    Change,
    Choice,
    Criterion,
    CriterionState,
    Decision,
    Hypothesis,
    Records,
    Section,
    SectionName,
    Task,
    TaskState,
)
from incidentd.roles import Role, effective_holder, since, vacant, worries
from incidentd.timeline import Entry

_OLDEST_SUMMARY = {"sev1": timedelta(hours=1), "sev2": timedelta(hours=1)}
_OLDEST_SUMMARY_ELSE = timedelta(hours=4)
"""How old the summary may become: an hour at the worst severities, else four hours (SRE book, appendix C)."""
_FIRST_SUMMARY = timedelta(minutes=15)
"""When the first one is due, after the declaration."""


class Surface(StrEnum):
    """Whose surface it is, as people type it."""

    IC = "ic"
    OL = "ol"
    CL = "cl"

    @property
    def role(self) -> Role:
        """The role that works with it."""
        return _ROLES[self]


_ROLES = {
    Surface.IC: Role.INCIDENT_COMMANDER, Surface.OL: Role.OPERATIONS_LEAD, Surface.CL: Role.COMMUNICATIONS_LEAD,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """One thing that somebody has to do next."""

    at: datetime | None
    """Until when; None for what has no time, which stands last."""
    kind: str
    """task | decision | page | run | summary | criterion | role | update"""
    id: str
    what: str
    who: str
    """Whose it is; '' is nobody's yet."""
    overdue: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a board is made of."""

    incident: Incident
    records: Records
    pages: tuple[Page, ...] = ()
    runs: tuple[Run, ...] = ()
    firing: int = 0
    """How many of its alerts fire."""
    alerts: int = 0
    rank: int = 1
    """Of its severity; 1 is the worst."""
    here: tuple[str, ...] = ()
    """Who works on it now."""
    others: tuple[Due, ...] = ()
    """What is due of what this module does not know: roles that are offered or vacant, promised updates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """What one role has to see. Lists that are another role's business are empty."""

    role: Surface
    holder: str
    since: datetime | None
    """Since when; None while the role is not delegated."""
    severity: str
    status: str
    age: timedelta
    due: tuple[Due, ...]
    vacant: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    """What is not well about who has which role."""
    unanswered: tuple[Page, ...] = ()
    firing: int = 0
    alerts: int = 0
    hypotheses: tuple[Hypothesis, ...] = ()
    decisions: tuple[Decision, ...] = ()
    """Those that are proposed."""
    tasks: tuple[Task, ...] = ()
    """Those that are open."""
    changes: tuple[Change, ...] = ()
    """Those that are in place."""
    criteria: tuple[Criterion, ...] = ()
    runs: tuple[Run, ...] = ()
    """Those that are at work or wait for somebody."""
    sections: tuple[Section, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How many alerts fired over time, as far as it was said, and now."""

    counts: tuple[int, ...]
    """The last one is now."""

    @property
    def worst(self) -> int:
        """The most that fired."""
        return max(self.counts, default=0)

    @property
    def best(self) -> int:
        """The fewest that fired."""
        return min(self.counts, default=0)

    @property
    def trend(self) -> str:
        """Where it goes: better | worse | same, against what was said before."""
        before = next((one for one in reversed(self.counts[:-1]) if one != self.counts[-1]), self.counts[-1])
        return "better" if self.counts[-1] < before else "worse" if self.counts[-1] > before else "same"

    @property
    def line(self) -> str:
        """The counts as a line of bars: `▁▃█`."""
        top = max(self.worst, 1)
        return "".join(_BARS[one * (len(_BARS) - 1) // top] for one in self.counts[-_LONGEST_LINE:])


_BARS = "▁▂▃▄▅▆▇█"
_LONGEST_LINE = 60


def course(entries: Iterable[Entry], firing: int) -> Course:
    """Read from a timeline how many alerts fired over time; `firing` do now."""
    said = [entry.data["firing"] for entry in entries if isinstance(entry.data.get("firing"), int)]
    counts = [one for one, before in pairwise([*said, firing, -1]) if one != before]
    return Course(counts=tuple(counts))


def commands(it: Incident) -> tuple[str, ...]:
    """List what whoever commands can type now, the next moves first."""
    key = it.key
    moves = [_MOVES[to] for to in allowed(it.status) if to in _MOVES]
    back = {Status.RESOLVED: "reopen", Status.POSTMORTEM: "reopen", Status.STOOD_DOWN: "reopen"}.get(it.status, "")
    if it.status is Status.MERGED:
        moves = ["unmerge {key}"]
    elif back:
        moves = [*(move for move in moves if not move.startswith("investigate")), 'reopen {key} --reason "why"']
    if it.status in ACTIVE:
        moves += _WHILE_IT_LASTS
    return tuple(move.format(key=key) for move in moves)


_MOVES = {
    Status.INVESTIGATING: "investigate {key}",
    Status.IDENTIFIED: 'identify {key} "what contributes to it"',
    Status.MITIGATED: 'mitigate {key} --note "what stopped it"',
    Status.RESOLVED: 'resolve {key} --note "what was done"',
    Status.CLOSED: "close {key}",
    Status.STOOD_DOWN: 'stand-down {key} --code false_positive --reason "why"',
    Status.MERGED: "merge {key} --into INC-N",
}
_WHILE_IT_LASTS = [
    'severity {key} sev1 --reason "why"', "assign {key} ol PERSON", "handover {key} ic PERSON",
    'page-team {key} TEAM --for "what they are asked for"',
]  # fmt: skip


def board(known: Known, whose: Surface, now: datetime) -> Board:
    """Say what somebody in this role has to see."""
    it, found = known.incident, known.records
    common = Board(
        role=whose, holder=effective_holder(whose.role, it.roles), since=since(whose.role, it.roles),
        severity=it.severity, status=it.status.value,
        age=max(now - it.declared_at, timedelta(0)), due=due(known, now), hypotheses=found.hypotheses,
        warnings=worries(it.roles, known.here, known.rank, now),
    )  # fmt: skip
    match whose:
        case Surface.IC:
            return replace(
                common, vacant=_vacant(it), criteria=found.criteria,
                unanswered=tuple(page for page in known.pages if page.state is PageState.OPEN),
                decisions=tuple(one for one in found.decisions if one.state is Choice.PROPOSED),
            )  # fmt: skip
        case Surface.OL:
            return replace(
                common, firing=known.firing, alerts=known.alerts,
                runs=tuple(run for run in known.runs if run.state not in FINISHED),
                tasks=tuple(one for one in found.tasks if one.state is TaskState.OPEN),
                changes=tuple(one for one in found.changes if one.in_place),
            )  # fmt: skip
        case Surface.CL:
            return replace(common, sections=found.sections)


def _vacant(it: Incident) -> tuple[str, ...]:
    return tuple(role.short for role in vacant(it.roles))


def due(known: Known, now: datetime) -> tuple[Due, ...]:
    """List what is due next in an incident that goes on, by time; what has no time comes last."""
    it = known.incident
    if it.status not in ACTIVE:
        return ()
    found = [*_of_records(known.records), *_of_pages(known), *_of_runs(known), _summary(known), *known.others]
    timed = sorted(
        (replace(one, overdue=one.at <= now) for one in found if one.at is not None), key=lambda one: (one.at, one.id)
    )
    return (*timed, *(one for one in found if one.at is None))


def _of_records(records: Records) -> list[Due]:
    tasks = [
        Due(at=one.due_at, kind="task", id=one.key, what=one.text, who=one.owner)
        for one in records.tasks
        if one.state is TaskState.OPEN
    ]
    proposals = [
        Due(
            at=None if one.objections else one.waits_until, kind="decision", id=one.key, what=one.text,
            who=one.decided_by,
        )
        for one in records.decisions
        if one.state is Choice.PROPOSED
    ]  # fmt: skip
    criteria = [
        Due(at=None, kind="criterion", id=one.key, what=one.text, who="")
        for one in records.criteria
        if one.state is CriterionState.OPEN
    ]
    return [*tasks, *proposals, *criteria]


def _of_pages(known: Known) -> list[Due]:
    return [
        Due(
            at=page.counts_from + page.respond_within, kind="page", id=page.key, what=f"answer: {page.title}",
            who=", ".join(page.paged),
        )
        for page in known.pages
        if page.state is PageState.OPEN
    ]  # fmt: skip


def _of_runs(known: Known) -> list[Due]:
    lead = effective_holder(Role.OPERATIONS_LEAD, known.incident.roles)
    return [
        Due(at=run.ends_at, kind="run", id=run.key, what=f"{run.playbook} on {run.target}", who="playbook")
        if run.state is not RunState.PROPOSED
        else Due(at=None, kind="run", id=run.key, what=f"let {run.playbook} run on {run.target}, or stop it", who=lead)
        for run in known.runs
        if run.state not in FINISHED
    ]


def _summary(known: Known) -> Due:
    it = known.incident
    last = next((one.at for one in known.records.sections if one.name is SectionName.SUMMARY), None)
    longest = _OLDEST_SUMMARY.get(it.severity, _OLDEST_SUMMARY_ELSE)
    at = it.declared_at + _FIRST_SUMMARY if last is None else last + longest
    new = since(Role.COMMUNICATIONS_LEAD, it.roles)
    if last is not None and new is not None and new > last:
        at = min(at, new + _FIRST_SUMMARY)  # whoever takes over says how it stands, in words of their own
    who = effective_holder(Role.COMMUNICATIONS_LEAD, it.roles)
    return Due(at=at, kind="summary", id=it.key, what="keep the summary of the document true", who=who)
