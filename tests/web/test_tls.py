"""TLS of the listener: who gets no answer, what a new certificate changes, and how broken greetings count."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from incidentd.settings import ClientAuth, Settings, WebSettings
from incidentd.tls import Unusable, expires_at, server_context
from incidentd.web import change_context, make_app, serve, serving
from tests.certificates import Authority
from tests.web.asking import asking, served
from tests.web.small_house import SmallHouse


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def context(authority: Authority) -> ssl.SSLContext:
    pair = authority.signs("localhost", "IP:127.0.0.1")
    return server_context(authority.listener(pair, ClientAuth.NONE))


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
ASK = b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def connect(url: str, context: ssl.SSLContext | None = None) -> Connection:
    host, _, port = url.partition("//")[2].partition(":")
    return await asyncio.open_connection(host, int(port), ssl=context)


async def heard(connection: Connection, said: bytes = ASK) -> bytes:
    """Say something and hear all of what comes, until the other side ends it."""
    connection[1].write(said)
    try:
        return await asyncio.wait_for(connection[0].read(), 10)
    except ConnectionError:
        return b""
    finally:
        connection[1].close()


async def answered(connection: Connection) -> None:
    connection[1].write(ASK)
    await asyncio.wait_for(connection[0].readuntil(b"healthy.\n"), 10)


def shown(connection: Connection) -> int:
    """Give the serial number of the certificate that the other side showed."""
    return int(connection[1].get_extra_info("peercert")["serialNumber"], 16)


@pytest.mark.parametrize("noise", [ASK, b"POST /api/v1/alertmanager HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"])
async def test_plain_http_at_a_tls_port_gets_no_answer_and_no_redirect(
    house: SmallHouse, context: ssl.SSLContext, noise: bytes
) -> None:
    async with served(make_app(house), context=context) as url:
        assert not (await heard(await connect(url), noise)).startswith(b"HTTP")
    assert house.metrics.registry.get_sample_value("incidentd_tls_handshakes_failed_total") == 1


async def test_old_versions_of_tls_are_not_spoken(
    house: SmallHouse, authority: Authority, context: ssl.SSLContext
) -> None:
    old = authority.client()
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    async with served(make_app(house), context=context) as url:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await connect(url, old)
        newer = authority.client()
        newer.maximum_version = ssl.TLSVersion.TLSv1_2
        assert b"200 OK" in await heard(
            await connect(url, newer), ASK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        )


async def test_a_new_certificate_is_shown_and_old_connections_end_after_their_request(
    house: SmallHouse, authority: Authority, context: ssl.SSLContext
) -> None:
    runner = await serve(make_app(house), "127.0.0.1", 0, context=context, shutdown_timeout=0.1)
    url = f"https://127.0.0.1:{runner.addresses[0][1]}"
    try:
        before = await connect(url, authority.client())
        await answered(before)
        first = shown(before)
        change_context(runner, server_context(authority.listener(authority.signs("new", "IP:127.0.0.1"))))
        assert await heard(before, b"") == b""
        after = await connect(url, authority.client())
        await answered(after)
        assert shown(after) != first
        after[1].close()
    finally:
        await runner.cleanup()


async def test_a_greeting_that_goes_nowhere_counts_until_it_ends(
    house: SmallHouse, authority: Authority, context: ssl.SSLContext
) -> None:
    async with served(make_app(house), context=context, most=3) as url:
        mute = [await connect(url) for _ in range(3)]
        await asyncio.sleep(0.05)
        assert await heard(await connect(url), b"") == b""  # one too many
        for connection in mute:
            assert not (await heard(connection)).startswith(b"HTTP")
        good = await connect(url, authority.client())
        await answered(good)
        good[1].close()


async def test_a_greeting_that_never_ends_is_cut_off(
    house: SmallHouse, context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "HEAD_DEADLINE", 0.1)
    async with served(make_app(house), context=context) as url:
        assert await heard(await connect(url), b"\x16\x03\x01") == b""


async def test_the_headers_of_the_web_config_are_on_every_answer(house: SmallHouse) -> None:
    house.settings = Settings(web=WebSettings(headers={"Strict-Transport-Security": "max-age=31536000"}))
    async with served(make_app(house)) as url, asking(url) as ask:
        for path in ("/", "/nothing", "/metrics"):
            assert (await ask("GET", path)).headers["Strict-Transport-Security"] == "max-age=31536000"


def test_a_certificate_says_when_it_ends(authority: Authority, tmp_path: Path) -> None:
    import subprocess
    from datetime import datetime

    pair = authority.signs("dated")
    said = subprocess.run(
        ["openssl", "x509", "-in", str(pair.cert), "-noout", "-enddate", "-dateopt", "iso_8601"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    assert expires_at(pair.cert) == datetime.fromisoformat(said.strip().removeprefix("notAfter="))
    for number, broken in enumerate((b"", b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", b"\xff")):
        (tmp_path / f"{number}.pem").write_bytes(broken)
        with pytest.raises(Unusable):
            expires_at(tmp_path / f"{number}.pem")
