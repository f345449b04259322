"""PostgreSQL's own: races, connections that are lost or hang, and the time that replicas agree on."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import DBAPIError

from incidentd.errors import StoreUnavailable
from incidentd.store import Store, Tx, jobs, replicas
from incidentd.store import postgres as engine
from incidentd.store.tables import inbox, link_use
from incidentd.store.things import use_link
from tests.postgres import Server, Standby
from tests.store.conftest import NOW, Opened

pytestmark = [pytest.mark.needs("postgres"), pytest.mark.slow]


@pytest.fixture
async def store(on_postgres: Opened) -> AsyncIterator[Store]:
    made = await on_postgres.open()
    yield made
    await made.close()


@pytest.fixture
def server() -> Iterator[Server]:
    """Give a server of this test's own, to be killed and frozen."""
    made = Server()
    made.start()
    yield made
    made.thaw()
    made.remove()


def bodies(tx: Tx) -> int:
    return int(tx.conn.execute(select(func.count()).select_from(inbox)).scalar_one())


async def until_it_works(work: Callable[[], Awaitable[Any]], seconds: float = 15) -> Any:
    async with asyncio.timeout(seconds):
        while True:
            try:
                return await work()
            except StoreUnavailable:
                await asyncio.sleep(0.05)


def reruns(opened: Opened) -> float | None:
    return opened.metrics.registry.get_sample_value("incidentd_store_reruns_total")


# -- races -----------------------------------------------------------------------------------------------------------


async def test_units_that_deadlock_are_run_again_until_both_are_done(on_postgres: Opened, store: Store) -> None:
    for nonce in ("a", "b"):
        await store.write(use_link, nonce)
    both_hold_one = threading.Barrier(2)
    tries: list[str] = []

    def touch(tx: Tx, *nonces: str) -> None:
        tries.append(nonces[0])
        for nonce in nonces:
            tx.conn.execute(update(link_use).where(link_use.c.nonce == nonce).values(at=tx.now))
            if len(tries) <= 2 and nonce == nonces[0]:
                both_hold_one.wait(5)

    await asyncio.gather(store.write(touch, "a", "b"), store.write(touch, "b", "a"))

    assert len(tries) > 2  # on a busy machine the second try of one may meet the other once more
    assert reruns(on_postgres) == 1


async def test_a_serialization_failure_runs_the_whole_unit_again(on_postgres: Opened, store: Store) -> None:
    tries = 0

    def fails_twice(tx: Tx) -> int:
        nonlocal tries
        tries += 1
        use_link(tx, "once")
        if tries < 3:
            tx.conn.execute(text("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40001'; END $$"))
        return tries

    assert await store.write(fails_twice) == 3
    assert reruns(on_postgres) == 2


async def test_a_unit_that_never_succeeds_is_given_up(store: Store) -> None:
    def never(tx: Tx) -> None:
        tx.conn.execute(text("DO $$ BEGIN RAISE EXCEPTION 'no, never' USING ERRCODE = '40001'; END $$"))

    with pytest.raises(StoreUnavailable, match="no, never"):
        await store.write(never)


async def test_a_unit_that_goes_on_after_a_failed_statement_is_not_believed(store: Store) -> None:
    def swallows(tx: Tx) -> None:
        try:
            tx.conn.execute(text("SELECT 1/0"))
        except DBAPIError:
            return

    with pytest.raises(StoreUnavailable, match="nothing was written"):
        await store.write(swallows)


async def test_p25_jobs_are_claimed_once_however_many_claim_them(on_postgres: Opened, store: Store) -> None:
    other = await on_postgres.open()

    def schedule(tx: Tx) -> None:
        for number in range(200):
            jobs.schedule(tx, queue=jobs.NOTIFY, kind="page", subject="INC-1", ukey=str(number), due_at=NOW)

    async def claim(of: Store, me: str) -> list[str]:
        found = await of.write(jobs.claim, jobs.NOTIFY, me=me, lease=timedelta(seconds=30), most=7)
        return [job.ukey for job in found]

    await store.write(schedule)
    claims = [claim(of, me) for _ in range(20) for of, me in ((store, "a"), (other, "b"))]
    claimed = [key for keys in await asyncio.gather(*claims) for key in keys]
    while more := await claim(store, "a"):  # what another one had in hand was skipped
        claimed += more
    await other.close()

    assert sorted(claimed) == sorted(str(number) for number in range(200))


async def test_a_replica_hears_of_work_that_another_one_made(on_postgres: Opened, store: Store) -> None:
    other = await on_postgres.open()
    news = other.waiter(jobs.JIRA)
    async with asyncio.timeout(10):
        while not news.is_set():  # the first word may come before it listens
            await store.write(
                jobs.schedule, queue=jobs.JIRA, kind="file", subject="INC-1", ukey="file:1", due_at=NOW
            )  # fmt: skip
            await asyncio.sleep(0.1)
    await other.close()


# -- replicas --------------------------------------------------------------------------------------------------------


def schedule_one(tx: Tx) -> None:
    jobs.schedule(tx, queue=jobs.NOTIFY, kind="page", subject="INC-1", ukey="a", due_at=NOW)


async def test_p25_what_a_silent_replica_had_in_hand_is_taken_over_and_it_cannot_finish_it(
    on_postgres: Opened, store: Store
) -> None:
    await store.write(replicas.beat, "silent", "1")
    await store.write(schedule_one)
    [job] = await store.write(jobs.claim, jobs.NOTIFY, me="silent", lease=timedelta(minutes=1), most=5)
    on_postgres.now += replicas.TAKEOVER
    assert await store.write(replicas.take_over, "b") == 0

    on_postgres.now += timedelta(seconds=1)
    assert await store.write(replicas.take_over, "b") == 1
    [taken] = await store.write(jobs.claim, jobs.NOTIFY, me="b", lease=timedelta(minutes=1), most=5)
    assert taken.attempt == 2
    assert await store.write(jobs.complete, job) is False
    assert await store.write(jobs.complete, taken) is True


async def test_p25_a_replica_that_stops_hands_back_what_it_has(on_postgres: Opened, store: Store) -> None:
    stopping = await on_postgres.open(me="a")
    await stopping.write(schedule_one)
    await stopping.write(jobs.claim, jobs.NOTIFY, me="a", lease=timedelta(seconds=60), most=5)
    await stopping.close()

    assert len(await store.write(jobs.claim, jobs.NOTIFY, me="b", lease=timedelta(seconds=60), most=5)) == 1


async def test_replicas_agree_on_what_the_first_of_them_proposed(on_postgres: Opened, store: Store) -> None:
    other = await on_postgres.open()
    found = await asyncio.gather(*(of.write(replicas.agree, "key", name) for of, name in ((store, "a"), (other, "b"))))
    await other.close()

    assert len(set(found)) == 1


@dataclass
class WrongClock:
    """A machine's clock that is two hours ahead."""

    ahead: timedelta = timedelta(hours=2)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def adjust(self, ahead: timedelta) -> None:
        self.ahead += ahead


async def test_now_is_the_time_of_the_database(on_postgres: Opened) -> None:
    clock = WrongClock()
    store = await engine.open_postgres(
        on_postgres.url, clock, on_postgres.metrics, password=None, me="", adjust=clock.adjust
    )
    ours, theirs = await store.write(lambda tx: (tx.now, replicas.time_of_database(tx)))
    await store.close()

    assert abs(ours - theirs) < timedelta(seconds=1)


# -- connections that are lost or hang -------------------------------------------------------------------------------


async def test_a_connection_that_was_ended_is_replaced_without_anybody_noticing(store: Store) -> None:
    def end_the_others(tx: Tx) -> None:
        tx.conn.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )

    await asyncio.gather(*(store.append("prod", b"{}") for _ in range(8)))
    await store.read(bodies)
    await store.write(end_the_others)

    await asyncio.gather(*(store.append("prod", b"{}") for _ in range(8)), store.write(use_link, "a"))
    assert await store.read(bodies) == 16


@pytest.mark.parametrize("mode", ["fast", "immediate"])
async def test_t13_a_database_that_restarts_is_unavailable_in_between_and_loses_nothing(
    server: Server, mode: str
) -> None:
    opened = Opened(server.database())
    store = await opened.open()
    stored = 0
    await store.append("prod", b"{}")
    await asyncio.to_thread(server.stop, mode)

    began = asyncio.get_running_loop().time()
    for _ in range(20):
        with pytest.raises(StoreUnavailable):
            await store.append("prod", b"{}")
    with pytest.raises(StoreUnavailable):
        await store.read(bodies)
    assert asyncio.get_running_loop().time() - began < 5  # it is refused, not waited for

    await asyncio.to_thread(server.start)
    await until_it_works(lambda: store.append("prod", b"{}"))
    stored = await store.read(bodies)
    await store.close()

    assert stored == 2


async def test_a_database_that_hangs_is_unavailable_within_the_deadline_and_heals(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await Opened(server.database()).open()
    await asyncio.gather(*(store.append("prod", b"{}") for _ in range(8)), store.read(bodies))
    with monkeypatch.context() as shorter:  # deadlines, so that the test is
        for name, seconds in {"CUT": 1.0, "READ": 1.0, "ANSWER": 0.5}.items():
            shorter.setattr(engine, name, seconds)
        server.freeze()
        await nothing_works(store)
    server.thaw()
    await until_it_works(lambda: store.append("prod", b"{}"))
    assert await until_it_works(lambda: store.read(bodies)) >= 9
    await store.close()


async def nothing_works(store: Store) -> None:
    async with asyncio.timeout(10):
        results = await asyncio.gather(
            store.append("prod", b"{}"), store.write(use_link, "a"), store.read(bodies),
            store.write_bulk(use_link, "b"), return_exceptions=True,
        )  # fmt: skip
    assert {type(result) for result in results} == {StoreUnavailable}
    with pytest.raises(StoreUnavailable):  # and from here at once
        await store.append("prod", b"{}")


async def make_read_only(store: Store) -> None:
    """Leave each of the writers' connections as a failover may: alive, on a server where nobody may write."""
    all_at_once = threading.Barrier(engine.WRITERS)

    def demote(tx: Tx) -> None:
        tx.conn.execute(text("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"))
        all_at_once.wait(5)

    await asyncio.gather(*(store.write(demote) for _ in range(engine.WRITERS)))


async def test_f17_connections_on_which_nobody_may_write_any_more_are_replaced_without_anybody_noticing(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    await store.read(bodies)
    await make_read_only(store)

    await asyncio.gather(*(store.append("prod", b"{}") for _ in range(8)), *(store.write(use_link, n) for n in "abcd"))
    assert await store.read(bodies) == 8
    assert warnings(caplog) == []


@pytest.mark.parametrize("attributes", ["read-write", "any"])
async def test_f17_a_database_that_nobody_may_write_to_is_said_once_and_heals(
    on_postgres: Opened, caplog: pytest.LogCaptureFixture, attributes: str
) -> None:
    store = await Opened(f"{on_postgres.url}?target_session_attrs={attributes}").open()
    await store.append("prod", b"{}")
    await make_read_only(store)
    let_write(on_postgres.url, allowed=False)

    results: list[BaseException | None] = []
    for _ in range(20):
        writing = [store.append("prod", b"{}") for _ in range(8)]
        results += await asyncio.gather(*writing, return_exceptions=True)
        await asyncio.sleep(0.05)
    assert {type(result) for result in results} == {StoreUnavailable}
    assert "read-only" in str(results[-1])
    assert 1 <= len(warnings(caplog)) <= 2
    assert warnings(caplog)[0].startswith("the database cannot be used: ")

    let_write(on_postgres.url, allowed=True)
    await until_it_works(lambda: store.append("prod", b"{}"))
    assert await store.read(bodies) == 2
    await store.close()


def let_write(url: str, *, allowed: bool) -> None:
    """Have the sessions that begin from here write to this database, or not."""
    with psycopg.connect(url, options="-c default_transaction_read_only=off", autocommit=True) as conn:
        name = url.rpartition("/")[2]
        conn.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = {not allowed}'.encode())


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.fixture
def standby(server: Server) -> Iterator[Standby]:
    made = server.standby()
    yield made
    made.remove()


async def test_f17_a_standby_that_became_the_primary_is_found_and_has_all_that_was_answered(
    server: Server, standby: Standby
) -> None:
    name = server.database().rpartition("/")[2]
    both = f"postgresql://incidentd@/{name}?host=127.0.0.1:{server.port}&host=127.0.0.1:{standby.port}"
    store = await Opened(both).open()
    await asyncio.gather(*(store.append("prod", b"{}") for _ in range(8)))
    await store.read(bodies)

    server.fence()
    standby.promote()
    await until_it_works(lambda: store.append("prod", b"{}"), 30)
    found = await store.read(bodies)
    await store.close()

    assert found == 9


# -- what it refuses to open -----------------------------------------------------------------------------------------


async def test_a_server_that_is_not_there_is_named_in_one_line(free_port: int) -> None:
    opened = Opened(f"postgresql://incidentd@127.0.0.1:{free_port}/incidentd")
    with pytest.raises(StoreUnavailable, match=rf"cannot open the store at postgresql://\S+:{free_port}") as refused:
        await opened.open()

    assert "\n" not in str(refused.value)


async def test_a_database_that_does_not_keep_utf8_is_refused(postgres_server: Server) -> None:
    url = postgres_server.database(encoding="SQL_ASCII")
    with pytest.raises(StoreUnavailable, match="UTF-8"):
        await Opened(url).open()
    postgres_server.drop(url)


async def test_replicas_that_start_at_once_on_an_empty_database_migrate_it_once(postgres_url: str) -> None:
    opened = Opened(postgres_url)
    stores = await asyncio.gather(*(opened.open() for _ in range(3)))
    await asyncio.gather(*(store.append("prod", b"{}") for store in stores))

    assert await stores[0].read(bodies) == 3
    for store in stores:
        await store.close()
