"""One channel as a bulkhead: one message at a time, in a thread of its own, each with a deadline."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import quote

from apprise import Apprise, NotifyFormat, NotifyType

from incidentd.durations import format_duration
from incidentd.errors import PermanentError, TemporaryError
from incidentd.metrics import Metrics
from incidentd.notify import answers
from incidentd.notify.enclosing import enclosed
from incidentd.notify.failures import Failure
from incidentd.notify.failures import failure as failure_of
from incidentd.notify.gate import Gate, Why
from incidentd.notify.services import build, fence, keeps_transaction
from incidentd.oncall import RATES, Channel, ChannelKind
from incidentd.pages import Attachment

_MOST_WAITING = 50
"""Messages that may wait for one channel in memory; the rest stays in the outbox, where it is safe."""
_MOST_PARTS = 20
_WAITS = {
    Why.CIRCUIT: "failed again and again, and is left alone for a while",
    Why.ASKED: "was asked by its server to wait",
    Why.RATE: "has sent as many messages as it may for now",
    Why.RETRIES: "has tried enough messages again for now",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is sent: the words, with what has to be said about a repeat or a late one."""

    key: str
    title: str
    body: str
    type: NotifyType
    page: bool
    """Somebody is called with it."""
    again: bool
    """It was tried before."""
    pictures: tuple[Attachment, ...] = ()
    alone: tuple[Message, Message] | None = None
    """The same without pictures, for when it is not taken with them: as it is, and marked as a possible repeat."""


class Bulkhead:
    """One channel: one message at a time, in a thread, each with a deadline."""

    def __init__(self, channel: Channel, timeout: timedelta, metrics: Metrics | None = None) -> None:
        self.channel = channel
        self._gate = Gate(channel.rate or RATES.get(channel.kind))
        self._metrics = metrics
        self._timeout = timeout
        self._apprise: Apprise | None = None
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._busy = False
        self._closed = False

    async def send(self, message: Message) -> None:
        """Send one message. Raises TemporaryError and PermanentError."""
        if self._waiting >= _MOST_WAITING:
            raise TemporaryError(f"channel {self.channel.name} has {self._waiting} messages waiting already")
        begun = False
        deadline = self._timeout * self._tries(message)
        self._waiting += 1
        try:
            async with asyncio.timeout(deadline.total_seconds()), self._turn:
                self._refuse(message)
                begun = True
                await self._try(message)
        except TimeoutError:
            text = f"channel {self.channel.name} gave no answer within {format_duration(deadline)}"
            raise TemporaryError(text, maybe_done=begun) from None
        finally:
            self._waiting -= 1

    def _tries(self, message: Message) -> int:
        """Say for how many tries there must be time: with pictures for each of them, and for the words once more."""
        parts = self._parts(message)
        if not message.pictures:
            return parts
        return 2 * parts + (len(message.pictures) if self.channel.kind is ChannelKind.CHAT else 0)

    def _parts(self, message: Message) -> int:
        """Say in how many parts a message goes out; each has its time, since Apprise sends one after the other.

        An IRC server gets a connection for each 380 characters. Before the channel's first message nobody knows.
        """
        service: Any = self._apprise[0] if self._apprise is not None else None
        longest = service.body_maxlen if service is not None else 0
        if not longest or self.channel.kind is not ChannelKind.CHAT:
            return 1
        return min(1 + (len(message.title) + len(message.body)) // longest, _MOST_PARTS)

    def _refuse(self, message: Message) -> None:
        """Raise TemporaryError when the channel is not to be tried now."""
        name = self.channel.name
        if self._busy:  # the one before us was given up, and its thread is not back yet
            raise TemporaryError(f"channel {name} is still busy with an earlier message")
        if self._closed:
            raise TemporaryError(f"channel {name} was changed meanwhile; try the new one")
        wait = self._gate.ask(asyncio.get_running_loop().time(), page=message.page, again=message.again)
        if wait is None:
            return
        if self._metrics is not None:
            self._metrics.notifications_held_back_total.labels(channel=name, reason=wait.why.value).inc()
        after = timedelta(seconds=wait.seconds)
        raise TemporaryError(f"channel {name} {_WAITS[wait.why]}", retry_after=after, tried=False)

    async def _try(self, message: Message) -> None:
        """Have it sent, and tell the gate what came of it."""
        loop = asyncio.get_running_loop()
        was_open = self._gate.is_open
        given_up = threading.Event()
        try:
            failure = await self._run(partial(self._deliver, message, given_up))
        except asyncio.CancelledError:  # our deadline, or the end of the daemon
            given_up.set()
            self._gate.failed(loop.time())
            raise
        else:
            if isinstance(failure, TemporaryError):
                self._gate.failed(loop.time(), failure.retry_after)
            else:
                self._gate.took()  # a refusal is an answer too: the channel is up
        finally:
            self._show(was_open)
        if failure is not None:
            raise failure

    def _show(self, was_open: bool) -> None:
        if self._metrics is not None and not self._closed and self._gate.is_open != was_open:
            number = 1 if self._gate.is_open else -1
            self._metrics.notification_circuits_open.labels(channel=self.channel.name).inc(number)

    async def warm_up(self) -> Failure | None:
        """Read the channel's URL; give what is wrong with it."""
        async with self._turn:
            return None if self._busy else await self._run(self._load)

    def close(self) -> None:
        """Take no message any more; the one under way ends by itself."""
        if self._gate.is_open and not self._closed and self._metrics is not None:
            self._metrics.notification_circuits_open.labels(channel=self.channel.name).dec()
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
        self._apprise = self._apprise or build(self.channel, self._timeout)
        if self._apprise is None:
            name = self.channel.name
            return PermanentError(f"channel {name}: Apprise does not understand its URL; correct what it is read from")
        return None

    def _deliver(self, message: Message, given_up: threading.Event) -> Failure | None:
        """Send a message; where its pictures were not taken, the words alone, at once."""
        if not message.pictures or message.alone is None:
            return self._send(message)
        failure = self._load()
        if failure is not None:
            return failure
        as_it_is, as_a_repeat = message.alone
        if not self._takes_files():
            self._count(message, "not_taken")
            return self._send(as_it_is)
        try:
            failure = self._send(message)
        except OSError:  # this machine has no room for them, or a service could not open one
            self._count(message, "left_out")
            return self._send(as_a_repeat)
        if failure is None:
            self._count(message, "sent")
            return None
        # a chat is told the words first and given the files then: they may be there
        arrived = self.channel.kind is ChannelKind.CHAT or _may_be_there(failure)
        if not (given_up.is_set() or _is_asked_to_wait(failure)):
            self._count(message, "left_out")
            failure = self._send(as_a_repeat if arrived else as_it_is)
        return _perhaps(failure) if arrived else failure

    def _takes_files(self) -> bool:
        service: Any = self._apprise[0] if self._apprise is not None else None
        return bool(service is not None and service.attachment_support)

    def _count(self, message: Message, result: str) -> None:
        if self._metrics is not None:
            how = {"channel": self.channel.name, "result": result}
            self._metrics.notification_pictures_total.labels(**how).inc(len(message.pictures))

    def _send(self, message: Message) -> Failure | None:
        failure = self._load()
        apprise = self._apprise
        if failure is not None or apprise is None:
            return failure
        service: Any = apprise[0]
        with contextlib.suppress(AttributeError, TypeError):  # plugins with headers of their own: mail, json, xml, form
            service.headers = {**service.headers, "X-Incidentd-Key": quote(message.key)}
        if keeps_transaction(service):
            self._apprise = None
        fence()  # once more: setting up our own logs may have opened it
        answers.forget()
        with enclosed(message.pictures) as files:
            result = apprise.notify(
                title=message.title, body=message.body, notify_type=message.type, body_format=NotifyFormat.TEXT,
                log_level=logging.DEBUG, attach=files,
            )  # fmt: skip
        if result:
            return None
        # to the end, and here: Apprise holds a lock while its lines are read, which no other thread can release
        return failure_of(self.channel.name, [(line.level, line.message) for line in result.logs()], answers.wish())


def _may_be_there(failure: Failure) -> bool:
    return isinstance(failure, TemporaryError) and failure.maybe_done


def _is_asked_to_wait(failure: Failure) -> bool:
    return isinstance(failure, TemporaryError) and failure.retry_after is not None


def _perhaps(failure: Failure | None) -> Failure | None:
    """Say of a failure that an earlier try of the same message may have arrived."""
    if not isinstance(failure, TemporaryError):
        return failure
    return TemporaryError(str(failure), retry_after=failure.retry_after, maybe_done=True)


def _settle(future: asyncio.Future[Failure | None], outcome: Failure | None) -> None:
    if not future.done():
        future.set_result(outcome)
