"""What is written at the end of a transaction: nobody sees a difference, and it fails and rolls back with its unit."""

import asyncio
import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import event

from incidentd.pages import Page, PageState
from incidentd.store import Store, Tx, chain, jobs, things
from incidentd.store.tables import job
from incidentd.timeline import INCIDENTD, Draft, first_broken
from tests.engine.world import chain_of
from tests.store.conftest import NOW, Opened


def schedule(tx: Tx, ukey: str, *, minutes: float = 0) -> None:
    due_at = NOW + timedelta(minutes=minutes)
    jobs.schedule(tx, queue=jobs.TIMER, kind="hold", subject="HOLD-1", ukey=ukey, due_at=due_at)


def say(tx: Tx, text: str, subject: str = "HOLD-1") -> None:
    chain.append(tx, subject, INCIDENTD, [Draft("note", text)])


async def test_what_waits_is_there_for_whoever_reads(store: Store) -> None:
    def unit(tx: Tx) -> None:
        schedule(tx, "a")
        assert tx.waits(job, "a")
        assert jobs.due_ids(tx, jobs.TIMER, 10) == [1]
        assert not tx.waits(job, "a")

    await store.write(unit)


async def test_a_job_that_was_made_and_cancelled_in_one_unit_is_cancelled(store: Store) -> None:
    def unit(tx: Tx) -> None:
        schedule(tx, "a")
        schedule(tx, "b")
        jobs.cancel(tx, "a")

    await store.write(unit)
    assert [it.ukey for it in await store.write(jobs.claim, jobs.TIMER, me="ana", lease=timedelta(1), most=9)] == ["b"]


async def test_a_job_that_was_moved_twice_in_one_unit_is_due_when_it_was_moved_to_last(store: Store) -> None:
    def unit(tx: Tx) -> None:
        schedule(tx, "a", minutes=5)
        schedule(tx, "a", minutes=3)

    await store.write(unit)
    assert await store.read(jobs.next_due, jobs.TIMER) == NOW + timedelta(minutes=3)


async def test_a_page_that_was_saved_twice_in_one_unit_is_as_it_was_saved_last(store: Store) -> None:
    def unit(tx: Tx) -> list[Page]:
        page = things.insert_page(tx, _page())
        things.save_page(tx, replace(page, step=1))
        things.save_page(tx, replace(page, step=2))
        return things.pages_of(tx, "HOLD-1")

    assert [page.step for page in await store.write(unit)] == [2]
    assert (await store.read(things.get_page, 1)).step == 2


def _page() -> Page:
    return Page(
        id=0, subject="HOLD-1", policy="shop", urgency="urgent", state=PageState.OPEN, title="Slow", started_at=NOW,
        respond_within=timedelta(minutes=5), chain=chain_of((0, "ana")),
    )  # fmt: skip


async def test_entries_of_one_chain_by_many_units_at_once_make_one_whole_chain(store: Store) -> None:
    await asyncio.gather(*(store.write(say, f"entry {number}") for number in range(60)))
    entries = await store.read(chain.entries, "HOLD-1")
    assert sorted(entry.text for entry in entries) == sorted(f"entry {number}" for number in range(60))
    assert first_broken(entries) is None
    assert (await store.read(chain.heads))["HOLD-1"] == (60, entries[-1].hash)


async def test_a_unit_that_fails_takes_back_what_it_wanted_written_and_leaves_that_of_others(store: Store) -> None:
    def fails(tx: Tx) -> None:
        say(tx, "never")
        schedule(tx, "never")
        raise ZeroDivisionError

    units = [store.write(say, "before"), store.write(fails), store.write(say, "after")]
    results = await asyncio.gather(*units, return_exceptions=True)
    assert isinstance(results[1], ZeroDivisionError)
    entries = await store.read(chain.entries, "HOLD-1")
    assert sorted(entry.text for entry in entries) == ["after", "before"]
    assert first_broken(entries) is None
    assert await store.read(jobs.next_due, jobs.TIMER) is None


async def test_many_units_of_one_commit_write_a_table_with_one_statement(on_sqlite: Opened) -> None:
    store = await on_sqlite.open()
    may_go_on = threading.Event()
    executed: list[str] = []
    listening = (store._write_engine, "before_cursor_execute", lambda *said: executed.append(said[2]))  # type: ignore[attr-defined]
    first = asyncio.ensure_future(store.write(lambda _: may_go_on.wait(10)))
    await asyncio.sleep(0)
    event.listen(*listening)
    try:
        others = asyncio.gather(*(store.write(say, "it", f"HOLD-{number}") for number in range(64)))
        await asyncio.sleep(0)
        may_go_on.set()
        await asyncio.gather(first, others)
    finally:
        event.remove(*listening)
        await store.close()
    assert sum("INSERT INTO timeline" in sql for sql in executed) <= 2  # the first unit may share a commit with some


@pytest.mark.parametrize("times", [1, 3])
async def test_a_unit_that_looks_at_the_connection_may_go_on_appending(store: Store, times: int) -> None:
    def unit(tx: Tx) -> None:
        for number in range(times):
            say(tx, f"{number}")
            assert len(chain.entries(tx, "HOLD-1")) == number + 1

    await store.write(unit)
    assert first_broken(await store.read(chain.entries, "HOLD-1")) is None
