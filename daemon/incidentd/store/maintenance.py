"""What is done to an SQLite store by hand: check it, copy it while the daemon runs, put a copy back, prune it now."""

from __future__ import annotations

import contextlib
import itertools
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from incidentd.errors import Conflict, IncidentdError, NotFound, StoreUnavailable
from incidentd.settings import Retention
from incidentd.store import chain, migrate, retention, sound, sqlite
from incidentd.store.base import Tx, working
from incidentd.text import count
from incidentd.timeline import SYSTEM, Entry, first_broken

_NO_MATTER_WHEN = datetime.min.replace(tzinfo=UTC)  # reading asks for no time
_SIDES = ("", "-wal", "-shm", "-journal")  # the files that one SQLite database may consist of


class Broken(IncidentdError):
    """A check found something; the message is the first thing that is wrong, and what to do about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Good:
    """What a check looked at and found good."""

    revision: str
    newest: str
    """The schema that this program works with; where the store's is older, its timelines are not looked at."""
    timelines: int = 0
    entries: int = 0

    def __str__(self) -> str:
        if self.revision != self.newest:
            return f"good as a file: schema {self.revision}, which the next start brings up to {self.newest}"
        told = f"{count(self.timelines, 'timeline')} with {self.entries} entries"
        return f"good: schema {self.revision}, {told}, every one whole"


def file_of(url: str) -> Path:
    """Give the file of a store. Raises Conflict for PostgreSQL, which brings tools of its own."""
    if not url.startswith("sqlite:///"):
        raise Conflict("this is for SQLite; for PostgreSQL use pg_dump and pg_restore, which do all of it")
    return sqlite.path_of(url)


# -- check -----------------------------------------------------------------------------------------------------------


def check(path: Path) -> Good:
    """Look at all of a store, as it is at this moment; a daemon may run on it meanwhile.

    Raises Broken with the first thing that is wrong, and NotFound when there is no file.
    """
    if not path.exists():
        raise NotFound(f"there is no store at {path}")
    return _checked(path, path)


def _checked(file: Path, path: Path) -> Good:
    """Look at a file that holds the store at `path`, or a copy of it. Raises Broken."""
    engine = sqlite.read_engine(file)
    try:
        return _looked_at(engine, path)
    except DBAPIError as error:
        raise _damaged(path, str(error.orig)) from error
    except (ValueError, TypeError, ArithmeticError, LookupError) as error:  # a value is not what its column holds
        raise _damaged(path, str(error)) from error
    finally:
        engine.dispose()


def _looked_at(engine: Engine, path: Path) -> Good:
    with engine.connect() as conn, conn.begin():
        found = conn.exec_driver_sql("PRAGMA integrity_check(1)").scalar()
        if found != "ok":
            raise _damaged(path, str(found))
        revision = _known_revision(migrate.revision_of(conn), path)
        row = conn.exec_driver_sql("PRAGMA foreign_key_check").first()
        if row is not None:
            raise _damaged(path, f"row {row[1]} of {row[0]} belongs to a row of {row[2]} that is not there")
        newest = migrate.revisions()[0]
        if revision != newest:
            return Good(revision=revision, newest=newest)
        timelines, entries = consistent(Tx(conn, _NO_MATTER_WHEN))
        return Good(revision=revision, newest=newest, timelines=timelines, entries=entries)


def consistent(tx: Tx) -> tuple[int, int]:
    """Look at what the rows of a store say of each other; gives how many timelines and entries there are.

    Raises Broken with the first thing that is wrong.
    """
    seen = _whole_timelines(tx)
    for what, advice, query in _DANGLING:
        key = tx.conn.execute(text(query)).scalar()
        if key is not None:
            raise Broken(f"{what.format(key=key)}; {advice.format(key=key)}")
    return seen


def _damaged(path: Path, what: str) -> Broken:
    line = sound.one_line(what)
    return Broken(f"the file is damaged: {line}; stop the daemon and restore a backup: {sound.restore_command(path)}")


def _known_revision(revision: str | None, path: Path) -> str:
    if revision is None:
        raise _damaged(path, "it is a database, but not one of incidentd")
    if revision not in migrate.revisions():
        raise Broken(f"its schema ({revision}) is newer than this incidentd; check it with the version that made it")
    return revision


def _whole_timelines(tx: Tx) -> tuple[int, int]:
    """Go along every chain to its head; a beginning may be missing only where `SYSTEM` says that it was pruned."""
    heads, pruned = chain.heads(tx), _pruned(tx)
    timelines = entries = 0
    for subject, told in chain.chains(tx):
        _whole(subject, told, pruned.get(subject, (0, "")), heads.pop(subject, None))
        timelines += 1
        entries += len(told)
    for subject, head in heads.items():
        if pruned.get(subject) != head:
            raise _tampered(subject, "all of its entries are missing, and nothing says that they were pruned")
    return timelines, entries


def _pruned(tx: Tx) -> dict[str, tuple[int, str]]:
    said = [entry.data["chains"] for entry in chain.entries(tx, SYSTEM) if entry.kind == retention.PRUNED]
    return {subject: (seq, digest) for one in said for subject, (seq, digest) in one.items()}


def _whole(subject: str, told: list[Entry], pruned: tuple[int, str], head: tuple[int, str] | None) -> None:
    after = pruned if told[0].seq > 1 else (0, "")
    broken = first_broken(told, after=after)
    if broken is not None:
        raise _tampered(subject, f"entry {broken.seq} was changed, or what stood before it is missing")
    if head != (told[-1].seq, told[-1].hash):
        raise _tampered(subject, f"what followed entry {told[-1].seq} is missing")


def _tampered(subject: str, what: str) -> Broken:
    return Broken(
        f"the timeline of {subject} is not as it was written: {what}; keep this file, and compare it with a backup "
        "(`incidentd store check --store sqlite:///BACKUP`)"
    )


_BY_HAND = "end it by hand (`incidentd declare {key}`), and tell whoever changed the store"
_DANGLING = (
    (
        "{key} is open, but nothing will look at it when its time comes", _BY_HAND,
        # the clock of one that is snoozed stands still; before one declares, Alertmanager is asked by a job of its own
        "SELECT 'HOLD-' || id FROM hold WHERE open AND state <> 'snoozed' AND NOT EXISTS"
        " (SELECT 1 FROM job WHERE ukey IN ('HOLD-' || hold.id, 'verify:HOLD-' || hold.id) AND state = 'live')",
    ),
    (
        "{key} is said to go on, but no job goes on with it", "restore a backup, or end what it belongs to by hand",
        "SELECT 'RUN-' || id FROM playbook_run WHERE active AND NOT EXISTS"
        " (SELECT 1 FROM job WHERE ukey = 'RUN-' || playbook_run.id AND state = 'live')",
    ),
    (
        "alerts are followed for {key}, which is not open", "restore a backup",
        # a list that is made once: looked for anew, a storm's alerts times its holds take minutes
        "SELECT subject FROM member WHERE open AND subject NOT IN (SELECT 'HOLD-' || id FROM hold WHERE open"
        " UNION ALL SELECT 'INC-' || id FROM incident WHERE open)",
    ),
    (
        "a timeline speaks of {key}, which is not there", "restore a backup",
        # an action item outlives its incident, and what is done about it is told there
        "SELECT DISTINCT subject FROM timeline WHERE subject <> 'SYSTEM'"
        " AND subject NOT IN (SELECT 'HOLD-' || id FROM hold UNION ALL SELECT 'INC-' || id FROM incident"
        " UNION ALL SELECT subject FROM page WHERE subject LIKE 'SUM-%' UNION ALL SELECT subject FROM action_item)",
    ),
)  # fmt: skip
"""What no transaction leaves behind: the words, what to do, and a query for the first one."""


# -- backup and restore ----------------------------------------------------------------------------------------------


def backup(path: Path, to: Path) -> int:
    """Copy a store to a new file, while a daemon may write into it; give the size of the copy in bytes.

    The copy is as the store was at one moment, checked, on the disk when this returns, and readable by its owner
    alone. Raises NotFound without a store, Conflict when the file exists, StoreUnavailable when it cannot be written,
    and Broken when the copy is not good: there is none of a file that SQLite cannot read, and else it is kept, since
    it may be the last one.
    """
    if not path.exists():
        raise NotFound(f"there is no store at {path}")
    with (
        _put_in_place(to) as partial,
        closing(_connect(path, "ro")) as source,
        closing(_connect(partial, "rw")) as copy,
    ):
        # all in one go: in steps it would begin again whenever the daemon wrote something
        source.backup(copy, pages=-1)
        found = sound.verdict(copy)
        if found != "ok":
            raise _damaged(path, found)
        copy.execute("PRAGMA journal_mode=DELETE")  # one plain file, that can be read where nothing can be written
    try:
        _checked(to, path)
    except Broken as error:
        raise Broken(f"{to} is made, and `store restore` will not take it as it is: {error}") from error
    return to.stat().st_size


def restore(path: Path, backup_file: Path, *, force: bool) -> Path | None:
    """Put a backup in a store's place; gives where the store that was there is kept now, None when there was none.

    Raises StoreUnavailable while a daemon runs on it, Conflict when there is a store and `force` is not given, and
    Broken when the backup is not good; then nothing was changed.
    """
    check(backup_file)
    with closing(sqlite.lock(path)) as lock:
        there = _holds_something(path)
        if there and not force:
            raise Conflict(
                f"there is a store at {path}; with --force it is kept beside it, and the backup takes its place"
            )
        ready = path.with_name(f"{path.name}.restoring")
        ready.unlink(missing_ok=True)
        with _put_in_place(ready) as partial:
            _copy(backup_file, partial)
        kept = _put_aside(path) if there else None
        for side in _SIDES:
            _side(path, side).unlink(missing_ok=True)
        ready.rename(path)
        _sync_folder(path)
        sound.opened(lock)  # so that the next start looks at it
        return kept


def _holds_something(path: Path) -> bool:
    """Say whether there is a store; a reader leaves empty files behind that are none."""
    wal = _side(path, "-wal")
    return path.exists() or (wal.exists() and wal.stat().st_size > 0)


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"file:{quote(str(path.absolute()))}?mode={mode}", uri=True, isolation_level=None, timeout=30
    )


def _copy(source: Path, to: Path) -> None:
    with closing(_connect(source, "ro")) as conn, closing(_connect(to, "rw")) as copy:
        conn.backup(copy, pages=-1)


@contextlib.contextmanager
def _put_in_place(to: Path) -> Iterator[Path]:
    """Give a file to write; when the block ends well it is on the disk under its name, and else it is gone."""
    partial = to.with_name(f"{to.name}.partial-{os.getpid()}")
    try:
        if to.exists():
            raise Conflict(f"{to} exists, and nothing is written over it; give another name")
        os.close(os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        yield partial
        _sync(partial)
        os.link(partial, to)  # unlike a rename this never replaces a file that came meanwhile
        _sync_folder(to)
    except FileExistsError:
        raise Conflict(f"{to} exists, and nothing is written over it; give another name") from None
    except sqlite3.DatabaseError as error:
        raise StoreUnavailable(f"{to} could not be made: {error}") from error
    except OSError as error:
        raise StoreUnavailable(f"{to} could not be written: {error.strerror}") from error
    finally:
        for side in _SIDES:
            _side(partial, side).unlink(missing_ok=True)


def _put_aside(path: Path) -> Path:
    """Give what is there another name, with everything that belongs to it."""
    names = (path.with_name(f"{path.name}.replaced-{number}") for number in itertools.count(1))
    kept = next(name for name in names if not any(_side(name, side).exists() for side in _SIDES))
    # the main file first: a start that finds the others without it refuses, instead of reading half of a store
    for side in _SIDES:
        if _side(path, side).exists():
            _side(path, side).rename(_side(kept, side))
    return kept


def _side(path: Path, side: str) -> Path:
    return path.with_name(path.name + side)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(path: Path) -> None:
    _sync(path.absolute().parent)


# -- prune -----------------------------------------------------------------------------------------------------------


def prune(path: Path, keep: Retention, clock: Callable[[], datetime]) -> tuple[int, int]:
    """Remove now all that is over for longer than it is kept, and give its space back to the disk.

    Gives the size of the file in bytes before and after. Raises StoreUnavailable while a daemon runs on it, which
    prunes by itself, and NotFound without a store.
    """
    if not path.exists():
        raise NotFound(f"there is no store at {path}")
    with closing(sqlite.lock(path)) as lock:
        sound.look(path, lock)
        migrate.upgrade(sqlite.write_engine(path))
        engine = sqlite.write_engine(path)
        try:
            before = path.stat().st_size
            more = True
            while more:
                with engine.connect() as conn, conn.begin(), working(conn, clock()) as tx:
                    more = retention.prune(tx, keep)
        finally:
            engine.dispose()
        with closing(_connect(path, "rw")) as raw:
            raw.execute("VACUUM")
        sound.closed(path, lock)
        return before, path.stat().st_size
