"""SIGKILL at random moments: in the middle of the stream of a real Alertmanager, and while the daemon starts."""

from __future__ import annotations

import asyncio
import os
import random
import re
import sqlite3
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from incidentd.store import maintenance
from tests.system.daemon import Daemon, RealAlertmanager, an_alert, until

LONG = os.environ.get("INCIDENTD_TEST_LONG") == "1"
KILLS, BODIES = (50, 1000) if LONG else (10, 300)
STARTS = 100 if LONG else 10
CONFIG = "kind: config\ninclude: []\n---\nkind: rules\nrules: [{name: a, match: [], severity: sev4, decide: record}]\n"

pytestmark = pytest.mark.slow


class Witness:
    """Stands between Alertmanager and the daemon and keeps every body that was answered 2xx."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.accepted: list[bytes] = []
        self.statuses: Counter[int] = Counter()
        self.url = ""

    async def pass_on(self, request: web.Request) -> web.Response:
        body = await request.read()
        try:
            async with self.daemon.session.post(f"{self.daemon.url}/api/v1/alertmanager", data=body) as answer:
                status = answer.status
        except aiohttp.ClientError:
            status = 502  # as a refused connection: Alertmanager tries again
        self.statuses[status] += 1
        if status < 300:
            self.accepted.append(body)
        return web.Response(status=status)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        app = web.Application(client_max_size=1 << 25)
        app.router.add_post("/", self.pass_on)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        yield
        await runner.cleanup()


async def failed(alertmanager: RealAlertmanager, session: aiohttp.ClientSession) -> float:
    async with session.get(f"{alertmanager.url}/metrics") as answer:
        text = await answer.text()
    found = re.findall(r'^alertmanager_notifications_failed_total\{integration="webhook"[^}]*\} (\S+)', text, re.M)
    return sum(float(value) for value in found)


def bodies_of(store: Path) -> Counter[bytes]:
    with closing(sqlite3.connect(store)) as conn:
        return Counter(body for (body,) in conn.execute("SELECT body FROM inbox"))


@pytest.mark.needs("alertmanager")
async def test_t14_kills_at_random_moments_of_a_stream_lose_no_body_that_was_answered(
    tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    daemon = Daemon(tmp_path, session, CONFIG)
    await daemon.start()
    witness, chance = Witness(daemon), random.Random(14)  # noqa: S311 - the same moments every time
    async with witness.listening():
        alertmanager = RealAlertmanager(tmp_path, session, witness.url)
        await alertmanager.start()

        async def stream() -> None:
            for number in range(BODIES):
                await alertmanager.post({"alertname": f"Alert{number}", "n": str(number)}, began=datetime.now(UTC))
                await asyncio.sleep(0.02)

        streaming = asyncio.create_task(stream())
        for _ in range(KILLS):
            await asyncio.sleep(chance.uniform(0, 0.5))
            await daemon.kill()
            await daemon.start()
        await streaming

        async def all_known() -> bool:
            alerts = (await daemon.get("alerts?limit=1000"))["alerts"]
            return len({alert["labels"]["n"] for alert in alerts}) == BODIES

        await until(all_known, 120)
        before = await failed(alertmanager, session)
        again = datetime.now(UTC)
        await alertmanager.post({"alertname": "Last", "n": "last"}, began=again)

        async def last_known() -> bool:
            return any(body.find(b'"Last"') > 0 for body in witness.accepted)

        await until(last_known, 120)
        assert await failed(alertmanager, session) == before
        await alertmanager.stop()

    await daemon.kill()
    stored = bodies_of(tmp_path / "incidentd.db")
    assert not Counter(witness.accepted) - stored
    assert len(witness.accepted) >= BODIES / 2
    assert set(witness.statuses) <= {200, 502, 503}
    maintenance.check(tmp_path / "incidentd.db")


async def test_f3_kills_while_it_starts_leave_a_store_that_the_next_start_goes_on_with(
    tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    daemon = Daemon(tmp_path, session, CONFIG)
    chance = random.Random(3)  # noqa: S311 - as above
    store = tmp_path / "incidentd.db"
    wrong: list[str] = []
    (tmp_path / "measured").mkdir()
    measured = Daemon(tmp_path / "measured", session, CONFIG)
    began = asyncio.get_running_loop().time()
    await measured.start()
    whole = asyncio.get_running_loop().time() - began
    await measured.kill()
    good = number = 0
    while number < STARTS or not good:
        number += 1
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "incidentd", "run", "--config.file", str(tmp_path / "incidentd.yaml"),
            "--web.listen-address", f"127.0.0.1:{daemon.port}", "--store", f"sqlite:///{store}",
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL, cwd=tmp_path,
        )  # fmt: skip
        # ever later in a start: loading, making the file, its tables, opening it, and a little after
        await asyncio.sleep(whole * 1.25 * (number - chance.random()) / STARTS)
        process.kill()
        await process.wait()
        if store.exists() and store.stat().st_size:
            try:
                maintenance.check(store)
                good += 1
            except maintenance.Broken as error:
                wrong.append(str(error))
                assert not good, "what was committed once is there"

    assert not [words for words in wrong if "not one of incidentd" not in words]  # that is before its first commit
    await daemon.start()
    await daemon.deliver(an_alert("QueueLag"))
    maintenance.check(store)
    assert await daemon.stop() == 0
