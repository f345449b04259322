"""The store's promises: durable, one commit for many, a failing unit alone, one owner, one schema."""

import asyncio
import os
import sqlite3
import stat
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import func, select, text

from incidentd.errors import Conflict, StoreUnavailable
from incidentd.store import SqliteStore, Tx, sqlite
from incidentd.store.tables import inbox, link_use, metadata
from incidentd.store.things import use_link
from tests.store.conftest import Opened


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


async def test_a_unit_that_raises_is_rolled_back_alone(store: SqliteStore) -> None:
    units = [store.write(use_link, nonce) for nonce in ("a", "b", "a", "c")]
    results = await asyncio.gather(*units, return_exceptions=True)

    assert [type(result) for result in results] == [type(None), type(None), Conflict, type(None)]
    assert await store.read(nonces) == ["a", "b", "c"]


async def test_a_unit_that_raises_after_writing_leaves_nothing(store: SqliteStore) -> None:
    def writes_and_raises(tx: Tx) -> None:
        use_link(tx, "gone")
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        await store.write(writes_and_raises)

    assert await store.read(nonces) == []


async def test_figures_are_counted_once_even_when_a_batch_is_run_again(opened: Opened, store: SqliteStore) -> None:
    def counts(tx: Tx) -> None:
        tx.count(lambda m: m.alerts_unmatched_total.inc())

    def raises(tx: Tx) -> None:
        raise RuntimeError("no")

    await asyncio.gather(store.write(counts), store.write(raises), store.write(counts), return_exceptions=True)

    assert opened.metrics.registry.get_sample_value("incidentd_alerts_unmatched_total") == 2


async def test_a_reader_cannot_write(store: SqliteStore) -> None:
    with pytest.raises(StoreUnavailable, match="readonly"):
        await store.read(use_link, "a")


async def test_a_locked_database_is_unavailable_and_heals_by_itself(
    opened: Opened, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = sqlite3.connect(opened.path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreUnavailable, match="locked"):
        await store.append("prod", b"{}")
    other.execute("ROLLBACK")
    other.close()

    await store.append("prod", b"{}")
    assert await store.read(bodies) == 1


async def test_one_process_owns_the_file(opened: Opened, store: SqliteStore) -> None:
    with pytest.raises(StoreUnavailable, match="belongs to a running incidentd"):
        await opened.open()


async def test_a_schema_of_a_newer_version_is_refused_in_one_line(opened: Opened) -> None:
    await (await opened.open()).close()
    with sqlite3.connect(opened.path) as conn:
        conn.execute("UPDATE alembic_version SET version_num = '9999'")
    conn.close()

    with pytest.raises(StoreUnavailable, match="newer than this incidentd"):
        await opened.open()


async def test_a_file_that_is_no_database_is_named_and_left_alone(opened: Opened) -> None:
    with open(opened.path, "wb") as file:  # noqa: ASYNC230 - nothing else runs here
        file.write(b"something else" * 100)

    with pytest.raises(StoreUnavailable, match="not a database"):
        await opened.open()
    assert os.stat(opened.path).st_size == len(b"something else") * 100


async def test_the_file_is_readable_by_its_owner_alone(opened: Opened, store: SqliteStore) -> None:
    assert stat.S_IMODE(os.stat(opened.path).st_mode) == 0o600


async def test_a_commit_is_on_the_disk_before_it_is_answered(store: SqliteStore) -> None:
    pragmas = await store.write(
        lambda tx: [tx.conn.execute(text(f"PRAGMA {name}")).scalar() for name in ("journal_mode", "synchronous")]
    )

    assert pragmas == ["wal", 2]  # 2 is FULL


def test_the_migrations_make_exactly_the_tables_of_the_code(tmp_path: Path) -> None:
    from incidentd.store import migrate

    path = tmp_path / "x.db"
    sqlite.create_file(path)
    engine = sqlite.write_engine(path)
    migrate.upgrade(engine)
    with engine.connect() as conn:
        differences = compare_metadata(MigrationContext.configure(conn), metadata)
    engine.dispose()

    assert differences == []
