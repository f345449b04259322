"""A year with planted truths: everything that is planted is found, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from incidentd.report import History, report
from incidentd.settings import Settings
from incidentd.store import Store, Tx, practice
from tests.report.files import settings_in
from tests.report.planted import Truth, plant
from tests.report.year import ALERTS, INCIDENTS, SINCE, Year


def written(tx: Tx, settings: Settings) -> tuple[set[Truth], Year]:
    year = Year(tx, settings)
    return plant(year), year


@pytest.mark.slow
async def test_a_report_on_a_year_finds_all_that_is_planted_and_nothing_else(store: Store, tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    truths, year = await store.write(written, settings)
    assert (year.alerts, year.incidents) == (ALERTS, INCIDENTS)
    history: History = await store.read(practice.history, settings.roster, SINCE)
    found = report(history, settings)
    assert {(it.kind, it.about, it.why) for it in found.findings} == truths
    assert len(found.findings) == len(truths)
