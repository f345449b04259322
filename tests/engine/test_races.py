"""A hold's deadline, a resolve, a note and an acknowledgement at the same moment: the database says who was first."""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from sqlalchemy import select

from incidentd.engine import commands, timers
from incidentd.errors import Conflict
from incidentd.store import Tx, chain, subjects, things
from incidentd.store.tables import job
from incidentd.timeline import Actor, first_broken
from tests.engine.test_holds_and_incidents import SETTINGS
from tests.engine.world import START, Making, World, minutes

pytestmark = pytest.mark.longest

RACES = 1000 if os.environ.get("INCIDENTD_TEST_LONG") == "1" else 20
AT_ONCE = 20
ANA = Actor(name="ana", via="api")
Run = Callable[[int], Awaitable[object]]
"""What somebody tries to do to the hold of this number."""


@dataclass
class Field:
    """Those who race, over a world of holds that all end at the same instant."""

    w: World
    deadlines: dict[str, int]
    """The deadline of each hold: a job's id."""
    pages: dict[int, int]
    """The page of each hold."""
    better: Run
    """What keeps a hold from declaring, when it is stored first."""
    stored: set[int] = field(default_factory=set)
    warned: set[int] = field(default_factory=set)
    """Holds whose deadline was looked at only after it was stored that things are better."""

    async def rival(self, hold: int) -> None:
        await self.better(hold)
        self.stored.add(hold)

    async def due(self, hold: int) -> None:
        if hold in self.stored:
            self.warned.add(hold)
        await self.w.store.write(timers.fire, self.w.settings, self.deadlines[f"HOLD-{hold}"])

    async def ack(self, hold: int) -> None:
        with suppress(Conflict):  # it is over
            await self.w.store.write(commands.ack_page, self.w.settings, self.pages[hold], by="ana", actor=ANA)


@pytest.mark.parametrize("rival", ["hold.recovering", "hold.progress"])
@pytest.mark.slow
async def test_p11_what_resolved_or_progressed_before_the_end_of_its_hold_is_never_declared_by_it(
    world: Making, rival: str
) -> None:
    """All of it within 50 ms; whoever takes the page meanwhile has it, and nobody else is called."""
    w = await world(SETTINGS)
    luck = random.Random(rival)  # noqa: S311 - a seeded order
    won: Counter[str] = Counter()
    warned = 0
    for first in range(1, RACES + 1, AT_ONCE):
        holds = range(first, first + AT_ONCE)
        for hold in holds:  # each of a source of its own: what is received of one is never news of another
            await w.send(w.firing("QueueLag"), source=f"of-{hold}")
        better = resolving(w) if rival == "hold.recovering" else noting(w)
        w.clock[0] += minutes(20)
        pages = {hold: (await w.store.read(things.pages_of, f"HOLD-{hold}"))[0].id for hold in holds}
        it = Field(w, await w.store.read(deadlines), pages, better)
        await asyncio.gather(*(race(luck, hold, [it.rival, it.due, it.ack]) for hold in holds))
        await w.settle()
        winners = {hold: await winner(w, hold, rival, pages[hold]) for hold in holds}
        assert {winners[hold] for hold in it.warned} <= {rival}
        won.update(winners.values())
        warned += len(it.warned)

    assert won.total() == RACES
    assert won.keys() == {"hold.declared", rival}
    assert warned > 0


async def race(luck: random.Random, hold: int, runners: Sequence[Run]) -> None:
    """Let them go within 50 ms in any order; now and then each waits for the one before."""
    runners = luck.sample(runners, len(runners))
    if luck.random() < 0.2:
        for run in runners:
            await run(hold)
        return

    async def go(run: Run, after: float) -> None:
        await asyncio.sleep(after)
        await run(hold)

    await asyncio.gather(*(go(run, luck.choice((0, luck.uniform(0, 0.05)))) for run in runners))


def deadlines(tx: Tx) -> dict[str, int]:
    found = tx.conn.execute(select(job.c.subject, job.c.id).where(job.c.kind == "hold", job.c.state == "live"))
    return {row.subject: row.id for row in found}


def resolving(w: World) -> Run:
    """Have the alert that fires since now resolved."""
    body = json.dumps({"alerts": [w.resolved(since=(w.now - START) / minutes(1))]}).encode()
    return lambda hold: w.store.append(f"of-{hold}", body)


def noting(w: World) -> Run:
    return lambda hold: w.store.write(
        commands.add_note, w.settings, f"HOLD-{hold}", actor=ANA, text="found the slow consumer"
    )


async def winner(w: World, hold: int, rival: str, page_id: int) -> str:
    """Give what came first on the timeline, which is whole and has one end at most."""
    entries = await w.store.read(chain.entries, f"HOLD-{hold}")
    kinds = [entry.kind for entry in entries]
    assert first_broken(entries) is None
    assert kinds.count("hold.declared") + kinds.count(rival) <= 1, kinds
    assert (await w.store.read(subjects.incident_of_hold, hold) is not None) is ("hold.declared" in kinds)
    assert kinds.count("page.started") == 1
    page = await w.store.read(things.get_page, page_id)
    assert page.paged == ("ana",), page
    assert page.acked_by == "ana" or page.closed_at is not None, page
    return "hold.declared" if "hold.declared" in kinds else rival
