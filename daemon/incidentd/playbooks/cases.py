"""Cases that a playbook is tried with: an alert, what each step gives, and what has to come of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from incidentd.errors import Location

VERIFY = "verify"
"""The name under which a case speaks of the verification."""
REFUSED = "refused"
"""The outcome when the playbook does not take the alert."""
SOMEBODY = "somebody"
"""Who answers where a case does not say who: one of those who are asked."""
NOT_MATCHED = "not_matched"
"""The outcome when nothing brings the playbook in for the alert: its `match` does not, and no rule that names it, or
another playbook takes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gives:
    """What one try of a step gives. Of what a kind of step gives, the case says what it cares about."""

    exit: int = 0
    """A negative one is the signal that ended the program; 0 of one that was ended at its timeout counts as SIGTERM."""
    stdout: str = ""
    stderr: str = ""
    status: int | None = None
    """None: the status that the step expects."""
    body: str = ""
    value: float | None = None
    """None: Prometheus has no data."""
    id: str = "a-silence"
    """Of the silence that is made."""
    registers: Mapping[str, Any] = field(default_factory=dict)
    """What a step of kind `ticket` or of an installed kind gives; of a ticket `key` and `url`."""
    answer: str = ""
    """To a question; '' with `timed_out`: nobody answers in time."""
    by: str = SOMEBODY
    """Who answers."""
    timed_out: bool = False
    """It was ended at its timeout; nobody knows whether it was done."""
    fails: str = ""
    """It fails for this reason, whatever kind it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What has to come of it; what is None is not looked at."""

    outcome: str | None = None
    ran: tuple[str, ...] | None = None
    """The steps that were done, in their order; `verify` once, when the verification began."""
    skipped: tuple[str, ...] | None = None
    reason: str | None = None
    """What the reason of its end has in it."""
    target: str | None = None
    command: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    http: Mapping[str, str] = field(default_factory=dict)
    """`METHOD URL`, by the name of the step."""
    promql: Mapping[str, str] = field(default_factory=dict)
    alertmanager: Mapping[str, str] = field(default_factory=dict)
    """`{MATCHERS} for DURATION`, by the name of the step."""
    ticket: Mapping[str, str] = field(default_factory=dict)
    """`SUMMARY`, or `PROJECT: SUMMARY`, by the name of the step."""
    approve: Mapping[str, str] = field(default_factory=dict)
    """The question, by the name of the step."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """What a step of an installed kind takes, by its name."""
    note: Mapping[str, str] = field(default_factory=dict)
    where: Mapping[str, Location] = field(default_factory=dict)
    """Where each of them is written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One case."""

    name: str
    playbook: str
    where: Location
    file: str
    """The whole path of its file."""
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    given: Mapping[str, tuple[Gives, ...]]
    """By step, one for each try; the last one goes on."""
    expected: Expected
