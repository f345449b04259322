"""The running daemon: what is started, in which order, how it is reloaded, and how it stops in the opposite order."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta

from aiohttp.web import AppRunner

from incidentd import __version__, links, web
from incidentd.app.clock import Clock
from incidentd.app.doors import OpenDoors
from incidentd.app.files import Options, reloaded, summary
from incidentd.engine import Engine, contact
from incidentd.engine.asking import all_silences
from incidentd.engine.auditing import Auditor
from incidentd.errors import IncidentdError, PermanentError, StoreUnavailable
from incidentd.handoff import Silence
from incidentd.metrics import Known, Metrics
from incidentd.redaction import Redactor
from incidentd.runner import folders
from incidentd.settings import Settings
from incidentd.store import Store, open_store, retention, rota
from incidentd.store.access import any_tokens
from incidentd.store.signing import link_key
from incidentd.tls import server_context

log = logging.getLogger(__name__)

GRACE = 12.0
"""Seconds in which a stopping daemon waits for what is being done; ending what is not done then takes 5 more."""
_WRONG_CLOCK = timedelta(minutes=1)


class House:
    """The running daemon, as the front door knows it."""

    def __init__(self, options: Options, settings: Settings, clock: Clock) -> None:
        self._options = options
        self._settings = settings
        self._clock = clock
        self._not_ready = "starting"
        self._reloading = asyncio.Lock()
        self.metrics = Metrics(version=__version__)
        self.redactor = Redactor()
        self.link_keys: Mapping[str, bytes] = {}
        self.address = ("", 0)
        self._doors: OpenDoors | None = None
        self._front: AppRunner | None = None
        self._store: Store | None = None
        self._engine: Engine | None = None
        self._auditor: Auditor | None = None
        self._took(settings)

    @property
    def store(self) -> Store:
        """The memory."""
        if self._store is None:
            raise StoreUnavailable("the store is not open yet")
        return self._store

    @property
    def settings(self) -> Settings:
        """The operator's files as they were loaded last."""
        return self._settings

    def now(self) -> datetime:
        """Tell the time, in UTC."""
        return self._clock()

    def not_ready(self) -> str:
        """Say why nothing should be sent here now; '' when all is well."""
        return self._not_ready

    def unwell(self) -> str:
        """Say why the store cannot be used, as the auditor found it last; '' when it can."""
        return self._auditor.unwell if self._auditor else ""

    async def silences(self) -> list[Silence] | None:
        """List the silences of every Alertmanager; None when there is none to ask, or one gives no answer."""
        return await all_silences(self._doors.doors.alertmanagers.values()) if self._doors else None

    def overloaded(self) -> str:
        """Say why no more deliveries can be taken for now; '' when they can."""
        return self._engine.overloaded() if self._engine else ""

    async def reload(self) -> None:
        """Read the files anew: all of them or none. Raises ConfigError, and then everything stays as it was."""
        async with self._reloading:
            try:
                fixed = await asyncio.to_thread(reloaded, self._options, self._settings)
                context = self._tls(fixed)
                if self._doors is not None:
                    await self._doors.adopt(self._settings, fixed)
                if self._front is not None and context is not None and fixed.web.tls != self._settings.web.tls:
                    web.change_context(self._front, context)
            except IncidentdError as error:
                self.metrics.config_last_reload_successful.set(0)
                log.error("the reload was refused and nothing changed:\n%s", error)  # noqa: TRY400 - no traceback for a typo
                raise
            self._settings = fixed
            self._took(fixed)
            log.info("reloaded: %s", summary(fixed))

    def _tls(self, settings: Settings) -> ssl.SSLContext | None:
        return server_context(settings.web.tls) if settings.web.tls is not None else None

    def _took(self, settings: Settings) -> None:
        self.redactor.know(settings.secrets)
        self.metrics.config_last_reload_successful.set(1)
        self.metrics.config_last_reload_success_timestamp_seconds.set(self.now().timestamp())
        if settings.web.tls is not None and settings.web.tls.expires_at is not None:
            self.metrics.tls_certificate_expiry_timestamp_seconds.set(settings.web.tls.expires_at.timestamp())
        self.metrics.prime(
            Known(
                rules={rule.name: (rule.decide.value, rule.severity) for rule in settings.rules},
                severities=tuple(settings.severities), urgencies=tuple(settings.urgencies),
                teams=tuple({*settings.escalations, "default"}), schedules=tuple(settings.roster.schedules),
                channels=tuple(settings.all_channels()), playbooks=tuple(settings.playbooks),
                sources=tuple(settings.sources),
                asked=tuple(name for name, source in settings.sources.items() if source.alertmanager is not None),
                watched=tuple(name for name, source in settings.sources.items() if source.watchdog is not None),
            )
        )  # fmt: skip

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Start everything, and stop it in the opposite order when the block ends."""
        async with AsyncExitStack() as stack:
            me = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
            store = await open_store(
                self._settings.store, self._clock, self.metrics, password=self._settings.store_password, me=me,
                adjust=self._clock.adjust,
            )  # fmt: skip
            self._store = store
            stack.push_async_callback(store.close)
            await self._refuse_open_door(store)
            await store.write(retention.keep_pruning)
            key = await link_key(self._settings, store)
            self.link_keys = {links.kid_of(key): key}
            self._doors = OpenDoors(
                self._settings, key=key, redact=self.redactor, now=self._clock, metrics=self.metrics
            )  # fmt: skip
            stack.push_async_callback(self._doors.close)
            doors = self._doors.doors
            engine = self._engine = Engine(
                store, settings=lambda: self._settings, doors=doors, now=self._clock, metrics=self.metrics, me=me,
            )  # fmt: skip
            if left := await asyncio.to_thread(folders.clear_away):
                log.warning("removed the directories of %d steps that were cut short, and what still ran there", left)
            engine.start()
            stack.push_async_callback(engine.stop, GRACE)
            auditor = self._auditor = self._audit(store, self._doors, engine)
            for watch in (self._watch_staffing(), self._watch_contacts(), self._watch_clock(), auditor.run()):
                stack.callback(asyncio.create_task(watch).cancel)
            host, port = self._listen()
            runner = self._front = await web.serve(web.make_app(self), host, port, context=self._tls(self._settings))

            async def stop_both() -> None:
                """Answer what was asked while finishing what is being done: one grace for both, not two in a row."""
                await asyncio.gather(runner.cleanup(), engine.stop(GRACE))

            stack.push_async_callback(stop_both)
            self.address = runner.addresses[0][:2]
            stack.callback(self._stopping)
            self._not_ready = ""
            yield

    def _audit(self, store: Store, doors: OpenDoors, engine: Engine) -> Auditor:
        return Auditor(
            store, settings=lambda: self._settings, notifier=doors.doors.notifier, pulse=lambda: doors.pulse,
            turns=lambda: engine.turned, now=self._clock, metrics=self.metrics, host=socket.gethostname(),
        )  # fmt: skip

    def _listen(self) -> tuple[str, int]:
        host, _, port = self._settings.listen.rpartition(":")
        return host.strip("[]"), int(port)

    def _stopping(self) -> None:
        self._not_ready = "stopping"

    async def _refuse_open_door(self, store: Store) -> None:
        why = web.refuse_open_listening(self._settings, await store.read(any_tokens))
        if why:
            raise PermanentError(why)

    async def _watch_staffing(self) -> None:
        """Say in the metrics whether each schedule has somebody on call, now and in the weeks ahead."""
        while True:
            try:
                staffed, gaps = await self.store.read(rota.coverage, self._settings.roster)
                self.metrics.set_staffed(staffed, gaps)
            except StoreUnavailable as error:
                log.warning("who is on call could not be looked up for the metrics: %s", error)
            await asyncio.sleep(30)

    async def _watch_contacts(self) -> None:
        """Say in the metrics how many channels of people are known to work."""
        while True:
            key = next(iter(self.link_keys.values()))
            try:
                found = await self.store.read(contact.listed, self._settings, key=key)
                self.metrics.set_contacts(Counter(one.state.value for one in found))
            except StoreUnavailable as error:
                log.warning("contacts could not be counted for the metrics: %s", error)
            await asyncio.sleep(30)

    async def _watch_clock(self) -> None:
        """Say once when somebody set the machine's clock: no deadline moved, and times written down are off."""
        said = timedelta(0)
        while True:
            ahead = self._clock.ahead()
            if abs(ahead - said) > _WRONG_CLOCK:
                said = ahead
                log.warning(
                    "the machine's clock is %+.0f seconds from the one that this process goes by; no deadline moves, "
                    "and what is written down has the old time until the next start", ahead.total_seconds(),
                )  # fmt: skip
            await asyncio.sleep(30)
