"""The house put together: what is started, in which order, how it is reloaded, and how it stops in the opposite order.

The only reader of the clock and of the environment.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp

from incidentd import __version__, config, links, logs, web
from incidentd.alertmanager import Alertmanager
from incidentd.engine import Doors, Engine
from incidentd.errors import ConfigError, IncidentdError, PermanentError, StoreUnavailable
from incidentd.metrics import Known, Metrics
from incidentd.notify import Notifier
from incidentd.oncall import on_call
from incidentd.prometheus import Prometheus
from incidentd.redaction import Redactor
from incidentd.runner import Runner
from incidentd.settings import Settings
from incidentd.store import Store, open_store, retention
from incidentd.store.access import any_tokens
from incidentd.store.signing import link_key
from incidentd.tickets import Tickets

log = logging.getLogger(__name__)

GRACE = 12.0
"""Seconds in which a stopping daemon waits for what is being done; ending what is not done then takes 5 more."""
_SLEW = 0.0002  # 12 ms of a minute, 17 s of a day; adjtime(3) moves by 0.0005
_WRONG_CLOCK = timedelta(minutes=1)


class Clock:
    """One clock: a wall anchor taken at start, and the time that truly passed since, sleep of the machine included.

    A wall clock that jumps moves no deadline. Corrections are taken over at no more than `_SLEW` of the time that
    passes, so a small one is gone within hours and none is ever felt; a large one is for the next start.
    Where replicas share a database it goes by the database's clock, so that all of them mean the same by `now`.
    """

    def __init__(self) -> None:
        self._time = datetime.now(UTC)
        self._passed = self._corrected = _passed()
        self._turn = threading.Lock()
        self._own = True

    def __call__(self) -> datetime:
        """Tell the time, in UTC."""
        with self._turn:
            passed = _passed()
            self._time += timedelta(seconds=passed - self._passed)
            self._passed = passed
            if self._own and passed - self._corrected >= 1:
                most = timedelta(seconds=passed - self._corrected) * _SLEW
                self._time += min(max(datetime.now(UTC) - self._time, -most), most)
                self._corrected = passed
            return self._time

    def adjust(self, ahead: timedelta) -> None:
        """Go by another clock from here, which is ahead of this one by so much."""
        with self._turn:
            self._time += ahead
            self._own = False

    def ahead(self) -> timedelta:
        """Say how far the machine's wall clock is ahead of this one."""
        return datetime.now(UTC) - self()


def _passed() -> float:
    """Give the seconds that passed since some instant; Linux counts those of a suspended machine too."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def system_clock() -> Callable[[], datetime]:
    """Give the clock for a command that runs without the daemon."""
    return Clock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says; it wins over the files."""

    config_file: Path | None = None
    listen: str = ""
    external_url: str = ""
    store: str = ""


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
        self._adopt = _nothing_to_adopt
        self._store: Store | None = None
        self._engine: Engine | None = None
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

    def overloaded(self) -> str:
        """Say why no more deliveries can be taken for now; '' when they can."""
        return self._engine.overloaded() if self._engine else ""

    async def reload(self) -> None:
        """Read the files anew: all of them or none. Raises ConfigError, and then everything stays as it was."""
        async with self._reloading:
            try:
                settings = await asyncio.to_thread(load, self._options)
                fixed = replace(settings, listen=self._settings.listen, store=self._settings.store)
                await self._adopt(fixed)
            except IncidentdError as error:
                self.metrics.config_last_reload_successful.set(0)
                log.error("the reload was refused and nothing changed:\n%s", error)  # noqa: TRY400 - no traceback for a typo
                raise
            self._settings = fixed
            self._took(fixed)
            log.info("reloaded: %s", summary(fixed))

    def _took(self, settings: Settings) -> None:
        self.redactor.know(settings.secrets)
        self.metrics.config_last_reload_successful.set(1)
        self.metrics.config_last_reload_success_timestamp_seconds.set(self.now().timestamp())
        self.metrics.prime(
            Known(
                rules={rule.name: (rule.decide.value, rule.severity) for rule in settings.rules},
                severities=tuple(settings.severities), urgencies=tuple(settings.urgencies),
                teams=tuple({*settings.escalations, "default"}),
                channels=tuple(settings.all_channels()), playbooks=tuple(settings.playbooks),
                sources=tuple(settings.sources),
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
            doors = await self._open_doors(stack, key)
            engine = self._engine = Engine(
                store, settings=lambda: self._settings, doors=doors, now=self._clock, metrics=self.metrics, me=me,
            )  # fmt: skip
            engine.start()
            stack.push_async_callback(engine.stop, GRACE)
            for watch in (self._watch_staffing(), self._watch_clock()):
                stack.callback(asyncio.create_task(watch).cancel)
            host, port = self._listen()
            runner = await web.serve(web.make_app(self), host, port)

            async def stop_both() -> None:
                """Answer what was asked while finishing what is being done: one grace for both, not two in a row."""
                await asyncio.gather(runner.cleanup(), engine.stop(GRACE))

            stack.push_async_callback(stop_both)
            self.address = runner.addresses[0][:2]
            stack.callback(self._stopping)
            self._not_ready = ""
            yield

    def _listen(self) -> tuple[str, int]:
        host, _, port = self._settings.listen.rpartition(":")
        return host.strip("[]"), int(port)

    def _stopping(self) -> None:
        self._not_ready = "stopping"

    async def _refuse_open_door(self, store: Store) -> None:
        why = web.refuse_open_listening(self._settings, await store.read(any_tokens))
        if why:
            raise PermanentError(why)

    async def _open_doors(self, stack: AsyncExitStack, key: bytes) -> Doors:
        """Open the doors; none knows another, so what one needs of another is handed to it here."""
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=200, limit_per_host=20), trust_env=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": f"incidentd/{__version__}"},
        )  # fmt: skip
        stack.push_async_callback(session.close)
        notifier = Notifier(
            self._settings.all_channels(), log=logging.getLogger("incidentd.notify"), redact=self.redactor
        )
        stack.push_async_callback(notifier.close)
        warming = asyncio.create_task(notifier.warm_up())  # so that the first page does not wait for imports
        stack.callback(warming.cancel)

        async def query(source: str, promql: str) -> float | None:
            if source not in doors.prometheus:
                raise PermanentError(f"the source {source} has no prometheus in the configuration; add one")
            answer = await doors.prometheus[source].query(promql)
            if answer.value is None and answer.samples:
                raise PermanentError(answer.reason)
            return answer.value

        runner = Runner(session, query, self.redactor, os.environ)
        doors = Doors(
            notifier=notifier, runner=runner, tickets=self._tickets(self._settings), link_key=key,
            alertmanagers=self._alertmanagers(self._settings, session),
            prometheus=self._prometheus(self._settings, session),
        )  # fmt: skip

        async def close_tickets() -> None:
            if doors.tickets is not None:
                await doors.tickets.close()

        async def adopt(settings: Settings) -> None:
            notifier.replace(settings.all_channels())
            doors.prometheus = self._prometheus(settings, session)
            doors.alertmanagers = self._alertmanagers(settings, session)
            if settings.jira != self._settings.jira:
                await close_tickets()
                doors.tickets = self._tickets(settings)

        stack.push_async_callback(close_tickets)
        self._adopt = adopt
        return doors

    def _prometheus(self, settings: Settings, session: aiohttp.ClientSession) -> dict[str, Prometheus]:
        of = settings.sources.values()
        return {source.name: Prometheus(source.prometheus, session) for source in of if source.prometheus is not None}

    def _alertmanagers(self, settings: Settings, session: aiohttp.ClientSession) -> dict[str, Alertmanager]:
        return {
            source.name: Alertmanager(
                source.alertmanager, session, now=self._clock, webhook=f"/api/v1/alertmanager/{source.name}"
            )
            for source in settings.sources.values()
            if source.alertmanager is not None
        }

    def _tickets(self, settings: Settings) -> Tickets | None:
        return None if settings.jira is None else Tickets(settings.jira, redact=self.redactor)

    async def _watch_staffing(self) -> None:
        """Say in the metrics whether each schedule has somebody on call."""
        while True:
            now = self.now()
            schedules = self._settings.roster.schedules.values()
            self.metrics.set_staffed({schedule.name: bool(on_call(schedule, now).person) for schedule in schedules})
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


async def _nothing_to_adopt(settings: Settings) -> None:
    """Stand in for the doors until they are open."""


def load(options: Options) -> Settings:
    """Read the operator's files, and let the command line win. Raises ConfigError with every mistake in them."""
    file = options.config_file
    settings = config.load(file, env=os.environ) if file else config.defaults(os.environ)
    settings = replace(
        settings, listen=options.listen or settings.listen, store=options.store or settings.store,
        external_url=(options.external_url or settings.external_url).rstrip("/"),
    )  # fmt: skip
    return settings if settings.external_url else replace(settings, external_url=f"http://{settings.listen}")


def summary(settings: Settings) -> str:
    """Say in one line what the files hold."""
    roster = settings.roster
    return (
        f"{len(settings.rules)} rules, {len(settings.playbooks)} playbooks, {len(roster.people)} people, "
        f"{len(roster.schedules)} schedules, {len(settings.escalations)} escalation policies, "
        f"{len(settings.sources)} sources"
    )


async def _main(house: House) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    reloads: set[asyncio.Task[None]] = set()

    def asked_to_stop() -> None:
        if stop.is_set():
            log.warning("asked twice to stop; going at once")
            os._exit(1)
        stop.set()

    def asked_to_reload() -> None:
        task = asyncio.create_task(_reload(house))
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked_to_stop)
    loop.add_signal_handler(signal.SIGHUP, asked_to_reload)
    async with house.running():
        log.info("incidentd %s listens on %s:%s; %s", __version__, *house.address, summary(house.settings))
        await stop.wait()
        log.info("stopping")


async def _reload(house: House) -> None:
    with contextlib.suppress(IncidentdError):  # said in the log and in the metrics
        await house.reload()


def run(
    *,
    config_file: Path | None = None,
    listen: str | None = None,
    external_url: str | None = None,
    store: str | None = None,
    log_format: str = "json",
    log_level: str = "info",
) -> int:
    """Run the daemon until it is told to stop. Exit code: 0 when it stopped as asked, 2 when it cannot start."""
    options = Options(
        config_file=config_file, listen=listen or "", external_url=external_url or "", store=store or ""
    )  # fmt: skip
    try:
        settings = load(options)
    except ConfigError as error:
        print(error, file=sys.stderr)  # noqa: T201 - to the person who just started it
        return 2
    house = House(options, settings, Clock())
    logs.configure(
        level=log_level, redactor=house.redactor, format=log_format,
        on_dropped=house.metrics.log_lines_dropped_total.inc,
    )  # fmt: skip
    for warning in settings.warnings:
        log.warning("%s", warning)
    try:
        asyncio.run(_main(house))
    except (IncidentdError, OSError) as error:
        log.error("%s", error)  # noqa: TRY400 - one sentence for a person, not a traceback
        return 2
    logging.shutdown()
    # threads that hang in a stranger's server must not keep a stopped daemon alive
    os._exit(0)
