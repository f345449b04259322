"""P1, the power fails: what was answered 2xx is there, and a store that syncs less would be found out.

A kill cannot show this: the kernel still writes what a dead process had written. So a small library before libc writes
down each write and each sync of the store's files in their order, and the files are made again as they stood at any
moment: what was synced, and of what was not either nothing (the worst that a disk may do) or any part. An answer counts
as given when the log had that length as it came. File names are taken to be durable when their file was synced, as
ext4 and XFS do it; SQLite syncs the folder of a new write-ahead log besides.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sqlite3
from contextlib import closing
from pathlib import Path

import aiohttp
import pytest

from incidentd.store import maintenance
from tests.system.daemon import Daemon, an_alert, until
from tests.system.power_cut import cut, library

CUTS = 100 if os.environ.get("INCIDENTD_TEST_LONG") == "1" else 10
ALERTS = 1500
SYNCS_LESS = """
import sqlite3
class Weaker(sqlite3.Connection):
    def execute(self, sql, *rest):
        return super().execute(sql.replace("synchronous=FULL", "synchronous=NORMAL"), *rest)
connect = sqlite3.connect
sqlite3.connect = lambda *given, **named: connect(*given, factory=Weaker, **named)
from incidentd.cli import main
main(prog_name="incidentd")
"""
"""The daemon with the one thing changed that the test is to find out."""

pytestmark = [pytest.mark.slow, pytest.mark.needs("gcc")]


async def under_load(
    folder: Path, session: aiohttp.ClientSession, *, syncs_less: bool = False
) -> tuple[Path, bytes, list[tuple[int, str]]]:
    """Run the daemon under load: its store, the log of what it wrote, and each answered alert with the log's length."""
    store, log = folder / "incidentd.db", folder / "writes"
    rules = "kind: config\ninclude: []\n---\nkind: rules\nrules: [{name: a, match: [], severity: sev4, decide: record}]"
    daemon = Daemon(
        folder, session, rules, LD_PRELOAD=str(library(folder)), POWER_CUT_FILES=str(store), POWER_CUT_LOG=str(log)
    )
    daemon.program = ("-c", SYNCS_LESS) if syncs_less else daemon.program
    await daemon.start()
    answered: list[tuple[int, str]] = []
    numbers = iter(range(ALERTS))

    async def send() -> None:
        for number in numbers:
            alert = an_alert("QueueLag", pod=str(number))
            body = json.dumps({"alerts": [alert]})
            async with session.post(f"{daemon.url}/api/v1/alertmanager", data=body) as answer:
                assert answer.status == 200
                answered.append((log.stat().st_size, alert["fingerprint"]))

    await asyncio.gather(*(send() for _ in range(8)))

    async def unpacked() -> bool:
        return "incidentd_inbox_length 0.0" in await daemon.text("/metrics")

    await until(unpacked)
    await daemon.kill()
    return store, log.read_bytes(), answered


def lost(log: bytes, answered: list[tuple[int, str]], files: Path) -> int:
    """Count the alerts that were answered by then and are not in the files."""
    with closing(sqlite3.connect(files)) as conn:
        bodies = [json.loads(body) for (body,) in conn.execute("SELECT body FROM inbox")]
    there = {alert["fingerprint"] for body in bodies for alert in body["alerts"]}
    return len({fingerprint for length, fingerprint in answered if length <= len(log)} - there)


def moments(answered: list[tuple[int, str]], end: int) -> list[int]:
    chance = random.Random(4)  # noqa: S311 - the same cuts every time
    return sorted(chance.randrange(answered[0][0], end + 1) for _ in range(CUTS))


async def test_p1_a_power_cut_loses_nothing_that_was_answered(tmp_path: Path, session: aiohttp.ClientSession) -> None:
    store, log, answered = await under_load(tmp_path, session)
    chance = random.Random(5)  # noqa: S311 - as above
    for number, moment in enumerate(moments(answered, len(log))):
        for kind in (None, chance):
            folder = tmp_path / f"{number}-{kind is None}"
            folder.mkdir()
            files = cut(log[:moment], original=store, folder=folder, chance=kind)

            assert lost(log[:moment], answered, files) == 0
            maintenance.check(files)


async def test_p1_the_test_would_see_a_store_that_syncs_less(tmp_path: Path, session: aiohttp.ClientSession) -> None:
    store, log, answered = await under_load(tmp_path, session, syncs_less=True)
    losses = []
    for number, moment in enumerate(moments(answered, len(log))):
        folder = tmp_path / str(number)
        folder.mkdir()
        files = cut(log[:moment], original=store, folder=folder, chance=None)
        losses.append(lost(log[:moment], answered, files))

    assert max(losses) > 10, losses
