"""Severity rules: which alerts deserve what. The first rule that matches wins; the last one matches everything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from incidentd.errors import Location
from incidentd.holds import HoldPolicy
from incidentd.matchers import Matcher


class Decide(StrEnum):
    """What a rule may decide."""

    DECLARE = "declare"
    HOLD = "hold"
    TICKET = "ticket"
    RECORD = "record"


@dataclass(frozen=True, slots=True, kw_only=True)
class Severity:
    """Impact, which belongs to the incident; rank 1 is the worst."""

    name: str
    rank: int
    means: str
    urgency: str
    """The urgency of a rule that names none."""
    postmortem: str = "none"
    """full | quick | none"""
    postmortem_within: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Urgency:
    """The response clock, which belongs to the page."""

    name: str
    respond_within: timedelta


# process: severities by impact; three and five days are PagerDuty's postmortem guide's due dates
SEVERITIES = {
    s.name: s
    for s in (
        Severity(
            name="sev1", rank=1, means="money is bleeding, data is lost, or most customers are down",
            urgency="business_critical", postmortem="full", postmortem_within=timedelta(days=3),
        ),
        Severity(
            name="sev2", rank=2, means="many customers are degraded, or sev1 is likely if nothing is done",
            urgency="business_critical", postmortem="full", postmortem_within=timedelta(days=7),
        ),
        Severity(
            name="sev3", rank=3, means="partial loss, few customers, or redundancy is gone", urgency="urgent",
            postmortem="quick",
        ),
        Severity(name="sev4", rank=4, means="no customer is hurt; it needs work", urgency="ticket"),
    )
}  # fmt: skip
# 5 and 30 minutes: SRE book, chapter 11; a ticket is for the next business day and pages nobody
URGENCIES = {
    u.name: u
    for u in (
        Urgency(name="business_critical", respond_within=timedelta(minutes=5)),
        Urgency(name="urgent", respond_within=timedelta(minutes=30)),
        Urgency(name="ticket", respond_within=timedelta(days=1)),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelMap:
    """Which label means what here: `service` may be called `service` or `job`; the first that is set counts."""

    names: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: {
            "team": ("team", "owner"),
            "service": ("service", "job"),
            "environment": ("environment", "env"),
            "severity": ("severity",),
            "customer_visible": ("customer_visible", "customer_facing"),
        }
    )

    def value(self, meaning: str, labels: Mapping[str, str]) -> str:
        """Give what the labels say of a meaning (an unmapped word means the label of that name); '' if nothing."""
        return next((labels[name] for name in self.names.get(meaning, (meaning,)) if labels.get(name)), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class SeverityRule:
    """One rule as its file says it."""

    name: str
    match: tuple[Matcher, ...]
    """All of them must match; none at all matches everything."""
    decide: Decide
    severity: str
    urgency: str
    page: str = ""
    """An escalation policy; '' pages nobody."""
    teams: tuple[str, ...] = ()
    because: str = ""
    correlate_by: tuple[str, ...] = ("alertname", "service", "environment")
    playbook: str = ""
    hold: HoldPolicy = field(default_factory=HoldPolicy)
    at: Location = field(default_factory=lambda: Location("(built in)", 1))


def first_match(rules: Iterable[SeverityRule], labels: Mapping[str, str]) -> SeverityRule | None:
    """Find the first rule whose matchers all match."""
    return next((rule for rule in rules if all(matcher.matches(labels) for matcher in rule.match)), None)


CATCH_ALL = SeverityRule(
    name="everything-else", match=(), decide=Decide.HOLD, severity="sev3", urgency="urgent", page="default",
    because="No rule knows this alert, and an unknown alert is never dropped.",
    hold=HoldPolicy(no_progress_after=timedelta(minutes=15)),
)  # fmt: skip
"""What decides when the operator has written no rules, or a rule could not be applied."""
