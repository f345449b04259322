from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from incidentd.metrics import Metrics
from incidentd.store import SqliteStore, open_store

NOW = datetime(2026, 11, 24, 14, 0, tzinfo=UTC)


class Opened:
    """Stores on one file, and the clock that they go by."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.url = f"sqlite:///{path}"
        self.now = NOW
        self.metrics = Metrics(version="test")

    async def open(self) -> SqliteStore:
        return await open_store(self.url, lambda: self.now, self.metrics)


@pytest.fixture
def opened(tmp_path: Path) -> Opened:
    return Opened(tmp_path / "incidentd.db")


@pytest.fixture
async def store(opened: Opened) -> AsyncIterator[SqliteStore]:
    made = await opened.open()
    yield made
    await made.close()


Making = Callable[[], Awaitable[SqliteStore]]
