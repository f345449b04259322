"""The gate: a handover is not offered while what only a person knows is missing, or is too old to be believed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from incidentd.durations import about
from incidentd.handover.facts import Facts
from incidentd.handover.kinds import HumanLine
from incidentd.records import Choice, Records, Section, Written

FRESH_FOR = timedelta(minutes=30)
"""Words that are older have to be said anew."""
_ASKS = {
    HumanLine.NOW: "who is affected, how, how many now",
    HumanLine.TREND: "better, same or worse",
    HumanLine.HYPOTHESES: "what may be the cause and how sure; or that they stand as they are written",
    HumanLine.DECISIONS: "what is to be decided, by when and by whom; or none",
    HumanLine.RISKS: "what may happen in the next 2 hours",
    HumanLine.ESCALATE_IF: "when to call for more",
}
_NAMES = {
    HumanLine.NOW: "NOW", HumanLine.TREND: "the trend", HumanLine.HYPOTHESES: "HYPOTHESES",
    HumanLine.DECISIONS: "DECISIONS WAITING", HumanLine.RISKS: "RISKS NEXT 2 h", HumanLine.ESCALATE_IF: "escalate if",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """One human line that keeps a handover from being offered."""

    line: HumanLine
    since: timedelta | None = None
    """How long ago it was said; None when nobody said it."""

    @property
    def why(self) -> str:
        """Say what is wrong, and what to do."""
        how = f"{self.line.option} '{_ASKS[self.line]}'"
        if self.since is None:
            return f"{_NAMES[self.line]} is empty: {how}"
        return f"{_NAMES[self.line]} was said {about(self.since)} ago, say it anew: {how}"


def gaps(facts: Facts, now: datetime) -> tuple[Gap, ...]:
    """Name the human lines that are empty or older than FRESH_FOR, in the order of the message."""
    found = []
    for line in HumanLine:
        if line is HumanLine.TREND and facts.measured:
            continue  # it is measured
        at = _said_at(facts.records, line)
        if at is None:
            found.append(Gap(line=line))
        elif now - at > FRESH_FOR:
            found.append(Gap(line=line, since=now - at))
    return tuple(found)


def refusal(facts: Facts, missing: Sequence[Gap]) -> str:
    """Say which lines are missing, how each is filled, and the whole command that offers it then."""
    roles = ",".join(role.short for role in facts.roles)
    options = " ".join(f"{gap.line.option} '...'" for gap in missing)
    command = f"incidentd handover {facts.incident.key} {roles} {facts.receiver or 'PERSON'} {options}"
    return (
        f"{facts.incident.key} cannot be handed over yet: {'; '.join(gap.why for gap in missing)}. "
        f"Say it with {command}"
    )


def fresh(records: Records, line: HumanLine, now: datetime) -> str:
    """Give what somebody typed for a line, if it is new enough to be believed."""
    written = section(records, line)
    return written.text if written is not None and now - written.at <= FRESH_FOR else ""


def section(records: Records, line: HumanLine) -> Section | None:
    """Find what somebody typed for a line; None while nobody did."""
    return next((one for one in records.sections if one.name is line.section and one.text), None)


def _said_at(records: Records, line: HumanLine) -> datetime | None:
    """Say when people said the last word on a line; what they keep in the document's tables counts as well."""
    typed = section(records, line)
    kept: Sequence[Written] = _KEPT[line](records) if line in _KEPT else ()
    return max((one.at for one in [*kept, *([typed] if typed else [])]), default=None)


_KEPT: Mapping[HumanLine, Callable[[Records], Sequence[Written]]] = {
    HumanLine.HYPOTHESES: lambda records: records.hypotheses,
    HumanLine.DECISIONS: lambda records: [one for one in records.decisions if one.state is Choice.PROPOSED],
}
