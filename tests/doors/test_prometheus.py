"""The door to Prometheus, tried on answers that a real one gave, on bad ones, and on a real one."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web

from incidentd.errors import PermanentError, TemporaryError
from incidentd.graphs import Line
from incidentd.prometheus import Answer, Prometheus
from incidentd.redaction import Secret
from incidentd.settings import PrometheusSettings
from tests.doors.web_double import Handler, serving, session
from tests.programs import path_of

CANNED = Path(__file__).parent.parent / "data" / "prometheus_api"
SECOND = timedelta(seconds=1)


@asynccontextmanager
async def asking(handler: Handler, **headers: Secret) -> AsyncIterator[Prometheus]:
    async with serving(handler) as url, session() as ours:
        yield Prometheus(PrometheusSettings(url=url + "/", headers=headers), ours)


async def answer_to(body: bytes | str, status: int = 200) -> Answer:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(body=body, status=status)

    async with asking(handler) as prometheus:
        return await prometheus.query("up")


def canned(name: str) -> bytes:
    return (CANNED / f"{name}.json").read_bytes()


async def test_a_query_goes_out_as_a_form_with_the_headers_of_its_source() -> None:
    seen: list[tuple[str, str, object, str | None]] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append((request.method, request.path_qs, dict(await request.post()), request.headers.get("X-Scope-OrgID")))
        return web.Response(body=canned("query"))

    async with asking(handler, **{"X-Scope-OrgID": Secret("tenant-a")}) as prometheus:
        answer = await prometheus.query('sum(up{job="cart"})', timeout=2 * SECOND)
    assert answer.value == 1.0
    assert seen == [("POST", "/api/v1/query", {"query": 'sum(up{job="cart"})', "timeout": "2s"}, "tenant-a")]


async def test_one_sample_is_a_value_and_keeps_its_labels() -> None:
    answer = await answer_to(canned("query"))
    assert (answer.value, answer.reason) == (1.0, "")
    assert answer.samples[0].labels["job"] == "cart"


async def test_a_scalar_is_a_value() -> None:
    assert (await answer_to(canned("query_scalar"))).value == 1.0


async def test_infinity_is_a_value() -> None:
    assert (await answer_to(canned("query_inf"))).value == float("inf")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("query_empty", "the query gives no data"),
        ("query_nan", "the query gives NaN"),
        ("query_string", "the query gives a string, not a number"),
        ("query_alerts", "series, not one number: aggregate it"),
    ],
)
async def test_what_is_not_exactly_one_number_is_unknown_and_says_why(name: str, reason: str) -> None:
    answer = await answer_to(canned(name))
    assert answer.value is None
    assert reason in answer.reason


async def test_several_series_are_all_there_to_be_looked_at() -> None:
    answer = await answer_to(canned("query_alerts"))
    assert len(answer.samples) > 1
    assert {sample.value for sample in answer.samples} == {1.0}


async def test_a_histogram_is_no_number() -> None:
    body = '{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"histogram":[1,{"count":"1"}]}]}}'
    answer = await answer_to(body)
    assert (answer.value, answer.reason) == (None, "the query gives a histogram, not a number")


async def test_warnings_are_handed_on_harmless() -> None:
    body = canned("query").replace(
        b'"status":"success"', b'"status":"success","warnings":["part of it \\u001b[31m is missing"]'
    )
    assert (await answer_to(body)).warnings == ("part of it \N{REPLACEMENT CHARACTER}[31m is missing",)


async def test_a_query_that_prometheus_refuses_is_not_tried_again_and_its_words_are_kept() -> None:
    with pytest.raises(PermanentError, match="unexpected end of input inside braces"):
        await answer_to(canned("bad.400"), 400)


@pytest.mark.parametrize("status", [300, 301, 302, 307, 308, 400, 401, 403, 404, 405, 422])
async def test_these_answers_are_not_worth_another_try(status: int) -> None:
    with pytest.raises(PermanentError, match=f"HTTP {status}"):
        await answer_to("<html>", status)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_these_answers_may_be_better_later(status: int) -> None:
    with pytest.raises(TemporaryError, match=f"HTTP {status}"):
        await answer_to('{"status":"error","errorType":"timeout","error":"query timed out"}', status)


@pytest.mark.parametrize(
    "body",
    [
        "", "<html>", "null", "[]", "{}", '{"status":"success"}', '{"status":"error","error":"x"}', b"\xff\xfe",
        '{"status":"success","data":{"resultType":"vector","result":{}}}',
        '{"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":1},"value":[1,"1"]}]}}',
        '{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"one"]}]}}',
        '{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1]}]}}',
        '{"status":"success","data":{"resultType":"scalar","result":[1,1]}}',
        '{"status":"success","data":{"resultType":7,"result":[]}}',
        '{"status":"success","data":{"resultType":"vector","result":' + "[" * 100_000 + "}}",
        '{"a":' + "[" * 400_000,
    ],
)  # fmt: skip
async def test_a_body_that_no_prometheus_sends_is_refused(body: bytes | str) -> None:
    with pytest.raises(PermanentError):
        await answer_to(body)


async def test_a_redirect_is_not_followed() -> None:
    paths: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        paths.append(request.path)
        raise web.HTTPFound("/elsewhere")

    async with asking(handler, Authorization=Secret("Bearer sesame")) as prometheus:
        with pytest.raises(PermanentError, match="configure the final url"):
            await prometheus.query("up")
    assert paths == ["/api/v1/query"]


async def test_an_answer_without_end_is_cut_off() -> None:
    sent = 0

    async def handler(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        with suppress(ConnectionError):
            while True:
                await response.write(b" " * 65536)
                sent += 65536
        return response

    async with asking(handler) as prometheus:
        with pytest.raises(PermanentError, match="larger than 1 MiB"):
            await prometheus.query("up")
    assert sent < 64 * 1024 * 1024


async def test_no_answer_in_time_may_come_later() -> None:
    over = asyncio.Event()

    async def handler(_: web.Request) -> web.Response:
        await over.wait()
        return web.Response()

    async with asking(handler) as prometheus:
        with pytest.raises(TemporaryError, match="did not answer within 50ms"):
            await prometheus.query("up", timeout=timedelta(milliseconds=50))
        over.set()


async def test_a_connection_that_breaks_off_may_hold_later() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        assert request.transport is not None
        request.transport.abort()
        return response

    async with asking(handler) as prometheus:
        with pytest.raises(TemporaryError, match="cannot be reached"):
            await prometheus.query("up")


async def test_nobody_listening_may_change(free_port: int) -> None:
    async with session() as ours:
        prometheus = Prometheus(PrometheusSettings(url=f"http://127.0.0.1:{free_port}"), ours)
        with pytest.raises(TemporaryError, match="cannot be reached"):
            await prometheus.query("up")


async def test_a_certificate_that_nobody_signed_is_refused(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    await asyncio.to_thread(
        subprocess.run, [*command, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)

    async def handler(_: web.Request) -> web.Response:
        return web.Response(body=canned("query"))

    async with serving(handler, context) as url, session() as ours:
        with pytest.raises(PermanentError, match="certificate"):
            await Prometheus(PrometheusSettings(url=url), ours).query("up")


@pytest.mark.parametrize("url", ["http://", "nonsense", "http://[::1", "ftp://127.0.0.1"])
async def test_an_address_that_is_none_is_said_to_be_so(url: str) -> None:
    async with session() as ours:
        with pytest.raises(PermanentError, match="configured url"):
            await Prometheus(PrometheusSettings(url=url), ours).query("up")


async def test_a_header_that_would_be_two_is_refused_and_not_shown() -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(body=canned("query"))

    async with asking(handler, **{"X-A": Secret("sesame\r\nX-B: open")}) as prometheus:
        with pytest.raises(PermanentError) as refused:
            await prometheus.query("up")
    assert "sesame" not in str(refused.value)


# courses to draw, and alerting rules

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


async def course_of(body: str, status: int = 200) -> tuple[Line, ...]:
    async def handler(request: web.Request) -> web.Response:
        assert (request.method, request.path) == ("POST", "/api/v1/query_range")
        form = dict(await request.post())
        assert form == {
            "query": "up", "start": "1795521600.0", "end": "1795525200.0", "step": "15.0", "timeout": "10s",
        }  # fmt: skip
        return web.Response(text=body, status=status)

    async with asking(handler) as prometheus:
        end = NOON + timedelta(hours=1)
        return await prometheus.course("up", start=NOON, end=end, step=timedelta(seconds=15))


def matrix(values: str) -> str:
    result = f'[{{"metric": {{"job": "cart"}}, "values": {values}}}]'
    return f'{{"status": "success", "data": {{"resultType": "matrix", "result": {result}}}}}'


async def test_a_course_has_the_points_of_each_series() -> None:
    [line] = await course_of(matrix('[[1795521600, "1"], [1795521615.5, "NaN"], [1795521630, "+Inf"]]'))
    assert line.labels == {"job": "cart"}
    assert [at - NOON for at, _ in line.points] == [timedelta(seconds=it) for it in (0, 15.5, 30)]
    assert [str(value) for _, value in line.points] == ["1.0", "nan", "inf"]


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        (matrix('[[1, "x"]]'), 200, PermanentError),
        (matrix('[[1e99, "1"]]'), 200, PermanentError),
        (matrix('"no list"'), 200, PermanentError),
        ("{", 200, PermanentError),
        ('{"status": "error", "error": "exceeded maximum resolution"}', 400, PermanentError),
        ('{"status": "error", "error": "busy"}', 503, TemporaryError),
    ],
)
async def test_a_course_that_cannot_be_read_is_none(body: str, status: int, error: type[Exception]) -> None:
    with pytest.raises(error):
        await course_of(body, status)


async def test_of_the_alerting_rules_those_that_are_asked_for_are_given() -> None:
    rules = (
        '{"type": "alerting", "name": "Slow", "query": "lag > 3"}',
        '{"type": "recording", "name": "Lag", "query": "x"}',
        '{"type": "alerting", "name": "Slow", "query": "lag > 9"}',
        '{"type": "alerting", "name": "Down", "query": "up < 1"}',
    )  # fmt: skip
    body = f'{{"status": "success", "data": {{"groups": [{{"rules": [{", ".join(rules)}]}}, {{"name": "empty"}}]}}}}'

    async def handler(request: web.Request) -> web.Response:
        assert request.path_qs == "/api/v1/rules?type=alert"
        return web.Response(text=body)

    async with asking(handler) as prometheus:
        assert await prometheus.alerting_rules(["Slow", "Lag", "Other"]) == {"Slow": "lag > 3"}


@pytest.mark.parametrize(("body", "status"), [("nonsense", 200), ("[]", 200), ('{"status": "error"}', 404)])
async def test_rules_that_cannot_be_read_are_none(body: str, status: int) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(text=body, status=status)

    async with asking(handler) as prometheus:
        with pytest.raises(PermanentError):
            await prometheus.alerting_rules(["Slow"])


# a real one


@pytest.fixture
def real(tmp_path: Path, free_port: int) -> Iterator[str]:
    """Start a Prometheus that scrapes nothing; give its address."""
    (tmp_path / "prometheus.yml").write_text("global: {scrape_interval: 1h}\nrule_files: [rules.yml]\n")
    rules = "groups: [{name: a, rules: [{alert: Slow, expr: vector(3) > 1}, {record: 'a:b', expr: vector(1)}]}]\n"
    (tmp_path / "rules.yml").write_text(rules)
    command = [
        path_of("prometheus"),
        f"--config.file={tmp_path}/prometheus.yml",
        f"--storage.tsdb.path={tmp_path}/data",
    ]
    log = (tmp_path / "log").open("wb")
    running = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{free_port}"], stdout=log, stderr=log)
    try:
        yield f"http://127.0.0.1:{free_port}"
    finally:
        running.terminate()
        running.wait(10)
        log.close()


@pytest.mark.needs("prometheus")
async def test_a_real_prometheus_is_understood(real: str) -> None:
    async with session() as ours:
        prometheus = Prometheus(PrometheusSettings(url=real), ours)
        await _ready(prometheus)
        answers = {
            query: await prometheus.query(query) for query in ("vector(42)", "7 * 6", "up", "vector(0)/0", "1/0")
        }
        assert {query: answer.value for query, answer in answers.items()} == {
            "vector(42)": 42.0, "7 * 6": 42.0, "up": None, "vector(0)/0": None, "1/0": float("inf"),
        }  # fmt: skip
        now = datetime.now(UTC)
        [line] = await prometheus.course(
            "vector(42)", start=now - timedelta(minutes=1), end=now, step=timedelta(seconds=15)
        )
        assert [value for _, value in line.points] == [42.0] * 5
        assert await prometheus.alerting_rules(["Slow", "a:b"]) == {"Slow": "vector(3) > 1"}
        two = await prometheus.query('label_replace(vector(1), "a", "b", "", "") or vector(2)')
        assert [(sample.labels, sample.value) for sample in two.samples] == [({"a": "b"}, 1.0), ({}, 2.0)]
        with pytest.raises(PermanentError, match=r"HTTP 400.*parse error"):
            await prometheus.query("up{")
        with pytest.raises(PermanentError, match=r"HTTP 422.*same labelset"):
            await prometheus.query(
                'label_replace(vector(1) or label_replace(vector(2), "a", "b", "", ""), "a", "", "", "")'
            )


async def _ready(prometheus: Prometheus) -> None:
    for _ in range(200):
        try:
            await prometheus.query("1")
        except TemporaryError:
            await asyncio.sleep(0.1)
        else:
            return
    pytest.fail("Prometheus did not come up within 20 s")
