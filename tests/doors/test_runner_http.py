"""Steps of kind `http`, tried against a real server that behaves badly."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web

from incidentd.playbooks import Step, StepResult
from incidentd.runner.web_request import filled_url
from incidentd.templates import BadTemplate
from tests.doors.hostile import HOSTILE
from tests.doors.runners import SECRET, running
from tests.doors.web_double import Handler, serving


def http(url: str, seconds: float = 20, **args: Any) -> Step:
    return Step(name="step", kind="http", args={"url": url, **args}, timeout=timedelta(seconds=seconds))


async def asked(
    handler: Handler,
    context: Mapping[str, object] | None = None,
    path: str = "/healthz",
    seconds: float = 20,
    **args: Any,
) -> StepResult:
    async with serving(handler) as url, running() as runner:
        return await runner.run_step(http(url + path, seconds, **args), context or {}, source="prod")


def answers(status: int = 200, body: str | bytes = "fine", **headers: str) -> Handler:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=status, body=body, headers=headers)

    return handler


class Ear:
    """A server that remembers what it was asked."""

    def __init__(self) -> None:
        self.method = self.path = self.body = ""
        self.headers: Mapping[str, str] = {}

    async def hear(self, request: web.Request) -> web.Response:
        self.method, self.path, self.headers = request.method, request.raw_path, request.headers
        self.body = await request.text()
        return web.Response(text="heard")


# what the answer has to be


async def test_an_answer_of_2xx_is_ok_and_kept() -> None:
    result = await asked(answers(204, "")), await asked(answers(200, "fine"))
    assert [each.ok for each in result] == [True, True]
    assert result[1].summary == "HTTP 200"
    assert result[1].value == {"status": 200, "body": "fine"}
    assert result[1].output == "fine"


@pytest.mark.parametrize(
    ("status", "expect", "summary"),
    [
        (503, None, "HTTP 503, expected 2xx"),
        (200, {"status": 204}, "HTTP 200, expected 204"),
        (500, {"status": [200, 503]}, "HTTP 500, expected 200 or 503"),
        (200, {"body": "ready"}, "HTTP 200, but 'ready' is not found in the body"),
        (200, {"body": "^ine"}, "HTTP 200, but '^ine' is not found in the body"),
    ],
)
async def test_another_answer_fails_it(status: int, expect: object, summary: str) -> None:
    result = await asked(answers(status), expect=expect)
    assert (result.ok, result.clean, result.unknown, result.summary) == (False, True, False, summary)


@pytest.mark.parametrize(
    ("status", "expect"),
    [
        (503, {"status": 503}),
        (503, {"status": [200, 503]}),
        (200, {"body": "in"}),
        (404, {"status": 404, "body": "^f.*e$"}),
    ],
)
async def test_an_answer_that_was_expected_is_ok(status: int, expect: object) -> None:
    assert (await asked(answers(status), expect=expect)).ok


async def test_a_pattern_that_takes_long_elsewhere_does_not_here() -> None:
    assert not (await asked(answers(body="a" * 50_000 + "!"), expect={"body": "^(a+)+$"})).ok


async def test_a_pattern_that_is_none_fails_it() -> None:
    result = await asked(answers(), expect={"body": "("})
    assert (result.ok, result.final) == (False, True)
    assert "no regular expression of RE2" in result.summary


async def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    paths: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        paths.append(request.path)
        return web.Response(status=302, headers={"Location": "/elsewhere"})

    result = await asked(handler)
    assert (result.ok, result.summary, paths) == (False, "HTTP 302, expected 2xx", ["/healthz"])
    assert (await asked(handler, expect={"status": 302})).ok


# servers that behave badly


async def test_a_server_that_hangs_says_nothing() -> None:
    over = asyncio.Event()

    async def handler(_: web.Request) -> web.Response:
        await over.wait()
        return web.Response()

    async with serving(handler) as url, running() as runner:
        result = await runner.run_step(http(url, 0.1), {}, source="prod")
        over.set()
    assert (result.ok, result.unknown, result.clean, result.summary) == (False, True, False, "no answer within 100ms")


async def test_a_body_that_drips_is_not_waited_for_longer_than_the_timeout() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b".")
                await asyncio.sleep(0.01)
        except ConnectionError:
            return response

    assert (await asked(handler, seconds=0.2)).summary == "no answer within 200ms"


async def test_a_huge_body_is_read_to_64_kib() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            for _ in range(10_000):
                await response.write(b"x" * 65536)
        except ConnectionError:
            pass
        return response

    result = await asked(handler)
    assert result.ok
    assert result.output == "x" * 65536 + "\n[... the rest was not read]"


async def test_a_connection_that_breaks_off_may_have_done_it() -> None:
    async def handler(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    result = await asked(handler, method="POST")
    assert (result.ok, result.unknown, result.clean) == (False, True, False)
    assert result.summary.startswith("no whole answer: ")


async def test_nobody_there_has_certainly_not_done_it(free_port: int) -> None:
    async with running() as runner:
        result = await runner.run_step(http(f"http://127.0.0.1:{free_port}/"), {}, source="prod")
    assert (result.ok, result.unknown, result.clean, result.final) == (False, True, True, False)
    assert result.summary.startswith("cannot be reached: ")


async def test_a_server_without_a_certificate_is_not_spoken_to() -> None:
    async with serving(answers()) as url, running() as runner:
        result = await runner.run_step(http(url.replace("http:", "https:")), {}, source="prod")
    assert (result.ok, result.final) == (False, True)
    assert result.summary.startswith("not sent: ")


async def test_what_it_answers_is_shown_without_secrets_and_control_characters() -> None:
    result = await asked(answers(body=f"token {SECRET}\n\x1b[31m\0\xff".encode("latin-1")))
    assert result.output == "token ***\n\ufffd[31m\ufffd\ufffd"
    assert result.value["body"] == result.output


async def test_a_secret_that_the_end_of_reading_cuts_is_not_shown() -> None:
    result = await asked(answers(body=(" " * 7 + SECRET) * 6000))
    assert all(piece not in result.output for piece in (SECRET[:6], SECRET[-6:]))


# what is sent


async def test_method_headers_and_body_are_sent_as_written() -> None:
    ear = Ear()
    result = await asked(
        ear.hear,
        {"x": "w-3"},
        method="put",
        headers={"X-Worker": "{{ x }}", "Content-Type": "text/x"},
        body="restart {{ x }}",
    )
    assert result.ok
    assert (ear.method, ear.headers["X-Worker"], ear.headers["Content-Type"]) == ("PUT", "w-3", "text/x")
    assert ear.body == "restart w-3"


async def test_a_mapping_is_sent_as_json_whatever_the_values_hold() -> None:
    ear = Ear()
    context = {"x": '", "all": true, "y": "'}
    await asked(
        ear.hear, context, method="POST", body={"worker": "{{ x }}", "tags": ["a", "{{ x }}"], "count": 3, "now": True}
    )
    assert ear.headers["Content-Type"] == "application/json"
    assert json.loads(ear.body) == {"worker": context["x"], "tags": ["a", context["x"]], "count": 3, "now": True}


@pytest.mark.parametrize("value", ['"', "\\", "a&b=c", "<x/>", "a\nb", "a\r\n\r\nGET / HTTP/1.1"])
@pytest.mark.parametrize("where", [{"body": '{"worker": "{{ x }}"}'}, {"headers": {"X-Worker": "{{ x }}"}}])
async def test_a_value_does_not_break_out_of_a_body_or_a_header(value: str, where: dict[str, Any]) -> None:
    ear = Ear()
    result = await asked(ear.hear, {"x": value}, method="POST", **where)
    if result.ok:
        assert ear.headers["X-Worker"] == value
        assert value.isprintable()
    else:
        assert result.final
        assert "may not stand in a" in result.summary
        assert ear.method == ""


async def test_a_method_that_is_none_is_not_sent() -> None:
    ear = Ear()
    result = await asked(ear.hear, method="GET / HTTP/1.1\r\nX: y")
    assert (result.ok, result.final, ear.method) == (False, True, "")


# where it is sent


@pytest.mark.parametrize(
    ("template", "value", "expected"),
    [
        ("http://{{ x }}:8080/healthz", "w-3", "http://w-3:8080/healthz"),
        ("http://{{ x }}/metrics", "w-3.example.org:9100", "http://w-3.example.org:9100/metrics"),
        ("http://{{ x }}/metrics", "[::1]:9100", "http://[::1]:9100/metrics"),
        ("https://web-{{ x }}.example.org", "3", "https://web-3.example.org"),
        (
            "http://a/{{ x }}/b?c={{ x }}#{{ x }}",
            "w 3/ä?#&=",
            "http://a/w%203%2F%C3%A4%3F%23%26%3D/b?c=w%203%2F%C3%A4%3F%23%26%3D",
        ),
        ("http://a/{{ x }}", "%2e%2e%2f", "http://a/%252e%252e%252f"),
        ("http://a?q={{ x }}", "b", "http://a/?q=b"),
        ("http://a/b%20c", "", "http://a/b%20c"),
    ],
)
def test_a_value_stays_in_its_place_in_a_url(template: str, value: str, expected: str) -> None:
    assert str(filled_url(template, {"x": value})).partition("#")[0] == expected.partition("#")[0]


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("{{ x }}", "http://a/"), ("{{ x }}://a/", "http"), ("ftp://a/", ""), ("//a/", ""), ("/a", ""), ("http://", ""),
        ("http:///a", ""), ("http://a b/", ""), ("http://a/ b", ""), ("http://a/ä", ""), ("http://user:word@a/", ""),
        ("http://{{ x }}/", "user@b"), ("http://{{ x }}/", "b/c"), ("http://{{ x }}/", "b?c"),
        ("http://{{ x }}/", "b#c"), ("http://{{ x }}/", "b\\c"), ("http://{{ x }}/", ""), ("http://{{ x }}/", "-b"),
        ("http://{{ x }}/", ".b"), ("http://{{ x }}/", "[::1"), ("http://{{ x }}/", "b:x"),
        ("http://{{ x }}/", "b:99999"), ("http://{{ x }}/", "b:0"), ("http://{{ x }}/", "ä.b"),
        ("http://{{ x }}.example.org/", "b:80"), ("http://{{ x }}:8080/", "b:80"), ("http://{{ x }}@example.org/", "b"),
        ("http://a/{{ x }}/b", ".."), ("http://a/{{ x }}{{ x }}", "."), ("http://a/../b", ""),
        ("http://a/{{ x }}", "."), ("http://a/?q={{ x | urlencode }}", "b"), ("http://a\n/", ""),
        ("http://a/{% if x %}", "b"), ("http://a/{{ nobody }}", "b"),
    ],
)  # fmt: skip
def test_a_url_that_a_value_could_lead_elsewhere_is_refused(template: str, value: str) -> None:
    with pytest.raises(BadTemplate):
        filled_url(template, {"x": value})


@pytest.mark.parametrize("value", HOSTILE)
def test_no_hostile_value_changes_the_host_or_adds_to_the_path(value: str) -> None:
    try:
        url = filled_url("http://example.org:8080/a/{{ x }}/b?c={{ x }}", {"x": value})
    except BadTemplate:
        assert value in {".", ".."}
        return
    assert (url.scheme, url.host, url.port, url.fragment) == ("http", "example.org", 8080, "")
    assert url.raw_path.count("/") == 3
    assert list(url.query.items()) == [("c", value)]
    assert url.raw_path.startswith("/a/")


async def test_an_encoded_value_arrives_as_it_was() -> None:
    ear = Ear()
    await asked(ear.hear, {"x": "w 3/../%2f"}, path="/workers/{{ x }}/restart")
    assert ear.path == "/workers/w%203%2F..%2F%252f/restart"
