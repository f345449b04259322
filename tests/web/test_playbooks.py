"""The API about playbooks: how each stands, the switches, and stopping a run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from incidentd.playbooks import Mode, Run, RunState
from incidentd.playbooks.standing import Standing
from incidentd.store import switching, things
from tests.engine.test_automation import playbook, settings
from tests.web.asking import Ask
from tests.web.small_house import NOW, SmallHouse, insert_hold

BOOK = playbook()


@pytest.fixture(autouse=True)
def with_a_playbook(house: SmallHouse) -> None:
    house.settings = replace(house.settings, playbooks={BOOK.name: BOOK}, automation=settings(BOOK).automation)


async def test_a_switch_is_turned_by_name_and_shown_everywhere(house: SmallHouse, ask: Ask) -> None:
    path = "/api/v1/playbooks/restart-worker"
    found = (await ask("GET", path)).json
    assert (found["mode"], found["effective"], found["switched_off"]) == ("auto", "auto", "")

    done = await ask("POST", f"{path}/disable", json={"reason": "a new version comes", "by": "ben"})
    assert (done.status, done.json["by"], done.json["stops"]) == (200, "ben", [])
    found = (await ask("GET", "/api/v1/playbooks")).json["playbooks"][0]
    assert found["effective"] == "off"
    assert found["switched_off"] == "ben switched restart-worker off: a new version comes"
    (shown,) = (await ask("GET", "/api/v1/status")).json["switched_off"]
    assert (shown["playbook"], shown["by"], shown["reason"]) == ("restart-worker", "ben", "a new version comes")
    figures = (await ask("GET", "/metrics")).text
    assert 'incidentd_playbook_switched_off{playbook="' in figures
    assert "incidentd_automation_switched_off 0.0" in figures

    assert (await ask("POST", f"{path}/enable", json={"by": "ben"})).status == 200
    assert (await ask("POST", f"{path}/enable", json={"by": "ben"})).status == 409
    assert (await ask("GET", "/api/v1/status")).json["switched_off"] == []


async def test_everything_is_switched_off_at_once_with_a_reason(ask: Ask) -> None:
    assert "say why" in (await ask("POST", "/api/v1/automation/disable", json={})).error
    assert (await ask("POST", "/api/v1/automation/disable", json={"reason": "no"})).json["playbook"] == "all"
    assert "incidentd_automation_switched_off 1.0" in (await ask("GET", "/metrics")).text
    assert (await ask("POST", "/api/v1/automation/enable")).json["disabled"] is False


async def test_what_is_not_there_is_said(ask: Ask) -> None:
    assert "there is no playbook 'nothing'" in (await ask("GET", "/api/v1/playbooks/nothing")).error
    said = (await ask("POST", "/api/v1/playbooks/nothing/disable", json={"reason": "no"})).error
    assert said == "there is no playbook 'nothing'; there are restart-worker"


async def test_each_version_is_shown_with_how_it_stands(house: SmallHouse, ask: Ask) -> None:
    old = Standing(
        playbook=BOOK.name, sha256="f" * 64, mode=Mode.APPROVE, at=NOW, why="demoted from auto to approve: x"
    )
    for stands in (old, replace(old, sha256=BOOK.sha256, mode=Mode.AUTO, verified=2, why="")):
        await house.store.write(switching.save_standing, stands)
    found = (await ask("GET", "/api/v1/playbooks/restart-worker")).json
    assert (found["version"], found["stands"], found["verified"]) == (BOOK.sha256[:12], "auto", 2)
    assert found["other_versions"] == [
        {"version": "f" * 12, "stands": "approve", "verified": 0, "why": old.why, "at": "2026-11-24T14:07:00Z"}
    ]
    run = Run(
        id=0, subject="HOLD-1", playbook=BOOK.name, sha256=old.sha256, definition=BOOK.source, mode=BOOK.mode,
        state=RunState.VERIFY_FAILED, target="w-3", inputs={}, registers={}, source="default", started_at=NOW,
    )  # fmt: skip
    await house.store.write(things.insert_run, run)
    shown = (await ask("GET", "/api/v1/runs/RUN-1")).json
    assert (shown["version"], shown["version_stands"], shown["version_because"]) == ("f" * 12, "approve", old.why)


async def test_a_run_is_stopped(house: SmallHouse, ask: Ask) -> None:
    run = Run(
        id=0, subject="HOLD-1", playbook=BOOK.name, sha256=BOOK.sha256, definition=BOOK.source, mode=BOOK.mode,
        state=RunState.RUNNING, target="w-3", inputs={}, registers={}, source="default", started_at=NOW,
    )  # fmt: skip
    await house.store.write(insert_hold)
    made = await house.store.write(things.insert_run, run)
    done = await ask("POST", f"/api/v1/runs/{made.key}/stop", json={"reason": "by hand", "by": "ana"})
    assert done.json["state"] == "stopped", done.text
    assert done.json["reason"].startswith("ana stopped it: by hand; it was between two steps")


async def test_a_person_runs_a_playbook_for_something_open(house: SmallHouse, ask: Ask) -> None:
    path, asked = "/api/v1/playbooks/restart-worker/runs", {"subject": "HOLD-1", "labels": {"instance": "w-3"}}
    await house.store.write(insert_hold)
    assert "say who runs it" in (await ask("POST", path, json=asked)).error
    made = await ask("POST", path, json={**asked, "by": "ana"})
    assert (made.status, made.json["state"], made.json["target"]) == (201, "running", "w-3"), made.text
    told = (await ask("GET", "/api/v1/holds/HOLD-1/timeline")).json["timeline"][-1]
    assert (told["actor"], told["text"]) == (
        "ana", "RUN-1: ana runs playbook restart-worker on w-3, without an alert.",
    )  # fmt: skip

    again = await ask("POST", path, json={**asked, "by": "ben"})
    assert (again.status, "another run is on w-3 now" in again.error) == (409, True)
    for changes, status, words in (
        ({"labels": {"instance": "w-3; reboot"}}, 400, "does not match"), ({"labels": {}}, 400, "has no value"),
        ({"subject": "HOLD-7"}, 404, "HOLD-7"), ({"subject": "SYSTEM"}, 400, "say what it is for"),
    ):  # fmt: skip
        refused = await ask("POST", path, json={**asked, **changes, "by": "ana"})
        assert (refused.status, words in refused.error) == (status, True), refused.text
