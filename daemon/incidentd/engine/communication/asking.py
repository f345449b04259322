"""What people ask for of the channels of one incident: add one, remove one, list them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from incidentd.engine.communication.following import channels_of, hurry, is_over
from incidentd.errors import BadRequest, Conflict, NotFound
from incidentd.incidents import Incident
from incidentd.settings import Settings
from incidentd.store import Tx, chain, followers, jobs, subjects
from incidentd.store.followers import Follower
from incidentd.text import plain
from incidentd.timeline import Actor, Draft

_ADDED = "channel.added"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A channel of an incident, as people see it."""

    channel: str
    added_by: str
    """A person; '' where a route of the files did it."""
    is_on: bool
    told_to: int
    """The last entry of the timeline that was posted there."""
    under_way: bool
    """A message did not arrive yet."""


def add_channel(tx: Tx, settings: Settings, incident_id: int, channel: str, *, actor: Actor) -> Listed:
    """Have an incident followed in a channel, which gets the summary so far, once.

    Twice is as good as once. Raises NotFound, BadRequest for a channel that the files do not name, and Conflict when
    the incident is over.
    """
    incident = subjects.get_incident(tx, incident_id)
    if channel not in settings.channels:
        there = ", ".join(settings.channels) or "none; they stand under `channels` of the configuration"
        raise BadRequest(f"there is no shared channel {plain(channel, 40)!r}; there are: {there}")
    if is_over(incident):
        state = incident.status.value.replace("_", " ")
        raise Conflict(f"{incident.key} is {state}; nothing more of it is posted anywhere, unless it is reopened")
    before = _rows(tx, settings, incident_id).get(channel)
    if before is not None and before.is_on:
        return _listed(tx, before)
    base = before or Follower(subject=incident.key, channel=channel)
    it = replace(base, added_by=actor.name, is_on=True, waits=False)
    followers.save(tx, it)
    text = f"{channel} follows this from here on, says {actor.name}."
    chain.append(tx, incident.key, actor, [Draft(_ADDED, text, {"channel": channel})])
    hurry(tx, settings, incident.key)
    return _listed(tx, it)


def remove_channel(tx: Tx, settings: Settings, incident_id: int, channel: str, *, actor: Actor) -> Listed:
    """Have an incident followed in a channel no more, whatever the routes say.

    Raises NotFound, also for a channel in which it is not followed.
    """
    incident = subjects.get_incident(tx, incident_id)
    before = _rows(tx, settings, incident_id).get(channel)
    if before is None or not before.is_on:
        raise NotFound(f"{incident.key} is not followed in {plain(channel, 40)!r}")
    it = replace(before, is_on=False, waits=False)
    waiting = followers.posts(tx, incident.key).get(channel)
    if waiting is not None and waiting.leased_by is None:
        jobs.cancel(tx, waiting.ukey)
        it = replace(it, seq=int(waiting.payload["after"]))  # it belongs to the next message, should there be one
    followers.save(tx, it)
    text = f"{plain(channel, 80)} follows this no more, says {actor.name}."
    chain.append(tx, incident.key, actor, [Draft("channel.removed", text, {"channel": channel})])
    return _listed(tx, it)


def listed(tx: Tx, settings: Settings, incident_id: int) -> list[Listed]:
    """List the channels of an incident, those that were removed too. Raises NotFound."""
    return [_listed(tx, it) for _, it in sorted(_rows(tx, settings, incident_id).items())]


def followed_in(tx: Tx, settings: Settings, incident_id: int) -> tuple[str, ...]:
    """Name the channels that are told of an incident. Raises NotFound."""
    rows = _rows(tx, settings, incident_id)
    return tuple(name for name, it in sorted(rows.items()) if it.is_on and name in settings.channels)


def come_along(
    tx: Tx, settings: Settings, channels: Iterable[str], root: Incident, *, actor: Actor
) -> tuple[str, ...]:  # fmt: skip
    """Have these channels of an incident that is part of another one now follow that; one that was removed stays so.

    Names those that did not follow it before.
    """
    there = _rows(tx, settings, root.id)
    new = tuple(name for name in channels if name not in there)
    for name in new:
        add_channel(tx, settings, root.id, name, actor=actor)
    return new


def go_back(
    tx: Tx, settings: Settings, channels: Iterable[str], root: Incident, *, since: datetime, actor: Actor
) -> list[str]:  # fmt: skip
    """Have channels that came along at `since` follow no more, but for what a route gives or somebody added later.

    Names those that do not.
    """
    rows, given = _rows(tx, settings, root.id), channels_of(settings, root)
    added = {it.data["channel"] for it in chain.entries(tx, root.key) if it.kind == _ADDED and it.at > since}
    went = [name for name in channels if name in rows and rows[name].is_on and name not in (*given, *added)]
    for name in went:
        remove_channel(tx, settings, root.id, name, actor=actor)
        followers.forget(tx, root.key, name)  # nobody had enough of it there: it may come along once more
    return went


def _rows(tx: Tx, settings: Settings, incident_id: int) -> dict[str, Follower]:
    """Read the channels of an incident, with those that a route has just given to it."""
    incident = subjects.get_incident(tx, incident_id)
    rows = followers.of(tx, incident.key)
    if not is_over(incident):
        for name in channels_of(settings, incident):
            rows.setdefault(name, Follower(subject=incident.key, channel=name))
    return rows


def _listed(tx: Tx, it: Follower) -> Listed:
    return Listed(
        channel=it.channel, added_by=it.added_by, is_on=it.is_on, told_to=it.seq,
        under_way=it.channel in followers.posts(tx, it.subject),
    )  # fmt: skip
