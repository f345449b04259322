"""Playbooks: what they are made of. How a run walks through one is in this package's `walk`; guards are guards.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from incidentd.errors import Location
from incidentd.matchers import Matcher
from incidentd.playbooks.flow import Block
from incidentd.playbooks.questions import Question


class Mode(StrEnum):
    """How far a playbook may go by itself; the weaker of the playbook's and the configuration's counts."""

    OFF = "off"
    SUGGEST = "suggest"
    APPROVE = "approve"
    AUTO = "auto"


class OnFailure(StrEnum):
    """What a failed run means for the hold or incident that it ran for."""

    DECLARE = "declare"
    PAGE = "page"
    NOTE = "note"


class InputKind(StrEnum):
    """What an input is, beyond what its pattern says."""

    TEXT = "text"
    INTEGER = "integer"
    """Digits, with a sign or without."""
    HOSTNAME = "hostname"
    """Labels of letters, digits and hyphens with dots between, as RFC 1123 has them; a port may follow."""
    DURATION = "duration"
    """As Prometheus writes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """A value taken from the alert, believed only when the whole of it matches the pattern (RE2)."""

    source: str
    """`labels.NAME` or `annotations.NAME`; '' when only a playbook that calls this one can give it."""
    pattern: str
    """For the whole of the value."""
    kind: InputKind = InputKind.TEXT
    default: str = ""
    """What it is when nothing gives it; '' means that it has to be given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """At most `runs` in any window of this length."""

    runs: int
    window: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The guards' figures; the defaults are on."""

    per_target: Limit = field(default_factory=lambda: Limit(runs=2, window=timedelta(minutes=30)))
    total: Limit = field(default_factory=lambda: Limit(runs=3, window=timedelta(minutes=10)))
    alert_age: timedelta = timedelta(minutes=10)
    """An alert that began earlier than this is too old to act on."""
    cool_down: timedelta = timedelta(minutes=5)
    """What has to pass on a target from the end of any run to the beginning of the next."""
    share: int = 10
    """Percent of the fleet that it may begin on within an hour; one target always may be."""
    alerting: int = 30
    """Percent of the fleet; when alerts of the same name fire on more, it is not one target that is broken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promote:
    """What a playbook earns by runs that were verified, one after another without one that was not."""

    after: int
    to: Mode


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The inside of a playbook that another one calls: it knows its own inputs and registers, and nothing else."""

    path: str
    """The names of the calls that lead here, `/` between them."""
    inputs: Mapping[str, str]
    """Templates, filled in from what the caller knows."""
    wanted: Mapping[str, Input]
    outer: Scope | None = None
    each: Each | None = None
    """The repetition that the call itself stands in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Each:
    """The place of a step among the repetitions of `for_each`; one whose item is not there is passed over."""

    items: tuple[str, ...]
    """Templates, one an item; or, with a pattern, one whose lines are the items."""
    number: int
    """Counted from 0."""
    most: int
    pattern: str = ""
    """What the whole of each line has to match, since it is a stranger's text."""
    scope: Scope | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """A condition that has to hold for a step to be done, and where its names are looked up."""

    text: str
    scope: Scope | None = None
    each: Each | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step. `kind` is what it is done by; `args` is what stands under that key in the file."""

    name: str
    kind: str
    args: Any
    """command: list of template strings. http: mapping with url, method, headers, body, expect.
    promql: mapping with query, is. alertmanager: mapping with silence, for, comment. note: a template.
    ticket: mapping with summary, description, project, labels.
    approve: mapping with question, who, choices, pattern, expires, default.
    wait: a duration. notify: mapping with channel, title, body."""
    register: str = ""
    timeout: timedelta = timedelta(seconds=60)
    retries: int = 0
    delay: timedelta = timedelta(seconds=5)
    idempotent: bool = False
    """True: may be run again after a crash in it. What only reads is so unsaid; alertmanager and ticket are too."""
    reads: bool = False
    """True for one of an installed kind that changes nothing."""
    lost: str = ""
    """Why nobody can do it: its kind is not installed, or does not take it as it is written; '' when it can be done."""
    ignore_errors: bool = False
    when: tuple[When, ...] = ()
    """All have to hold, its own and those of what it stands in."""
    until: tuple[str, ...] = ()
    """All have to hold for what it gave to be good; their names are its register and what it could name itself."""
    scope: Scope | None = None
    each: Each | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verify:
    """The proof that a run helped: the step must succeed for `hold_for` without a break, inside `within`."""

    step: Step
    hold_for: timedelta
    within: timedelta
    every: timedelta
    """Time between two looks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Playbook:
    """A playbook as its file says it."""

    name: str
    title: str
    mode: Mode
    match: tuple[Matcher, ...]
    inputs: Mapping[str, Input]
    target: str
    """A template; one run at a time per target, and an empty one is an error."""
    domain: str = ""
    """A template of the failure domain that the target is in; runs are in one domain at a time. '' does not ask."""
    risk: str
    limits: Limits
    steps: tuple[Step, ...]
    """All in one row: those of a block or of a called playbook where it stands, those of `for_each` once for each
    repetition that there may be. So a step's place in the row names it for the whole run."""
    verify: Verify | None
    rollback: tuple[Step, ...]
    on_failure: OnFailure
    manual_minutes: float
    at: Location
    sha256: str
    """Of the playbook's own text: the version that a run was made from."""
    source: Mapping[str, Any]
    """The checked document itself, with those that it calls, which a run keeps a frozen copy of
    (`config.playbook_from` reads it back)."""
    blocks: tuple[Block, ...] = ()
    """Of the steps; an inner one stands before the one that it is in."""
    rollback_blocks: tuple[Block, ...] = ()
    safe_during_incident: bool = False
    """It begins by itself also while an incident about the same service is active; else it asks whoever leads that."""
    fleet: int = 0
    """How many targets there are; 0 is not known, and nobody asks for shares of it."""
    promote: Promote | None = None
    """None: only its file gives it another mode."""
    refused: str = ""
    """Why it cannot run here at all, whatever the alert: a package that it needs is broken, or, of a frozen one, gone.
    A frozen one that cannot be read any more has no steps beside."""


class StepState(StrEnum):
    """How a step of a run stands."""

    STARTED = "started"
    OK = "ok"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """What one try of one step gave."""

    ok: bool
    summary: str
    """One line for the timeline: `exit 0 after 1.2s`, `812`, `HTTP 503, expected 200`."""
    value: Mapping[str, Any] = field(default_factory=dict)
    """What `register` keeps: command: exit, stdout, stderr. http: status, body. promql: value (a float, or None).
    ticket: key, url."""
    output: str = ""
    """The head and tail of what it printed, capped, redacted."""
    unknown: bool = False
    """Neither yes nor no (no data, NaN, no answer): never counts as a success."""
    clean: bool = True
    """False: it may have been done in part, because it was killed or no answer came; not to be tried again unasked."""
    final: bool = False
    """Trying again would give the same (a bad template, a missing program); somebody has to change something."""
    skipped: bool = False
    """It was not done, because a condition of it does not hold or there is nothing to do it for."""


class RunState(StrEnum):
    """How a run stands."""

    PROPOSED = "proposed"
    """Waits for somebody's approval."""
    RUNNING = "running"
    VERIFYING = "verifying"
    VERIFIED = "verified"
    FAILED = "failed"
    VERIFY_FAILED = "verify_failed"
    INTERRUPTED = "interrupted"
    """A crash fell into a step that may not be repeated; a person has to look."""
    DONE = "done"
    """Ran to its end; it has no verification, so nobody may call it a success."""
    REFUSED = "refused"
    """A guard said no."""
    STOPPED = "stopped"
    """A person stopped it, or switched its playbook off."""


FINISHED = frozenset(RunState) - {RunState.PROPOSED, RunState.RUNNING, RunState.VERIFYING}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run as it stands."""

    id: int
    subject: str
    playbook: str
    sha256: str
    definition: Mapping[str, Any]
    state: RunState
    mode: Mode
    target: str
    domain: str = ""
    """The failure domain that the target is in."""
    inputs: Mapping[str, str]
    registers: Mapping[str, Any]
    source: str
    """The monitoring world that the alert came from; its Prometheus answers the run's queries."""
    fingerprint: str = ""
    """Of the alert that asked for the run."""
    incident: str = ""
    """The active incident on whose service it would act, so that whoever leads it is asked; '' for most."""
    phase: str = "steps"
    """steps | rollback"""
    cursor: int = 0
    pending: Mapping[str, str] = field(default_factory=dict)
    """By block, the failure that goes on when what is always done has been done."""
    started_at: datetime
    ends_at: datetime | None = None
    verify_since: datetime | None = None
    """When the verification began."""
    good_since: datetime | None = None
    """Since when the verification holds without a break."""
    looked_at: datetime | None = None
    """The last look of the verification; a long gap between two looks is a break, whatever they saw."""
    finished_at: datetime | None = None
    reason: str = ""
    question: Question | None = None
    """What the step that it is at asks people."""
    untouched: bool = False
    """No step that changes anything has begun yet, so there is nothing to roll back."""
    seen_at: datetime | None = None
    """Up to when it went on as its playbook says: its last step ended, was answered, or had waited long enough."""
    vetted_at: datetime | None = None
    """When the guards let it act; None when it asked somebody since, and they have to be asked once more."""

    @property
    def key(self) -> str:
        """The speakable id."""
        return f"RUN-{self.id}"
