"""The receiver as Alertmanager meets it: what is stored, what is refused, and with which status."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import threading
from pathlib import Path

import pytest
from sqlalchemy import select

from incidentd.alerts import LARGEST_BODY, check_body
from incidentd.errors import StoreUnavailable
from incidentd.settings import Settings, Source
from incidentd.store import Tx
from incidentd.store.tables import inbox
from incidentd.web import receiver
from tests.web.asking import Ask
from tests.web.small_house import SmallHouse, body

HOOK = "/api/v1/alertmanager"
SYNTHETIC = Path(__file__).parents[1] / "data" / "payloads" / "synthetic"
BODIES = json.loads((SYNTHETIC / "index.json").read_text())
CAPTURED = SYNTHETIC.parent
LARGE = {
    "very_large_annotations": (CAPTURED / "very_large_annotations" / "001.json").read_bytes(),
    "group_of_1000": (CAPTURED / "group_of_1000" / "001.json").read_bytes(),
    "ten_megabytes": json.dumps({"alerts": [], "externalURL": "x" * 10_000_000}).encode(),
}


def stored(tx: Tx) -> list[tuple[str, bytes]]:
    return [(row.source, row.body) for row in tx.conn.execute(select(inbox).order_by(inbox.c.id))]


def counted(house: SmallHouse, result: str) -> float:
    found = house.metrics.registry.get_sample_value("incidentd_webhook_requests_total", {"result": result})
    assert found is not None
    return found


async def test_a_body_is_stored_as_it_came_before_it_is_answered(house: SmallHouse, ask: Ask) -> None:
    answer = await ask("POST", HOOK, data=body("HighErrorRate"))
    assert answer.status == 200
    assert await house.store.read(stored) == [("default", body("HighErrorRate"))]
    assert counted(house, "accepted") == 1


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("path", [HOOK, HOOK + "/", HOOK + "/default", HOOK + "/default/", HOOK + "?x=1"])
async def test_a_slash_at_the_end_and_put_are_taken_too(ask: Ask, method: str, path: str) -> None:
    assert (await ask(method, path, data=body("Up"))).status == 200


@pytest.mark.parametrize("path", ["//api/v1/alertmanager", "/api/v1//alertmanager", HOOK + "//", "/api/v1/alertmanage"])
async def test_no_path_is_ever_redirected(ask: Ask, path: str) -> None:
    assert (await ask("POST", path, data=body("Up"))).status == 404


async def test_a_source_of_its_own_keeps_its_name(house: SmallHouse, ask: Ask) -> None:
    house.settings = with_sources(Source(name="prod"))
    assert (await ask("POST", HOOK + "/prod", data=body("Up"))).status == 200
    assert await house.store.read(stored) == [("prod", body("Up"))]


async def test_an_unknown_source_is_not_found_and_the_answer_says_how_to_add_one(house: SmallHouse, ask: Ask) -> None:
    answer = await ask("POST", HOOK + "/prod", data=body("Up"))
    assert answer.status == 404
    assert "add it under `sources`" in answer.error
    assert counted(house, "unknown_source") == 1


@pytest.mark.parametrize("given", BODIES, ids=lambda given: given["file"])
async def test_a_foreign_body_is_taken_or_refused_as_the_contract_says(
    house: SmallHouse, ask: Ask, given: dict[str, str]
) -> None:
    raw = (SYNTHETIC.parent / given["file"]).read_bytes()
    answer = await ask("POST", HOOK, data=raw)
    if given["expect"] == "refuse-400":
        assert answer.status == 400
        assert len(answer.body) < 300
        assert not await house.store.read(stored)
        assert counted(house, "refused") == 1
    else:
        assert answer.status == 200
        assert await house.store.read(stored) == [("default", raw)]
    assert (await ask("GET", "/-/healthy")).status == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "PATCH", "OPTIONS", "TRACE"])
async def test_another_method_is_told_which_are_taken(ask: Ask, method: str) -> None:
    answer = await ask(method, HOOK)
    assert answer.status == 405
    assert answer.headers["Allow"] == "POST,PUT"


async def test_a_packed_body_is_refused_without_unpacking_it(house: SmallHouse, ask: Ask) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    for coding in ("gzip", "deflate", "br", "zstd", "GZIP, gzip"):
        answer = await ask("POST", HOOK, data=bomb, headers={"Content-Encoding": coding})
        assert answer.status == 415
    assert not await house.store.read(stored)


async def test_any_content_type_will_do(ask: Ask) -> None:
    for kind in ("application/json", "text/plain", "application/x-www-form-urlencoded", "nonsense"):
        assert (await ask("POST", HOOK, data=body("Up"), headers={"Content-Type": kind})).status == 200


async def test_a_body_without_a_length_is_taken(house: SmallHouse, ask: Ask) -> None:
    async def pieces() -> object:  # an async generator makes aiohttp send chunks
        yield body("Up")[:20]
        yield body("Up")[20:]

    assert (await ask("POST", HOOK, data=pieces())).status == 200
    assert await house.store.read(stored) == [("default", body("Up"))]


@pytest.mark.slow
async def test_the_largest_body_is_taken_and_a_larger_one_is_refused_for_its_size(house: SmallHouse, ask: Ask) -> None:
    largest = body("Up").ljust(LARGEST_BODY)
    assert (await ask("POST", HOOK, data=io.BytesIO(largest))).status == 200
    refused = await ask("POST", HOOK, data=io.BytesIO(largest + b" "))
    assert refused.status == 413
    assert counted(house, "too_large") == 1
    assert len(await house.store.read(stored)) == 1


@pytest.mark.parametrize("large", LARGE)
async def test_t10_health_is_answered_while_a_large_body_is_checked(
    house: SmallHouse, ask: Ask, monkeypatch: pytest.MonkeyPatch, large: str
) -> None:
    raw, healthy, checking = LARGE[large], threading.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def held_up(given: bytes) -> None:
        loop.call_soon_threadsafe(checking.set)
        assert healthy.wait(20), "the loop stood still while the body was checked"
        check_body(given)

    monkeypatch.setattr(receiver, "check_body", held_up)
    delivery = asyncio.ensure_future(ask("POST", HOOK, data=io.BytesIO(raw)))
    await checking.wait()
    assert (await ask("GET", "/-/healthy")).status == 200
    assert not delivery.done()
    healthy.set()
    assert (await delivery).status == 200
    assert await house.store.read(stored) == [("default", raw)]


@pytest.mark.parametrize("why", ["starting", "stopping"])
async def test_a_house_that_is_not_ready_asks_to_come_again(house: SmallHouse, ask: Ask, why: str) -> None:
    house.why = why
    answer = await ask("POST", HOOK, data=body("Up"))
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert why in answer.error


async def test_an_overloaded_house_takes_no_more_and_is_ready_all_the_same(house: SmallHouse, ask: Ask) -> None:
    house.overload = "the oldest delivery waits for 12s to be looked at"
    answer = await ask("POST", HOOK, data=body("Up"))
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert house.overload in answer.error
    assert (await ask("GET", "/-/ready")).status == 200


async def test_a_store_that_cannot_write_is_our_trouble_and_not_the_senders(
    house: SmallHouse, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(source: str, raw: bytes) -> None:
        raise StoreUnavailable("the store cannot write: database or disk is full")

    monkeypatch.setattr(house.store, "append", full)
    answer = await ask("POST", HOOK, data=body("Up"))
    assert answer.status == 503
    assert answer.json == {"error": "the store cannot write: database or disk is full"}
    assert counted(house, "unavailable") == 1


async def test_too_many_bodies_at_once_are_asked_to_come_again(
    house: SmallHouse, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiver, "MOST_IN_FLIGHT", 100)
    assert (await ask("POST", HOOK, data=body("Up"))).status == 503
    assert (await ask("POST", HOOK, data=b'{"alerts":[]}')).status == 200


async def test_a_body_that_does_not_come_is_given_up(
    house: SmallHouse, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("incidentd.web.bodies.BODY_DEADLINE", 0.05)
    assert b"503" in await raw(
        url, b"POST /api/v1/alertmanager HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\n{"
    )
    assert not await house.store.read(stored)


async def test_a_sender_that_goes_away_in_the_middle_leaves_nothing(house: SmallHouse, url: str) -> None:
    head = b"POST /api/v1/alertmanager HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n\r\n"
    assert await raw(url, head + body("Up")[:200], hang_up=True) == b""
    for _ in range(1000):
        if counted(house, "refused"):
            break
        await asyncio.sleep(0.01)
    assert counted(house, "refused") == 1
    assert not await house.store.read(stored)


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 5\r\nContent-Length: 6\r\n",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Content-Length: +5\r\n",
        b"Content-Length: 0x5\r\n",
        b"Host: evil.example\r\nContent-Length: 2\r\n",
    ],
)
async def test_broken_framing_is_refused(house: SmallHouse, url: str, head: bytes) -> None:
    said = await raw(url, b"POST /api/v1/alertmanager HTTP/1.1\r\nHost: localhost\r\n" + head + b"\r\n{}")
    assert said.startswith(b"HTTP/1.1 4") or said.startswith(b"HTTP/1.0 4")
    assert not await house.store.read(stored)


@pytest.mark.slow
async def test_a_thousand_groups_at_once_are_all_stored(house: SmallHouse, ask: Ask) -> None:
    answers = await asyncio.gather(*(ask("POST", HOOK, data=body(f"A{number}")) for number in range(1000)))
    assert {answer.status for answer in answers} == {200}
    assert len(await house.store.read(stored)) == 1000


def with_sources(*sources: Source) -> Settings:
    return Settings(sources={source.name: source for source in sources})


async def raw(url: str, request: bytes, *, hang_up: bool = False) -> bytes:
    """Send bytes as they are and read the head of what comes back."""
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    await writer.drain()
    if hang_up:
        writer.close()
        await writer.wait_closed()
        return b""
    said = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
    writer.close()
    await writer.wait_closed()
    return said
