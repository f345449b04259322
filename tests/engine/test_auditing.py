"""The auditor in simulated time: no heartbeat when a promise is broken, and people hear it without the store."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from incidentd.engine import paging
from incidentd.engine.auditing import Auditor
from incidentd.errors import StoreUnavailable, TemporaryError
from incidentd.metrics import Metrics
from incidentd.promises import Promise
from incidentd.redaction import Secret
from incidentd.rehearsal.doors import Post
from incidentd.settings import HeartbeatSettings, Settings
from incidentd.store import Tx, jobs
from incidentd.timeline import SYSTEM
from tests.engine.world import START, Making, World, policy, roster
from tests.web.small_house import insert_hold

PLAN = HeartbeatSettings(url=Secret("http://127.0.0.1:9/x"), channel="ops")


@dataclass
class Pulse:
    beats: int = 0
    failure: TemporaryError | None = None

    async def beat(self) -> None:
        if self.failure is not None:
            raise self.failure
        self.beats += 1


@dataclass
class Sick:
    """A store that fails, or hangs, as it is told."""

    why: str = ""
    hangs: bool = False

    async def _answer(self, *_: Any) -> dict[Promise, timedelta]:
        if self.hangs:
            await asyncio.Event().wait()
        if self.why:
            raise StoreUnavailable(self.why)
        return {}

    write = read = _answer


@dataclass
class Watched:
    """An auditor, what it speaks to, and a clock that the test moves."""

    store: Any
    clock: list[datetime] = field(default_factory=lambda: [START])
    pulse: Pulse = field(default_factory=Pulse)
    post: Post = field(default_factory=Post)
    metrics: Metrics = field(default_factory=Metrics)
    turned: dict[str, datetime] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.auditor = Auditor(
            self.store, settings=lambda: Settings(heartbeat=PLAN), notifier=self.post, pulse=lambda: self.pulse,
            turns=lambda: self.turned, now=lambda: self.clock[0], metrics=self.metrics, host="host-1",
            patience=timedelta(seconds=0.02) if isinstance(self.store, Sick) else timedelta(seconds=30),
        )  # fmt: skip

    async def at(self, seconds: float) -> set[Promise]:
        """Look once, so many seconds after the start."""
        self.clock[0] = START + timedelta(seconds=seconds)
        return {one.promise for one in await self.auditor.look()}

    def beats(self, result: str) -> float | None:
        return self.metrics.registry.get_sample_value("incidentd_heartbeats_total", {"result": result})


async def test_a_heartbeat_goes_out_once_a_minute_while_all_is_well() -> None:
    it = Watched(Sick())
    for second in range(0, 181, 10):
        assert not await it.at(second)
    assert (it.pulse.beats, it.beats("sent"), it.beats("withheld")) == (4, 4, 0)
    assert not it.post.sent


async def test_a_store_that_is_down_withholds_the_heartbeat_and_tells_people_after_a_minute() -> None:
    it = Watched(Sick())
    await it.at(0)
    it.store.why = "disk full"
    for second in range(10, 110, 10):
        assert await it.at(second) == {Promise.STORE}
        assert it.auditor.unwell == "disk full"
    assert (it.pulse.beats, it.beats("withheld")) == (1, 1)
    [told] = it.post.sent
    assert (told.channel, told.purpose) == ("ops", "trouble")
    assert told.title == "incidentd cannot keep its promises: the store cannot be used: disk full"
    for second in range(110, 960, 30):
        await it.at(second)
    assert len(it.post.sent) == 1
    it.store.why = ""
    assert not await it.at(965)
    assert it.auditor.unwell == ""
    assert [n.title for n in it.post.sent][1:] == ["incidentd is well again"]
    assert it.metrics.registry.get_sample_value("incidentd_promise_kept", {"promise": "store"}) == 1


async def test_a_store_that_hangs_is_a_store_that_is_down() -> None:
    it = Watched(Sick(hangs=True))
    assert await it.at(0) == {Promise.STORE}
    assert it.auditor.unwell.startswith("no answer within")
    assert it.pulse.beats == 0


async def test_a_channel_that_takes_nothing_is_told_again_at_the_next_look() -> None:
    it = Watched(Sick(why="gone"))
    it.post.failures["ops"] = TemporaryError("hangs")
    for second in (0, 60, 70):
        await it.at(second)
    assert not it.post.sent
    it.post.failures.clear()
    await it.at(80)
    assert len(it.post.sent) == 1


async def test_a_switch_that_does_not_answer_is_counted_and_no_broken_promise() -> None:
    it = Watched(Sick())
    it.pulse.failure = TemporaryError("nobody there")
    assert not await it.at(0)
    assert it.beats("failed") == 1


async def test_a_part_of_the_engine_that_stands_still_withholds_it() -> None:
    it = Watched(Sick())
    it.turned = {"notify": START, "timer": START + timedelta(minutes=5)}
    assert not await it.at(60)
    assert await it.at(61) == {Promise.DISPATCHER}


def settings() -> Settings:
    return Settings(roster=roster("ana", "ben"), escalations=policy("default", (0, "ana"), (30, "ben")))


def paged(tx: Tx, settings: Settings) -> None:
    """Start a page about a hold; nobody sends it yet."""
    hold = insert_hold(tx)
    paging.start(tx, settings, subject=hold.key, policy="default", urgency="urgent", title="QueueLag")


def watching(w: World) -> Watched:
    return Watched(w.store, clock=w.clock)


async def test_an_overdue_page_withholds_the_heartbeat_and_one_that_went_out_does_not(world: Making) -> None:
    w = await world(settings())
    await w.store.write(paged, w.settings)
    it = watching(w)
    assert not await it.at(119)  # nobody sends it, and it is not late yet
    assert await it.at(121) == {Promise.PAGE}
    assert it.pulse.beats == 1
    await w.settle()
    assert not await it.at(122)


async def test_a_page_that_nobody_takes_withholds_it_though_it_is_tried_again_and_again(world: Making) -> None:
    w = await world(settings())
    w.post.failures["ana/mail"] = TemporaryError("hangs")
    await w.store.write(paged, w.settings)
    await w.at(3)
    it = watching(w)
    assert await it.at(180) == {Promise.PAGE}
    w.post.failures.clear()
    await w.at(9)
    assert not await it.at(540)


async def test_a_deadline_that_nobody_handles_and_a_body_that_nobody_unpacks_are_named(world: Making) -> None:
    w = await world(settings())
    await w.store.write(
        jobs.schedule, queue=jobs.TIMER, kind="quiet", subject=SYSTEM, ukey="x", due_at=START + timedelta(seconds=10)
    )
    await w.store.append("default", b"{}")
    it = watching(w)
    assert await it.at(30) == set()
    assert await it.at(31) == {Promise.INBOX}
    assert await it.at(71) == {Promise.INBOX, Promise.DEADLINE}
    late = it.metrics.registry.get_sample_value("incidentd_promise_late_seconds", {"promise": "deadline"})
    assert late == 61
