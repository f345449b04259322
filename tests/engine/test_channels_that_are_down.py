"""Channels that are down: pages fall back, wait, are merged and marked late; nothing is lost, nobody is flooded."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from incidentd.engine import commands, paging
from incidentd.errors import PermanentError, TemporaryError
from incidentd.oncall import Channel, ChannelKind, Person, Roster, Target
from incidentd.pages import Chain, EscalationPolicy, Level, Notification
from incidentd.redaction import Secret
from incidentd.rehearsal.doors import Post
from incidentd.rehearsal.world import World
from incidentd.rules import CATCH_ALL, Decide, SeverityRule
from incidentd.settings import Settings
from incidentd.store import Tx, jobs
from incidentd.timeline import Actor
from tests.engine.world import Making, chain_of, minutes, person, policy, roster

ANA = Actor(name="ana", via="api")
MONEY = SeverityRule(
    name="money", match=(), decide=Decide.DECLARE, severity="sev1", urgency="business_critical", page="platform"
)
SETTINGS = Settings(
    external_url="http://incidentd.example.org", rules=(MONEY, CATCH_ALL), roster=roster("ana", "ben"),
    escalations=policy("platform", (0, "ana"), (5, "ben")),
)  # fmt: skip
DOWN = TemporaryError("channel down", retry_after=minutes(5))


def channel(name: str, kind: ChannelKind = ChannelKind.CHAT) -> Channel:
    return Channel(name=name, kind=kind, url=Secret(f"json://127.0.0.1:9/{name}"))


def with_fallback(settings: Settings = SETTINGS) -> Settings:
    return replace(settings, channels={"ops-chat": channel("ops-chat")}, fallback_channel="ops-chat")


async def metric(w: World, name: str, **labels: str) -> float:
    return w.metrics.registry.get_sample_value(f"incidentd_{name}", labels) or 0


@pytest.mark.slow
async def test_after_six_hours_each_incident_reaches_each_target_once_and_late(world: Making) -> None:
    w = await world(SETTINGS)
    w.post.failures = {"ana/mail": DOWN, "ben/mail": DOWN}
    await w.send(w.firing("CheckoutDown", service="checkout"))
    await w.send(w.firing("SearchDown", service="search"), group="{}:{b}")
    await w.at(360)
    assert w.post.sent == []
    assert await w.store.read(waiting) <= 8  # for each incident and target the one that waits, and the newest call

    w.post.failures = {}
    back = len(w.post.sent)
    for minute in (361, 366, 366.9):
        await w.at(minute)
    reached = Counter(
        (n.channel, subject) for n in w.post.sent[back:] for subject in ("INC-1", "INC-2")
        if subject in n.title + n.body
    )  # fmt: skip
    assert reached == {(one, subject): 1 for one in ("ana/mail", "ben/mail") for subject in ("INC-1", "INC-2")}
    for n in w.post.sent[back:]:
        assert n.late_by > timedelta(hours=5, minutes=50)
        assert "Still unanswered" in n.title or "Unanswered for" in n.title


def waiting(tx: Tx) -> int:
    return tx.conn.exec_driver_sql("SELECT count(*) FROM job WHERE queue = 'notify' AND state = 'live'").scalar() or 0


async def test_a_page_that_waits_for_two_minutes_goes_to_the_fallback_and_the_timeline_says_so(world: Making) -> None:
    w = await world(with_fallback())
    w.post.failures["ana/mail"] = DOWN
    await w.send(w.firing())
    await w.at(1.9)
    assert w.post.sent == []
    await w.at(2.1)

    assert [(n.channel, n.key) for n in w.post.sent] == [("ops-chat", "PAGE-1/0/ana/mail/fallback")]
    assert "PAGE-1: sent to ops-chat, in place of ana/mail, which has not taken it." in await w.story("INC-1")
    assert await metric(w, "notification_fallbacks_total", channel="mail") == 1
    del w.post.failures["ana/mail"]
    await w.at(4.9)
    assert [n.channel for n in w.post.sent] == ["ops-chat"]  # its server asked for five minutes
    await w.at(5.2)
    assert w.post.to("ana/mail")


async def test_a_page_that_got_through_meanwhile_does_not_fall_back(world: Making) -> None:
    w = await world(with_fallback())
    w.post.failures["ana/mail"] = TemporaryError("451 try later", retry_after=timedelta(seconds=70))
    await w.send(w.firing())
    w.post.failures = {}
    await w.at(4)

    assert [n.channel for n in w.post.sent] == ["ana/mail"]


async def test_who_wishes_falls_back_to_a_channel_of_their_own(world: Making) -> None:
    ana = Person(
        handle="ana", name="Ana", channels=(channel("ana/push", ChannelKind.PUSH), channel("ana/sms", ChannelKind.SMS)),
        fallback_channel="ana/sms",
    )  # fmt: skip
    settings = replace(with_fallback(), roster=Roster(people={"ana": ana, **roster("ben").people}))
    chain = chain_of((0, "ana"), (30, "ben"))
    first = replace(chain.levels[0], by=((timedelta(0), (ChannelKind.PUSH,)),))
    chain = replace(chain, levels=(first, *chain.levels[1:]))
    known = settings.escalations["platform"]
    settings = replace(
        settings, escalations={"platform": replace(known, chains=dict.fromkeys(known.chains, chain))}
    )  # fmt: skip
    w = await world(settings)
    w.post.failures["ana/push"] = DOWN
    await w.send(w.firing())
    await w.at(3)

    assert [n.channel for n in w.post.sent] == ["ana/sms"]


async def test_what_is_refused_for_good_falls_back_and_escalates_at_once(world: Making) -> None:
    w = await world(with_fallback())
    w.post.failures["ana/mail"] = PermanentError("550 no such mailbox")
    await w.send(w.firing())

    assert sorted(n.channel for n in w.post.sent) == ["ben/mail", "ops-chat"]
    assert await metric(w, "notifications_undeliverable_total", channel="mail", purpose="page") == 1


@pytest.mark.slow
async def test_a_page_that_nobody_takes_for_a_day_is_said_aloud_elsewhere(world: Making) -> None:
    w = await world(replace(with_fallback(), escalations=policy("platform", (0, "ana"))))
    w.post.failures["ana/mail"] = TemporaryError("away", retry_after=minutes(15))
    await w.send(w.firing())
    await w.at(24 * 60 + 20)

    said = [n for n in w.post.sent if n.purpose == "trouble"]
    assert "PAGE-1 is undeliverable: ana/mail took nothing for a day (INC-1)" in [n.title for n in said]
    assert any("undeliverable, nobody took it for a day" in entry for entry in await w.story("INC-1"))


async def test_pages_that_a_rate_holds_back_come_as_one_that_answers_each(world: Making) -> None:
    w = await world(SETTINGS)
    w.post.failures["ana/mail"] = TemporaryError("enough for now", retry_after=minutes(3), tried=False)
    for number in range(3):
        await w.send(w.firing("Down", service=f"s{number}"), group=f"{{}}:{{{number}}}")
    w.post.failures = {}
    await w.at(3.5)

    (one,) = [n for n in w.post.sent if n.channel == "ana/mail"]
    assert one.title.endswith(" (+2 pages)")
    assert one.body.count("/a/") == 3 + 2  # the first also offers help and the next level
    assert {one.key, *one.also} == {f"PAGE-{number}/0/ana/mail" for number in (1, 2, 3)}
    assert (one.attempt, one.repeat) == (1, False)  # nobody was asked, so this is the first try
    for number in (1, 2, 3):
        assert f"PAGE-{number}: sent to ana/mail." in await w.story(f"INC-{number}")
    await w.at(4.5)
    assert len(w.post.to("ana/mail")) == 1
    assert await metric(w, "notifications_merged_total", channel="mail") == 2


async def test_what_was_merged_and_failed_is_tried_again_and_nothing_is_lost(world: Making) -> None:
    w = await world(SETTINGS)
    w.post.failures["ana/mail"] = TemporaryError("no answer", maybe_done=True, retry_after=minutes(1))
    for number in range(2):
        await w.send(w.firing("Down", service=f"s{number}"), group=f"{{}}:{{{number}}}")
    await w.at(3)
    w.post.failures = {}
    await w.at(4.5)

    found = [n for n in w.post.sent if n.channel == "ana/mail"]
    assert {key for n in found for key in (n.key, *n.also)} == {"PAGE-1/0/ana/mail", "PAGE-2/0/ana/mail"}
    assert all(n.repeat for n in found)


async def test_what_is_refused_together_is_sent_alone_before_anything_is_given_up(world: Making) -> None:
    w = await world(SETTINGS)
    w.post.failures["ana/mail"] = TemporaryError("enough for now", retry_after=minutes(1), tried=False)
    for number in range(2):
        await w.send(w.firing("Down", service=f"s{number}"), group=f"{{}}:{{{number}}}")

    class Short(Post):
        async def send(self, n: Notification) -> None:
            if n.also:
                raise PermanentError("413 too long")
            await super().send(n)

    w.post = w.doors.notifier = Short()
    await w.at(2)

    assert sorted(n.key for n in w.post.sent) == ["PAGE-1/0/ana/mail", "PAGE-2/0/ana/mail"]
    assert not any("Could not reach" in entry for entry in [*await w.story("INC-1"), *await w.story("INC-2")])


async def test_who_answered_meanwhile_is_not_called_when_the_channel_is_back(world: Making) -> None:
    w = await world(with_fallback())
    w.post.failures = {"ana/mail": DOWN, "ben/mail": DOWN, "ops-chat": DOWN}
    await w.send(w.firing())
    await w.at(30)
    await w.do(commands.ack_page, 1, by="ana", actor=ANA)
    w.post.failures = {}
    await w.at(40)  # before the answer expires

    assert [n.title for n in w.post.sent if n.page] == []


async def test_a_page_goes_before_updates_and_tickets_that_wait_for_the_same_channel(world: Making) -> None:
    w = await world(SETTINGS)

    def tell(tx: Tx) -> None:
        for number, purpose in enumerate(["ticket", "update", "escalation", "page"] * 2):
            paging.tell(
                tx, subject="INC-1", channel="ana/mail", purpose=purpose, title=purpose, body="", key=f"k{number}"
            )

    await w.store.write(tell)
    claimed: list[str] = []
    while found := await w.store.write(
        jobs.claim_in_lanes, me="me", lease=minutes(1), most=8, each=lambda _: 2, busy={}
    ):  # fmt: skip
        claimed += sorted(str(job.payload["purpose"]) for job in found)
    assert claimed == ["page", "page", "escalation", "escalation", "update", "update", "ticket", "ticket"]


@pytest.mark.parametrize("others", [True, False])
async def test_the_log_shows_what_answers_a_page_only_where_there_is_nothing_else(world: Making, others: bool) -> None:
    people = roster("ana").people if others else {"ana": Person(handle="ana", name="Ana")}
    chains = policy("platform", (0, "ana")) if not others else policy("platform", (0, "fay"))
    fay = Person(handle="fay", name="Fay")
    settings = replace(SETTINGS, roster=Roster(people={**people, "fay": fay}), escalations=chains)
    w = await world(settings)
    await w.send(w.firing())

    (one,) = [n for n in w.post.sent if n.channel == "log"]
    assert ("/a/" in one.body) == (not others)
    assert "http://incidentd.example.org/incidents/INC-1" in one.body


async def test_two_channels_that_fall_back_on_each_other_wait_as_long_as_each_wants(world: Making) -> None:
    ana = replace(person("ana"), channels=(channel("ana/mail", ChannelKind.MAIL), channel("ana/chat")))
    by = ((timedelta(0), (ChannelKind.MAIL,)), (timedelta(seconds=1), (ChannelKind.CHAT,)))
    chain = Chain(levels=(Level(after=timedelta(0), page=Target(person="ana"), by=by),))
    policies = {"platform": EscalationPolicy(name="platform", chains={"business_critical": chain, "urgent": chain})}
    w = await world(replace(SETTINGS, roster=Roster(people={"ana": ana}), escalations=policies))
    asked: list[str] = []

    class Refusing(Post):
        async def send(self, n: Notification) -> None:
            asked.append(n.channel)
            raise TemporaryError("its circuit is open", retry_after=minutes(10), tried=False)

    w.post = w.doors.notifier = Refusing()
    for number in range(3):
        await w.send(w.firing("Down", service=f"s{number}"), group=f"{{}}:{{{number}}}")
    await w.at(9)

    # twelve messages, each asked for once or twice; they had asked for one another without an end
    assert len(asked) < 30
