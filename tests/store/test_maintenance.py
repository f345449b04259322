"""What is done to a store by hand: check, backup, restore and prune; and starts that find something damaged."""

import os
import random
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from incidentd.errors import Conflict, NotFound, StoreUnavailable
from incidentd.metrics import Metrics
from incidentd.settings import Retention
from incidentd.store import Store, Tx, chain, jobs, maintenance, migrate, open_store, sound
from incidentd.store import tables as t
from incidentd.timeline import Actor, Draft
from tests.engine.test_holds_and_incidents import SETTINGS
from tests.engine.world import make_world

NOW = datetime(2026, 11, 24, 14, 0, tzinfo=UTC)
LONG = os.environ.get("INCIDENTD_TEST_LONG") == "1"
ANA = Actor(name="ana", via="api")


async def opened(path: Path, now: datetime = NOW) -> Store:
    return await open_store(f"sqlite:///{path}", lambda: now, Metrics(version="test"))


async def lived_in(folder: Path) -> Path:
    """Make a store in which something happened: an incident, a hold that healed, a note for nobody."""
    w = await make_world(folder, SETTINGS)
    await w.send(w.firing("CheckoutDown"))
    await w.send(w.firing(pod="a"), group="{}:{lag}")
    await w.store.write(chain.append, "SYSTEM", ANA, [Draft("note", str(n)) for n in range(20)])
    await w.store.close()
    return folder / "incidentd.db"


def change(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as conn, conn:
        for statement in statements:
            conn.execute(statement)


def bodies(tx: Tx) -> int:
    return len(tx.conn.execute(select(t.inbox.c.id)).all())


# -- check -----------------------------------------------------------------------------------------------------------


async def test_a_store_that_was_lived_in_is_good_and_the_check_says_what_it_saw(tmp_path: Path) -> None:
    good = maintenance.check(await lived_in(tmp_path))

    assert good.timelines == 3
    assert str(good).startswith(f"good: schema {good.revision}, 3 timelines with ")


async def test_a_store_can_be_checked_while_it_is_written(tmp_path: Path) -> None:
    path = await lived_in(tmp_path)
    store = await opened(path)
    await store.append("prod", b"{}")

    assert maintenance.check(path).timelines == 3
    await store.close()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("UPDATE timeline SET text = 'nothing' WHERE subject = 'INC-1' AND seq = 2", "INC-1.*entry 2 was changed"),
        ("UPDATE timeline SET data = '{' WHERE subject = 'INC-1' AND seq = 2", "damaged"),
        ("UPDATE timeline SET at = 'noon' WHERE subject = 'INC-1' AND seq = 2", "damaged"),
        ("DELETE FROM timeline WHERE subject = 'INC-1' AND seq = 1", "INC-1.*entry 2 was changed, or what stood"),
        ("DELETE FROM timeline WHERE subject = 'SYSTEM' AND seq = 20", "SYSTEM.*what followed entry 19 is missing"),
        ("DELETE FROM timeline WHERE subject = 'INC-1'", "INC-1.*all of its entries are missing"),
        ("DELETE FROM job WHERE ukey = 'HOLD-1'", "HOLD-1 is open, but nothing will look at it.*declare HOLD-1"),
        ("UPDATE incident SET open = 0", "alerts are followed for INC-1, which is not open"),
        ("UPDATE alembic_version SET version_num = '9999'", r"schema \(9999\) is newer than this incidentd"),
        ("DELETE FROM alembic_version", "it is a database, but not one of incidentd"),
        ("INSERT INTO group_member VALUES (99, 'f', 1)", "row .* of group_member belongs to a row of alert_group"),
    ],
)
async def test_the_first_broken_thing_is_named_with_what_to_do(tmp_path: Path, damage: str, words: str) -> None:
    path = await lived_in(tmp_path)
    change(path, damage)

    with pytest.raises(maintenance.Broken, match=words):
        maintenance.check(path)


async def test_a_store_of_an_older_version_is_good_and_its_backup_can_be_put_back(tmp_path: Path) -> None:
    path, copy = await lived_in(tmp_path), tmp_path / "copy.db"
    newest, *_, oldest = migrate.revisions()
    change(path, f"UPDATE alembic_version SET version_num = '{oldest}'")  # noqa: S608 - a name of our own
    maintenance.backup(path, copy)
    maintenance.restore(path, copy, force=True)

    said = f"good as a file: schema {oldest}, which the next start brings up to {newest}"
    assert str(maintenance.check(path)) == said


async def test_what_was_pruned_is_told_from_what_was_taken_away(tmp_path: Path) -> None:
    w = await make_world(tmp_path, SETTINGS)
    await w.send(w.firing())
    await w.at(2)
    await w.send(w.resolved())
    await w.at(10)
    await w.store.close()
    path = tmp_path / "incidentd.db"
    later = w.now + timedelta(days=500)
    before, after = maintenance.prune(path, Retention(), lambda: later)
    assert after <= before
    assert maintenance.check(path).timelines == 1

    store = await opened(path, later)
    await store.write(chain.append, "INC-7", ANA, [Draft("note", "x")])
    await store.close()
    change(path, "DELETE FROM timeline WHERE subject = 'INC-7'")
    with pytest.raises(maintenance.Broken, match="INC-7"):
        maintenance.check(path)


async def test_without_a_store_there_is_nothing_to_check_or_copy_and_none_is_made(tmp_path: Path) -> None:
    path = tmp_path / "incidentd.db"
    with pytest.raises(NotFound, match="there is no store"):
        maintenance.check(path)
    with pytest.raises(NotFound, match="there is no store"):
        maintenance.backup(path, tmp_path / "copy")

    assert os.listdir(tmp_path) == []


def test_postgresql_brings_its_own_tools() -> None:
    with pytest.raises(Conflict, match="pg_dump"):
        maintenance.file_of("postgresql://127.0.0.1/incidentd")


# -- backup and restore ----------------------------------------------------------------------------------------------


async def test_a_backup_is_taken_while_the_store_is_written_and_is_one_plain_file(tmp_path: Path) -> None:
    path, copy = await lived_in(tmp_path), tmp_path / "copy.db"
    store = await opened(path)
    await store.append("prod", b"{}")
    before = os.umask(0)
    try:
        size = maintenance.backup(path, copy)
    finally:
        os.umask(before)
    await store.append("prod", b"{}")
    await store.close()

    assert (size, stat.S_IMODE(copy.stat().st_mode)) == (copy.stat().st_size, 0o600)
    assert maintenance.check(copy).timelines == 3
    assert sorted(os.listdir(tmp_path)) == ["copy.db", "incidentd.db", "incidentd.db.lock"]
    with closing(sqlite3.connect(copy)) as conn:
        assert conn.execute("SELECT count(*) FROM inbox").fetchone() == (3,)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("UPDATE timeline SET text = 'nothing' WHERE subject = 'INC-1' AND seq = 2", "INC-1.*entry 2 was changed"),
        ("DELETE FROM job WHERE ukey = 'HOLD-1'", "HOLD-1 is open, but nothing will look at it.*declare HOLD-1"),
        ("UPDATE timeline SET at = 'noon' WHERE seq = 2", "damaged.*store restore BACKUP.*sqlite:///.*incidentd.db"),
    ],
)
async def test_a_backup_that_could_not_be_put_back_is_kept_and_said_to_be_so(
    tmp_path: Path, damage: str, words: str
) -> None:
    path, copy = await lived_in(tmp_path), tmp_path / "copy.db"
    change(path, damage)
    with pytest.raises(maintenance.Broken, match=rf"copy.db is made, and `store restore` will not take it.*{words}"):
        maintenance.backup(path, copy)

    assert [name for name in os.listdir(tmp_path) if name.startswith("copy")] == ["copy.db"]
    with pytest.raises(maintenance.Broken, match=words.partition(".*store restore")[0]):
        maintenance.restore(path, copy, force=True)


async def test_a_backup_never_writes_over_anything(tmp_path: Path) -> None:
    path, copy = await lived_in(tmp_path), tmp_path / "copy.db"
    copy.write_text("precious")
    with pytest.raises(Conflict, match="nothing is written over it"):
        maintenance.backup(path, copy)

    assert copy.read_text() == "precious"
    with pytest.raises(StoreUnavailable, match="could not be written: No such file"):
        maintenance.backup(path, tmp_path / "no" / "where")


async def test_a_restored_store_goes_on_where_the_backup_was_taken(tmp_path: Path) -> None:
    path, copy = await lived_in(tmp_path), tmp_path / "copy.db"
    maintenance.backup(path, copy)
    later = await opened(path)
    await later.append("prod", b"{}")
    await later.close()
    with pytest.raises(Conflict, match="--force"):
        maintenance.restore(path, copy, force=False)
    kept = maintenance.restore(path, copy, force=True)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    store = await opened(path)
    assert await store.read(bodies) == 2
    await store.close()
    assert kept is not None
    with closing(sqlite3.connect(kept)) as conn:
        assert conn.execute("SELECT count(*) FROM inbox").fetchone() == (3,)


async def test_nothing_of_the_old_store_is_read_into_the_restored_one(tmp_path: Path) -> None:
    """A write-ahead log that stayed behind would be replayed into a file that it does not belong to."""
    path, copy = await lived_in(tmp_path), tmp_path / "copy.db"
    maintenance.backup(path, copy)
    dead = tmp_path / "dead"
    dead.mkdir()
    store = await opened(path)
    await store.append("prod", b"{}")
    for side in ("", "-wal", "-shm", ".lock"):  # the files as a kill leaves them
        (dead / f"incidentd.db{side}").write_bytes((tmp_path / f"incidentd.db{side}").read_bytes())
    await store.close()
    maintenance.restore(dead / "incidentd.db", copy, force=True)

    assert maintenance.check(dead / "incidentd.db").timelines == 3
    with closing(sqlite3.connect(dead / "incidentd.db.replaced-1")) as conn:
        assert conn.execute("SELECT count(*) FROM inbox").fetchone() == (3,)
    assert not (dead / "incidentd.db-wal").exists()


async def test_a_store_that_a_daemon_runs_on_is_not_replaced_or_pruned(tmp_path: Path) -> None:
    path, copy = await lived_in(tmp_path), tmp_path / "copy.db"
    maintenance.backup(path, copy)
    store = await opened(path)
    for act in (
        lambda: maintenance.restore(path, copy, force=True),
        lambda: maintenance.prune(path, Retention(), lambda: NOW),
    ):
        with pytest.raises(StoreUnavailable, match="belongs to a running incidentd"):
            act()
    await store.close()


async def test_a_bad_backup_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    path, bad = await lived_in(tmp_path), tmp_path / "bad.db"
    bad.write_bytes(b"not what it seems" * 1000)
    before = path.read_bytes()
    with pytest.raises(maintenance.Broken, match="not a database"):
        maintenance.restore(path, bad, force=True)

    assert path.read_bytes() == before


async def test_a_lost_store_is_restored_without_force(tmp_path: Path) -> None:
    path, copy = await lived_in(tmp_path), tmp_path / "copy.db"
    maintenance.backup(path, copy)
    path.unlink()

    assert maintenance.restore(path, copy, force=False) is None
    assert maintenance.check(path).timelines == 3


# -- starts ----------------------------------------------------------------------------------------------------------


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def headless(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"\0" * 4096)


def removed(path: Path) -> None:
    path.unlink()


def scribbled(path: Path) -> None:
    with path.open("r+b") as file:
        for page in range(1, path.stat().st_size // 4096):
            file.seek(page * 4096)
            file.write(bytes(range(256)))


@pytest.mark.parametrize("damage", [emptied, headless, removed, scribbled])
@pytest.mark.slow
async def test_a_damaged_store_is_named_with_the_way_back_and_never_replaced(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    path = await lived_in(tmp_path)
    damage(path)
    before = path.read_bytes() if path.exists() else None
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match=rf"incidentd store restore BACKUP --force --store sqlite:///{path}"):
            await opened(path)

    assert (path.read_bytes() if path.exists() else None) == before


@pytest.mark.slow
async def test_damage_anywhere_is_named_or_harms_nothing(tmp_path: Path) -> None:
    """Scribbles at random: each is either seen, or every delivery is still there."""
    path = await lived_in(tmp_path)
    whole, chance = path.read_bytes(), random.Random(1)  # noqa: S311 - the same scribbles every time
    seen = 0
    for _ in range(200 if LONG else 40):
        broken = bytearray(whole)
        at = chance.randrange(len(whole))
        broken[at : at + chance.choice((1, 16, 4096))] = chance.randbytes(chance.choice((1, 16, 4096)))
        path.write_bytes(broken[: len(whole)])
        for side in ("-wal", "-shm"):
            path.with_name(path.name + side).unlink(missing_ok=True)
        try:
            store = await opened(path)
        except StoreUnavailable:
            seen += 1
            continue
        assert await store.read(bodies) == 2
        await store.close()

    assert seen > 4


async def test_damage_that_is_told_with_bytes_that_are_no_text_is_named(tmp_path: Path) -> None:
    path = await lived_in(tmp_path)
    change(path, "CREATE INDEX of_all ON inbox (source)")
    with closing(sqlite3.connect(path)) as conn:
        (root,) = conn.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'of_all'").fetchone()
    broken = bytearray(path.read_bytes().replace(b"of_all", b"\xec\x1b[2J\xff"))
    entries = (root - 1) * 4096 + 3
    broken[entries : entries + 2] = b"\0\0"
    path.write_bytes(broken)

    with pytest.raises(StoreUnavailable, match="is damaged: ") as raised:
        await opened(path)
    assert str(raised.value).isprintable()
    with pytest.raises(maintenance.Broken, match="is damaged: "):
        maintenance.check(path)
    with pytest.raises(maintenance.Broken, match="is damaged: "):
        maintenance.backup(path, tmp_path / "copy.db")


async def test_a_store_that_was_left_well_is_not_looked_at_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = await lived_in(tmp_path)
    looked: list[Path] = []
    monkeypatch.setattr(sound, "_quick_check", looked.append)
    await (await opened(path)).close()
    assert looked == []

    change(path, "PRAGMA user_version = 7")
    await (await opened(path)).close()
    assert looked == [path]


@pytest.mark.slow
async def test_a_start_looks_no_longer_than_it_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = await lived_in(tmp_path)
    change(path, "CREATE TABLE big AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 300000) "
                 "SELECT x, hex(randomblob(50)) AS y FROM n")  # fmt: skip
    monkeypatch.setattr(sound, "LOOK_FOR", 0.001)
    store = await opened(path)

    assert await store.read(jobs.next_due, jobs.TIMER) is not None
    await store.close()
