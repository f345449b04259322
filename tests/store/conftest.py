from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from incidentd.metrics import Metrics
from incidentd.store import Store, open_store
from tests.conftest import ENGINES
from tests.stores import sqlite_url

NOW = datetime(2026, 11, 24, 14, 0, tzinfo=UTC)


class Opened:
    """Stores on one database, and the clock that they go by."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.now = NOW
        self.metrics = Metrics(version="test")

    @property
    def path(self) -> Path:
        return Path(self.url.removeprefix("sqlite:///"))

    async def open(self, **how: Any) -> Store:
        return await open_store(self.url, lambda: self.now, self.metrics, **how)


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Opened:
    return Opened(sqlite_url(tmp_path / "incidentd.db"))


@pytest.fixture
def on_postgres(postgres_store: str) -> Opened:
    return Opened(postgres_store)


@pytest.fixture(params=ENGINES)
def opened(request: pytest.FixtureRequest) -> Opened:
    made: Opened = request.getfixturevalue(f"on_{request.param}")
    return made


@pytest.fixture
async def store(opened: Opened) -> AsyncIterator[Store]:
    made = await opened.open()
    yield made
    await made.close()


@pytest.fixture
async def in_file(on_sqlite: Opened) -> AsyncIterator[Store]:
    made = await on_sqlite.open()
    yield made
    await made.close()
