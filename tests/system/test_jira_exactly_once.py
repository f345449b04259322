"""Two hundred action items, a daemon that is killed again and again, and a Jira that loses every third answer."""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections import Counter
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import aiohttp
import pytest

from incidentd.actionitems import own_label, uuid_of
from tests.doors.jira_double import Fault, JiraDouble, every
from tests.system.daemon import Daemon, until

LONG = os.environ.get("INCIDENTD_TEST_LONG") == "1"
ITEMS, KILLS = (200, 20) if LONG else (20, 2)

pytestmark = pytest.mark.slow


def config(daemon: Daemon, jira: JiraDouble) -> str:
    parts = [
        {"kind": "config", "external_url": daemon.url, "include": [],
         "jira": {"url": jira.url, "token_env": "JIRA_TOKEN", "project": "OPS"}},
        {"kind": "rules", "rules": [{"name": "any", "match": [], "severity": "sev4", "decide": "record"}]},
    ]  # fmt: skip
    return "\n---\n".join(map(json.dumps, parts))  # JSON is YAML


async def taken(daemon: Daemon, incident: str, title: str) -> bool:
    """Put an item down unless it is there: the daemon may have been killed before it could say so."""
    try:
        async with daemon.session.get(f"{daemon.url}/api/v1/action-items?limit=1000") as answer:
            there = [item["title"] for item in (await answer.json())["action_items"]]
        if title not in there:
            await daemon.post(f"incidents/{incident}/action-items", title=title)
    except aiohttp.ClientError:
        return False
    return True


@pytest.fixture(params=[False, True], ids=["data-center", "cloud"])
async def jira(request: pytest.FixtureRequest) -> AsyncIterator[JiraDouble]:
    double = JiraDouble(faults=every("create", Fault.DROP, 3), cloud=request.param, search_lag=1)
    await double.start()
    yield double
    await double.stop()


async def test_each_item_is_one_issue_whatever_is_killed_and_lost(
    tmp_path: Path, session: aiohttp.ClientSession, jira: JiraDouble
) -> None:
    daemon = Daemon(tmp_path, session, JIRA_TOKEN=jira.token)
    (tmp_path / "incidentd.yaml").write_text(config(daemon, jira))
    await daemon.start()
    incident = await daemon.post("incidents", title="Mail waits", severity="sev3")
    chance = random.Random(7)  # noqa: S311 - the same moments every time

    async def put_down() -> None:
        for number in range(ITEMS):
            await until(partial(taken, daemon, incident["id"], f"Bound queue {number}"), 120)

    writing = asyncio.create_task(put_down())
    for _ in range(KILLS):
        made = len(jira.issues)

        async def more(made: int = made) -> bool:
            return len(jira.issues) > made or writing.done()

        await until(more, 120)
        await asyncio.sleep(chance.uniform(0, 0.3))
        await daemon.kill()
        await daemon.start()
    await writing

    async def all_filed() -> bool:
        items = (await daemon.get("action-items?limit=1000"))["action_items"]
        return len(items) == ITEMS and all(item["state"] == "filed" for item in items)

    await until(all_filed, 600)
    items = (await daemon.get("action-items?limit=1000"))["action_items"]
    each = Counter(uuid_of(fields["labels"]) for fields in jira.issues.values())
    assert set(each.values()) == {1}
    assert len(jira.issues) == ITEMS
    assert {item["jira_key"] for item in items} == set(jira.issues)
    assert all(jira.labelled(own_label(item["uuid"])) == [item["jira_key"]] for item in items)
    assert jira.requests["create"] >= ITEMS
    await daemon.kill()
