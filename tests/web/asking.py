"""Somebody who knocks: requests sent as they are, answers read whole."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp import web
from yarl import URL

from incidentd.web import serve


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        said: str = self.json["error"]
        return said


Ask = Callable[..., Awaitable[Answer]]


@asynccontextmanager
async def served(app: web.Application, **how: Any) -> AsyncIterator[str]:
    """Serve an application on a free port, and give its address."""
    runner = await serve(app, "127.0.0.1", 0, shutdown_timeout=0.1, **how)
    host, port = runner.addresses[0][:2]
    try:
        yield f"{'https' if how.get('context') else 'http'}://{host}:{port}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def asking(url: str) -> AsyncIterator[Ask]:
    """Give a function that sends a request and reads the whole answer; a redirect is never followed."""
    async with aiohttp.ClientSession() as session:

        async def send(method: str, path: str, **how: Any) -> Answer:
            async with session.request(method, URL(url + path, encoded=True), allow_redirects=False, **how) as answer:
                return Answer(answer.status, answer.headers, await answer.read())

        yield send
