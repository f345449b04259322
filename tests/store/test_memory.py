"""The store in memory: the same units on the same schema, gone with its process."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import func, inspect, select

from incidentd.metrics import Metrics
from incidentd.store import Tx
from incidentd.store.memory import MemoryStore
from incidentd.store.tables import inbox, metadata

NOW = datetime(2026, 11, 24, 14, 0, tzinfo=UTC)


def bodies(tx: Tx) -> int:
    return tx.conn.execute(select(func.count()).select_from(inbox)).scalar_one()


def tables(tx: Tx) -> set[str]:
    found = set(inspect(tx.conn).get_table_names()) - {"alembic_version"}
    return {name for name in found if not name.startswith("library_words")}


def raises(tx: Tx) -> None:
    tx.conn.execute(inbox.insert(), {"source": "x", "at": tx.now, "body": b"{}"})
    raise ValueError("in the middle")


async def test_it_has_the_schema_and_each_is_empty() -> None:
    for _ in range(2):
        store = MemoryStore(lambda: NOW, Metrics(version="test"))
        assert await store.read(tables) == set(metadata.tables)
        await store.append("default", b"{}")
        assert await store.read(bodies) == 1
        await store.close()


async def test_a_unit_that_raises_is_rolled_back() -> None:
    store = MemoryStore(lambda: NOW, Metrics(version="test"))
    with pytest.raises(ValueError, match="in the middle"):
        await store.write(raises)
    assert await store.read(bodies) == 0
    await store.close()


async def test_what_a_unit_wakes_and_counts_happens_after_the_commit() -> None:
    metrics = Metrics(version="test")
    store = MemoryStore(lambda: NOW, metrics)

    def unit(tx: Tx) -> None:
        tx.wake("decide")
        tx.count(lambda m: m.alerts_unmatched_total.inc())

    await store.write(unit)
    assert store.waiter("decide").is_set()
    assert "incidentd_alerts_unmatched_total 1.0" in metrics.render("")[0].decode()
    await store.close()
