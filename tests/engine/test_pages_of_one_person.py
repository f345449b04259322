"""Several pages for one person, and people who learn: one call for what waits, copies, and mentors who follow."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date, time, timedelta

import pytest

from incidentd.engine import commands
from incidentd.errors import Conflict
from incidentd.oncall import Channel, ChannelKind, Layer, Person, Roster, Schedule, Shadow, Target
from incidentd.pages import Chain, EscalationPolicy, Level, PageState
from incidentd.redaction import Secret
from incidentd.rehearsal.world import World
from incidentd.rules import CATCH_ALL, Decide, SeverityRule
from incidentd.settings import Settings
from incidentd.timeline import Actor
from tests.engine.world import START, Making, minutes, roster

ANA, FAY = Actor(name="ana", via="api"), Actor(name="fay", via="api")
STORM = 200
MONEY = SeverityRule(
    name="money", match=(), decide=Decide.DECLARE, severity="sev1", urgency="business_critical", page="platform",
    correlate_by=("service",),
)  # fmt: skip


def reached_by(*kinds: ChannelKind, handle: str = "ana") -> Person:
    channels = tuple(
        Channel(name=f"{handle}/{kind}", kind=kind, url=Secret(f"json://127.0.0.1:9/{kind}")) for kind in kinds
    )
    return Person(handle=handle, name=handle.title(), channels=channels)


def settings(*people: Person, chain: Chain | None = None, **schedules: Schedule) -> Settings:
    chain = chain or Chain(levels=(Level(after=minutes(0), page=Target(person="ana")),))
    return Settings(
        external_url="http://incidentd.example.org", rules=(MONEY, CATCH_ALL),
        roster=Roster(people={one.handle: one for one in people}, schedules=schedules),
        escalations={"platform": EscalationPolicy(name="platform", chains={"business_critical": chain})},
    )  # fmt: skip


async def outage(w: World, services: int) -> None:
    await w.send(*(w.firing("Down", service=f"s{number}") for number in range(1, services + 1)))


def names(w: World, channel: str) -> list[str]:
    """List the pages that came over a channel, each as often as it came."""
    return [key.split("/")[0] for n in w.post.sent if n.channel == channel for key in (n.key, *n.also)]


@pytest.mark.parametrize("kind", [ChannelKind.PUSH, ChannelKind.SMS, ChannelKind.CALL])
async def test_b5_20_who_is_on_call_for_several_teams_is_rung_once_and_answers_each_page(
    world: Making, kind: ChannelKind
) -> None:
    w = await world(settings(reached_by(kind)))
    await outage(w, 3)

    (one,) = w.post.sent
    assert one.title.endswith(" (+2 pages)")
    assert sorted(names(w, f"ana/{kind}")) == ["PAGE-1", "PAGE-2", "PAGE-3"]
    assert one.body.count("/a/") == 3
    told = [text for number in (1, 2, 3) for text in await w.story(f"INC-{number}") if ": sent to" in text]
    assert sorted(told) == [f"PAGE-{number}: sent to ana/{kind}." for number in (1, 2, 3)]
    await w.do(commands.ack_page, 2, by="ana", actor=ANA)
    states = [(await w.page(number)).state for number in (1, 2, 3)]
    assert states == [PageState.OPEN, PageState.ACKED, PageState.OPEN]


async def test_b5_20_a_few_pages_are_mails_of_their_own(world: Making) -> None:
    w = await world(settings(reached_by(ChannelKind.MAIL)))
    await outage(w, 3)

    assert [n.also for n in w.post.sent] == [(), (), ()]


async def test_b5_20_a_page_that_comes_alone_waits_for_no_other(world: Making) -> None:
    w = await world(settings(reached_by(ChannelKind.SMS)))
    await outage(w, 1)

    assert [(n.also, n.late_by) for n in w.post.sent] == [((), timedelta(0))]


@pytest.mark.slow
async def test_b5_20_a_storm_of_pages_for_one_person_is_a_digest_and_every_page_is_answered_by_itself(
    world: Making,
) -> None:
    w = await world(settings(reached_by(ChannelKind.SMS, ChannelKind.MAIL)))
    await outage(w, STORM)

    for channel in ("ana/sms", "ana/mail"):
        sent = [n for n in w.post.sent if n.channel == channel]
        assert len(sent) <= 4
        assert Counter(names(w, channel)) == {f"PAGE-{number}": 1 for number in range(1, STORM + 1)}
        assert all(len(n.body) < 8_000 for n in sent)
        digest = max(sent, key=lambda n: len(n.also))
        assert " more" in digest.body
        assert "http://incidentd.example.org/" in digest.body
    told = Counter[str]()
    for number in range(1, STORM + 1):
        told.update(text.partition(": ")[2] for text in await w.story(f"INC-{number}") if ": sent to" in text)
    assert told == {"sent to ana/sms.": STORM, "sent to ana/mail.": STORM}

    await w.do(commands.ack_page, 77, by="ana", actor=ANA)
    assert (await w.page(77)).held_by == "ana"
    assert (await w.page(78)).state is PageState.OPEN


# --- people who learn -----------------------------------------------------------------------------------------------


def learning(*, reverse: bool) -> Settings:
    shadow = Shadow(
        person="fay", start=START - timedelta(days=1), end=START + timedelta(days=1), reverse=reverse, delay=minutes(2)
    )
    layer = Layer(
        name="primary", people=("ana",), turn=timedelta(weeks=1), handoff_weekday=0, handoff_time=time(9),
        start=date(2026, 11, 2),
    )  # fmt: skip
    schedule = Schedule(name="payments", time_zone="UTC", layers=(layer,), shadows=(shadow,))
    chain = Chain(
        levels=(
            Level(after=minutes(0), page=Target(on_call="payments")),
            Level(after=minutes(5), page=Target(person="ben")),
        )
    )  # fmt: skip
    return settings(*roster("ana", "ben", "fay").people.values(), chain=chain, payments=schedule)


async def test_who_shadows_has_a_copy_that_asks_for_nothing_and_an_answer_of_theirs_is_refused(world: Making) -> None:
    w = await world(learning(reverse=False))
    await outage(w, 1)

    (copy,) = [n for n in w.post.sent if n.channel == "fay/mail"]
    (page,) = [n for n in w.post.sent if n.channel == "ana/mail"]
    assert copy.title.startswith("[SEV1] Copy: ")
    assert ("/a/" in copy.body, "/a/" in page.body) == (False, True)
    assert "Asked of you: nothing; read along" in copy.body
    assert "PAGE-1: fay reads along." in await w.story("INC-1")
    with pytest.raises(Conflict, match="fay shadows whoever is on call and reads PAGE-1 along: it still calls ana"):
        await w.do(commands.ack_page, 1, by="fay", actor=FAY)
    assert (await w.page()).paged == ("ana",)
    await w.do(commands.take_page, 1, by="fay", actor=FAY)
    assert (await w.page()).held_by == "fay"


async def test_a_copy_that_arrives_makes_up_for_no_page_that_does_not(world: Making) -> None:
    known = learning(reverse=False)
    nobody = replace(known.roster, people={**known.roster.people, "ana": Person(handle="ana", name="Ana")})
    w = await world(replace(known, roster=nobody))
    await outage(w, 1)

    assert {"fay/mail", "ben/mail"} <= {n.channel for n in w.post.sent}
    assert "ben" in (await w.page()).paged


async def test_in_reverse_who_learns_is_paged_first_and_who_is_on_call_two_minutes_later(world: Making) -> None:
    w = await world(learning(reverse=True))
    await outage(w, 1)
    await w.at(1.9)
    assert [n.channel for n in w.post.sent] == ["fay/mail"]
    assert "/a/" in w.post.sent[0].body

    await w.at(2)
    assert [n.channel for n in w.post.sent] == ["fay/mail", "ana/mail"]
    assert w.post.sent[1].late_by == timedelta(0)
    assert "PAGE-1: fay learns and is called first, ana 2m later." in await w.story("INC-1")
    await w.at(5)
    assert [n.channel for n in w.post.sent][2:] == ["ben/mail"]


async def test_in_reverse_an_answer_of_who_learns_counts_and_calls_nobody_else(world: Making) -> None:
    w = await world(learning(reverse=True))
    await outage(w, 1)
    await w.do(commands.ack_page, 1, by="fay", actor=FAY)
    await w.at(10)

    assert [n.channel for n in w.post.sent if n.purpose != "update"] == ["fay/mail"]  # ana commands and hears of that
    assert (await w.page()).held_by == "fay"
