"""Tokens: what a scope brings, and how the store keeps them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from incidentd.access import INGEST, Right, allows, is_scope, may_ingest, new_token, same_secret, token_hash
from incidentd.errors import BadRequest, Conflict, NotFound
from incidentd.metrics import Metrics
from incidentd.store import Store, access, chain, open_store
from incidentd.timeline import SYSTEM, Actor, first_broken
from tests.stores import sqlite_url

NOW = datetime(2026, 11, 24, 14, 7, tzinfo=UTC)
ANA = Actor(name="ana", via="cli")

BRINGS = {
    "viewer": {Right.PUBLIC, Right.READ},
    "responder": {Right.PUBLIC, Right.READ, Right.RESPOND},
    "commander": {Right.PUBLIC, Right.READ, Right.RESPOND, Right.COMMAND},
    "operator": {Right.PUBLIC, Right.READ, Right.RESPOND, Right.OPERATE},
    "admin": set(Right),
    INGEST + "prod": {Right.PUBLIC},
}


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await open_store(sqlite_url(tmp_path / "test.db"), lambda: NOW, Metrics())
    yield opened
    await opened.close()


@pytest.mark.parametrize("scope", BRINGS)
def test_a_scope_brings_its_rights_and_no_others(scope: str) -> None:
    assert {right for right in Right if allows([scope], right)} == BRINGS[scope]


def test_only_its_own_scope_or_admin_may_deliver_for_a_source() -> None:
    assert may_ingest(["ingest:prod"], "prod")
    assert may_ingest(["admin"], "prod")
    assert not may_ingest(["ingest:prod", "operator"], "staging")


@pytest.mark.parametrize(
    "text", ["", "root", "ingest:", "ingest:a b", "Admin", "admin ", "ingest:" + "x" * 65, "admin\n"]
)
def test_what_is_no_scope_is_none(text: str) -> None:
    assert not is_scope(text)


def test_a_token_is_long_and_its_hash_is_not_the_token() -> None:
    token = new_token(bytes(32))
    assert len(token) == 68
    assert token not in token_hash(token)
    assert same_secret(token, new_token(bytes(32)))
    assert not same_secret(token, token[:-1])


async def test_a_token_is_found_by_its_hash_until_it_is_revoked(store: Store) -> None:
    made = await store.write(access.make_token, name="ana", scopes=["admin", "admin"], hash="h", actor=ANA)
    assert made.scopes == ("admin",)
    assert await store.read(access.find_token, "h") == made
    assert await store.read(access.any_tokens)
    gone = await store.write(access.revoke_token, made.id, actor=ANA)
    assert gone.revoked_at == NOW
    assert await store.read(access.find_token, "h") is None
    assert not await store.read(access.any_tokens)
    assert await store.read(access.list_tokens) == [gone]


async def test_a_name_may_be_taken_again_only_after_its_token_was_revoked(store: Store) -> None:
    made = await store.write(access.make_token, name="ana", scopes=["admin"], hash="h1", actor=ANA)
    with pytest.raises(Conflict, match="there is a token called 'ana' already"):
        await store.write(access.make_token, name="ana", scopes=["viewer"], hash="h2", actor=ANA)
    await store.write(access.revoke_token, made.id, actor=ANA)
    await store.write(access.make_token, name="ana", scopes=["viewer"], hash="h2", actor=ANA)


@pytest.mark.parametrize("scopes", [[], ["root"], ["admin", "ingest:"]])
async def test_a_token_with_a_bad_scope_is_not_made_and_the_scopes_are_listed(store: Store, scopes: list[str]) -> None:
    with pytest.raises(BadRequest, match="viewer, responder, commander, operator, admin, ingest:SOURCE"):
        await store.write(access.make_token, name="ana", scopes=scopes, hash="h", actor=ANA)


@pytest.mark.parametrize("name", ["", " ana", "a\nb", "x" * 65])
async def test_a_token_with_a_bad_name_is_not_made(store: Store, name: str) -> None:
    with pytest.raises(BadRequest, match="name"):
        await store.write(access.make_token, name=name, scopes=["admin"], hash="h", actor=ANA)


async def test_revoking_what_is_not_there_or_gone_says_so(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.write(access.revoke_token, 7, actor=ANA)
    made = await store.write(access.make_token, name="ana", scopes=["admin"], hash="h", actor=ANA)
    await store.write(access.revoke_token, made.id, actor=ANA)
    with pytest.raises(Conflict):
        await store.write(access.revoke_token, made.id, actor=ANA)


async def test_making_and_revoking_stand_on_the_timeline_with_who_did_it(store: Store) -> None:
    made = await store.write(access.make_token, name="ben", scopes=["viewer"], hash="h", actor=ANA)
    await store.write(access.revoke_token, made.id, actor=ANA)
    entries = await store.read(chain.entries, SYSTEM)
    assert [(entry.kind, entry.actor.name) for entry in entries] == [("token.made", "ana"), ("token.revoked", "ana")]
    assert first_broken(entries) is None
