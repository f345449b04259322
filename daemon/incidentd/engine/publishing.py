"""Publishing: a copy of a postmortem that stays, its announcement, and its files in a directory.

What is published is the copy in the store; the pages, the files and the messages are made from it. One job at a time
writes what the directory lacks, so a disk that was full or a replica that died in the middle leaves nothing out.

A file counts by what it holds, not by its name: after a restore the ids of incidents are given out again, and the files
of what had them before still lie there. What is published is written over them; each process looks once at the texts
of all others that lie there, which is much quicker than making their pages anew.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from incidentd import library
from incidentd.engine import paging, shelving, waits
from incidentd.engine.exporting import Exports
from incidentd.errors import BadRequest, Conflict, TemporaryError
from incidentd.incidents import Incident
from incidentd.library import html, site
from incidentd.metrics import Metrics
from incidentd.settings import Settings
from incidentd.store import Store, Tx, chain, graphs, jobs
from incidentd.store import published as copies
from incidentd.store.jobs import Job
from incidentd.store.published import Copy
from incidentd.text import plain
from incidentd.timeline import INCIDENTD, SYSTEM, Draft

log = logging.getLogger(__name__)

KIND = "publish"
FAILED, WORKS = "postmortem.export_failed", "postmortem.exported"
LONGEST = 1_000_000
"""Characters of a postmortem that can be published."""
_AT_ONCE = 10
"""Copies that one job writes before it gives way."""
_LOOKED_AT = 100
"""Copies of which one job reads the text in the directory before it gives way."""
_GRAPH = re.compile(r"(?:[^\s()]*/)?incidents/(INC-[0-9]{1,18})/graphs/([0-9]{1,3})")
_SUMMARY = re.compile(r"^## Executive summary[ \t]*\n+([^#\n][^\n]*)", re.MULTILINE)


def published(  # noqa: PLR0917 - what it is about, in the order in which it is said
    tx: Tx, settings: Settings, incident: Incident, version: int, markdown: str, now: datetime
) -> None:
    """Publish a version of a postmortem: keep it, have it found, written to the directory and announced.

    A version that is published already with this very text changes nothing. Raises Conflict for one with another text
    and for one that is older than what is published, and BadRequest for a text that is empty or too long.
    """
    if not markdown.strip() or len(markdown) > LONGEST:
        raise BadRequest(f"a postmortem that is published has 1 to {LONGEST:,} characters, this has {len(markdown):,}")
    there = copies.copies(tx, incident.id)
    same = next((one for one in there if one.version == version), None)
    if same is not None and same.markdown == markdown:
        return
    if there and version <= there[-1].version:
        raise Conflict(
            f"version {there[-1].version} of the postmortem of {incident.key} is published, and stays as it is; "
            "a correction is a version after it"
        )
    copies.add(tx, _copy(incident, version, markdown, now))
    shelving.published(tx, incident, version, markdown)
    where = f"{settings.external_url}/postmortems/published/{incident.key}"
    said = f"Version {version} of the postmortem can be read by everybody: {where}"
    chain.append(tx, incident.key, INCIDENTD, [Draft("postmortem.readable", said, {"version": version})])
    if settings.postmortems.publish is not None:
        _soon(tx)
    if not incident.drill:
        _announce(tx, settings, incident, markdown, version=version, corrected=bool(there))


def _copy(incident: Incident, version: int, markdown: str, now: datetime) -> Copy:
    return Copy(
        incident_id=incident.id, version=version, title=plain(incident.title, 300),
        severity=incident.final_severity or incident.peak_severity, service=plain(incident.service, 200),
        markdown=markdown,
        published_at=now,
    )  # fmt: skip


def _announce(
    tx: Tx, settings: Settings, incident: Incident, markdown: str, *, version: int, corrected: bool
) -> None:  # fmt: skip
    """Tell the channels that it can be read; each once, whatever is restarted in between."""
    what = "Corrected postmortem" if corrected else "Postmortem"
    found = _SUMMARY.search(markdown)
    summary = library.readable(found[1]) if found else ""
    where = f"{settings.external_url}/postmortems/published/{incident.key}"
    for channel in settings.postmortems.announce:
        paging.tell(
            tx, subject=incident.key, channel=channel, purpose="update",
            title=f"{what} of {incident.key}: {plain(incident.title, 120)}",
            body="\n\n".join(part for part in (plain(summary, 600), where) if part),
            key=f"{incident.key}/postmortem/{version}/{channel}",
        )  # fmt: skip


# -- the directory ---------------------------------------------------------------------------------------------------


async def begin(store: Store, settings: Settings) -> None:
    """Put into the library what is missing there, and write what is missing in the directory."""
    await shelving.begin(store)
    if settings.postmortems.publish is not None:
        await store.write(_soon)


def _soon(tx: Tx) -> None:
    jobs.soon(tx, queue=jobs.EXPORT, kind=KIND, subject=SYSTEM, ukey=KIND, due_at=tx.now)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lacking:
    """What the directory lacks: some copies with their graphs, and how the index should be."""

    copies: tuple[tuple[Copy, dict[int, str]], ...]
    lines: tuple[site.Line, ...]
    more: bool


class Shelf(Exports, Protocol):
    """The directory of postmortems."""

    async def differing(self, files: Mapping[str, str]) -> frozenset[str]:
        """Name those of these files that do not lie there as they are given. Raises TemporaryError."""


class Publishing:
    """Does the claimed job that writes the directory of postmortems."""

    def __init__(
        self, store: Store, *, directory: Callable[[], Shelf | None], metrics: Metrics, now: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._directory = directory
        self._metrics = metrics
        self._now = now
        self._door: Shelf | None = None
        self._right: set[str] = set()
        """Whose text lies in this directory as it is in the store, by the names of their files without the ending."""

    async def act(self, job: Job) -> None:
        """Write the copies that are not there, and the index; what does not work is tried again until it does."""
        door = self._directory()
        if door is None:  # taken out of the configuration meanwhile
            await self._store.write(jobs.complete, job)
            return
        if door is not self._door:  # another directory is configured now
            self._door, self._right = door, set()
        lacking: _Lacking | None = None
        try:
            there, more = await self._look(door, job)
            lacking = await self._store.read(_lacking, there, more=more)
            for copy, pictures in lacking.copies:
                wrote = await door.write(await asyncio.to_thread(_files, copy, pictures))
                self._right.add(_line(copy).file)
                self._count("written" if wrote else "unchanged")
            if not more:  # an index names nothing that was not looked at
                await door.write(
                    {"index.html": site.index_html(lacking.lines), "index.md": site.index_markdown(lacking.lines)}
                )
        except TemporaryError as error:
            self._count("failed")
            at = waits.next_try(job, self._now(), error)
            about = {copy.key for copy, _ in lacking.copies} if lacking else set()
            if await self._store.write(_failed, job, str(error), at=at, about=about):
                log.warning("postmortems: %s; it is tried again until it works", error)
        else:
            await self._store.write(_done, job, lacking)

    async def _look(self, door: Shelf, job: Job) -> tuple[frozenset[str], bool]:
        """List the files that need not be written, and say whether some are still to be looked at. Raises as a door."""
        there = await door.names()
        known = frozenset(self._right)
        unsure, new, more = await self._store.read(_unsure, there, known, since=job.created_at)
        texts = {_line(copy).file: _text(copy) for copy in unsure}
        other = await door.differing({f"{file}.md": text for file, text in texts.items()}) if texts else frozenset()
        self._right |= {file for file in texts if f"{file}.md" not in other}
        return there - other - {f"{file}.md" for file in new}, more

    def _count(self, result: str) -> None:
        self._metrics.postmortem_exports_total.labels(result=result).inc()


def _unsure(
    tx: Tx, there: frozenset[str], known: frozenset[str], *, since: datetime
) -> tuple[list[Copy], list[str], bool]:  # fmt: skip
    """Read some copies that have files of which nobody knows whether they are theirs, the oldest first.

    Those that were published `since` are only named: all their files are written. Says at last whether there are more.
    """
    found = sorted((it for it in _lines(tx) if it.file not in known and _names(it) <= there), key=lambda it: it.at)
    old = [it for it in found if it.at < since]
    few = [_copy_of(tx, it) for it in old[:_LOOKED_AT]]
    return few, [it.file for it in found[len(old) :]], len(old) > len(few)


def _lacking(tx: Tx, there: frozenset[str], *, more: bool) -> _Lacking:
    """Read what the directory lacks, a few copies at a time, the oldest first; `more` is to be looked at later."""
    lines = _lines(tx)
    missing = [it for it in lines if not _names(it) <= there]
    few = sorted(missing, key=lambda it: it.at)[:_AT_ONCE]
    found = [_copy_of(tx, it) for it in few]
    waiting = {it.file for it in missing} - {it.file for it in few}
    return _Lacking(
        copies=tuple((copy, _pictures(tx, copy)) for copy in found),
        lines=tuple(it for it in lines if it.file not in waiting), more=more or bool(waiting),
    )  # fmt: skip


def _lines(tx: Tx) -> list[site.Line]:
    return [
        site.Line(
            key=f"INC-{row.incident_id}", version=row.version, title=row.title, severity=row.severity,
            service=row.service, at=row.published_at,
        )
        for row in copies.listed(tx)
    ]  # fmt: skip


def _names(line: site.Line) -> set[str]:
    return {f"{line.file}.md", f"{line.file}.html"}


def _copy_of(tx: Tx, line: site.Line) -> Copy:
    return copies.copy(tx, int(line.key.removeprefix("INC-")), line.version)


def _pictures(tx: Tx, copy: Copy) -> dict[int, str]:
    """Read the graphs that a copy shows, as they were drawn last."""
    named = {int(number) for key, number in _GRAPH.findall(copy.markdown) if key == copy.key}
    there = {it.number for it in graphs.of(tx, copy.key)}
    return {number: graphs.picture(tx, copy.key, number) for number in sorted(named & there)}


def _files(copy: Copy, pictures: dict[int, str]) -> dict[str, str]:
    """Make the files of a copy; its graphs lie beside it, and nothing is fetched from elsewhere.

    The text is the last: where it lies, all the others were written before.
    """
    line = _line(copy)

    def beside(url: str) -> str:
        found = _GRAPH.fullmatch(url)
        known = found is not None and found[1] == copy.key and int(found[2]) in pictures
        return f"{line.file}-{int(found[2])}.svg" if known and found else ""

    body = html.html(copy.markdown, beside)
    drawn = {f"{line.file}-{number}.svg": svg for number, svg in pictures.items()}
    return {**drawn, f"{line.file}.html": site.page(line, body), f"{line.file}.md": _text(copy)}


def _line(copy: Copy) -> site.Line:
    return site.Line(
        key=copy.key, version=copy.version, title=copy.title, severity=copy.severity, service=copy.service,
        at=copy.published_at,
    )  # fmt: skip


def _text(copy: Copy) -> str:
    return copy.markdown.encode("utf-8", "replace").decode("utf-8")


def _done(tx: Tx, job: Job, wrote: _Lacking) -> None:
    for key in sorted({copy.key for copy, _ in wrote.copies}):
        if chain.last_kind(tx, key, (FAILED, WORKS)) == FAILED:
            chain.append(tx, key, INCIDENTD, [Draft(WORKS, "The postmortem is in the directory of postmortems now.")])
    if not jobs.complete(tx, job) or wrote.more:
        _soon(tx)


def _failed(tx: Tx, job: Job, why: str, *, at: datetime, about: set[str]) -> bool:
    """Have it tried again, and say so once on the timeline of each that waits; says whether that was now.

    When the directory could not even be read, those wait that were published since the job was made.
    """
    if not jobs.retry(tx, job, at=at, why=why[:500], known_undone=False):
        return False
    new = {f"INC-{row.incident_id}" for row in copies.listed(tx) if row.published_at >= job.created_at}
    told = [key for key in sorted(about or new) if chain.last_kind(tx, key, (FAILED, WORKS)) != FAILED]
    for key in told:
        text = f"The postmortem could not be written to its directory: {plain(why)}. It is tried again until it can."
        chain.append(tx, key, INCIDENTD, [Draft(FAILED, text)])
    return bool(told) or job.attempt == 1
