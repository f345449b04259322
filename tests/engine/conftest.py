from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from incidentd.settings import Settings
from tests.conftest import ENGINES
from tests.engine.world import Making, World, make_world
from tests.stores import sqlite_url


@pytest.fixture(params=ENGINES)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give a store of each engine; what is left out where PostgreSQL is not installed is said at the end."""
    if request.param == "sqlite":
        return sqlite_url(tmp_path / "incidentd.db")
    url: str = request.getfixturevalue("postgres_store")
    return url


@pytest.fixture
async def world(store_url: str) -> AsyncIterator[Making]:
    made: list[World] = []

    async def make(settings: Settings) -> World:
        made.append(await make_world(store_url, settings))
        return made[-1]

    yield make
    for one in made:
        await one.store.close()
