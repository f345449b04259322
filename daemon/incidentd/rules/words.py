"""The words of the rules: what can be decided, severities, urgencies, and which label means what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum


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
    decide: Decide = Decide.HOLD
    """What a rule of this severity decides when it does not say."""
    postmortem: str = "none"
    """full | quick | none"""
    postmortem_within: timedelta | None = None
    """When it is due after the end, in calendar days; None when it is counted otherwise, or not at all."""
    postmortem_business_days: int | None = None
    """When it is due after the end, in business days."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Urgency:
    """The response clock, which belongs to the page."""

    name: str
    respond_within: timedelta
    renotify: timedelta | None = None
    """An answer expires without a note or progress for so long. None: the response time, and 15 minutes at least."""

    @property
    def answer_holds_for(self) -> timedelta:
        """How long an answer holds when nothing more is heard."""
        return self.renotify if self.renotify is not None else max(self.respond_within, _SHORTEST_ANSWER)


# process: 15 minutes where 5 are allowed for an answer, 30 where 30 are; PagerDuty's acknowledgements expire after 30
_SHORTEST_ANSWER = timedelta(minutes=15)
# process: severities by impact; three and five days are PagerDuty's postmortem guide's due dates
SEVERITIES = {
    s.name: s
    for s in (
        Severity(
            name="sev1", rank=1, means="money is bleeding, data is lost, or most customers are down",
            urgency="business_critical", decide=Decide.DECLARE, postmortem="full", postmortem_within=timedelta(days=3),
        ),
        Severity(
            name="sev2", rank=2, means="many customers are degraded, or sev1 is likely if nothing is done",
            urgency="business_critical", decide=Decide.DECLARE, postmortem="full", postmortem_business_days=5,
        ),
        Severity(
            name="sev3", rank=3, means="partial loss, few customers, or redundancy is gone", urgency="urgent",
            postmortem="quick",
        ),
        Severity(
            name="sev4", rank=4, means="no customer is hurt; it needs work", urgency="ticket", decide=Decide.TICKET,
        ),
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
            "tier": ("tier",),
            "customer_visible": ("customer_visible", "customer_facing", "customer_impact"),
            "drill": ("drill",),
        }
    )

    def value(self, meaning: str, labels: Mapping[str, str]) -> str:
        """Give what the labels say of a meaning (an unmapped word means the label of that name); '' if nothing."""
        return next((labels[name] for name in self.names.get(meaning, (meaning,)) if labels.get(name)), "")

    def says_yes(self, meaning: str, labels: Mapping[str, str]) -> bool:
        """Say whether the labels affirm a meaning: a label that is not `false`, `no`, `0` or `none`."""
        return self.value(meaning, labels).strip().casefold() not in ("", "false", "no", "0", "none")
