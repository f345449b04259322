"""What the front door needs of the house behind it, and how a route is written."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, Protocol

from aiohttp import web

from incidentd.access import Right
from incidentd.handoff import Silence
from incidentd.metrics import Metrics
from incidentd.settings import Settings
from incidentd.store import Store

INGEST: Final = "ingest"
"""The right to deliver alerts of the source that the path names."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class House(Protocol):
    """The house, as seen from the front door."""

    @property
    def store(self) -> Store:
        """The memory."""

    @property
    def settings(self) -> Settings:
        """The operator's files as they were loaded last; a reload replaces them."""

    @property
    def metrics(self) -> Metrics:
        """The figures."""

    @property
    def link_keys(self) -> Mapping[str, bytes]:
        """The keys that sign action links, by their ids."""

    def now(self) -> datetime:
        """Tell the time, in UTC."""

    def not_ready(self) -> str:
        """Say why nothing should be sent here now; '' when all is well."""

    def unwell(self) -> str:
        """Say why the store cannot be used, as it was found a moment ago; '' when it can."""

    async def silences(self) -> list[Silence] | None:
        """List the silences of every Alertmanager; None when nobody says."""

    def overloaded(self) -> str:
        """Say why no more deliveries can be taken for now, though all is well; '' when they can."""

    async def reload(self) -> None:
        """Read the operator's files anew. Raises ConfigError, and then the old set stays."""


@dataclass(frozen=True, slots=True)
class Route:
    """One route: there is no way to write one without saying who may use it."""

    method: str
    path: str
    handler: Handler
    right: Right | Literal["ingest"]


HOUSE: web.AppKey[House] = web.AppKey("house")


def external_url(settings: Settings) -> str:
    """Give the address under which people reach this daemon, without a trailing slash."""
    return settings.external_url.rstrip("/") or f"{settings.web.scheme}://{settings.listen}"
