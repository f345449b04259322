"""Acting: one claimed job is handed to its door, and what came of it is written down."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from incidentd.actionitems import ActionItem, ItemState
from incidentd.engine import automation, learning, silencing, waits
from incidentd.engine.asking import Alertmanager, Asking, all_silences
from incidentd.engine.delivery import Delivery, Notifier
from incidentd.engine.facts import Prometheus
from incidentd.engine.sampling import Sampling
from incidentd.engine.silencing import Silencing
from incidentd.errors import PermanentError, TemporaryError
from incidentd.metrics import Metrics
from incidentd.playbooks import Step, StepResult, walk
from incidentd.playbooks.errands import Errand, errand_of
from incidentd.settings import Settings
from incidentd.store import Store, jobs, things
from incidentd.store.jobs import Job

_TICKETS_GIVE_UP_AFTER = timedelta(days=7)


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

    async def run_step(self, step: Step, context: Mapping[str, object], *, source: str, errand: Errand) -> StepResult:
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
        self._delivery = Delivery(
            store, settings=settings, notifier=lambda: doors.notifier, link_key=lambda: doors.link_key,
            silences=lambda: all_silences(doors.alertmanagers.values()), metrics=metrics, now=now,
        )  # fmt: skip
        self._silencing = Silencing(store, alertmanagers=lambda: doors.alertmanagers, now=now, put_back=self.put_back)
        self._sampling = Sampling(store, settings=settings, prometheus=lambda: doors.prometheus)

    async def act(self, job: Job) -> None:
        """Do one claimed job."""
        match job.queue:
            case jobs.NOTIFY:
                await self._delivery.act(job)
            case jobs.JIRA:
                await self._jira(job)
            case jobs.RECONCILE:
                await self._asking.act(job)
            case jobs.SAMPLE:
                await self._sampling.act(job)
            case _ if job.kind == silencing.KIND:
                await self._silencing.act(job)
            case _:
                await self._step(job)

    async def put_back(self, job: Job, why: str, *, error: TemporaryError | None = None) -> None:
        """Have a job tried again after a while."""
        at = waits.next_try(job, self._now(), error)
        sure = error is not None and not error.maybe_done
        await self._store.write(jobs.retry, job, at=at, why=why[:500], known_undone=sure)

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
            result = await self._doors.runner.run_step(
                due.step, known, source=due.run.source, errand=errand_of(due.run)
            )
        await self._store.write(automation.step_done, self._settings(), job, due, result)
