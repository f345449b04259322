"""Contact tests over months: a message to each channel, a link that confirms it, and what does not count any more."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date, time, timedelta

import pytest

from incidentd import links
from incidentd.contacts import ContactState
from incidentd.engine import answering, contact
from incidentd.engine.answering import Press
from incidentd.errors import Conflict, TemporaryError
from incidentd.oncall import Channel, ChannelKind, Layer, Person, Roster, Schedule
from incidentd.redaction import Secret
from incidentd.settings import Settings
from incidentd.timeline import Actor
from tests.engine.world import Making, World

KEY = b"k" * 32
BEN = Actor(name="ben", via="cli")


def settings(**addresses: str) -> Settings:
    where = {"mail": "json://127.0.0.1:9/mail", "sms": "json://127.0.0.1:9/sms", **addresses}
    channels = tuple(
        Channel(name=f"ana/{kind}", kind=ChannelKind(kind), url=Secret(url)) for kind, url in where.items()
    )
    layer = Layer(
        name="primary", people=("ana", "ben", "cho"), turn=timedelta(days=7), handoff_weekday=0, handoff_time=time(9),
        start=date(2026, 1, 5),
    )  # fmt: skip
    people = {"ana": Person(handle="ana", name="Ana", channels=channels)}
    schedule = Schedule(name="main", time_zone="UTC", layers=(layer,))
    return Settings(roster=Roster(people=people, schedules={"main": schedule}), external_url="https://x.example")


async def states(w: World) -> dict[str, ContactState]:
    found = await w.store.read(contact.listed, w.settings, key=KEY)
    return {one.channel: one.state for one in found}


async def press(w: World, body: str) -> tuple[str, str]:
    """Press the link of a message."""
    [token] = re.findall(r"https://x\.example/a/(\S+)", body)
    claim = links.read({links.kid_of(KEY): KEY}, token, w.now)
    it = Press(claim=claim, actor=Actor(name=claim.person, via="link"), key=KEY)
    done: tuple[str, str] = await w.do(answering.press, it)
    return done


async def test_b5_22_every_channel_is_confirmed_once_a_rotation_and_shows_until_it_is(world: Making) -> None:
    w = await world(settings())
    assert set((await states(w)).values()) == {ContactState.UNCONFIRMED}
    await w.do(contact.send_test, "ana", actor=BEN, key=KEY)
    assert [n.channel for n in w.post.sent] == ["ana/mail", "ana/sms"]
    assert {n.purpose for n in w.post.sent} == {"update"}
    assert Counter((await states(w)).values()) == {ContactState.UNCONFIRMED: 2}

    await press(w, w.post.sent[0].body)
    assert await states(w) == {"ana/mail": ContactState.CONFIRMED, "ana/sms": ContactState.UNCONFIRMED}
    assert [kind for kind in await w.kinds("SYSTEM") if kind != "page.sent"] == ["contact.tested", "contact.confirmed"]

    w.clock[0] = w.start + timedelta(days=21, seconds=1)
    assert (await states(w))["ana/mail"] is ContactState.STALE
    await w.do(contact.send_test, "ana", actor=BEN, key=KEY)
    await press(w, w.post.sent[2].body)
    assert (await states(w))["ana/mail"] is ContactState.CONFIRMED


async def test_another_address_is_to_be_confirmed_anew_and_the_old_link_does_not_do_it(world: Making) -> None:
    w = await world(settings())
    await w.do(contact.send_test, "ana", actor=BEN, key=KEY)
    await press(w, w.post.sent[0].body)
    w.settings = settings(mail="json://127.0.0.1:9/new", sms="json://127.0.0.1:9/new")
    assert await states(w) == {"ana/mail": ContactState.CHANGED, "ana/sms": ContactState.CHANGED}
    with pytest.raises(Conflict, match="another address"):
        await press(w, w.post.sent[1].body)
    w.clock[0] += timedelta(minutes=2)
    await w.do(contact.send_test, "ana", actor=BEN, key=KEY)
    await press(w, w.post.sent[2].body)
    assert (await states(w))["ana/mail"] is ContactState.CONFIRMED


async def test_a_second_test_within_a_minute_is_refused_and_sends_nothing(world: Making) -> None:
    w = await world(settings())
    await w.do(contact.send_test, "ana", actor=BEN, key=KEY)
    with pytest.raises(Conflict, match="less than a minute ago"):
        await w.do(contact.send_test, "ana", actor=BEN, key=KEY)
    assert len(w.post.sent) == 2


async def test_a_test_that_cannot_be_delivered_at_once_is_tried_again_with_the_same_link(world: Making) -> None:
    w = await world(settings())
    w.post.failures["ana/mail"] = TemporaryError("hangs")
    await w.do(contact.send_test, "ana", actor=BEN, key=KEY)
    assert [n.channel for n in w.post.sent] == ["ana/sms"]
    del w.post.failures["ana/mail"]
    await w.at(10)
    await press(w, w.post.sent[1].body)
    assert (await states(w))["ana/mail"] is ContactState.CONFIRMED


async def test_the_store_never_learns_an_address(world: Making) -> None:
    w = await world(settings(mail="json://127.0.0.1:9/very-secret-path"))
    await w.do(contact.send_test, "ana", actor=BEN, key=KEY)
    assert "very-secret-path" not in " ".join([*await w.story("SYSTEM"), *(n.body + n.title for n in w.post.sent)])
