"""Who is calling: the credentials of a request, looked up, and what its sender may do.

A token is looked up by its hash; what was found is believed for five seconds, so a revoked token dies that fast. While
no token exists at all, a caller on this very machine is let in as `local`; the first token that is made ends that.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import ipaddress
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, TypeVar
from urllib.parse import urlsplit

from aiohttp import hdrs, web

from incidentd.access import Right, Token, allows, may_ingest, same_secret, token_hash
from incidentd.errors import BadRequest, NotAllowed, NotFound
from incidentd.settings import Settings, Source
from incidentd.store import access
from incidentd.timeline import Actor
from incidentd.web.certificates import is_certified
from incidentd.web.house import House, external_url
from incidentd.web.signatures import refuse_unsigned

T = TypeVar("T")

BELIEVED = 5.0
"""Seconds that a looked-up token is believed."""
_MOST = 2000
_LONGEST_NAME = 100
_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via")
_HOW = "send `Authorization: Bearer TOKEN`; `incidentd token create` makes a token"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who sent a request, as it was proved."""

    name: str
    scopes: tuple[str, ...]
    key: str = ""
    local: bool = False
    """Let in because it came from this machine and no token exists."""


CALLER: web.RequestKey[Caller] = web.RequestKey("caller", Caller)
LOCAL = Caller(name="local", scopes=("admin",), local=True)


def actor(request: web.Request, by: str = "") -> Actor:
    """Say who does what this request asks for; `by` is who the body says it is.

    Without tokens the word of a local caller is taken; with one, the token's name acts and nobody else's may be given.
    """
    caller = request[CALLER]
    if by and (len(by) > _LONGEST_NAME or not by.isprintable()):
        raise BadRequest(f"`by` is a name of 1 to {_LONGEST_NAME} printable characters")
    if by and by != caller.name and not caller.local:
        raise BadRequest(f"`by` says {by!r}, but this token acts as {caller.name!r}; leave `by` out")
    via = "cli" if request.headers.get(hdrs.USER_AGENT, "").startswith("incidentd-cli") else "api"
    return Actor(name=by or caller.name, via=via, key=caller.key)


class _Believed(Generic[T]):
    """Answers of the store that are believed for a while; of a thousand that want the same, one asks."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, T]] = {}
        self._asking = asyncio.Lock()

    def forget(self) -> None:
        self._known.clear()

    async def get(self, key: str, ask: Callable[[], Awaitable[T]]) -> T:
        clock = asyncio.get_running_loop().time
        if (known := self._known.get(key)) and clock() < known[0]:
            return known[1]
        async with self._asking:
            if (known := self._known.get(key)) and clock() < known[0]:
                return known[1]
            answer = await ask()
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[key] = (clock() + BELIEVED, answer)
            return answer


class Gate:
    """Lets callers in, or says why not."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._tokens: _Believed[Token | None] = _Believed()
        self._any: _Believed[bool] = _Believed()

    def forget(self) -> None:
        """Look every token up anew: one was made or revoked just now."""
        self._tokens.forget()
        self._any.forget()

    async def caller(self, request: web.Request, right: Right) -> Caller:
        """Give the caller of a request that needs a right. Raises NotAllowed."""
        caller = await self._caller(request)
        if not allows(caller.scopes, right):
            raise _lacks(caller, f"one that brings the right to {right.value}")
        return caller

    async def deliverer(self, request: web.Request, source: str) -> Caller:
        """Give the caller that delivers alerts of a source. Raises NotAllowed, or NotFound for an unknown source."""
        configured = self._house.settings.sources.get(source)
        if configured is not None and self._proves_itself(request, configured):
            return Caller(name=source, scopes=(f"ingest:{source}",), key=f"source:{source}")
        caller = await self._caller(request)
        if configured is None:
            raise NotFound(
                f"there is no source {source[:64]!r}; add it under `sources` in the configuration and reload, "
                "or deliver to a source that is there"
            )
        if not may_ingest(caller.scopes, source):
            raise _lacks(caller, f"ingest:{source}")
        return caller

    def _proves_itself(self, request: web.Request, source: Source) -> bool:
        """Say whether a delivery brings what its source wants; False leaves it to a token of the store.

        Raises NotAllowed where nothing else could do.
        """
        if source.signing is not None:
            refuse_unsigned(request, source.name, source.signing)  # the receiver checks it, once it has the body
        certified = is_certified(request, source.client_certificate)
        if certified or (source.signing and not source.tokens and not source.client_certificate):
            return True
        presented = credentials(request)
        if presented is None and source.has_own_proof:
            raise NotAllowed(f"the source {source.name!r} wants {_wanted(source)}, which is missing here")
        # every one is compared, so that the time taken says nothing about which came close
        own = [token.reveal() for token in source.tokens if token]
        return presented is not None and any([same_secret(presented, token) for token in own])

    async def _caller(self, request: web.Request) -> Caller:
        presented = credentials(request)
        if presented is None:
            if await self._tokens_exist():
                raise NotAllowed(f"this needs a token: {_HOW}")
            refuse_strangers(request, self._house.settings)
            return LOCAL
        token = await self._token(presented)
        if token is None:
            raise NotAllowed("this token is not known here, or was revoked")
        return Caller(name=token.name, scopes=token.scopes, key=f"token:{token.id}")

    async def _token(self, presented: str) -> Token | None:
        if not presented.isascii():
            return None
        hashed = token_hash(presented)
        return await self._tokens.get(hashed, lambda: self._house.store.read(access.find_token, hashed))

    async def _tokens_exist(self) -> bool:
        return await self._any.get("", lambda: self._house.store.read(access.any_tokens))


GATE: web.AppKey[Gate] = web.AppKey("gate", Gate)


def credentials(request: web.Request) -> str | None:
    """Read the token that a request presents, None when there is none. Raises NotAllowed for one that is unreadable.

    `Bearer` and `Token` carry it plainly; with `Basic` it is the password, whatever the user, since Alertmanager's
    `basic_auth` can send it so.
    """
    given = request.headers.getall(hdrs.AUTHORIZATION, [])
    if not given:
        return None
    scheme, _, value = given[0].partition(" ")
    value = value.strip()
    if len(given) == 1 and value and scheme.lower() in ("bearer", "token"):
        return value
    if len(given) == 1 and value and scheme.lower() == "basic":
        try:
            decoded = base64.b64decode(value, validate=True).decode("utf-8", "surrogateescape")
        except (binascii.Error, ValueError):
            decoded = ""
        if password := decoded.partition(":")[2]:
            return password
    raise NotAllowed(f"this Authorization header holds no token: {_HOW}")


def refuse_strangers(request: web.Request, settings: Settings) -> None:
    """Let pass only what came from this machine, to a name of this machine, straight. Raises NotAllowed.

    The Host header is looked at because any page that a browser here shows can send requests here under its own name.
    """
    host = host_of(settings.listen)
    if not (is_loopback(host) and is_loopback(request.remote or "")):
        raise NotAllowed(f"this needs a token: {_HOW}")
    if any(name in request.headers for name in _FORWARDED):
        raise NotAllowed(f"this was forwarded by a proxy, and no token exists yet: {_HOW}")
    named = host_of(request.headers.get(hdrs.HOST, ""))
    if not is_loopback(named) and named != host_of(external_url(settings).partition("://")[2]):
        raise NotAllowed(f"while no token exists, only requests to a loopback name are answered, not to {named[:80]!r}")


def refuse_other_sites(request: web.Request, settings: Settings, *, link: bool) -> None:
    """Refuse a change that another site's page made a browser ask for. Raises NotAllowed.

    A link's form is sent from a page that says nothing of where it is (`no-referrer`), so its origin may be `null`.
    """
    if request.method in (hdrs.METH_GET, hdrs.METH_HEAD):
        return
    site = request.headers.get("Sec-Fetch-Site")
    if site in ("same-origin", "none"):
        return
    origin = request.headers.get(hdrs.ORIGIN)
    if site is None and (origin is None or (link and origin == "null") or _own_origin(origin, request, settings)):
        return
    raise NotAllowed("a page of another site may not ask for this", authenticated=True)


def refuse_open_listening(settings: Settings, any_tokens: bool) -> str:
    """Say why this daemon must not listen where it is told to; '' when it may."""
    host = host_of(settings.listen)
    if any_tokens or is_loopback(host):
        return ""
    return (
        f"{settings.listen} can be reached from other machines, and no token exists, so anybody could act; "
        "make one first (incidentd token create NAME --scope admin --store URL), or listen on 127.0.0.1"
    )


@lru_cache(maxsize=1000)
def host_of(address: str) -> str:
    """Take the host out of `host:port` (and whatever follows); '' when there is none, which means every address."""
    try:
        return urlsplit(f"//{address}").hostname or ""
    except ValueError:
        return ""


@lru_cache(maxsize=1000)
def is_loopback(host: str) -> bool:
    """Say whether an address, or a name that always means one, is of this machine alone."""
    if host.lower() == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.is_loopback


def _own_origin(origin: str, request: web.Request, settings: Settings) -> bool:
    ours = urlsplit(external_url(settings))
    try:
        given = urlsplit(origin)
    except ValueError:
        return False
    return given.netloc == request.headers.get(hdrs.HOST) or (given.scheme, given.netloc) == (ours.scheme, ours.netloc)


def _wanted(source: Source) -> str:
    ways = ("a token" if source.tokens else "", "a client certificate" if source.client_certificate else "")
    return " or ".join(filter(None, ways)) + " of its own"


def _lacks(caller: Caller, wanted: str) -> NotAllowed:
    scopes = ", ".join(caller.scopes)
    return NotAllowed(f"{caller.name} may not do this: the scopes are {scopes}; it needs {wanted}", authenticated=True)
