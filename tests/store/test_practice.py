"""What the reports read: firings in pairs, alerts that did not change, and never more than is said."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from incidentd.oncall import Roster
from incidentd.report import Firing, History
from incidentd.store import Store, Tx, practice
from tests.report.conftest import store
from tests.report.files import settings_in
from tests.report.year import SINCE, Trouble, Year, day, incident, minutes

__all__ = ["store"]
IT = Trouble(alertname="QueueLag", at=day(100), declared=minutes(5), held=True, deeds=("looked",))


async def written(store: Store, tmp_path: Path, *troubles: Trouble) -> None:
    settings = settings_in(tmp_path)

    def write(tx: Tx) -> None:
        year = Year(tx, settings)
        for it in troubles:
            made = year.trouble(it, incident(it) if it.declared is not None else None)
            if made is not None:
                year.by_hand(made, "scaled up", it.at + minutes(7))

    await store.write(write)


async def read(store: Store, since: datetime = SINCE) -> History:
    return await store.read(lambda tx: practice.history(tx, Roster(), since))


async def test_what_people_did_is_in_the_order_in_which_they_did_it(store: Store, tmp_path: Path) -> None:
    await written(store, tmp_path, IT)
    found = await read(store)
    assert [(it.text, it.change) for it in found.deeds] == [("looked", False), ("scaled up", True)]
    assert found.begins == day(100)
    assert found.firings == (Firing(key=found.members["INC-1"][0], began=day(100), ended=day(100) + minutes(30)),)


async def test_an_alert_that_did_not_change_is_known_because_something_is_about_it(
    store: Store, tmp_path: Path
) -> None:  # fmt: skip
    await written(store, tmp_path, replace(IT, lasts=minutes(4), declared=minutes(60 * 24)))
    found = await read(store, day(100) + timedelta(hours=12))
    assert [one.key for one in found.incidents] == ["INC-1"]
    assert found.alerts[found.members["INC-1"][0]].labels["alertname"] == "QueueLag"
    assert found.firings == ()


async def test_what_is_too_much_is_cut_and_said(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr(practice, "MOST", 2)
    await written(store, tmp_path, *(replace(IT, at=day(100 + n), instance=f"w-{n}") for n in range(3)))
    found = await read(store)
    assert [page.key for page in found.pages] == ["PAGE-2", "PAGE-3"]
    assert "pages: only the newest 2" in found.cut


async def test_what_fires_still_and_what_fired_again_unseen_are_firings_of_their_own(
    store: Store, tmp_path: Path
) -> None:  # fmt: skip
    settings = settings_in(tmp_path)

    def write(tx: Tx) -> None:
        year = Year(tx, settings)
        year.fires(IT, "w-1", day(100), None)
        year.fires(IT, "w-1", day(101), None)  # its start moved on, and nobody heard of an end

    await store.write(write)
    found = await read(store)
    assert [(it.began, it.ended) for it in found.firings] == [(day(100), day(101)), (day(101), None)]
