"""Who may do what: tokens, their scopes, and the rights that a scope brings."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

INGEST = "ingest:"
SIGNATURE_AGE = timedelta(minutes=5)
"""How far the time in a signed delivery may be from ours: a later replay is refused, a clock may be a little off."""
_PREFIX = "inc_"
_SCOPE = re.compile(r"viewer|responder|commander|operator|admin|ingest:[A-Za-z0-9_.-]{1,64}")


class Right(StrEnum):
    """One thing that a route asks of its caller."""

    PUBLIC = "public"
    """Anybody: probes, and action links, which carry their own proof."""
    READ = "read"
    RESPOND = "respond"
    """Acknowledge, note, declare, say who has the pager."""
    COMMAND = "command"
    """Resolve, stand down, file action items, publish shifts at once."""
    OPERATE = "operate"
    """Approve and stop playbook runs."""
    ADMIN = "admin"
    """Reload, make and revoke tokens."""


# A commander leads people, an operator runs automation: neither includes the other.
_RIGHTS = {
    "viewer": {Right.READ},
    "responder": {Right.READ, Right.RESPOND},
    "commander": {Right.READ, Right.RESPOND, Right.COMMAND},
    "operator": {Right.READ, Right.RESPOND, Right.OPERATE},
    "admin": set(Right),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token as the store knows it: never the secret, only its hash."""

    id: int
    name: str
    """The actor that stands on the timeline."""
    scopes: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None = None


def is_scope(text: str) -> bool:
    """Say whether this is a scope that a token may have."""
    return _SCOPE.fullmatch(text) is not None


def allows(scopes: Iterable[str], right: Right) -> bool:
    """Say whether any of these scopes brings the right."""
    return right is Right.PUBLIC or any(right in _RIGHTS.get(scope, ()) for scope in scopes)


def may_ingest(scopes: Iterable[str], source: str) -> bool:
    """Say whether any of these scopes may deliver alerts of this source."""
    return any(scope in (INGEST + source, "admin") for scope in scopes)


def new_token(random: bytes) -> str:
    """Write 32 random bytes as a bearer token; the prefix lets secret scanners find one that leaked."""
    return _PREFIX + random.hex()


def token_hash(token: str) -> str:
    """Give what is stored in a token's place. Tokens are 32 random bytes, so a plain SHA-256 cannot be guessed back."""
    return hashlib.sha256(token.encode()).hexdigest()


def same_secret(a: str, b: str) -> bool:
    """Compare two secrets in constant time."""
    return hmac.compare_digest(a.encode("utf-8", "surrogateescape"), b.encode("utf-8", "surrogateescape"))


def same_signature(secret: str, signed: bytes, given: str) -> bool:
    """Say whether `given` is the hexadecimal HMAC-SHA256 of these bytes, in constant time; no secret signs nothing."""
    right = hmac.new(secret.encode("utf-8", "surrogateescape"), signed, hashlib.sha256).hexdigest()
    return bool(secret) and same_secret(right, given.lower())
