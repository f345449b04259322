"""The report on practice at the front door: as Markdown, as JSON, as a page and on the command line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from incidentd.cli import main
from incidentd.holds import Outcome
from incidentd.metrics import Metrics
from incidentd.store import chain, open_store, things
from incidentd.web import make_app
from tests.report.files import settings_in
from tests.report.year import NOW, Trouble, Year, day, minutes
from tests.stores import sqlite_url
from tests.web.asking import Ask, asking, served
from tests.web.small_house import SmallHouse

EVIL = "<script>alert(1)</script> **[x](http://evil.example)** {{ 7 * 7 }} ```"


def fill(year: Year) -> None:
    """Let an alert with a hostile name call people for nothing, and hostile steps be written down by hand."""
    for n in range(6):
        at = day(340 + n)
        alone = Trouble(alertname=EVIL, at=at, lasts=minutes(4), acked=None, outcome=Outcome.SELF_RESOLVED)
        year.trouble(alone)
    for n in range(12):
        at = day(335 + 2 * n, 9)
        year.trouble(Trouble(alertname=f"By {EVIL}", at=at, lasts=minutes(55), deeds=(EVIL, "then it went")))


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[SmallHouse]:
    metrics = Metrics(version="test")
    store = await open_store(sqlite_url(tmp_path / "test.db"), lambda: NOW, metrics)
    settings = settings_in(tmp_path)
    await store.write(lambda tx: fill(Year(tx, settings)))
    yield SmallHouse(store=store, metrics=metrics, settings=settings)
    await store.close()


@pytest.fixture
async def url(house: SmallHouse) -> AsyncIterator[str]:
    async with served(make_app(house)) as url:
        yield url


@pytest.fixture
async def ask(url: str) -> AsyncIterator[Ask]:
    async with asking(url) as ask:
        yield ask


@pytest.fixture
def typed(url: str) -> Callable[..., Awaitable[Result]]:
    async def type_it(*words: str) -> Result:
        env = {"INCIDENTD_URL": url, "INCIDENTD_TOKEN": "", "INCIDENTD_TOKEN_FILE": ""}
        return await asyncio.to_thread(CliRunner().invoke, main, words, env=env)

    return type_it


async def test_a_program_gets_each_finding_with_its_evidence_and_one_change(ask: Ask) -> None:
    found = (await ask("GET", "/api/v1/report", headers={"Accept": "application/json"})).json
    by_report = {it["report"]: it for it in found["findings"]}
    assert set(by_report) == {"noisy_alert", "automation_candidate", "toil"}
    assert by_report["noisy_alert"]["why"] == ["self_resolved"]
    assert by_report["noisy_alert"]["evidence"][0] == "PAGE-6"
    assert "for: 4m" in by_report["noisy_alert"]["propose"]
    assert (found["pages"], found["cut"]) == (18, [])


async def test_strangers_words_are_nothing_but_words_in_markdown_and_on_the_page(ask: Ask) -> None:
    text = (await ask("GET", "/api/v1/report?since=60d")).text
    assert "<script" not in text
    before, draft, after = text.split("```")  # what people wrote closes no block of code
    assert draft.startswith("yaml")
    assert "[x](http" not in before + after
    page = (await ask("GET", "/report?since=60d")).text
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert '<a href="pages/PAGE-6">PAGE-6</a>' in page


async def test_looking_at_the_report_changes_nothing(house: SmallHouse, ask: Ask) -> None:
    before = await house.store.read(lambda tx: list(chain.chains(tx)))
    for path in ("/api/v1/report", "/report"):
        assert (await ask("GET", path)).status == 200
    assert await house.store.read(lambda tx: list(chain.chains(tx))) == before


@pytest.mark.parametrize(
    ("query", "said"),
    [("since=soon", "is not a duration"), ("since=1h", "is 1d to 400d long"), ("since=401d", "is 1d to 400d long"),
     ("until=now", "there is since"), ("since=7d&since=8d", "once")],
)  # fmt: skip
async def test_what_cannot_be_asked_is_refused(ask: Ask, query: str, said: str) -> None:
    answer = await ask("GET", f"/api/v1/report?{query}")
    assert (answer.status, said in answer.json["error"]) == (400, True)


async def test_the_command_prints_each_form(typed: Callable[..., Awaitable[Result]]) -> None:
    assert (await typed("report")).stdout.startswith("# What there is to improve")
    assert '"findings"' in (await typed("report", "--json")).stdout
    assert (await typed("report", "--format", "html", "--since", "60d")).stdout.startswith("<!doctype html>")
    wrong = await typed("report", "--since", "soon&x=1")
    assert (wrong.exit_code, "is not a duration" in wrong.stderr) == (1, True)
    assert (await typed("report", "--format", "pdf")).exit_code == 2


async def test_the_command_takes_a_verdict(house: SmallHouse, typed: Callable[..., Awaitable[Result]]) -> None:
    done = await typed("page", "feedback", "PAGE-1", "false_positive", "--by", "ana")
    assert (done.exit_code, done.stdout.endswith("false positive\n")) == (0, True)
    assert (await house.store.read(things.get_page, 1)).verdict == "false_positive"
    assert (await typed("page", "feedback", "PAGE-1", "meh")).exit_code == 2
