"""The export: the document of each incident and its graphs, written to a directory whenever they change.

The job is made in the transaction of the change (a timeline's entry, a graph), some seconds late so that what happens
together is written once. Any replica does it; the document is made when it is written, so the newest is. What cannot be
written is tried again until it can, and said once on the timeline of its incident.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from incidentd import communication, document
from incidentd.document import IncidentFacts
from incidentd.engine import waits
from incidentd.errors import NotFound, TemporaryError
from incidentd.metrics import Metrics
from incidentd.playbooks import FINISHED
from incidentd.settings import Settings
from incidentd.store import Store, Tx, chain, facts, graphs, jobs, subjects
from incidentd.store.jobs import Job
from incidentd.text import plain
from incidentd.timeline import INCIDENTD, SYSTEM, Draft

log = logging.getLogger(__name__)

KIND, LOOK = "export", "export.look"
FAILED, WORKS = "document.export_failed", "document.exported_again"
_TOGETHER = timedelta(seconds=3)
"""What happens within this time is written once."""
_AGAIN = timedelta(seconds=30)
"""Until a document is written again in which a run of the hold goes on, whose steps stand on the hold's timeline."""
_BATCH = 200


class Exports(Protocol):
    """The directory of documents."""

    async def write(self, files: Mapping[str, str]) -> bool:
        """Write files by their names; says whether anything changed. Raises TemporaryError."""

    async def names(self) -> frozenset[str]:
        """List the files of ours that lie there. Raises TemporaryError."""


async def begin(store: Store, settings: Settings) -> None:
    """Follow the timelines where documents are exported, and look what is missing in the directory."""
    wanted = settings.document.export is not None
    store.follow(changed if wanted else None)
    if wanted:
        await store.write(_look_soon)


def _look_soon(tx: Tx) -> None:
    jobs.soon(tx, queue=jobs.EXPORT, kind=LOOK, subject=SYSTEM, ukey=LOOK, due_at=tx.now)


def changed(tx: Tx, subject: str, kind: str) -> None:
    """Have the document written soon to which something was added; called for each entry of a timeline."""
    if subject.startswith("INC-") and kind != FAILED and not kind.startswith(communication.OWN):
        _schedule(tx, subject, _TOGETHER)


def _schedule(tx: Tx, subject: str, wait: timedelta) -> None:
    jobs.soon(
        tx, queue=jobs.EXPORT, kind=KIND, subject=subject, ukey=f"{KIND}:{subject}", due_at=tx.now + wait
    )  # fmt: skip


class Exporting:
    """Does one claimed job of the export."""

    def __init__(
        self, store: Store, *, settings: Callable[[], Settings], exports: Callable[[], Exports | None],
        metrics: Metrics, now: Callable[[], datetime],
    ) -> None:  # fmt: skip
        self._store = store
        self._settings = settings
        self._exports = exports
        self._metrics = metrics
        self._now = now

    async def act(self, job: Job) -> None:
        """Write a document, or look which are missing; what does not work is tried again."""
        door = self._exports()
        if door is None:  # taken out of the configuration meanwhile
            await self._store.write(jobs.complete, job)
            return
        try:
            await (self._look(job, door) if job.kind == LOOK else self._write(job, door))
        except TemporaryError as error:
            self._count("failed")
            at = waits.next_try(job, self._now(), error)
            if await self._store.write(_failed, job, str(error), at=at):
                log.warning("%s: %s; it is tried again until it works", job.ukey, error)

    async def _write(self, job: Job, door: Exports) -> None:
        try:
            files, goes_on, whole = await self._store.read(_files, self._settings(), job.subject)
        except NotFound:  # pruned: its files stay as they were
            await self._store.write(jobs.complete, job)
            return
        wrote = await door.write(files)
        self._count("written" if wrote else "unchanged")
        await self._store.write(_written, job, goes_on=goes_on, whole=whole)

    async def _look(self, job: Job, door: Exports) -> None:
        there = {name.removesuffix(".md") for name in await door.names() if name.endswith(".md")}
        after: int | None = 0
        while after is not None:
            after = await self._store.write(_missing, there, after=after)
        await self._store.write(jobs.complete, job)

    def _count(self, result: str) -> None:
        self._metrics.document_exports_total.labels(result=result).inc()


def _missing(tx: Tx, there: set[str], *, after: int) -> int | None:
    """Have written what is missing, and what is open and may have changed unseen; give where to go on."""
    found = subjects.incidents_after(tx, after, _BATCH)
    for number, is_open in found:
        if is_open or f"INC-{number}" not in there:
            _schedule(tx, f"INC-{number}", timedelta(0))
    return found[-1][0] if len(found) == _BATCH else None


def _files(tx: Tx, settings: Settings, subject: str) -> tuple[dict[str, str], bool, str]:
    """Make the files of an incident; say whether its document changes by itself for now, and which one shows its items.

    That is what it was merged into, while it has items; '' for none. Raises NotFound.
    """
    known = facts.incident_facts(tx, settings, int(subject.removeprefix("INC-")))
    if not any(entry.subject == subject and entry.seq == 1 for entry in known.entries):
        raise NotFound(f"the timeline of {subject} was pruned")
    pictures = {f"{subject}-{it.number}.svg": graphs.picture(tx, subject, it.number) for it in known.graphs}
    goes_on = any(run.subject != subject and run.state not in FINISHED for run in known.runs)
    into = known.incident.merge.into if known.incident.merge is not None and known.items else None
    whole = f"INC-{into}" if into is not None else ""
    return {**pictures, f"{subject}.md": document.render(_beside(known))}, goes_on, whole


def _beside(known: IncidentFacts) -> IncidentFacts:
    """Let the document point to the pictures that lie beside it."""
    lines = tuple(replace(it, link=f"{known.incident.key}-{it.number}.svg") for it in known.graphs)
    return replace(known, graphs=lines)


def _written(tx: Tx, job: Job, *, goes_on: bool, whole: str) -> None:
    if not jobs.complete(tx, job):
        # somebody else may have written a newer one before ours: the last word is written after this
        _schedule(tx, job.subject, _TOGETHER)
        return
    if goes_on:
        _schedule(tx, job.subject, _AGAIN)
    if whole:  # what happens to an item stands on the timeline of the part only
        _schedule(tx, whole, _TOGETHER)
    if chain.last_kind(tx, job.subject, (FAILED, WORKS)) == FAILED:
        text = "The document is written to its directory again."
        chain.append(tx, job.subject, INCIDENTD, [Draft(WORKS, text)])


def _failed(tx: Tx, job: Job, why: str, *, at: datetime) -> bool:
    """Have it tried again, and say so once; says whether that was now."""
    if not jobs.retry(tx, job, at=at, why=why[:500], known_undone=False):
        return False
    if job.kind == LOOK:
        return job.attempt == 1
    if chain.last_kind(tx, job.subject, (FAILED, WORKS)) == FAILED:
        return False
    text = f"The document could not be written: {plain(why)}. It is tried again until it can."
    chain.append(tx, job.subject, INCIDENTD, [Draft(FAILED, text)])
    return True
