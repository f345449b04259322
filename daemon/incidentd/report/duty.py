"""How on-call shifts were: for a team to look at together. Nobody is named, and nobody is compared with anybody."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from incidentd.oncall import Shift
from incidentd.pages import Page
from incidentd.report.calls import is_sleep, zone_of
from incidentd.report.finding import Finding, Kind, Table, keys
from incidentd.report.history import History
from incidentd.report.limits import BUDGET, BUDGET_IN, NIGHTS_A_WEEK, OVER_BUDGET, SLEEP_UNTIL
from incidentd.settings import Settings
from incidentd.text import count, plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """A shift, and what it brought."""

    shift: Shift
    pages: tuple[Page, ...]
    """One for each thing that it was paged for, the first."""
    nights: frozenset[date]
    """The nights in which sleep was interrupted, by the day on which each ends."""

    @property
    def over(self) -> bool:
        """Whether there were more incidents than the budget in any twelve hours of it."""
        starts = [page.started_at for page in self.pages]
        return any(
            later - first < BUDGET_IN for first, later in zip(starts, starts[BUDGET:], strict=False)
        )  # fmt: skip


def duties(history: History, settings: Settings) -> dict[str, list[Duty]]:
    """Give the shifts of each schedule that were over by now, with what they brought."""
    pages = sorted((page for page in history.pages if not page.joined), key=lambda page: page.started_at)
    return {
        name: [
            duty_of(shift, pages, zone_of(settings, (shift.person,)))
            for shift in shifts
            if shift.person and shift.end <= history.until
        ]
        for name, shifts in sorted(history.shifts.items())
    }


def duty_of(shift: Shift, pages: Sequence[Page], zone: ZoneInfo) -> Duty:
    """Say what a shift brought; of these pages, the oldest first, those count that called whoever had it."""
    mine: Mapping[str, Page] = {
        page.subject: page
        for page in reversed(pages)
        if shift.start <= page.started_at < shift.end and shift.person in page.paged
    }
    its = tuple(sorted(mine.values(), key=lambda page: page.started_at))
    nights = frozenset(_night(page.started_at, zone) for page in its if is_sleep(page.started_at, zone))
    return Duty(shift=shift, pages=its, nights=nights)


def _night(at: datetime, zone: ZoneInfo) -> date:
    local = at.astimezone(zone)
    return (local if local.hour < SLEEP_UNTIL else local + timedelta(days=1)).date()


def health(history: History, settings: Settings) -> Iterator[Finding]:
    """Find schedules whose shifts ask too much."""
    for name, its in duties(history, settings).items():
        over = [duty for duty in its if duty.over]
        restless = [duty for duty in its if len(duty.nights) >= NIGHTS_A_WEEK]
        again = _back_to_back(its)
        why = {
            "over_budget": len(over) >= OVER_BUDGET, "sleep": bool(restless), "back_to_back": bool(again),
        }  # fmt: skip
        if not any(why.values()):
            continue
        worst = {id(duty): duty for duty in (*over, *restless, *again)}.values()
        yield Finding(
            kind=Kind.ON_CALL, about=name, why=tuple(word for word, met in why.items() if met),
            says=(
                f"Of {count(len(its), 'shift')}, {len(over)} had more than {BUDGET} incidents in 12 hours, "
                f"{len(restless)} had {NIGHTS_A_WEEK} interrupted nights or more, and {len(again)} followed a shift "
                "over the budget of the same person."
            ),
            evidence=keys(page.key for duty in worst for page in duty.pages), propose=_proposal(name, why),
            weight=len(over) + len(restless) + len(again),
        )  # fmt: skip


def _back_to_back(its: Sequence[Duty]) -> list[Duty]:
    """Give the shifts over budget of people whose own shift before was over it, too."""
    found, before = [], dict[str, Duty]()
    for duty in its:
        last = before.get(duty.shift.person)
        if last is not None and last.over and duty.over:
            found.append(duty)
        before[duty.shift.person] = duty
    return found


def _proposal(name: str, why: Mapping[str, bool]) -> str:
    named = plain(name, 80)
    if why["sleep"]:
        return f"Split the shifts of {named} into day and night, or give time off after such a night."
    if why["back_to_back"]:
        return f"Let whoever had a hard shift of {named} skip the next one."
    return f"Take the noisiest alerts out of {named}'s pages until its shifts are in the budget."


def shift_table(history: History, settings: Settings) -> Table:
    """Count by schedule how many incidents shifts had; people are left out of it."""
    rows = []
    for name, its in duties(history, settings).items():
        if its:
            numbers = sorted(len(duty.pages) for duty in its)
            figures = (
                len(its), numbers[(len(numbers) - 1) // 2], numbers[-(-len(numbers) * 9 // 10) - 1],
                sum(duty.over for duty in its), sum(len(duty.nights) for duty in its),
            )  # fmt: skip
            rows.append((plain(name, 80), *map(str, figures)))
    head = ("Schedule", "Shifts", "Incidents (median)", "Incidents (p90)", "Over budget", "Interrupted nights")
    return Table(name="oncall_health", title="On-call shifts", head=head, rows=tuple(rows))
