"""Told to stop or to reload while alerts pour in: nothing is lost, no step is done twice, nobody is turned away."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.system.daemon import Daemon, an_alert, until

LONG = os.environ.get("INCIDENTD_TEST_LONG") == "1"
GRACE = 20
"""Seconds in which a daemon that was told to stop has stopped."""
CONFIG = """kind: config
external_url: http://127.0.0.1:9
include: []
automation: {{mode: auto, overall: 10000 in 1h}}
---
kind: rules
rules:
  - {{name: stuck, match: ['alertname=~"Stuck.*"'], severity: sev3, decide: hold, playbook: restart, page: default}}
  - {{name: others, match: [], severity: sev4, decide: record}}
---
kind: playbook
name: restart
title: Restart it
mode: auto
inputs: {{instance: {{from: labels.instance, pattern: "[a-z0-9-]{{1,40}}"}}}}
target: "{{{{ inputs.instance }}}}"
risk: low
limits: {{total: 10000 in 10m}}
steps:
  - name: one
    command: [/bin/sh, -c, 'echo "one $0" >> "{folder}/journal"; sleep {seconds}', "{{{{ inputs.instance }}}}"]
    timeout: 120s
    idempotent: false
  - name: two
    command: [/bin/sh, -c, 'echo "two $0" >> "{folder}/journal"', "{{{{ inputs.instance }}}}"]
    idempotent: false
verify: {{command: [/bin/true], within: 2m, every: 1s}}
on_failure: note
"""

pytestmark = pytest.mark.slow


def configure(daemon: Daemon, *, seconds: float) -> None:
    (daemon.folder / "incidentd.yaml").write_text(CONFIG.format(folder=daemon.folder, seconds=seconds))


class Load:
    """Delivers alerts one after another, each again and again until it is taken, as Alertmanager does."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.statuses: Counter[int] = Counter()
        self.taken: list[str] = []
        self._stopping = False
        self._number = 0

    async def _deliver(self) -> None:
        while not self._stopping:
            self._number += 1
            # one of ten has work for a playbook
            name = f"Stuck{self._number}" if self._number % 10 == 0 else "Other"
            alert = an_alert(name, instance=f"i-{self._number}")
            body = json.dumps({"alerts": [alert]})
            while not await self._taken(body):
                await asyncio.sleep(0.02)
            self.taken.append(alert["fingerprint"])
            await asyncio.sleep(0.01)

    async def _taken(self, body: str) -> bool:
        try:
            async with self.daemon.session.post(f"{self.daemon.url}/api/v1/alertmanager", data=body) as answer:
                self.statuses[answer.status] += 1
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    @asynccontextmanager
    async def pouring(self) -> AsyncIterator[None]:
        senders = [asyncio.create_task(self._deliver()) for _ in range(4)]
        try:
            yield
        except BaseException:
            for sender in senders:
                sender.cancel()
            raise
        self._stopping = True
        await asyncio.gather(*senders)


async def stopped(daemon: Daemon) -> float:
    """Tell it to stop, see that it ends well, and give how many seconds it took."""
    began = time.monotonic()
    async with asyncio.timeout(GRACE):
        assert await daemon.stop() == 0, daemon.log
    return time.monotonic() - began


async def all_known(daemon: Daemon, wanted: set[str]) -> bool:
    known: set[str] = set()
    cursor = ""
    while True:
        page = await daemon.get(f"alerts?limit=1000{cursor}")
        known |= {one["fingerprint"] for one in page["alerts"]}
        if not page.get("next"):
            return known >= wanted
        cursor = f"&cursor={page['next']}"


async def test_t22_stops_under_load_lose_nothing_and_run_no_step_twice(
    tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    daemon = Daemon(tmp_path, session)
    configure(daemon, seconds=0.3)
    await daemon.start()
    load = Load(daemon)
    async with load.pouring():
        for _ in range(50 if LONG else 3):
            await asyncio.sleep(0.5)
            await stopped(daemon)
            await daemon.start()

    await until(lambda: all_known(daemon, set(load.taken)))

    states: Counter[str] = Counter()

    async def all_over() -> bool:
        states.clear()
        states.update((await daemon.states("runs")).values())
        return not set(states) & {"running", "verifying"}

    await until(all_over, 120)
    assert set(states) == {"verified"}, [it for it in (await daemon.get("runs"))["runs"] if it["state"] != "verified"]
    assert set(load.statuses) <= {200, 503}
    steps = Counter((tmp_path / "journal").read_text().splitlines())
    assert len(steps) >= 10
    assert set(steps.values()) == {1}
    await daemon.kill()


async def test_a_stop_does_not_wait_for_ever_and_what_it_cuts_short_is_for_a_person(
    tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    daemon = Daemon(tmp_path, session)
    configure(daemon, seconds=100)
    await daemon.start()
    await daemon.deliver(an_alert("Stuck1", instance="i-1"))

    async def in_the_step() -> bool:
        return (tmp_path / "journal").exists()

    await until(in_the_step)
    # somebody who sends half a body, and then nothing
    _, half = await asyncio.open_connection("127.0.0.1", daemon.port)
    half.write(b"POST /api/v1/alertmanager HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    await half.drain()
    await stopped(daemon)
    half.close()
    await daemon.start()

    async def interrupted() -> bool:
        return await daemon.states("runs") == {"RUN-1": "interrupted"}

    await until(interrupted)
    assert (tmp_path / "journal").read_text() == "one i-1\n"
    await daemon.kill()


async def test_told_twice_to_stop_it_goes_at_once(tmp_path: Path, session: aiohttp.ClientSession) -> None:
    daemon = Daemon(tmp_path, session)
    configure(daemon, seconds=100)
    await daemon.start()
    await daemon.deliver(an_alert("Stuck1", instance="i-1"))

    async def in_the_step() -> bool:
        return (tmp_path / "journal").exists()

    await until(in_the_step)
    process = daemon.process
    assert process is not None
    process.send_signal(signal.SIGTERM)

    async def stopping() -> bool:
        return '"stopping"' in daemon.log

    await until(stopping)
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(5):
        assert await process.wait() == 1


async def test_f39_reloads_under_load_turn_nobody_away(tmp_path: Path, session: aiohttp.ClientSession) -> None:
    daemon = Daemon(tmp_path, session)
    configure(daemon, seconds=0)
    await daemon.start()
    files = tmp_path / "incidentd.yaml"
    good = files.read_text()
    load = Load(daemon)

    async def reloaded(text: str, *, well: bool) -> None:
        files.write_text(text)
        assert daemon.process is not None
        daemon.process.send_signal(signal.SIGHUP)
        wanted = f"incidentd_config_last_reload_successful {1.0 if well else 0.0}"

        async def seen() -> bool:
            return wanted in await daemon.text("/metrics")

        await until(seen)

    async with load.pouring():
        for number in range(50 if LONG else 5):
            await reloaded(good.replace("decide: record", "decide: recor"), well=False)
            await reloaded(good.replace("name: others", f"name: others-{number}"), well=True)
            for cut in (len(good) // 3, len(good) // 2, len(good) - 2):  # as an editor writes it, told at each moment
                files.write_text(good[:cut])
                assert daemon.process is not None
                daemon.process.send_signal(signal.SIGHUP)
                await asyncio.sleep(0.02)
            await reloaded(good.replace("decide: record", "decide: recor"), well=False)
            await reloaded(good, well=True)

    assert set(load.statuses) == {200}
    assert load.statuses[200] > 100
    await until(lambda: all_known(daemon, set(load.taken)))
    assert await daemon.stop() == 0
