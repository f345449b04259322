"""A silence of a real Alertmanager, made, extended and expired, as the door sees it over TLS and with a password."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from incidentd.alertmanager import Alertmanager
from incidentd.errors import PermanentError, TemporaryError
from incidentd.matchers import parse_matcher
from incidentd.playbooks.errands import SilenceOrder
from incidentd.redaction import Secret
from incidentd.settings import AlertmanagerSettings, HttpConfig, Tls
from tests.doors.test_alertmanager import certificate
from tests.doors.web_double import session
from tests.programs import path_of

SIGNED = f"Basic {base64.b64encode(b'ana:watch over me').decode()}"
HASHED = "$2b$04$abcdefghijklmnopqrstuuPiibSY9JYI80mdPL0F8UNBG3uHDG8GG"
NAME = "am.example.org"


@asynccontextmanager
async def real(folder: Path, port: int) -> AsyncIterator[HttpConfig]:
    """Run an Alertmanager that asks for a password, and give what is to be configured for it."""
    made, key = await asyncio.to_thread(certificate, folder, NAME)
    config = {"route": {"receiver": "x", "group_wait": "0s"}, "receivers": [{"name": "x"}]}
    secured = {
        "tls_server_config": {"cert_file": str(made), "key_file": str(key)}, "basic_auth_users": {"ana": HASHED}
    }  # fmt: skip
    for name, content in (("am.yml", config), ("web.yml", secured)):
        (folder / name).write_text(json.dumps(content))  # JSON is YAML
    command = [
        path_of("alertmanager"), f"--config.file={folder}/am.yml", f"--web.config.file={folder}/web.yml",
        f"--storage.path={folder}/data", f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=",
    ]  # fmt: skip
    with (folder / "log").open("wb") as log:
        running = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)
    try:
        signed = Secret(SIGNED)
        yield HttpConfig(headers={"Authorization": signed}, tls=Tls(ca_file=made, server_name=NAME))
    finally:
        running.terminate()
        await running.wait()


class Silencer:
    """Makes silences as a person does, with amtool or by hand."""

    def __init__(self, url: str, ours: aiohttp.ClientSession) -> None:
        self._url = url
        self._ours = ours
        self._how: dict[str, Any] = {"headers": {"Authorization": SIGNED}, "ssl": False}

    async def post(self, path: str, body: object) -> Any:
        async with self._ours.post(f"{self._url}/api/v2/{path}", json=body, **self._how) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json(content_type=None)

    async def silence(self, until: int, **known: str) -> str:
        matchers = [{"name": "alertname", "value": "Lag", "isRegex": False}]
        times = {"startsAt": datetime.now(UTC).isoformat(), "endsAt": f"{until}-01-01T00:00:00Z"}
        body = {"matchers": matchers, **times, "createdBy": "ana", "comment": "a test", **known}
        return str((await self.post("silences", body))["silenceID"])

    async def expire(self, silence: str) -> None:
        async with self._ours.delete(f"{self._url}/api/v2/silence/{silence}", **self._how) as answer:
            assert answer.status == 200


async def muted(door: Alertmanager, *expected: str) -> None:
    """Ask until the one alert is muted by this, or by nothing."""
    async with asyncio.timeout(20):
        while [tuple(sorted(it.muted_by)) for it in (await door.alerts()).alerts.values() if it.processed] != [
            expected
        ]:
            await asyncio.sleep(0.1)


async def a_run_silences(door: Alertmanager, ana: Silencer) -> None:
    """Have a run silence the alert, once however often it is asked, and lift that and nothing else."""
    matchers = (parse_matcher('alertname="Lag"'), parse_matcher('job!~"x|y"'))
    how = {"by": "incidentd RUN-7", "comment": "RUN-7 of tidy (RUN-7@17/steps/2)", "key": "RUN-7@17/steps/2"}
    wanted = SilenceOrder(matchers=matchers, lasts=timedelta(minutes=30), **how)
    made = await door.silence(wanted)
    assert await door.silence(wanted) == made
    await muted(door, f"silence {made}")
    only = next(iter((await door.alerts()).alerts.values()))
    assert only.muted_by_runs
    of_run = [it for it in await door.silences() if it.by == "incidentd RUN-7"]
    assert [it.matchers for it in of_run] == ['{alertname="Lag", job!~"x|y"}']

    hers = await ana.silence(2098)
    await muted(door, *sorted((f"silence {made}", f"silence {hers}")))
    assert not next(iter((await door.alerts()).alerts.values())).muted_by_runs
    assert await door.lift("RUN-7@1") == 0
    assert await door.lift("RUN-7@17") == 1
    await muted(door, f"silence {hers}")
    assert await door.lift("RUN-7@17") == 0
    with pytest.raises(PermanentError, match="refuses the silence"):
        await door.silence(replace(wanted, matchers=(parse_matcher('alertname=""'),), key="RUN-7@17/steps/3"))


@pytest.mark.needs("alertmanager")
async def test_t19_a_silence_is_followed_from_its_beginning_to_its_end(tmp_path: Path, free_port: int) -> None:
    url = f"https://127.0.0.1:{free_port}"
    async with session() as ours, real(tmp_path, free_port) as http:
        door = Alertmanager(AlertmanagerSettings(urls=(url,), http=http), ours, now=lambda: datetime.now(UTC))
        for _ in range(100):
            try:
                await door.status()
                break
            except TemporaryError:
                await asyncio.sleep(0.1)
        ana = Silencer(url, ours)
        await ana.post("alerts", [{"labels": {"alertname": "Lag"}}])
        await muted(door)

        first = await ana.silence(2098)
        await muted(door, f"silence {first}")
        assert await ana.silence(2099, id=first) == first
        await muted(door, f"silence {first}")
        await ana.expire(first)
        await muted(door)
        again = await ana.silence(2099, id=first)
        assert again != first
        await muted(door, f"silence {again}")
        await ana.expire(again)
        await muted(door)
        await a_run_silences(door, ana)

        stranger = AlertmanagerSettings(urls=(url,), http=HttpConfig(tls=http.tls))
        with pytest.raises(PermanentError, match="HTTP 401"):
            await Alertmanager(stranger, ours, now=lambda: datetime.now(UTC)).alerts()
