"""The doors as the daemon opens them; none knows another, so what one needs of another is handed to it here."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import aiohttp

from incidentd import __version__
from incidentd.alertmanager import Alertmanager
from incidentd.config import kinds
from incidentd.engine import Doors
from incidentd.errors import PermanentError
from incidentd.exports import POSTMORTEMS, Directory
from incidentd.heartbeat import Heartbeat
from incidentd.metrics import Metrics
from incidentd.notify import Notifier
from incidentd.playbooks.errands import Issue, SilenceOrder, TicketOrder
from incidentd.prometheus import Prometheus, number
from incidentd.redaction import Redactor
from incidentd.runner import KINDS, Kind, Runner, adapted
from incidentd.settings import Settings

if TYPE_CHECKING:
    from incidentd.tickets import Tickets

log = logging.getLogger(__name__)


def _kinds() -> dict[str, Kind]:
    """Give the kinds of steps, those of installed packages too; name those packages that are broken."""
    found = kinds.installed()
    for name, why in found.broken.items():
        log.error("steps of kind `%s` cannot be done, and playbooks that need it do not run: %s", name, why)
    for sentence in found.left_out:
        log.error("steps of an installed package are left out: %s", sentence)
    if found.kinds:
        log.info("steps of installed packages: %s", ", ".join(found.kinds))
    return {**KINDS, **{name: adapted(kind, kinds.refused) for name, kind in found.kinds.items()}}


def _directory(settings: Settings) -> Directory | None:
    where = settings.document.export
    return None if where is None else Directory(where)


def _shelf(settings: Settings) -> Directory | None:
    where = settings.postmortems.publish
    return None if where is None else Directory(where, POSTMORTEMS)


class OpenDoors:
    """What the engine has of the outside, kept in step with the operator's files. Make it inside the running loop."""

    def __init__(
        self, settings: Settings, *, key: bytes, redact: Redactor, now: Callable[[], datetime], metrics: Metrics
    ) -> None:  # fmt: skip
        self._redact = redact
        self._now = now
        self._metrics = metrics
        self._external_url = settings.external_url
        self._backlog = self._tickets(settings)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=200, limit_per_host=20), trust_env=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": f"incidentd/{__version__}"},
        )  # fmt: skip
        self._notifier = Notifier(
            settings.all_channels(), log=logging.getLogger("incidentd.notify"), redact=redact, metrics=metrics
        )
        # so that the first page does not wait for imports
        self._warming = asyncio.create_task(self._notifier.warm_up())
        self._asked = self._alertmanagers(settings)
        self.doors = Doors(
            notifier=self._notifier,
            runner=Runner(
                self._session, self._query, redact, os.environ, silence=self._silence, ticket=self._ticket,
                kinds=_kinds(),
            ),
            tickets=self._backlog, link_key=key, alertmanagers=self._asked,
            prometheus=self._prometheus(settings), exports=_directory(settings),
            shelf=_shelf(settings),
        )  # fmt: skip
        self.pulse = self._pulse(settings)

    async def adopt(self, before: Settings, settings: Settings) -> None:
        """Go by other files from here; what is under way with the old ones ends by itself."""
        self._notifier.replace(settings.all_channels())
        self.pulse = self._pulse(settings)
        self._external_url = settings.external_url
        self.doors.prometheus = self._prometheus(settings)
        self.doors.alertmanagers = self._asked = self._alertmanagers(settings)
        if settings.document != before.document:
            self.doors.exports = _directory(settings)
        if settings.postmortems.publish != before.postmortems.publish:
            self.doors.shelf = _shelf(settings)
        if settings.jira != before.jira:
            await self._close_tickets()
            self.doors.tickets = self._backlog = self._tickets(settings)

    async def close(self) -> None:
        """Close them all, in the opposite order."""
        await self._close_tickets()
        self._warming.cancel()
        await self._notifier.close()
        await self._session.close()

    async def _close_tickets(self) -> None:
        if self.doors.tickets is not None:
            await self.doors.tickets.close()

    async def _query(self, source: str, promql: str) -> float | None:
        return await number(self.doors.prometheus, source, promql)

    async def _silence(self, source: str, wanted: SilenceOrder) -> str:
        """Raises PermanentError when there is no Alertmanager to ask, and what its door raises."""
        door = self._asked.get(source)
        if door is None:
            raise PermanentError(f"the source {source} has no `alertmanager` in the configuration: add its `urls`")
        return await door.silence(wanted)

    async def _ticket(self, wanted: TicketOrder, within: timedelta) -> Issue:
        """Raises PermanentError when there is no Jira to ask, and what its door raises."""
        if self._backlog is None:
            raise PermanentError("the configuration has no `jira`, so there is nowhere to file a ticket: add it")
        where = {"HOLD": "holds", "INC": "incidents"}.get(wanted.subject.partition("-")[0])
        link = f"From incidentd: {self._external_url}/{where}/{wanted.subject}" if where else ""
        result = "failed"
        try:
            filed = await self._backlog.order(wanted, context=link, within=within.total_seconds())
            result = "ok"
        except PermanentError:
            result = "given_up"
            raise
        finally:
            self._metrics.jira_requests_total.labels(operation="create", result=result).inc()
        return Issue(key=filed.key, url=filed.url)

    def _prometheus(self, settings: Settings) -> dict[str, Prometheus]:
        of = settings.sources.values()
        return {
            source.name: Prometheus(source.prometheus, self._session) for source in of if source.prometheus is not None
        }

    def _alertmanagers(self, settings: Settings) -> dict[str, Alertmanager]:
        return {
            source.name: Alertmanager(
                source.alertmanager, self._session, now=self._now, webhook=f"/api/v1/alertmanager/{source.name}"
            )
            for source in settings.sources.values()
            if source.alertmanager is not None
        }

    def _pulse(self, settings: Settings) -> Heartbeat | None:
        url = settings.heartbeat.url
        return None if url is None else Heartbeat(url, self._session)

    def _tickets(self, settings: Settings) -> Tickets | None:
        if settings.jira is None:
            return None
        from incidentd.tickets import Tickets  # noqa: PLC0415 - it takes memory and start time that most need not spend

        return Tickets(settings.jira, redact=self._redact)
