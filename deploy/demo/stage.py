"""The stage of the demo: the shipped files in shortened times, the daemon, and the world around it on loopback.

Around it stand a real Alertmanager when one is installed (else bodies like those it sends), a mail server, a Jira that
keeps its issues, and a small shop with a worker that hangs and a Prometheus API that knows whether it works.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.doors.jira_double import JiraDouble  # noqa: E402 - found only once the root is on the path

CONFIG = "deploy/example/incidentd.yaml"
_TOKEN = "demo-jira-token"  # noqa: S105 - of the double that the demo itself starts
_MINUTES = re.compile(r"(?<![\[\w-])(\d+)m\b")  # a duration in a file, but not the range of a query


@dataclass
class Mail:
    """A message that somebody got."""

    to: str
    subject: str
    body: str

    @property
    def link(self) -> str:
        """The action link in it, '' when there is none."""
        found = re.search(r"http\S+/a/\S+", self.body)
        return found.group() if found else ""


@dataclass
class Mailbox:
    """A real SMTP server on loopback that keeps what it takes."""

    told: Callable[[Mail], None]
    mails: list[Mail] = field(default_factory=list)
    port: int = 0

    def start(self) -> None:
        """Listen."""
        self._controller = Controller(self, hostname="127.0.0.1", port=free_port())
        self._controller.start()
        self.port = self._controller.port

    def stop(self) -> None:
        """Stop listening."""
        self._controller.stop()

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        """Take a message."""
        raw = envelope.content if isinstance(envelope.content, bytes) else b""
        message = message_from_bytes(raw, policy=policy.default)
        part = message.get_body(("plain",)) if isinstance(message, EmailMessage) else None
        body = str(part.get_content()) if part else ""
        mail = Mail(", ".join(envelope.rcpt_tos), str(message["Subject"]), body)
        self.mails.append(mail)
        self.told(mail)
        return "250 OK"


class Shop:
    """A worker that hangs until somebody restarts it, and the Prometheus API that sees it."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self.port = 0

    @property
    def works(self) -> bool:
        """Whether the worker takes jobs."""
        return self._state.exists()

    async def start(self) -> None:
        """Listen."""
        app = web.Application()
        app.router.add_get("/healthz", self._health)
        app.router.add_post("/api/v1/query", self._query)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()

    async def _health(self, _request: web.Request) -> web.Response:
        return web.Response(status=200 if self.works else 503)

    async def _query(self, request: web.Request) -> web.Response:
        query = str((await request.post())["query"])
        value = "812" if query.startswith("queue_depth") else ("4.2" if self.works else "0")
        sample = {"metric": {}, "value": [0, value]}
        return web.json_response({"status": "success", "data": {"resultType": "vector", "result": [sample]}})


class Stage:
    """Everything that the demo needs, started in one folder and gone with it."""

    def __init__(self, folder: Path, told: Callable[[Mail], None]) -> None:
        self.folder = folder
        self.mailbox = Mailbox(told)
        self.jira = JiraDouble(token=_TOKEN, user="bot@demo.example", cloud=True)
        self.jira.projects |= {"PLAT"}
        self.shop = Shop(folder / "worker-works")
        self.alertmanager = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager") or ""
        self.port, self._am_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._children: list[asyncio.subprocess.Process] = []
        self._alerts: dict[str, datetime] = {}

    async def __aenter__(self) -> Stage:
        """Start it."""
        self.mailbox.start()
        await self.jira.start()
        await self.shop.start()
        self.session = aiohttp.ClientSession()
        write_files(self)
        log = (self.folder / "incidentd.log").open("wb")
        self._children.append(
            await asyncio.create_subprocess_exec(
                sys.executable, "-m", "incidentd", "run", "--config.file", str(self.folder / CONFIG),
                cwd=self.folder, stderr=log, env={**os.environ, "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}"},
            )
        )  # fmt: skip
        if self.alertmanager:
            await self._start_alertmanager()
        await self._until_ready()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop it in the opposite order."""
        for child in reversed(self._children):
            if child.returncode is None:
                child.terminate()
                await child.wait()
        await self.session.close()
        await self.shop.stop()
        await self.jira.stop()
        self.mailbox.stop()

    async def _start_alertmanager(self) -> None:
        route = {
            "receiver": "incidentd",
            "group_by": ["alertname"],
            "group_wait": "1s",
            "group_interval": "1s",
            "repeat_interval": "5m",
        }
        webhook = {"url": f"{self.url}/api/v1/alertmanager/prod", "send_resolved": True}
        config = {"route": route, "receivers": [{"name": "incidentd", "webhook_configs": [webhook]}]}
        file = self.folder / "alertmanager.yml"
        file.write_text(json.dumps(config))  # JSON is YAML
        log = (self.folder / "alertmanager.log").open("wb")
        self._children.append(
            await asyncio.create_subprocess_exec(
                self.alertmanager, f"--config.file={file}", f"--storage.path={self.folder / 'alertmanager'}",
                f"--web.listen-address=127.0.0.1:{self._am_port}", "--cluster.listen-address=", stderr=log, stdout=log,
            )
        )  # fmt: skip

    async def _until_ready(self) -> None:
        waiting = [f"{self.url}/-/ready"]
        if self.alertmanager:
            waiting.append(f"http://127.0.0.1:{self._am_port}/-/ready")
        async with asyncio.timeout(30):
            while waiting:
                if self._children[0].returncode is not None:
                    raise RuntimeError((self.folder / "incidentd.log").read_text())
                if await self._answers(waiting[0]):
                    waiting.pop(0)
                else:
                    await asyncio.sleep(0.1)

    async def _answers(self, url: str) -> bool:
        try:
            async with self.session.get(url) as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    # -- what happens out there --------------------------------------------------------------------------------------

    async def fire(self, *alerts: dict[str, str], summary: str) -> None:
        """Let alerts fire: told to Alertmanager, or written as it would have."""
        for labels in alerts:
            self._alerts[json.dumps(labels, sort_keys=True)] = datetime.now(UTC)
        await self._send(alerts, summary, None)

    async def heal(self, *alerts: dict[str, str]) -> None:
        """Let alerts resolve."""
        await self._send(alerts, "", datetime.now(UTC))

    async def _send(self, alerts: tuple[dict[str, str], ...], summary: str, ends: datetime | None) -> None:
        written = [self._alert(labels, summary, ends) for labels in alerts]
        if self.alertmanager:
            url = f"http://127.0.0.1:{self._am_port}/api/v2/alerts"
            body: Any = [
                {key: value for key, value in one.items() if key not in ("status", "fingerprint")} for one in written
            ]
        else:
            url = f"{self.url}/api/v1/alertmanager/prod"
            key = f'{{}}:{{alertname="{alerts[0]["alertname"]}"}}'
            body = {
                "version": "4", "receiver": "incidentd", "groupKey": key, "status": written[0]["status"],
                "truncatedAlerts": 0, "externalURL": "http://alertmanager:9093", "alerts": written,
            }  # fmt: skip
        async with self.session.post(url, json=body) as answer:
            answer.raise_for_status()

    def _alert(self, labels: dict[str, str], summary: str, ends: datetime | None) -> dict[str, Any]:
        began = self._alerts[json.dumps(labels, sort_keys=True)]
        ends_at = ends or (datetime.now(UTC) + timedelta(hours=1) if self.alertmanager else None)
        return {
            "status": "resolved" if ends else "firing", "labels": labels,
            "annotations": {"summary": summary} if summary else {},
            "startsAt": began.isoformat(), "endsAt": ends_at.isoformat() if ends_at else "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus:9090/graph?g0.expr=up",
        }  # fmt: skip

    # -- asking and telling the daemon -------------------------------------------------------------------------------

    async def get(self, path: str) -> Any:
        """Ask the API."""
        async with self.session.get(f"{self.url}/api/v1/{path}") as answer:
            answer.raise_for_status()
            return await answer.json()

    async def text(self, path: str) -> str:
        """Ask the API for text."""
        async with self.session.get(f"{self.url}/api/v1/{path}") as answer:
            answer.raise_for_status()
            return await answer.text()

    async def post(self, path: str, **fields: Any) -> Any:
        """Tell the API."""
        async with self.session.post(f"{self.url}/api/v1/{path}", json=fields) as answer:
            answer.raise_for_status()
            return await answer.json()

    async def follow(self, link: str) -> tuple[str, str]:
        """Do what a person does with a link in a mail: look at the page, and press its button."""
        async with self.session.get(link) as shown:
            page = await shown.text()
        form = re.search(r'name="form" value="([^"]+)"', page)
        fields = {"form": form[1] if form else ""}
        async with self.session.post(link, data=fields, headers={"Origin": self.url}) as pressed:
            return page, await pressed.text()


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def write_files(stage: Stage) -> None:
    """Copy the shipped files; minutes become seconds, and every channel leads to the mailbox."""
    for name in ("rules", "playbooks"):
        shutil.copytree(ROOT / name, stage.folder / name)
    example = shutil.copytree(ROOT / "deploy" / "example", stage.folder / "deploy" / "example")
    for file in (
        *stage.folder.glob("rules/*.yaml"),
        *stage.folder.glob("playbooks/*.yaml"),
        example / "escalations.yaml",
    ):
        file.write_text(_MINUTES.sub(r"\1s", file.read_text()).replace(":8080/", f":{stage.shop.port}/"))
    for file in example.glob("secrets/*.url"):
        file.write_text(
            f"mailto://127.0.0.1:{stage.mailbox.port}/?from=incidentd@demo.example&to={file.stem}@demo.example\n"
        )
    (example / "secrets" / "jira.token").write_text(_TOKEN)
    _write_people(example / "people.yaml")
    config = example / "incidentd.yaml"
    text = config.read_text().replace("127.0.0.1:9720", f"127.0.0.1:{stage.port}").replace(
        "http://127.0.0.1:9090", f"http://127.0.0.1:{stage.shop.port}"
    )  # fmt: skip
    text += (
        f"\nexternal_url: {stage.url}\n"
        "urgencies: {business_critical: {respond_within: 5s}, urgent: {respond_within: 30s}}\n"
        f'jira: {{url: "{stage.jira.url}", user: bot@demo.example, token_file: secrets/jira.token, project: OPS}}\n'
    )
    config.write_text(text)
    tool = stage.folder / "bin" / "systemctl"
    tool.parent.mkdir()
    tool.write_text(f"#!/bin/sh\n# stands for systemctl\necho \"$@\" > '{stage.folder}/worker-works'\n")
    tool.chmod(0o755)


def _write_people(file: Path) -> None:
    """Leave everybody one channel, mail, which is all that the stage can deliver to."""
    kept = [line for line in file.read_text().splitlines() if not re.match(r"\s+(push|sms|call): ", line)]
    file.write_text("\n".join(line for line in kept if not line.strip().startswith("jira:")) + "\n")
