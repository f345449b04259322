"""A whole engine on a real store, in time that the test moves: no sleeping, no clock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path

from incidentd.metrics import Metrics
from incidentd.oncall import Channel, ChannelKind, Person, Roster, Target
from incidentd.pages import Chain, EscalationPolicy, Level
from incidentd.redaction import Secret
from incidentd.rehearsal.world import START, World
from incidentd.settings import Settings
from incidentd.store import open_store
from tests.stores import sqlite_url


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def person(handle: str) -> Person:
    mail = Channel(name=f"{handle}/mail", kind=ChannelKind.MAIL, url=Secret(f"json://127.0.0.1:9/{handle}"))
    return Person(handle=handle, name=handle.title(), channels=(mail,))


def roster(*handles: str) -> Roster:
    return Roster(people={handle: person(handle) for handle in handles})


def chain_of(*levels: tuple[float, str]) -> Chain:
    made = tuple(Level(after=minutes(after), page=Target(person=handle)) for after, handle in levels)
    return Chain(levels=made)


def policy(name: str, *levels: tuple[float, str]) -> dict[str, EscalationPolicy]:
    chain = chain_of(*levels)
    return {name: EscalationPolicy(name=name, chains={"urgent": chain, "business_critical": chain})}


async def make_world(
    where: Path | str, settings: Settings, *, me: str = "test", clock: list[datetime] | None = None
) -> World:
    """Make a world on a store: in an SQLite file in this folder, or at this URL."""
    store_url = where if isinstance(where, str) else sqlite_url(where / "incidentd.db")
    clock = [START] if clock is None else clock
    metrics = Metrics(version="test")
    store = await open_store(store_url, lambda: clock[0], metrics)
    return World(store, settings, clock, metrics, me=me)


Making = Callable[..., Awaitable[World]]
__all__ = ["START", "Making", "World", "asyncio", "make_world", "minutes", "policy", "roster"]
