"""The door to Jira: each action item, ticket of a playbook and comment is there once, whatever gets lost.

    look for the item's own label -> found, and there when asked for by its key: that is it
                                  -> not found: create once, with the label on it

Jira's create is not idempotent and its answer may get lost, so nothing is created before it was looked for, nothing is
retried in here, and an outcome that nobody knows is said as `TemporaryError(maybe_done=True)`. Jira's search may not
know an issue yet that it made a moment ago, so such an error asks for some time, and the try after it looks several
times. What remains: a create that takes effect later than that is not seen, and its issue has a twin.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, TypeVar

from jira import JIRAError

from incidentd.actionitems import ActionItem, JiraSettings, RemoteLink, Seen, own_label
from incidentd.errors import PermanentError, TemporaryError
from incidentd.playbooks.errands import TicketOrder
from incidentd.text import plain
from incidentd.tickets.client import UNEXPECTED, Client, Worker
from incidentd.tickets.mapping import (
    OPTIONAL,
    TEXT_LIMIT,
    Draft,
    Known,
    draft,
    draft_of_order,
    same_label,
    wiki,
    without,
)
from incidentd.tickets.trouble import field_errors, translate, unknown

LOOKS = 3
"""How often a try after a lost answer looks for the issue before it creates one."""
HUNG = 4
"""Threads that may hang in Jira at a time; then nothing more is asked until one of them comes back."""
REMEMBERED = 1000
"""Keys known in this process: such an issue is found although Jira's search does not know it yet."""

_STANDING = "status,resolution,labels,duedate"
LONGEST_ID = 255
"""Characters of a globalId, of Jira's making."""
_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,60}-[0-9]{1,12}", re.ASCII)
_DAY = re.compile(r"2[0-9]{3}-[0-9]{2}-[0-9]{2}", re.ASCII)
"""A day as Jira writes it, of a year that somebody can mean."""
T = TypeVar("T")
Sending = Callable[[], Awaitable[None]]
"""Notes durably that an issue is about to be created."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filed:
    """Where an item is in Jira."""

    key: str
    url: str
    created: bool = True
    """False: it was there already, from an earlier try."""
    left_out: tuple[str, ...] = ()
    """Jira's names of the fields that it would not take; labels and description say them instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _One:
    """What is to be one issue."""

    name: str
    """Of which its own label is made."""
    doing: str
    draft: Callable[[Known], Draft]
    """Maps it onto Jira's fields."""
    without: Callable[[Draft, list[str]], Draft]
    has_priority: bool = False
    """Whether Jira is asked for the ids of its priorities."""


class Tickets:
    """Files action items, tickets and comments. `deadline` bounds a call, in seconds; make a lease longer than that."""

    def __init__(
        self, settings: JiraSettings, *, redact: Callable[[str], str], deadline: float = 30.0, pause: float = 0.5
    ) -> None:
        self._settings = replace(settings, url=settings.url.rstrip("/"))
        self._redact = redact
        self._deadline = deadline
        self._pause = pause
        self._worker: Worker | None = None
        self._left: list[Worker] = []
        self._known: dict[str, str] = {}
        self._creating: set[str] = set()

    async def file(
        self, item: ActionItem, *, context: str = "", assignee: str = "", tried_before: bool = False,
        sending: Sending | None = None,
    ) -> Filed:  # fmt: skip
        """Make sure that the item is in Jira, once, and say where.

        `context` is added to the description; `assignee` is the owner's name in Jira (an account id on Cloud), '' files
        it without one and with the label `needs-owner`; `tried_before` says that an earlier try may have worked.
        `sending` is awaited when everything was looked at and the issue is about to be created; it may raise.
        Raises TemporaryError and PermanentError.
        """
        settings = self._settings
        one = _One(
            name=item.uuid, doing=f"Filing {item.key}",
            draft=lambda known: draft(item, settings, known, assignee=assignee, context=context),
            without=lambda issue, names: without(issue, names, item), has_priority=True,
        )  # fmt: skip
        looks = LOOKS if tried_before else 1
        return await self._once(one, looks=looks, within=self._deadline, sending=sending)

    async def order(self, wanted: TicketOrder, *, context: str = "", within: float = 30.0) -> Filed:
        """Make sure that what a playbook's step ordered is in Jira, once, and say where.

        `context` is added to the description; `within` bounds it, in seconds. Whoever orders does not know whether it
        was tried before, so each try looks as often as one after a lost answer. Raises TemporaryError and
        PermanentError.
        """
        one = _One(
            name=wanted.key, doing="Filing the ticket",
            draft=lambda known: draft_of_order(wanted, self._settings, known, context=context),
            without=without,
        )  # fmt: skip
        return await self._once(one, looks=LOOKS, within=min(within, self._deadline))

    async def _once(self, one: _One, *, looks: int, within: float, sending: Sending | None = None) -> Filed:
        if one.name in self._creating:
            raise unknown(f"{one.doing}: an earlier try still waits for Jira", maybe_done=True)
        until = asyncio.get_running_loop().time() + within
        known = self._known.get(one.name, "")
        for look in range(looks):
            await asyncio.sleep(self._pause if look else 0)
            key = await self._ask(lambda client: _find(client, one.name, known), doing=one.doing, until=until)
            if key:
                self._remember(one.name, key)
                return self._filed(key, created=False)
        issue = await self._ask(lambda client: _prepared(client, one, self._settings), doing=one.doing, until=until)
        if sending is not None:
            await sending()
        key, left_out = await self._ask(
            lambda client: self._create(client, one, issue), doing=one.doing, until=until, write=True
        )
        return self._filed(key, left_out=left_out)

    async def comment(self, jira_key: str, text: str, *, idem: str) -> None:
        """Add a comment to an issue unless it is there: `idem` names it, the same over every try.

        Raises TemporaryError and PermanentError.
        """
        doing = f"Commenting on {jira_key[:80]}"
        if not _KEY.fullmatch(jira_key):
            raise PermanentError(f"{doing}: that is no key of a Jira issue")
        until = asyncio.get_running_loop().time() + self._deadline
        mark = f"incidentd {hashlib.sha256(idem.encode('utf-8', 'replace')).hexdigest()[:16]}"
        body = f"{wiki(text, TEXT_LIMIT - 100)}\n{mark}"
        if not await self._ask(lambda client: _has_comment(client, jira_key, mark), doing=doing, until=until):
            await self._ask(lambda client: client.add_comment(jira_key, body), doing=doing, until=until, write=True)

    async def link(self, jira_key: str, link: RemoteLink) -> None:
        """Make sure that an issue links to where it comes from. Raises TemporaryError and PermanentError."""
        doing = f"Linking {jira_key[:80]} to its incident"
        if not _KEY.fullmatch(jira_key):
            raise PermanentError(f"{doing}: that is no key of a Jira issue")
        until = asyncio.get_running_loop().time() + self._deadline
        # the same globalId is the same link, so this may be done any number of times
        body = {
            "globalId": link.global_id[:LONGEST_ID],
            "application": {"type": "org.incidentd", "name": "incidentd"},
            "relationship": link.relationship,
            "object": {"url": link.url, "title": plain(link.title, 255), "summary": plain(link.summary, 255)},
        }
        await self._ask(lambda client: client.link(jira_key, body), doing=doing, until=until)

    async def changed(self, since: timedelta, *, most: int = 1000) -> tuple[Seen, ...]:
        """Say how those issues stand that were changed within this time. Raises TemporaryError and PermanentError."""
        doing = "Asking Jira how the action items stand"
        minutes = max(int(since.total_seconds() // 60), 1)
        jql = f'labels = "incidentd" AND updated >= "-{minutes}m" ORDER BY updated ASC'
        until = asyncio.get_running_loop().time() + self._deadline
        found = await self._ask(lambda client: client.found(jql, _STANDING, most), doing=doing, until=until)
        return tuple(_seen(issue) for issue in found)

    async def look(self, jira_key: str) -> Seen | None:
        """Say how one issue stands; None when it is there no more. Raises TemporaryError and PermanentError."""
        doing = f"Asking Jira how {jira_key[:80]} stands"
        if not _KEY.fullmatch(jira_key):
            raise PermanentError(f"{doing}: that is no key of a Jira issue")
        until = asyncio.get_running_loop().time() + self._deadline
        found = await self._ask(lambda client: client.issue_fields(jira_key, _STANDING), doing=doing, until=until)
        return None if found is None else _seen(found)

    async def close(self) -> None:
        """Let go of Jira; a thread that hangs is left behind."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.stop()
            await asyncio.to_thread(worker.join, 1.0)

    async def _ask(self, job: Callable[[Client], T], *, doing: str, until: float, write: bool = False) -> T:
        worker = self._ready(doing)
        future = worker.ask(job)
        try:
            async with asyncio.timeout_at(until):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            started = not future.cancel()
            self._leave(worker)
            raise unknown(f"{doing}: Jira did not answer in time", maybe_done=write and started) from None
        except UNEXPECTED as error:
            # without its cause: a request carries the token, and a traceback would show it
            raise translate(error, doing=doing, write=write, redact=self._redact) from None

    def _ready(self, doing: str) -> Worker:
        self._left = [worker for worker in self._left if worker.alive]
        if len(self._left) >= HUNG:
            raise TemporaryError(f"{doing}: Jira has not answered {len(self._left)} calls before this one")
        self._worker = self._worker or Worker(self._settings)
        return self._worker

    def _leave(self, worker: Worker) -> None:
        if self._worker is worker:
            worker.stop()
            self._left.append(worker)
            self._worker = None

    def _create(self, client: Client, one: _One, issue: Draft) -> tuple[str, tuple[str, ...]]:
        self._creating.add(one.name)
        try:
            key, left_out = _create(client, one, issue)
            self._remember(one.name, key)
            return key, left_out
        finally:
            self._creating.discard(one.name)

    def _remember(self, name: str, key: str) -> None:
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[name] = key

    def _filed(self, key: str, *, created: bool = True, left_out: tuple[str, ...] = ()) -> Filed:
        return Filed(key=key, url=f"{self._settings.url}/browse/{key}", created=created, left_out=left_out)


def _find(client: Client, name: str, known: str) -> str:
    """Give the key that an issue has now; '' when it is not there. `known` is where it was before, if it was.

    Neither that nor the search says that it is still there: somebody may have deleted it, or moved it.
    """
    if known and (key := _there(client, name, known)):
        return key
    found = (_checked(issue["key"]) for issue in client.found(same_label(name), "labels", 2))
    return next((key for one in found if (key := _there(client, name, one))), "")


def _there(client: Client, name: str, key: str) -> str:
    """Ask for an issue by its key: Jira gives a moved one by its old key, too, and says the new one."""
    issue = client.issue_fields(key, "labels")
    # it counts only when it says so itself: a search that ignores its query must not hand us somebody else's
    mine = issue is not None and own_label(name) in issue["fields"]["labels"]
    return _checked(issue["key"]) if issue is not None and mine else ""


def _prepared(client: Client, one: _One, settings: JiraSettings) -> Draft:
    """Map what is to be one issue onto the fields of this Jira."""
    issue = one.draft(Known(cloud=client.cloud, priorities=client.priority_ids() if one.has_priority else {}))
    if settings.epic and not client.cloud and (epic_field := client.epic_field()):
        issue.fields.setdefault(epic_field, settings.epic)
    return issue


def _create(client: Client, one: _One, issue: Draft) -> tuple[str, tuple[str, ...]]:
    while True:
        try:
            key = client.create(issue.fields, {"incidentd": {"item": one.name}})
            return _checked(key), issue.left_out
        except JIRAError as error:
            refused = field_errors(error)
            if error.status_code != 400 or not refused or not refused.keys() <= OPTIONAL & issue.fields.keys():
                raise
            issue = one.without(issue, sorted(refused))


def _seen(issue: Mapping[str, Any]) -> Seen:
    """Read what Jira says of an issue; what is not as it should be is no news."""
    fields = issue["fields"]
    status, resolution = fields.get("status") or {}, fields.get("resolution") or {}
    labels = fields.get("labels")
    category = (status.get("statusCategory") or {}).get("key", "")
    return Seen(
        key=_checked(issue["key"]), labels=tuple(map(str, labels)) if isinstance(labels, list) else (),
        category=str(category), status=plain(str(status.get("name", "")), 60),
        resolution=plain(str(resolution.get("name", "")), 60), due=_day(fields.get("duedate")),
    )  # fmt: skip


def _day(value: object) -> date | None:
    try:
        return date.fromisoformat(value) if isinstance(value, str) and _DAY.fullmatch(value) else None
    except ValueError:
        return None


def _has_comment(client: Client, jira_key: str, mark: str) -> bool:
    newest = client.comments(jira_key, order_by="-created", max_results=100)
    return any(mark in str(comment.raw.get("body", "")) for comment in newest)


def _checked(key: object) -> str:
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise ValueError("no key of a Jira issue")
    return key
