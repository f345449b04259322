"""Replicas whose machines disagree about the time: deadlines are the database's, whoever sets or handles them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from incidentd.engine import commands
from incidentd.metrics import Metrics
from incidentd.rehearsal.world import World
from incidentd.store import Tx, jobs, replicas
from incidentd.store.postgres import open_postgres
from tests.engine.test_paging import ANA, KNOWN
from tests.engine.world import minutes

pytestmark = [pytest.mark.needs("postgres"), pytest.mark.slow]
NOISE = timedelta(seconds=20)
"""How long this test may take, at most, between two looks at a clock."""


class Machine:
    """A machine whose clock is wrong by so much, with a replica on it."""

    def __init__(self, wrong_by: timedelta) -> None:
        self.off = wrong_by
        self.clock = [self.wall()]

    def wall(self) -> datetime:
        return datetime.now(UTC) + self.off

    def now(self) -> datetime:
        return self.clock[0]

    def adjust(self, ahead: timedelta) -> None:
        self.clock[0] += ahead

    async def start(self, url: str, name: str) -> World:
        metrics = Metrics(version="test")
        store = await open_postgres(url, self.now, metrics, password=None, me=name, adjust=self.adjust)
        return World(store, KNOWN, self.clock, metrics, me=name, start=self.clock[0])


@pytest.fixture
async def skewed(postgres_store: str) -> AsyncIterator[tuple[World, World]]:
    """Two replicas, one an hour behind and one an hour ahead."""
    behind = await Machine(-timedelta(hours=1)).start(postgres_store, "behind")
    ahead = await Machine(timedelta(hours=1)).start(postgres_store, "ahead")
    yield behind, ahead
    for one in (behind, ahead):
        await one.store.close()


def due_of(tx: Tx, ukey: str) -> datetime | None:
    found = jobs.live(tx, ukey)
    return found.due_at if found else None


async def test_b5_19_deadlines_go_by_the_database_however_wrong_the_clocks_of_replicas_are(
    skewed: tuple[World, World],
) -> None:
    behind, ahead = skewed
    await behind.send(behind.firing("CheckoutDown"))
    there = await ahead.store.read(replicas.time_of_database)
    due = await ahead.store.read(due_of, "page:1")
    assert due is not None
    assert abs(due - minutes(5) - there) < NOISE  # set by the one that was an hour behind

    await ahead.settle()  # the one that was an hour ahead handles nothing before its time
    assert [n.channel for n in (*behind.post.sent, *ahead.post.sent)] == ["ana/mail"]
    assert not (await ahead.page()).breached


async def test_b5_19_an_answer_is_in_time_by_the_clock_that_began_the_page(skewed: tuple[World, World]) -> None:
    behind, ahead = skewed
    await behind.send(behind.firing("CheckoutDown"))
    await ahead.do(commands.ack_page, 1, by="ana", actor=ANA)

    page = await behind.page()
    assert page.acked_at is not None
    assert (page.breached, abs(page.acked_at - page.started_at) < NOISE) == (False, True)
