"""Steps of kind `http`: one request, no redirects, and what its answer has to be."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import aiohttp
from yarl import URL

from incidentd.durations import format_duration
from incidentd.matchers import Regex
from incidentd.playbooks import StepResult
from incidentd.runner.kinds import EDGE, Call, harmless
from incidentd.templates import BadTemplate, compile_template
from incidentd.text import plain

_MOST = 64 * 1024  # bytes that are read of an answer
_HOST = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9._-]{0,252}|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_WHOLE = re.compile(rf"https?://{_HOST.pattern}(?P<path>/[!-\"$->@-~]*)?(?:\?[!-\"$-~]*)?(?:#[!-~]*)?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SYNTAX = re.compile(r"""["'\\<>&\x00-\x1f\x7f]""")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    method: str
    url: URL
    headers: dict[str, str]
    body: str | None


async def run(call: Call) -> StepResult:
    """Send the request and hold the answer against `expect`: its status (default 2xx), and RE2 found in its body."""
    request = _filled(call.step.args, call.context)
    try:
        async with asyncio.timeout(call.step.timeout.total_seconds()):
            status, read = await _send(call, request)
    except TimeoutError:
        return _no_answer(f"no answer within {format_duration(call.step.timeout)}", clean=False)
    except (aiohttp.ClientSSLError, aiohttp.InvalidURL, ValueError) as error:
        return StepResult(ok=False, final=True, summary=f"not sent: {plain(str(error), 300)}")
    except aiohttp.ClientConnectorError as error:
        return _no_answer(f"cannot be reached: {plain(str(error), 300)}", clean=True)
    except (aiohttp.ClientError, OSError) as error:
        return _no_answer(f"no whole answer: {plain(str(error) or type(error).__name__, 300)}", clean=False)
    return answered(status, read, call.step.args.get("expect") or {}, call.tools.redact)


def answered(status: int, read: bytes, expect: Mapping[str, Any], redact: Callable[[str], str]) -> StepResult:
    """Judge an answer, and keep of its body what later steps see: cut, harmless, without secrets."""
    read = read[: _MOST + EDGE]
    body = read.decode(errors="replace")
    ok, summary = judge(status, body, expect)
    kept = harmless(_cut(redact(body), len(read)))
    return StepResult(ok=ok, summary=summary, value={"status": status, "body": kept}, output=kept)


def _no_answer(summary: str, *, clean: bool) -> StepResult:
    return StepResult(ok=False, unknown=True, clean=clean, summary=summary)


def _cut(text: str, read: int) -> str:
    return text if read < _MOST + EDGE else f"{text[:-EDGE]}\n[... the rest was not read]"


async def _send(call: Call, request: _Request) -> tuple[int, bytes]:
    async with call.tools.session.request(
        request.method,
        request.url,
        headers=request.headers,
        data=request.body,
        allow_redirects=False,
        timeout=aiohttp.ClientTimeout(total=None),  # the step's own is round it
    ) as response:
        body = bytearray()
        async for chunk in response.content.iter_chunked(16 * 1024):
            body += chunk
            if len(body) >= _MOST + EDGE:
                break
        return response.status, bytes(body[: _MOST + EDGE])


def shown(args: Mapping[str, Any], context: Mapping[str, object]) -> str:
    """Give what a request would be, `METHOD URL`. Raises BadTemplate for anything in it that cannot be filled in."""
    request = _filled(args, context)
    return f"{request.method} {request.url}"


def expected_status(expect: Mapping[str, Any]) -> int:
    """Give the status, or the first one, that an answer has to have."""
    wanted = expect.get("status", 200)
    return int(wanted if isinstance(wanted, int) else wanted[0])


def judge(status: int, body: str, expect: Mapping[str, Any]) -> tuple[bool, str]:
    """Hold an answer against what it has to be; gives that, and a line about it."""
    wanted = expect.get("status")
    statuses = [wanted] if isinstance(wanted, int) else list(wanted or ())
    if status not in (statuses or range(200, 300)):
        return False, f"HTTP {status}, expected {' or '.join(map(str, statuses)) or '2xx'}"
    pattern = expect.get("body")
    if pattern is not None and not Regex(f"(?s:.*)(?:{pattern})(?s:.*)").matches(body):
        return False, f"HTTP {status}, but {plain(str(pattern), 100)!r} is not found in the body"
    return True, f"HTTP {status}"


def _filled(args: Mapping[str, Any], context: Mapping[str, object]) -> _Request:
    headers = {
        str(name): compile_template(str(text)).render(context, _in_header)
        for name, text in (args.get("headers") or {}).items()
    }
    body = args.get("body")
    if isinstance(body, Mapping | list | tuple):
        headers = {"Content-Type": "application/json", **headers}
        body = json.dumps(_filled_json(body, context))
    elif body is not None:
        body = compile_template(str(body)).render(context, _in_text)
    return _Request(
        method=str(args.get("method", "GET")).upper(), url=filled_url(args["url"], context), headers=headers, body=body
    )


def _filled_json(value: Any, context: Mapping[str, object]) -> Any:
    match value:
        case str():
            return compile_template(value).render(context)
        case Mapping():
            return {str(key): _filled_json(inner, context) for key, inner in value.items()}
        case Sequence():
            return [_filled_json(inner, context) for inner in value]
        case _:
            return value


def filled_url(template: str, context: Mapping[str, object]) -> URL:
    """Fill in a URL. The scheme is written out; a value in the host is a name or an address, with or without a port.

    After the host every value is percent-encoded, whatever it holds, so it stays inside its place; `urlencode` would do
    that twice and is refused. Raises BadTemplate.
    """
    compiled = compile_template(template)
    if "urlencode" in compiled.filters():
        raise BadTemplate("leave `urlencode` out of the url: values in it are percent-encoded by themselves")
    url = compiled.render(context, _in_url)
    whole = _WHOLE.fullmatch(url)
    if whole is None:
        raise BadTemplate(
            f"this is no http or https url, or one with a user, a space or a sign to be %-encoded: {plain(url, 100)!r}"
        )
    if {".", ".."} & set((whole["path"] or "").split("/")):
        raise BadTemplate(f"a url may not have `.` or `..` as a part of its path: {plain(url, 100)!r}")
    with suppress(ValueError):
        done = URL(url, encoded=True)
        if done.host and done.port:  # asked for, they are read, and a port may be out of range
            return done
    raise BadTemplate(f"this is no url that can be asked: {plain(url, 100)!r}")


def _in_url(value: str, before: str) -> str:
    _, scheme, rest = before.partition("://")
    if not scheme:
        raise BadTemplate("the url has to begin with http:// or https://, written out")
    if any(sign in rest for sign in "/?#"):
        return quote(value, safe="", errors="replace")
    if not _HOST.fullmatch(value):
        raise BadTemplate(f"this is no host for a url: {plain(value, 60)!r}")
    return value


def _in_header(value: str, before: str) -> str:
    if _CONTROL.search(value):
        raise BadTemplate(f"a value with control characters may not stand in a header: {plain(value, 60)!r}")
    return value


def _in_text(value: str, before: str) -> str:
    # what the body's own syntax is, JSON, XML or a form, is not known here
    if _SYNTAX.search(value):
        raise BadTemplate(
            f"a value with quotes, backslashes, `<`, `>`, `&` or control characters may not stand in a body of text; "
            f"write the body as a mapping and it is sent as JSON, or use `urlencode` in a form: {plain(value, 60)!r}"
        )
    return value
