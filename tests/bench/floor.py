"""Floors: the least that any receiver in Python must do, as bare aiohttp servers.

python -m tests.bench.floor PORT parse      read the body, decode it with msgspec, answer
python -m tests.bench.floor PORT journal    read the body, and answer after it is in SQLite (WAL, synchronous=FULL);
                                            one writer thread takes everything that waits into one commit
python -m tests.bench.floor PORT commit     both: decode, and answer after the commit
python -m tests.bench.floor PORT group      decode, and upsert a row an alert in the same way
python -m tests.bench.floor PORT pg         read the body, and answer after it is in PostgreSQL: a transaction a body,
                                            over eight connections; --db is the database's URL

All of them run on uvloop, the fastest loop that there is.
"""

from __future__ import annotations

import argparse
import asyncio
import queue
import sqlite3
import threading
from collections.abc import Awaitable, Callable

import msgspec
import psycopg
import uvloop
from aiohttp import web

PATH = "/api/v1/alertmanager"
_MOST = 256
"""Bodies in one commit."""
_CONNECTIONS = 8


class Alert(msgspec.Struct):
    """An alert of the body, typed."""

    status: str
    labels: dict[str, str]
    annotations: dict[str, str]
    startsAt: str  # Alertmanager's own names
    endsAt: str
    fingerprint: str


class Body(msgspec.Struct):
    """A webhook body, typed."""

    receiver: str
    groupKey: str
    alerts: list[Alert]


decode = msgspec.json.Decoder(Body).decode
Keep = Callable[[bytes], Awaitable[None]]


PG = "INSERT INTO journal(body) VALUES(%b)"
JOURNAL = "INSERT INTO journal(body) VALUES(?)"
GROUP = "INSERT INTO alert VALUES(?, ?, ?) ON CONFLICT(fingerprint) DO UPDATE SET body = excluded.body, seen = seen + 1"


class Journal:
    """One table, one writer thread, group commit; a row a body, or a row an alert."""

    def __init__(self, path: str, *, by_alert: bool = False) -> None:
        self._by_alert = by_alert
        self._loop = asyncio.get_running_loop()
        self._waiting: queue.SimpleQueue[tuple[bytes, asyncio.Future[None]]] = queue.SimpleQueue()
        self._path = path
        threading.Thread(target=self._write, daemon=True).start()

    async def keep(self, body: bytes) -> None:
        """Return when the body is on the disk."""
        future = self._loop.create_future()
        self._waiting.put((body, future))
        await future

    def _write(self) -> None:
        db = sqlite3.connect(self._path, isolation_level=None)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.execute("CREATE TABLE journal(id INTEGER PRIMARY KEY, body BLOB NOT NULL)")
        db.execute("CREATE TABLE alert(fingerprint TEXT PRIMARY KEY, body BLOB NOT NULL, seen INTEGER NOT NULL)")
        while True:
            batch = [self._waiting.get()]
            while len(batch) < _MOST and not self._waiting.empty():
                batch.append(self._waiting.get())
            db.execute("BEGIN IMMEDIATE")
            if self._by_alert:
                found = [alert for body, _ in batch for alert in decode(body).alerts]
                db.executemany(GROUP, [(alert.fingerprint, msgspec.json.encode(alert), 1) for alert in found])
            else:
                db.executemany(JOURNAL, [(body,) for body, _ in batch])
            db.execute("COMMIT")
            self._loop.call_soon_threadsafe(_answer, [future for _, future in batch])


class Pool:
    """Connections to PostgreSQL, each with one body on its way."""

    def __init__(self) -> None:
        self._idle: asyncio.LifoQueue[psycopg.AsyncConnection] = asyncio.LifoQueue()

    async def open(self, url: str) -> None:
        """Connect."""
        for _ in range(_CONNECTIONS):
            conn = await psycopg.AsyncConnection.connect(url, autocommit=True, prepare_threshold=0)
            await conn.execute("CREATE TABLE IF NOT EXISTS journal(id bigserial PRIMARY KEY, body bytea NOT NULL)")
            self._idle.put_nowait(conn)

    async def keep(self, body: bytes) -> None:
        """Return when the body is committed."""
        conn = await self._idle.get()
        try:
            await conn.execute(PG, (body,), binary=True)
        finally:
            self._idle.put_nowait(conn)


def _answer(futures: list[asyncio.Future[None]]) -> None:
    for future in futures:
        if not future.done():
            future.set_result(None)


async def _forget(body: bytes) -> None:
    return


def application(keep: Keep, *, parse: bool) -> web.Application:
    """Make a server that answers each body after it is kept."""

    async def receive(request: web.Request) -> web.Response:
        body = await request.read()
        if parse:
            decode(body)
        await keep(body)
        return web.Response(body=b"{}", content_type="application/json")

    async def ready(request: web.Request) -> web.Response:
        return web.Response(text="ready")

    app = web.Application(client_max_size=64 << 20)
    app.router.add_post(PATH, receive)
    app.router.add_get("/-/ready", ready)
    return app


async def _keeper(mode: str, db: str) -> Keep:
    match mode:
        case "parse":
            return _forget
        case "pg":
            pool = Pool()
            await pool.open(db)
            return pool.keep
        case _:
            return Journal(db, by_alert=mode == "group").keep


async def serve(port: int, mode: str, db: str) -> None:
    """Answer until the process is ended."""
    keep = await _keeper(mode, db)
    runner = web.AppRunner(application(keep, parse=mode in ("parse", "commit")), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
    await asyncio.Event().wait()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("mode", choices=["parse", "journal", "commit", "group", "pg"])
    parser.add_argument("--db", default="floor.db")
    asked = parser.parse_args()
    uvloop.run(serve(asked.port, asked.mode, asked.db))


if __name__ == "__main__":
    main()
