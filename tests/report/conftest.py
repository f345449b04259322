"""Stores whose clock stands at the end of the year."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from incidentd.metrics import Metrics
from incidentd.store import Store, open_store
from tests.conftest import ENGINES
from tests.report.year import NOW
from tests.stores import sqlite_url


@pytest.fixture(params=ENGINES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """Give a store of each engine."""
    postgres = request.param == "postgres"
    url = request.getfixturevalue("postgres_store") if postgres else sqlite_url(tmp_path / "incidentd.db")
    made = await open_store(url, lambda: NOW, Metrics(version="test"))
    yield made
    await made.close()
