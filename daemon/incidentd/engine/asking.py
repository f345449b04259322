"""Asking Alertmanager: outside of every transaction, one question at a time a source, answers shared by who waits."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Protocol

from incidentd.engine import reconcile, watchdog
from incidentd.errors import PermanentError, TemporaryError
from incidentd.handoff import Silence
from incidentd.metrics import Metrics
from incidentd.reconciliation import Finding, KnownAlert, Snapshot, compare
from incidentd.settings import Settings
from incidentd.store import Store, jobs, reconciling
from incidentd.store.jobs import Job

log = logging.getLogger(__name__)

_AT_ONCE = 100  # alerts written in one transaction
_FRESH = timedelta(seconds=1)
"""Holds that are due together share one answer."""
_NOT_CONFIGURED = "the configuration names no Alertmanager for this source any more"


class Alertmanager(Protocol):
    """The door to one source's Alertmanager."""

    async def alerts(self) -> Snapshot:
        """List what fires. Raises TemporaryError and PermanentError."""

    async def silences(self) -> list[Silence]:
        """List the silences in force and to come. Raises TemporaryError and PermanentError."""

    async def lift(self, mark: str) -> int:
        """End the silences of the run with this mark, and say how many. Raises TemporaryError and PermanentError."""


async def all_silences(doors: Iterable[Alertmanager]) -> list[Silence] | None:
    """List the silences of all of them; None when there is none to ask, or one gives no answer."""
    said = await asyncio.gather(*(door.silences() for door in doors), return_exceptions=True)
    found: list[Silence] = []
    for one in said:
        if isinstance(one, TemporaryError | PermanentError):
            log.warning("silences are unknown: %s", one)
            return None
        if isinstance(one, BaseException):
            raise one
        found += one
    return found if said else None


class Asking:
    """Knows for each kind of question whom to ask, and what to write of the answer."""

    def __init__(
        self, store: Store, *, settings: Callable[[], Settings], now: Callable[[], datetime], metrics: Metrics,
        alertmanagers: Callable[[], Mapping[str, Alertmanager]],
    ) -> None:  # fmt: skip
        self._store = store
        self._settings = settings
        self._alertmanagers = alertmanagers
        self._now = now
        self._metrics = metrics
        self._begun_at = now()
        self._answers: dict[str, Snapshot] = {}
        self._failed_at: dict[str, datetime] = {}
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def act(self, job: Job) -> None:
        """Ask one claimed question."""
        match job.kind:
            case "poll":
                await self._poll(job)
            case "verify":
                await self._verify(job)
            case _:
                await self._confirm(job)

    async def _poll(self, job: Job) -> None:
        source = str(job.payload["source"])
        if source not in self._alertmanagers():
            await self._store.write(jobs.complete, job)
            return
        snapshot = await self._ask(source, self._now() - _FRESH)
        known = await self._store.read(reconciling.live, source)
        there = {it.fingerprint for it in known}
        others = [fingerprint for fingerprint in snapshot.alerts if fingerprint not in there]
        known += await self._store.read(reconciling.named, source, others)
        ours = snapshot.receivers | await self._store.read(reconciling.receivers, source)
        await self._apply(source, await self._compare(source, known, snapshot, ours))
        await self._store.write(reconcile.polled, job, source, snapshot)

    async def _verify(self, job: Job) -> None:
        source, fingerprints = await self._store.read(reconcile.due_members, job.subject)
        snapshot = await self._ask(source, self._now() - _FRESH)
        known = await self._store.read(reconciling.named, source, fingerprints)
        await self._apply(source, await self._compare(source, known, snapshot, frozenset()))
        await self._store.write(reconcile.verified, self._settings(), job, snapshot.error)

    async def _confirm(self, job: Job) -> None:
        # the job was made after the body came, so an answer from then on knows what the body knew
        snapshot = await self._ask(str(job.payload["source"]), job.created_at)
        await self._store.write(reconcile.confirmed, job, snapshot)

    async def _compare(
        self, source: str, known: list[KnownAlert], snapshot: Snapshot, ours: frozenset[str]
    ) -> list[Finding]:
        trusts = await self._store.read(watchdog.trusts_absence, self._settings(), source)
        return await asyncio.to_thread(
            compare, known, snapshot, ours=ours, begun_at=self._begun_at, believe_absence=trusts
        )

    async def _apply(self, source: str, findings: list[Finding]) -> None:
        for first in range(0, len(findings), _AT_ONCE):
            part = findings[first : first + _AT_ONCE]
            await self._store.write(reconcile.apply, self._settings(), source, part)

    async def _ask(self, source: str, since: datetime) -> Snapshot:
        """Give an answer that was asked for later than this; a failure is an answer too, and says why."""
        async with self._turns[source]:
            answer = self._answers.get(source)
            if answer is not None and self._will_do(source, answer, since):
                return answer
            answer = self._answers[source] = await self._question(source)
            if answer.error:
                self._failed_at[source] = self._now()
            return answer

    def _will_do(self, source: str, answer: Snapshot, since: datetime) -> bool:
        """Take a failure for the answer of everybody who waited for it: else each would wait as long again."""
        if answer.error:
            return self._now() - self._failed_at[source] < _FRESH
        return answer.asked_at > since

    async def _question(self, source: str) -> Snapshot:
        asked_at = self._now()
        door = self._alertmanagers().get(source)
        if door is None:
            return Snapshot(asked_at=asked_at, error=_NOT_CONFIGURED)
        result, error = "ok", ""
        try:
            answer = await door.alerts()
        except (TemporaryError, PermanentError) as trouble:
            result, error = "failed" if isinstance(trouble, TemporaryError) else "refused", str(trouble)
            log.warning("the Alertmanager of %s gives no answer: %s", source, error)
            answer = Snapshot(asked_at=asked_at, error=error)
        self._metrics.alertmanager_requests_total.labels(source=source, result=result).inc()
        self._metrics.alertmanager_up.labels(source=source).set(0 if error else 1)
        return answer
