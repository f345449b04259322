"""Acting: one claimed job is handed to its door, and what came of it is written down."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from incidentd import holds, links, pages
from incidentd.actionitems import ActionItem, ItemState
from incidentd.engine import automation, learning, outbox
from incidentd.engine.asking import Alertmanager, Asking
from incidentd.engine.facts import Prometheus
from incidentd.engine.sampling import Sampling
from incidentd.errors import PermanentError, TemporaryError
from incidentd.metrics import Metrics
from incidentd.pages import Notification
from incidentd.playbooks import Step, StepResult, walk
from incidentd.settings import Settings
from incidentd.store import Store, jobs, things
from incidentd.store.jobs import Job
from incidentd.text import plain

_FIRST_WAIT = 1.0
_LONGEST_WAIT = 300.0
_LONGEST_WISH = timedelta(minutes=15)
_LINKS_WORK_FOR = timedelta(hours=24)
_TICKETS_GIVE_UP_AFTER = timedelta(days=7)


class Notifier(Protocol):
    """The door to people."""

    async def send(self, n: Notification) -> None:
        """Deliver one message. Raises TemporaryError and PermanentError."""


class Filed(Protocol):
    """Where an action item is in the backlog."""

    @property
    def key(self) -> str:
        """The issue's key: `OPS-7`."""

    @property
    def url(self) -> str:
        """Its page."""


class Tickets(Protocol):
    """The door to Jira."""

    async def file(self, item: ActionItem, *, context: str, assignee: str, tried_before: bool) -> Filed:
        """Make sure an item is there, once. Raises TemporaryError and PermanentError."""

    async def comment(self, jira_key: str, text: str, *, idem: str) -> None:
        """Make sure a comment is there, once. Raises TemporaryError and PermanentError."""

    async def close(self) -> None:
        """Let go of it."""


class Runner(Protocol):
    """The door of playbook steps."""

    async def run_step(self, step: Step, context: Mapping[str, object], *, source: str) -> StepResult:
        """Do one step; a failing one is a result, not an exception."""


@dataclass(slots=True, kw_only=True)
class Doors:
    """The doors as they are now; a reload puts others in their place."""

    notifier: Notifier
    runner: Runner
    tickets: Tickets | None
    link_key: bytes
    alertmanagers: Mapping[str, Alertmanager] = field(default_factory=dict)
    """By source; those that can be asked."""
    prometheus: Mapping[str, Prometheus] = field(default_factory=dict)
    """By source; those that rules and holds may ask."""


class Actors:
    """Knows for each kind of job what to do, and what to write afterwards."""

    def __init__(
        self, store: Store, *, settings: Callable[[], Settings], doors: Doors, metrics: Metrics,
        now: Callable[[], datetime],
    ) -> None:  # fmt: skip
        self._store = store
        self._settings = settings
        self._doors = doors
        self._metrics = metrics
        self._now = now
        self._asking = Asking(
            store, settings=settings, alertmanagers=lambda: doors.alertmanagers, now=now, metrics=metrics
        )
        self._sampling = Sampling(store, settings=settings, prometheus=lambda: doors.prometheus)

    async def act(self, job: Job) -> None:
        """Do one claimed job."""
        match job.queue:
            case jobs.NOTIFY:
                await self._notify(job)
            case jobs.JIRA:
                await self._jira(job)
            case jobs.RECONCILE:
                await self._asking.act(job)
            case jobs.SAMPLE:
                await self._sampling.act(job)
            case _:
                await self._step(job)

    async def put_back(self, job: Job, why: str, *, error: TemporaryError | None = None) -> None:
        """Have a job tried again after a while that grows, with jitter so that a herd does not come back at once."""
        jitter = random.uniform(0.5, 1.0)  # noqa: S311 - nothing secret
        wait = jitter * min(_FIRST_WAIT * 2 ** min(job.attempt - 1, 10), _LONGEST_WAIT)
        at = self._now() + timedelta(seconds=wait)
        if error is not None and error.retry_after is not None:
            at = max(at, self._now() + min(error.retry_after, _LONGEST_WISH))
        sure = error is not None and not error.maybe_done
        await self._store.write(jobs.retry, job, at=at, why=why[:500], known_undone=sure)

    # -- notifications -----------------------------------------------------------------------------------------------

    async def _notify(self, job: Job) -> None:
        message = await self._message(job)
        if message is None:
            await self._store.write(jobs.complete, job)
            return
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            await self._doors.notifier.send(message)
        except TemporaryError as error:
            self._tried(message, "failed", loop.time() - began)
            if job.give_up_at is not None and self._now() >= job.give_up_at:
                await self._given_up(job, message, f"nobody took it for a day: {error}")
            else:
                await self.put_back(job, str(error), error=error)
        except PermanentError as error:
            self._tried(message, "given_up", loop.time() - began)
            await self._given_up(job, message, str(error))
        else:
            self._tried(message, "ok", loop.time() - began)
            self._metrics.notification_last_success_timestamp_seconds.labels(channel=message.channel).set(
                self._now().timestamp()
            )
            await self._store.write(outbox.sent, job, channel=message.channel, repeat=message.repeat)

    def _tried(self, message: Notification, result: str, took: float) -> None:
        self._metrics.notifications_total.labels(channel=message.channel, purpose=message.purpose, result=result).inc()
        self._metrics.notification_duration_seconds.labels(channel=message.channel).observe(took)

    async def _given_up(self, job: Job, message: Notification, why: str) -> None:
        await self._store.write(outbox.given_up, self._settings(), job, channel=message.channel, why=plain(why))

    async def _message(self, job: Job) -> Notification | None:
        """Write the words of a message from what is true now; None when nobody needs it any more."""
        late = max(self._now() - job.created_at, timedelta(0))
        repeat = job.attempt - 1 > int(job.payload.get("known_undone", 0))
        if job.kind == "ask":
            return await self._ask(job, repeat=repeat, late_by=late)
        if job.kind != "page":
            return Notification(
                key=job.ukey, channel=job.payload["channel"], purpose=job.payload["purpose"],
                title=job.payload["title"], body=job.payload["body"], repeat=repeat, late_by=late,
            )  # fmt: skip
        settings = self._settings()
        known = await self._store.read(outbox.page_message, settings, job)
        if known is None:
            return None
        person = settings.roster.people.get(job.payload["person"])
        facts = known.with_links(self._links(job, known))
        title, body = pages.page_text(
            known.page, facts, known.occasion, now=self._now(), person=person, target=known.target
        )
        return Notification(
            key=job.ukey, channel=job.payload["channel"], purpose=job.payload["purpose"], title=title, body=body,
            page=known.page.key, repeat=repeat, late_by=late,
        )  # fmt: skip

    async def _ask(self, job: Job, *, repeat: bool, late_by: timedelta) -> Notification | None:
        """Write the words that ask somebody before a hold declares."""
        settings = self._settings()
        hold = await self._store.read(outbox.held, job)
        person = settings.roster.people.get(job.payload["person"])
        words = holds.ask_message(hold, person=person, url=settings.external_url, now=self._now())
        if words is None:
            return None
        return Notification(
            key=job.ukey, channel=job.payload["channel"], purpose=job.payload["purpose"], title=words[0],
            body=words[1], repeat=repeat, late_by=late_by,
        )  # fmt: skip

    def _links(self, job: Job, known: outbox.PageMessage) -> list[tuple[str, str]]:
        base = self._settings().external_url
        place = "incidents" if known.page.subject.startswith("INC-") else "holds"
        found = [("Details", f"{base}/{place}/{known.page.subject}"), *known.links]
        person = job.payload["person"]
        if pages.needs_ack(known.page) and person:
            # the nonce is the message's own name: a repeat carries the same link, and each link acts once
            token = links.make(
                self._doors.link_key, action="ack", subject=known.page.key, person=person, nonce=job.ukey,
                expires=known.page.started_at + _LINKS_WORK_FOR,
            )  # fmt: skip
            found.insert(0, ("I have it", f"{base}/a/{token}"))
        return found

    # -- Jira --------------------------------------------------------------------------------------------------------

    async def _jira(self, job: Job) -> None:
        item = await self._store.read(things.get_item, int(job.payload["item"]))
        tickets = self._doors.tickets
        if tickets is None:
            # Jira was taken out of the configuration: the item stays here, open
            await self._store.write(jobs.complete, job)
            return
        operation = "create" if job.kind == "file" else "comment"
        try:
            await (self._file(job, item, tickets) if job.kind == "file" else self._comment(job, item, tickets))
        except TemporaryError as error:
            self._metrics.jira_requests_total.labels(operation=operation, result="failed").inc()
            if self._now() - job.created_at > _TICKETS_GIVE_UP_AFTER:
                await self._store.write(learning.stuck, job, item.id, f"Jira did not take it for a week: {error}")
            else:
                await self.put_back(job, str(error), error=error)
        except PermanentError as error:
            self._metrics.jira_requests_total.labels(operation=operation, result="given_up").inc()
            await self._store.write(learning.stuck, job, item.id, str(error))
        else:
            self._metrics.jira_requests_total.labels(operation=operation, result="ok").inc()

    async def _file(self, job: Job, item: ActionItem, tickets: Tickets) -> None:
        there = await self._store.read(things.external_id, item.uuid)
        if there is not None:
            await self._store.write(learning.filed, job, item.id, key=there[0], url=there[1])
            return
        settings = self._settings()
        owner = settings.roster.people.get(item.owner)
        where = f"{settings.external_url}/incidents/{item.subject}" if item.subject else settings.external_url
        filed = await tickets.file(
            item, context=f"From incidentd: {where}", assignee=owner.jira if owner else "", tried_before=job.attempt > 1
        )
        await self._store.write(learning.filed, job, item.id, key=filed.key, url=filed.url)

    async def _comment(self, job: Job, item: ActionItem, tickets: Tickets) -> None:
        if item.state is ItemState.STUCK:
            await self._store.write(jobs.bury, job, "its action item is not in Jira")
            return
        if not item.jira_key:
            raise TemporaryError("the action item is not in Jira yet", retry_after=timedelta(seconds=2))
        await tickets.comment(item.jira_key, job.payload["text"], idem=job.payload["idem"])
        await self._store.write(jobs.complete, job)

    # -- playbooks ---------------------------------------------------------------------------------------------------

    async def _step(self, job: Job) -> None:
        due = await self._store.write(automation.step_due, self._settings(), job)
        if due is None:
            return
        result = due.given
        if result is None:
            known = walk.context(due.run, due.step)
            result = await self._doors.runner.run_step(due.step, known, source=due.run.source)
        await self._store.write(automation.step_done, self._settings(), job, due, result)
