"""The worlds of the engine's tests, on each store."""

from tests.engine.conftest import store_url, world

__all__ = ["store_url", "world"]
