"""Stories that rules are tried with: what happens at which minute, and what is expected to come of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from incidentd.errors import Location

Labels = Mapping[str, str]


class Happens(StrEnum):
    """What can happen in a story; also the key in its file."""

    PROMQL = "promql"
    """What Prometheus answers; before everything else of its minute, so that what fires then meets it."""
    FIRES = "fires"
    REFIRES = "refires"
    """It resolved and fires again, and no delivery told of the resolve."""
    RESOLVES = "resolves"
    ACKNOWLEDGED_BY = "acknowledged_by"
    TAKEN_BY = "taken_by"
    HELPED_BY = "helped_by"
    NOTE = "note"
    PROGRESS = "progress"
    """A note, by the name of what it is for."""
    EXTENDED = "extended"
    DECLARED_BY = "declared_by"
    STOOD_DOWN_BY = "stood_down_by"
    RESOLVED_BY = "resolved_by"
    APPROVED_BY = "approved_by"
    RUN_BY = "run_by"
    """Somebody runs a playbook by hand."""
    PLAYBOOK = "playbook"
    SWITCHED_OFF = "switched_off"
    SWITCHED_ON = "switched_on"
    SILENCED = "silenced"
    UNSILENCED = "unsilenced"


class Expects(StrEnum):
    """What can be expected; also the key in its file."""

    HOLD = "hold"
    STATE = "state"
    DECLARES_AT = "declares_at"
    DECLARED = "declared"
    RULE = "rule"
    SEVERITY = "severity"
    URGENCY = "urgency"
    STATUS = "status"
    CLOSED = "closed"
    TICKET = "ticket"
    RECORDED = "recorded"
    PAGED = "paged"
    NOT_PAGED = "not_paged"
    PLAYBOOK = "playbook"
    SAYS = "says"
    REFUSED = "refused"
    """What somebody tried at this minute is not possible, for this reason."""
    HOLDS = "holds"
    INCIDENTS = "incidents"
    TICKETS = "tickets"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happens."""

    kind: Happens
    at: timedelta
    """After the story's beginning."""
    where: Location
    alerts: tuple[Labels, ...] = ()
    """Those that fire; of the others, labels that an alert has at least. None at all means every alert. Of a playbook
    that somebody runs, the labels that stand for an alert's."""
    annotations: Mapping[str, str] = field(default_factory=dict)
    by: str = ""
    text: str = ""
    """A note, a reason, or what came of the playbook."""
    playbook: str = ""
    """The one that is run or switched; '' for every one."""
    approver: str = ""
    length: timedelta = timedelta(0)
    """Who approves more time for a hold, and how much."""
    customer: bool = False
    """A note says that a customer noticed."""
    values: Mapping[str, float | None] = field(default_factory=dict)
    """What Prometheus answers from here, by query or by the name of a rule; None: it gives no answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """Something that is to be seen at an instant."""

    kind: Expects
    at: timedelta
    where: Location
    word: str = ""
    words: tuple[str, ...] = ()
    by: tuple[tuple[str, tuple[str, ...]], ...] | None = None
    """For `paged`: exactly these people at this minute, each by exactly these kinds of channels; None: see `words`."""
    after: timedelta = timedelta(0)
    """For `declares_at`: after the story's beginning."""
    number: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One story."""

    name: str
    where: Location
    file: str
    """The whole path of its file."""
    starts: datetime
    source: str
    """'' means the first source of the configuration."""
    events: tuple[Event, ...]
    """In the order in which they happen."""
    expectations: tuple[Expectation, ...]

    @property
    def instants(self) -> list[timedelta]:
        """The instants at which something happens or is expected, in their order."""
        return sorted({it.at for it in self.events} | {it.at for it in self.expectations})

    @property
    def silences(self) -> bool:
        """Whether Alertmanager's silences play a part, so that it has to be asked."""
        return any(it.kind is Happens.SILENCED for it in self.events)

    @property
    def measures(self) -> bool:
        """Whether it says what Prometheus answers."""
        return any(it.kind is Happens.PROMQL for it in self.events)


def has(labels: Labels, wanted: Labels) -> bool:
    """Say whether an alert has at least these labels."""
    return all(labels.get(name) == value for name, value in wanted.items())
