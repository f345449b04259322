"""How a postmortem goes from draft to closed: its states, the one table of its moves, and what each move asks for.

Pure: what is known comes in, and what is missing comes out, each with what to do about it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from incidentd.errors import Conflict
from incidentd.postmortem.findings import Finding, Level
from incidentd.text import count, instant, plain

CHECKLIST = {
    "data": "what is needed to learn from it is kept",
    "impact": "the impact is complete",
    "cause": "the causes are deep enough",
    "plan": "the plan is right and in the right order",
    "shared": "everybody who needs it will know of it",
}
"""What reviewers look at, by the word that confirms it (the SRE book's questions)."""
ALL_POINTS = tuple(CHECKLIST)


class State(StrEnum):
    """How a postmortem stands."""

    DRAFT = "draft"
    IN_REVIEW = "in_review"
    REVIEWED = "reviewed"
    PUBLISHED = "published"
    CLOSED = "closed"


OUT = frozenset({State.PUBLISHED, State.CLOSED})
"""It was published: what stands there changes only by corrections that are told."""


class Gate(StrEnum):
    """What a move asks for; the word by which an exception names it."""

    OWNER = "owner"
    TEXT = "text"
    APPROVALS = "approvals"
    OUTSIDE = "outside"
    TIME = "time"
    COMMENTS = "comments"
    CHECKLIST = "checklist"
    ITEMS = "items"
    PRIORITY = "priority"
    EXTERNAL = "external"


EXCEPTIONS = frozenset({Gate.APPROVALS, Gate.OUTSIDE, Gate.TIME, Gate.PRIORITY})
"""Of these a named lead may make an exception, with the reason; of the others nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """Somebody's word that it may be published, and what of the checklist they confirm."""

    by: str
    at: datetime
    points: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """An exception from a gate: who approved it, and why."""

    gate: Gate
    by: str
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """What somebody has to say about a piece; it is open until somebody says what became of it."""

    number: int
    section: str
    by: str
    at: datetime
    text: str
    resolved_by: str = ""
    resolved_at: datetime | None = None
    answer: str = ""

    @property
    def open(self) -> bool:
        """Whether it waits still."""
        return self.resolved_at is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Postmortem:
    """A postmortem as it stands; its pieces and comments are kept beside it."""

    id: int = 0
    incident_id: int = 0
    state: State = State.DRAFT
    owner: str = ""
    due_at: datetime | None = None
    drafted_at: datetime | None = None
    markdown: str = ""
    version: int = 1
    """Counts every change of it, its text included."""
    quick: bool = False
    """It is the quick review of what was stood down, or of what asks for no more."""
    required: tuple[str, ...] = ()
    """Why there has to be one, each in a sentence's part; () is one that nobody requires."""
    facilitator: str = ""
    reviewers: tuple[str, ...] = ()
    meeting_at: datetime | None = None
    met_at: datetime | None = None
    """When the meeting was held."""
    submitted_at: datetime | None = None
    approvals: tuple[Approval, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    published_at: datetime | None = None
    """When the first version was."""
    edition: int = 0
    """Published versions that there are."""
    external: str = ""
    """Where the external message is, or why there is none."""
    reminders: int = 0
    """Reminders of its date that were sent."""

    @property
    def incident(self) -> str:
        """The speakable id of its incident."""
        return f"INC-{self.incident_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """What the gates have to know of an action item."""

    key: str
    state: str
    priority: str
    external: str = ""
    """Its key in the tracker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the gates look at."""

    now: datetime
    findings: tuple[Finding, ...] = ()
    comments: tuple[Comment, ...] = ()
    items: tuple[Item, ...] = ()
    tracked: bool = False
    """Action items have to be in a tracker."""
    users_affected: bool = True
    teams: tuple[str, ...] = ()
    """Who owns what broke."""
    teams_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    approvals: int = 2
    review_for: timedelta = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lack:
    """Something that keeps a postmortem from its next state: of which gate, what it is, and what to do."""

    gate: Gate
    what: str
    todo: str

    def __str__(self) -> str:
        return f"{self.gate.value}: {self.what}; {self.todo}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One row of the table."""

    source: State
    to: State
    verb: str
    gates: tuple[Gate, ...] = ()


MOVES = {
    (it.source, it.to): it
    for it in (
        Move(source=State.DRAFT, to=State.IN_REVIEW, verb="submit", gates=(Gate.OWNER, Gate.TEXT)),
        Move(
            source=State.IN_REVIEW, to=State.REVIEWED, verb="state reviewed",
            gates=(Gate.TEXT, Gate.APPROVALS, Gate.OUTSIDE, Gate.TIME, Gate.COMMENTS, Gate.CHECKLIST),
        ),
        Move(source=State.IN_REVIEW, to=State.DRAFT, verb="return"),
        Move(source=State.REVIEWED, to=State.DRAFT, verb="return"),
        Move(
            source=State.REVIEWED, to=State.PUBLISHED, verb="publish",
            gates=(Gate.TEXT, Gate.ITEMS, Gate.PRIORITY),
        ),
        Move(source=State.PUBLISHED, to=State.CLOSED, verb="close", gates=(Gate.EXTERNAL,)),
    )
}  # fmt: skip
"""Every move that there is."""
_NEXT = {State.DRAFT: State.IN_REVIEW, State.IN_REVIEW: State.REVIEWED, State.REVIEWED: State.PUBLISHED,
         State.PUBLISHED: State.CLOSED}  # fmt: skip
_FULL_ONLY = frozenset({Gate.OUTSIDE, Gate.TIME, Gate.CHECKLIST, Gate.PRIORITY, Gate.EXTERNAL})
"""What a quick review is not asked for."""


def following(state: State) -> State | None:
    """Say which state comes next; None at the end."""
    return _NEXT.get(state)


def allowed(state: State) -> list[str]:
    """List the states that a state leads to."""
    return [to.value for source, to in MOVES if source is state]


def move(it: Postmortem, to: State, seen: Seen) -> Postmortem:
    """Move a postmortem on. Raises Conflict with the moves that there are, or with everything that is missing."""
    if (it.state, to) not in MOVES:
        listed = ", ".join(allowed(it.state)) or "none"
        raise Conflict(f"the postmortem of {it.incident} is {it.state}; it cannot become {to} (from here: {listed})")
    if missing := lacks(it, to, seen):
        listed = "\n".join(f"- {one}" for one in missing)
        raise Conflict(f"the postmortem of {it.incident} cannot become {to} yet:\n{listed}")
    moved = replace(it, state=to, version=it.version + 1)
    match to:
        case State.IN_REVIEW:
            return replace(moved, submitted_at=seen.now, approvals=())
        case State.DRAFT:
            return replace(moved, submitted_at=None, approvals=(), met_at=None)
        case State.PUBLISHED:
            return replace(moved, published_at=it.published_at or seen.now, edition=it.edition + 1)
        case State.REVIEWED | State.CLOSED:
            return moved


def lacks(it: Postmortem, to: State, seen: Seen) -> tuple[Lack, ...]:
    """List what is missing for a move of the table; what a lead made an exception of is not."""
    row = MOVES.get((it.state, to))
    excepted = {one.gate for one in it.waivers}
    asked = [gate for gate in (row.gates if row else ()) if gate not in excepted]
    if it.quick:
        asked = [gate for gate in asked if gate not in _FULL_ONLY]
    return tuple(lack for gate in asked for lack in _LOOKS[gate](it, seen))


def _owner(it: Postmortem, seen: Seen) -> Iterable[Lack]:
    if not it.owner:
        yield Lack(
            gate=Gate.OWNER, what="nobody owns it", todo=f"incidentd postmortem assign {it.incident} --owner ana"
        )


def _text(it: Postmortem, seen: Seen) -> Iterable[Lack]:
    for one in seen.findings:
        if one.level is Level.ERROR:
            said = f" ({one.words})" if one.words else ""
            what = f"line {one.line}:{one.column} {one.rule}{said}: {one.reason}"
            yield Lack(gate=Gate.TEXT, what=what.rstrip("."), todo=one.instead)


def _of_others(it: Postmortem) -> list[Approval]:
    """List the approvals that count: whoever owns it now may have approved it while somebody else did."""
    return [one for one in it.approvals if one.by != it.owner]


def _approvals(it: Postmortem, seen: Seen) -> Iterable[Lack]:
    wanted = 1 if it.quick else seen.approvals
    given = list(dict.fromkeys(one.by for one in _of_others(it)))
    if len(given) < wanted:
        who = f" ({plain(', '.join(given), 200)})" if given else ""
        yield Lack(
            gate=Gate.APPROVALS, what=f"it has {count(len(given), 'approval')}{who} of {wanted}",
            todo=f"ask for more: incidentd postmortem approve {it.incident}",
        )  # fmt: skip


def _outside(it: Postmortem, seen: Seen) -> Iterable[Lack]:
    own = set(seen.teams) or set(seen.teams_of.get(it.owner, ()))
    if not any(not own.intersection(seen.teams_of.get(one.by, ())) for one in _of_others(it)):
        of = f" than {', '.join(sorted(own))}" if own else ""
        yield Lack(
            gate=Gate.OUTSIDE, what=f"nobody of another team{plain(of, 100)} approved it",
            todo="ask somebody of another team to read and approve it",
        )  # fmt: skip


def _time(it: Postmortem, seen: Seen) -> Iterable[Lack]:
    since = it.submitted_at or seen.now
    if it.met_at is None and seen.now < since + seen.review_for:
        yield Lack(
            gate=Gate.TIME, what="its reviewers have not had it long enough, and no meeting was held",
            todo=f"wait until {instant(since + seen.review_for)}, or hold it: "
            f"incidentd postmortem assign {it.incident} --meeting-held",
        )  # fmt: skip


def _comments(it: Postmortem, seen: Seen) -> Iterable[Lack]:
    for one in seen.comments:
        if one.open:
            yield Lack(
                gate=Gate.COMMENTS,
                what=f"comment {one.number} of {plain(one.by, 60)} on {one.section} is open: {plain(one.text, 120)}",
                todo=f"incidentd postmortem resolve-comment {it.incident} {one.number}",
            )  # fmt: skip


def _checklist(it: Postmortem, seen: Seen) -> Iterable[Lack]:
    confirmed = {point for one in _of_others(it) for point in one.points}
    for point, means in CHECKLIST.items():
        if point not in confirmed:
            yield Lack(
                gate=Gate.CHECKLIST, what=f"no reviewer confirmed `{point}` ({means})",
                todo=f"incidentd postmortem approve {it.incident} --checked {point}",
            )  # fmt: skip


def _items(it: Postmortem, seen: Seen) -> Iterable[Lack]:
    for one in seen.items:
        if one.state == "proposed":
            yield Lack(
                gate=Gate.ITEMS, what=f"{one.key} is only proposed", todo="decide it, or decline it with a reason"
            )
        elif seen.tracked and one.state not in ("declined", "done") and not one.external:
            # what ended here is never filed, so there is no key to wait for
            what = f"{one.key} has no key of the tracker yet (it is {one.state})"
            yield Lack(gate=Gate.ITEMS, what=what, todo="wait until it is filed, or mend what keeps it from that")


def _priority(it: Postmortem, seen: Seen) -> Iterable[Lack]:
    first = [one for one in seen.items if one.priority in ("P0", "P1") and one.state not in ("declined", "proposed")]
    if seen.users_affected and not first:
        yield Lack(
            gate=Gate.PRIORITY, what="users were affected, and no action item is P0 or P1",
            todo="decide one; or a lead makes an exception: "
            f"incidentd postmortem publish {it.incident} --except priority --reason '...'",
        )  # fmt: skip


def _external(it: Postmortem, seen: Seen) -> Iterable[Lack]:
    if not it.external:
        yield Lack(
            gate=Gate.EXTERNAL, what="nobody said where the external message is, or why there is none",
            todo=f"incidentd postmortem close {it.incident} --external 'https://... or: none, nobody outside was hurt'",
        )  # fmt: skip


_LOOKS: Mapping[Gate, Callable[[Postmortem, Seen], Iterable[Lack]]] = {
    Gate.OWNER: _owner, Gate.TEXT: _text, Gate.APPROVALS: _approvals, Gate.OUTSIDE: _outside, Gate.TIME: _time,
    Gate.COMMENTS: _comments, Gate.CHECKLIST: _checklist, Gate.ITEMS: _items, Gate.PRIORITY: _priority,
    Gate.EXTERNAL: _external,
}  # fmt: skip
