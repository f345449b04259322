"""Clients that send slowly or not at all: they hold nobody up, and none is held for long (T18)."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import aiohttp
import pytest

from tests.system.daemon import Daemon, an_alert

EACH = 700 if os.environ.get("INCIDENTD_TEST_LONG") == "1" else 100
"""Connections of each kind; three kinds."""
LATEST = 60
"""Seconds after which the last one must be closed: 30 for a head, 30 for a body, and some for a busy machine."""

HEAD = b"POST /api/v1/alertmanager HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, first: bytes, drop: bytes) -> None:
    """Send something, then a little every second, until the other side closes."""
    writer.write(first)
    closed = asyncio.create_task(reader.read())
    while not closed.done():
        await asyncio.wait([closed], timeout=1)
        if drop:
            writer.write(drop)
    await asyncio.gather(closed, return_exceptions=True)
    writer.close()
    await asyncio.gather(writer.wait_closed(), return_exceptions=True)


@pytest.mark.slow
async def test_t18_silent_and_slow_clients_are_closed_and_hold_nobody_up(
    tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    daemon = Daemon(tmp_path, session)
    await daemon.start()
    kinds = [(b"", b""), (b"POST /api/v1/alertmanager HT", b"x"), (HEAD + b"Content-Length: 5000\r\n\r\n{", b" ")]
    slow = []
    for first, drop in kinds * EACH:
        reader, writer = await asyncio.open_connection("127.0.0.1", daemon.port)
        slow.append(asyncio.create_task(drip(reader, writer, first, drop)))
    for number in range(50):
        body = json.dumps({"alerts": [an_alert("A", n=str(number))]})
        async with asyncio.timeout(5), session.post(f"{daemon.url}/api/v1/alertmanager", data=body) as answer:
            assert answer.status == 200
        async with asyncio.timeout(5), session.get(f"{daemon.url}/-/healthy") as answer:
            assert answer.status == 200

    async with asyncio.timeout(LATEST):
        await asyncio.gather(*slow)
    await daemon.kill()


async def raw(daemon: Daemon, request: bytes) -> bytes:
    """Send bytes, and give what comes back until the connection closes or goes quiet."""
    reader, writer = await asyncio.open_connection("127.0.0.1", daemon.port)
    writer.write(request)
    answer = b""
    try:
        async with asyncio.timeout(5):
            while b"\r\n\r\n" not in answer and (more := await reader.read(65536)):
                answer += more
    except (TimeoutError, ConnectionError):
        pass
    writer.close()
    await asyncio.gather(writer.wait_closed(), return_exceptions=True)
    return answer


@pytest.mark.slow
async def test_t16_and_t18_odd_requests_are_answered_without_redirects_and_leave_no_state(
    tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    daemon = Daemon(tmp_path, session)
    await daemon.start()
    body = json.dumps({"alerts": [an_alert("A")]}).encode()
    length = b"Content-Length: %d\r\n\r\n" % len(body)
    chunked = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    for request, status in (
        (HEAD + length + body, b"200"),
        (HEAD + chunked, b"200"),
        (HEAD.replace(b"/alertmanager ", b"/alertmanager/ ") + length + body, b"200"),
        (HEAD.replace(b"/api/v1", b"//api/v1") + length + body, b"404"),
        (HEAD + b"Content-Encoding: gzip\r\n" + length + body, b"415"),
        (HEAD.replace(b"POST", b"GET") + b"\r\n", b"405"),
        (HEAD.replace(b"POST", b"DELETE") + b"\r\n", b"405"),
        (HEAD.replace(b"/alertmanager ", b"/alertmanager/nobody ") + length + body, b"404"),
        (HEAD + b"Content-Length: 0\r\n\r\n", b"400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"400"),
        (HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef", b"400"),
    ):
        answer = await raw(daemon, request)
        assert answer.split(b" ")[1:2] == [status], (request[:80], answer[:200])

    reader, writer = await asyncio.open_connection("127.0.0.1", daemon.port)
    writer.write(HEAD + b"Content-Length: 5000\r\n\r\n" + body)  # and goes away in the middle
    await writer.drain()
    writer.close()
    await asyncio.gather(writer.wait_closed(), return_exceptions=True)
    del reader
    alerts = (await daemon.get("alerts"))["alerts"]
    assert len(alerts) == 1
    assert '"level":"error"' not in daemon.log.lower()
    await daemon.kill()
