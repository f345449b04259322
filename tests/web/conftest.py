"""A small house with its front door open on a free port of loopback, and somebody who knocks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from incidentd.metrics import Metrics
from incidentd.store import open_store
from incidentd.web import make_app
from tests.stores import sqlite_url
from tests.web.asking import Ask, asking, served
from tests.web.small_house import NOW, SmallHouse


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[SmallHouse]:
    metrics = Metrics()
    made: list[SmallHouse] = []
    store = await open_store(sqlite_url(tmp_path / "test.db"), lambda: made[0].at if made else NOW, metrics)
    made.append(SmallHouse(store=store, metrics=metrics))
    yield made[0]
    await store.close()


@pytest.fixture
async def url(house: SmallHouse) -> AsyncIterator[str]:
    async with served(make_app(house)) as url:
        yield url


@pytest.fixture
async def ask(url: str) -> AsyncIterator[Ask]:
    async with asking(url) as ask:
        yield ask
