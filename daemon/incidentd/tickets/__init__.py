"""The door to Jira: each action item becomes one issue and each comment one comment, whatever gets lost on the way.

    look for the item's own label -> found: that is it
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
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from jira import JIRAError

from incidentd.actionitems import ActionItem, JiraSettings, own_label
from incidentd.errors import PermanentError, TemporaryError
from incidentd.tickets.client import UNEXPECTED, Client, Worker
from incidentd.tickets.mapping import OPTIONAL, TEXT_LIMIT, draft, same_label, wiki, without
from incidentd.tickets.trouble import field_errors, translate, unknown

LOOKS = 3
"""How often a try after a lost answer looks for the issue before it creates one."""
HUNG = 4
"""Threads that may hang in Jira at a time; then nothing more is asked until one of them comes back."""
REMEMBERED = 1000
"""Keys known in this process, which spare a look when the caller forgot one."""

_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,60}-[0-9]{1,12}", re.ASCII)
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filed:
    """Where an item is in Jira."""

    key: str
    url: str
    created: bool = True
    """False: it was there already, from an earlier try."""
    left_out: tuple[str, ...] = ()
    """Jira's names of the fields that it would not take; labels and description say them instead."""


class Tickets:
    """Files action items and comments. `deadline` bounds each call, in seconds; make a lease longer than that."""

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
        self, item: ActionItem, *, context: str = "", assignee: str = "", tried_before: bool = False
    ) -> Filed:
        """Make sure that the item is in Jira, once, and say where.

        `context` is added to the description; `assignee` is the owner's name in Jira (an account id on Cloud), '' files
        it without one and with the label `needs-owner`; `tried_before` says that an earlier try may have worked.
        Raises TemporaryError and PermanentError.
        """
        if item.uuid in self._known:
            return self._filed(self._known[item.uuid], created=False)
        if item.uuid in self._creating:
            raise unknown(f"Filing {item.key}: an earlier try still waits for Jira", maybe_done=True)
        until = asyncio.get_running_loop().time() + self._deadline
        doing = f"Filing {item.key}"
        for look in range(LOOKS if tried_before else 1):
            await asyncio.sleep(self._pause if look else 0)
            key = await self._ask(lambda client: _find(client, item.uuid), doing=doing, until=until)
            if key:
                self._remember(item.uuid, key)
                return self._filed(key, created=False)
        key, left_out = await self._ask(
            lambda client: self._create(client, item, context, assignee), doing=doing, until=until, write=True
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

    def _create(self, client: Client, item: ActionItem, context: str, assignee: str) -> tuple[str, tuple[str, ...]]:
        self._creating.add(item.uuid)
        try:
            key, left_out = _create(client, item, self._settings, context, assignee)
            self._remember(item.uuid, key)
            return key, left_out
        finally:
            self._creating.discard(item.uuid)

    def _remember(self, uuid: str, key: str) -> None:
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[uuid] = key

    def _filed(self, key: str, *, created: bool = True, left_out: tuple[str, ...] = ()) -> Filed:
        return Filed(key=key, url=f"{self._settings.url}/browse/{key}", created=created, left_out=left_out)


def _find(client: Client, uuid: str) -> str:
    found = client.search_issues(same_label(uuid), maxResults=2, fields="labels")
    # an issue counts only when it says so itself: a search that ignores its query must not hand us somebody else's
    keys = [issue.key for issue in found if own_label(uuid) in issue.raw["fields"]["labels"]]
    return _checked(keys[0]) if keys else ""


def _create(
    client: Client, item: ActionItem, settings: JiraSettings, context: str, assignee: str
) -> tuple[str, tuple[str, ...]]:
    issue = draft(item, settings, cloud=client.cloud, assignee=assignee, context=context)
    if settings.epic and not client.cloud and (epic_field := client.epic_field()):
        issue.fields.setdefault(epic_field, settings.epic)
    while True:
        try:
            key = client.create_issue(fields=issue.fields, prefetch=False).key
            return _checked(key), issue.left_out
        except JIRAError as error:
            refused = field_errors(error)
            if error.status_code != 400 or not refused or not refused.keys() <= OPTIONAL & issue.fields.keys():
                raise
            issue = without(issue, sorted(refused), item)


def _has_comment(client: Client, jira_key: str, mark: str) -> bool:
    newest = client.comments(jira_key, order_by="-created", max_results=100)
    return any(mark in str(comment.raw.get("body", "")) for comment in newest)


def _checked(key: object) -> str:
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise ValueError("no key of a Jira issue")
    return key
