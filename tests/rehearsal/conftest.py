from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from incidentd.settings import Settings
from tests.engine.world import Making, World, make_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Making]:
    """Give a world on a store in a file."""
    made: list[World] = []

    async def make(settings: Settings) -> World:
        made.append(await make_world(tmp_path, settings))
        return made[-1]

    yield make
    for one in made:
        await one.store.close()
