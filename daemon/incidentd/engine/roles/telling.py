"""Telling somebody something about a role, by channels that ring no telephone."""

from __future__ import annotations

from collections.abc import Sequence

from incidentd.engine import paging
from incidentd.incidents import Incident
from incidentd.oncall import Channel, ChannelKind, Person
from incidentd.settings import Settings
from incidentd.store import Tx
from incidentd.text import plain

_QUIET = frozenset({ChannelKind.CALL, ChannelKind.SMS})
"""A question rings no telephone; when it is not answered, the page that follows does."""


def quiet_channels(person: Person | None) -> Sequence[Channel]:
    """List the channels by which somebody is asked: all that make no call, or the first where there is no other."""
    if person is None:
        return ()
    return tuple(it for it in person.channels if it.kind not in _QUIET) or person.channels[:1]


def tell(tx: Tx, settings: Settings, incident: Incident, person: str, *, title: str, key: str) -> None:
    """Tell somebody something about a role, by channels that ring nobody."""
    text = f"{plain(incident.title, 120)}\n\n{settings.external_url}/incidents/{incident.key}"
    for channel in quiet_channels(settings.roster.people.get(person)):
        paging.tell(
            tx, subject=incident.key, channel=channel.name, purpose="update", title=title, body=text,
            key=f"{key}/{channel.name}",
        )  # fmt: skip
