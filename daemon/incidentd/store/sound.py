"""Looking at a store's file before it is opened: one that is damaged, empty or gone is named, never quietly replaced.

The lock file beside the store remembers how it was left: `open` while a process has it, and the size and time of the
file after a clean stop. A file that is not as it was left is looked at before anything is written into it.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import IO
from urllib.parse import quote

from incidentd.errors import StoreUnavailable
from incidentd.text import plain

log = logging.getLogger(__name__)

LOOK_FOR = 2.0
"""Seconds that a start spends on looking; `incidentd store check` looks at all of it."""


def restore_command(path: Path) -> str:
    """Say how a backup is put in a store's place."""
    return f"`incidentd store restore BACKUP --force --store sqlite:///{path}` (what is there now is kept beside it)"


def look(path: Path, lock: IO[bytes]) -> None:
    """Look at the file before it is opened. Raises StoreUnavailable, saying what is wrong and what to do."""
    lock.seek(0)
    left = lock.read()
    wal = Path(f"{path}-wal")
    written_ahead = wal.exists() and wal.stat().st_size > 0
    if not path.exists() or path.stat().st_size == 0:
        if left or written_ahead:
            what = "is empty" if path.exists() else "is gone"
            raise StoreUnavailable(
                f"the store at {path} {what}, and it held something; restore a backup with {restore_command(path)}, "
                f"or begin anew by removing {path}.lock and {wal}"
            )
        return
    if left != _as_it_is(path) or written_ahead:
        _quick_check(path)


def opened(lock: IO[bytes]) -> None:
    """Remember that the file is in use, so that a start after a crash looks at it."""
    _remember(lock, b"open\n")


def closed(path: Path, lock: IO[bytes]) -> None:
    """Bring the write-ahead log into the file, which readers that close last cannot, and remember how it was left."""
    try:
        with closing(sqlite3.connect(_uri(path, "rw"), uri=True)) as conn:
            conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.DatabaseError as error:
        log.warning("the store was closed, and its write-ahead log is left for the next start: %s", error)
        return
    _remember(lock, _as_it_is(path))


def _remember(lock: IO[bytes], what: bytes) -> None:
    lock.seek(0)
    lock.truncate()
    lock.write(what)
    lock.flush()


def _as_it_is(path: Path) -> bytes:
    stat = path.stat()
    return f"closed {stat.st_size} {stat.st_mtime_ns}\n".encode()


def _quick_check(path: Path) -> None:
    # a reader, since a writer would bring the write-ahead log into a file that may be damaged
    with closing(sqlite3.connect(_uri(path, "ro"), uri=True)) as conn:
        enough = threading.Timer(LOOK_FOR, conn.interrupt)
        enough.start()
        try:
            found = verdict(conn)
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorcode", 0) != sqlite3.SQLITE_INTERRUPT:
                raise StoreUnavailable(f"the store at {path} cannot be looked at: {error}") from error
            log.warning("looked at the store for %.0f seconds and found no damage in that part of it", LOOK_FOR)
            return
        except sqlite3.DatabaseError as error:
            found = str(error)
        finally:
            enough.cancel()
            enough.join()
    if found != "ok":
        raise StoreUnavailable(
            f"the store at {path} is damaged: {one_line(found)}; restore a backup with {restore_command(path)}"
        )


def verdict(conn: sqlite3.Connection) -> str:
    """Have SQLite look at its file: 'ok', or what is wrong with it first. Raises sqlite3.Error where it cannot look."""
    conn.text_factory = partial(str, encoding="utf-8", errors="replace")  # it quotes the damage
    try:
        return str(conn.execute("PRAGMA quick_check(1)").fetchone()[0])
    except UnicodeDecodeError as error:  # an error may quote it, too
        return f"what it says of itself is not text: {error}"


def _uri(path: Path, mode: str) -> str:
    return f"file:{quote(str(path.absolute()))}?mode={mode}"


def one_line(text: str) -> str:
    """Make what SQLite says of damage one harmless line."""
    return plain(" ".join(text.replace("*** in database main ***", "").split()))
