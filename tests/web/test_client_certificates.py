"""Client certificates: only what TLS itself verified proves a source, and only by the names that are configured."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from incidentd.redaction import Secret
from incidentd.settings import ClientAuth, ClientCertificate, Settings, Signing, Source
from incidentd.tls import server_context
from incidentd.web import make_app
from tests.certificates import Authority, Pair
from tests.web.asking import Ask, asking, served
from tests.web.small_house import SmallHouse, bearer, body
from tests.web.test_receiver import stored
from tests.web.test_signed_deliveries import HEADER, NEW, signs

HOOK = "/api/v1/alertmanager/prod"
BODY = body("Up")


def prod(**proofs: object) -> Settings:
    return Settings(sources={"prod": Source(name="prod", **proofs)})  # type: ignore[arg-type]  # whatever a test tries


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def ours(authority: Authority) -> Pair:
    return authority.signs("localhost", "DNS:localhost", "IP:127.0.0.1")


@pytest.fixture
async def secure(house: SmallHouse, authority: Authority, ours: Pair) -> AsyncIterator[Ask]:
    context = server_context(authority.listener(ours))
    async with served(make_app(house), context=context) as url, asking(url) as ask:
        yield ask


WANTED = ClientCertificate(subject_alt_names=("am.example.org", "spiffe://prod/Am", "10.0.0.7"), common_names=("am-1",))


@pytest.mark.parametrize(
    ("names", "status"),
    [
        (["a", "DNS:AM.example.org"], 200), (["b", "DNS:x.example.org", "URI:spiffe://prod/Am"], 200),
        (["c", "IP:10.0.0.7"], 200), (["am-1"], 200), (["am-1", "DNS:x.example.org"], 200),
        (["d", "URI:spiffe://prod/am"], 401), (["e", "DNS:*.example.org"], 401), (["AM-1"], 401),
        (["am.example.org"], 401), (["f", "DNS:xam.example.org", "IP:10.0.0.70", "email:am@example.org"], 401),
    ],
)  # fmt: skip
async def test_t17_a_verified_certificate_with_one_of_the_names_is_proof_enough(
    house: SmallHouse, secure: Ask, authority: Authority, names: list[str], status: int
) -> None:
    house.settings = prod(client_certificate=WANTED)
    client = authority.client(authority.signs(*names))
    assert (await secure("POST", HOOK, data=BODY, ssl=client)).status == status
    assert len(await house.store.read(stored)) == (status == 200)


async def test_t17_without_a_certificate_only_a_token_of_the_store_will_do(
    house: SmallHouse, secure: Ask, authority: Authority
) -> None:
    house.settings = prod(client_certificate=WANTED)
    said = {"X-SSL-Client-S-DN": "CN=am-1", "X-Client-Cert": "am-1", "X-Forwarded-Client-Cert": "URI=spiffe://prod/Am"}
    for headers in ({}, said, bearer("wrong")):
        answer = await secure("POST", HOOK, data=BODY, headers=headers, ssl=authority.client())
        assert answer.status == 401
    token = await house.token("ingest:prod")
    assert (await secure("POST", HOOK, data=BODY, headers=bearer(token), ssl=authority.client())).status == 200


async def test_t17_a_certificate_opens_its_source_and_nothing_else(
    house: SmallHouse, secure: Ask, authority: Authority
) -> None:
    source = Source(name="prod", client_certificate=WANTED)
    house.settings = Settings(sources={"prod": source, "default": Source(name="default")})
    await house.token("admin")
    client = authority.client(authority.signs("am-1"))
    for method, path in (("POST", "/api/v1/alertmanager"), ("GET", "/api/v1/alerts"), ("POST", "/-/reload")):
        assert (await secure(method, path, data=BODY, ssl=client)).status == 401


async def test_t17_a_certificate_of_somebody_elses_authority_does_not_even_connect(
    house: SmallHouse, secure: Ask, authority: Authority, tmp_path: Path
) -> None:
    house.settings = prod(client_certificate=WANTED)
    stranger = authority.client(Authority(tmp_path, "other").signs("am-1", "DNS:am.example.org"))
    with pytest.raises((aiohttp.ClientError, ssl.SSLError, ConnectionError)):
        await secure("POST", HOOK, data=BODY, ssl=stranger)
    assert not await house.store.read(stored)


async def test_t17_a_listener_may_want_a_certificate_of_everybody(
    house: SmallHouse, authority: Authority, ours: Pair
) -> None:
    context = server_context(authority.listener(ours, ClientAuth.REQUIRED))
    async with served(make_app(house), context=context) as url, asking(url) as ask:
        with pytest.raises((aiohttp.ClientError, ssl.SSLError, ConnectionError)):
            await ask("GET", "/-/healthy", ssl=authority.client())
        assert (await ask("GET", "/-/healthy", ssl=authority.client(authority.signs("am-1")))).status == 200


async def test_t17_a_source_with_certificate_and_hmac_wants_both(
    house: SmallHouse, secure: Ask, authority: Authority
) -> None:
    house.settings = prod(client_certificate=WANTED, signing=Signing(secrets=(Secret(NEW),)))
    certified, signature = authority.client(authority.signs("am-1")), {HEADER: signs(NEW, BODY)}
    assert (await secure("POST", HOOK, data=BODY, ssl=certified)).status == 401
    assert (await secure("POST", HOOK, data=BODY, headers=signature, ssl=authority.client())).status == 401
    assert (await secure("POST", HOOK, data=BODY, headers=signature, ssl=certified)).status == 200


async def test_t17_a_certificate_or_a_token_of_the_source_will_do(
    house: SmallHouse, secure: Ask, authority: Authority
) -> None:
    house.settings = prod(client_certificate=WANTED, tokens=(Secret(NEW),))
    assert (await secure("POST", HOOK, data=BODY, ssl=authority.client(authority.signs("am-1")))).status == 200
    assert (await secure("POST", HOOK, data=BODY, headers=bearer(NEW), ssl=authority.client())).status == 200
    refused = await secure("POST", HOOK, data=BODY, ssl=authority.client())
    assert (refused.status, "a token or a client certificate of its own" in refused.error) == (401, True)
