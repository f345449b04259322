"""Proof of who delivers: every way to send a credential, and bodies that are signed."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import logging
from collections.abc import AsyncIterator

import pytest

from incidentd.redaction import Secret
from incidentd.settings import Settings, Signing, Source
from incidentd.web import make_app
from incidentd.web.receiver import IN_FLIGHT
from tests.web.asking import Ask, asking, served
from tests.web.small_house import NOW, SmallHouse, body
from tests.web.test_receiver import counted, stored

PROD = "/api/v1/alertmanager/prod"
HEADER = "X-Grafana-Alerting-Signature"
OLD, NEW, STRANGE = "the-öld-secret", "the-new-secret", "sesame-of-nobody"
SENT = int(NOW.timestamp())


def signs(secret: str, signed: bytes) -> str:
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def settings(*tokens: str, timestamp_header: str = "", secrets: tuple[str, ...] = (OLD, NEW)) -> Settings:
    signing = Signing(secrets=tuple(map(Secret, secrets)), timestamp_header=timestamp_header) if secrets else None
    return Settings(sources={"prod": Source(name="prod", tokens=tuple(map(Secret, tokens)), signing=signing)})


def basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"alertmanager:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        ("", 401), (f"Bearer {STRANGE}", 401), (f"Token {STRANGE}", 401), (basic(STRANGE), 401), ("Bearer ", 401),
        *((way, 200) for secret in (OLD, NEW) for way in (f"Bearer {secret}", f"Token {secret}", basic(secret))),
    ],
)  # fmt: skip
async def test_t17_every_way_to_send_a_token_is_taken_with_each_secret_of_a_rotation_and_no_wrong_one(
    house: SmallHouse, ask: Ask, caplog: pytest.LogCaptureFixture, authorization: str, status: int
) -> None:
    caplog.set_level(logging.DEBUG)
    house.settings = settings(OLD, NEW, secrets=())
    headers = {"Authorization": authorization} if authorization else {}
    answer = await ask("POST", PROD, data=body("Up"), headers=headers)
    assert answer.status == status
    assert counted(house, "unauthorized") == (status == 401)
    shown = answer.text + caplog.text + (await ask("GET", "/metrics")).text
    assert not any(secret in shown for secret in (OLD, NEW, STRANGE))


@pytest.mark.parametrize("secret", [OLD, NEW])
@pytest.mark.parametrize("prefix", ["", "sha256="])
async def test_t17_a_signed_body_is_taken_with_each_secret_of_a_rotation(
    house: SmallHouse, ask: Ask, secret: str, prefix: str
) -> None:
    house.settings = settings()
    answer = await ask("POST", PROD, data=body("Up"), headers={HEADER: prefix + signs(secret, body("Up"))})
    assert answer.status == 200
    assert await house.store.read(stored) == [("prod", body("Up"))]


@pytest.mark.parametrize(
    "given", [None, "", "sha256=", "é", "0" * 64, signs("wrong", body("Up")), signs(OLD, body("Down")), OLD]
)
async def test_t17_what_nobody_signed_is_refused_and_no_secret_shows(
    house: SmallHouse, ask: Ask, caplog: pytest.LogCaptureFixture, given: str | None
) -> None:
    caplog.set_level(logging.DEBUG)
    house.settings = settings()
    answer = await ask("POST", PROD, data=body("Up"), headers={} if given is None else {HEADER: given})
    assert answer.status == 401
    assert not await house.store.read(stored)
    assert counted(house, "unauthorized") == 1
    assert house.metrics.registry.get_sample_value("incidentd_auth_failures_total") == 1
    shown = answer.text + caplog.text + (await ask("GET", "/metrics")).text
    assert not any(secret in shown for secret in (OLD, NEW))


async def test_t17_a_large_body_is_checked_for_its_signature_too(house: SmallHouse, ask: Ask) -> None:
    house.settings = settings()
    large = body("Up").ljust(1_000_000)
    assert (await ask("POST", PROD, data=large, headers={HEADER: signs(NEW, body("Up"))})).status == 401
    assert (await ask("POST", PROD, data=large, headers={HEADER: signs(NEW, large)})).status == 200


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (str(SENT), 200), (str(SENT - 299), 200), (str(SENT + 299), 200),
        (str(SENT - 301), 401), (str(SENT + 301), 401), ("9" * 5000, 401), ("-1", 401), ("1.5", 401), ("", 401),
    ],
)  # fmt: skip
async def test_t17_a_body_that_was_signed_long_ago_is_refused(
    house: SmallHouse, ask: Ask, sent: str, status: int
) -> None:
    house.settings = settings(timestamp_header="X-Sent")
    headers = {"X-Sent": sent, HEADER: signs(NEW, sent.encode() + b":" + body("Up"))}
    assert (await ask("POST", PROD, data=body("Up"), headers=headers)).status == status


async def test_t17_the_time_is_signed_and_may_not_be_left_out(house: SmallHouse, ask: Ask) -> None:
    house.settings = settings(timestamp_header="X-Sent")
    made = {HEADER: signs(NEW, f"{SENT}:".encode() + body("Up"))}
    assert (await ask("POST", PROD, data=body("Up"), headers=made)).status == 401
    assert (await ask("POST", PROD, data=body("Up"), headers={**made, "X-Sent": str(SENT + 1)})).status == 401


async def test_t17_a_source_with_tokens_wants_the_token_and_the_signature(house: SmallHouse, ask: Ask) -> None:
    house.settings = settings("the-token")
    token, signature = {"Authorization": "Bearer the-token"}, {HEADER: signs(NEW, body("Up"))}
    for headers, status in ((token, 401), (signature, 401), ({**token, **signature}, 200)):
        assert (await ask("POST", PROD, data=body("Up"), headers=headers)).status == status


async def test_t17_a_secret_that_is_empty_signs_nothing(house: SmallHouse, ask: Ask) -> None:
    house.settings = settings(secrets=("",))
    assert (await ask("POST", PROD, data=body("Up"), headers={HEADER: signs("", body("Up"))})).status == 401


async def test_t17_a_signature_is_the_one_that_openssl_makes(house: SmallHouse, ask: Ask) -> None:
    house.settings = settings(secrets=("sesame",))
    made = "0080529dd012d653acbd7ce8c6e154272ab5b1f9f58f27d79325669bfa083949"
    assert (await ask("POST", PROD, data=b'{"alerts":[]}', headers={HEADER: made})).status == 200


async def test_t17_two_signatures_are_none(house: SmallHouse, ask: Ask) -> None:
    house.settings = settings()
    twice = [(HEADER, signs(NEW, body("Up"))), (HEADER, "0" * 64)]
    assert (await ask("POST", PROD, data=body("Up"), headers=twice)).status == 401


async def test_t17_a_reload_amid_a_body_does_not_let_it_in_unsigned(house: SmallHouse) -> None:
    house.settings = settings()
    app = make_app(house)

    async def reloaded_on_the_way() -> AsyncIterator[bytes]:
        yield body("Up")[:20]
        while not app[IN_FLIGHT].size:
            await asyncio.sleep(0.001)
        house.settings = settings(secrets=())
        yield body("Up")[20:]

    async with served(app) as url, asking(url) as ask:
        assert (await ask("POST", PROD, data=reloaded_on_the_way(), headers={HEADER: "0" * 64})).status == 401
    assert not await house.store.read(stored)
