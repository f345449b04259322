"""One severity rule: which alerts it is for, what it asks of live data, and what it decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from incidentd.errors import Location
from incidentd.holds import HoldPolicy
from incidentd.matchers import Matcher
from incidentd.rules.conditions import Condition
from incidentd.rules.words import Decide


@dataclass(frozen=True, slots=True, kw_only=True)
class Grade:
    """How bad it is and what follows from that."""

    severity: str
    urgency: str
    decide: Decide


@dataclass(frozen=True, slots=True, kw_only=True)
class FromLabel:
    """A severity that the alert itself says."""

    label: str
    """What the label means here (`severity`), or its name."""
    grades: Mapping[str, Grade]
    """By the label's value, without regard to upper and lower case."""

    def grade(self, value: str) -> Grade | None:
        """Read a label's value; None when it says no severity that is known here."""
        return self.grades.get(value.strip().casefold())


@dataclass(frozen=True, slots=True, kw_only=True)
class SeverityRule:
    """One rule as its file says it."""

    name: str
    match: tuple[Matcher, ...]
    """All of them must match; none at all matches everything."""
    when: tuple[Condition, ...] = ()
    """All of them must be met too; they are looked at only for alerts that match."""
    decide: Decide
    severity: str
    """The worst that it gives."""
    urgency: str
    from_label: FromLabel | None = None
    """Where severity, urgency and decision come from, when they are not always the same."""
    page: str = ""
    """An escalation policy; '' pages nobody."""
    teams: tuple[str, ...] = ()
    because: str = ""
    correlate_by: tuple[str, ...] = ("alertname", "service", "environment")
    playbook: str = ""
    hold: HoldPolicy = field(default_factory=HoldPolicy)
    at: Location = field(default_factory=lambda: Location("(built in)", 1))
    found: str = field(init=False, repr=False, compare=False, default="")
    """Its matchers in words, written once since every reason has them."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "found", ", ".join(str(matcher) for matcher in self.match) or "everything")

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Say whether all matchers match; conditions are another matter."""
        return all(matcher.matches(labels) for matcher in self.match)

    @property
    def takes_everything(self) -> bool:
        """Whether no alert gets past it."""
        return not self.match and not self.when

    @property
    def grade(self) -> Grade:
        """What it gives when it does not ask a label."""
        return Grade(severity=self.severity, urgency=self.urgency, decide=self.decide)


CATCH_ALL = SeverityRule(
    name="everything-else", match=(), decide=Decide.HOLD, severity="sev3", urgency="urgent", page="default",
    because="No rule knows this alert, and an unknown alert is never dropped.",
    hold=HoldPolicy(no_progress_after=timedelta(minutes=15)),
)  # fmt: skip
"""What decides when the operator has written no rules, or a rule could not be applied."""
