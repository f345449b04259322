"""Contacts: a channel counts as tested for one rotation, at one address, and the address is never kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pytest

from incidentd.contacts import WITHOUT_ROTATION, Confirmation, Contact, ContactState, contacts, holds_for, mark_of
from incidentd.oncall import Channel, ChannelKind, Layer, Person, Roster, Schedule
from incidentd.redaction import Secret

NOW = datetime(2026, 11, 24, 14, 0, tzinfo=UTC)
KEY = bytes(range(32))
MAIL = Channel(name="ana/mail", kind=ChannelKind.MAIL, url=Secret("mailto://user:secret@mail.example.org"))
ANA = Person(handle="ana", name="Ana", channels=(MAIL,))
WEEKLY = Layer(
    name="primary", people=("ana", "ben", "cho"), turn=timedelta(days=7), handoff_weekday=0, handoff_time=time(9),
    start=date(2026, 1, 5),
)  # fmt: skip
ROSTER = Roster(
    people={"ana": ANA}, schedules={"main": Schedule(name="main", time_zone="Europe/Madrid", layers=(WEEKLY,))}
)


def contact(known: Confirmation | None, channel: Channel = MAIL) -> Contact:
    roster = replace(ROSTER, people={"ana": replace(ANA, channels=(channel,))})
    there = {} if known is None else {known.channel: known}
    (found,) = contacts(roster, there, {channel.name: mark_of(KEY, channel)}, NOW)
    return found


def confirmed(days: float, channel: Channel = MAIL) -> Confirmation:
    at = NOW - timedelta(days=days)
    return Confirmation(channel=channel.name, mark=mark_of(KEY, channel), sent_at=at, confirmed_at=at)


def test_a_channel_that_was_never_tested_is_unconfirmed() -> None:
    found = contact(None)
    assert (found.state, found.sent_at, found.confirmed_at) == (ContactState.UNCONFIRMED, None, None)
    assert found.advice == "never tested; run: incidentd oncall test ana"


def test_a_test_that_nobody_confirmed_does_not_count() -> None:
    found = contact(replace(confirmed(1), confirmed_at=None))
    assert found.state is ContactState.UNCONFIRMED
    assert "look whether it arrived" in found.advice


@pytest.mark.parametrize(
    ("days", "state"), [(0, ContactState.CONFIRMED), (21, ContactState.CONFIRMED), (21.1, ContactState.STALE)]
)
def test_a_confirmation_holds_for_one_rotation(days: float, state: ContactState) -> None:
    assert contact(confirmed(days)).state is state


def test_another_address_is_a_channel_that_nobody_confirmed() -> None:
    moved = replace(MAIL, url=Secret("mailto://user:secret@mail.example.com"))
    found = contact(confirmed(1), moved)
    assert (found.state, found.confirmed_at) == (ContactState.CHANGED, None)


def test_whoever_is_in_no_rotation_confirms_once_a_quarter() -> None:
    assert holds_for("dia", ROSTER) == WITHOUT_ROTATION
    assert holds_for("ben", ROSTER) == timedelta(days=21)


def test_a_mark_leads_back_to_nothing_and_differs_by_key_address_and_name() -> None:
    mark = mark_of(KEY, MAIL)
    others = {
        mark_of(bytes(32), MAIL), mark_of(KEY, replace(MAIL, url=Secret("x"))), mark_of(KEY, replace(MAIL, name="b")),
    }  # fmt: skip
    assert mark == mark_of(KEY, replace(MAIL))
    assert mark not in others
    assert "secret" not in mark
    assert len(mark) == 32
