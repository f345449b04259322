"""Verdicts on pages: over the API and the command line, and what they leave behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from incidentd.metrics import Metrics
from incidentd.pages import PageState, Verdict
from incidentd.settings import Settings
from incidentd.store import Tx, chain, open_store, subjects, things
from incidentd.web import make_app
from tests.conftest import ENGINES
from tests.stores import sqlite_url
from tests.web.asking import Ask, asking, served
from tests.web.small_house import NOW, SmallHouse, insert_hold, insert_page
from tests.web.test_lists import insert_alert

PAGE = "/api/v1/pages/PAGE-1/feedback"


def fill(tx: Tx) -> None:
    """Put an answered page into the store, one that waits, one of a drill, and one that calls for many."""
    hold = insert_hold(tx)
    insert_alert(tx, "f1", alertname="QueueLag", env="prod")
    subjects.join(tx, hold.key, [("default", "f1", True)], new=True)
    pages = [insert_page(tx, hold.key) for _ in range(4)]
    acked = [replace(page, state=PageState.ACKED, acked_at=tx.now) for page in pages]
    things.save_page(tx, acked[0])
    things.save_page(tx, replace(acked[2], drill=True))
    things.save_page(tx, replace(acked[3], subject="SUM-4"))


@pytest.fixture(params=ENGINES)
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SmallHouse]:
    sqlite = request.param == "sqlite"
    url = sqlite_url(tmp_path / "test.db") if sqlite else str(request.getfixturevalue("postgres_store"))
    metrics = Metrics(version="test")
    store = await open_store(url, lambda: NOW, metrics)
    house = SmallHouse(store=store, metrics=metrics, settings=Settings())
    await store.write(fill)
    yield house
    await store.close()


@pytest.fixture
async def ask(house: SmallHouse) -> AsyncIterator[Ask]:
    async with served(make_app(house)) as url, asking(url) as ask:
        yield ask


def counted(house: SmallHouse) -> list[str]:
    lines = house.metrics.render("text/plain")[0].decode().splitlines()
    return [line for line in lines if line.startswith("incidentd_page_feedback_total{")]


async def test_a_verdict_stands_on_the_page_its_timeline_and_in_the_metrics(house: SmallHouse, ask: Ask) -> None:
    answer = await ask("POST", PAGE, json={"verdict": "false_positive", "by": "ana"})
    assert (answer.status, answer.json["verdict"], answer.json["verdict_by"]) == (200, "false_positive", "ana")
    await ask("POST", PAGE, json={"verdict": "Not actionable", "by": "ben"})
    page = await house.store.read(things.get_page, 1)
    assert (page.verdict, page.verdict_by) == (Verdict.NOT_ACTIONABLE, "ben")
    said = [e.text for e in await house.store.read(chain.entries, "HOLD-1") if e.kind == "page.feedback"]
    assert said == ["ana says of PAGE-1: false positive.", "ben says of PAGE-1: not actionable."]
    assert counted(house) == [
        'incidentd_page_feedback_total{alertname="QueueLag",verdict="false_positive"} 1.0',
        'incidentd_page_feedback_total{alertname="QueueLag",verdict="not_actionable"} 1.0',
    ]


async def test_the_same_word_of_the_same_person_is_one_however_often_it_comes(house: SmallHouse, ask: Ask) -> None:
    body = {"verdict": "actionable", "by": "ana"}
    answers = await asyncio.gather(*(ask("POST", PAGE, json=body) for _ in range(20)))
    assert {answer.status for answer in answers} == {200}
    kinds = [entry.kind for entry in await house.store.read(chain.entries, "HOLD-1")]
    assert kinds.count("page.feedback") == 1


async def test_what_cannot_be_said_is_refused_with_what_can_be(house: SmallHouse, ask: Ask) -> None:
    wrong = await ask("POST", PAGE, json={"verdict": "meh"})
    assert (wrong.status, "there are actionable, false_positive" in wrong.json["error"]) == (400, True)
    assert (await ask("POST", PAGE, json={})).status == 400
    assert (await ask("POST", "/api/v1/pages/PAGE-99/feedback", json={"verdict": "actionable"})).status == 404
    waits = await ask("POST", "/api/v1/pages/PAGE-2/feedback", json={"verdict": "actionable"})
    assert (waits.status, "acknowledge it first" in waits.json["error"]) == (409, True)
    many = await ask("POST", "/api/v1/pages/PAGE-4/feedback", json={"verdict": "actionable"})
    assert (many.status, "calls for many" in many.json["error"]) == (409, True)


async def test_a_page_of_a_drill_may_be_judged_and_is_in_no_metric(house: SmallHouse, ask: Ask) -> None:
    answer = await ask("POST", "/api/v1/pages/PAGE-3/feedback", json={"verdict": "poor_details", "by": "ana"})
    assert answer.status == 200
    assert counted(house) == []
