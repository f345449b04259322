"""A small house with its front door open on a free port of loopback, and somebody who knocks."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from incidentd.metrics import Metrics
from incidentd.store import open_store
from incidentd.web import make_app, serve
from tests.web.small_house import NOW, SmallHouse


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


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[SmallHouse]:
    metrics = Metrics()
    store = await open_store(f"sqlite:///{tmp_path}/test.db", lambda: NOW, metrics)
    yield SmallHouse(store=store, metrics=metrics)
    await store.close()


@pytest.fixture
async def url(house: SmallHouse) -> AsyncIterator[str]:
    runner = await serve(make_app(house), "127.0.0.1", 0, shutdown_timeout=0.1)
    host, port = runner.addresses[0][:2]
    yield f"http://{host}:{port}"
    await runner.cleanup()


@pytest.fixture
async def ask(url: str) -> AsyncIterator[Ask]:
    """Send a request and read the whole answer; a redirect is never followed."""
    async with aiohttp.ClientSession() as session:

        async def send(method: str, path: str, **how: Any) -> Answer:
            async with session.request(method, URL(url + path, encoded=True), allow_redirects=False, **how) as answer:
                return Answer(answer.status, answer.headers, await answer.read())

        yield send
