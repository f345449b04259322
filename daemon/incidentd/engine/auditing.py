"""The auditor: looks regularly whether our promises are kept, pings the dead man's switch only then, and tells people.

It needs nothing of what it looks at: when the store is gone it sends straight through a channel, not by the outbox.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Protocol

from incidentd.engine.delivery import Notifier
from incidentd.errors import PermanentError, StoreUnavailable, TemporaryError
from incidentd.metrics import Metrics
from incidentd.oncall import LOG_CHANNEL
from incidentd.pages import Notification
from incidentd.promises import Broken, Promise, Seen, Watch, Word, judge, next_word, trouble_message, well_message
from incidentd.settings import HeartbeatSettings, Settings
from incidentd.store import Store, audits

log = logging.getLogger(__name__)

EVERY = timedelta(seconds=2.5)
"""Between two looks: with PATIENCE less than the 5 s in which a store that is down has to show."""
PATIENCE = timedelta(seconds=2)
"""For what is asked of the store."""


class Pulse(Protocol):
    """The door to the dead man's switch."""

    async def beat(self) -> None:
        """Say that we live. Raises TemporaryError and PermanentError."""


class Auditor:
    """Looks, and acts on what it sees. `turns` says since when each loop of the engine has not come round."""

    def __init__(
        self, store: Store, *, settings: Callable[[], Settings], notifier: Notifier, pulse: Callable[[], Pulse | None],
        turns: Callable[[], Mapping[str, datetime]], now: Callable[[], datetime], metrics: Metrics, host: str,
        patience: timedelta = PATIENCE,
    ) -> None:  # fmt: skip
        self._store = store
        self._settings = settings
        self._notifier = notifier
        self._pulse = pulse
        self._turns = turns
        self._now = now
        self._metrics = metrics
        self._host = host
        self._patience = patience
        self._watch = Watch()
        self._said: tuple[Promise, ...] = ()
        self._beat_at: datetime | None = None
        self.unwell = ""
        """Why the store cannot be used, as the last look found it; '' when it can."""

    async def look(self) -> tuple[Broken, ...]:
        """Look once, and do what follows from it; gives the promises that are not kept."""
        seen = await self._see()
        broken = judge(seen)
        self.unwell = seen.store
        self._count(seen, broken)
        self._log(broken)
        await asyncio.gather(self._beat(broken), self._tell(broken))
        return broken

    async def _see(self) -> Seen:
        try:
            async with asyncio.timeout(self._patience.total_seconds()):
                await self._store.write(audits.touch)
                late = dict(await self._store.read(audits.late_by))
        except (StoreUnavailable, TimeoutError) as error:
            return Seen(store=str(error) or f"no answer within {self._patience.total_seconds():g} s")
        oldest = min(self._turns().values(), default=self._now())
        return Seen(late_by=late | {Promise.DISPATCHER: max(self._now() - oldest, timedelta(0))})

    def _count(self, seen: Seen, broken: tuple[Broken, ...]) -> None:
        kept = {promise: True for promise in Promise} | {one.promise: False for one in broken}
        for promise, good in kept.items():
            self._metrics.promise_kept.labels(promise=promise.value).set(good)
        if not seen.store:
            for promise in Promise:
                late = seen.late_by.get(promise, timedelta(0)).total_seconds()
                self._metrics.promise_late_seconds.labels(promise=promise.value).set(late)

    def _log(self, broken: tuple[Broken, ...]) -> None:
        promises = tuple(one.promise for one in broken)
        if promises == self._said:
            return
        self._said = promises
        if broken:
            log.warning("promises are not kept, and the heartbeat is withheld: %s", "; ".join(o.why for o in broken))
        else:
            log.info("promises are kept again")

    async def _beat(self, broken: tuple[Broken, ...]) -> None:
        """Ping the dead man's switch when it is time to, or leave it out and count that."""
        pulse, now = self._pulse(), self._now()
        if pulse is None or (self._beat_at is not None and now - self._beat_at < self._plan.every):
            return
        self._beat_at = now
        result = "withheld"
        if not broken:
            try:
                await pulse.beat()
                result = "sent"
                self._metrics.heartbeat_last_success_timestamp_seconds.set(now.timestamp())
            except (TemporaryError, PermanentError) as error:
                result = "failed"
                log.warning("no heartbeat: %s", error)
        self._metrics.heartbeats_total.labels(result=result).inc()

    async def _tell(self, broken: tuple[Broken, ...]) -> None:
        """Tell people of trouble that lasts, straight through a channel, and of its end."""
        before = self._watch
        after, word = next_word(before, bool(broken), self._now())
        match word:
            case Word.NOTHING:
                self._watch = after
            case Word.TROUBLE if await self._sent(*trouble_message(broken, self._host)):
                self._watch = after
            case Word.WELL if await self._sent(*well_message(self._host)):
                self._watch = after
            case Word.TROUBLE | Word.WELL:
                # nobody took it: it is told at the next look
                self._watch = before

    async def _sent(self, title: str, body: str) -> bool:
        now, channel = self._now(), self._plan.channel or LOG_CHANNEL
        notice = Notification(
            key=f"incidentd/{self._host}/{now.isoformat()}", channel=channel, purpose="trouble", title=title, body=body,
        )  # fmt: skip
        try:
            await self._notifier.send(notice)
        except (TemporaryError, PermanentError) as error:
            log.warning("nobody could be told that promises are not kept: %s", error)
            return False
        return True

    @property
    def _plan(self) -> HeartbeatSettings:
        return self._settings().heartbeat

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await self.look()
            await asyncio.sleep(EVERY.total_seconds())
