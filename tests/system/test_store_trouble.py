"""The store cannot write (T13): every delivery is answered 503, nothing that was accepted is lost, and it heals."""

from __future__ import annotations

import json
import resource
import sqlite3
from pathlib import Path

import aiohttp
import pytest

from tests.system.daemon import Daemon, an_alert, until

pytestmark = pytest.mark.slow


async def send(daemon: Daemon, number: int, accepted: list[str]) -> int:
    alert = an_alert("A", n=str(number)) | {"annotations": {"padding": "x" * 20_000}}
    body = json.dumps({"alerts": [alert]})
    async with daemon.session.post(f"{daemon.url}/api/v1/alertmanager", data=body) as answer:
        if answer.status == 200:
            accepted.append(alert["fingerprint"])
        return answer.status


async def is_healthy(daemon: Daemon) -> bool:
    async with daemon.session.get(f"{daemon.url}/-/healthy") as answer:
        return answer.status == 200


async def all_there(daemon: Daemon, accepted: list[str]) -> bool:
    return {one["fingerprint"] for one in (await daemon.get("alerts?limit=1000"))["alerts"]} == set(accepted)


async def test_t13_a_full_disk_is_answered_503_and_heals_by_itself(
    tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    daemon = Daemon(tmp_path, session)
    await daemon.start()
    assert daemon.process is not None
    accepted: list[str] = []
    # a limit on the size of files stands for a disk that is full: SQLite sees the same failed write
    resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (500_000, resource.RLIM_INFINITY))
    statuses = [await send(daemon, number, accepted) for number in range(120)]

    assert set(statuses) == {200, 503}
    assert statuses[-1] == 503
    assert await is_healthy(daemon)
    resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    async def takes_again() -> bool:
        return await send(daemon, 1000, accepted) == 200

    await until(takes_again, 10)

    async def kept() -> bool:
        return await all_there(daemon, accepted)

    await until(kept)
    await daemon.kill()


async def test_t13_a_locked_database_is_answered_503_and_heals_by_itself(
    tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    daemon = Daemon(tmp_path, session)
    await daemon.start()
    accepted: list[str] = []
    other = sqlite3.connect(tmp_path / "incidentd.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    statuses = {await send(daemon, number, accepted) for number in range(3)}
    other.execute("ROLLBACK")
    other.close()

    assert statuses == {503}

    async def takes_again() -> bool:
        return await send(daemon, 1000, accepted) == 200

    await until(takes_again, 10)

    async def kept() -> bool:
        return await all_there(daemon, accepted)

    await until(kept)
    await daemon.kill()
