"""Listening: connections are bounded, silent ones are closed, and a stranger's noise fills no log."""

from __future__ import annotations

import asyncio
import logging

import pytest
from aiohttp import http_parser

from incidentd.web import make_app, serve, serving
from tests.web.asking import asking, served
from tests.web.small_house import SmallHouse


async def connect(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = url.removeprefix("http://").partition(":")
    return await asyncio.open_connection(host, int(port))


async def is_closed(reader: asyncio.StreamReader) -> bool:
    try:
        return await asyncio.wait_for(reader.read(), 10) == b""
    except ConnectionError:
        return True


async def test_one_connection_too_many_is_closed_and_room_is_found_again(house: SmallHouse) -> None:
    async with served(make_app(house), most=3) as url, asking(url) as ask:
        writers = [(await connect(url))[1] for _ in range(3)]
        for writer in writers:
            writer.write(b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await asyncio.sleep(0.05)
        reader, surplus = await connect(url)
        assert await is_closed(reader)
        for writer in writers:
            writer.close()
            await writer.wait_closed()
        surplus.close()
        await asyncio.sleep(0.05)
        assert (await ask("GET", "/-/healthy")).status == 200


async def test_a_connection_that_stays_silent_is_closed_and_one_that_spoke_is_not(
    house: SmallHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "HEAD_DEADLINE", 0.2)
    async with served(make_app(house)) as url:
        silent, slow, talker = await connect(url), await connect(url), await connect(url)
        slow[1].write(b"GET /-/healthy HTTP/1.1\r\nHost: loc")
        talker[1].write(b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"200" in await talker[0].readline()
        assert await is_closed(silent[0])
        assert await is_closed(slow[0])
        await talker[0].readuntil(b"healthy.\n")
        talker[1].write(b"GET /-/ready HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"200" in await talker[0].readline()
        for _, writer in (silent, slow, talker):
            writer.close()


async def test_broken_requests_leave_no_line_in_the_log(house: SmallHouse, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with served(make_app(house)) as url:
        for noise in (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", b"GET / HTTP/1.1\r\nbad header\r\n\r\n", b"GET\r\n\r\n"):
            reader, writer = await connect(url)
            writer.write(noise)
            assert b"400" in await asyncio.wait_for(reader.read(), 10)
            writer.close()
    assert not caplog.records


async def test_without_the_c_parser_nobody_listens(house: SmallHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_parser, "HttpRequestParser", http_parser.HttpRequestParserPy)
    with pytest.raises(RuntimeError, match="without its C parser"):
        await serve(make_app(house), "127.0.0.1", 0)


async def test_a_port_that_is_taken_is_an_error_and_leaves_nothing_open(house: SmallHouse) -> None:
    async with served(make_app(house)) as url:
        with pytest.raises(OSError, match="address already in use"):
            await serve(make_app(house), "127.0.0.1", int(url.rpartition(":")[2]))


async def test_no_answer_names_the_software_that_writes_it(house: SmallHouse) -> None:
    async with served(make_app(house)) as url, asking(url) as ask:
        for path in ("/", "/nothing", "/api/v1/holds", "/metrics"):
            assert (await ask("GET", path)).headers["Server"] == "incidentd"
