"""Several busy days in a minute and a half, for pictures of the dashboards: the told one, and what comes every day."""

from __future__ import annotations

import asyncio
import itertools
import math
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from tests.doors.jira_double import JiraDouble
from tests.system import busy_day
from tests.system.daemon import Daemon, an_alert

SERVICES = ("search", "billing", "video", "login", "maps", "orders")
"""None of those of the told day: alerts of one service are taken together."""
VERDICTS = ("actionable", "actionable", "actionable", "false_positive", "not_actionable", "self_resolved")
ITEMS = ("prevent", "detect", "repair", "automate", "process")
_RULES: list[dict[str, Any]] = [
    {"name": "slow", "match": ['alertname="SlowAnswers"'], "severity": "sev3", "urgency": "urgent", "decide": "hold",
     "hold": {"no_progress_after": "4s", "hard_cap": "30s", "quiet": "1s"}, "correlate_by": ["service"],
     "page": "platform"},
    {"name": "pool", "match": ['alertname="PoolFull"'], "severity": "sev2", "urgency": "urgent", "decide": "declare",
     "correlate_by": ["service"], "page": "platform"},
    {"name": "cache", "match": ['alertname="CacheStale"'], "severity": "sev3", "urgency": "urgent", "decide": "hold",
     "hold": {"no_progress_after": "5m", "quiet": "1s"}, "playbook": "clear-cache", "correlate_by": ["instance"],
     "page": "platform"},
    {"name": "index", "match": ['alertname="IndexOld"'], "severity": "sev3", "urgency": "urgent", "decide": "hold",
     "hold": {"no_progress_after": "5m", "quiet": "1s"}, "playbook": "rebuild-index", "correlate_by": ["instance"],
     "page": "platform"},
    {"name": "disk", "match": ['alertname="DiskHalfFull"'], "severity": "sev4", "decide": "record"},
    {"name": "certificate", "match": ['alertname="CertificateEnds"'], "severity": "sev4", "decide": "ticket"},
]  # fmt: skip


def documents(daemon: Daemon, prometheus: str, others: str, jira: JiraDouble) -> Iterator[dict[str, Any]]:
    """Give the files of the told day, with rules and playbooks for what comes every day, and a Jira."""
    for part in busy_day.documents(daemon.url, prometheus, f"{others}/alertmanager"):
        if part["kind"] == "rules":
            part["rules"][-1:-1] = _RULES
        if part["kind"] == "config":
            part["jira"] = {"url": jira.url, "token_env": "JIRA_TOKEN", "project": "OPS"}
            part["heartbeat"] = {"url_env": "URL_HEARTBEAT", "every": "30s"}
        yield part
    yield _playbook("clear-cache", helps=True)
    yield _playbook("rebuild-index", helps=False)


def _playbook(name: str, *, helps: bool) -> dict[str, Any]:
    return {
        "kind": "playbook", "name": name, "title": name.replace("-", " ").capitalize(), "mode": "auto", "risk": "low",
        "inputs": {"host": {"from": "labels.instance", "pattern": "[a-z0-9-]+"}}, "target": "{{ inputs.host }}",
        "steps": [{"name": "do it", "command": ["/bin/sleep", "0.4"]}], "manual_minutes": 15,
        "limits": {"total": "60 in 1h", "per_target": "60 in 1h"},
        "verify": {"command": ["/bin/true" if helps else "/bin/false"], "within": "2s"},
    }  # fmt: skip


class Heard(Daemon):
    """The daemon, and beside it the Alertmanager that knows what fires, and all others that take messages."""

    def __init__(self, folder: Path, session: aiohttp.ClientSession, **environment: str) -> None:
        super().__init__(folder, session, **environment)
        self.firing: dict[str, dict[str, Any]] = {}

    async def deliver(self, *alerts: dict[str, Any], source: str = "prod") -> None:
        """Deliver alerts, and remember which fire."""
        await super().deliver(*alerts, source=source)
        for alert in alerts:
            if alert["status"] == "firing":
                self.firing[alert["fingerprint"]] = alert
            else:
                self.firing.pop(alert["fingerprint"], None)

    async def others(self, request: web.Request) -> web.Response:
        """Answer for all others: ben's telephone is dead, and Alertmanager says what fires."""
        match request.path.removeprefix("/alertmanager"):
            case "/api/v2/alerts":
                return web.json_response([_told(alert) for alert in self.firing.values()])
            case "/api/v2/status":
                return web.json_response({"cluster": {"status": "disabled"}, "config": {"original": ""}})
            case "/api/v2/silences":
                return web.json_response([])
            case path:
                return web.Response(status=500 if path == "/ben" else 200)


def _told(alert: dict[str, Any]) -> dict[str, Any]:
    now = datetime.now(UTC)
    status: dict[str, Any] = {"inhibitedBy": [], "silencedBy": [], "state": "active"}
    ends = now.replace(year=now.year + 1).isoformat()
    return alert | {"status": status, "receivers": [{"name": "x"}], "updatedAt": now.isoformat(), "endsAt": ends}


class Days(busy_day.Day):
    """What happens, for so many seconds; chance is seeded, but the machine's own time is not."""

    def __init__(self, daemon: Heard, lasts: float) -> None:
        super().__init__(daemon)
        self.heard = daemon
        self.lasts = lasts
        self.chance = random.Random(11)  # noqa: S311 - not for secrets
        self.begun = 0.0

    async def pass_by(self) -> None:
        """Let all of it happen: first the told day, which waits for what is its own, then what comes every day."""
        self.begun = time.monotonic()
        async with asyncio.TaskGroup() as all_of_it:
            all_of_it.create_task(self._noise())
            await self.passes()
            for each in (self._slow, self._notes, self._stale, self._pools, self._answers, self._handle):
                all_of_it.create_task(each())

    @property
    def _age(self) -> float:
        return time.monotonic() - self.begun

    async def _goes_on(self, least: float, most: float) -> bool:
        """Wait for a while; say no when the days are over."""
        await asyncio.sleep(self.chance.uniform(least, most))
        return self._age < self.lasts

    async def _done(self, item: str) -> None:
        """Leave it: what is in Jira ends there."""

    async def _noise(self) -> None:
        """What is only written down or filed comes in waves."""
        numbers = itertools.count(1)
        while await self._goes_on(0.1, 0.3):
            wave = 1 + math.sin(self._age / 7)
            for number in itertools.islice(numbers, round(self.chance.uniform(0, 2.5) * wave)):
                name = "CertificateEnds" if number % 40 == 0 else self.chance.choice(("DiskHalfFull", "OddLog"))
                severity = self.chance.choice(("info", "info", "warning"))
                alert = an_alert(name, instance=f"h-{number}", severity=severity)
                await self.heard.deliver(alert, source="prod")
                if number % 3:
                    await self._ends(alert)

    async def _slow(self) -> None:
        """Most of what is slow becomes fast again; the rest is declared."""
        while await self._goes_on(2, 5):
            alert = an_alert("SlowAnswers", service=self.chance.choice(SERVICES), severity="warning")
            await self.heard.deliver(alert, source="prod")
            if self.chance.random() < 0.6:
                await asyncio.sleep(self.chance.uniform(0.5, 2.5))
                await self._ends(alert)

    async def _notes(self) -> None:
        """Whoever looks at a hold says what was found, which is progress, or that it was planned."""
        while await self._goes_on(2, 4):
            for hold in (await self.daemon.get("holds"))["holds"]:
                if hold["state"] == "holding" and "SlowAnswers" in hold["title"] and self.chance.random() < 0.3:
                    await self._may(f"holds/{hold['id']}/note", text="a slow consumer", by="dia")

    async def _stale(self) -> None:
        """A playbook clears caches, and that helps; another one rebuilds an index, and that does not."""
        number = 0
        while await self._goes_on(3, 6):
            number += 1
            name = "IndexOld" if number % 4 == 0 else "CacheStale"
            alert = an_alert(name, instance=f"c-{number}", service="search", severity="warning")
            await self.heard.deliver(alert, source="prod")
            await asyncio.sleep(1.5)
            if name == "CacheStale":
                await self._ends(alert)

    async def _pools(self) -> None:
        """An incident at once, now and then."""
        while await self._goes_on(9, 16):
            service = self.chance.choice(SERVICES)
            await self.heard.deliver(an_alert("PoolFull", service=service, severity="critical"), source="prod")

    async def _answers(self) -> None:
        """People answer most pages, some of them late, and say whether it was worth it."""
        judged: set[str] = set()
        while await self._goes_on(0.4, 0.9):
            for page in (await self.daemon.get("pages?limit=1000"))["pages"]:
                if page["id"] not in judged and self.chance.random() < 0.4:
                    who = self.chance.choice(("ana", "dia"))
                    await self._may(f"pages/{page['id']}/take", by=who)
                    await self._may(f"pages/{page['id']}/feedback", verdict=self.chance.choice(VERDICTS), by=who)
                    judged.add(page["id"])

    async def _handle(self) -> None:
        """Every incident but those of the told day finds a commander, and most of them their end."""
        seen: set[str] = set()
        async with asyncio.TaskGroup() as each:
            while await self._goes_on(0.8, 1.2):
                for one in (await self.daemon.get("incidents?limit=1000"))["incidents"]:
                    own = any(name in one["title"] for name in ("SlowAnswers", "PoolFull", "IndexOld"))
                    if own and one["id"] not in seen:
                        seen.add(one["id"])
                        each.create_task(self._lives(one["id"], one["title"]))

    async def _lives(self, name: str, title: str) -> None:
        who = self.chance.choice(("cho", "dia", "eli"))
        steps: tuple[tuple[str, dict[str, Any]], ...] = (
            ("take-command", {}),
            ("updates", {"audience": "internal", "text": f"Some of {title} fails.", "next": "20m"}),
            ("investigate", {"text": "looking"}),
            ("severity", {"severity": self.chance.choice(("sev2", "sev3")), "reason": "more is known"}),
            ("identify", {"cause": "a pool without a limit"}),
            ("mitigate", {"note": "more of it"}),
            ("resolve", {"note": "it is over"}),
            ("action-items", {"title": f"Bound what {name} was about", "type": self.chance.choice(ITEMS),
                              "priority": self.chance.choice(("P1", "P2", "P3"))}),
        )  # fmt: skip
        for what, fields in steps:
            if not await self._goes_on(0.5, 2.5):
                return
            if what == "mitigate":
                await self._quiet(title)
            await self._may(f"incidents/{name}/{what}", by=who, **fields)

    async def _quiet(self, title: str) -> None:
        """Let what an incident is about fire no more."""
        for alert in list(self.heard.firing.values()):
            if alert["labels"]["alertname"] in title:
                await self._ends(alert)

    async def _may(self, path: str, **fields: Any) -> None:
        """Do what may come too late: somebody else, or the daemon, was faster."""
        async with self.daemon.session.post(f"{self.daemon.url}/api/v1/{path}", json=fields) as answer:
            assert answer.status < 500, (path, await answer.text())
