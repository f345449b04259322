"""The store's promises: durable, one commit for many, a failing unit alone, one owner, one schema."""

import asyncio
import os
import sqlite3
import stat
import threading
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import CompoundSelect, Engine, Select, event, func, select, text

from incidentd.errors import StoreUnavailable
from incidentd.store import Store, Tx, jobs, migrate, postgres, reconciling, sqlite, subjects, switching, things, writer
from incidentd.store import inbox as store_inbox
from incidentd.store.tables import inbox, link_use, member, metadata
from incidentd.store.things import use_link
from incidentd.store.views import counts
from tests.conftest import ENGINES
from tests.store.conftest import NOW, Opened


def bodies(tx: Tx) -> int:
    return int(tx.conn.execute(select(func.count()).select_from(inbox)).scalar_one())


def nonces(tx: Tx) -> list[str]:
    return sorted(tx.conn.execute(select(link_use.c.nonce)).scalars())


async def test_what_was_appended_is_there_for_the_next_process(opened: Opened) -> None:
    first = await opened.open()
    await asyncio.gather(*(first.append("prod", b"{}") for _ in range(100)))
    await first.close()
    second = await opened.open()

    assert await second.read(bodies) == 100
    await second.close()


async def test_a_unit_that_raises_is_rolled_back_alone(store: Store) -> None:
    units = [store.write(use_link, nonce) for nonce in ("a", "b", "a", "c")]
    results = await asyncio.gather(*units, return_exceptions=True)

    # on PostgreSQL either of the two may be the first
    assert sorted(type(result).__name__ for result in results) == ["NoneType", "NoneType", "NoneType", "UsedLink"]
    assert {type(results[1]), type(results[3])} == {type(None)}
    assert await store.read(nonces) == ["a", "b", "c"]


async def test_a_unit_that_raises_after_writing_leaves_nothing(store: Store) -> None:
    def writes_and_raises(tx: Tx) -> None:
        use_link(tx, "gone")
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        await store.write(writes_and_raises)

    assert await store.read(nonces) == []


@pytest.mark.parametrize("how", ["write", "read"])
async def test_whoever_asks_hears_of_what_no_future_takes_as_an_error(store: Store, how: str) -> None:
    def stops(tx: Tx) -> None:
        next(iter(()))

    with pytest.raises(RuntimeError, match="StopIteration"):
        await asyncio.wait_for(getattr(store, how)(stops), 10)


async def test_figures_are_counted_once_even_when_a_batch_is_run_again(opened: Opened, store: Store) -> None:
    def counts(tx: Tx) -> None:
        tx.count(lambda m: m.alerts_unmatched_total.inc())

    def raises(tx: Tx) -> None:
        raise RuntimeError("no")

    await asyncio.gather(store.write(counts), store.write(raises), store.write(counts), return_exceptions=True)

    assert opened.metrics.registry.get_sample_value("incidentd_alerts_unmatched_total") == 2


async def test_a_reader_cannot_write(store: Store) -> None:
    with pytest.raises(StoreUnavailable, match=r"read-?only"):
        await store.read(use_link, "a")


@pytest.mark.slow
async def test_a_locked_database_is_unavailable_and_heals_by_itself(on_sqlite: Opened, in_file: Store) -> None:
    store = in_file
    other = sqlite3.connect(on_sqlite.path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreUnavailable, match="locked"):
        await store.append("prod", b"{}")
    other.execute("ROLLBACK")
    other.close()

    await store.append("prod", b"{}")
    assert await store.read(bodies) == 1


async def test_a_body_that_comes_while_others_wait_too_long_is_refused_at_once(
    in_file: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "LATE", 0.0)
    released = threading.Event()
    busy = asyncio.create_task(in_file.write(lambda tx: released.wait() or None))
    waiting = asyncio.create_task(in_file.append("prod", b"{}"))
    await asyncio.sleep(0)

    with pytest.raises(StoreUnavailable, match="did not take a delivery for"):
        await in_file.append("prod", b"{}")
    released.set()
    await asyncio.gather(busy, waiting)
    assert await in_file.read(bodies) == 1


async def test_units_leave_the_database_to_bodies_that_wait_and_go_on_in_their_order(
    in_file: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "TURN", 0.0)
    released = threading.Event()
    seen: list[int] = []
    first = asyncio.create_task(in_file.write(lambda tx: released.wait() or None))
    await asyncio.sleep(0)
    units = [asyncio.create_task(in_file.write(lambda tx: seen.append(bodies(tx)))) for _ in range(3)]
    body = asyncio.create_task(in_file.append("prod", b"{}"))
    await asyncio.sleep(0)
    released.set()
    await asyncio.gather(first, *units, body)

    assert seen == [1, 1, 1]


async def test_one_process_owns_the_file(on_sqlite: Opened, in_file: Store) -> None:
    with pytest.raises(StoreUnavailable, match="belongs to a running incidentd"):
        await on_sqlite.open()


async def test_a_schema_of_a_newer_version_is_refused_in_one_line(opened: Opened) -> None:
    store = await opened.open()
    await store.write(lambda tx: tx.conn.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    await store.close()

    with pytest.raises(StoreUnavailable, match="newer than this incidentd") as refused:
        await opened.open()
    assert "\n" not in str(refused.value)


async def test_a_file_that_is_no_database_is_named_and_left_alone(on_sqlite: Opened) -> None:
    opened = on_sqlite
    with open(opened.path, "wb") as file:  # noqa: ASYNC230 - nothing else runs here
        file.write(b"something else" * 100)

    with pytest.raises(StoreUnavailable, match="not a database"):
        await opened.open()
    assert os.stat(opened.path).st_size == len(b"something else") * 100


async def test_the_file_is_readable_by_its_owner_alone(on_sqlite: Opened, in_file: Store) -> None:
    assert stat.S_IMODE(os.stat(on_sqlite.path).st_mode) == 0o600


async def test_a_commit_is_on_the_disk_before_it_is_answered(
    on_sqlite: Opened, pragmas_of_a_daemon: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_PRAGMAS", pragmas_of_a_daemon)
    store = await on_sqlite.open()
    pragmas = await store.write(
        lambda tx: [tx.conn.execute(text(f"PRAGMA {name}")).scalar() for name in ("journal_mode", "synchronous")]
    )
    await store.close()

    assert pragmas == ["wal", 2]  # 2 is FULL


def compared(tx: Tx) -> MigrationContext:
    """Look at the tables that the code knows; the index of words each engine has of its own kind."""

    def ours(name: str | None, kind: str, _: object) -> bool:
        return kind != "table" or not str(name).startswith("library_words")

    return MigrationContext.configure(tx.conn, opts={"include_name": ours})


async def test_the_migrations_make_exactly_the_tables_of_the_code(store: Store) -> None:
    def differences(tx: Tx) -> list[object]:
        return list(compare_metadata(compared(tx), metadata))

    assert await store.read(differences) == []


async def test_an_equal_schema_is_left_alone_at_start(opened: Opened) -> None:
    """Another replica may be at work: not even a lock is taken."""
    statements: list[str] = []

    def heard(conn: object, cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    event.listen(Engine, "before_cursor_execute", heard)  # while no keeper goes through the listeners
    store = await opened.open()
    if opened.url.startswith("sqlite"):
        await store.close()
    statements.clear()
    await (await opened.open()).close()
    said = list(statements)
    await store.close()
    event.remove(Engine, "before_cursor_execute", heard)

    assert not [one for one in said if one.startswith(("CREATE", "ALTER", "DROP")) or "migrations" in one]


VALUES: dict[str, Any] = {
    "most": 5, "of_source": "a", "key": "b", "fingerprints": ["c"], "in_queue": "timer", "at": NOW,
    "since": NOW, "reaching": NOW, "full": ["ana/mail"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("index", "query"),
    [
        ("ix_inbox_new", store_inbox._NEXT), ("ix_alert_undecided", store_inbox._UNDECIDED),
        ("uq_hold_open", subjects._OPEN_HOLD), ("uq_incident_open", subjects._OPEN_INCIDENT),
        ("ix_member_open", subjects._MEMBERSHIPS), ("ix_job_due", jobs._DUE), ("uq_job_live", jobs._LIVE_KEY),
        ("ix_inbox_new", counts._INBOX), ("ix_hold_counted", counts._HOLDS),
        ("ix_incident_counted", counts._INCIDENTS), ("ix_job_rank", jobs._DUE_IN_LANES),
        ("ix_alert_group_cut", reconciling._ANY_CUT), ("ix_alert_status", reconciling._ANY_MUTED),
        ("ix_playbook_run_started_at", things._RECENT), ("uq_playbook_run_target", things._RECENT),
    ],
)  # fmt: skip
async def test_what_is_asked_all_the_time_is_found_by_its_index(
    store: Store, index: str, query: Select[Any] | CompoundSelect[Any]
) -> None:  # fmt: skip
    sent: list[tuple[str, Any]] = []

    def heard(conn: object, cursor: object, statement: str, parameters: Any, *_: object) -> None:
        sent.append((statement, parameters))

    def plan(tx: Tx) -> str:
        explain = "EXPLAIN QUERY PLAN"
        if tx.conn.dialect.name == "postgresql":
            explain = "EXPLAIN"
            for setting in ("enable_seqscan = off", "enable_sort = off"):  # a table this small would be read as a whole
                tx.conn.execute(text(f"SET LOCAL {setting}"))
        event.listen(tx.conn, "before_cursor_execute", heard)
        tx.conn.execute(query.execution_options(stream_results=False), VALUES)
        statement, parameters = sent[0]
        return str(tx.conn.exec_driver_sql(f"{explain} {statement}", parameters).all())

    assert index in await store.write(plan)


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_store_of_the_first_schema_is_brought_up_to_date_with_what_is_in_it(
    request: pytest.FixtureRequest, tmp_path: Path, engine: str
) -> None:
    url = request.getfixturevalue("postgres_url") if engine == "postgres" else f"sqlite:///{tmp_path}/incidentd.db"
    if engine == "sqlite":
        sqlite.create_file(tmp_path / "incidentd.db")
    old = postgres.make_engine(url, None) if engine == "postgres" else sqlite.write_engine(tmp_path / "incidentd.db")
    config = migrate._config()
    with old.begin() as conn:
        config.attributes["connection"] = conn
        command.upgrade(config, "0001")
        conn.execute(inbox.insert(), {"source": "prod", "at": NOW, "body": b"{}"})
        of = {"subject": "HOLD-1", "source": "prod", "open": True, "joined_at": NOW}
        conn.execute(member.insert(), [{**of, "fingerprint": str(n), "firing": n > 0} for n in range(3)])
        command.upgrade(config, "0008")
        conn.execute(text("INSERT INTO playbook_standing VALUES ('mend', 'abc', 'approve', 0, 7, 'demoted')"))
    old.dispose()
    opened = Opened(url)
    store = await opened.open()

    assert await store.read(bodies) == 1
    assert await store.write(subjects.firing, "HOLD-1") == 2
    (stands,) = await store.read(switching.standings)
    assert (stands.playbook, stands.sha256, stands.why) == ("mend", "abc", "demoted")
    assert await store.read(lambda tx: list(compare_metadata(compared(tx), metadata))) == []
    await store.close()
