"""The heartbeat of a real process: it goes out, stays out when the store cannot be used, and ends with the process."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from tests.doors.web_double import serving
from tests.system.daemon import Daemon, until

pytestmark = pytest.mark.slow

CONFIG = """
kind: config
heartbeat: {url_env: SWITCH, every: 1s, channel: ops}
channels: {ops: {kind: log}}
---
kind: rules
rules: [{name: everything, match: [], severity: sev3, decide: record, because: A test.}]
"""


async def test_a_store_that_cannot_be_used_is_not_ready_and_withholds_the_heartbeat(
    tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    beats: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        beats.append(request.path)
        return web.Response()

    async with serving(handler) as switch:
        daemon = Daemon(tmp_path, session, CONFIG, SWITCH=f"{switch}/s3cret-ping")
        await daemon.start()

        async def beaten() -> bool:
            return len(beats) >= 2

        async def status(path: str = "/-/ready") -> int:
            async with session.get(daemon.url + path) as answer:
                return answer.status

        await until(beaten)
        other = sqlite3.connect(tmp_path / "incidentd.db", isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")

        async def not_ready() -> bool:
            return await status() == 503

        async def withheld() -> bool:
            line = 'incidentd_heartbeats_total{result="withheld"} '
            text = await daemon.text("/metrics")
            return float(text.partition(line)[2].partition("\n")[0]) >= 1

        await until(not_ready)
        assert await status("/-/healthy") == 200
        await until(withheld)
        other.execute("ROLLBACK")
        other.close()

        async def ready_again() -> bool:
            return await status() == 200

        await until(ready_again)
        await daemon.stop()
        assert "s3cret" not in daemon.log
        assert "the heartbeat is withheld: the store cannot be used" in daemon.log
