"""Action items of an incident that was merged: what became of it is the incident that they are about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from incidentd.engine import reporting
from incidentd.incidents import Incident, Merge, Status
from incidentd.oncall import Roster
from incidentd.report import Finding, History, Report
from incidentd.report.finding import Kind
from incidentd.store import Store, Tx, practice, subjects
from tests.report.conftest import store
from tests.report.files import settings_in
from tests.report.year import NOW, Trouble, Year, incident, minutes

__all__ = ["store"]
Row = tuple[str, ...]


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def broke(year: Year, alertname: str, at: datetime, key: str = "") -> Incident:
    it = Trouble(alertname=alertname, at=at, declared=minutes(5), instance=f"{at:%j}", paged=False)
    made = year.trouble(it, replace(incident(it), correlation_key=key))
    assert made is not None
    return made


def merged(tx: Tx, gone: Incident, into: Incident) -> None:
    record = Merge(into=into.id, at=tx.now, by="ana", was=Status.INVESTIGATING)
    subjects.save_incident(tx, replace(gone, status=Status.MERGED, merge=record, version=gone.version + 1))
    subjects.copy_members(tx, of=gone.key, to=into.key)


async def told(
    store: Store, folder: Path, write: Callable[[Year], None], days: int = 30
) -> tuple[list[Row], list[Finding]]:  # fmt: skip
    """Give the table of effects, and the findings of a report about so many days."""
    settings = settings_in(folder)
    await store.write(lambda tx: write(Year(tx, settings)))
    found: Report = await store.read(reporting.found, settings, timedelta(days=days))
    rows = [row for table in found.tables if table.name == "action_item_effect" for row in table.rows]
    return rows, list(found.findings)


@pytest.mark.parametrize(
    ("alertname", "key", "verdict"),
    [
        ("PumpStops", "stops", "came again"),
        ("PumpLeaks", "leaks", "came again"),
        ("PumpHot", "hot", "did not come again"),
    ],
    ids=["what-it-went-into", "what-it-was-itself", "something-else"],
)  # fmt: skip
async def test_an_item_of_a_part_did_not_help_when_it_or_the_survivor_comes_again(
    store: Store, tmp_path: Path, alertname: str, key: str, verdict: str
) -> None:
    def write(year: Year) -> None:
        whole, part = broke(year, "PumpStops", ago(60), "stops"), broke(year, "PumpFlaps", ago(60), "flaps")
        smallest = broke(year, "PumpLeaks", ago(60), "leaks")
        merged(year.tx, smallest, part)
        merged(year.tx, part, whole)
        year.item(smallest, done=ago(55))
        broke(year, alertname, ago(20), key)

    rows, findings = await told(store, tmp_path, write)
    assert [(row[0], row[1], row[3]) for row in rows] == [("AI-1", "INC-3", verdict)]
    again = [it for it in findings if it.kind is Kind.EFFECT]
    assert [it.about for it in again] == (["AI-1"] if verdict == "came again" else [])
    assert all("INC-4" in it.evidence for it in again)


async def test_what_a_part_went_into_is_not_what_came_again_after_its_item(store: Store, tmp_path: Path) -> None:
    def write(year: Year) -> None:
        part = broke(year, "PumpStops", ago(60), "stops")
        year.item(part, done=ago(58))
        merged(year.tx, part, broke(year, "PumpStops", ago(50), "stops"))

    rows, _ = await told(store, tmp_path, write)
    assert [row[3] for row in rows] == ["did not come again"]


async def test_what_was_promised_for_a_part_is_owed_of_the_survivor(store: Store, tmp_path: Path) -> None:
    def write(year: Year) -> None:
        part, whole = broke(year, "PumpStops", ago(40)), broke(year, "PumpStops", ago(20))
        merged(year.tx, part, whole)
        year.item(part, due=ago(5).date())
        broke(year, "PumpStops", ago(10))

    _, findings = await told(store, tmp_path, write)
    (found,) = [it for it in findings if it.kind is Kind.REPEAT]
    assert found.why == ("overdue_item",)
    assert "AI-1 of INC-1" in found.says
    assert set(found.evidence) == {"AI-1", "INC-2", "INC-3"}


async def test_of_a_part_whose_survivor_is_gone_and_of_a_circle_nothing_is_said(store: Store, tmp_path: Path) -> None:
    def write(year: Year) -> None:
        lost, first, second = (broke(year, "PumpStops", ago(60 + n)) for n in range(3))
        merged(year.tx, lost, replace(first, id=99))
        merged(year.tx, first, second)
        merged(year.tx, second, first)
        for it in (lost, first, second):
            year.item(it, done=ago(40))

    rows, findings = await told(store, tmp_path, write)
    assert rows == []
    assert [it for it in findings if it.kind in (Kind.EFFECT, Kind.REPEAT)] == []


def test_an_incident_goes_where_its_merges_lead_and_no_circle_is_walked_for_ever() -> None:
    merges = {"INC-3": "INC-2", "INC-2": "INC-1", "INC-8": "INC-9", "INC-9": "INC-8", "INC-7": "INC-7"}
    history = History(since=NOW, until=NOW, merged=merges)
    assert [history.whole_of(f"INC-{n}") for n in (1, 2, 3)] == ["INC-1"] * 3
    assert {history.whole_of(f"INC-{n}") for n in (7, 8, 9)} <= {"INC-7", "INC-8", "INC-9"}


async def test_merges_from_before_the_time_of_a_report_are_read(store: Store, tmp_path: Path) -> None:
    settings = settings_in(tmp_path)

    def write(tx: Tx) -> None:
        year = Year(tx, settings)
        whole, part, smallest, apart = (broke(year, "PumpStops", ago(500 - n)) for n in range(4))
        merged(tx, smallest, part)
        merged(tx, part, whole)
        for it in (smallest, apart):
            year.item(it)

    await store.write(write)
    found: History = await store.read(practice.history, Roster(), ago(30))
    assert found.merged == {"INC-3": "INC-2", "INC-2": "INC-1"}
