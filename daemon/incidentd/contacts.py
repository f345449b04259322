"""Contacts: whether people said that what is sent to them arrives, channel by channel. Pure.

An untested alert is no alert: each person confirms each channel once in a rotation, by the link of a test message.
What is remembered of a channel's address is its mark, a keyed hash, so another address is a channel nobody confirmed.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from incidentd.oncall import Channel, ChannelKind, Roster

WITHOUT_ROTATION = timedelta(days=90)
"""How long a confirmation holds for somebody who is in no rotation and is still paged: as part of a team, by name."""
_SHORTEST = timedelta(days=7)


class ContactState(StrEnum):
    """How a channel stands."""

    CONFIRMED = "confirmed"
    STALE = "stale"
    """Confirmed, and a whole rotation has passed since."""
    CHANGED = "changed"
    """Confirmed for another address than the one it has now."""
    UNCONFIRMED = "unconfirmed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """What is remembered of a channel's tests."""

    channel: str
    mark: str
    """Of the address that was tested."""
    sent_at: datetime
    confirmed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """One channel of one person, and whether it is known to work."""

    person: str
    channel: str
    kind: ChannelKind
    state: ContactState
    sent_at: datetime | None
    """When a test message was asked for last, to the address that it has now."""
    confirmed_at: datetime | None

    @property
    def advice(self) -> str:
        """Say what is wrong and what to do; '' when all is well."""
        how = f"run: incidentd oncall test {self.person}"
        match self.state:
            case ContactState.CONFIRMED:
                return ""
            case ContactState.STALE:
                return f"confirmed longer ago than one rotation; {how}"
            case ContactState.CHANGED:
                return f"its address changed since it was confirmed; {how}"
            case ContactState.UNCONFIRMED if self.sent_at is not None:
                return "a test was sent and not confirmed; look whether it arrived, and press its link"
            case ContactState.UNCONFIRMED:
                return f"never tested; {how}"


def mark_of(key: bytes, channel: Channel) -> str:
    """Give the mark of a channel's address: the same for the same address, and nothing that leads back to it."""
    text = f"channel address\0{channel.name}\0{channel.url.reveal()}"
    return hmac.new(key, text.encode("utf-8", "surrogateescape"), hashlib.sha256).hexdigest()[:32]


def holds_for(person: str, roster: Roster) -> timedelta:
    """Say how long a confirmation holds: the longest rotation that the person is in, from turn to turn."""
    rounds = [
        layer.turn * len(layer.people)
        for schedule in roster.schedules.values()
        for layer in schedule.layers
        if person in layer.people
    ]
    return max(*rounds, _SHORTEST) if rounds else WITHOUT_ROTATION


def contacts(
    roster: Roster, known: Mapping[str, Confirmation], marks: Mapping[str, str], now: datetime
) -> tuple[Contact, ...]:
    """List every channel of every person. `known` and `marks` are by the channel's name, `marks` of today's address."""
    return tuple(
        _contact(
            channel,
            known.get(channel.name),
            person=person.handle,
            mark=marks[channel.name],
            now=now,
            good_for=holds_for(person.handle, roster),
        )
        for person in roster.people.values()
        for channel in person.channels
    )


def _contact(
    channel: Channel, known: Confirmation | None, *, person: str, mark: str, now: datetime, good_for: timedelta
) -> Contact:  # fmt: skip
    state = _state(known, mark, good_for, now)
    same = known is not None and known.mark == mark
    return Contact(
        person=person, channel=channel.name, kind=channel.kind, state=state,
        sent_at=known.sent_at if known and same else None,
        confirmed_at=known.confirmed_at if known and same else None,
    )  # fmt: skip


def _state(known: Confirmation | None, mark: str, good_for: timedelta, now: datetime) -> ContactState:
    if known is None:
        return ContactState.UNCONFIRMED
    if known.mark != mark:
        return ContactState.CHANGED
    if known.confirmed_at is None:
        return ContactState.UNCONFIRMED
    return ContactState.STALE if now - known.confirmed_at > good_for else ContactState.CONFIRMED
