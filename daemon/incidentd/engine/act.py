"""Acting: one claimed job is handed to its door, and what came of it is written down."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from incidentd.engine import automation, publishing, silencing, waits
from incidentd.engine.asking import Alertmanager, Asking, all_silences
from incidentd.engine.backlog import Carrying, Tickets
from incidentd.engine.course.common import teams_of
from incidentd.engine.delivery import Delivery, Notifier
from incidentd.engine.exporting import Exporting, Exports
from incidentd.engine.facts import Prometheus
from incidentd.engine.graphing import Graphing
from incidentd.engine.publishing import Publishing, Shelf
from incidentd.engine.sampling import Sampling
from incidentd.engine.silencing import Silencing
from incidentd.errors import TemporaryError
from incidentd.metrics import Metrics
from incidentd.playbooks import Step, StepResult, walk
from incidentd.playbooks.errands import Errand, errand_of
from incidentd.settings import Settings
from incidentd.store import Store, jobs
from incidentd.store.jobs import Job


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
    exports: Exports | None = None
    """The directory of documents, where one is configured."""
    shelf: Shelf | None = None
    """The directory of published postmortems, where one is configured."""


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
        self._exporting = Exporting(store, settings=settings, exports=lambda: doors.exports, metrics=metrics, now=now)
        self._carrying = Carrying(
            store, settings=settings, tickets=lambda: doors.tickets, metrics=metrics, now=now, put_back=self.put_back
        )
        self._publishing = Publishing(store, directory=lambda: doors.shelf, metrics=metrics, now=now)
        self._graphing = Graphing(store, settings=settings, prometheus=lambda: doors.prometheus, metrics=metrics)

    async def act(self, job: Job) -> None:
        """Do one claimed job."""
        match job.queue:
            case jobs.NOTIFY:
                await self._delivery.act(job)
            case jobs.JIRA:
                await self._carrying.act(job)
            case jobs.RECONCILE:
                await self._asking.act(job)
            case jobs.SAMPLE:
                await self._sampling.act(job)
            case jobs.GRAPH:
                await self._graphing.act(job)
            case jobs.EXPORT:
                await (self._publishing if job.kind == publishing.KIND else self._exporting).act(job)
            case _ if job.kind == silencing.KIND:
                await self._silencing.act(job)
            case _:
                await self._step(job)

    async def put_back(self, job: Job, why: str, *, error: TemporaryError | None = None) -> None:
        """Have a job tried again after a while."""
        at = waits.next_try(job, self._now(), error)
        sure = error is not None and not error.maybe_done
        await self._store.write(jobs.retry, job, at=at, why=why[:500], known_undone=sure)

    # -- playbooks ---------------------------------------------------------------------------------------------------

    async def _step(self, job: Job) -> None:
        due = await self._store.write(automation.step_due, self._settings(), job)
        if due is None:
            return
        result, by_team = due.given, due.step.kind == "ticket"
        if result is None:
            known = walk.context(due.run, due.step)
            errand = errand_of(due.run, await self._store.read(teams_of, due.run.subject) if by_team else ())
            result = await self._doors.runner.run_step(due.step, known, source=due.run.source, errand=errand)
        await self._store.write(automation.step_done, self._settings(), job, due, result)
