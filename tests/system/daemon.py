"""The daemon as a process of its own, and the Alertmanager and the Jira of others beside it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp

from incidentd.alerts import fingerprint_of
from tests.ports import unused_port
from tests.programs import path_of


async def until(check: Callable[[], Awaitable[Any]], seconds: float = 20) -> Any:
    """Ask again and again until the answer is a yes; fail when it never is."""
    async with asyncio.timeout(seconds):
        while not (found := await check()):
            await asyncio.sleep(0.05)
        return found


async def press(session: aiohttp.ClientSession, link: str) -> int:
    """Do what a person does with a link in a message: look at its page, and press the button."""
    async with session.get(link) as shown:
        form = re.search(r'name="form" value="([^"]+)"', await shown.text())
    fields = {"form": form[1] if form else ""}
    async with session.post(link, data=fields) as pressed:
        return pressed.status


class Daemon:
    """`incidentd run` in a folder of its own; `kill` is SIGKILL, and `start` again goes on with the same store."""

    def __init__(self, folder: Path, session: aiohttp.ClientSession, config: str = "", **environment: str) -> None:
        self.folder = folder
        self.session = session
        self.port = unused_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.store = f"sqlite:///{folder}/incidentd.db"
        self.environment = environment
        self.program: tuple[str, ...] = ("-m", "incidentd")
        self.options: tuple[str, ...] = ()
        self.process: asyncio.subprocess.Process | None = None
        if config:
            (folder / "incidentd.yaml").write_text(config)

    @property
    def log(self) -> str:
        return (self.folder / "incidentd.log").read_text()

    async def start(self) -> None:
        options = ["--web.listen-address", f"127.0.0.1:{self.port}", "--store", self.store, *self.options]
        if (self.folder / "incidentd.yaml").exists():
            options += ["--config.file", str(self.folder / "incidentd.yaml")]
        with (self.folder / "incidentd.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, *self.program, "run", *options, stderr=log, stdout=log, cwd=self.folder,
                env={**os.environ, **self.environment},
            )  # fmt: skip
        await until(self._ready, 60)  # many processes may want the processors

    async def _ready(self) -> bool:
        assert self.process is not None
        assert self.process.returncode is None, self.log
        try:
            async with self.session.get(f"{self.url}/-/ready") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    async def kill(self) -> None:
        await self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Stop it where it is; it neither knows nor says so."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    async def stop(self) -> int:
        return await self._end(signal.SIGTERM)

    async def _end(self, number: signal.Signals) -> int:
        process, self.process = self.process, None
        if process is None:
            return 0
        process.send_signal(number)
        return await process.wait()

    async def get(self, path: str) -> Any:
        async with self.session.get(f"{self.url}/api/v1/{path}") as answer:
            assert answer.status == 200, (path, await answer.text())
            return await answer.json()

    async def text(self, path: str) -> str:
        async with self.session.get(f"{self.url}{path}") as answer:
            return await answer.text()

    async def post(self, path: str, **fields: Any) -> Any:
        async with self.session.post(f"{self.url}/api/v1/{path}", json=fields) as answer:
            assert answer.status < 300, (path, await answer.text())
            return await answer.json()

    async def deliver(self, *alerts: dict[str, Any], source: str = "default") -> None:
        """Do as Alertmanager does: send again until it is taken."""
        body = json.dumps({"version": "4", "receiver": "incidentd", "groupKey": "{}:{}", "alerts": alerts})

        async def taken() -> bool:
            async with self.session.post(f"{self.url}/api/v1/alertmanager/{source}", data=body) as answer:
                return answer.status == 200

        await until(taken)

    async def states(self, kind: str, field: str = "state") -> dict[str, str]:
        return {one["id"]: one[field] for one in (await self.get(kind))[kind.replace("-", "_")]}

    async def kinds(self, subject: str) -> list[str]:
        where = "incidents" if subject.startswith("INC") else "holds"
        return [entry["kind"] for entry in (await self.get(f"{where}/{subject}/timeline?limit=1000"))["timeline"]]


def an_alert(name: str, **labels: str) -> dict[str, Any]:
    named = {"alertname": name, **labels}
    return {
        "status": "firing", "labels": named, "annotations": {"summary": f"{name} it is"},
        "startsAt": datetime.now(UTC).isoformat(), "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "",
        "fingerprint": fingerprint_of(named),
    }  # fmt: skip


class RealAlertmanager:
    """The Alertmanager that is installed, sending to one webhook."""

    def __init__(self, folder: Path, session: aiohttp.ClientSession, webhook: str, **others: Any) -> None:
        self.url = f"http://127.0.0.1:{unused_port()}"
        self._folder = folder
        self._session = session
        self.process: asyncio.subprocess.Process | None = None
        route = {"receiver": "incidentd", "group_by": ["alertname"], "group_wait": "0s", "group_interval": "1s"}
        hooks = [{"url": webhook, "send_resolved": True}]
        config = {"route": route, "receivers": [{"name": "incidentd", "webhook_configs": hooks}], **others}
        (folder / "alertmanager.yml").write_text(json.dumps(config))  # JSON is YAML

    async def start(self) -> None:
        with (self._folder / "alertmanager.log").open("wb") as log:
            self.process = await asyncio.create_subprocess_exec(
                path_of("alertmanager"), f"--config.file={self._folder}/alertmanager.yml",
                f"--storage.path={self._folder}/alertmanager", f"--web.listen-address={self.url.removeprefix('http://')}",
                "--cluster.listen-address=", stderr=log, stdout=log,
            )  # fmt: skip
        await until(self._ready)

    async def _ready(self) -> bool:
        try:
            async with self._session.get(f"{self.url}/-/ready") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    async def post(self, *labels: dict[str, str], began: datetime, ended: datetime | None = None) -> None:
        """Tell it of alerts, as Prometheus does."""
        ends = ended or datetime.now(UTC) + timedelta(hours=1)
        alerts = [{"labels": one, "startsAt": began.isoformat(), "endsAt": ends.isoformat()} for one in labels]
        async with self._session.post(f"{self.url}/api/v2/alerts", json=alerts) as answer:
            assert answer.status == 200, await answer.text()

    async def silence(self, alertname: str) -> str:
        matcher = {"name": "alertname", "value": alertname, "isRegex": False}
        silence = {"matchers": [matcher], "createdBy": "ana", "comment": "a test"}
        silence |= {"startsAt": "2020-01-01T00:00:00Z", "endsAt": "2099-01-01T00:00:00Z"}
        async with self._session.post(f"{self.url}/api/v2/silences", json=silence) as answer:
            assert answer.status == 200, await answer.text()
            return str((await answer.json())["silenceID"])

    async def expire(self, silence: str) -> None:
        async with self._session.delete(f"{self.url}/api/v2/silence/{silence}") as answer:
            assert answer.status == 200, await answer.text()

    async def kill(self) -> None:
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        await self._end(signal.SIGTERM)

    async def _end(self, number: signal.Signals) -> None:
        process, self.process = self.process, None
        if process is not None:
            process.send_signal(number)
            await process.wait()


async def ended(process: asyncio.subprocess.Process) -> None:
    """End a process, and read what its pipe still held."""
    if process.returncode is None:
        process.kill()
    await process.communicate()


async def started(*command: str, waits_for: bytes, **environment: str) -> tuple[asyncio.subprocess.Process, str]:
    """Start a Python program and wait for the line that names its URL."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, **environment},
    )  # fmt: skip
    assert process.stdout is not None
    async with asyncio.timeout(20):
        while waits_for not in (line := await process.stdout.readline()):
            assert line, "it ended before it said where it listens"
    found = line.decode().split("http://")[1].split()[0].rstrip("/")
    return process, f"http://{found}"
