"""The tokens that the store knows: their hashes, what they may do, and until when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, bindparam, select

from incidentd.access import Token, is_scope
from incidentd.errors import BadRequest, Conflict, NotFound
from incidentd.store import chain
from incidentd.store.base import Tx
from incidentd.store.tables import token
from incidentd.timeline import SYSTEM, Actor, Draft

SCOPES = "viewer, responder, commander, operator, admin, ingest:SOURCE"
_LONGEST_NAME = 64

_INSERT = token.insert()
_LIST = select(token).order_by(token.c.id)
_BY_ID = select(token).where(token.c.id == bindparam("token_id"))
_BY_HASH = select(token).where(token.c.hash == bindparam("token_hash"), token.c.revoked_at.is_(None))
_ANY = select(token.c.id).where(token.c.revoked_at.is_(None)).limit(1)
_SAME_NAME = select(token.c.id).where(token.c.name == bindparam("token_name"), token.c.revoked_at.is_(None))
_REVOKE = token.update().where(token.c.id == bindparam("b_id")).values(revoked_at=bindparam("at"))


def make_token(tx: Tx, *, name: str, scopes: Sequence[str], hash: str, actor: Actor) -> Token:
    """Keep a new token by its hash. Raises BadRequest for a bad name or scope, Conflict for a name in use.

    A name in use may be taken again after its token was revoked: two at once would be one actor with two keys.
    """
    if not name or len(name) > _LONGEST_NAME or not name.isprintable() or name != name.strip():
        raise BadRequest(f"a token's name is 1 to {_LONGEST_NAME} printable characters; it stands on the timeline")
    if not scopes:
        raise BadRequest(f"a token needs at least one scope ({SCOPES})")
    wrong = next((scope for scope in scopes if not is_scope(scope)), None)
    if wrong is not None:
        raise BadRequest(f"{wrong[:80]!r} is no scope; there are {SCOPES}")
    if tx.conn.execute(_SAME_NAME, {"token_name": name}).first():
        raise Conflict(f"there is a token called {name!r} already; revoke it first, or take another name")
    unique = list(dict.fromkeys(scopes))
    done = tx.conn.execute(_INSERT, {"name": name, "scopes": unique, "hash": hash, "created_at": tx.now})
    (token_id,) = done.inserted_primary_key or (0,)
    said = Draft("token.made", f"Token {token_id} was made for {name}: {', '.join(unique)}.", {"token": token_id})
    chain.append(tx, SYSTEM, actor, [said])
    return Token(id=token_id, name=name, scopes=tuple(unique), created_at=tx.now)


def list_tokens(tx: Tx) -> list[Token]:
    """List every token, the revoked ones too."""
    return [_token(row) for row in tx.conn.execute(_LIST)]


def revoke_token(tx: Tx, token_id: int, *, actor: Actor) -> Token:
    """Make a token worthless, and give it as it is now. Raises NotFound, or Conflict when it was revoked before."""
    row = tx.conn.execute(_BY_ID, {"token_id": token_id}).first()
    if row is None:
        raise NotFound(f"there is no token {token_id}")
    if row.revoked_at is not None:
        raise Conflict(f"token {token_id} was revoked before")
    tx.conn.execute(_REVOKE, {"b_id": token_id, "at": tx.now})
    said = Draft("token.revoked", f"Token {token_id} of {row.name} was revoked.", {"token": token_id})
    chain.append(tx, SYSTEM, actor, [said])
    return _token(tx.conn.execute(_BY_ID, {"token_id": token_id}).one())


def find_token(tx: Tx, hash: str) -> Token | None:
    """Find the token with this hash, unless it was revoked."""
    row = tx.conn.execute(_BY_HASH, {"token_hash": hash}).first()
    return None if row is None else _token(row)


def any_tokens(tx: Tx) -> bool:
    """Say whether there is any token that was not revoked; while there is none, only local callers are let in."""
    return tx.conn.execute(_ANY).first() is not None


def _token(row: Row[Any]) -> Token:
    return Token(
        id=row.id, name=row.name, scopes=tuple(row.scopes), created_at=row.created_at, revoked_at=row.revoked_at
    )
