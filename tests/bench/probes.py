"""Probes: alerts whose notification is waited for, and the sinks that the notifications go to; one process.

    python -m tests.bench.probes PORT SINK SLOW

Listens on the ports SINK, which answers at once, and SLOW, which answers after two seconds, until its input ends. Each
line of the input is a JSON object that asks for some probes, and is answered by one, the fields of `Heard`:

    {"count": 100}                 one after the other
    {"count": 300, "flood": true}  all of them, as fast as they are answered
    {"rate": 20, "seconds": 15}    so many a second, whatever comes back

A probe's time begins with the first byte of its webhook (or when it was due, if that is earlier) and ends when its
notification has come to SINK.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import time
import urllib.request
from dataclasses import asdict, dataclass

import uvloop

from tests.bench.load import due_times, percentile, template

SLOWLY = 2.0
"""Seconds that the slow sink takes to answer."""
PATIENCE = 60.0
"""Seconds after the last probe in which a notification may still come."""
_CONNECTIONS = 16
_NAME = re.compile(rb"Probe(\d{12})")
_MORE = re.compile(rb"- and \d+ more: ((?:INC-\d+(?:, )?)+)")
"""Ends a message of very many pages, of which the rest are named by what they are about alone."""
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What became of the probes."""

    sent: int
    unanswered: int
    """Of which the webhook was not answered 2xx."""
    missing: int
    """Accepted ones of which no notification came."""
    rate: float
    """Notifications a second from the first byte of the first probe to the last notification."""
    p50: float
    p99: float
    slowest: float
    slow: int
    """Notifications that came to the slow sink."""


class Probes:
    """Sends probes and hears notifications."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._number = 0
        self._pieces = template(1, "Probe{number}", 0xF000)
        self.sent: dict[int, float] = {}
        self.unanswered: set[int] = set()
        self.heard: dict[int, float] = {}
        self.slow: set[int] = set()
        self._only_named: dict[str, float] = {}
        """Incidents that a message named without their alert, and when; which probe each is of, the daemon knows."""
        self._news = asyncio.Condition()
        self._idle: asyncio.LifoQueue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.LifoQueue()

    async def open(self, sink: int, slow: int) -> None:
        """Listen, and connect."""
        await asyncio.start_server(self._sink, "127.0.0.1", sink, backlog=1024)
        await asyncio.start_server(self._slow_sink, "127.0.0.1", slow, backlog=1024)
        for _ in range(_CONNECTIONS):
            self._idle.put_nowait(await asyncio.open_connection("127.0.0.1", self._port))

    def begin(self) -> None:
        """Forget the probes of before."""
        self.sent, self.unanswered, self.heard, self.slow, self._only_named = {}, set(), {}, set(), {}

    async def send(self, due: float | None = None) -> int:
        """Send one and wait for the answer of its webhook."""
        number = self._number = self._number + 1
        self.sent[number] = due or 0
        reader, writer = connection = await self._idle.get()
        self.sent[number] = due or time.perf_counter()
        writer.write((b"%012d" % number).join(self._pieces))
        head = await reader.readuntil(b"\r\n\r\n")
        if found := _LENGTH.search(head):
            await reader.readexactly(int(found[1]))
        if not head.startswith(b"HTTP/1.1 2"):
            self.unanswered.add(number)
        self._idle.put_nowait(connection)
        return number

    async def await_all(self) -> None:
        """Wait until each that was accepted was heard of, or for as long as patience lasts."""
        try:
            async with asyncio.timeout(PATIENCE):
                while self.missing():
                    async with self._news:
                        await self._news.wait_for(lambda: len(self.missing()) <= len(self._only_named))
                    await self._look_up()
        except TimeoutError:
            return

    async def _look_up(self) -> None:
        """Find the probes of incidents that were named alone; once all has come, so that it costs no probe its time."""
        named, self._only_named = self._only_named, {}
        for incident, at in named.items():
            found = _NAME.search(await asyncio.to_thread(self._incident, incident))
            if found:
                self.heard.setdefault(int(found[1]), at)

    def _incident(self, key: str) -> bytes:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/api/v1/incidents/{key}", timeout=10) as answer:
            body: bytes = answer.read()
        return body

    def missing(self) -> set[int]:
        """Give the accepted ones of which nothing was heard."""
        return set(self.sent) - self.unanswered - set(self.heard)

    async def _read(self, reader: asyncio.StreamReader) -> tuple[set[int], set[str]]:
        """Read a message: the probes that it names, and the incidents that it names alone; so a storm comes."""
        head = await reader.readuntil(b"\r\n\r\n")
        found = _LENGTH.search(head)
        body = await reader.readexactly(int(found[1]) if found else 0)
        more = _MORE.search(body)
        return {int(number) for number in _NAME.findall(body)}, set(more[1].decode().split(", ")) if more else set()

    async def _sink(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        numbers, incidents = await self._read(reader)
        at = time.perf_counter()
        writer.write(_ANSWER)
        writer.close()
        async with self._news:
            for number in numbers:
                self.heard.setdefault(number, at)
            for incident in incidents:
                self._only_named.setdefault(incident, at)
            self._news.notify_all()

    async def _slow_sink(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.slow |= (await self._read(reader))[0]
        await asyncio.sleep(SLOWLY)
        writer.write(_ANSWER)
        writer.close()

    def summed(self) -> Heard:
        """Say what became of them."""
        took = [at - self.sent[number] for number, at in self.heard.items() if number in self.sent]
        last = max(self.heard.values(), default=0) - min(self.sent.values())
        return Heard(
            sent=len(self.sent), unanswered=len(self.unanswered), missing=len(self.missing()),
            rate=len(took) / last if took else 0,
            p50=percentile(took, 0.5), p99=percentile(took, 0.99), slowest=percentile(took, 1), slow=len(self.slow),
        )  # fmt: skip


async def run(probes: Probes, count: int = 0, flood: bool = False, rate: float = 0, seconds: float = 0) -> Heard:
    """Send as it is asked for, and wait for the notifications."""
    probes.begin()
    if rate:
        async with asyncio.TaskGroup() as group:
            async for due in due_times(rate, seconds):
                group.create_task(probes.send(due))
    elif flood:
        await asyncio.gather(*(probes.send() for _ in range(count)))
    else:
        for _ in range(count):
            await probes.send()
            await probes.await_all()
    await probes.await_all()
    return probes.summed()


async def serve(port: int, sink: int, slow: int) -> None:
    """Do what is asked for until nothing more is."""
    probes = Probes(port)
    await probes.open(sink, slow)
    while line := await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps(asdict(await run(probes, **json.loads(line)))), flush=True)


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser()
    for name in ("port", "sink", "slow"):
        parser.add_argument(name, type=int)
    uvloop.run(serve(**vars(parser.parse_args())))


if __name__ == "__main__":
    main()
