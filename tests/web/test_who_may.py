"""Who may do what: every route with every scope, loopback without tokens, other sites' pages, and kept secrets."""

from __future__ import annotations

import asyncio
import base64
import logging

import pytest

from incidentd.access import Right, allows, may_ingest
from incidentd.redaction import Secret
from incidentd.settings import Settings, Source
from incidentd.store import chain
from incidentd.web import ROUTES, Route, callers, make_app, refuse_open_listening
from incidentd.web.house import INGEST
from tests.web.asking import Ask, asking, served
from tests.web.small_house import SmallHouse, bearer, body, insert_hold
from tests.web.test_receiver import raw

SCOPES = ("viewer", "responder", "commander", "operator", "admin", "ingest:default", "ingest:other")
FILLED = {
    "{id}": "HOLD-1", "{source}": "default", "{token}": "x", "{schedule}": "payments", "{person}": "ana",
    "{name}": "mend", "{number}": "1", "{record}": "T1", "{role}": "ic",
}  # fmt: skip


def path_of(route: Route) -> str:
    path = route.path
    for hole, value in FILLED.items():
        path = path.replace(hole, value)
    return path


def may(route: Route, scope: str) -> bool:
    return may_ingest([scope], "default") if route.right == INGEST else allows([scope], Right(route.right))


def guarded() -> list[Route]:
    return [route for route in ROUTES if route.right is not Right.PUBLIC]


def named(route: object) -> str:
    return f"{route.method} {route.path}" if isinstance(route, Route) else str(route)


@pytest.mark.parametrize("scope", SCOPES)
async def test_every_route_lets_in_exactly_who_has_the_right(house: SmallHouse, ask: Ask, scope: str) -> None:
    token = await house.token(scope)
    for route in guarded():
        answer = await ask(route.method, path_of(route), headers=bearer(token))
        assert (answer.status == 403) != may(route, scope), f"{named(route)} with {scope}: {answer.status}"
        assert answer.status != 401


@pytest.mark.slow
async def test_every_route_refuses_whoever_proves_nothing(house: SmallHouse, ask: Ask) -> None:
    token = await house.token("admin")
    proofs = [
        {}, bearer("inc_" + "0" * 64), bearer(token[:-1]), bearer(token + "0"), bearer("é"), {"Authorization": token},
        {"Authorization": f"Digest {token}"}, {"Authorization": "Bearer"}, {"Authorization": "Basic !!!"},
        {"Authorization": "Basic " + base64.b64encode(token.encode()).decode()},
    ]  # fmt: skip
    for route in guarded():
        for proof in proofs:
            answer = await ask(route.method, path_of(route), headers=proof)
            assert answer.status == 401, f"{named(route)}: {answer.status}"
            assert answer.headers["WWW-Authenticate"] == 'Bearer realm="incidentd"'
            assert token not in answer.text
    assert house.reloads == 0


async def test_what_needs_no_proof_is_only_what_says_so(house: SmallHouse, ask: Ask) -> None:
    await house.token("admin")
    public = {route.path for route in ROUTES if route.right is Right.PUBLIC}
    assert public == {
        "/-/healthy", "/-/ready", "/metrics", "/a/{token}", "/calendar/{token}", "/static/style.css",
        "/api/v1/jira/webhook",  # signed, where a secret is configured, and closed where none is
    }  # fmt: skip
    for path in ("/-/healthy", "/-/ready", "/metrics", "/static/style.css"):
        assert (await ask("GET", path)).status == 200
        assert (await ask("HEAD", path)).status == 200


def test_a_route_without_a_right_stops_the_house_from_being_built(house: SmallHouse) -> None:
    with pytest.raises(ValueError, match="GET /secret says nothing of who may use it"):
        make_app(house, (Route("GET", "/secret", ROUTES[0].handler, ""),))  # type: ignore[arg-type]  # that is the point


async def test_a_route_that_is_not_in_the_table_is_closed(house: SmallHouse) -> None:
    app = make_app(house)
    app.router.add_get("/backdoor", ROUTES[0].handler)
    async with served(app) as url, asking(url) as ask:
        assert (await ask("GET", "/backdoor")).status == 403


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "Token", "TOKEN"])
async def test_a_token_may_come_with_either_scheme(house: SmallHouse, ask: Ask, scheme: str) -> None:
    token = await house.token("viewer")
    assert (await ask("GET", "/api/v1/holds", headers={"Authorization": f"{scheme} {token}"})).status == 200


@pytest.mark.parametrize("user", ["", "alertmanager", "ünïcode"])
async def test_a_token_may_come_as_the_password_of_basic_auth(house: SmallHouse, ask: Ask, user: str) -> None:
    token = await house.token("ingest:default")
    proof = base64.b64encode(f"{user}:{token}".encode()).decode()
    answer = await ask("POST", "/api/v1/alertmanager", data=body("Up"), headers={"Authorization": f"Basic {proof}"})
    assert answer.status == 200


# -- sources with tokens of their own ----------------------------------------------------------------------------------


def prod(*tokens: str) -> Settings:
    secrets = tuple(Secret(token) for token in tokens)
    return Settings(sources={"prod": Source(name="prod", tokens=secrets), "other": Source(name="other")})


async def test_a_source_takes_each_of_its_own_tokens_while_one_is_rotated(house: SmallHouse, ask: Ask) -> None:
    house.settings = prod("old:with colon", "nëw-token")
    for secret in ("old:with colon", "nëw-token"):
        proof = base64.b64encode(f"am:{secret}".encode()).decode()
        for header in (f"Bearer {secret}", f"Basic {proof}"):
            answer = await ask("POST", "/api/v1/alertmanager/prod", data=body("Up"), headers={"Authorization": header})
            assert answer.status == 200


async def test_a_source_with_tokens_wants_one_from_this_machine_too(house: SmallHouse, ask: Ask) -> None:
    house.settings = prod("secret-of-prod")
    assert (await ask("POST", "/api/v1/alertmanager/prod", data=body("Up"))).status == 401
    wrong = await ask("POST", "/api/v1/alertmanager/prod", data=body("Up"), headers=bearer("wrong"))
    assert wrong.status == 401
    counted = house.metrics.registry.get_sample_value
    assert counted("incidentd_webhook_requests_total", {"result": "unauthorized"}) == 2
    assert counted("incidentd_auth_failures_total") == 2


async def test_a_source_token_opens_its_source_and_nothing_else(house: SmallHouse, ask: Ask) -> None:
    house.settings = prod("secret-of-prod")
    for method, path in (("POST", "/api/v1/alertmanager/other"), ("GET", "/api/v1/alerts"), ("POST", "/-/reload")):
        assert (await ask(method, path, data=body("Up"), headers=bearer("secret-of-prod"))).status == 401


@pytest.mark.parametrize("token", ["secret-of-prod", ""])
async def test_an_empty_token_is_never_right(house: SmallHouse, ask: Ask, token: str) -> None:
    house.settings = prod(token)
    assert (await ask("POST", "/api/v1/alertmanager/prod", data=body("Up"))).status == 401
    for header in ("Bearer ", "Basic Og==", "Basic YW5hOg=="):
        answer = await ask("POST", "/api/v1/alertmanager/prod", data=body("Up"), headers={"Authorization": header})
        assert answer.status == 401


# -- without any token, on loopback ------------------------------------------------------------------------------------


async def test_without_any_token_this_machine_may_do_everything(house: SmallHouse, ask: Ask) -> None:
    for route in guarded():
        assert (await ask(route.method, path_of(route))).status not in (401, 403), named(route)


async def test_the_first_token_ends_that_at_once_and_revoking_it_brings_it_back(house: SmallHouse, ask: Ask) -> None:
    assert (await ask("GET", "/api/v1/holds")).status == 200
    made = (await ask("POST", "/api/v1/tokens", json={"name": "ana", "scopes": ["admin"]})).json
    assert (await ask("GET", "/api/v1/holds")).status == 401
    assert (await ask("GET", "/api/v1/holds", headers=bearer(made["token"]))).status == 200
    assert (await ask("DELETE", f"/api/v1/tokens/{made['id']}", headers=bearer(made["token"]))).status == 200
    assert (await ask("GET", "/api/v1/holds", headers=bearer(made["token"]))).status == 401
    assert (await ask("GET", "/api/v1/holds")).status == 200


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:9720", "127.0.0.1", "127.8.9.1:80", "[::1]:9720", "LOCALHOST"]
)
async def test_loopback_names_are_this_machine(ask: Ask, host: str) -> None:
    assert (await ask("GET", "/api/v1/holds", headers={"Host": host})).status == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:9720", "127.0.0.1.evil.example", "10.0.0.7", "0.0.0.0"])
async def test_a_name_that_was_bent_to_loopback_is_refused(ask: Ask, host: str) -> None:
    answer = await ask("GET", "/api/v1/holds", headers={"Host": host})
    assert answer.status == 401
    assert "loopback" in answer.error


async def test_a_request_that_names_no_host_is_not_local(url: str) -> None:
    assert b" 401 " in await raw(url, b"GET /api/v1/holds HTTP/1.0\r\n\r\n")


async def test_the_name_of_the_external_url_is_ours(house: SmallHouse, ask: Ask) -> None:
    house.settings = Settings(external_url="https://incidentd.example.org/x")
    assert (await ask("GET", "/api/v1/holds", headers={"Host": "incidentd.example.org"})).status == 200
    assert (await ask("GET", "/api/v1/holds", headers={"Host": "example.org"})).status == 401


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"])
async def test_what_a_proxy_forwards_is_not_local(ask: Ask, header: str) -> None:
    assert (await ask("GET", "/api/v1/holds", headers={header: "127.0.0.1"})).status == 401


async def test_listening_beyond_loopback_makes_nobody_local(house: SmallHouse, ask: Ask) -> None:
    house.settings = Settings(listen="0.0.0.0:9720")
    assert (await ask("GET", "/api/v1/holds")).status == 401


@pytest.mark.parametrize(
    ("listen", "tokens", "refused"),
    [
        ("127.0.0.1:9720", False, False), ("[::1]:9720", False, False), ("localhost:9720", False, False),
        ("0.0.0.0:9720", False, True), (":9720", False, True), ("[::]:9720", False, True),
        ("10.0.0.7:9720", False, True), ("incidentd.example.org:9720", False, True), ("0.0.0.0:9720", True, False),
    ],
)  # fmt: skip
def test_an_open_door_is_refused_before_it_is_opened(listen: str, tokens: bool, refused: bool) -> None:
    said = refuse_open_listening(Settings(listen=listen), tokens)
    assert bool(said) == refused
    assert not refused or "incidentd token create" in said


async def test_a_revoked_token_dies_within_seconds_when_it_was_revoked_elsewhere(
    house: SmallHouse, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    from incidentd.store import access
    from tests.web.small_house import SETUP

    monkeypatch.setattr(callers, "BELIEVED", 0.05)
    token, _ = await house.token("viewer"), await house.token("admin")
    assert (await ask("GET", "/api/v1/holds", headers=bearer(token))).status == 200
    await house.store.write(access.revoke_token, 1, actor=SETUP)
    await asyncio.sleep(0.06)
    assert (await ask("GET", "/api/v1/holds", headers=bearer(token))).status == 401


async def test_a_storm_with_one_token_asks_the_store_once(
    house: SmallHouse, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await house.token("ingest:default")
    read, asked = house.store.read, []

    async def counting(query: object, *args: object, **more: object) -> object:
        asked.append(query)
        return await read(query, *args, **more)  # type: ignore[arg-type]  # whatever it is

    monkeypatch.setattr(house.store, "read", counting)
    answers = await asyncio.gather(
        *(ask("POST", "/api/v1/alertmanager", data=body("Up"), headers=bearer(token)) for _ in range(50))
    )
    assert {answer.status for answer in answers} == {200}
    assert len(asked) == 1


# -- who acts ----------------------------------------------------------------------------------------------------------


async def noted_by(house: SmallHouse) -> tuple[str, str, str]:
    entry = (await house.store.read(chain.entries, "HOLD-1"))[1]
    return entry.actor.name, entry.actor.via, entry.actor.key


async def test_the_token_acts_and_stands_on_the_timeline(house: SmallHouse, ask: Ask) -> None:
    token = await house.token("responder", name="ana")
    await house.store.write(insert_hold)
    answer = await ask("POST", "/api/v1/holds/1/note", json={"text": "looking"}, headers=bearer(token))
    assert answer.status == 201
    assert await noted_by(house) == ("ana", "api", "token:1")


async def test_nobody_acts_under_anothers_name(house: SmallHouse, ask: Ask) -> None:
    token = await house.token("responder", name="ana")
    await house.store.write(insert_hold)
    answer = await ask("POST", "/api/v1/holds/1/note", json={"text": "x", "by": "ben"}, headers=bearer(token))
    assert (answer.status, answer.error) == (400, "`by` says 'ben', but this token acts as 'ana'; leave `by` out")
    same = await ask("POST", "/api/v1/holds/1/note", json={"text": "x", "by": "ana"}, headers=bearer(token))
    assert same.status == 201


@pytest.mark.parametrize(
    ("by", "agent", "expected"),
    [({}, "curl/8", ("local", "api", "")), ({"by": "ben"}, "incidentd-cli/0.1.0", ("ben", "cli", ""))],
)
async def test_without_tokens_a_local_callers_word_is_taken(
    house: SmallHouse, ask: Ask, by: dict[str, str], agent: str, expected: tuple[str, str, str]
) -> None:
    await house.store.write(insert_hold)
    answer = await ask("POST", "/api/v1/holds/1/note", json={"text": "x", **by}, headers={"User-Agent": agent})
    assert answer.status == 201
    assert await noted_by(house) == expected


# -- other sites' pages ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "passes"),
    [
        ({}, True),
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, True),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "nonsense"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost:1"}, False),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "http://[bad"}, False),
        ({"Origin": "http://localhost:1", "Host": "localhost:1"}, True),
    ],
)
async def test_a_page_of_another_site_cannot_change_anything(
    house: SmallHouse, ask: Ask, headers: dict[str, str], passes: bool
) -> None:
    for route in guarded():
        if route.method != "GET":
            answer = await ask(route.method, path_of(route), headers=headers)
            assert (answer.status != 403) == passes, f"{named(route)}: {answer.status}"
    assert bool(house.reloads) == passes


async def test_nothing_is_shared_with_other_sites(ask: Ask) -> None:
    answer = await ask("GET", "/api/v1/holds", headers={"Origin": "https://evil.example"})
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]
    assert (await ask("OPTIONS", "/api/v1/holds", headers={"Origin": "https://evil.example"})).status == 405


async def test_no_secret_is_logged_or_counted(house: SmallHouse, ask: Ask, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    token = await house.token("viewer")
    for secret in (token, "inc_" + "7" * 64):
        for path in ("/api/v1/holds", "/api/v1/alertmanager", "/a/" + secret, "/nothing/" + secret):
            await ask("GET", path, headers=bearer(secret))
            await ask("POST", path, headers=bearer(secret), data=body("Up"))
    said = caplog.text + (await ask("GET", "/metrics")).text
    assert token not in said
    assert "7" * 64 not in said
