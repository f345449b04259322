"""Carrying action items to Jira and asking how they stand there: each job handed to the door, and what came of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Protocol

from incidentd.actionitems import ActionItem, ItemState, OutboxState, RemoteLink, Seen
from incidentd.engine.backlog import filing, syncing
from incidentd.errors import IncidentdError, NotFound, PermanentError, TemporaryError
from incidentd.metrics import Metrics
from incidentd.settings import Settings
from incidentd.store import Store, items, subjects, things
from incidentd.store import jobs as job_table
from incidentd.store.jobs import Job
from incidentd.text import plain

_GIVE_UP_AFTER = timedelta(days=7)
_LOST = "it was changed, or others have it now: what was being done is left"


class Filed(Protocol):
    """Where an action item is in the backlog."""

    @property
    def key(self) -> str:
        """The issue's key: `OPS-7`."""

    @property
    def url(self) -> str:
        """Its page."""

    @property
    def left_out(self) -> tuple[str, ...]:
        """The fields that Jira would not take."""


class Tickets(Protocol):
    """The door to Jira."""

    async def file(
        self, item: ActionItem, *, context: str, assignee: str, tried_before: bool,
        sending: Callable[[], Awaitable[None]],
    ) -> Filed:  # fmt: skip
        """Make sure an item is there, once. Raises TemporaryError and PermanentError."""

    async def comment(self, jira_key: str, text: str, *, idem: str) -> None:
        """Make sure a comment is there, once. Raises TemporaryError and PermanentError."""

    async def link(self, jira_key: str, link: RemoteLink) -> None:
        """Make sure that an issue links back. Raises TemporaryError and PermanentError."""

    async def changed(self, since: timedelta) -> tuple[Seen, ...]:
        """Say how issues stand that were changed lately. Raises TemporaryError and PermanentError."""

    async def look(self, jira_key: str) -> Seen | None:
        """Say how one issue stands; None when it is there no more. Raises TemporaryError and PermanentError."""

    async def close(self) -> None:
        """Let go of it."""


PutBack = Callable[..., Awaitable[None]]


class Carrying:
    """Does the jobs of the queue to Jira."""

    def __init__(
        self, store: Store, *, settings: Callable[[], Settings], tickets: Callable[[], Tickets | None],
        metrics: Metrics, now: Callable[[], datetime], put_back: PutBack,
    ) -> None:  # fmt: skip
        self._store = store
        self._settings = settings
        self._tickets = tickets
        self._metrics = metrics
        self._now = now
        self._put_back = put_back

    async def act(self, job: Job) -> None:
        """Do one claimed job."""
        tickets = self._tickets()
        if tickets is None:
            # Jira was taken out of the configuration: items stay here, as they are
            await self._store.write(job_table.complete, job)
        elif job.kind == syncing.SYNC:
            await self._sync(job, tickets)
        else:
            await self._about_item(job, tickets)

    async def _sync(self, job: Job, tickets: Tickets) -> None:
        try:
            found = await tickets.changed(await self._store.read(syncing.window))
        except (TemporaryError, PermanentError) as error:
            self._count("sync", error)
            wish = getattr(error, "retry_after", None) or timedelta(0)
            await self._store.write(syncing.again, job, str(error), self._now() + wish)
        else:
            await self._store.write(syncing.took_in, self._settings(), job, found)
            self._count("sync", None)

    async def _about_item(self, job: Job, tickets: Tickets) -> None:
        does = {
            filing.FILE: ("create", self._file), filing.COMMENT: ("comment", self._comment),
            filing.LINK: ("link", self._link), syncing.LOOK: ("look", self._look),
        }  # fmt: skip
        operation, do = does[job.kind]
        item = await self._store.read(things.get_item, int(job.payload["item"]))
        try:
            await do(job, item, tickets)
        except TemporaryError as error:
            self._count(operation, error)
            if self._now() - job.created_at > _GIVE_UP_AFTER:
                why = f"Jira did not take it for a week: {error}"
                await self._store.write(filing.stuck, self._settings(), job, item.id, why)
            else:
                await self._put_back(job, str(error), error=error)
        except PermanentError as error:
            self._count(operation, error)
            await self._store.write(filing.stuck, self._settings(), job, item.id, str(error))
        else:
            self._count(operation, None)

    def _count(self, operation: str, error: IncidentdError | None) -> None:
        if isinstance(error, TemporaryError) and not error.tried:
            return
        result = "ok" if error is None else "failed" if isinstance(error, TemporaryError) else "given_up"
        self._metrics.jira_requests_total.labels(operation=operation, result=result).inc()

    async def _file(self, job: Job, item: ActionItem, tickets: Tickets) -> None:
        there = await self._store.read(things.external_id, item.uuid)
        if there is not None:
            await self._store.write(filing.filed, self._settings(), job, item.id, key=there[0], url=there[1])
            return
        before = await self._store.read(items.sending, item.id)
        tried = before.state in (OutboxState.SENT, OutboxState.UNKNOWN)
        rest = before.sent_at + filing.SETTLE - self._now() if tried and before.sent_at else timedelta(0)
        if rest > timedelta(0):
            why = f"{item.key} may be in Jira: it is looked for when its search has had time to learn of it"
            raise TemporaryError(why, retry_after=rest, tried=False)
        sent = False

        async def sending() -> None:
            nonlocal sent
            if not await self._store.write(filing.sending, job, item):
                raise TemporaryError(f"{item.key}: {_LOST}", tried=False)
            sent = True

        try:
            filed = await tickets.file(
                item, context=self._context(item), assignee=self._assignee(item), tried_before=tried, sending=sending
            )
        except (TemporaryError, PermanentError) as error:
            if sent:
                # it was looked for before it was sent, so what Jira refuses for good is not there from before either
                unknown = isinstance(error, TemporaryError) and (tried or error.maybe_done)
                state = OutboxState.UNKNOWN if unknown else OutboxState.PENDING
                await self._store.write(filing.unanswered, job, item.id, state)
            raise
        await self._store.write(
            filing.filed, self._settings(), job, item.id, key=filed.key, url=filed.url, left_out=filed.left_out
        )

    def _context(self, item: ActionItem) -> str:
        base = self._settings().external_url
        where = f"{base}/incidents/{item.subject}" if item.subject else base
        return f"From incidentd: {where}"

    def _assignee(self, item: ActionItem) -> str:
        owner = self._settings().roster.people.get(item.owner)
        return owner.jira if owner else ""

    async def _comment(self, job: Job, item: ActionItem, tickets: Tickets) -> None:
        if item.state is ItemState.STUCK or not (item.jira_key or item.is_open):
            await self._store.write(job_table.bury, job, "its action item is not in Jira")
            return
        if not item.jira_key:
            raise TemporaryError("the action item is not in Jira yet", retry_after=timedelta(seconds=2))
        await tickets.comment(item.jira_key, job.payload["text"], idem=job.payload["idem"])
        await self._store.write(job_table.complete, job)

    async def _link(self, job: Job, item: ActionItem, tickets: Tickets) -> None:
        if item.jira_key:
            await tickets.link(item.jira_key, await self._remote(item))
        await self._store.write(job_table.complete, job)

    async def _remote(self, item: ActionItem) -> RemoteLink:
        try:
            incident = await self._store.read(subjects.get_incident, int(item.subject.removeprefix("INC-")))
            title, summary = f"{incident.key}: {incident.title}", f"{incident.peak_severity}, {incident.status}"
        except NotFound:  # pruned; its number still says where it was
            title, summary = item.subject, ""
        url = f"{self._settings().external_url}/incidents/{item.subject}"
        return RemoteLink(
            global_id=f"incidentd:{item.subject.lower()}", url=url, title=plain(title, 255), summary=summary
        )  # fmt: skip

    async def _look(self, job: Job, item: ActionItem, tickets: Tickets) -> None:
        if not item.jira_key:
            await self._store.write(job_table.complete, job)
            return
        seen = await tickets.look(item.jira_key)
        await self._store.write(syncing.looked, self._settings(), job, item.id, seen)
