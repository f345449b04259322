"""The load: one process that posts bodies, each its own, over connections that stay open.

    python -m tests.bench.load PORT CONNECTIONS --seconds 1.5         as fast as they are answered
    python -m tests.bench.load PORT CONNECTIONS --count 1000          so many bodies
    python -m tests.bench.load PORT CONNECTIONS --seconds 9 --rate 50 so many a second, whatever the answers
    python -m tests.bench.load PORT 900 --burst                       one body on each connection, all at once

Prints one JSON object, the fields of `Seen`. It runs on uvloop and parses as little as it can, so that the server is
what is measured; `cpu` says how much of a processor it took nevertheless.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, cast

import uvloop

PATH = "/api/v1/alertmanager"
WAIT = 0.1
"""Seconds that a connection waits after it was refused; Alertmanager waits five times as long."""
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


def template(
    alerts: int, alertname: str = "QueueLagHigh", kind: int = 0, *, spread: bool = False, unique: bool = False
) -> tuple[bytes, ...]:
    """Give a request in pieces; between them goes the number that makes its alerts its own.

    `kind` is where the fingerprints begin, so that alerts of two names are never taken for one; with `spread` each
    alert of a body has a name of its own, and with `unique` each body every label.
    """
    number = "{number}"
    own = number if unique else ""
    alertname += own
    labels = {
        "alertname": alertname, "cluster": f"eu-1{own}", "env": f"prod{own}", "instance": f"worker-{number}:9100",
        "job": f"worker{own}", "service": f"mail{own}", "severity": f"warning{own}", "team": f"platform{own}",
    }  # fmt: skip
    alert = {
        "status": "firing",
        "annotations": {
            "summary": f"Queue of worker-{number} is 812 jobs behind",
            "description": "The queue grows faster than it is worked off; customers wait for their mail.",
            "runbook_url": "https://runbooks.example.org/queue-lag",
        },
        "startsAt": "2026-11-24T14:07:00.123Z", "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.example.org/graph?g0.expr=queue_lag+%3E+500&g0.tab=1",
    }  # fmt: skip
    group = {"alertname": alertname, "instance": f"worker-{number}:9100"}
    body = {
        "receiver": "incidentd", "status": "firing", "groupLabels": group,
        "alerts": [
            alert | {
                "fingerprint": f"{kind + nth:04x}{number}",
                "labels": labels | {
                    "instance": f"worker-{number}:{9100 + nth}", "alertname": f"{alertname}{nth if spread else ''}",
                },
            }
            for nth in range(alerts)
        ],
        "commonLabels": labels, "commonAnnotations": alert["annotations"],
        "externalURL": "http://alertmanager.example.org", "version": "4", "truncatedAlerts": 0,
        "groupKey": '{}:{alertname="' + alertname + '", instance="worker-' + number + ':9100"}',
    }  # fmt: skip
    written = json.dumps(body) + "\n"
    length = len(written.replace(number, "0" * 12))
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: Alertmanager/0.28.0\r\n"
        f"Content-Length: {length}\r\nContent-Type: application/json\r\n\r\n"
    )
    return tuple((head + written).encode().split(number.encode()))


@dataclass(slots=True)
class Seen:
    """What came back."""

    answered: int = 0
    """With 2xx."""
    refused: int = 0
    """With 503."""
    otherwise: int = 0
    """With any other status."""
    broken: int = 0
    """Connections that were refused, or closed without an answer."""
    began: float = 0
    """When it began to count, by the clock that never jumps."""
    seconds: float = 0
    p50: float = 0
    p99: float = 0
    slowest: float = 0
    cpu: float = 0
    """Processors that this process kept busy."""
    latencies: list[float] = field(default_factory=list)

    def note(self, head: bytes, took: float) -> None:
        """Count one answer."""
        self.answered += (good := head.startswith(b"HTTP/1.1 2"))
        self.refused += (busy := head.startswith(b"HTTP/1.1 503"))
        self.otherwise += not good and not busy
        self.latencies.append(took)

    def summed(self, seconds: float, cpu: float) -> dict[str, Any]:
        """Give it as it is printed."""
        self.seconds, self.cpu = seconds, cpu / seconds
        self.p50, self.p99, self.slowest = (percentile(self.latencies, share) for share in (0.5, 0.99, 1))
        return {name: value for name, value in asdict(self).items() if name != "latencies"}


class Connection(asyncio.Protocol):
    """One connection with at most one request on its way."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._transport: asyncio.Transport | None = None
        self._got = b""
        self._began = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name
        self._load.free(self)

    def send(self, request: bytes, since: float) -> None:
        """Post; `since` is when it was due."""
        assert self._transport is not None
        self._began = since
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._got += data
        end = self._got.find(b"\r\n\r\n")
        found = _LENGTH.search(self._got, 0, end + 2) if end >= 0 else None
        if end < 0 or len(self._got) < end + 4 + (int(found[1]) if found else 0):
            return
        head, self._got = self._got, b""
        took, self._began = time.perf_counter() - self._began, 0.0
        self._load.note(head, took)
        if head.startswith(b"HTTP/1.1 503"):
            asyncio.get_running_loop().call_later(WAIT, self._load.free, self)
        else:
            self._load.free(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._load.lost(self, waited=self._began > 0)

    @property
    def open(self) -> bool:
        """Whether it can be posted to."""
        return self._transport is not None and not self._transport.is_closing()

    def close(self) -> None:
        """End it."""
        if self._transport is not None:
            self._transport.close()


class Load:
    """Connections, and what is posted over them."""

    def __init__(self, port: int, pieces: Sequence[bytes], *, first: int = 0, repeat: int = 0) -> None:
        self._port = port
        self._pieces = pieces
        self._sent = 0
        self._first, self._repeat = first, repeat
        self._most: int | None = None
        self._idle: list[Connection] = []
        self._late: list[float] = []
        self._paced = False
        self._seen: Seen | None = None
        self._waiting = 0
        self._over = asyncio.Event()
        self._opening: set[asyncio.Task[Any]] = set()

    # -- what connections tell ---------------------------------------------------------------------------------------

    def free(self, connection: Connection) -> None:
        """Take a connection that has nothing to do."""
        if not connection.open or self._over.is_set():
            connection.close()
        elif self._paced and not self._late:
            self._idle.append(connection)
        elif self._most is None or self._sent < self._most:
            connection.send(self._request(), self._late.pop(0) if self._late else time.perf_counter())

    def note(self, head: bytes, took: float) -> None:
        """Count an answer."""
        self._waiting -= 1
        if self._seen is not None:
            self._seen.note(head, took)
        if self._most is not None and self._waiting == 0 and self._sent >= self._most:
            self._over.set()

    def lost(self, connection: Connection, *, waited: bool) -> None:
        """Count a connection that went, and open another one."""
        if connection in self._idle:
            self._idle.remove(connection)
        if waited:
            self._broke()
        if not self._over.is_set():
            asyncio.get_running_loop().call_later(WAIT, self._open)

    def _broke(self) -> None:
        self._waiting -= 1
        if self._seen is not None:
            self._seen.broken += 1
        if self._most is not None and self._waiting == 0 and self._sent >= self._most:
            self._over.set()

    # -- running -----------------------------------------------------------------------------------------------------

    async def run(self, connections: int, *, warm: float, seconds: float, rate: float = 0) -> dict[str, Any]:
        """Post for a while; count after the warm-up only."""
        self._paced = rate > 0
        for _ in range(connections):
            self._open()
        await asyncio.sleep(warm)
        return await self._count(self._pace(rate, seconds) if rate else asyncio.sleep(seconds))

    async def post(self, connections: int, count: int) -> dict[str, Any]:
        """Post so many bodies."""
        self._most = count
        for _ in range(min(connections, count)):
            self._open()
        return await self._count(self._over.wait())

    async def _count(self, until: Any) -> dict[str, Any]:
        seen = self._seen = Seen()
        seen.began = began = time.perf_counter()
        used = time.process_time()
        await until
        found = seen.summed(time.perf_counter() - began, time.process_time() - used)
        self._seen = None
        self._over.set()
        await asyncio.gather(*self._opening, return_exceptions=True)
        return found

    async def _pace(self, rate: float, seconds: float) -> None:
        async for due in due_times(rate, seconds):
            self._post_when_idle(due)

    def _post_when_idle(self, due: float) -> None:
        if self._idle:
            self._idle.pop().send(self._request(), due)
        else:
            self._late.append(due)

    def _request(self) -> bytes:
        number = self._first + (self._sent % self._repeat if self._repeat else self._sent)
        self._sent += 1
        self._waiting += 1
        return (b"%012d" % number).join(self._pieces)

    def _open(self) -> None:
        if self._over.is_set():
            return
        task = asyncio.create_task(self._connect())
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: Connection(self), "127.0.0.1", self._port)
        except OSError:
            if self._seen is not None:
                self._seen.broken += 1
            if not self._over.is_set():
                loop.call_later(WAIT, self._open)


async def due_times(rate: float, seconds: float) -> AsyncIterator[float]:
    """Give so many instants a second, each once it has come, whatever happened to those before it."""
    began = time.perf_counter()
    given = 0
    while (passed := time.perf_counter() - began) < seconds:
        while given < passed * rate:
            yield began + given / rate
            given += 1
        await asyncio.sleep(min(1 / rate, 0.005))


def percentile(values: Sequence[float], share: float) -> float:
    """Give the value that this share of the values does not exceed; 0 of none."""
    return sorted(values)[min(int(len(values) * share), len(values) - 1)] if values else 0.0


async def burst(port: int, connections: int, pieces: Sequence[bytes], first: int) -> dict[str, Any]:
    """Open so many connections, post one body on each, and take the time from the common beginning."""
    seen = Seen()
    began, used = time.perf_counter(), time.process_time()

    async def one(number: int) -> None:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write((b"%012d" % number).join(pieces))
            seen.note(await reader.readuntil(b"\r\n\r\n"), time.perf_counter() - began)
            writer.close()
        except (OSError, asyncio.IncompleteReadError):
            seen.broken += 1

    await asyncio.gather(*(one(first + nth) for nth in range(connections)))
    return seen.summed(time.perf_counter() - began, time.process_time() - used)


def main() -> None:
    """Read the command line, load, and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("connections", type=int)
    parser.add_argument("--warm", type=float, default=0.0)
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--count", type=int, default=0, help="bodies, instead of seconds")
    parser.add_argument("--rate", type=float, default=0.0, help="bodies a second")
    parser.add_argument("--burst", action="store_true")
    parser.add_argument("--alerts", type=int, default=1, help="alerts in a body")
    parser.add_argument("--name", default="QueueLagHigh", help="of the alerts")
    parser.add_argument("--kind", type=int, default=0, help="where fingerprints begin")
    parser.add_argument("--spread", action="store_true", help="a name of its own for each alert of a body")
    parser.add_argument("--unique", action="store_true", help="labels of its own for each body, every one of them")
    parser.add_argument("--first", type=int, default=0, help="the number of the first body")
    parser.add_argument("--repeat", type=int, default=0, help="so many different bodies, again and again")
    asked = parser.parse_args()
    print(json.dumps(uvloop.run(_asked_for(asked))))


async def _asked_for(asked: argparse.Namespace) -> dict[str, Any]:
    pieces = template(asked.alerts, asked.name, asked.kind, spread=asked.spread, unique=asked.unique)
    if asked.burst:
        return await burst(asked.port, asked.connections, pieces, asked.first)
    load = Load(asked.port, pieces, first=asked.first, repeat=asked.repeat)
    if asked.count:
        return await load.post(asked.connections, asked.count)
    return await load.run(asked.connections, warm=asked.warm, seconds=asked.seconds, rate=asked.rate)


if __name__ == "__main__":
    main()
