"""Finding out what the rules want to know before an alert is decided: outside of every transaction, and in time.

Queries go to the Prometheus of the alert's own source, all at once as far as it lets us, and none is waited for longer
than DEADLINE. An answer is used again for a while, and so is a failure, so that a Prometheus that is down delays each
decision by seconds and not each alert. What cannot be had is unknown, and says why.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import Protocol

from incidentd.durations import format_duration
from incidentd.errors import PermanentError, TemporaryError
from incidentd.graphs import Line
from incidentd.metrics import Metrics
from incidentd.prometheus import Answer
from incidentd.rules import Facts, LabelMap, Measured, Neighbours
from incidentd.store import Store, firing
from incidentd.text import plain
from incidentd.triage import Needs

DEADLINE = timedelta(seconds=5)
FRESH = timedelta(seconds=15)
"""How long an answer is used again: about the interval at which Prometheus measures anew."""
FAILED = timedelta(seconds=5)
"""How long a failure is: in this time nobody waits for that query again."""
AT_ONCE = 10
"""Queries that one Prometheus is asked at the same time; its own limit is 20, and it has others to serve."""
MOST_QUERIES = 1000
"""Queries for one batch of alerts; what is above it is unknown."""
MOST_FIRING = 20_000
"""Firing alerts of a source that are looked at; the newest are."""
_REMEMBERED = 10_000
_MANY = 3
"""When so many queries were asked together and none was answered, it is Prometheus and not the query."""


class Prometheus(Protocol):
    """The door to one source's Prometheus."""

    async def query(self, promql: str, *, timeout: timedelta = DEADLINE) -> Answer:  # noqa: ASYNC109
        """Ask for a number. Raises TemporaryError and PermanentError."""

    async def course(self, promql: str, *, start: datetime, end: datetime, step: timedelta) -> tuple[Line, ...]:
        """Ask for what is to be drawn. Raises TemporaryError and PermanentError."""

    async def alerting_rules(self, names: Collection[str]) -> dict[str, str]:
        """Ask for the queries of alerting rules by their names. Raises TemporaryError and PermanentError."""


class FactFinder:
    """Knows whom to ask, and remembers answers for a while."""

    def __init__(
        self, store: Store, *, prometheus: Callable[[], Mapping[str, Prometheus]], now: Callable[[], datetime],
        metrics: Metrics,
    ) -> None:  # fmt: skip
        self._store = store
        self._prometheus = prometheus
        self._now = now
        self._metrics = metrics
        self._known: dict[tuple[str, str], tuple[datetime, Measured]] = {}
        self._down: dict[str, tuple[datetime, Measured]] = {}
        self._turns: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(AT_ONCE))

    async def find(self, source: str, needs: Collection[Needs], meaning: LabelMap) -> Facts:
        """Find out what is needed for alerts of one source."""
        queries = list(dict.fromkeys(query for need in needs for query in sorted(need.queries)))
        asked = queries[:MOST_QUERIES]
        answers = await asyncio.gather(*(self._ask(source, query) for query in asked))
        measured = dict(zip(asked, (one for one, _ in answers), strict=True))
        if len(asked) >= _MANY and all(result == "failed" for _, result in answers):
            self._down[source] = (self._now(), answers[0][0])
        left_out = Measured(None, f"more than {MOST_QUERIES} queries were wanted at once")
        measured |= dict.fromkeys(queries[MOST_QUERIES:], left_out)
        neighbours = None
        if any(need.neighbours for need in needs):
            neighbours = Neighbours(await self._store.read(firing.firing, source, MOST_FIRING), meaning)
        return Facts(now=self._now(), measured=measured, neighbours=neighbours)

    async def _ask(self, source: str, query: str) -> tuple[Measured, str]:
        """Give an answer, and what came of asking; '' when nobody was asked."""
        for at, measured in filter(None, (self._known.get((source, query)), self._down.get(source))):
            if self._now() - at < (FAILED if measured.value is None else FRESH):
                return measured, ""
        measured, result = await self._question(source, query)
        self._metrics.condition_queries_total.labels(source=source, result=result).inc()
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[source, query] = (self._now(), measured)
        return measured, result

    async def _question(self, source: str, query: str) -> tuple[Measured, str]:
        door = self._prometheus().get(source)
        if door is None:
            return Measured(None, f"the source {source} has no prometheus in the configuration"), "refused"
        try:
            async with asyncio.timeout(DEADLINE.total_seconds()), self._turns[source]:
                answer = await door.query(query, timeout=DEADLINE)
        except TimeoutError:
            return Measured(None, f"Prometheus did not answer within {format_duration(DEADLINE)}"), "failed"
        except TemporaryError as error:
            return Measured(None, plain(str(error), 200)), "failed"
        except PermanentError as error:
            return Measured(None, plain(str(error), 200)), "refused"
        return Measured(answer.value, answer.reason), "ok" if answer.value is not None else "unknown"
