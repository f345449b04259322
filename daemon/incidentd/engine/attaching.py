"""Graphs that go with messages: which, with which message, and each once.

A message shows the graphs of a *moment*: that something is held, that it was declared, that it was mitigated, or what
an update says. The words never wait for a picture: one that is not drawn yet goes with the next message to the channel.
Who has which is noted before a message is sent, so a picture may be lost in a crash, and none comes twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from incidentd.engine import graphing
from incidentd.holds import Hold
from incidentd.oncall import ChannelKind
from incidentd.pages import Attachment
from incidentd.settings import Settings
from incidentd.store import Tx, attached, graphs, jobs, locks, subjects
from incidentd.store.jobs import Job
from incidentd.text import iso

MOST = 2
"""Pictures that go with one message: nobody looks at more on a telephone."""
_RECENT = timedelta(minutes=5)
"""An update brings no picture to a channel that was given one this shortly before."""
_ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What a message shows."""

    name: str
    drawn_since: datetime
    """An older graph does not show it."""
    enough_since: datetime
    """A channel that was given graphs since then has what this message would bring."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What is to go with a message."""

    moment: Moment
    numbers: tuple[int, ...]
    """Of the graphs."""


def may_show(settings: Settings, job: Job) -> bool:
    """Say whether pictures go with messages like this one in a channel like its own, without a look at the store."""
    return settings.graphs.attach and _shows(job, settings.kind_of(jobs.lane_of(job)))


def due(tx: Tx, settings: Settings, job: Job) -> Due | None:
    """Say what is to go with a message; None for most: nothing, nothing yet, or the channel has it already."""
    if not may_show(settings, job) or not graphs.with_png(tx, job.subject, _ALWAYS):
        return None
    moment = _moment(tx, job)
    if moment is None or _has_it(tx, job, moment):
        return None
    numbers = chosen(graphs.with_png(tx, job.subject, moment.drawn_since))
    return Due(moment=moment, numbers=numbers) if numbers else None


def _has_it(tx: Tx, job: Job, moment: Moment) -> bool:
    given = attached.given(tx, job.subject, jobs.lane_of(job))
    return moment.name in given or any(at >= moment.enough_since for at in given.values())


def chosen(numbers: Sequence[int]) -> tuple[int, ...]:
    """Choose the graphs that say most: of the first alert, then of what is measured of the progress."""
    of_alerts = [it for it in numbers if it < graphing.FIRST_OF_HOLD]
    of_hold = [it for it in numbers if it >= graphing.FIRST_OF_HOLD]
    return tuple([*of_alerts[:1], *of_hold[:1], *of_alerts[1:], *of_hold[1:]][:MOST])


def _shows(job: Job, kind: ChannelKind) -> bool:
    """Say whether a message is one that pictures go with, in a channel that can show them."""
    match job.kind:
        case "page":  # no room waits longer for a page than it takes to say the words
            return kind is ChannelKind.MAIL
        case jobs.POST:
            return kind in (ChannelKind.MAIL, ChannelKind.CHAT)
        case _:
            return "moment" in job.payload and kind in (ChannelKind.MAIL, ChannelKind.CHAT)


def _moment(tx: Tx, job: Job) -> Moment | None:
    if "moment" in job.payload:
        return Moment(name=job.payload["moment"], drawn_since=_ALWAYS, enough_since=tx.now - _RECENT)
    about = subjects.find(tx, job.subject)
    if about is None:
        return None
    if isinstance(about, Hold):
        name, at = "held", about.opened_at
    elif about.mitigated_at is not None:
        name, at = f"mitigated {iso(about.mitigated_at)}", about.mitigated_at  # it may be mitigated again
    else:
        name, at = "declared", about.declared_at
    return Moment(name=name, drawn_since=at, enough_since=at)


def claim(tx: Tx, job: Job, it: Due) -> tuple[Attachment, ...]:
    """Note that a message is about to give pictures to its channel, and give them; none when another one was first."""
    locks.channel(tx, jobs.lane_of(job))  # an update and what is posted may go there at the same time
    if not jobs.still_mine(tx, job) or _has_it(tx, job, it.moment):
        return ()
    if not attached.claim(tx, job.subject, jobs.lane_of(job), it.moment.name, job.ukey):
        return ()
    found = graphs.pngs(tx, job.subject, it.numbers)
    return tuple(
        Attachment(name=f"{job.subject}-graph-{number}.png", png=found[number])
        for number in it.numbers
        if number in found
    )


def let_go(tx: Tx, job: Job) -> None:
    """Take that the message surely did not arrive: its pictures may go with the next one."""
    attached.let_go(tx, job.subject, jobs.lane_of(job), job.ukey)
