"""A playbook files a ticket, and incidentd is killed before it learns that Jira took it: the same ticket is found."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.doors.jira_double import Fault, JiraDouble, once
from tests.system.daemon import Daemon, an_alert, until

pytestmark = pytest.mark.slow


def documents(daemon: Daemon, jira: str) -> list[dict[str, Any]]:
    file = {
        "name": "file", "ticket": {"summary": "{{ inputs.host }} swaps", "labels": ["swap"]}, "register": "filed",
        "retries": 3, "delay": "1s",
    }  # fmt: skip
    return [
        {"kind": "config", "external_url": daemon.url, "include": [], "automation": {"mode": "auto"},
         "jira": {"url": jira, "token_env": "JIRA_TOKEN", "project": "OPS"}},
        {"kind": "playbook", "name": "tell", "title": "Tell the backlog", "mode": "auto", "risk": "low",
         "inputs": {"host": {"from": "labels.instance", "pattern": "[a-z0-9-]+"}}, "target": "{{ inputs.host }}",
         "steps": [file, {"name": "say", "note": "It is {{ filed.key }}, {{ filed.url }}."}],
         "verify": {"command": ["/bin/true"], "within": "1m"}},
        {"kind": "rules", "rules": [
            {"name": "any", "match": [], "severity": "sev3", "decide": "hold", "page": "ops", "playbook": "tell"}]},
        {"kind": "people", "people": {"ana": {"name": "Ana Ruiz", "channels": {"mail": {"url_env": "ANA_URL"}}}}},
        {"kind": "teams", "teams": {"payments": {"people": ["ana"], "jira": {"project": "PAY"}}}},
        {"kind": "escalations", "escalations": {"ops": {"urgent": {"levels": [
            {"after": "0m", "page": {"person": "ana"}}]}}}},
    ]  # fmt: skip


@pytest.fixture
async def jira() -> AsyncIterator[JiraDouble]:
    double = JiraDouble(faults=once("create", Fault.HANG_AFTER), search_lag=1)
    await double.start()
    yield double
    await double.stop()


async def test_a_ticket_that_jira_took_in_the_moment_of_a_kill_is_found_and_not_filed_again(
    tmp_path: Path, session: aiohttp.ClientSession, jira: JiraDouble
) -> None:
    daemon = Daemon(tmp_path, session, JIRA_TOKEN=jira.token, ANA_URL="json://127.0.0.1:9/ana")
    parts = [json.dumps(one) for one in documents(daemon, jira.url)]
    (tmp_path / "incidentd.yaml").write_text("\n---\n".join(parts))  # JSON is YAML
    await daemon.start()
    await daemon.deliver(an_alert("Swaps", instance="w-3", team="payments"))

    async def taken() -> bool:
        return bool(jira.issues)

    await until(taken, 60)
    await daemon.kill()
    await daemon.start()

    async def said() -> list[str]:
        story = (await daemon.get("holds/HOLD-1/timeline?limit=1000"))["timeline"]
        return [entry["text"] for entry in story if entry["text"].startswith("RUN-1: say")]

    [text] = await until(said, 120)
    assert text == f"RUN-1: say: It is PAY-1, {jira.url}/browse/PAY-1."
    assert list(jira.issues) == ["PAY-1"]
    fields = jira.issues["PAY-1"]
    assert fields["summary"] == "w-3 swaps"
    assert f"From incidentd: {daemon.url}/holds/HOLD-1" in fields["description"]
    assert {"swap", "hold-1", "playbook-tell"} <= set(fields["labels"])
    await daemon.kill()
