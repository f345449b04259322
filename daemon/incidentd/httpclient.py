"""Speaking HTTP to a server of the configuration: its sign-in, its TLS, a deadline, and a cap on what it says."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import quote_plus

import aiohttp
import msgspec

from incidentd.durations import format_duration
from incidentd.errors import PermanentError, TemporaryError
from incidentd.settings import HttpConfig, OAuth2, Tls
from incidentd.text import plain

_CONNECT = 3.0  # seconds; connecting takes milliseconds or does not happen
_CHUNK = 64 * 1024
_TOKEN = 64 * 1024  # bytes of an answer that holds an access token
_EARLIER = 10.0  # seconds by which an access token is taken for expired too early rather than too late
_LIVES = 3600.0  # seconds, for a token that does not say how long it holds


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered."""

    status: int
    body: bytes = field(repr=False)
    date: str = ""
    """The server's own clock, as its `Date` header has it."""


class _Token(msgspec.Struct):
    access_token: str
    expires_in: float | None = None


class HttpClient:
    """Speaks to one server as its `http_config` says. The session stays the caller's, who closes it."""

    def __init__(self, config: HttpConfig, session: aiohttp.ClientSession, *, who: str) -> None:
        self._config = config
        self._session = session
        self._who = who
        self._token = ""
        self._token_until = 0.0
        self._fetching = asyncio.Lock()
        self._tls: tuple[tuple[float, ...], ssl.SSLContext] | None = None

    async def ask(
        self, method: str, url: str, *, within: timedelta, most: int, form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None, body: bytes | None = None,
    ) -> Reply:  # fmt: skip
        """Send a request and read the answer, whatever its status; a redirect is an answer like others.

        `within` is for all of it, `most` the bytes of the answer's body. `body` is JSON, sent instead of a form.
        Raises TemporaryError when no answer came, PermanentError when asking again would give the same.
        """
        try:
            async with asyncio.timeout(within.total_seconds()):
                reply = await self._with_token(method, url, form if body is None else body, _typed(headers, body), most)
        except TimeoutError:
            why = f"{self._who} did not answer within {format_duration(within)}"
            raise TemporaryError(why, maybe_done=True) from None
        except (aiohttp.ClientSSLError, aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError, ValueError) as error:
            why = plain(str(error), 300)
            raise PermanentError(f"{self._who} cannot be asked at its configured url: {why}") from None
        except (aiohttp.ClientError, OSError) as error:
            why = plain(str(error) or type(error).__name__, 300)
            raise TemporaryError(f"{self._who} cannot be reached: {why}") from None
        return reply

    async def _with_token(
        self, method: str, url: str, form: Mapping[str, str] | bytes | None, headers: Mapping[str, str], most: int
    ) -> Reply:
        signed = {**headers, **{name: secret.reveal() for name, secret in self._config.headers.items()}}
        oauth2 = self._config.oauth2
        if oauth2 is None:
            return await self._send(method, url, form, signed, most)
        signed["Authorization"] = f"Bearer {await self._access_token(oauth2, fresh=False)}"
        reply = await self._send(method, url, form, signed, most)
        if reply.status == 401:  # a token that was revoked early is worth one new one
            signed["Authorization"] = f"Bearer {await self._access_token(oauth2, fresh=True)}"
            reply = await self._send(method, url, form, signed, most)
        return reply

    async def _send(
        self, method: str, url: str, form: Mapping[str, str] | bytes | None, headers: Mapping[str, str], most: int
    ) -> Reply:
        wait = aiohttp.ClientTimeout(total=None, connect=_CONNECT)  # the caller's deadline is round all of it
        # a redirect could lead the headers to a stranger
        async with self._session.request(
            method, url, data=form, headers=headers, allow_redirects=False, timeout=wait, **await self._tls_options()
        ) as response:
            body = bytearray()
            async for chunk in response.content.iter_chunked(_CHUNK):
                body += chunk
                if len(body) > most:
                    size = f"{most // 1024 // 1024} MiB" if most >= 1024 * 1024 else f"{most // 1024} KiB"
                    raise PermanentError(f"the answer of {self._who} is larger than {size}; ask for less")
            return Reply(response.status, bytes(body), response.headers.get("Date", ""))

    async def _access_token(self, oauth2: OAuth2, *, fresh: bool) -> str:
        async with self._fetching:
            now = asyncio.get_running_loop().time()
            if not fresh and self._token and now < self._token_until:
                return self._token
            pair = f"{quote_plus(oauth2.client_id)}:{quote_plus(oauth2.client_secret.reveal())}"
            form = {"grant_type": "client_credentials", **oauth2.params}
            if oauth2.scopes:
                form["scope"] = " ".join(oauth2.scopes)
            headers = {
                "Authorization": "Basic " + base64.b64encode(pair.encode()).decode(), "Accept": "application/json",
            }  # fmt: skip
            reply = await self._send("POST", oauth2.token_url, form, headers, _TOKEN)
            token = _read_token(reply, self._who)
            self._token = token.access_token
            self._token_until = now + (_LIVES if token.expires_in is None else token.expires_in) - _EARLIER
            return self._token

    async def _tls_options(self) -> dict[str, Any]:
        tls = self._config.tls
        if tls is None:
            return {}
        options: dict[str, Any] = {"ssl": await asyncio.to_thread(self._context, tls)}
        if tls.server_name:
            options["server_hostname"] = tls.server_name
        return options

    def _context(self, tls: Tls) -> ssl.SSLContext:
        """Give what TLS is proved with, read anew when a file changed: certificates are rotated while we run."""
        files = [path for path in (tls.ca_file, tls.cert_file, tls.key_file) if path is not None]
        state = tuple(path.stat().st_mtime for path in files)
        if self._tls is not None and self._tls[0] == state:
            return self._tls[1]
        context = ssl.create_default_context(cafile=tls.ca_file)
        if tls.cert_file is not None and tls.key_file is not None:
            context.load_cert_chain(tls.cert_file, tls.key_file, password="")
        self._tls = (state, context)
        return context


def _typed(headers: Mapping[str, str] | None, body: bytes | None) -> Mapping[str, str]:
    return {**(headers or {}), **({"Content-Type": "application/json"} if body is not None else {})}


def _read_token(reply: Reply, who: str) -> _Token:
    if reply.status >= 500:
        raise TemporaryError(f"the token_url of {who} cannot answer now (HTTP {reply.status})")
    try:
        if reply.status != 200:
            raise ValueError(f"HTTP {reply.status}")
        return msgspec.json.decode(reply.body, type=_Token)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        why = "HTTP " + str(reply.status) if reply.status != 200 else plain(str(error), 100)
        raise PermanentError(
            f"the token_url of {who} gives no access token ({why}): check client_id and client_secret"
        ) from None
