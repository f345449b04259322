"""Sampling: the queries of holds, asked of Prometheus outside of every transaction, and what their answers mean."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from incidentd import holds
from incidentd.engine import course
from incidentd.engine.course import watching
from incidentd.engine.facts import Prometheus
from incidentd.errors import PermanentError, TemporaryError
from incidentd.prometheus import number
from incidentd.settings import Settings
from incidentd.store import Store, Tx
from incidentd.store.jobs import Job
from incidentd.text import plain
from incidentd.timeline import Actor

PROMETHEUS = Actor(name="prometheus", via="prometheus")
_LONGEST = 5.0
"""Seconds for an answer; a slower one is none."""
_NO_DATA = "there is no data"


class Sampling:
    """Asks one claimed query and writes what it gave."""

    def __init__(
        self, store: Store, *, settings: Callable[[], Settings], prometheus: Callable[[], Mapping[str, Prometheus]]
    ) -> None:  # fmt: skip
        self._store = store
        self._settings = settings
        self._prometheus = prometheus

    async def act(self, job: Job) -> None:
        """Take one sample, and set the clock for the next."""
        question = await self._store.read(watching.question, job)
        value, why = None, ""
        if question is not None:
            value, why = await self._ask(question)
        await self._store.write(_sampled, self._settings(), job, value, why)

    async def _ask(self, question: watching.Question) -> tuple[float | None, str]:
        try:
            async with asyncio.timeout(_LONGEST):
                value = await number(self._prometheus(), question.source, question.promql)
        except TimeoutError:
            return None, "no answer within 5s"
        except (TemporaryError, PermanentError) as error:
            return None, plain(str(error), 300)
        return value, "" if value is not None else _NO_DATA


def _sampled(tx: Tx, settings: Settings, job: Job, value: float | None, why: str) -> None:
    hold = watching.ask_again(tx, job)
    if hold is None or (value is None and not why):  # nothing was asked: its clock stood still
        return
    turn = holds.sampled(hold, int(job.payload["number"]), value, why=why, now=tx.now)
    course.carry_out(tx, settings, hold, turn, PROMETHEUS)
