"""Which incidents are the same, and how often they are compared to know it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from incidentd.actionitems import ActionItem, ItemState, ItemType
from incidentd.incidents import Incident
from incidentd.report import History, repeating, report
from incidentd.report.finding import Kind
from incidentd.report.repeating import Print
from tests.report.files import settings_in
from tests.report.year import NOW, Trouble, incident

Made = tuple[str, str, str]
"""An incident's service, its alert, and the cause that was named."""


def history(*made: Made, promised: int = 0) -> History:
    """Give incidents an hour apart, after the first of which so many things were done at once."""
    its: list[Incident] = []
    for number, (service, alertname, cause) in enumerate(made, 1):
        at = NOW - timedelta(hours=2000 - number)
        it = Trouble(alertname=alertname, at=at, service=service)
        its.append(replace(incident(it, cause=cause), id=number))
    items = tuple(
        ActionItem(
            id=one.id, uuid=one.key, subject=one.key, title="Make it not happen again", type=ItemType.PREVENT,
            priority="P1", due=None, state=ItemState.DONE, created_at=one.declared_at, done_at=one.declared_at,
        )
        for one in its[:promised]
    )  # fmt: skip
    names = {one.key: frozenset({one.title}) for one in its}
    return History(
        since=NOW - timedelta(days=100), until=NOW, incidents=tuple(its), earlier_names=names, items=items
    )  # fmt: skip


def gathered(known: History) -> list[tuple[Print, list[str]]]:
    return [(family.mark, [one.key for one in family.incidents]) for family in repeating.families(known)]


def first_that_fits(known: History) -> list[tuple[Print, list[str]]]:
    """Gather them by comparing each with each."""
    found: list[tuple[Print, list[str]]] = []
    for one in known.incidents:
        mark = repeating.print_of(one, known)
        number = next((n for n, (other, _) in enumerate(found) if mark.fits(other)), None)
        if number is None:
            found.append((mark, [one.key]))
        else:
            found[number] = (found[number][0] if found[number][0].cause else mark, [*found[number][1], one.key])
    return found


@pytest.mark.parametrize("seed", range(5))
def test_each_incident_joins_the_first_that_it_fits_of_all(seed: int) -> None:
    random = Random(seed)  # noqa: S311 - seeded, so that what failed once fails again
    known = history(
        *(
            (random.choice(["", "shop", "mail"]), random.choice("ABC"), random.choice(["", "wear", "rust", "heat"]))
            for _ in range(200)
        )
    )  # fmt: skip
    assert gathered(known) == first_that_fits(known)


def test_one_whose_cause_nobody_named_joins_the_first_and_takes_its_cause() -> None:
    made = [("shop", "A", cause) for cause in ("", "wear", "rust", "", "wear", "rust")]
    assert [(mark.cause, keys) for mark, keys in gathered(history(*made))] == [
        ("wear", ["INC-1", "INC-2", "INC-4", "INC-5"]),
        ("rust", ["INC-3", "INC-6"]),
    ]


def test_incidents_of_other_alerts_or_services_are_not_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    compared: list[tuple[Print, Print]] = []
    fits = Print.fits

    def noted(one: Print, other: Print) -> bool:
        compared.append((one, other))
        return fits(one, other)

    monkeypatch.setattr(Print, "fits", noted)
    known = history(*((f"s{n % 5}", f"A{n % 30}", "") for n in range(90)), promised=30)
    found = report(known, settings_in(tmp_path))
    assert [it.kind for it in found.findings].count(Kind.REPEAT) == 30
    assert compared
    assert all((one.service, one.alerts) == (other.service, other.alerts) for one, other in compared)


def test_what_came_again_is_looked_for_once_in_a_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[History] = []
    kin = repeating._Kin

    def noted(known: History) -> object:
        built.append(known)
        return kin(known)

    monkeypatch.setattr(repeating, "_Kin", noted)
    found = report(history(("shop", "A", ""), ("shop", "A", ""), promised=1), settings_in(tmp_path))
    assert [row[0] for table in found.tables if table.name == "action_item_effect" for row in table.rows] == ["AI-1"]
    assert len(built) == 1
