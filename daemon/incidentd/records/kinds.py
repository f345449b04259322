"""The kinds of records, and all that there are of one incident."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Kind(StrEnum):
    """What a record is; the letter of its speakable id comes from here."""

    SECTION = "section"
    HYPOTHESIS = "hypothesis"
    DECISION = "decision"
    TASK = "task"
    CHANGE = "change"
    CRITERION = "criterion"

    @property
    def letter(self) -> str:
        """The letter before its number: `T` of T3; '' of a section, which has a name."""
        return _LETTERS[self]


_LETTERS = {
    Kind.SECTION: "", Kind.HYPOTHESIS: "H", Kind.DECISION: "D", Kind.TASK: "T", Kind.CHANGE: "C", Kind.CRITERION: "X",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What every record has."""

    number: int
    """Within its incident and its kind, from 1; 0 before it is stored."""
    version: int = 1
    """Counts its changes; each version stays in the store."""
    by: str
    """Who wrote this version."""
    at: datetime
    """When this version was written."""
    origin: str = ""
    """Where it was before its incident became part of this one: `INC-2 T1`; '' of what was written here."""


class SectionName(StrEnum):
    """The parts of the document that people write, and the addresses in its head."""

    SUMMARY = "summary"
    IMPACT = "impact"
    CHANNEL = "channel"
    CALL = "call"
    DASHBOARD = "dashboard"
    STATUS_PAGE = "status_page"
    TREND = "trend"
    HYPOTHESES = "hypotheses"
    """What to know of the hypotheses beside their table."""
    DECISIONS = "decisions"
    """What waits to be decided and is no proposal yet."""
    RISKS = "risks"
    ESCALATE_IF = "escalate_if"

    @property
    def number(self) -> int:
        """The number under which it is stored; it never changes."""
        return _SECTION_NUMBERS[self]

    @property
    def heading(self) -> str:
        """Its name for people: `Status page`."""
        return self.value.replace("_", " ").capitalize()

    @property
    def called(self) -> str:
        """Its name within a sentence: `the status page`."""
        return "when to escalate" if self is SectionName.ESCALATE_IF else f"the {self.heading.lower()}"


_SECTION_NUMBERS = {
    SectionName.SUMMARY: 1, SectionName.IMPACT: 2, SectionName.CHANNEL: 3, SectionName.CALL: 4,
    SectionName.DASHBOARD: 5, SectionName.STATUS_PAGE: 6, SectionName.TREND: 7, SectionName.HYPOTHESES: 8,
    SectionName.DECISIONS: 9, SectionName.RISKS: 10, SectionName.ESCALATE_IF: 11,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Section(Written):
    """One part of the document in somebody's words; '' after somebody emptied it."""

    name: SectionName
    text: str

    @property
    def key(self) -> str:
        """Its name: there is one of each."""
        return self.name.value


class Belief(StrEnum):
    """How a hypothesis stands."""

    OPEN = "open"
    SUPPORTED = "supported"
    REFUTED = "refuted"


class Confidence(StrEnum):
    """How sure its owner is."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypothesis(Written):
    """What may be the cause."""

    text: str
    state: Belief = Belief.OPEN
    confidence: Confidence = Confidence.LOW
    owner: str = ""
    """Who looks into it; '' is nobody yet."""
    evidence: str = ""
    """A link, or words, for what speaks for its state."""

    @property
    def key(self) -> str:
        """The speakable id."""
        return f"H{self.number}"


class Choice(StrEnum):
    """How a decision stands."""

    PROPOSED = "proposed"
    DECIDED = "decided"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Objection:
    """What somebody has against a proposed decision."""

    by: str
    text: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision(Written):
    """What was decided, or is proposed and waits for objections."""

    text: str
    state: Choice = Choice.DECIDED
    decided_by: str
    """Who proposed or decided it."""
    options: str = ""
    """What was not chosen, and why."""
    objections: tuple[Objection, ...] = ()
    made_at: datetime
    waits_until: datetime | None = None
    """A proposal against which nobody has said anything by then is decided; None of what was decided at once."""

    @property
    def key(self) -> str:
        """The speakable id."""
        return f"D{self.number}"


class TaskState(StrEnum):
    """How a task stands."""

    OPEN = "open"
    DONE = "done"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task(Written):
    """One thing that one person does until a time."""

    text: str
    owner: str
    box: timedelta
    """How long the person has, from when it was given to them."""
    given_by: str
    given_at: datetime
    due_at: datetime
    state: TaskState = TaskState.OPEN
    acked_at: datetime | None = None
    """When the owner said that they have it."""
    reminded_at: datetime | None = None
    """When its time was over and its owner was asked."""
    ended_at: datetime | None = None
    result: str = ""
    """What came of it."""

    @property
    def key(self) -> str:
        """The speakable id."""
        return f"T{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change(Written):
    """A change made to production that somebody has to undo or to accept before the incident is closed."""

    what: str
    made_by: str
    made_at: datetime
    undo: str = ""
    """How it is undone; '' while nobody said so."""
    run: str = ""
    """The playbook run that made it (`RUN-3`), which put it here by itself; '' when a person wrote it down."""
    undone_by: str = ""
    undone_at: datetime | None = None
    outcome: str = ""
    """What came of it when it is no longer in place as a temporary one: undone, or kept for good, and why."""

    @property
    def key(self) -> str:
        """The speakable id."""
        return f"C{self.number}"

    @property
    def in_place(self) -> bool:
        """Whether it still is to be dealt with."""
        return self.undone_at is None


class CriterionState(StrEnum):
    """How an exit criterion stands."""

    OPEN = "open"
    MET = "met"
    WAIVED = "waived"


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion(Written):
    """What has to hold before the incident counts as resolved."""

    text: str
    state: CriterionState = CriterionState.OPEN
    settled_by: str = ""
    settled_at: datetime | None = None
    reason: str = ""
    """Why it was waived."""

    @property
    def key(self) -> str:
        """The speakable id."""
        return f"X{self.number}"


Record = Section | Hypothesis | Decision | Task | Change | Criterion


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """All records of one incident as they stand, each kind in the order of its numbers."""

    sections: tuple[Section, ...] = ()
    hypotheses: tuple[Hypothesis, ...] = ()
    decisions: tuple[Decision, ...] = ()
    tasks: tuple[Task, ...] = ()
    changes: tuple[Change, ...] = ()
    criteria: tuple[Criterion, ...] = ()

    def text_of(self, name: SectionName) -> str:
        """Give what stands in a section; '' while nobody wrote it."""
        return next((one.text for one in self.sections if one.name is name), "")


def gathered(found: Iterable[Record]) -> Records:
    """Sort records by their kinds and numbers."""
    by_number = sorted(found, key=lambda one: one.number)
    return Records(
        sections=tuple(one for one in by_number if isinstance(one, Section)),
        hypotheses=tuple(one for one in by_number if isinstance(one, Hypothesis)),
        decisions=tuple(one for one in by_number if isinstance(one, Decision)),
        tasks=tuple(one for one in by_number if isinstance(one, Task)),
        changes=tuple(one for one in by_number if isinstance(one, Change)),
        criteria=tuple(one for one in by_number if isinstance(one, Criterion)),
    )
