"""A busy day in seconds: alerts, holds, pages, playbooks, and an incident from its first page to its postmortem."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.engine.postmortem_story import WORDS
from tests.system.daemon import Daemon, an_alert, until

PEOPLE = ("ana", "ben", "cho", "dia", "eli")
HUMAN = {
    "now": "40 shops cannot pay", "trend": "better", "hypotheses": "H1 is looked at", "decisions": "none",
    "risks": "the peak at noon", "escalate_if": "more than 5% of payments fail",
}  # fmt: skip


def documents(url: str, prometheus: str, alertmanager: str) -> list[dict[str, Any]]:
    """Give the operator's files."""
    people = {
        who: {"name": who.title(), "role": "commander", "channels": {"mail": {"url_env": f"URL_{who.upper()}"}}}
        for who in PEOPLE
    }
    rota = {"name": "primary", "people": ["ana"], "turn": "1w", "handoff": "monday 09:00", "from": "2026-01-05"}
    levels = [{"after": "0s", "page": {"on_call": "platform"}}, {"after": "2s", "page": {"person": "ben"}}]
    chain = {"levels": levels}
    fix = {
        "kind": "playbook", "name": "restart-worker", "title": "Restart a worker", "mode": "auto", "risk": "low",
        "inputs": {"host": {"from": "labels.instance", "pattern": "[a-z0-9-]+"}}, "target": "{{ inputs.host }}",
        "steps": [{"name": "restart", "command": ["/bin/true"]}], "manual_minutes": 20, "limits": {"total": "1 in 1h"},
        "verify": {"command": ["/bin/true"], "within": "1m"},
    }  # fmt: skip
    lag = {"no_progress_after": "2s", "hard_cap": "20s", "quiet": "1s"}
    rules: list[dict[str, Any]] = [
        {"name": "lag", "match": ['alertname="QueueLag"'], "severity": "sev2", "urgency": "urgent", "decide": "hold",
         "hold": lag, "page": "platform"},
        {"name": "worker", "match": ['alertname="WorkerStuck"'], "severity": "sev3", "urgency": "urgent",
         "decide": "hold", "hold": {"no_progress_after": "5m", "quiet": "1s"}, "page": "platform",
         "playbook": "restart-worker", "correlate_by": ["instance"]},
        {"name": "checkout", "match": ['alertname="CheckoutDown"'], "severity": "sev1", "correlate_by": ["service"],
         "urgency": "business_critical", "decide": "declare", "page": "platform"},
        {"name": "scraped", "match": ['alertname="Scraped"'], "severity": "sev4", "decide": "record",
         "when": [{"promql": "sum(up)", "is": ">= 1"}]},
        {"name": "everything-else", "match": [], "severity": "sev4", "decide": "record"},
    ]  # fmt: skip
    return [
        {"kind": "config", "external_url": url, "include": [], "automation": {"mode": "auto"},
         "sources": [{"name": "prod", "prometheus": {"url": prometheus}, "alertmanager": {"urls": [alertmanager]},
                      "watchdog": {"match": ['alertname="Watchdog"'], "late_after": "15m"}}],
         "channels": {"office": {"kind": "mail", "url_env": "URL_OFFICE"}},
         "updates": {"audiences": {"internal": {"channels": ["office"]}}}},
        {"kind": "people", "people": people},
        {"kind": "teams", "teams": {"shop": {"people": ["ana", "ben"], "lead": "ben"},
                                    "mail": {"people": ["cho", "dia"], "lead": "dia"}}},
        {"kind": "schedules", "schedules": {"platform": {"time_zone": "UTC", "layers": [rota]}}},
        {"kind": "escalations", "escalations": {"platform": {"urgent": chain, "business_critical": chain}}},
        {"kind": "rules", "rules": rules}, fix,
    ]  # fmt: skip


def write(daemon: Daemon, folder: Path, parts: Iterable[dict[str, Any]], others: str) -> None:
    """Put the files where the daemon finds them, and into its environment where messages go: all to one address."""
    (folder / "incidentd.yaml").write_text("\n---\n".join(map(json.dumps, parts)))  # JSON is YAML
    messages = others.replace("http://", "json://")
    daemon.environment |= {f"URL_{who.upper()}": f"{messages}/{who}" for who in (*PEOPLE, "office")}


class Day:
    """The day of one daemon, told by what people and machines do."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon

    async def passes(self) -> None:
        """Let all of it happen, what goes on at once side by side."""
        await asyncio.gather(self._shift(), self._small_things(), self._worker(), self._lag(), self._checkout())

    async def _shift(self) -> None:
        """Dia takes over from ana, who was paged more often than her budget allows."""

        async def paged() -> bool:
            return len((await self.daemon.get("pages"))["pages"]) >= 3

        await until(paged)
        begins = datetime.now(UTC) + timedelta(seconds=3)
        times = {"from": begins.isoformat(), "until": (begins + timedelta(hours=1)).isoformat()}
        await self.daemon.post("oncall/schedules/platform/overrides", person="dia", because="a walk", by="ana", **times)

        async def handed_over() -> bool:
            return 'incidentd_oncall_shift_incidents_count{team="platform"} 1.0' in await self.daemon.text("/metrics")

        await until(handed_over)

    async def _small_things(self) -> None:
        """The watchdog is heard, two alerts are only written down, and what was no incident is stood down."""
        await self.daemon.deliver(an_alert("Watchdog"), source="prod")
        await self.daemon.deliver(an_alert("Scraped"), an_alert("DiskHalfFull", severity="info"), source="prod")
        made = await self.daemon.post("incidents", title="It is slow", severity="sev3", by="eli", page="platform")
        await self._do(made["id"], "stand-down", code="false_positive", by="eli")

    async def _worker(self) -> None:
        """A playbook helps: it is verified, and the alert goes. The next one is refused by its limit, and is held."""
        alert = an_alert("WorkerStuck", instance="w-1", service="mail")
        await self.daemon.deliver(alert, source="prod")
        await self._sees("runs", "verified")
        await self._ends(alert)
        await self._sees("holds", "closed")
        await self.daemon.deliver(an_alert("WorkerStuck", instance="w-2", service="mail"), source="prod")

        async def refused() -> bool:
            return 'guard="total"' in await self.daemon.text("/metrics")

        await until(refused)

    async def _lag(self) -> None:
        """A hold sees no progress and declares; ana does not answer, and ben is called by a telephone that is dead."""
        await self.daemon.deliver(an_alert("QueueLag", service="queue"), source="prod")
        await self._sees("holds", "declared")

    async def _checkout(self) -> None:
        """An incident from its page to its postmortem, and after that the same thing again."""
        alert = an_alert("CheckoutDown", service="shop", severity="critical")
        alert["annotations"]["automatable"] = "true"
        await self.daemon.deliver(alert, source="prod")
        page = await until(self._page_of_checkout)
        name = page["subject"]
        await self.daemon.post(f"pages/{page['id']}/ack", by="ana")
        await self._do(name, "handovers", role="ic", to="cho", by="ana", **HUMAN)
        await self.daemon.post("handovers/HO-1/accept", by="cho")
        await self._do(name, "updates", audience="internal", text="Cards fail.", next="20m", by="cho")
        await self._do(name, "identify", cause="a pool without a limit", by="cho")
        await self._ends(alert)
        await self._do(name, "mitigate", note="rolled back", by="cho")
        await self._do(name, "resolve", note="rolled back", by="cho")
        await self.daemon.post(f"pages/{page['id']}/feedback", verdict="actionable", by="ana")
        item = await self._do(name, "action-items", title="Refuse a release without a limit", priority="P1", by="ana")
        await self._done(item["id"])
        await self._postmortem(name)
        await self.daemon.deliver(an_alert("CheckoutDown", service="shop", severity="critical"), source="prod")
        await self._sees("incidents", "declared", at_least=2)

    async def _done(self, item: str) -> None:
        await self.daemon.post(f"action-items/{item}/done", evidence="release 4.3", by="ana")

    async def _postmortem(self, name: str) -> None:
        """It is written, reviewed, published and closed."""

        async def drafted() -> bool:
            return "postmortem.drafted" in await self.daemon.kinds(name)

        await until(drafted)
        for section, text in WORDS.items():
            await self._do(name, f"postmortem/sections/{section}", text=text, by="cho")
        await self._do(name, "postmortem/assign", reviewers=["dia", "eli"], by="cho")
        await self._do(name, "postmortem/submit", by="cho")
        await self._do(name, "postmortem/assign", meeting_held=True, by="cho")
        await self._do(name, "postmortem/approve", checked=["all"], by="dia")
        await self._do(name, "postmortem/approve", note="good", by="eli")
        await self._do(name, "postmortem/publish", excepted=["priority"], reason="it cannot recur", by="dia")
        await self._do(name, "postmortem/close", external="none", by="dia")

    async def _page_of_checkout(self) -> Any:
        pages = (await self.daemon.get("pages"))["pages"]
        return next((page for page in pages if "CheckoutDown" in page["title"]), None)

    async def _ends(self, alert: dict[str, Any]) -> None:
        over = {"status": "resolved", "endsAt": datetime.now(UTC).isoformat()}
        await self.daemon.deliver(alert | over, source="prod")

    async def _sees(self, kind: str, state: str, *, at_least: int = 1) -> None:
        field = "status" if kind == "incidents" else "state"

        async def seen() -> bool:
            return list((await self.daemon.states(kind, field)).values()).count(state) >= at_least

        await until(seen)

    async def _do(self, name: str, what: str, **fields: Any) -> Any:
        return await self.daemon.post(f"incidents/{name}/{what}", **fields)
