"""The Jira double refuses what Jira refuses, so that a test which passes against it means something."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientSession

from tests.doors.jira_double import JiraDouble

GOOD: dict[str, Any] = {"project": {"key": "OPS"}, "issuetype": {"name": "Task"}, "summary": "Add a limit"}


@pytest.fixture(name="double")
async def double_fixture() -> AsyncIterator[JiraDouble]:
    double = JiraDouble()
    await double.start()
    yield double
    await double.stop()


async def ask(double: JiraDouble, path: str, *, token: str = "jira-token", **told: Any) -> tuple[int, Any]:
    method = "POST" if "json" in told else "GET"
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        ClientSession(headers=headers) as session,
        session.request(method, f"{double.url}/rest/api/2/{path}", **told) as answer,
    ):
        return answer.status, await answer.json(content_type=None) if answer.status != 401 else None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("project", {"key": "NOPE"}),
        ("project", "OPS"),
        ("issuetype", {"name": "Chore"}),
        ("summary", "x" * 256),
        ("summary", "two\nlines"),
        ("summary", " "),
        ("description", "x" * 32_768),
        ("labels", ["two words"]),
        ("labels", "incidentd"),
        ("duedate", "24.12.2026"),
        ("duedate", "2026-12-24T00:00:00Z"),
        ("priority", {"name": "P1"}),
        ("priority", "High"),
        ("assignee", {"name": "nobody"}),
        ("assignee", {"accountId": "ana"}),
        ("parent", {"key": "OPS-100"}),
        ("customfield_99", 1),
    ],
)
async def test_an_issue_with_one_bad_field_is_refused_by_that_fields_name(
    double: JiraDouble, field: str, value: object
) -> None:
    status, answer = await ask(double, "issue", json={"fields": {**GOOD, field: value}})

    assert (status, list(answer["errors"])) == (400, [field])
    assert double.issues == {}


async def test_a_good_issue_is_kept_and_shown(double: JiraDouble) -> None:
    status, answer = await ask(double, "issue", json={"fields": GOOD})

    assert (status, answer["key"]) == (201, "OPS-1")
    assert await ask(double, "issue/OPS-1") == (200, {"key": "OPS-1", "fields": GOOD})


async def test_nobody_is_answered_without_the_token(double: JiraDouble) -> None:
    assert await ask(double, "serverInfo", token="jira-token-of-old") == (401, None)


@pytest.mark.parametrize("jql", ["", "labels = x", 'labels = "x y" ORDER BY created ASC', 'project = "OPS"'])
async def test_a_query_that_we_do_not_send_is_refused(double: JiraDouble, jql: str) -> None:
    status, _ = await ask(double, "search", params={"jql": jql})

    assert status == 400


async def test_clouds_old_search_is_gone_and_its_new_one_gives_only_ids_unless_told(double: JiraDouble) -> None:
    await ask(double, "issue", json={"fields": {**GOOD, "labels": ["x"]}})
    double.cloud = True
    query = {"jql": 'labels = "x" ORDER BY created ASC'}

    assert (await ask(double, "search", params=query))[0] == 410
    assert await ask(double, "search/jql", params=query) == (200, {"issues": [{"id": "10001"}], "isLast": True})
