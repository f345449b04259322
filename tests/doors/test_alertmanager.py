"""The door to Alertmanager's API, tried on what a real one says, on bad answers, over TLS, and on a real one."""

from __future__ import annotations

import asyncio
import gc
import json
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from incidentd import alertmanager as door
from incidentd.alertmanager import Alertmanager
from incidentd.errors import IncidentdError, PermanentError, TemporaryError
from incidentd.matchers import parse_matcher
from incidentd.playbooks.errands import SilenceOrder
from incidentd.reconciliation import Snapshot
from incidentd.redaction import Secret
from incidentd.settings import AlertmanagerSettings, HttpConfig, OAuth2, Tls
from tests.doors.web_double import Handler, serving, session
from tests.programs import path_of

NOW = datetime(2026, 11, 24, 14, 0, tzinfo=UTC)
CONFIG = """route:
  receiver: x
receivers:
- name: chat
  webhook_configs:
  - url: http://chat/hook
- name: 'a b'
  webhook_configs:
  - send_resolved: true
    url: http://127.0.0.1:9/api/v1/alertmanager/prod
- name: mail
templates: []
"""
STATUS = {
    "cluster": {"status": "disabled"}, "config": {"original": CONFIG}, "uptime": "2026-11-24T13:00:00.500Z",
    "versionInfo": {"version": "0.25.0"},
}  # fmt: skip
ALERTS: list[dict[str, Any]] = [
    {
        "annotations": {"summary": "it is"}, "endsAt": "2026-11-24T16:01:10.729Z", "fingerprint": "d2c2efc389db2050",
        "receivers": [{"name": "x"}, {"name": "a b"}], "startsAt": "2026-11-24T10:00:00.123+01:00",
        "status": {"inhibitedBy": [], "silencedBy": ["51973eae-8fc7"], "state": "suppressed"},
        "updatedAt": "2026-11-24T15:56:10.729Z", "labels": {"alertname": "B"},
    },
    {
        "annotations": {}, "endsAt": "2026-11-24T16:01:10.729Z", "fingerprint": "d2c6efc389df0927",
        "receivers": [{"name": "x"}], "startsAt": "2026-11-24T15:56:10.729Z", "generatorURL": "http://p/graph",
        "status": {"inhibitedBy": [], "silencedBy": [], "state": "active"}, "labels": {"alertname": "A"},
    },
]  # fmt: skip


def peer(alerts: object = ALERTS, status: object = STATUS, code: int = 200, silences: object = ()) -> Handler:
    async def handler(request: web.Request) -> web.Response:
        body = {"/api/v2/alerts": alerts, "/api/v2/status": status, "/api/v2/silences": silences}[request.path]
        return web.Response(
            body=body if isinstance(body, bytes) else json.dumps(body).encode(), status=code,
            headers={"Date": "Tue, 24 Nov 2026 14:00:00 GMT"},
        )  # fmt: skip

    return handler


@asynccontextmanager
async def asking(
    *handlers: Handler, http: HttpConfig | None = None, tls: ssl.SSLContext | None = None, more: tuple[str, ...] = ()
) -> AsyncIterator[Alertmanager]:
    async with AsyncExitStack() as stack:
        urls = [await stack.enter_async_context(serving(handler, tls)) for handler in handlers]
        ours = await stack.enter_async_context(session())
        settings = AlertmanagerSettings(urls=(*more, *urls), http=http or HttpConfig())
        yield Alertmanager(settings, ours, now=lambda: NOW, webhook="/api/v1/alertmanager/prod")


async def answer_of(*handlers: Handler) -> Snapshot:
    async with asking(*handlers) as alertmanager:
        return await alertmanager.alerts()


async def test_what_a_real_one_says_is_read() -> None:
    snapshot = await answer_of(peer())
    muted, firing = snapshot.alerts.values()

    assert (snapshot.asked_at, snapshot.answered, snapshot.receivers) == (NOW, True, frozenset({"a b"}))
    assert snapshot.up_for == timedelta(hours=1) - timedelta(milliseconds=500)
    assert muted.muted_by == ("silence 51973eae-8fc7",)
    assert (muted.starts_at, muted.receivers) == (
        datetime(2026, 11, 24, 9, 0, 0, 123000, tzinfo=UTC),
        frozenset({"x", "a b"}),
    )
    assert (firing.muted_by, firing.processed, firing.labels) == ((), True, {"alertname": "A"})


async def test_one_that_shows_no_configuration_is_read_without_its_receivers() -> None:
    snapshot = await answer_of(peer(status=STATUS | {"config": {"original": ""}}))
    assert (len(snapshot.alerts), snapshot.receivers) == (2, frozenset())


@pytest.mark.parametrize(
    ("status", "muted_by", "processed"),
    [
        ({"state": "suppressed", "silencedBy": [], "inhibitedBy": ["d2c2"]}, ("alert d2c2",), True),
        (
            {"state": "active", "silencedBy": [], "inhibitedBy": [], "mutedBy": ["nights"]},
            ("time interval nights",),
            True,
        ),
        ({"state": "suppressed", "silencedBy": [], "inhibitedBy": []}, ("something",), True),
        ({"state": "unprocessed", "silencedBy": [], "inhibitedBy": []}, (), False),
        ({"state": "active"}, (), True),
    ],
)
async def test_each_way_of_being_muted_is_known(status: object, muted_by: tuple[str, ...], processed: bool) -> None:
    [found] = (await answer_of(peer([ALERTS[1] | {"status": status}]))).alerts.values()

    assert (found.muted_by, found.processed) == (muted_by, processed)


@pytest.mark.parametrize(("says", "hides"), [([], False), (None, True)])
async def test_one_that_mutes_by_time_and_does_not_say_which_is_known_to_hide_it(says: object, hides: bool) -> None:
    status = STATUS | {"config": {"original": CONFIG.replace("  receiver: x", "  mute_time_intervals:\n  - nights")}}
    state = {"state": "active"} | ({"mutedBy": says} if says is not None else {})

    assert (await answer_of(peer([ALERTS[1] | {"status": state}], status))).hides_muting is hides


async def test_what_any_peer_has_is_there_and_what_any_peer_tells_is_not_muted() -> None:
    other = [ALERTS[0] | {"status": {"state": "active"}}, ALERTS[1] | {"fingerprint": "third"}]
    snapshot = await answer_of(peer(), peer(other, STATUS | {"uptime": "2026-11-24T13:59:00Z"}))

    assert set(snapshot.alerts) == {"d2c2efc389db2050", "d2c6efc389df0927", "third"}
    assert snapshot.alerts["d2c2efc389db2050"].muted_by == ()
    assert snapshot.up_for > timedelta(minutes=59)


async def test_one_peer_that_answers_is_enough(free_port: int) -> None:
    async with asking(peer(code=500), peer(), more=(f"http://127.0.0.1:{free_port}",)) as alertmanager:
        assert len((await alertmanager.alerts()).alerts) == 2
        assert (await alertmanager.status()).version == "0.25.0"


async def test_when_no_peer_answers_each_says_why(free_port: int) -> None:
    async with asking(peer(code=401), more=(f"http://127.0.0.1:{free_port}",)) as alertmanager:
        with pytest.raises(TemporaryError, match=r"cannot be reached.*; .*refuses these credentials \(HTTP 401\)"):
            await alertmanager.alerts()
        with pytest.raises(TemporaryError, match="cannot be reached"):
            await alertmanager.status()


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (204, PermanentError), (301, PermanentError), (302, PermanentError), (308, PermanentError),
        (400, PermanentError), (401, PermanentError), (403, PermanentError), (404, PermanentError),
        (410, PermanentError), (408, TemporaryError), (429, TemporaryError), (500, TemporaryError),
        (502, TemporaryError), (503, TemporaryError),
    ],
)  # fmt: skip
async def test_t24_other_answers_are_errors_of_the_right_kind(code: int, error: type[IncidentdError]) -> None:
    with pytest.raises(error, match=f"HTTP {code}"):
        await answer_of(peer(code=code))


@pytest.mark.parametrize(
    "body",
    [
        b"", b"<html>", b"null", b"{}", b"[1]", b"[{}]", b"\xff", b'[{"fingerprint": 1}]', b"[" * 200_000,
        json.dumps([ALERTS[0] | {"startsAt": "0001-01-01T00:00:00Z"}]).encode(),
        json.dumps([ALERTS[0] | {"startsAt": "yesterday"}]).encode(),
        json.dumps([ALERTS[0] | {"labels": {"a": 1}}]).encode(),
    ],
)  # fmt: skip
async def test_t24_garbage_is_refused_and_not_taken_for_an_empty_list(body: bytes) -> None:
    with pytest.raises(PermanentError, match="cannot be read"):
        await answer_of(peer(body))


@pytest.mark.parametrize("status", [b"<html>", {"uptime": "long"}, {"config": 1}])
async def test_t24_a_status_that_is_none_is_refused(status: object) -> None:
    with pytest.raises(PermanentError, match="the status of"):
        await answer_of(peer(status=status))


async def test_t24_one_that_does_not_answer_is_left_after_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "WITHIN", timedelta(milliseconds=50))
    over = asyncio.Event()

    async def handler(_: web.Request) -> web.Response:
        await over.wait()
        return web.Response()

    async with asking(handler) as alertmanager:
        with pytest.raises(TemporaryError, match="did not answer within 50ms"):
            await alertmanager.alerts()
        over.set()


async def test_t24_an_answer_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "MOST", 1024 * 1024)
    with pytest.raises(PermanentError, match="larger than 1 MiB"):
        await answer_of(peer(b" " * 1024 * 1024 + json.dumps(ALERTS).encode()))


@pytest.mark.slow
async def test_many_alerts_are_read_beside_the_loop() -> None:
    many = [ALERTS[1] | {"fingerprint": f"{number:016x}"} for number in range(20_000)]
    assert len((await answer_of(peer(many))).alerts) == 20_000


async def test_control_characters_are_taken_out() -> None:
    [found] = (await answer_of(peer([ALERTS[1] | {"labels": {"a": "x\u0000y"}}]))).alerts.values()
    assert found.labels == {"a": "x\N{REPLACEMENT CHARACTER}y"}


async def test_what_signs_in_is_sent_and_never_to_where_a_redirect_leads() -> None:
    seen: list[tuple[str, str | None, str | None]] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append((request.path, request.headers.get("Authorization"), request.headers.get("X-Tenant")))
        raise web.HTTPFound("/elsewhere")

    http = HttpConfig(headers={"Authorization": Secret("Bearer sesame"), "X-Tenant": Secret("a")})
    async with asking(handler, http=http) as alertmanager:
        with pytest.raises(PermanentError, match="configure the final url"):
            await alertmanager.alerts()
    assert {path for path, _, _ in seen} == {"/api/v2/alerts", "/api/v2/status"}
    assert {(authorization, tenant) for _, authorization, tenant in seen} == {("Bearer sesame", "a")}


# -- OAuth 2.0 -------------------------------------------------------------------------------------------------------


async def test_an_access_token_is_fetched_once_and_anew_when_it_is_refused() -> None:
    asked: list[dict[str, str]] = []
    good = ["t1"]

    async def tokens(request: web.Request) -> web.Response:
        asked.append({**{k: str(v) for k, v in (await request.post()).items()}, "by": request.headers["Authorization"]})
        return web.json_response({"access_token": f"t{len(asked)}", "expires_in": 3600, "token_type": "Bearer"})

    async def guarded(request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {good[0]}":
            return web.Response(status=401)
        return await peer()(request)

    async with serving(tokens) as token_url:
        oauth2 = OAuth2(client_id="us", client_secret=Secret("s:1"), token_url=token_url + "/token", scopes=("a", "b"))
        async with asking(guarded, http=HttpConfig(oauth2=oauth2)) as alertmanager:
            await alertmanager.status()
            await alertmanager.status()
            assert asked == [{"grant_type": "client_credentials", "scope": "a b", "by": "Basic dXM6cyUzQTE="}]
            good[0] = "t2"
            await alertmanager.status()
            assert len(asked) == 2


@pytest.mark.parametrize(
    ("body", "code", "error"),
    [
        (b"{}", 200, PermanentError), (b"<html>", 200, PermanentError), (b'{"error":"x"}', 401, PermanentError),
        (b"", 503, TemporaryError),
    ],
)  # fmt: skip
async def test_a_token_url_that_gives_none_is_said_so(body: bytes, code: int, error: type[IncidentdError]) -> None:
    async def tokens(_: web.Request) -> web.Response:
        return web.Response(body=body, status=code)

    async with serving(tokens) as token_url:
        oauth2 = OAuth2(client_id="us", client_secret=Secret("sesame"), token_url=token_url)
        async with asking(peer(), http=HttpConfig(oauth2=oauth2)) as alertmanager:
            with pytest.raises(error, match="token_url") as refused:
                await alertmanager.status()
    assert "sesame" not in str(refused.value)


# -- TLS -------------------------------------------------------------------------------------------------------------


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    key, made = folder / f"{name}.key", folder / f"{name}.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", f"/CN={name}"]
    names = ["-addext", f"subjectAltName=DNS:{name}"]
    subprocess.run(
        [*command, *names, "-keyout", str(key), "-out", str(made)], check=True, capture_output=True
    )  # fmt: skip
    return made, key


# the server of the test does not close what a client left in the middle of a handshake: that is asyncio's, and not ours
@pytest.mark.filterwarnings("ignore:Exception ignored in:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.slow
async def test_tls_is_proved_both_ways_with_the_authority_and_the_name_that_are_configured(tmp_path: Path) -> None:
    theirs, their_key = await asyncio.to_thread(certificate, tmp_path, "am.example.org")
    ours, our_key = await asyncio.to_thread(certificate, tmp_path, "incidentd.example.org")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=ours)
    context.load_cert_chain(theirs, their_key)
    context.verify_mode = ssl.CERT_REQUIRED
    good = Tls(ca_file=theirs, cert_file=ours, key_file=our_key, server_name="am.example.org")

    async with asking(peer(), http=HttpConfig(tls=good), tls=context) as alertmanager:
        assert len((await alertmanager.alerts()).alerts) == 2
    for bad in (
        Tls(ca_file=theirs, cert_file=ours, key_file=our_key),
        Tls(cert_file=ours, key_file=our_key, server_name="am.example.org"),
        Tls(ca_file=theirs, server_name="am.example.org"),
    ):
        async with asking(peer(), http=HttpConfig(tls=bad), tls=context) as alertmanager:
            with pytest.raises(IncidentdError, match=r"certificate|cannot be reached"):
                await alertmanager.alerts()
    gc.collect()


# -- a real one ------------------------------------------------------------------------------------------------------


@pytest.fixture
def real(tmp_path: Path, free_port: int) -> Iterator[str]:
    """Start an Alertmanager; give its address."""
    (tmp_path / "am.yml").write_text(CONFIG.replace("- name: mail\n", "- name: x\n").replace("templates: []\n", ""))
    command = [
        path_of("alertmanager"), f"--config.file={tmp_path}/am.yml", f"--storage.path={tmp_path}/data",
        f"--web.listen-address=127.0.0.1:{free_port}", "--cluster.listen-address=",
    ]  # fmt: skip
    log = (tmp_path / "log").open("wb")
    running = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield f"http://127.0.0.1:{free_port}"
    finally:
        running.terminate()
        running.wait(10)
        log.close()


@pytest.mark.needs("alertmanager")
async def test_a_real_alertmanager_is_understood(real: str) -> None:
    async with session() as ours:
        alertmanager = Alertmanager(
            AlertmanagerSettings(urls=(real,)), ours, now=lambda: NOW, webhook="/api/v1/alertmanager/prod"
        )
        for _ in range(100):
            try:
                await alertmanager.status()
                break
            except TemporaryError:
                await asyncio.sleep(0.1)
        alerts = [{"labels": {"alertname": "A"}}, {"labels": {"alertname": "B"}}]
        silence = {
            "matchers": [{"name": "alertname", "value": "B", "isRegex": False}], "startsAt": "2020-01-01T00:00:00Z",
            "endsAt": "2099-01-01T00:00:00Z", "createdBy": "ana", "comment": "a test",
        }  # fmt: skip
        for path, body in (("silences", silence), ("alerts", alerts)):
            async with ours.post(f"{real}/api/v2/{path}", json=body) as answer:
                assert answer.status == 200, await answer.text()
        snapshot = await alertmanager.alerts()
        for _ in range(100):
            snapshot = await alertmanager.alerts()
            if len(snapshot.alerts) == 2 and all(one.processed for one in snapshot.alerts.values()):
                break
            await asyncio.sleep(0.1)

    found = {one.labels["alertname"]: one for one in snapshot.alerts.values()}
    assert found["A"].muted_by == ()
    assert found["B"].muted_by[0].startswith("silence ")
    assert found["A"].receivers == {"x"}
    assert snapshot.receivers == {"a b"}
    assert timedelta(0) <= snapshot.up_for < timedelta(minutes=1)


ORDER = SilenceOrder(
    matchers=(parse_matcher('alertname="A"'),), lasts=timedelta(minutes=30), by="incidentd RUN-7",
    comment="RUN-7 of tidy (RUN-7@17/steps/0)", key="RUN-7@17/steps/0",
)  # fmt: skip


def silencer(made: list[dict[str, Any]], code: int = 200) -> Handler:
    async def handler(request: web.Request) -> web.Response:
        if request.method == "POST":
            made.append(await request.json())
            return web.json_response({"silenceID": "new"} if code == 200 else "bad matcher", status=code)
        there = [{"id": "old", "endsAt": it["endsAt"], "status": {"state": "active"}, **it} for it in made]
        return web.json_response(there)

    return handler


async def gone(_request: web.Request) -> web.Response:
    return web.Response(status=503)


async def test_a_silence_that_an_earlier_try_made_on_any_peer_is_found_and_no_other_is_made() -> None:
    made: list[dict[str, Any]] = []
    async with asking(gone, silencer(made)) as alertmanager:
        assert await alertmanager.silence(ORDER) == "new"
        assert await alertmanager.silence(ORDER) == "old"
    assert len(made) == 1
    assert (made[0]["createdBy"], made[0]["endsAt"]) == ("incidentd RUN-7", "2026-11-24T14:30:00+00:00")
    assert made[0]["matchers"] == [{"name": "alertname", "value": "A", "isRegex": False, "isEqual": True}]


async def test_no_silence_is_made_when_no_peer_can_say_whether_there_is_one() -> None:
    async with asking(gone) as alertmanager:
        with pytest.raises(TemporaryError, match="HTTP 503"):
            await alertmanager.silence(ORDER)
        with pytest.raises(TemporaryError, match="HTTP 503"):
            await alertmanager.lift("RUN-7@17")


async def test_a_silence_that_is_refused_says_why() -> None:
    async with asking(silencer([], 400)) as alertmanager:
        with pytest.raises(PermanentError, match=r"refuses the silence.*bad matcher"):
            await alertmanager.silence(ORDER)
