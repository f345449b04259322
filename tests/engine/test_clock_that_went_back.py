"""A machine's clock that went back before a start: what waited to be done waits no longer for that."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from incidentd.engine import Engine, commands
from incidentd.errors import TemporaryError
from incidentd.store import audits
from incidentd.timeline import Actor
from tests.engine.test_channels_that_are_down import with_fallback
from tests.engine.test_paging import KNOWN, called, down
from tests.engine.test_watchdog import BLIND, WATCHED
from tests.engine.world import START, World, make_world, minutes

BACK = timedelta(hours=2)
ANA = Actor(name="ana", via="api")


@pytest.fixture
async def w(tmp_path: Path) -> AsyncIterator[World]:
    """Give a world on SQLite: replicas that share a database go by its clock, which nobody set back."""
    made = await make_world(tmp_path, KNOWN)
    await made.engine.begin()
    yield made
    await made.store.close()


async def begin_again(w: World, back: timedelta) -> None:
    """Begin anew on the same store a moment after it was looked at last, with a clock that went back."""
    await w.store.write(audits.touch)
    w.clock[0] += timedelta(seconds=3) - back
    w.engine = Engine(
        w.store, settings=lambda: w.settings, now=lambda: w.clock[0], metrics=w.metrics, me="next", doors=w.doors
    )
    await w.engine.begin()


@pytest.mark.parametrize("restarts", [1, 2])
async def test_what_could_not_be_sent_is_tried_again_and_the_next_person_is_called_in_time(
    w: World, restarts: int
) -> None:
    w.post.failures = {"ana/mail": TemporaryError("451 try later")}
    await down(w)
    await w.at(1)
    w.post.failures.clear()
    await begin_again(w, BACK)
    for _ in range(restarts - 1):
        await begin_again(w, timedelta(0))
    await w.until(w.now + minutes(2))
    assert called(w) == ["ana"]
    await w.until(w.now + minutes(1.8))
    assert called(w) == ["ana"]
    await w.until(w.now + minutes(0.4))
    assert called(w)[:2] == ["ana", "ben"]

    await w.do(commands.ack_page, 1, by="ana", actor=ANA)
    page = await w.page()
    assert page.acked_at is not None
    assert minutes(5) <= page.acked_at - page.started_at <= minutes(6)


async def test_a_page_that_its_channel_does_not_take_goes_to_another_one_in_time_and_says_how_late(w: World) -> None:
    w.settings = with_fallback(KNOWN)
    w.post.failures = {"ana/mail": TemporaryError("451 try later")}
    await down(w)
    await w.at(1)
    await begin_again(w, BACK)
    await w.until(w.now + minutes(0.9))
    assert w.post.sent == []
    await w.until(w.now + minutes(0.1))

    assert [(n.channel, round(n.late_by / minutes(1))) for n in w.post.sent] == [("ops-chat", 2)]


async def test_a_watchdog_that_stays_away_is_missed_no_later(w: World) -> None:
    w.settings = WATCHED
    await w.engine.begin()
    await w.send(w.firing("Watchdog"))
    await begin_again(w, BACK)
    await w.until(w.now + minutes(10))

    assert (await w.incident()).title == BLIND


async def test_a_clock_that_went_back_by_a_moment_moves_nothing(w: World) -> None:
    await down(w)
    before = await w.page()
    await begin_again(w, timedelta(seconds=6))

    assert w.now < START
    assert await w.page() == before
