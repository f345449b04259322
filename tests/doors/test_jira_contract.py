"""Every request that Jira is sent, written to build/jira-requests.jsonl and held against Atlassian's REST contract, v2.

What is held is what its public OpenAPI document says of these requests: paths, parameters, the names, types and formats
of fields. Nothing else may be in them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from incidentd.actionitems import RemoteLink
from incidentd.playbooks.errands import TicketOrder
from tests.doors.jira_double import EPIC_LINK, JiraDouble
from tests.doors.test_tickets import TOKEN, door, item, no_proxy

__all__ = ["no_proxy"]

BUILD = Path(__file__).parents[2] / "build"
Holds = Callable[[Any], bool]


def text(longest: int = 32_767, pattern: str = r"[^\x00-\x08]*") -> Holds:
    return lambda value: (
        isinstance(value, str) and len(value) <= longest and re.fullmatch(pattern, value, re.S) is not None
    )


def listed(each: Holds, most: int = 10_000) -> Holds:
    return lambda value: isinstance(value, list) and len(value) <= most and all(map(each, value))


def bean(needs: dict[str, Holds], may: dict[str, Holds] | None = None) -> Holds:
    """An object with these fields and no others."""
    known = needs | (may or {})
    return lambda value: (
        isinstance(value, dict)
        and needs.keys() <= value.keys() <= known.keys()
        and all(known[name](it) for name, it in value.items())
    )


def one_of(*kinds: Holds) -> Holds:
    return lambda value: sum(kind(value) for kind in kinds) == 1


def day(value: Any) -> bool:
    return isinstance(value, str) and date.fromisoformat(value).isoformat() == value


KEY = r"[A-Z][A-Z0-9_]{1,60}-[1-9][0-9]*"
PROJECT = bean({"key": text(255, r"[A-Z][A-Z0-9_]+")})
FIELDS = bean(
    {"project": PROJECT, "issuetype": bean({"name": text(60)}), "summary": text(255, r"[^\r\n\x00-\x08]+"),
     "labels": listed(text(255, r"[^\s]+"))},
    {"description": text(), "priority": one_of(bean({"id": text(10, r"[0-9]+")}), bean({"name": text(60)})),
     "duedate": day, "assignee": one_of(bean({"accountId": text(128)}), bean({"name": text(255)})),
     "components": listed(bean({"name": text(255)})), "parent": bean({"key": text(255, KEY)}),
     EPIC_LINK: text(255, KEY), "customfield_10020": lambda value: isinstance(value, int)},
)  # fmt: skip
PROPERTY = bean({"key": text(255, r"[^\x00-\x1f]+"), "value": lambda value: isinstance(value, dict)})
BODIES: dict[tuple[str, str], Holds] = {
    ("POST", r"/rest/api/2/issue"): bean({"fields": FIELDS}, {"properties": listed(PROPERTY, 50)}),
    ("POST", rf"/rest/api/2/issue/{KEY}/comment"): bean({"body": text()}),
    ("POST", rf"/rest/api/2/issue/{KEY}/remotelink"): bean(
        {"object": bean({"title": text(255), "url": text(2000, r"https?://\S+")}, {"summary": text(255)})},
        {"globalId": text(255), "application": bean({}, {"name": text(255), "type": text(255)}),
         "relationship": text(255)},
    ),
}  # fmt: skip
NUMBER = r"[0-9]{1,5}"
QUERIES: dict[str, dict[str, str]] = {
    r"/rest/api/2/serverInfo": {},
    r"/rest/api/2/priority": {},
    r"/rest/api/2/field": {},
    r"/rest/api/2/search": {
        "jql": r"(?s).{1,2000}", "startAt": NUMBER, "maxResults": NUMBER, "validateQuery": "true",
        "fields": r"[\w,*-]+",
    },
    r"/rest/api/2/search/jql": {
        "jql": r"(?s).{1,2000}", "nextPageToken": r"\S+", "maxResults": NUMBER, "fields": r"[\w,*-]+",
    },
    rf"/rest/api/2/issue/{KEY}": {"fields": r"[\w,*-]+"},
    rf"/rest/api/2/issue/{KEY}/comment": {"orderBy": "-created", "maxResults": NUMBER, "expand": r"[\w,]+"},
}  # fmt: skip


def fits(request: dict[str, Any]) -> bool:
    """Say whether a request is one that the contract knows."""
    if request["method"] == "POST":
        kinds = [holds for (_, path), holds in BODIES.items() if re.fullmatch(path, request["path"])]
        return len(kinds) == 1 and not request["query"] and kinds[0](request["body"])
    known = [query for path, query in QUERIES.items() if re.fullmatch(path, request["path"])]
    return (
        request["method"] == "GET"
        and request["body"] is None
        and len(known) == 1
        and all(name in known[0] and re.fullmatch(known[0][name], value) for name, value in request["query"])
    )


async def everything(double: JiraDouble) -> None:
    """Have the door do all that it can do."""
    settings: dict[str, Any] = {"epic": "OPS-100", "fields": {"customfield_10020": 7}, "service_field": "components"}
    tickets = door(double, **settings)
    hostile = "{code}\x00\ud800\u202e\r\n|h1. " + "x" * 40_000
    words = {"title": hostile, "description": hostile, "end_state": hostile, "labels": (hostile,), "service": "mail"}
    each: tuple[dict[str, Any], ...] = (words, {"priority": "P0", "service": "nobody's"}, {"due": None, "owner": ""})
    for number, changes in enumerate(each):
        filed = await tickets.file(item(number, **changes), context="From incidentd", assignee="ana" if number else "x")
        await tickets.comment(filed.key, hostile, idem=f"job-{number}")
        link = RemoteLink(global_id="incidentd:inc-12", url="https://i.example/incidents/INC-12", title=hostile)
        await tickets.link(filed.key, link)
        await tickets.look(filed.key)
    order = TicketOrder(
        key="RUN-1/0", summary=hostile, subject="HOLD-3", run="RUN-1", playbook="tell", target="w-3", teams=(),
        labels=("one two",), description=hostile,
    )  # fmt: skip
    await tickets.order(order)
    double.page = 1
    await tickets.changed(timedelta(days=1))
    await tickets.close()


async def test_each_request_that_jira_is_sent_is_one_that_its_contract_knows() -> None:
    sent: list[dict[str, Any]] = []
    for cloud in (False, True):
        double = JiraDouble(cloud=cloud, user="bot@example.org" if cloud else "")
        await double.start()
        await everything(double)
        await double.stop()
        sent += double.log
    BUILD.mkdir(exist_ok=True)
    lines = "".join(json.dumps(one, ensure_ascii=True) + "\n" for one in sent)
    (BUILD / "jira-requests.jsonl").write_text(lines)

    assert [one for one in sent if not fits(one)] == []
    assert TOKEN not in lines
    assert {one["path"].rpartition("/")[2] for one in sent if one["method"] == "POST"} == {
        "issue", "comment", "remotelink",
    }  # fmt: skip


GOOD = {"project": {"key": "OPS"}, "issuetype": {"name": "Task"}, "summary": "s", "labels": ["a"]}


@pytest.mark.parametrize(
    "request_",
    [
        {"method": "PUT", "path": "/rest/api/2/issue/OPS-1", "query": [], "body": {}},
        {"method": "POST", "path": "/rest/api/2/issue", "query": [], "body": {"fields": GOOD, "more": 1}},
        {"method": "POST", "path": "/rest/api/2/issue", "query": [], "body": {"fields": {**GOOD, "labels": ["a b"]}}},
        {
            "method": "POST",
            "path": "/rest/api/2/issue",
            "query": [],
            "body": {"fields": {**GOOD, "summary": "s" * 256}},
        },
        {"method": "POST", "path": "/rest/api/2/issue", "query": [], "body": {"fields": {**GOOD, "priority": "High"}}},
        {"method": "POST", "path": "/rest/api/2/issue", "query": [], "body": {"fields": {**GOOD, "customfield_1": 1}}},
        {"method": "POST", "path": "/rest/api/2/issue", "query": [["x", "1"]], "body": {"fields": GOOD}},
        {"method": "GET", "path": "/rest/api/2/search/jql", "query": [["startAt", "0"]], "body": None},
        {"method": "GET", "path": "/rest/api/2/elsewhere", "query": [], "body": None},
    ],
)
def test_the_contract_refuses_what_jira_would(request_: dict[str, Any]) -> None:
    assert not fits(request_)
