"""The main job on real parts: a real Alertmanager, the daemon's own process, a real mail server, a Jira of others."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest

from tests.doors.mail_double import mail_server
from tests.system.daemon import Daemon, RealAlertmanager, ended, press, started, until

CONFIG = """
kind: config
external_url: {url}
include: []
sources: [{{name: prod}}]
urgencies: {{urgent: {{respond_within: 30m}}}}
jira: {{url: "{jira}", token_file: jira.token, project: JIRA820}}
---
kind: rules
rules:
  - name: queue-lag
    match: ['alertname="QueueLag"']
    severity: sev2
    urgency: urgent
    decide: hold
    hold: {{no_progress_after: 2s, hard_cap: 10s, quiet: 2s}}
    page: platform
    because: A queue that is behind is noticed.
  - {{name: everything-else, match: [], severity: sev3, decide: hold, page: platform}}
---
kind: people
people:
  ana: {{name: Ana Ruiz, channels: {{mail: {{url_file: ana.url}}}}}}
---
kind: schedules
schedules:
  platform:
    time_zone: Europe/Madrid
    layers: [{{name: primary, people: [ana], turn: 1w, handoff: monday 09:00, from: 2026-01-05}}]
---
kind: escalations
escalations:
  platform:
    urgent: {{levels: [{{after: 0m, page: {{on_call: platform}}}}]}}
"""
LAG = {"alertname": "QueueLag", "service": "mail", "env": "prod"}


@pytest.mark.slow
@pytest.mark.needs("alertmanager")
async def test_a_real_alert_becomes_a_page_an_incident_a_postmortem_and_one_jira_issue(
    tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    jira, jira_url = await started("-m", "jira820", waits_for=b"Uvicorn running", JIRA820_PORT="0")
    async with mail_server() as mail:
        daemon = Daemon(tmp_path, session)
        (tmp_path / "incidentd.yaml").write_text(CONFIG.format(url=daemon.url, jira=jira_url))
        (tmp_path / "jira.token").write_text("a-token-of-the-test")
        (tmp_path / "ana.url").write_text(mail.url)
        await daemon.start()
        alertmanager = RealAlertmanager(tmp_path, session, f"{daemon.url}/api/v1/alertmanager/prod")
        await alertmanager.start()
        began = datetime.now(UTC)
        await alertmanager.post(LAG, began=began)

        async def declared() -> bool:
            return (await daemon.states("holds")).get("HOLD-1") == "declared"

        await until(declared)
        hold = await daemon.get("holds/HOLD-1")
        assert hold["outcome"] == "declared_no_progress"

        async def mailed() -> str:
            found = [str(m.get_content()) for m in mail.mails if "INC-1" in str(m["Subject"])]
            return found[0] if found else ""

        body = await until(mailed)
        link = re.search(r"http\S+/a/\S+", body)
        assert link is not None
        async with session.get(link.group()) as shown:
            assert shown.status == 200
        assert (await daemon.get("incidents/INC-1"))["status"] == "declared"
        assert await press(session, link.group()) == 200
        incident = await daemon.get("incidents/INC-1")
        assert (incident["status"], incident["acknowledged_at"] is not None) == ("investigating", True)

        await alertmanager.post(LAG, began=began, ended=datetime.now(UTC))

        async def mitigated() -> bool:
            return bool((await daemon.get("incidents/INC-1"))["status"] == "mitigated")

        await until(mitigated)
        await daemon.post("incidents/INC-1/resolve", note="drained", by="ana")
        item = await daemon.post("incidents/INC-1/action-items", title="Alert on the queue's growth", by="ana")

        async def filed() -> bool:
            return (await daemon.states("action-items")).get(item["id"]) == "filed"

        async def drafted() -> bool:
            return "postmortem.drafted" in await daemon.kinds("INC-1")

        await until(filed)
        await until(drafted)
        key = (await daemon.get(f"action-items/{item['id']}"))["jira_key"]
        async with session.get(f"{jira_url}/rest/api/2/search", params={"jql": "labels = incidentd"}) as answer:
            issues = (await answer.json())["issues"]
        await alertmanager.stop()
        assert await daemon.stop() == 0
    await ended(jira)

    assert [issue["key"] for issue in issues] == [key]
    assert issues[0]["fields"]["summary"] == "[INC-1] Alert on the queue's growth"
    assert " ERROR " not in daemon.log
    assert '"level":"error"' not in daemon.log.lower()
