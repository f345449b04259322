"""A Jira that is stricter than Jira, keeps its issues, counts its requests, and fails when it is told to.

In a test:           double = JiraDouble(); await double.start(); ... double.url, double.issues ...; await double.stop()
As its own process:  python -m tests.doors.jira_double --port 0 --state issues.json --fault create:drop:3
which prints its address, and keeps its issues in the file, written before each answer.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import re
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from aiohttp import web

USERS = frozenset({"ana", "ben", "cho", "dia", "eli", "fay"})
PRIORITIES = {"1": "Highest", "2": "High", "3": "Medium", "4": "Low", "5": "Lowest"}
EPIC_LINK = "customfield_10014"
TEXT_LIMIT = 32_767
RETRY_SECONDS = 120
_JQL = re.compile(
    r'labels = "(?P<label>[^"\\\s]+)"(?: AND updated >= "-(?P<minutes>[1-9][0-9]{0,6})m")?'
    r" ORDER BY (?:created|updated) (?P<order>ASC|DESC)"
)
NEW = {"name": "To Do", "statusCategory": {"key": "new"}}
DOING = {"name": "In Progress", "statusCategory": {"key": "indeterminate"}}
CLOSED = {"name": "Closed", "statusCategory": {"key": "done"}}
_SYSTEM = frozenset(
    {"project", "issuetype", "summary", "description", "priority", "duedate", "assignee", "labels", "parent",
     "components"}
)  # fmt: skip


class Fault(StrEnum):
    CUT = "cut"  # the connection ends before anything is done
    DROP = "drop"  # it is done, and the answer is lost
    HANG = "hang"  # nothing is done, and no answer comes
    HANG_AFTER = "hang_after"  # it is done, and no answer comes
    LATER_SECONDS = "later_seconds"  # 429, Retry-After in seconds
    LATER_DATE = "later_date"  # 429, Retry-After as an HTTP date
    DOWN = "down"  # 503
    GATEWAY = "gateway"  # it is done, and a gateway answers 502
    UNAUTHORIZED = "unauthorized"  # 401
    FORBIDDEN = "forbidden"  # 403
    REDIRECT = "redirect"  # 302 to somewhere else
    NONSENSE = "nonsense"  # 200 with a page of HTML
    ENDLESS = "endless"  # 200 with a body that does not end


_DONE_FIRST = frozenset({Fault.DROP, Fault.HANG_AFTER, Fault.GATEWAY})
Schedule = Callable[[str, int], Fault | None]


def never(operation: str, number: int) -> None:
    """No faults."""


def every(operation: str, fault: Fault, n: int = 1) -> Schedule:
    """This fault at every n-th request of this operation."""
    return lambda asked, number: fault if asked == operation and number % n == 0 else None


def once(operation: str, fault: Fault, number: int = 1) -> Schedule:
    """This fault at one request of this operation."""
    return lambda asked, seen: fault if asked == operation and seen == number else None


class JiraDouble:
    """`cloud` makes it Jira Cloud (new search only, account ids, parents), else it is Data Center."""

    def __init__(
        self, *, token: str = "jira-token", user: str = "", cloud: bool = False, project: str = "OPS",
        faults: Schedule = never, off_screen: frozenset[str] = frozenset(), required: frozenset[str] = frozenset(),
        custom: frozenset[str] = frozenset({"customfield_10020"}), search_lag: int = 0, state: Path | None = None,
    ) -> None:  # fmt: skip
        self.token, self.user, self.cloud, self.projects = token, user, cloud, {project, "PAY"}
        self.faults, self.off_screen, self.required, self.custom = faults, off_screen, required, custom
        self.search_lag = search_lag  # so many searches that would have found a new issue do not
        self.state = state
        self.issue_types = {"Task", "Bug", "Story"}
        self.epics = {"OPS-100"}
        self.issues: dict[str, dict[str, Any]] = {}
        self.comments: dict[str, list[str]] = {}
        self.links: dict[str, dict[str, dict[str, Any]]] = {}  # by issue and globalId
        self.properties: dict[str, dict[str, Any]] = {}
        self.standing: dict[str, dict[str, Any]] = {}
        self.gone: set[str] = set()  # keys that are used up
        self.ghosts: dict[str, dict[str, Any]] = {}  # deleted issues that the search still names
        self.moved: dict[str, str] = {}  # the key that an issue has now, by the one that it had
        self.components = {"mail", "checkout"}
        self.page = 50
        self.says = ""  # what it says that it is, where that is not true
        self.knows_properties = True
        self.requests: Counter[str] = Counter()
        self.url = ""
        self.log: list[dict[str, Any]] = []  # each request: method, path, query and body; no credentials
        self._unseen: Counter[str] = Counter()
        self._runner: web.AppRunner | None = None
        if state is not None and state.exists():
            kept = json.loads(state.read_text())
            self.issues, self.comments, self.links = kept["issues"], kept["comments"], kept["links"]

    async def start(self, port: int = 0) -> None:
        app = web.Application(middlewares=[self._meet])
        for method, path, handler, name in (
            ("GET", "/rest/api/2/serverInfo", self._server_info, "server"),
            ("GET", "/rest/api/2/field", self._fields, "fields"),
            ("GET", "/rest/api/2/priority", self._priorities, "priorities"),
            ("GET", "/rest/api/2/search", self._old_search, "search"),
            ("GET", "/rest/api/2/search/jql", self._new_search, "search_jql"),
            ("POST", "/rest/api/2/issue", self._create, "create"),
            ("GET", "/rest/api/2/issue/{key}", self._issue, "issue"),
            ("GET", "/rest/api/2/issue/{key}/comment", self._comments, "comments"),
            ("POST", "/rest/api/2/issue/{key}/comment", self._comment, "comment"),
            ("POST", "/rest/api/2/issue/{key}/remotelink", self._link, "link"),
            ("GET", "/browse/{key}", self._browse, "browse"),
        ):
            app.router.add_route(method, path, handler, name=name)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def labelled(self, label: str) -> list[str]:
        """Keys of the issues that carry a label."""
        return [key for key, fields in self.issues.items() if label in fields["labels"]]

    def move(self, key: str, status: dict[str, Any], resolution: str = "") -> None:
        """Do as somebody does who moves an issue on a board."""
        self.standing[key] = {"status": status, "resolution": {"name": resolution} if resolution else None}

    def put_off(self, key: str, day: str | None) -> None:
        """Do as somebody does who gives an issue another day, or none."""
        assert day is None or _is_day(day)
        self.issues[key]["duedate"] = day

    def delete(self, key: str, *, still_found: bool = False) -> None:
        """Do as somebody does who deletes an issue; the search may name it for some time."""
        self.gone.add(key)
        if still_found:
            self.ghosts[key] = self.issues[key]
        for kept in (self.issues, self.comments, self.links, self.properties, self.standing):
            kept.pop(key, None)

    def rename(self, key: str, new: str) -> None:
        """Do as somebody does who moves an issue to another project: it is found by its old key, too."""
        all_kept: list[dict[str, Any]] = [self.issues, self.comments, self.links, self.properties, self.standing]
        for kept in all_kept:
            if key in kept:
                kept[new] = kept.pop(key)
        self.moved[key] = new
        self.gone.add(key)

    @web.middleware
    async def _meet(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        operation = request.match_info.route.name or "unknown"
        if operation == "browse":
            return await handler(request)
        self.requests[operation] += 1
        body = await request.text()
        self.log.append(
            {"method": request.method, "path": request.path, "query": [list(it) for it in request.query.items()],
             "body": json.loads(body) if body else None}
        )  # fmt: skip
        fault = self.faults(operation, self.requests[operation])
        if fault is not None and fault not in _DONE_FIRST:
            return await self._fail(fault, request)
        if request.headers.get("Authorization") != self._credentials():
            return await self._fail(Fault.UNAUTHORIZED, request)
        answer = await handler(request)
        return answer if fault is None else await self._fail(fault, request)

    def _credentials(self) -> str:
        if self.user:
            return "Basic " + base64.b64encode(f"{self.user}:{self.token}".encode()).decode()
        return f"Bearer {self.token}"

    async def _fail(self, fault: Fault, request: web.Request) -> web.StreamResponse:
        match fault:
            case Fault.CUT | Fault.DROP:
                assert request.transport is not None
                request.transport.abort()
                return web.Response()
            case Fault.HANG | Fault.HANG_AFTER:
                await asyncio.Event().wait()
                return web.Response()
            case Fault.ENDLESS:
                return await _endless(request)
            case _:
                return self._bad_answer(fault)

    def _bad_answer(self, fault: Fault) -> web.Response:
        now = datetime.now(UTC)
        then = format_datetime(now + timedelta(seconds=RETRY_SECONDS), usegmt=True)
        dated = {"Retry-After": then, "Date": format_datetime(now, usegmt=True)}
        elsewhere = {"Location": f"{self.url}/rest/api/2/elsewhere"}
        answers: dict[Fault, tuple[int, str, dict[str, str]]] = {
            Fault.LATER_SECONDS: (429, "", {"Retry-After": str(RETRY_SECONDS)}),
            Fault.LATER_DATE: (429, "", dated),
            Fault.DOWN: (503, "<html>sorry</html>", {}),
            Fault.GATEWAY: (502, "<html>sorry</html>", {}),
            Fault.UNAUTHORIZED: (401, "Client must be authenticated to access this resource.", {}),
            Fault.FORBIDDEN: (403, "You may not.", {}),
            Fault.REDIRECT: (302, "", elsewhere),
            Fault.NONSENSE: (200, "<html>please log in</html>", {}),
        }
        status, text, headers = answers[fault]
        return web.Response(status=status, text=text, headers=headers, content_type="text/html")

    async def _server_info(self, request: web.Request) -> web.Response:
        kind = self.says or ("Cloud" if self.cloud else "Server")
        return web.json_response({"deploymentType": kind, "versionNumbers": [9, 12, 0], "version": "9.12.0"})

    async def _fields(self, request: web.Request) -> web.Response:
        epic = {"id": EPIC_LINK, "name": "Epic Link", "schema": {"custom": "com.pyxis.greenhopper.jira:gh-epic-link"}}
        return web.json_response([{"id": "summary", "name": "Summary", "schema": {"type": "string"}}, epic])

    async def _old_search(self, request: web.Request) -> web.Response:
        if self.cloud:
            return _refuse(410, "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API.")
        return self._search(request, limit=1000)

    async def _new_search(self, request: web.Request) -> web.Response:
        if not self.cloud:
            return _refuse(404, "null for uri")
        return self._search(request, limit=5000)

    def _search(self, request: web.Request, limit: int) -> web.Response:
        asked = _JQL.fullmatch(request.query.get("jql", ""))
        if asked is None:
            return _refuse(400, "Error in the JQL Query: this double knows one query only.")
        most = request.query.get("maxResults", "50")
        if not most.isdecimal() or int(most) > limit:
            return _refuse(400, "maxResults is no number in the allowed range.")
        start = request.query.get("nextPageToken" if self.cloud else "startAt", "0").removeprefix("after-")
        if not start.isdecimal():
            return _refuse(400, "The page token or startAt is invalid.")
        keys = self._visible(asked["label"])
        if asked["order"] == "DESC":
            keys.reverse()
        wanted = request.query.getall("fields", [])
        end = int(start) + min(int(most), self.page)
        issues = [self._shown(key, wanted) for key in keys[int(start) : end]]
        if self.cloud:
            more = {"nextPageToken": f"after-{end}"} if end < len(keys) else {"isLast": True}
            return web.json_response({"issues": issues, **more})
        about = {"startAt": int(start), "maxResults": int(most), "total": len(keys)}
        return web.json_response({"issues": issues, **about})

    def _visible(self, label: str) -> list[str]:
        seen = []
        for key in self.labelled(label):
            if self._unseen[key] > 0:
                self._unseen[key] -= 1
            else:
                seen.append(key)
        return seen + [key for key, fields in self.ghosts.items() if label in fields["labels"]]

    def _shown(self, key: str, wanted: list[str]) -> dict[str, Any]:
        shown = {"id": str(10_000 + int(key.split("-")[1])), "key": key}
        if self.cloud and not wanted:
            return {"id": shown["id"]}
        fields = self.issues.get(key) or self.ghosts[key]
        known = {**fields, "status": NEW, "resolution": None, **self.standing.get(key, {})}
        return {**shown, "fields": {name: known.get(name) for name in wanted}}

    async def _create(self, request: web.Request) -> web.Response:
        try:
            body = await request.json()
            fields = body["fields"]
        except (ValueError, KeyError, TypeError):
            return _refuse(400, "Unrecognized body.")
        if unknown := body.keys() - {"fields", *(["properties"] if self.knows_properties else [])}:
            return _refuse(400, f'Unrecognized field "{min(unknown)}"')
        if not _are_properties(body.get("properties", [])):
            return _refuse(400, "The entity properties are invalid.")
        errors = self._mistakes(fields)
        if errors:
            return web.json_response({"errorMessages": [], "errors": errors}, status=400)
        project = fields["project"]["key"]
        used = [key for key in (*self.issues, *self.gone) if key.startswith(f"{project}-")]
        number = 1 + max((int(key.rpartition("-")[2]) for key in used), default=0)
        key = f"{project}-{number}"
        self.issues[key], self.comments[key] = fields, []
        self.properties[key] = {one["key"]: one["value"] for one in body.get("properties", [])}
        self._unseen[key] = self.search_lag
        self._keep()
        answer = {"id": str(10_000 + number), "key": key, "self": f"{self.url}/rest/api/2/issue/{10_000 + number}"}
        return web.json_response(answer, status=201)

    def _mistakes(self, fields: dict[str, Any]) -> dict[str, str]:
        """What Jira would say against an issue, by field, in Jira's words where they are known."""
        known = (_SYSTEM | self.custom | {EPIC_LINK}) - self.off_screen - ({EPIC_LINK} if self.cloud else {"parent"})
        errors = {
            name: f"Field '{name}' cannot be set. It is not on the appropriate screen, or unknown."
            for name in fields.keys() - known
        }
        errors |= {name: f"{name} is required." for name in self.required - fields.keys()}
        checks: dict[str, tuple[bool, str]] = {
            "project": (_named(fields, "project", "key") in self.projects, "valid project is required"),
            "issuetype": (
                _named(fields, "issuetype", "name") in self.issue_types,
                "The issue type selected is invalid.",
            ),
            "summary": (_is_summary(fields.get("summary")), "You must specify a summary of at most 255 characters."),
            "description": (_is_text(fields.get("description", "")), "The entered text is too long."),
            "labels": (_are_labels(fields.get("labels", [])), "The label contains spaces which is invalid."),
            "duedate": (_is_day(fields.get("duedate", "2026-01-01")), "Error parsing date string."),
            "priority": (
                "priority" not in fields
                or _named(fields, "priority", "name") in PRIORITIES.values()
                or _named(fields, "priority", "id") in PRIORITIES,
                "The priority selected is invalid.",
            ),
            "components": (
                all(_named({"it": one}, "it", "name") in self.components for one in fields.get("components", [])),
                "Component name is not valid.",
            ),
            "assignee": (self._is_user(fields), "User does not exist."),
            "parent": ("parent" not in fields or _named(fields, "parent", "key") in self.epics, "no such parent"),
            EPIC_LINK: (fields.get(EPIC_LINK, "OPS-100") in self.epics, "no such epic"),
        }
        return {name: words for name, (good, words) in checks.items() if not good} | errors

    def _is_user(self, fields: dict[str, Any]) -> bool:
        return "assignee" not in fields or _named(fields, "assignee", "accountId" if self.cloud else "name") in USERS

    async def _issue(self, request: web.Request) -> web.Response:
        key = self.moved.get(request.match_info["key"], request.match_info["key"])
        if key not in self.issues:
            return _refuse(404, "Issue does not exist or you do not have permission to see it.")
        wanted = request.query.get("fields", "")
        if not wanted:
            return web.json_response({"key": key, "fields": self.issues[key]})
        return web.json_response(self._shown(key, wanted.split(",")))

    async def _priorities(self, request: web.Request) -> web.Response:
        return web.json_response([{"id": number, "name": name} for number, name in PRIORITIES.items()])

    async def _link(self, request: web.Request) -> web.Response:
        key = request.match_info["key"]
        if key not in self.issues:
            return _refuse(404, "Issue does not exist or you do not have permission to see it.")
        body = await request.json()
        if not _is_link(body):
            return _refuse(400, "The remote link is invalid.")
        links = self.links.setdefault(key, {})
        known = body["globalId"] in links
        links[body["globalId"]] = body
        self._keep()
        number = 10_000 + list(links).index(body["globalId"])
        answer = {"id": number, "self": f"{self.url}/rest/api/2/issue/{key}/remotelink/{number}"}
        return web.json_response(answer, status=200 if known else 201)

    async def _comments(self, request: web.Request) -> web.Response:
        key = request.match_info["key"]
        if key not in self.issues:
            return _refuse(404, "Issue does not exist or you do not have permission to see it.")
        bodies = self.comments[key]
        if request.query.get("orderBy") == "-created":
            bodies = bodies[::-1]
        shown = [{"id": str(n), "body": body} for n, body in enumerate(bodies)]
        most = int(request.query.get("maxResults", "50"))
        return web.json_response({"comments": shown[:most], "startAt": 0, "maxResults": most, "total": len(shown)})

    async def _comment(self, request: web.Request) -> web.Response:
        key, body = request.match_info["key"], (await request.json()).get("body")
        if key not in self.issues:
            return _refuse(404, "Issue does not exist or you do not have permission to see it.")
        if not isinstance(body, str) or not body.strip() or not _is_text(body):
            return web.json_response(
                {"errorMessages": [], "errors": {"comment": "Comment body is invalid."}}, status=400
            )
        self.comments[key].append(body)
        self._keep()
        return web.json_response({"id": str(len(self.comments[key])), "body": body}, status=201)

    async def _browse(self, request: web.Request) -> web.Response:
        key = request.match_info["key"]
        if key not in self.issues:
            return web.Response(status=404, text="no such issue\n")
        return web.json_response({key: self.issues[key], "comments": self.comments[key]}, dumps=_pretty)

    def _keep(self) -> None:
        if self.state is not None:
            new = self.state.with_suffix(".new")
            new.write_text(_pretty({"issues": self.issues, "comments": self.comments, "links": self.links}))
            os.replace(new, self.state)


def _pretty(value: object) -> str:
    return json.dumps(value, indent=2, sort_keys=True)


def _refuse(status: int, words: str) -> web.Response:
    return web.json_response({"errorMessages": [words], "errors": {}}, status=status)


def _named(fields: dict[str, Any], field: str, key: str) -> str:
    value = fields.get(field)
    name = value.get(key) if isinstance(value, dict) and len(value) == 1 else None
    return name if isinstance(name, str) else ""


def _is_summary(value: object) -> bool:
    return isinstance(value, str) and value.strip() != "" and len(value) <= 255 and not re.search(r"[\r\n]", value)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= TEXT_LIMIT and not re.search(r"[\x00-\x08\ud800-\udfff]", value)


def _are_labels(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(v, str) and re.fullmatch(r"\S{1,255}", v) for v in value)


def _are_properties(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(one, dict) and one.keys() == {"key", "value"} and re.fullmatch(r"[\w.-]{1,255}", one["key"])
        for one in value
    )


def _is_link(body: object) -> bool:
    if not isinstance(body, dict) or body.keys() - {"globalId", "application", "relationship", "object"}:
        return False
    it = body.get("object")
    texts = [body.get("globalId"), body.get("relationship"), *(it or {}).values(), *body["application"].values()]
    return (
        isinstance(it, dict)
        and it.keys() >= {"url", "title"}
        and not it.keys() - {"url", "title", "summary", "icon", "status"}
        and body["application"].keys() == {"type", "name"}
        and all(isinstance(text, str) and len(text) <= 255 for text in texts)
        and it["url"].startswith(("http://", "https://"))
    )


def _is_day(value: object) -> bool:
    try:
        return isinstance(value, str) and date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


async def _endless(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Content-Type": "application/json"})
    await answer.prepare(request)
    try:
        while True:
            await answer.write(b" " * 65_536)
    except ConnectionError:
        return answer


def _schedule(told: list[str]) -> Schedule:
    schedules = []
    for one in told:
        operation, fault, n = one.split(":")
        schedules.append(every(operation, Fault(fault), int(n)))
    return lambda operation, number: next((f for s in schedules if (f := s(operation, number))), None)


async def main() -> None:
    parser = argparse.ArgumentParser(description="A strict Jira on loopback.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--state", type=Path)
    parser.add_argument("--token", default="jira-token")
    parser.add_argument("--user", default="")
    parser.add_argument("--project", default="OPS")
    parser.add_argument("--cloud", action="store_true")
    parser.add_argument("--fault", action="append", default=[], metavar="OPERATION:FAULT:EVERY")
    told = parser.parse_args()
    double = JiraDouble(
        token=told.token, user=told.user, cloud=told.cloud, project=told.project, faults=_schedule(told.fault),
        state=told.state,
    )  # fmt: skip
    await double.start(told.port)
    print(double.url, flush=True)
    ended = asyncio.Event()
    for one in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(one, ended.set)
    await ended.wait()
    await double.stop()


if __name__ == "__main__":
    asyncio.run(main())
