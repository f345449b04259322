"""Tokens over the API: made (and shown once), listed, revoked."""

from __future__ import annotations

import secrets
from typing import Any

import msgspec
from aiohttp import web

from incidentd.access import Right, Token, new_token, token_hash
from incidentd.errors import NotFound
from incidentd.store import access
from incidentd.text import iso
from incidentd.web.answers import json_answer
from incidentd.web.bodies import read_fields
from incidentd.web.callers import GATE, actor
from incidentd.web.house import HOUSE, Route


class _New(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    scopes: list[str]
    by: str = ""


async def make(request: web.Request) -> web.Response:
    """Make a token; its secret is in this answer and nowhere else."""
    fields = await read_fields(request, _New)
    secret = new_token(secrets.token_bytes(32))
    made = await request.app[HOUSE].store.write(
        access.make_token, name=fields.name, scopes=fields.scopes, hash=token_hash(secret),
        actor=actor(request, fields.by),
    )  # fmt: skip
    request.app[GATE].forget()
    return json_answer({**written(made), "token": secret}, 201)


async def listed(request: web.Request) -> web.Response:
    """List every token, never a secret."""
    found = await request.app[HOUSE].store.read(access.list_tokens)
    return json_answer({"tokens": [written(token) for token in found]})


async def revoke(request: web.Request) -> web.Response:
    """Make a token worthless, here at once."""
    text = request.match_info["id"]
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise NotFound("a token is named by its number; `incidentd token list` shows them")
    gone = await request.app[HOUSE].store.write(access.revoke_token, int(text), actor=actor(request))
    request.app[GATE].forget()
    return json_answer(written(gone))


def written(token: Token) -> dict[str, Any]:
    """Write a token for the API, without what proves it."""
    return {
        "id": token.id, "name": token.name, "scopes": list(token.scopes), "created_at": iso(token.created_at),
        "revoked_at": iso(token.revoked_at),
    }  # fmt: skip


ROUTES = (
    Route("GET", "/api/v1/tokens", listed, Right.ADMIN),
    Route("POST", "/api/v1/tokens", make, Right.ADMIN),
    Route("DELETE", "/api/v1/tokens/{id}", revoke, Right.ADMIN),
)
