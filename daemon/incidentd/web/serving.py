"""Listening: how many connections are held, for how long, and what happens when there are too many.

Alertmanager opens one connection a group, thousands at once in a storm. Descriptors are what runs out first, and
asyncio's accept loop then fails over and over; so connections are counted, and one too many is closed before anything
is read from it. Its sender tries again.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
import ssl

from aiohttp import http_exceptions, http_parser, web

from incidentd.web.house import HOUSE

_wire = logging.getLogger(f"{__name__}.wire")

KEEPALIVE = 75.0
"""Seconds that an idle connection is kept."""
HEAD_DEADLINE = 30.0
"""Seconds in which the head of a connection's first request must have come; idle time later is `KEEPALIVE`'s part."""
BACKLOG = 1024
"""Connections that the kernel holds for us in a burst."""
_GOODBYE = 5.0  # seconds in which a peer must have said goodbye, as TLS wants it, before it is cut off
_LAST_REQUEST = 60.0  # seconds that a request has to end in, on a connection that is to be closed
_AT_ONCE = 32  # accepted before the loop does anything else
_RESERVED = 128  # descriptors for the store, the doors and the playbooks
_ON_THE_WAY = 6 * _AT_ONCE  # descriptors of connections that are accepted and not yet known here, or not yet closed


def _is_ours(record: logging.LogRecord) -> bool:
    """Keep a stranger's broken request out of the log: its answer says what is wrong with it, to whoever sent it."""
    return not (record.exc_info and isinstance(record.exc_info[1], http_exceptions.HttpProcessingError))


_wire.addFilter(_is_ours)


class _TooMany(asyncio.Protocol):
    """One connection too many: closed before anything is read from it."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what create_server makes
        transport.abort()


class _Greeting(asyncio.Protocol):
    """A connection that is still shaking hands over TLS. It keeps what comes right behind that, until it is let in."""

    def __init__(self, site: _Site) -> None:
        self._site = site
        self.since = asyncio.get_running_loop().time()
        self.came: list[bytes] = []
        self.ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; nothing is read before TLS does it."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what create_server makes
        transport.pause_reading()
        self._site.greet(self, transport)

    def data_received(self, data: bytes) -> None:
        """Keep the beginning of a request."""
        self.came.append(data)

    def eof_received(self) -> None:
        """Know that nothing more comes."""
        self.ended = True

    def connection_lost(self, exc: Exception | None) -> None:
        """Know that nobody is there any more."""
        self.ended = True


SILENT: web.AppKey[dict[web.RequestHandler, float]] = web.AppKey("silent", dict)
"""Connections that have not sent a whole request head yet, and since when."""


class _Site(web.BaseSite):
    """A TCP socket that holds a bounded number of connections, and none that stays silent."""

    def __init__(
        self, runner: web.AppRunner, host: str, port: int, *, most: int, context: ssl.SSLContext | None
    ) -> None:  # fmt: skip
        super().__init__(runner)
        self._host, self._port, self._most = host, port, most
        self.context = context
        """What TLS is spoken with; None for plain HTTP."""
        self._silent, self._house = runner.app[SILENT], runner.app[HOUSE]
        self._greetings: set[asyncio.Task[None]] = set()
        self._leaving: set[asyncio.Task[None]] = set()
        self._held = 0
        self._sweep: asyncio.TimerHandle | None = None

    @property
    def name(self) -> str:
        """The address it was told."""
        return f"{'https' if self.context else 'http'}://{self._host}:{self._port}"

    async def start(self) -> None:
        """Listen."""
        await super().start()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connection, self._host or None, self._port, backlog=_AT_ONCE)
        for listening in self._server.sockets:
            # asyncio accepts `backlog` connections in a row before anything else; the kernel may hold more of them
            again = socket.socket(fileno=listening.fileno())
            again.listen(BACKLOG)
            again.detach()
        self._close_silent()

    async def stop(self) -> None:
        """Listen no longer."""
        if self._sweep is not None:
            self._sweep.cancel()
        await super().stop()
        for task in (*self._greetings, *self._leaving):
            task.cancel()

    def change(self, context: ssl.SSLContext) -> None:
        """Go by another context from here.

        Connections that were made under the old one end with the request that they are in: the certificate that was
        good then need not be now.
        """
        self.context = context
        for task in self._greetings:
            task.cancel()
        for protocol in self._runner.server.connections if self._runner.server is not None else ():
            protocol.close()  # ends an idle one; the rest is for those that have a request
            task = asyncio.create_task(protocol.shutdown(_LAST_REQUEST))
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)

    def _connection(self) -> asyncio.BaseProtocol:
        server = self._runner.server
        if server is not None and self._held >= self._most:
            # counted anew only when the sum of all that came says it is full
            self._held = len(server.connections) + len(self._greetings)
        if server is None or self._held >= self._most:
            return _TooMany()
        self._held += 1
        return self._let_in(server, asyncio.get_running_loop().time()) if self.context is None else _Greeting(self)

    def _let_in(self, server: web.Server, since: float) -> web.RequestHandler:
        protocol = server()
        self._silent[protocol] = since
        return protocol

    def greet(self, greeting: _Greeting, transport: asyncio.Transport) -> None:
        """Shake hands with whoever came."""
        task = asyncio.create_task(self._shake_hands(greeting, transport))
        self._greetings.add(task)
        task.add_done_callback(self._greetings.discard)

    async def _shake_hands(self, greeting: _Greeting, transport: asyncio.Transport) -> None:
        if self.context is None:
            raise RuntimeError("a greeting without TLS")
        try:
            secure = await asyncio.get_running_loop().start_tls(
                transport, greeting, self.context, server_side=True, ssl_handshake_timeout=HEAD_DEADLINE,
                ssl_shutdown_timeout=_GOODBYE,
            )  # fmt: skip
        except OSError as error:  # ssl.SSLError is one, and so is a handshake that takes too long
            _wire.debug("no TLS: %s", error)
            self._house.metrics.tls_handshakes_failed_total.inc()
            return
        server = self._runner.server
        if secure is None or server is None or greeting.ended:
            transport.abort()
            return
        protocol = self._let_in(server, greeting.since)
        secure.set_protocol(protocol)
        protocol.connection_made(secure)
        for data in greeting.came:
            protocol.data_received(data)

    def _close_silent(self) -> None:
        loop = asyncio.get_running_loop()
        for protocol in [it for it, since in self._silent.items() if loop.time() - since >= HEAD_DEADLINE]:
            del self._silent[protocol]
            protocol.force_close()
        self._sweep = loop.call_later(HEAD_DEADLINE / 3, self._close_silent)


async def serve(
    app: web.Application, host: str, port: int, *, context: ssl.SSLContext | None = None, most: int = 0,
    shutdown_timeout: float = 10.0,
) -> web.AppRunner:  # fmt: skip
    """Listen and answer, until `cleanup()` of what this gives; its `addresses` name the port when 0 was asked for.

    With a `context` TLS is spoken, and nothing else: whoever speaks plainly gets no answer, least of all a redirect.
    `most` is how many connections are held at once; 0 is as many as the descriptor limit allows. Raises RuntimeError
    without aiohttp's C parser: the one in Python reads some broken requests in another way.
    """
    if http_parser.HttpRequestParser is http_parser.HttpRequestParserPy:
        raise RuntimeError("aiohttp came without its C parser here; install it from a wheel for this machine")
    runner = web.AppRunner(
        app, access_log=None, keepalive_timeout=KEEPALIVE, handler_cancellation=False, auto_decompress=False,
        shutdown_timeout=shutdown_timeout, logger=_wire,
    )  # fmt: skip
    await runner.setup()
    try:
        await _Site(runner, host, port, most=most or most_connections(), context=context).start()
    except BaseException:
        await runner.cleanup()
        raise
    return runner


def change_context(runner: web.AppRunner, context: ssl.SSLContext) -> None:
    """Go by another TLS context from here."""
    for site in runner.sites:
        if isinstance(site, _Site):
            site.change(context)


def most_connections() -> int:
    """Raise the soft limit of descriptors to the hard one, and say how many connections that leaves room for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    limit = hard if hard != resource.RLIM_INFINITY else 1 << 20
    return max(limit - _RESERVED - _ON_THE_WAY, 64)
