"""What there is to improve: findings out of what the store remembers. Pure: history in, findings out.

found = report(history, settings)      # findings, each with its evidence and one change, and tables of figures
writing.markdown(found)                # for people
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from incidentd.holds import HoldPolicy
from incidentd.report import automating, coverage, detecting, differing, duty, noise, repeating, tuning
from incidentd.report.calls import calls
from incidentd.report.finding import Finding, Kind, Table
from incidentd.report.history import AlertKey, Deed, Firing, History, KnownAlert
from incidentd.report.repeating import Known, known_issue
from incidentd.settings import Settings

__all__ = [
    "AlertKey", "Deed", "Finding", "Firing", "History", "Kind", "Known", "KnownAlert", "Report", "Table", "known_issue",
    "report",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was found in a stretch of time."""

    since: datetime
    until: datetime
    pages: int
    holds: int
    incidents: int
    findings: tuple[Finding, ...]
    """In the order of the reports, what costs most first."""
    tables: tuple[Table, ...]
    cut: tuple[str, ...] = ()
    """What there was more of than is read."""


def report(history: History, settings: Settings) -> Report:
    """Find what there is to improve. The instant of now is the history's end."""
    found = calls(history, settings)
    whole = history.whole_since(settings.retention.alerts)
    counted, known = [call for call in found if call.page.started_at >= whole], history.until - whole
    tuned, told = tuning.tuned(history, _policies(settings))
    done = tuple(repeating.tried(history))
    findings = [
        *automating.candidates(counted, known), *noise.noisy(found, history), *coverage.bare(found, settings),
        *detecting.gaps(history), *detecting.slow(history), *repeating.repeats(history),
        *repeating.known_issues(history), *tuned, *duty.health(history, settings),
        *coverage.rotten(history, settings), *repeating.effects(done, history), *automating.toil(counted, known, found),
        *differing.differs(history, settings),
    ]  # fmt: skip
    tables = (
        detecting.lead_times(history), told, duty.shift_table(history, settings), repeating.effect_table(done, history),
        automating.ledger(found, settings),
    )  # fmt: skip
    return Report(
        since=history.since, until=history.until, pages=len(history.pages), holds=len(history.holds),
        incidents=len(history.incidents), findings=tuple(_ordered(findings)),
        tables=tuple(table for table in tables if table.rows), cut=history.cut,
    )  # fmt: skip


def _policies(settings: Settings) -> dict[str, HoldPolicy]:
    return {rule.name: rule.hold for rule in settings.rules}


def _ordered(found: Iterable[Finding]) -> list[Finding]:
    order = list(Kind)
    return sorted(found, key=lambda it: (order.index(it.kind), -it.weight, it.about, it.why))
