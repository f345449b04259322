"""Whether what was done after an incident helped: shown by what comes later, in whichever stretch is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete

from incidentd.actionitems import Effect
from incidentd.engine import reporting
from incidentd.incidents import Trigger
from incidentd.report import Report
from incidentd.report.finding import Kind
from incidentd.store import Store, Tx, subjects, things
from incidentd.store.tables import alert
from tests.report.conftest import store
from tests.report.files import settings_in
from tests.report.year import NOW, Trouble, Year, incident, minutes

__all__ = ["store"]


@dataclass(frozen=True, kw_only=True)
class Case:
    """An incident, what was done after it, and what came then; all in days before now."""

    broke: float
    done: float
    again: Sequence[float] = ()
    effect: Effect | None = None
    cause: str = "wear"
    """The cause of what came again; of the first it is wear."""
    key: str = ""
    """What is of one correlation key, each time with an alert of its own."""
    pruned: bool = False
    """The alert of the first is kept no longer."""
    grows: bool = False
    """Each has another alert, too, that is kept."""


async def told(store: Store, folder: Path, case: Case, *, asked: float) -> tuple[str | None, list[str]]:
    """Say what stands in the table of effects, and what the findings say."""
    settings = settings_in(folder)
    await store.write(_written, case, Year, settings)
    found: Report = await store.read(reporting.found, settings, timedelta(days=asked))
    rows = [row for table in found.tables if table.name == "action_item_effect" for row in table.rows]
    said = [it.says for it in found.findings if it.kind is Kind.EFFECT]
    return (rows[0][-1] if rows else None), said


def _written(tx: Tx, case: Case, make: type[Year], settings: object) -> None:
    year = make(tx, settings)  # type: ignore[arg-type]
    for number, ago in enumerate((case.broke, *case.again)):
        at = NOW - timedelta(days=ago, minutes=5)
        instance = f"w-{number}" if case.key else "w-1"
        it = Trouble(alertname="PumpStops", at=at, declared=minutes(5), instance=instance, paged=False)
        what = incident(it, cause=case.cause if number else "wear")
        made = year.trouble(it, replace(what, correlation_key=case.key))
        assert made is not None
        if case.grows:
            other = year.fires(replace(it, alertname="PumpLeaks"), "w-9", at, at + minutes(30))
            subjects.join(tx, made.key, [(*other, False)])
        if number == 0:
            item = year.item(made, done=NOW - timedelta(days=case.done))
            things.save_item(tx, replace(item, effect=case.effect))
    if case.pruned:
        oldest = alert.c.labels["instance"].as_string() == "w-0"
        assert tx.conn.execute(delete(alert).where(oldest)).rowcount == 1


WAS_DONE = "Make it not happen again was done at 2026-{}, and the same came again {} so far."
LATE = Case(broke=90, done=80, again=(20,))
SOON = Case(broke=60, done=50, again=(35,))


@pytest.mark.parametrize(
    ("case", "row", "says"),
    [
        pytest.param(LATE, "came again", WAS_DONE.format("09-05 14:00:00 UTC", "60d later, 1 time"), id="later"),
        pytest.param(SOON, "came again within 30 days", None, id="sooner"),
        pytest.param(
            replace(SOON, effect=Effect.INEFFECTIVE), "came again within 30 days",
            WAS_DONE.format("10-05 14:00:00 UTC", "15d later, 1 time"), id="sooner-and-looked-at",
        ),
        pytest.param(
            Case(broke=60, done=50, effect=Effect.INEFFECTIVE), "came again within 30 days",
            "Make it not happen again was done at 2026-10-05 14:00:00 UTC, and its alerts came again within 30 days.",
            id="of-the-same-alerts",
        ),
        pytest.param(
            Case(broke=60, done=50, again=(45, 10)), "came again",
            WAS_DONE.format("10-05 14:00:00 UTC", "5d later, 2 times"), id="sooner-and-later",
        ),
        pytest.param(Case(broke=60, done=50), "did not come again", None, id="for-good"),
        pytest.param(Case(broke=50, done=20), "too early to say", None, id="just-done"),
        pytest.param(Case(broke=90, done=80, again=(20,), cause="rust"), None, None, id="of-another-cause"),
        pytest.param(Case(broke=210, done=200, again=(100,)), None, None, id="told-long-ago"),
        pytest.param(
            replace(LATE, key="pumps", pruned=True), "came again",
            WAS_DONE.format("09-05 14:00:00 UTC", "60d later, 1 time"), id="alerts-pruned",
        ),
        pytest.param(
            replace(LATE, key="pumps", pruned=True, grows=True), "came again",
            WAS_DONE.format("09-05 14:00:00 UTC", "60d later, 1 time"), id="some-alerts-pruned",
        ),
        pytest.param(
            replace(LATE, key="pumps", pruned=True, cause="rust"), None, None, id="alerts-pruned-of-another-cause"
        ),
    ],
)  # fmt: skip
async def test_a_month_tells_of_what_was_done_before_it(
    store: Store, tmp_path: Path, case: Case, row: str | None, says: str | None
) -> None:  # fmt: skip
    assert await told(store, tmp_path, case, asked=30) == (row, [says] if says else [])


@pytest.mark.parametrize(("again", "row"), [((3,), "came again"), ((20,), None)], ids=["this-week", "before"])
async def test_a_week_tells_of_what_came_again_in_it(
    store: Store, tmp_path: Path, again: Sequence[float], row: str | None
) -> None:  # fmt: skip
    found, said = await told(store, tmp_path, replace(LATE, again=again), asked=7)
    assert (found, len(said)) == (row, 1 if row else 0)


async def test_a_year_tells_of_all_that_was_done_in_it(store: Store, tmp_path: Path) -> None:
    found, said = await told(store, tmp_path, Case(broke=210, done=200, again=(100,)), asked=365)
    assert (found, len(said)) == ("came again", 1)


async def test_of_what_could_not_be_known_again_nobody_says_that_it_stayed_away(store: Store, tmp_path: Path) -> None:
    settings = settings_in(tmp_path)

    def write(tx: Tx) -> None:
        year = Year(tx, settings)
        it = Trouble(alertname="", at=NOW - timedelta(days=60), declared=timedelta(0))
        year.item(year.declares(incident(it, trigger=Trigger.MANUAL)), done=NOW - timedelta(days=50))

    await store.write(write)
    found = await store.read(reporting.found, settings, timedelta(days=365))
    assert [table.name for table in found.tables if table.name == "action_item_effect"] == []


async def test_what_is_read_for_the_effects_alone_counts_as_nothing_else(store: Store, tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    await store.write(_written, Case(broke=90, done=80, again=(60, 20)), Year, settings)
    found = await store.read(reporting.found, settings, timedelta(days=30))
    assert found.incidents == 1
    assert [it.kind for it in found.findings if it.kind is Kind.REPEAT] == []
