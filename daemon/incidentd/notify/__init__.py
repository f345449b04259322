"""The door to people: every notification leaves through here, by Apprise, and nothing else speaks to Apprise.

    services    Apprise's services, tamed          answers   what their servers said beside it
    bulkhead    one channel, in a thread           failures  what a failed try means
    gate        when a channel may be tried        enclosing pictures beside a message

Each channel is a bulkhead: one thread at a time and one Apprise object of its own, so that a server that hangs holds up
nobody but itself. A send waits for its answer until a deadline; whoever comes while an abandoned call still runs is
told so at once and can go to another channel. Apprise URLs are secrets as a whole: errors name the channel, never the
URL, and of what Apprise and the other side say only a status code is kept.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta

from apprise import NotifyType

from incidentd.durations import about
from incidentd.errors import PermanentError
from incidentd.messages import TITLE_LIMIT
from incidentd.metrics import Metrics
from incidentd.notify.bulkhead import Bulkhead, Message
from incidentd.notify.services import build
from incidentd.oncall import LOG_CHANNEL, Channel, ChannelKind
from incidentd.pages import CALLS, Notification
from incidentd.text import plain

__all__ = ["Notifier", "problems"]

_DEADLINE = timedelta(seconds=10)
_SAID_LATE = timedelta(minutes=2)
_MOST_KEYS = 10
_TYPES = {
    "page": NotifyType.FAILURE,
    "escalation": NotifyType.FAILURE,
    "resolved": NotifyType.SUCCESS,
    "trouble": NotifyType.WARNING,
}


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
        metrics: Metrics | None = None,
    ) -> None:
        self._log = log
        self._redact = redact
        self._timeout = timeout
        self._metrics = metrics
        self._bulkheads: dict[str, Bulkhead] = {}
        self.replace(channels)

    async def send(self, n: Notification) -> None:
        """Send one notification; to have returned means that the other side took it.

        Raises TemporaryError, with `maybe_done` when it may have been taken although no answer came, and
        PermanentError when somebody has to change something first.
        """
        message = _whole(n, self._redact)
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
            self._bulkheads[name] = known if known and same else Bulkhead(channel, self._timeout, self._metrics)
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

    def _write(self, n: Notification, message: Message) -> None:
        lines = " | ".join(line for line in message.body.split("\n") if line)
        about_it = {"channel": n.channel, "purpose": n.purpose, "key": n.key}
        self._log.warning("notification: %s | %s", message.title, lines, extra=about_it)


def problems(channels: Mapping[str, Channel]) -> list[str]:
    """Name the channels whose URL Apprise does not understand."""
    real = {name: channel for name, channel in channels.items() if channel.kind is not ChannelKind.LOG}
    return [name for name, channel in real.items() if build(channel, _DEADLINE) is None]


def _whole(n: Notification, redact: Callable[[str], str]) -> Message:
    """Write a message, and what is sent in its place when it is not taken with its pictures."""
    message = _message(n, redact)
    if not n.pictures:
        return message
    return replace(message, pictures=n.pictures, alone=(message, _message(replace(n, repeat=True), redact)))


def _message(n: Notification, redact: Callable[[str], str]) -> Message:
    marks = ["possible repeat"] if n.repeat else []
    if n.late_by > _SAID_LATE:
        marks.append(f"late by {about(n.late_by)}")
    mark = f" ({', '.join(marks)})" if marks else ""
    title = plain(redact(n.title), TITLE_LIMIT - len(mark)) + mark
    keys = [plain(key) for key in (n.key, *n.also)]
    more = f" and {len(keys) - _MOST_KEYS} more" if len(keys) > _MOST_KEYS else ""
    body = f"{redact(n.body)}\n\nRef {', '.join(keys[:_MOST_KEYS])}{more}{mark}"
    return Message(
        key=n.key, title=title, body=body, type=_TYPES.get(n.purpose, NotifyType.INFO), page=n.purpose in CALLS,
        again=n.attempt > 1,
    )  # fmt: skip
