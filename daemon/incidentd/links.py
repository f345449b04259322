"""Action links: a signed permission for one person to do one thing to one subject, until it expires.

    v1.KEY_ID.PAYLOAD.MAC      URL-safe; PAYLOAD is JSON in base64url, MAC the HMAC-SHA256 of what stands before it

The signature is over the text itself, so there is exactly one spelling of a link that is accepted. Single use is the
store's part: it keeps the nonces that were used. Nothing here reads a clock or makes randomness.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from incidentd.errors import Conflict, IncidentdError

_VERSION = "v1"
_LONGEST = 1024
_SHORTEST_KEY = 32  # bytes; as long as the hash, below which HMAC grows weaker (RFC 2104, section 3)


class LinkAction(StrEnum):
    """The one thing that a link is for."""

    ACK = "ack"
    HELPING = "helping"
    """Say that somebody helps whoever has it, or will have it."""
    ESCALATE = "escalate"
    """Have the next level of the escalation paged now."""
    DECLARE = "declare"
    """Make an incident of a hold now."""
    EXTEND = "extend"
    """Give a hold more time."""
    APPROVE = "approve"
    """Let a proposed playbook run begin."""
    ANSWER = "answer"
    """Answer the question that a playbook run asks."""
    HANDOVER = "handover"
    """Take roles over from somebody, or decline to."""
    ROLE = "role"
    """Answer whether somebody takes a role, or lets go of it."""
    FEEDBACK = "feedback"
    """Say of a page that is over how it was."""
    CONFIRM = "confirm"
    """Say that a test message arrived."""


_APPROVALS_WORK_FOR = timedelta(minutes=15)
_WORK_FOR = timedelta(hours=24)


def works_for(action: LinkAction) -> timedelta:
    """Say for how long a link works at most; what it is about may be over sooner, and then it does nothing."""
    return _APPROVALS_WORK_FOR if action in (LinkAction.APPROVE, LinkAction.ANSWER) else _WORK_FOR


class BadLink(IncidentdError):
    """The link is not one of ours: damaged, made up, or signed with a key that is no longer used."""


class ExpiredLink(BadLink):
    """The link was ours, and its time is over."""


class UsedLink(Conflict):
    """The link did what it is for before; it does so once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a link that was proved allows."""

    action: str
    """One of LinkAction, or a word of another version."""
    subject: str
    """`PAGE-9`, `HOLD-7`, `RUN-3`, `OFFER-4`; of a question `RUN-3/steps/2`; of a test its channel and its mark."""
    person: str
    """The handle of the one who was sent the link, and who acts by using it."""
    nonce: str
    """Names this one link, so that it works once."""
    expires: datetime
    kid: str
    """The id of the key that signed it; it stands on the timeline."""


def kid_of(key: bytes) -> str:
    """Give a key's id, which tells nothing about the key. Raises ValueError for a key too short to sign with."""
    if len(key) < _SHORTEST_KEY:
        raise ValueError(f"a key that signs links has at least {_SHORTEST_KEY} bytes, this one has {len(key)}")
    return hashlib.sha256(b"incidentd link key id\0" + key).hexdigest()[:8]


def make(key: bytes, *, action: str, subject: str, person: str, nonce: str, expires: datetime) -> str:
    """Write a link's token. The nonce is 16 random bytes or more, as text; fractions of a second are cut off."""
    payload = json.dumps([action, subject, person, nonce, int(expires.timestamp())], separators=(",", ":"))
    signed = f"{_VERSION}.{kid_of(key)}.{_encode(payload.encode())}"
    token = f"{signed}.{_mac(key, signed)}"
    if len(token) > _LONGEST:
        raise ValueError(f"the link for {subject[:40]!r} would be longer than {_LONGEST} characters")
    return token


def read(keys: Mapping[str, bytes], token: str, now: datetime) -> Claim:
    """Read a link's token, with the keys that are in use by their ids (`kid_of`).

    Raises ExpiredLink for one whose time is over, and BadLink for anything else that is not exactly what `make` wrote.
    """
    if len(token) > _LONGEST or not token.isascii() or token.count(".") != 3:
        raise BadLink("this is not a link that incidentd made; copy it whole, from the message")
    signed, _, mac = token.rpartition(".")
    version, kid, payload = signed.split(".")
    key = keys.get(kid)
    if version != _VERSION or key is None:
        raise BadLink("this link was signed with a key that is not in use here")
    if not hmac.compare_digest(_mac(key, signed).encode(), mac.encode()):
        raise BadLink("this link was changed on its way; copy it whole, from the message")
    action, subject, person, nonce, seconds = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    expires = datetime.fromtimestamp(seconds, UTC)
    if now >= expires:
        raise ExpiredLink(f"this link for {subject} expired at {expires:%Y-%m-%d %H:%M} UTC")
    return Claim(action=action, subject=subject, person=person, nonce=nonce, expires=expires, kid=kid)


def form_token(keys: Mapping[str, bytes], token: str) -> str:
    """Give what the form of a link's page sends along, which proves that its page was shown.

    Raises BadLink for a token that no key in use signed.
    """
    key = keys.get(token.split(".")[1] if token.count(".") == 3 else "")
    if key is None:
        raise BadLink("this link was signed with a key that is not in use here")
    return _mac(key, f"form {token}")


def same_form(keys: Mapping[str, bytes], token: str, given: str) -> bool:
    """Say whether a form that was sent is that of this link's page."""
    return hmac.compare_digest(form_token(keys, token).encode(), given.encode("utf-8", "surrogateescape"))


def page_token(keys: Mapping[str, bytes], words: str) -> str:
    """Give what the forms of a page send along, which proves that it was shown; `words` say which page, and to whom."""
    return _mac(next(iter(keys.values())), f"page {words}") if keys else ""


def same_page(keys: Mapping[str, bytes], words: str, given: str) -> bool:
    """Say whether a form that was sent is that of this page, with any of the keys that are in use."""
    sent = given.encode("utf-8", "surrogateescape")
    return any([hmac.compare_digest(_mac(key, f"page {words}").encode(), sent) for key in keys.values()])


def _mac(key: bytes, signed: str) -> str:
    return _encode(hmac.new(key, signed.encode(), hashlib.sha256).digest())


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
