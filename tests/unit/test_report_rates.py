"""How much of something comes in a stretch of time: by what is known of it, not by what was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from incidentd.holds import Hold, HoldPolicy, HoldState, Outcome
from incidentd.pages import Chain, Page, PageState
from incidentd.report import Deed, History, KnownAlert, Report, report
from incidentd.report.finding import Finding, Kind
from incidentd.settings import Retention, Settings

NOW = datetime(2026, 11, 24, 14, 0, tzinfo=UTC)
YEAR, DAY = timedelta(days=365), timedelta(days=1)
KEY = ("prod", "f1")
ALERT = KnownAlert(key=KEY, labels={"alertname": "DiskFull"}, annotations={"runbook_url": "https://r"})


def told(days_ago: Sequence[float], *, asked: float, knows: float = 365, takes: float = 120) -> Report:
    """Report on pages so many days ago, each of which took somebody so many minutes with the same first step."""
    holds, pages, deeds = [], [], []
    for number, ago in enumerate(sorted(days_ago, reverse=True), start=1):
        at, end = NOW - ago * DAY, NOW - ago * DAY + timedelta(minutes=takes)
        hold = Hold(
            id=number, source="prod", rule="", correlation_key="", title="DiskFull", severity="sev3", urgency="urgent",
            impact_started_at=at, policy=HoldPolicy(), state=HoldState.CLOSED, opened_at=at, deadline_at=end,
            cap_at=end, firing=0, peak=1, best=1, progress_at=at, outcome=Outcome.HUMAN_RESOLVED, ended_at=end,
        )  # fmt: skip
        holds.append(hold)
        deeds.append(Deed(subject=hold.key, at=at, text=f"emptied spool {number}"))
        pages.append(Page(
            id=number, subject=hold.key, policy="", urgency="urgent", respond_within=timedelta(minutes=30),
            state=PageState.ACKED, title="DiskFull", started_at=at, chain=Chain(levels=()), acked_at=at, paged=("eli",),
        ))  # fmt: skip
    history = History(
        since=NOW - asked * DAY, until=NOW, begins=NOW - knows * DAY, holds=tuple(holds), pages=tuple(pages),
        alerts={KEY: ALERT}, members={hold.key: (KEY,) for hold in holds}, deeds=tuple(deeds),
    )  # fmt: skip
    return report(history, replace(Settings(), retention=Retention(alerts=90 * DAY)))


def of(found: Report, kind: Kind) -> list[Finding]:
    return [it for it in found.findings if it.kind is kind]


def each(days: float, first: float, last: float) -> list[float]:
    """Give the days ago of something that comes again after so many days."""
    return [first + days * n for n in range(int((last - first) / days) + 1)]


WEEKLY, YOUNG, PRUNED, REFIRED = (
    {"days_ago": (1, 2, 3, 4, 5), "asked": 7},
    {"days_ago": (2, 9, 16, 23, 30), "asked": 365, "knows": 40},
    {"days_ago": each(14, 1, 89), "asked": 365},
    {"days_ago": each(14, 1, 364), "asked": 365},
)  # fmt: skip


@pytest.mark.parametrize(
    ("case", "says"),
    [
        pytest.param(WEEKLY, "5 pages took 10 hours of people's time in 7 days.", id="weekly"),
        pytest.param(
            {**WEEKLY, "asked": 30, "knows": 6}, "5 pages took 10 hours of people's time in 6 days.", id="very-young"
        ),
        pytest.param(YOUNG, "5 pages took 10 hours of people's time, 7.5 in 30 days.", id="young"),
        pytest.param(PRUNED, "7 pages took 14 hours of people's time, 4.7 in 30 days.", id="pruned"),
        # an alert that fires again and again is kept: what is older than the rest must not count as if it were not
        pytest.param(REFIRED, "7 pages took 14 hours of people's time, 4.7 in 30 days.", id="fires-again"),
    ],
)
def test_the_hours_of_a_month_are_of_the_time_that_is_known(case: dict[str, float], says: str) -> None:
    assert [it.says for it in of(told(**case), Kind.TOIL)] == [says]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "case",
    [
        pytest.param({**WEEKLY, "takes": 40}, id="weekly"),
        pytest.param({**WEEKLY, "asked": 30, "knows": 6, "takes": 40}, id="very-young"),
        pytest.param({"days_ago": each(30, 1, 364), "asked": 365}, id="fires-again"),
    ],
)
def test_what_takes_less_than_half_a_day_a_month_is_no_toil(case: dict[str, float]) -> None:
    assert of(told(**case), Kind.TOIL) == []  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("case", "comes"),
    [
        pytest.param(WEEKLY, "5 came in 7 days.", id="weekly"),
        pytest.param({**WEEKLY, "asked": 30, "knows": 0.4 + 5}, "5 came in 5 days.", id="very-young"),
        pytest.param({**YOUNG, "takes": 30}, "11 come in 90 days.", id="young"),
        pytest.param({**PRUNED, "takes": 40}, "7 come in 90 days.", id="pruned"),
        pytest.param({**REFIRED, "takes": 40}, "7 come in 90 days.", id="fires-again"),
    ],
)
def test_how_often_it_comes_is_of_the_time_that_is_known(case: dict[str, float], comes: str) -> None:
    (found,) = of(told(**case), Kind.AUTOMATE)  # type: ignore[arg-type]
    assert found.says.endswith(f"; {comes}")


def test_what_came_in_a_week_is_not_taken_for_what_comes_in_each_week_of_a_year() -> None:
    assert of(told(**WEEKLY, takes=15), Kind.AUTOMATE) == []  # type: ignore[arg-type]
    assert of(told(**WEEKLY, takes=17), Kind.AUTOMATE) != []  # type: ignore[arg-type]
