"""Alerts that call people for nothing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from incidentd.durations import about
from incidentd.pages import Ending, Verdict
from incidentd.report.calls import Call, by_alertname
from incidentd.report.finding import Finding, Kind, keys, median, percent
from incidentd.report.history import AlertKey, Firing, History
from incidentd.report.limits import (
    ENOUGH,
    FAN_OUT,
    FLAPPING_DAYS,
    FLAPS_A_DAY,
    NIGHTS,
    PRECISION,
    SELF_RESOLVED,
    VERDICTS,
)
from incidentd.text import count, plain

_Why = tuple[str, str, str]
"""The rule's name, what was seen, and what to change."""


def noisy(found: Sequence[Call], history: History) -> Iterator[Finding]:
    """Find alerts that meet any of the rules of noise; the first rule that is met says what to change."""
    lengths, flapping = _lengths(history), _flapping(history)
    for name, its in by_alertname(found).items():
        reasons = [
            why
            for why in (
                _precision(its), _by_itself(its, lengths.get(name, [])), _nights(its), _fan_out(its),
                _flaps(flapping.get(name, set()))
            )
            if why is not None
        ]  # fmt: skip
        if not reasons:
            continue
        idle = sum(not call.acted for call in its)
        yield Finding(
            kind=Kind.NOISY, about=name, why=tuple(why for why, _, _ in reasons),
            says=f"{count(len(its), 'page')}: {'; '.join(seen for _, seen, _ in reasons)}.",
            evidence=keys(call.page.key for call in its),
            propose=reasons[0][2].format(name=plain(name, 80)) + _spares(idle),
            weight=idle,
        )  # fmt: skip


def _spares(idle: int) -> str:
    return f" It would spare up to {count(idle, 'page')}." if idle else ""


def _precision(its: list[Call]) -> _Why | None:
    said = Counter(call.page.verdict for call in its if call.page.verdict is not None)
    total, actionable = said.total(), said[Verdict.ACTIONABLE]
    if total < VERDICTS or actionable / total >= PRECISION:
        return None
    worst = said[Verdict.FALSE_POSITIVE] * 2 >= total - actionable
    change = "Raise the threshold of {name}, or delete it." if worst else "Make {name} a ticket: nobody can act on it."
    return "precision", f"{actionable} of {count(total, 'verdict')} say that there was something to do", change


def _by_itself(its: list[Call], lengths: list[timedelta]) -> _Why | None:
    over = sum(call.over_by_itself for call in its)
    if len(its) < ENOUGH or over / len(its) <= SELF_RESOLVED:
        return None
    wait = about(timedelta(minutes=-(-median(lengths) // timedelta(minutes=1)))) if lengths else "longer"
    seen = f"{percent(over / len(its))} were over before anybody did anything"
    return "self_resolved", seen, f"Have {{name}} wait longer before it fires: `for: {wait}` or more."


def _nights(its: list[Call]) -> _Why | None:
    idle = sum(call.asleep and not call.acted for call in its)
    if idle < NIGHTS:
        return None
    return "night", f"{idle} woke somebody and led to nothing", "Make {name} a ticket, at least at night."


def _fan_out(its: list[Call]) -> _Why | None:
    joined = sum(call.page.ending is Ending.MERGED for call in its)
    if len(its) < ENOUGH or joined / len(its) <= FAN_OUT:
        return None
    seen = f"{percent(joined / len(its))} became part of something that others were called for"
    return "fan_out", seen, "Correlate {name} with what it always comes with, or inhibit it."


def _flaps(days: set[date]) -> _Why | None:
    if len(days) < FLAPPING_DAYS:
        return None
    seen = f"it fired {FLAPS_A_DAY} times or more on {count(len(days), 'day')}"
    return "flapping", seen, "Give {name} a hysteresis: `keep_firing_for:`, or two thresholds."


def _lengths(history: History) -> dict[str, list[timedelta]]:
    found: dict[str, list[timedelta]] = defaultdict(list)
    for firing in history.firings:
        known = history.alerts.get(firing.key)
        if known is not None and firing.ended is not None:
            found[known.labels.get("alertname", "")].append(firing.ended - firing.began)
    return found


def _flapping(history: History) -> dict[str, set[date]]:
    """Give for each alert's name the days on which one of its alerts fired too often."""
    days: Counter[tuple[AlertKey, date]] = Counter(map(_day, history.firings))
    found: dict[str, set[date]] = defaultdict(set)
    for (key, day), times in days.items():
        known = history.alerts.get(key)
        if known is not None and times >= FLAPS_A_DAY:
            found[known.labels.get("alertname", "")].add(day)
    return found


def _day(firing: Firing) -> tuple[AlertKey, date]:
    return firing.key, firing.began.date()
