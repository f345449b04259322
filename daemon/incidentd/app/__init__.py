"""The house put together and run: the only reader of the clock and of the environment."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from pathlib import Path

from incidentd import __version__, logs
from incidentd.app.clock import Clock, system_clock
from incidentd.app.files import Options, load, summary
from incidentd.app.house import House
from incidentd.errors import ConfigError, IncidentdError

__all__ = ["Clock", "House", "Options", "load", "run", "summary", "system_clock"]

log = logging.getLogger(__name__)


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
    web_config_file: Path | None = None,
    listen: str | None = None,
    external_url: str | None = None,
    store: str | None = None,
    log_format: str = "json",
    log_level: str = "info",
) -> int:
    """Run the daemon until it is told to stop. Exit code: 0 when it stopped as asked, 2 when it cannot start."""
    options = Options(
        config_file=config_file, web_config_file=web_config_file, listen=listen or "",
        external_url=external_url or "", store=store or "",
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
