"""The door to a dead man's switch: what counts as taken, and an address that never shows."""

from __future__ import annotations

import pytest
from aiohttp import web

from incidentd.errors import PermanentError, TemporaryError
from incidentd.heartbeat import Heartbeat
from incidentd.redaction import Secret
from tests.doors.web_double import serving, session


async def beat(status: int) -> list[str]:
    asked: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(f"{request.method} {request.path}")
        return web.Response(status=status, headers={"Location": "/elsewhere"})

    async with serving(handler) as url, session() as ours:
        await Heartbeat(Secret(f"{url}/ping/s3cret-token"), ours).beat()
    return asked


@pytest.mark.parametrize("status", [200, 204])
async def test_one_request_says_that_we_live(status: int) -> None:
    assert await beat(status) == ["POST /ping/s3cret-token"]


@pytest.mark.parametrize(
    ("status", "kind"), [(500, TemporaryError), (429, TemporaryError), (404, PermanentError), (302, PermanentError)]
)
async def test_any_other_answer_is_no_heartbeat(status: int, kind: type[Exception]) -> None:
    with pytest.raises(kind, match=f"HTTP {status}") as failed:
        await beat(status)
    assert "s3cret" not in str(failed.value)


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("http://127.0.0.1:1/s3cret", TemporaryError), ("nonsense s3cret", PermanentError),
        ("ftp://127.0.0.1/s3cret", PermanentError),
    ],
)  # fmt: skip
async def test_an_address_that_leads_nowhere_is_named_by_no_error(url: str, kind: type[Exception]) -> None:
    async with session() as ours:
        with pytest.raises(kind) as failed:
            await Heartbeat(Secret(url), ours).beat()
    assert "s3cret" not in str(failed.value)
