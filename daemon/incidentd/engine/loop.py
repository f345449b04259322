"""The loop: four steps that say whether they found work, and the waiting between them."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypedDict

from incidentd.durations import about
from incidentd.engine import (
    backlog,
    communication,
    course,
    decide,
    exporting,
    handoff,
    publishing,
    reconcile,
    reporting,
    rota,
    stopping,
    timers,
)
from incidentd.engine.act import Actors, Doors
from incidentd.engine.facts import FactFinder
from incidentd.errors import IncidentdError, StoreUnavailable
from incidentd.metrics import Metrics
from incidentd.rules import Facts
from incidentd.settings import Settings
from incidentd.store import Store, Tx, inbox, jobs
from incidentd.store.inbox import Changed
from incidentd.store.jobs import Job
from incidentd.triage import Needs, book_of

__all__ = ["Doors", "Engine"]

log = logging.getLogger(__name__)

POLL = 1.0
"""Seconds after which a queue is looked at even when nothing woke it: waking is a kindness, looking is the truth."""
LOOKS = {stopping.WAITER: 0.5}
"""Seconds, of what is looked at more often: a switch that is turned off stops what runs within one."""
AFTER_TROUBLE = 1.0
OLDEST = timedelta(seconds=8)
"""How long a body may wait to be unpacked before no more are taken. Alertmanager's patience with a receiver is ten
seconds or more, and what it is told to send again is not lost; what nobody decides about in time might as well be.
What is taken just below it waits as long as the oldest and its own batch: ten seconds at most."""
DECIDE = 200
TIMERS = 64
CONCURRENCY = {
    jobs.NOTIFY: 64, jobs.JIRA: 2, jobs.PLAYBOOK: 8, jobs.RECONCILE: 64, jobs.SAMPLE: 16, jobs.GRAPH: 2,
    jobs.EXPORT: 1,
}  # fmt: skip
PER_CHANNEL = 2
"""Messages that are under way to one channel: one is sent, and the next is ready."""
LEASE = {
    jobs.NOTIFY: timedelta(seconds=30), jobs.JIRA: timedelta(seconds=60), jobs.PLAYBOOK: timedelta(seconds=60),
    jobs.RECONCILE: timedelta(seconds=30), jobs.SAMPLE: timedelta(seconds=30), jobs.GRAPH: timedelta(seconds=60),
    jobs.EXPORT: timedelta(seconds=60),
}  # fmt: skip


class _Claiming(TypedDict):
    me: str
    lease: timedelta
    most: int


class Engine:
    """Runs the four steps, each in a loop of its own, until it is stopped."""

    def __init__(
        self, store: Store, *, settings: Callable[[], Settings], doors: Doors, now: Callable[[], datetime],
        metrics: Metrics, me: str,
    ) -> None:  # fmt: skip
        self._store = store
        self._settings = settings
        self._metrics = metrics
        self._now = now
        self._me = me
        self._actors = Actors(store, settings=settings, doors=doors, metrics=metrics, now=now)
        self._waits_since: datetime | None = None
        self._started_at = now()
        self._facts = FactFinder(store, prometheus=lambda: doors.prometheus, now=now, metrics=metrics)
        self._finding_out: set[tuple[str, str, int]] = set()
        self._begun_with: Settings | None = None
        self._begun = asyncio.Event()
        self._stopping = asyncio.Event()
        self._loops: list[asyncio.Task[None]] = []
        self._acting: set[asyncio.Task[None]] = set()
        self._steps: dict[asyncio.Task[None], Job] = {}
        """The steps of playbooks that are being done, each until it is told to end."""
        self.turned: dict[str, datetime] = {}
        """When each loop came round last."""
        self._lanes: Counter[str] = Counter()
        """How many messages are under way to each channel."""

    async def begin(self) -> bool:
        """Set the clocks that the sources need: at start, and when a reload brought other sources."""
        settings = self._settings()
        if settings is self._begun_with:
            return False
        await self._store.write(reconcile.begin, settings, started=self._begun_with is None)
        await self._store.write(rota.begin, settings)
        await self._store.write(handoff.begin, settings)
        await self._store.write(reporting.begin, settings)
        await self._store.write(backlog.begin, settings)
        elsewhere = await self._store.read(communication.to_resume, settings)
        await asyncio.gather(*(self._store.write(communication.resume, settings, it) for it in elsewhere))
        await exporting.begin(self._store, settings)
        await publishing.begin(self._store, settings)
        self._begun_with = settings
        self._begun.set()
        return True

    def overloaded(self) -> str:
        """Say why no more bodies should be taken: those that wait are too old. '' when they are not.

        What a start finds waiting counts from the start on.
        """
        if self._waits_since is None:
            return ""
        waits = self._now() - max(self._waits_since, self._started_at)
        return f"the oldest delivery waits for {about(waits)} to be looked at" if waits > OLDEST else ""

    # -- the four steps ----------------------------------------------------------------------------------------------

    async def unpack(self) -> bool:
        """Bring the known state up to date with the oldest bodies of the inbox."""
        deliveries = await self._store.read(inbox.next_deliveries)
        self._waits_since = deliveries[0].at if deliveries else None
        if not deliveries:
            return False
        return await self._store.write_bulk(_unpacked, self._settings(), deliveries)

    async def decide_one(self) -> bool:
        """Decide about the alerts whose change waits the longest."""
        settings = self._settings()
        book = book_of(settings, self._now())
        changed = await self._store.read(inbox.undecided, DECIDE, frozenset(self._finding_out))
        wanted = [(it, needs) for it in changed if (needs := decide.wants(it, book))]
        if wanted:
            self._find_out(settings, wanted)
        asking = {_key(it) for it, _ in wanted}
        await self._settle(settings, [it for it in changed if _key(it) not in asking], {})
        return bool(changed)

    def _find_out(self, settings: Settings, wanted: Sequence[tuple[Changed, Needs]]) -> None:
        """Decide about alerts once it is known what their rules want to know; the others do not wait for them."""
        keys = {_key(it) for it, _ in wanted}
        self._finding_out |= keys

        async def decided() -> None:
            try:
                by_source: dict[str, list[Needs]] = {}
                for it, needs in wanted:
                    by_source.setdefault(it.source, []).append(needs)
                found = await asyncio.gather(
                    *(self._found(source, needs, settings) for source, needs in by_source.items())
                )
                await self._settle(settings, [it for it, _ in wanted], dict(zip(by_source, found, strict=True)))
            except StoreUnavailable as error:
                log.warning("deciding waits for the store: %s", error)
            finally:
                self._finding_out -= keys

        task = asyncio.create_task(decided(), name="decide")
        self._acting.add(task)
        task.add_done_callback(self._acted)

    async def _found(self, source: str, needs: Sequence[Needs], settings: Settings) -> Facts:
        try:
            return await self._facts.find(source, needs, settings.labels)
        except StoreUnavailable:
            raise
        except Exception:  # the step boundary: what cannot be found out is unknown, and the alerts are decided
            log.exception("what the rules want to know could not be found out")
            return Facts(now=self._now())

    async def _settle(self, settings: Settings, changed: Sequence[Changed], facts: Mapping[str, Facts]) -> None:
        bundles = decide.bundles(changed, settings, now=self._now(), facts=facts)
        units = [self._store.write(decide.settle, settings, of_key) for of_key in bundles]
        results = await asyncio.gather(*units, return_exceptions=True)
        for result in results:
            if isinstance(result, StoreUnavailable):
                raise result
            if isinstance(result, BaseException):
                log.error("a decision could not be carried out; it is tried again", exc_info=result)
        if any(isinstance(result, BaseException) for result in results):
            await self._pause(AFTER_TROUBLE)

    async def watch_one(self) -> bool:
        """Take the deadlines that have passed, the longest waiting first; each in a transaction of its own."""
        due = await self._store.read(jobs.due_ids, jobs.TIMER, TIMERS)
        await asyncio.gather(*(self._watch(job_id) for job_id in due))
        return bool(due)

    async def _watch(self, job_id: int) -> None:
        try:
            await self._store.write(timers.fire, self._settings(), job_id)
        except StoreUnavailable:
            raise
        except Exception:  # the step boundary: one deadline that cannot be handled must not stop the others
            log.exception("a deadline could not be handled; it is tried again in a minute")
            await self._store.write(timers.put_off, job_id)

    async def act_one(self, queue: str) -> bool:
        """Claim the jobs of a queue that are due, as many as may run at once, and set about them."""
        room = CONCURRENCY[queue] - sum(task.get_name() == queue for task in self._acting)
        if room <= 0:
            return False
        claimed = await self._claim(queue, room)
        for job in claimed:
            task = asyncio.create_task(self._act(job), name=queue)
            self._acting.add(task)
            if queue == jobs.PLAYBOOK:
                self._steps[task] = job
            task.add_done_callback(self._acted)
        return bool(claimed)

    async def stop_lost(self) -> bool:
        """End the steps done here of runs that were stopped or switched off, and what they started."""
        held = dict(self._steps)
        if not held:
            return False
        lost = await self._store.read(stopping.lost, list(held.values()))
        for task, job in held.items():
            if (
                job.id in lost and self._steps.pop(task, None) is not None
            ):  # once: a second time would cut its end short
                task.cancel()
        return False

    async def _claim(self, queue: str, room: int) -> list[Job]:
        how: _Claiming = {"me": self._me, "lease": LEASE[queue], "most": room}
        if queue != jobs.NOTIFY:
            return await self._store.write(jobs.claim, queue, **how)
        claimed = await self._store.write(jobs.claim_in_lanes, **how, each=self._at_once(), busy=dict(self._lanes))
        self._lanes.update(map(jobs.lane_of, claimed))
        return claimed

    def _at_once(self) -> Callable[[str], int]:
        """Say how many messages a channel may be sent at the same time.

        What rings gets one: the pages that are due beside it wait, and go along with it or the next in one call. So
        the first page never waits for company, and no grace is needed.
        """
        rings = self._settings().rings
        return lambda channel: 1 if rings(channel) else PER_CHANNEL

    async def _act(self, job: Job) -> None:
        try:
            await self._do(job)
        finally:
            if job.queue == jobs.NOTIFY:
                self._lanes[jobs.lane_of(job)] -= 1

    async def _do(self, job: Job) -> None:
        renewing = asyncio.create_task(self._renew(job, asyncio.current_task()))
        try:
            await self._actors.act(job)
        except StoreUnavailable as error:
            log.warning(
                "the outcome of %s %s could not be stored (%s); its lease runs out and it is tried again",
                job.queue,
                job.ukey,
                error,
            )
        except Exception:  # the step boundary: a job that raises is put back, and the queue goes on
            log.exception("%s %s failed; it is tried again", job.queue, job.ukey)
            await self._actors.put_back(job, "it raised; the log says more")
        finally:
            renewing.cancel()

    async def _renew(self, job: Job, acting: asyncio.Task[None] | None) -> None:
        """Renew the lease while the job is done; whoever cannot lets go of it before another one may take it."""
        lease = LEASE[job.queue]
        safe = min(lease, self._store.takeover).total_seconds()
        loop = asyncio.get_running_loop()
        good_until = loop.time() + safe * 0.75
        while True:
            await asyncio.sleep(safe / 4)
            mine = True
            try:
                async with asyncio.timeout_at(good_until):
                    mine = await self._store.write(jobs.renew, job, lease)
                good_until = loop.time() + safe * 0.75
            except (IncidentdError, TimeoutError) as error:
                log.warning("the lease of %s could not be renewed: %s", job.ukey, error)
            if acting is not None and (not mine or loop.time() >= good_until):
                log.warning("the lease of %s is lost; what was being done is left to whoever has it now", job.ukey)
                acting.cancel()
                return

    async def acted(self) -> None:
        """Wait until everything that was claimed is done."""
        while self._acting:
            await asyncio.gather(*self._acting, return_exceptions=True)

    def _acted(self, task: asyncio.Task[None]) -> None:
        self._acting.discard(task)
        self._steps.pop(task, None)
        self._store.waiter(task.get_name()).set()

    # -- the loop ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin."""
        steps: Mapping[str, Callable[[], Awaitable[bool]]] = {
            "begin": self.begin,
            "unpack": self.unpack,
            "decide": self.decide_one,
            jobs.TIMER: self.watch_one,
            stopping.WAITER: self.stop_lost,
            **{queue: self._acting_on(queue) for queue in CONCURRENCY},
        }
        self._loops = [
            asyncio.create_task(self._loop(name, step), name=f"engine-{name}") for name, step in steps.items()
        ]

    def _acting_on(self, queue: str) -> Callable[[], Awaitable[bool]]:
        return lambda: self.act_one(queue)

    async def _loop(self, name: str, step: Callable[[], Awaitable[bool]]) -> None:
        news = self._store.waiter(name)
        if name != "begin":
            await self._begun.wait()  # a clock that ran out while nobody listened is set anew before it is looked at
        while not self._stopping.is_set():
            self.turned[name] = self._now()
            news.clear()
            try:
                found = await step()
            except StoreUnavailable as error:
                log.warning("%s waits for the store: %s", name, error)
                await self._pause(AFTER_TROUBLE)
                continue
            if not found:
                await self._wait(name, news)

    async def _wait(self, name: str, news: asyncio.Event) -> None:
        """Wait for news, for the next due job, or for the time to look anyway, whichever comes first."""
        timeout = LOOKS.get(name, POLL)
        if name in jobs.QUEUES:
            try:
                due_at = await self._store.read(jobs.next_due, name, self._full(name))
            except StoreUnavailable:
                due_at = None
            if due_at is not None:
                timeout = min(max((due_at - self._now()).total_seconds(), 0.005), POLL)
        try:
            async with asyncio.timeout(timeout):
                await news.wait()
        except TimeoutError:
            return

    def _full(self, queue: str) -> list[str]:
        return jobs.full_lanes(self._lanes, self._at_once()) if queue == jobs.NOTIFY else []

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return

    async def stop(self, grace: float) -> None:
        """Stop claiming, wait for what is being done, and leave the rest to the next start."""
        self._stopping.set()
        self._begun.set()
        for name in ("begin", "unpack", "decide", stopping.WAITER, *jobs.QUEUES):
            self._store.waiter(name).set()
        await asyncio.gather(*self._loops, return_exceptions=True)
        if self._acting:
            _, late = await asyncio.wait(self._acting, timeout=grace)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)


def _key(it: Changed) -> tuple[str, str, int]:
    return (it.source, it.fingerprint, it.version)


def _unpacked(tx: Tx, settings: Settings, deliveries: Sequence[inbox.Delivery]) -> bool:
    new = inbox.take(tx, deliveries)
    if new is None:
        return False
    repeats = inbox.unpack(tx, new, lambda labels: settings.labels.value("severity", labels))
    course.repeated(tx, repeats)
    reconcile.received(tx, settings, new)
    return True
