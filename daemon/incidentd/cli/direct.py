"""The store written directly, by commands that work while no daemon runs on it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from incidentd import app
from incidentd.access import Token, new_token, token_hash
from incidentd.cli.client import me
from incidentd.errors import ConfigError, IncidentdError
from incidentd.metrics import Metrics
from incidentd.redaction import Secret
from incidentd.store import Store, access, open_store
from incidentd.text import iso
from incidentd.timeline import Actor

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a store is, and the password for it."""

    url: str
    password: Secret | None = None


def store_of(config_file: Path) -> Place:
    """Give the store that a configuration names. Raises click.UsageError with the mistakes in it."""
    try:
        settings = app.load(app.Options(config_file=config_file))
    except ConfigError as error:
        raise click.UsageError(str(error)) from None
    return Place(settings.store, settings.store_password)


def make_token(place: Place, name: str, scopes: Sequence[str]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Make a token; gives it with its secret, and the other tokens that hold."""

    async def make(store: Store) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        secret = new_token(secrets.token_bytes(32))
        others = [_written(it) for it in await store.read(access.list_tokens) if it.revoked_at is None]
        made = await store.write(access.make_token, name=name, scopes=scopes, hash=token_hash(secret), actor=_actor())
        return {**_written(made), "token": secret}, others

    return _in_store(place, make)


def list_tokens(place: Place) -> list[dict[str, Any]]:
    """List the tokens."""

    async def listed(store: Store) -> list[dict[str, Any]]:
        return [_written(it) for it in await store.read(access.list_tokens)]

    return _in_store(place, listed)


def revoke_token(place: Place, token_id: int) -> dict[str, Any]:
    """Make a token worthless."""

    async def revoke(store: Store) -> dict[str, Any]:
        return _written(await store.write(access.revoke_token, token_id, actor=_actor()))

    return _in_store(place, revoke)


def _in_store(place: Place, work: Callable[[Store], Awaitable[T]]) -> T:
    async def opened() -> T:
        store = await open_store(place.url, app.system_clock(), Metrics(), password=place.password)
        try:
            return await work(store)
        finally:
            await store.close()

    try:
        return asyncio.run(opened())
    except IncidentdError as error:
        raise click.ClickException(str(error)) from None


def _actor() -> Actor:
    return Actor(name=me() or "local", via="cli")


def _written(token: Token) -> dict[str, Any]:
    return {
        "id": token.id, "name": token.name, "scopes": list(token.scopes), "created_at": iso(token.created_at),
        "revoked_at": iso(token.revoked_at),
    }  # fmt: skip
