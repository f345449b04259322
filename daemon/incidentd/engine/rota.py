"""Published shifts as units of work: they are stored up to the horizon, and set by the clock anew when zones change."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from incidentd import oncall
from incidentd.engine import handoff, paging
from incidentd.errors import NotFound
from incidentd.oncall import ChannelKind, Person, Schedule
from incidentd.settings import Settings
from incidentd.store import Tx, chain, jobs, rota
from incidentd.text import count, instant, plain
from incidentd.timeline import INCIDENTD, SYSTEM, Actor, Draft

KIND = "oncall"
"""The kind and the key of the one job that publishes."""
EVERY = timedelta(hours=6)
_QUIET = (ChannelKind.MAIL, ChannelKind.CHAT, ChannelKind.PUSH)
"""The channels for what nobody has to answer: no call at night about the calendar."""


def begin(tx: Tx, settings: Settings) -> None:
    """Publish what is due: at start, and when a reload brought other schedules."""
    if settings.roster.schedules:
        time_came(tx, settings)
    else:
        jobs.cancel(tx, KIND)


def time_came(tx: Tx, settings: Settings) -> None:
    """Set published shifts by the clock anew, publish up to the horizon, and come again."""
    jobs.schedule(tx, queue=jobs.TIMER, kind=KIND, subject=SYSTEM, ukey=KIND, due_at=tx.now + EVERY)
    _set_anew(tx, settings)
    for schedule in settings.roster.schedules.values():
        until = rota.published_until(tx, schedule.name)
        if schedule.rollout_immediate:
            if until is not None and until > tx.now:
                rota.unpublish(tx, schedule.name, tx.now)
            continue
        _publish(tx, schedule)


def publish_now(tx: Tx, settings: Settings, name: str, *, actor: Actor) -> int:
    """Let what the file says count at once: forget what was published ahead, and publish anew. Raises NotFound."""
    schedule = known(settings, name)
    rota.published_until(tx, name)  # takes the lock
    rota.unpublish(tx, name, tx.now)
    made = 0 if schedule.rollout_immediate else _publish(tx, schedule)
    text = f"The schedule {name} counts as its file has it now: {count(made, 'shift')} were published anew."
    chain.append(tx, SYSTEM, actor, [Draft("oncall.published", text, {"schedule": name})])
    handoff.begin(tx, settings)
    return made


def feed_made(tx: Tx, feed: str, *, actor: Actor) -> None:
    """Note that somebody made the address of a calendar feed, which whoever has it can read."""
    text = f"{actor.name} made the address of a calendar feed of {feed}."
    chain.append(tx, SYSTEM, actor, [Draft("oncall.feed_made", text, {"feed": feed})])


def known(settings: Settings, name: str) -> Schedule:
    """Find a schedule. Raises NotFound."""
    found = settings.roster.schedules.get(name)
    if found is None:
        there = ", ".join(settings.roster.schedules) or "none at all"
        raise NotFound(f"there is no schedule {plain(name, 40)!r}; there are {there}")
    return found


def _publish(tx: Tx, schedule: Schedule) -> int:
    until = rota.published_until(tx, schedule.name)
    start = max(until or tx.now, tx.now)
    return rota.publish(tx, schedule.name, oncall.to_publish(schedule, start, tx.now + schedule.horizon))


def _set_anew(tx: Tx, settings: Settings) -> None:
    """Move the shifts whose wall-clock times mean other instants by now, and tell those whose they are."""
    for stored in rota.shifts_ending_after(tx, tx.now):
        shift = oncall.on_time(stored.shift, stored.start_wall, stored.end_wall, tx.now)
        if shift == stored.shift:
            continue
        rota.set_times(tx, stored, shift)
        text = (
            f"The rules of {shift.time_zone} changed: the shift of {shift.person} in {stored.schedule} is now from "
            f"{instant(shift.start)} to {instant(shift.end)}; it was from {instant(stored.shift.start)} to "
            f"{instant(stored.shift.end)}."
        )
        chain.append(tx, SYSTEM, INCIDENTD, [Draft("oncall.moved", text, {"schedule": stored.schedule})])
        key = f"oncall/moved/{stored.id}/{shift.start.isoformat()}"
        title = f"Your shift in {stored.schedule} moved"
        tell(tx, settings, [shift.person], title=title, body=text, key=key)


def tell(tx: Tx, settings: Settings, people: Iterable[str], *, title: str, body: str, key: str) -> None:
    """Send people a message that asks for no answer, on their quiet channels; with only loud ones, on the first."""
    for person in (settings.roster.people.get(handle) for handle in people):
        if person is None:
            continue
        for channel in _quiet_channels(person):
            paging.tell(
                tx, subject=SYSTEM, channel=channel, purpose="update", title=title, body=body, key=f"{key}/{channel}"
            )


def _quiet_channels(person: Person) -> list[str]:
    quiet = [channel.name for channel in person.channels if channel.kind in _QUIET]
    return quiet or [channel.name for channel in person.channels[:1]]
