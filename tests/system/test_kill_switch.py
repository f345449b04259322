"""The kill switch while runs go on, of one process on SQLite and two on PostgreSQL: no further step, pages go on."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp
import psycopg
import pytest

from tests.conftest import ENGINES
from tests.doors.mail_double import MailDouble, mail_server
from tests.system.daemon import Daemon, an_alert, until

pytestmark = pytest.mark.slow

BOOKS = tuple(f"book-{number}" for number in range(6))
SECOND = 1_000_000
"""As the store keeps time: microseconds."""
STEPS = "SELECT r.playbook, s.started_at FROM playbook_step s JOIN playbook_run r ON r.id = s.run_id"


def documents(url: str) -> list[dict[str, Any]]:
    step = {
        "name": "work", "for_each": {"items": [str(number) for number in range(50)]}, "command": ["/bin/sleep", "0.3"],
        "timeout": "60s",
    }  # fmt: skip
    books = [
        {"kind": "playbook", "name": name, "title": "Work", "mode": "auto", "match": [f'book="{name}"'], "target": name,
         "risk": "low", "steps": [step], "verify": {"command": ["/bin/true"], "within": "1m"}}
        for name in BOOKS
    ]  # fmt: skip
    rules = [
        {"name": "work", "match": ['alertname="Work"'], "severity": "sev3", "urgency": "urgent", "decide": "hold",
         "page": "platform", "correlate_by": ["book"]},
        {"name": "down", "match": [], "severity": "sev1", "urgency": "urgent", "decide": "declare", "page": "platform"},
    ]  # fmt: skip
    ana = {"name": "Ana Ruiz", "channels": {"mail": {"url_file": "ana.url"}}}
    levels = {"urgent": {"levels": [{"after": "0m", "page": {"person": "ana"}}]}}
    config = {"kind": "config", "external_url": url, "include": [], "automation": {"mode": "auto"}}
    return [
        config, *books, {"kind": "rules", "rules": rules}, {"kind": "people", "people": {"ana": ana}},
        {"kind": "escalations", "escalations": {"platform": levels}},
    ]  # fmt: skip


class Replicas:
    """The daemons on one store, and what is in it."""

    def __init__(self, daemons: list[Daemon]) -> None:
        self.daemons = daemons

    def rows(self, query: str) -> list[Any]:
        url = self.daemons[0].store
        if url.startswith("sqlite"):
            with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as conn:
                return conn.execute(query).fetchall()
        with psycopg.connect(url) as conn:
            return conn.execute(query.encode()).fetchall()

    def begun(self, *books: str) -> list[tuple[str, int]]:
        """Give the steps of these playbooks that began, and when by the store's own time."""
        return [(str(book), int(at)) for book, at in self.rows(STEPS) if book in books]

    async def at_work(self, *books: str) -> None:
        """Wait until each of these has begun two steps more than now."""
        before = Counter(book for book, _ in self.begun(*books))

        async def further() -> bool:
            now = Counter(book for book, _ in self.begun(*books))
            return all(now[book] >= before[book] + 2 for book in books)

        await until(further, 60)

    def newest(self, *books: str) -> int:
        return max(at for _, at in self.begun(*books))

    async def switched_off(self, *what: str) -> int:
        """Switch off at the last replica, and give an instant of the store after which it is so for all."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "incidentd", "playbook", "disable", *what, "--reason", "it does harm",
            "--url", self.daemons[-1].url, stdout=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        assert await process.wait() == 0
        return await self.stamp("it is off")

    async def stamp(self, text: str) -> int:
        """Write a note, and give the time that it has in the store."""
        await self.daemons[0].post("holds/HOLD-1/note", text=text)
        return int(self.rows("SELECT max(at) FROM timeline WHERE kind = 'note' AND subject = 'HOLD-1'")[0][0])

    async def all_stopped(self) -> bool:
        return self.rows("SELECT DISTINCT state FROM playbook_run") == [("stopped",)]

    async def pass_by(self, instant: int) -> None:
        """Wait until the store's own time is later."""

        async def later() -> bool:
            return await self.stamp("still here") > instant

        await until(later, 60)


@pytest.fixture
async def mail() -> AsyncIterator[MailDouble]:
    async with mail_server() as server:
        yield server


@pytest.fixture(params=ENGINES)
async def replicas(
    request: pytest.FixtureRequest, tmp_path: Path, session: aiohttp.ClientSession, mail: MailDouble
) -> AsyncIterator[Replicas]:
    store = "" if request.param == "sqlite" else str(request.getfixturevalue("postgres_store"))
    made = []
    for name in "a" if not store else "ab":
        folder = tmp_path / name
        folder.mkdir()
        (folder / "ana.url").write_text(mail.url)
        one = Daemon(folder, session)
        one.store = store or one.store
        parts = [json.dumps(document) for document in documents(one.url)]
        (folder / "incidentd.yaml").write_text("\n---\n".join(parts))  # JSON is YAML
        await one.start()
        made.append(one)
    yield Replicas(made)
    for one in made:
        await one.kill()


async def test_p15_no_step_begins_once_a_playbook_or_all_are_switched_off_and_pages_go_on(
    replicas: Replicas, mail: MailDouble
) -> None:
    alerts = [an_alert("Work", book=name) for name in BOOKS]
    for number, one in enumerate(alerts):
        await replicas.daemons[number % len(replicas.daemons)].deliver(one)
    await replicas.at_work(*BOOKS)

    one_off = await replicas.switched_off(BOOKS[0])
    await replicas.at_work(*BOOKS[1:])  # these go on
    await replicas.pass_by(one_off + 2 * SECOND)
    assert replicas.newest(BOOKS[0]) <= one_off + SECOND
    assert replicas.newest(*BOOKS[1:]) > one_off

    all_off = await replicas.switched_off("--all")
    await replicas.pass_by(all_off + 2 * SECOND)
    assert replicas.newest(*BOOKS[1:]) <= all_off + SECOND
    await until(replicas.all_stopped, 60)

    for daemon in replicas.daemons:
        await daemon.deliver(an_alert(f"Down{daemon.port}"))
    down = {f"Down{daemon.port}" for daemon in replicas.daemons}

    async def told() -> bool:
        return all(any(name in str(one["subject"]) + one.get_content() for one in mail.mails) for name in down)

    await until(told, 60)

    async def paged() -> Any:  # the mail is there before whoever sent it wrote that down
        return replicas.rows("SELECT min(at) FROM timeline WHERE kind = 'page.sent' AND subject LIKE 'INC-%'")[0][0]

    assert await until(paged) > all_off
    assert replicas.newest(*BOOKS) <= all_off + SECOND
