"""The door to people: every notification leaves through here, by Apprise, and nothing else speaks to Apprise.

Each channel is a bulkhead: one thread at a time and one Apprise object of its own, so that a server that hangs holds up
nobody but itself. A send waits for its answer until a deadline; whoever comes while an abandoned call still runs is
told so at once and can go to another channel. Apprise URLs are secrets as a whole: errors name the channel, never the
URL, and of what Apprise and the other side say only a status code is kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import quote

from apprise import Apprise, AppriseAsset, NotifyFormat, NotifyType, OverflowMode

from incidentd.durations import about, format_duration
from incidentd.errors import PermanentError, TemporaryError
from incidentd.oncall import LOG_CHANNEL, Channel, ChannelKind
from incidentd.pages import TITLE_LIMIT, Notification
from incidentd.text import plain

_DEADLINE = timedelta(seconds=10)
_MOST_WAITING = 50
"""Messages that may wait for one channel in memory; the rest stays in the outbox, where it is safe."""
_CONNECT_SECONDS = 3.0
_SAID_LATE = timedelta(minutes=2)
_TYPES = {
    "page": NotifyType.FAILURE,
    "escalation": NotifyType.FAILURE,
    "resolved": NotifyType.SUCCESS,
    "trouble": NotifyType.WARNING,
}
# Apprise loads its plugins at the first use and writes class attributes then; one thread at a time may do that.
_building = threading.Lock()

Failure = TemporaryError | PermanentError


class Notifier:
    """Sends notifications to channels by their names.

    `channels` are those of the configuration by name; the channel `log` is always there. `redact` takes known secrets
    out of what is sent and said. `timeout` is the deadline of one send.
    """

    def __init__(
        self,
        channels: Mapping[str, Channel],
        *,
        log: logging.Logger,
        redact: Callable[[str], str],
        timeout: timedelta = _DEADLINE,
    ) -> None:
        self._log = log
        self._redact = redact
        self._timeout = timeout
        self._bulkheads: dict[str, _Bulkhead] = {}
        self.replace(channels)

    async def send(self, n: Notification) -> None:
        """Send one notification; to have returned means that the other side took it.

        Raises TemporaryError, with `maybe_done` when it may have been taken although no answer came, and
        PermanentError when somebody has to change something first.
        """
        message = _message(n, self._redact)
        bulkhead = self._bulkheads.get(n.channel)
        if bulkhead is None and n.channel != LOG_CHANNEL:
            raise PermanentError(f"there is no channel {n.channel!r} in the configuration; add it, or name another")
        if bulkhead is None or bulkhead.channel.kind is ChannelKind.LOG:
            self._write(n, message)
        else:
            await bulkhead.send(message)

    def replace(self, channels: Mapping[str, Channel]) -> None:
        """Use these channels from now on. One that did not change goes on with what it has."""
        before, self._bulkheads = self._bulkheads, {}
        for name, channel in channels.items():
            known = before.get(name)
            same = known is not None and known.channel == channel
            self._bulkheads[name] = known if known and same else _Bulkhead(channel, self._timeout)
        for name, bulkhead in before.items():
            if self._bulkheads.get(name) is not bulkhead:
                bulkhead.close()

    async def warm_up(self) -> None:
        """Load Apprise and read every channel's URL, which takes a second or two, before the first page needs it."""
        real = [bulkhead for bulkhead in self._bulkheads.values() if bulkhead.channel.kind is not ChannelKind.LOG]
        for failure in await asyncio.gather(*(bulkhead.warm_up() for bulkhead in real)):
            if failure is not None:
                self._log.warning("%s", failure)

    async def close(self) -> None:
        """Let every channel go. A call that hangs is left behind: its thread does not hold up our exit."""
        self.replace({})

    def _write(self, n: Notification, message: _Message) -> None:
        lines = " | ".join(line for line in message.body.split("\n") if line)
        about_it = {"channel": n.channel, "purpose": n.purpose, "key": n.key}
        self._log.warning("notification: %s | %s", message.title, lines, extra=about_it)


def problems(channels: Mapping[str, Channel]) -> list[str]:
    """Name the channels whose URL Apprise does not understand."""
    real = {name: channel for name, channel in channels.items() if channel.kind is not ChannelKind.LOG}
    return [name for name, channel in real.items() if _build(channel, _DEADLINE) is None]


@dataclass(frozen=True, slots=True)
class _Message:
    """What is sent: the words, with what has to be said about a repeat or a late one."""

    key: str
    title: str
    body: str
    type: NotifyType


def _message(n: Notification, redact: Callable[[str], str]) -> _Message:
    marks = ["possible repeat"] if n.repeat else []
    if n.late_by > _SAID_LATE:
        marks.append(f"late by {about(n.late_by)}")
    mark = f" ({', '.join(marks)})" if marks else ""
    title = plain(redact(n.title), TITLE_LIMIT - len(mark)) + mark
    body = f"{redact(n.body)}\n\nRef {plain(n.key)}{mark}"
    return _Message(n.key, title, body, _TYPES.get(n.purpose, NotifyType.INFO))


class _Bulkhead:
    """One channel: one message at a time, in a thread, each with a deadline."""

    def __init__(self, channel: Channel, timeout: timedelta) -> None:
        self.channel = channel
        self._timeout = timeout
        self._apprise: Apprise | None = None
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._busy = False
        self._closed = False

    async def send(self, message: _Message) -> None:
        if self._waiting >= _MOST_WAITING:
            raise TemporaryError(f"channel {self.channel.name} has {self._waiting} messages waiting already")
        begun = False
        self._waiting += 1
        try:
            async with asyncio.timeout(self._timeout.total_seconds()), self._turn:
                if self._busy:  # the one before us was given up, and its thread is not back yet
                    raise TemporaryError(f"channel {self.channel.name} is still busy with an earlier message")
                if self._closed:
                    raise TemporaryError(f"channel {self.channel.name} was changed meanwhile; try the new one")
                begun = True
                failure = await self._run(partial(self._deliver, message))
        except TimeoutError:
            text = f"channel {self.channel.name} gave no answer within {format_duration(self._timeout)}"
            raise TemporaryError(text, maybe_done=begun) from None
        finally:
            self._waiting -= 1
        if failure is not None:
            raise failure

    async def warm_up(self) -> Failure | None:
        async with self._turn:
            return None if self._busy else await self._run(self._load)

    def close(self) -> None:
        """Take no message any more; the one under way ends by itself."""
        self._closed = True

    def _run(self, job: Callable[[], Failure | None]) -> asyncio.Future[Failure | None]:
        """Have a job done in a thread of its own, and its outcome put into the future that is given."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Failure | None] = loop.create_future()
        # a daemon: one that hangs must not hold up the end of the process
        thread = threading.Thread(
            target=self._do, args=(job, loop, future), name=f"notify {self.channel.name}", daemon=True
        )
        self._busy = True
        try:
            thread.start()
        except RuntimeError:
            self._busy = False
            text = f"channel {self.channel.name}: no thread can be started, the machine is at its limit"
            future.set_result(TemporaryError(text))
        return future

    # What follows runs in a thread.

    def _do(
        self, job: Callable[[], Failure | None], loop: asyncio.AbstractEventLoop, future: asyncio.Future[Failure | None]
    ) -> None:
        # the outcome of a job that raises: threading.excepthook shows why
        outcome: Failure | None = TemporaryError(
            f"channel {self.channel.name}: sending failed unexpectedly, see the log", maybe_done=True
        )
        try:
            outcome = job()
        finally:
            self._busy = False
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits for it any more
                loop.call_soon_threadsafe(_settle, future, outcome)

    def _load(self) -> Failure | None:
        self._apprise = self._apprise or _build(self.channel, self._timeout)
        if self._apprise is None:
            name = self.channel.name
            return PermanentError(f"channel {name}: Apprise does not understand its URL; correct what it is read from")
        return None

    def _deliver(self, message: _Message) -> Failure | None:
        failure = self._load()
        apprise = self._apprise
        if failure is not None or apprise is None:
            return failure
        service: Any = apprise[0]
        with contextlib.suppress(AttributeError, TypeError):  # plugins with headers of their own: mail, json, xml, form
            service.headers = {**service.headers, "X-Incidentd-Key": quote(message.key)}
        if _keeps_transaction(service):
            self._apprise = None
        _fence()  # once more: setting up our own logs may have opened it
        result = apprise.notify(
            title=message.title, body=message.body, notify_type=message.type, body_format=NotifyFormat.TEXT,
            log_level=logging.DEBUG,
        )  # fmt: skip
        if result:
            return None
        # to the end, and here: Apprise holds a lock while its lines are read, which no other thread can release
        return _failure(self.channel.name, [(line.level, line.message) for line in result.logs()])


def _settle(future: asyncio.Future[Failure | None], outcome: Failure | None) -> None:
    if not future.done():
        future.set_result(outcome)


# -- Apprise ---------------------------------------------------------------------------------------------------------


def _build(channel: Channel, timeout: timedelta) -> Apprise | None:
    """Make an Apprise object of one service; None when the URL is not understood."""
    with _building:
        _fence()
        # without a time limit of its own, Apprise calls the service right here, not in a pool that all channels share
        asset = AppriseAsset(service_timeout=0, secure_logging=True, async_mode=False)
        service = Apprise.instantiate(channel.url.reveal(), asset=asset)
        if service is None:
            return None
        _tame(service, channel.kind, timeout.total_seconds())
        apprise = Apprise(asset=asset)
        apprise.add(service)
        return apprise


def _fence() -> None:
    """Keep what Apprise and its libraries log to ourselves: URLs with tokens, whole payloads, answers."""
    log = logging.getLogger("apprise")
    log.propagate = False
    if not log.handlers:
        log.addHandler(logging.NullHandler())  # else warnings go to stderr
    log.setLevel(logging.DEBUG)  # mail servers' codes are only told at this level
    for name in ("urllib3", "requests_oauthlib", "oauthlib", "slixmpp"):
        logging.getLogger(name).setLevel(logging.ERROR)


def _tame(service: Any, kind: ChannelKind, seconds: float) -> None:
    """Take from a service what is ours to decide, or would be a surprise."""
    service.request_rate_per_sec = 0  # it sleeps by the wall clock, for an hour when that is set back
    service.redirects = False
    service.retry = 0  # tries are the outbox's
    service.optional = False  # or a failure would count as success
    # Below our own deadline, so that a silent server gives the thread back. For mail, `connect` limits every answer.
    limit = 0.8 * seconds
    connect = limit if hasattr(service, "smtp_host") else min(_CONNECT_SECONDS, limit)
    service.socket_connect_timeout = min(float(service.socket_connect_timeout), connect)
    service.socket_read_timeout = min(float(service.socket_read_timeout), limit)
    formats = service.notify_format
    if NotifyFormat.TEXT in (formats if isinstance(formats, tuple) else (formats,)):
        service.notify_format = NotifyFormat.TEXT
    if service.overflow_mode is OverflowMode.UPSTREAM:
        short = kind in (ChannelKind.SMS, ChannelKind.CALL)
        service.overflow_mode = OverflowMode.TRUNCATE if short else OverflowMode.SPLIT


def _keeps_transaction(service: Any) -> bool:
    """Say whether a service sends a second message under the id of the first, so that the server drops it."""
    return type(service).__name__ == "NotifyMatrix" and not service.user


_HTTP = re.compile(r"\berror=([1-5]\d\d)\b")
_SMTP = re.compile(r"\(([45]\d\d), b['\"]")
_REFUSED = re.compile(r"^SMTP recipient .* was refused: ([45]\d\d) ")
_UNTRUSTED = ("certificate verify failed", "CERTIFICATE_VERIFY_FAILED")
_NEVER_REACHED = (
    "Connection refused", "NewConnectionError", "NameResolutionError", "Name or service not known",
    "No address associated with hostname", "Temporary failure in name resolution", "ConnectTimeout", "SSLError",
    "No route to host", "Network is unreachable", "connect timeout",
)  # fmt: skip


def _failure(name: str, said: Iterable[tuple[str, str]]) -> Failure:
    """Make an error of what Apprise logged about a failed try. Its words hold strangers' values and are not repeated.

    Only lines that Apprise words itself are looked at: what it logs of payloads and answers could say anything.
    """
    for level, line in said:
        if level != "DEBUG" and (found := _HTTP.search(line)):
            return _http_failure(name, int(found[1]))
        if found := _REFUSED.search(line):
            return _smtp_failure(name, int(found[1]))
        if line.startswith("Socket Exception: "):
            found = _SMTP.search(line)
            return _smtp_failure(name, int(found[1])) if found else _broken(name, line)
    return TemporaryError(f"channel {name}: it was not taken, and Apprise does not say why", maybe_done=True)


def _http_failure(name: str, status: int) -> Failure:
    text = f"channel {name}: the server answered {status}"
    if status in (408, 425, 429) or status >= 500:
        return TemporaryError(text, maybe_done=status in (502, 504))
    if status < 400:
        return PermanentError(f"{text}, a redirect, which is not followed; give the channel the final address")
    return PermanentError(f"{text}; check the channel's address, token and rights")


def _smtp_failure(name: str, code: int) -> Failure:
    text = f"channel {name}: the mail server answered {code}"
    return TemporaryError(text) if code < 500 else PermanentError(f"{text}; check the channel's address and login")


def _broken(name: str, line: str) -> TemporaryError:
    if any(words in line for words in _UNTRUSTED):
        return TemporaryError(f"channel {name}: the server's certificate was not accepted")
    if any(words in line for words in _NEVER_REACHED):
        return TemporaryError(f"channel {name}: the server cannot be reached")
    return TemporaryError(f"channel {name}: the connection broke before an answer came", maybe_done=True)
