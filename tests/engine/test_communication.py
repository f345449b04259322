"""Channels follow incidents: what is new comes as one message, once, whatever is down or dies meanwhile."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from incidentd import document
from incidentd.communication import CommunicationSettings, Route
from incidentd.engine import commands, communication, course, lifecycle, merging
from incidentd.errors import BadRequest, Conflict, IncidentdError, NotFound, PermanentError, TemporaryError
from incidentd.holds import Turn
from incidentd.matchers import parse_matcher
from incidentd.oncall import Channel, ChannelKind
from incidentd.pages import Notification
from incidentd.redaction import Secret
from incidentd.rehearsal.world import World
from incidentd.rules import CATCH_ALL, Decide, SeverityRule
from incidentd.settings import Retention, Settings
from incidentd.store import Tx, chain, facts, followers, jobs, retention
from incidentd.timeline import INCIDENTD, Actor, Draft
from tests.engine.world import Making, make_world, minutes, policy, roster

ANA = Actor(name="ana", via="api")
MONEY = SeverityRule(
    name="money", match=(), decide=Decide.DECLARE, severity="sev1", urgency="business_critical", page="platform"
)
DOWN = TemporaryError("channel down", retry_after=minutes(5))


def channel(name: str, kind: ChannelKind = ChannelKind.CHAT) -> Channel:
    return Channel(name=name, kind=kind, url=Secret(f"json://127.0.0.1:9/{name}"))


def followed(*matchers: str, channels: tuple[str, ...] = ("ops",), **how: object) -> CommunicationSettings:
    route = Route(channels=channels, match=tuple(parse_matcher(text) for text in matchers))
    return replace(CommunicationSettings(routes=(route,)), **how)  # type: ignore[arg-type]


SETTINGS = Settings(
    external_url="http://incidentd.example.org", rules=(MONEY, CATCH_ALL), roster=roster("ana", "ben"),
    escalations=policy("platform", (0, "ana"), (50_000, "ben")),
    channels={name: channel(name) for name in ("ops", "payments", "spare")}, communication=followed(),
)  # fmt: skip


def posts(w: World, name: str = "ops") -> list[Notification]:
    return [n for n in w.post.sent if n.channel == name and n.purpose == communication.PURPOSE]


async def note(w: World, text: str, subject: str = "INC-1") -> None:
    await w.do(commands.add_note, subject, actor=ANA, text=text)


async def test_the_first_message_says_at_once_what_it_is_all_about(world: Making) -> None:
    w = await world(SETTINGS)
    await w.send(w.firing("CheckoutDown", service="checkout"))

    (first,) = posts(w)
    assert first.title.startswith("[SEV1] INC-1 declared: ")
    assert first.key == "INC-1/ops/1-" + first.key.rpartition("-")[2]
    assert "Document: http://incidentd.example.org/incidents/INC-1" in first.body
    assert "Incident Commander: " in first.body
    assert "14:00:00 UTC Declared at once. " in first.body
    assert "Sent to ana/mail" not in first.body


async def test_the_first_message_brings_the_links_of_the_alert_and_no_others(world: Making) -> None:
    w = await world(SETTINGS)
    notes = {
        "runbook_url": "https://wiki.example.org/checkout", "dashboard_url": "javascript:alert(1)",
        "dashboard": "https://grafana.example.org/d/abc?var-service=checkout",
    }  # fmt: skip
    alert = w.firing("CheckoutDown") | {
        "annotations": notes,
        "generatorURL": "http://prom.example.org/graph?g0.expr=up",
    }
    await w.send(alert)
    (first,) = posts(w)
    assert "Runbook: https://wiki.example.org/checkout" in first.body
    dashboard = "Dashboard: https://grafana.example.org/d/abc?var-service=checkout&from="
    assert f"{dashboard}{round((w.start - minutes(30)).timestamp() * 1000)}&to=now" in first.body
    assert "Query: http://prom.example.org/graph?g0.expr=up&g0.range_input=2h" in first.body
    assert "javascript" not in first.body


async def test_what_happens_within_half_a_minute_comes_as_one_message(world: Making) -> None:
    w = await world(SETTINGS)
    await w.send(w.firing())
    await w.at(1)
    for number in range(3):
        await note(w, f"look number {number}")
    assert len(posts(w)) == 1
    await w.at(1.4)
    assert len(posts(w)) == 1
    await w.at(1.5)

    _, second = posts(w)
    assert second.body.count("look number") == 3
    await w.at(4)
    assert len(posts(w)) == 2  # that a message was posted is no news


async def test_more_lines_than_a_message_holds_are_counted(world: Making) -> None:
    w = await world(replace(SETTINGS, communication=followed(lines=2)))
    await w.send(w.firing())
    await w.at(1)
    for number in range(5):
        await note(w, f"look number {number}")
    await w.at(2)

    body = posts(w)[-1].body
    assert "look number 3" in body
    assert "look number 2" not in body
    assert "3 earlier entries: http://incidentd.example.org/incidents/INC-1" in body


@pytest.mark.slow
async def test_a_channel_that_was_away_for_six_hours_gets_one_message_and_holds_up_nobody(world: Making) -> None:
    w = await world(replace(SETTINGS, communication=followed(channels=("ops", "payments"))))
    w.post.failures = {"ops": DOWN}
    await w.send(w.firing())
    for number in range(36):
        await w.at(number * 10 + 5)
        await note(w, f"look number {number}.")
    await w.at(360)
    assert len(posts(w, "payments")) == 37
    assert await w.store.read(waiting) <= 1
    w.post.failures = {}
    await w.at(370)

    (only,) = posts(w)
    assert "Document: " in only.body
    assert "look number 35." in only.body
    assert "earlier entries" in only.body
    assert not only.repeat
    await note(w, "and on it goes")
    await w.at(372)
    assert "look number 35." not in posts(w)[-1].body
    assert "and on it goes" in posts(w)[-1].body


def waiting(tx: Tx) -> int:
    return len(followers.posts(tx, "INC-1"))


async def test_what_may_have_arrived_is_sent_again_as_it_was_and_the_rest_follows(world: Making) -> None:
    w = await world(SETTINGS)
    w.post.failures = {"ops": TemporaryError("no answer", maybe_done=True, retry_after=minutes(5))}
    await w.send(w.firing())
    await w.at(1)
    await note(w, "said meanwhile")
    await w.at(3)
    w.post.failures = {}
    await w.at(12)

    first, second = posts(w)
    assert first.repeat
    assert "said meanwhile" not in first.body
    assert "said meanwhile" in second.body
    assert not second.repeat


async def test_what_is_refused_is_part_of_the_next_message(world: Making) -> None:
    w = await world(SETTINGS)
    w.post.failures = {"ops": PermanentError("404 no such room")}
    await w.send(w.firing())
    await w.at(4)
    assert "Could not post to ops: 404 no such room. It is told with what happens next." in await w.story("INC-1")
    assert len([kind for kind in await w.kinds("INC-1") if kind == "channel.failed"]) == 1
    w.settings = replace(SETTINGS)
    await w.engine.begin()  # with new files it is tried again, since they may have mended it
    await w.settle()
    assert (await w.kinds("INC-1")).count("channel.failed") == 2
    w.post.failures = {}
    await note(w, "the room is there")
    await w.at(6)

    first = posts(w)[0]
    assert "Declared at once." in first.body
    assert "the room is there" in first.body


class Once(dict[str, IncidentdError]):
    """Failures that happen once."""

    def __getitem__(self, name: str) -> IncidentdError:
        return self.pop(name)


@pytest.mark.parametrize("takes_the_next", [True, False])
async def test_what_waited_behind_a_message_that_is_refused_is_posted_then(
    world: Making, *, takes_the_next: bool
) -> None:
    """Nothing else happens to an incident that is over; and a room that refuses all is not asked again and again."""
    w = await world(SETTINGS)
    w.post.failures = {"ops": TemporaryError("no answer", maybe_done=True, retry_after=minutes(5))}
    await w.do(commands.declare_incident, actor=ANA, title="it is slow", severity="sev3")
    await w.at(2)
    await w.do(lifecycle.stand_down, 1, actor=ANA, code="false_positive", text="nothing was wrong", admin=True)
    await w.at(4)
    refused: dict[str, IncidentdError] = {"ops": PermanentError("400 not this one")}
    w.post.failures = Once(refused) if takes_the_next else refused
    await w.at(12)
    assert [n.body.count("no more of it is posted here") for n in posts(w)] == [1] * takes_the_next
    assert (await w.kinds("INC-1")).count("channel.failed") == (1 if takes_the_next else 2)
    await w.at(60)
    assert len(posts(w)) == takes_the_next
    assert await w.store.read(waiting) == 0


async def test_routes_choose_by_severity_team_and_rule_and_leave_drills_out(world: Making) -> None:
    plan = CommunicationSettings(
        routes=(
            Route(channels=("ops",), match=(parse_matcher('severity=~"sev1|sev2"'),)),
            Route(channels=("payments",), match=(parse_matcher('team="payments"'), parse_matcher("rule!=x"))),
            Route(channels=("spare",), match=(parse_matcher('drill="true"'),)),
        )
    )
    w = await world(replace(SETTINGS, communication=plan))
    for severity, drill in (("sev1", False), ("sev3", False), ("sev1", True)):
        await w.do(commands.declare_incident, actor=ANA, title="it is slow", severity=severity, drill=drill)
    assert [n.title.split()[1] for n in posts(w)] == ["INC-1"]
    assert posts(w, "payments") == []
    assert [n.title.split()[1] for n in posts(w, "spare")] == ["INC-3"]

    await w.do(lifecycle.set_severity, 2, actor=ANA, severity="sev1", reason="money is lost", admin=True)
    await w.at(1)
    assert [n.title.split()[1] for n in posts(w)] == ["INC-1", "INC-2"]  # raised, it is the business of the room too
    assert "money is lost" in posts(w)[-1].body


async def test_an_end_is_said_and_then_nothing_more(world: Making) -> None:
    w = await world(SETTINGS)
    await w.do(commands.declare_incident, actor=ANA, title="it is slow", severity="sev3")
    await w.at(1)
    await w.do(lifecycle.stand_down, 1, actor=ANA, code="false_positive", text="nothing was wrong", admin=True)
    await w.at(2)
    said = posts(w)[-1]
    assert said.title.startswith("[SEV3] INC-1 stood down: ")
    assert "INC-1 is stood down; no more of it is posted here" in said.body
    number = len(posts(w))
    await note(w, "written afterwards")
    await w.at(60)
    assert len(posts(w)) == number

    await w.do(lifecycle.reopen, 1, actor=ANA, reason="it was wrong after all", admin=True)
    await w.at(61)
    assert "written afterwards" in posts(w)[-1].body
    assert "it was wrong after all" in posts(w)[-1].body


async def test_a_small_screen_gets_the_last_three_lines(world: Making) -> None:
    w = await world(replace(SETTINGS, channels={"ops": channel("ops", ChannelKind.SMS)}))
    await w.send(w.firing())
    await w.at(1)
    for number in range(5):
        await note(w, f"look number {number} " + "x" * 500)
    await w.at(2)
    body = posts(w)[-1].body
    assert body.count("look number") == 3
    assert "2 earlier entries" in body
    assert len(body) < 700


async def test_a_graph_is_posted_as_its_address(world: Making) -> None:
    w = await world(SETTINGS)
    await w.send(w.firing())
    draft = Draft("graph.drawn", "Graph 1 is drawn from here on: queue length.", {"graph": 1})
    await w.store.write(chain.append, "INC-1", INCIDENTD, [draft])
    await w.at(1)
    assert "queue length. http://incidentd.example.org/incidents/INC-1/graphs/1" in posts(w)[-1].body


async def test_the_document_is_not_filled_with_what_was_posted_of_it(world: Making) -> None:
    w = await world(SETTINGS)
    await w.send(w.firing())
    await note(w, "look here")
    await w.at(1)
    assert "channel.posted" in await w.kinds("INC-1")
    shown = document.render(await w.store.read(facts.incident_facts, w.settings, 1))
    assert "look here" in shown
    assert "were posted to" not in shown


async def test_what_is_pruned_is_followed_no_more(world: Making) -> None:
    w = await world(replace(SETTINGS, retention=Retention(closed=timedelta(days=30))))
    await w.store.write(retention.keep_pruning)
    await w.do(commands.declare_incident, actor=ANA, title="it is slow", severity="sev4")
    await w.do(lifecycle.stand_down, 1, actor=ANA, code="false_positive", text="nothing was wrong", admin=True)
    await w.at(2)
    assert list(await w.store.read(followers.of, "INC-1")) == ["ops"]
    for day in (30.5, 31.5):
        w.clock[0] = w.start + timedelta(days=day)
        await w.settle()
    assert await w.entries("INC-1") == ()
    assert await w.store.read(followers.of, "INC-1") == {}


async def test_merged_incidents_point_to_each_other(world: Making) -> None:
    w = await world(SETTINGS)
    for title in ("it is slow", "it is broken"):
        await w.do(commands.declare_incident, actor=ANA, title=title, severity="sev1")
    await w.at(1)
    before = len(posts(w))
    await w.do(merging.merge, 2, into=1, actor=ANA, admin=True)
    await w.at(1.9)

    of = {n.title.split()[1]: n for n in posts(w)[before:]}
    assert len(posts(w)) == before + 2
    assert "http://incidentd.example.org/incidents/INC-1" in of["INC-2"].body
    assert "no more of it is posted here" in of["INC-2"].body
    assert of["INC-1"].body.count("http://incidentd.example.org/incidents/INC-2") == 1
    assert "it is broken" in of["INC-1"].body


async def test_the_channels_of_what_is_merged_follow_the_survivor(world: Making) -> None:
    w = await world(replace(SETTINGS, communication=followed('service="checkout"')))
    for name in ("checkout", "mail"):
        await w.do(commands.declare_incident, actor=ANA, title=f"{name} is down", severity="sev2", service=name)
    for name in ("payments", "spare"):
        await w.do(communication.add_channel, 1, name, actor=ANA)
    await w.do(communication.add_channel, 2, "spare", actor=ANA)
    await w.do(communication.remove_channel, 2, "spare", actor=ANA)
    await w.do(merging.merge, 1, into=2, actor=ANA)

    listed = await w.store.read(communication.listed, w.settings, 2)
    # somebody had enough of this one in spare
    assert {it.channel: it.is_on for it in listed} == {"ops": True, "payments": True, "spare": False}
    for name in ("ops", "payments"):
        assert posts(w, name)[-1].title.startswith("[SEV2] INC-2 ")

    await w.do(merging.unmerge, 1, actor=ANA)
    await w.at(1)
    told = len(posts(w, "payments"))
    assert "Taken out of INC-2 by ana." in posts(w, "payments")[-1].body
    await note(w, "the queue of mail is full", "INC-2")
    await w.at(2)
    assert len(posts(w, "payments")) == told
    listed = await w.store.read(communication.listed, w.settings, 2)
    assert {it.channel: it.is_on for it in listed} == {"spare": False}
    assert "payments follows this no more, says ana." in await w.story("INC-2")

    await w.do(merging.merge, 1, into=2, actor=ANA)
    await w.at(3)
    again = {n.title.split()[1] for n in posts(w, "payments")[told:]}
    assert again == {"INC-1", "INC-2"}, "nobody had enough of it there"
    assert await follow(w, 2) == {"ops", "payments"}


async def test_a_channel_stays_with_the_survivor_that_has_it_for_another_reason_as_well(world: Making) -> None:
    """Somebody added it meanwhile, a route gives it by now, or another part of the survivor is followed there too."""
    w = await world(replace(SETTINGS, communication=CommunicationSettings()))
    for number in (1, 2, 3):
        await w.do(commands.declare_incident, actor=ANA, title=f"{number} is down", severity="sev2")
    for number, names in ((1, ("ops", "payments", "spare")), (2, ("payments",))):
        for name in names:
            await w.do(communication.add_channel, number, name, actor=ANA)
    for number in (1, 2):
        await w.do(merging.merge, number, into=3, actor=ANA)
    await w.at(1)
    await w.do(communication.remove_channel, 3, "spare", actor=ANA)
    await w.do(communication.add_channel, 3, "spare", actor=ANA)
    w.settings = replace(w.settings, communication=followed())
    await w.do(merging.unmerge, 1, actor=ANA)
    assert await follow(w, 3) == {"ops", "payments", "spare"}

    w.settings = replace(w.settings, communication=CommunicationSettings())
    await w.do(merging.unmerge, 2, actor=ANA)
    assert await follow(w, 3) == {"ops", "spare"}, "payments was there because of INC-2 in the end"


async def test_a_channel_that_came_a_long_way_goes_back_all_of_it_unless_it_was_added_on_the_way(world: Making) -> None:
    w = await world(replace(SETTINGS, communication=CommunicationSettings()))
    for number in (1, 2, 3):
        await w.do(commands.declare_incident, actor=ANA, title=f"{number} is down", severity="sev2")
    for name in ("payments", "spare"):
        await w.do(communication.add_channel, 1, name, actor=ANA)
    await w.do(merging.merge, 1, into=2, actor=ANA)
    await w.at(1)
    await w.do(communication.remove_channel, 2, "spare", actor=ANA)
    await w.do(communication.add_channel, 2, "spare", actor=ANA)
    await w.do(merging.merge, 2, into=3, actor=ANA)
    assert await follow(w, 3) == {"payments", "spare"}
    await w.do(merging.unmerge, 1, actor=ANA)
    assert await follow(w, 3) == {"spare"}
    await w.do(merging.unmerge, 2, actor=ANA)
    assert [await follow(w, number) for number in (1, 2, 3)] == [{"payments", "spare"}, {"spare"}, set()]


async def follow(w: World, number: int) -> set[str]:
    """Name the channels that are told of an incident."""
    return {it.channel for it in await w.store.read(communication.listed, w.settings, number) if it.is_on}


async def test_a_channel_of_one_incident_gets_the_summary_so_far_once(world: Making) -> None:
    w = await world(replace(SETTINGS, communication=CommunicationSettings()))
    await w.do(commands.declare_incident, actor=ANA, title="it is slow", severity="sev3")
    await note(w, "said before")
    await w.at(1)
    assert posts(w, "spare") == []
    assert chain.FOLLOWED not in await w.store.read(kinds_of_jobs)
    for _ in range(2):
        await w.do(communication.add_channel, 1, "spare", actor=ANA)

    (summary,) = posts(w, "spare")
    assert "Document: " in summary.body
    assert "said before" in summary.body
    assert (await w.kinds("INC-1")).count("channel.added") == 1
    (it,) = await w.store.read(communication.listed, w.settings, 1)
    assert (it.channel, it.added_by, it.is_on, it.under_way) == ("spare", "ana", True, False)

    await w.do(communication.remove_channel, 1, "spare", actor=ANA)
    await note(w, "not for the room")
    await w.at(5)
    assert len(posts(w, "spare")) == 1
    await w.do(communication.add_channel, 1, "spare", actor=ANA)
    _, again = posts(w, "spare")
    assert "not for the room" in again.body
    assert "Document: " not in again.body


def kinds_of_jobs(tx: Tx) -> list[str]:
    return list(tx.conn.exec_driver_sql("SELECT kind FROM job").scalars())


async def test_a_channel_that_somebody_removed_stays_removed_whatever_the_routes_say(world: Making) -> None:
    w = await world(SETTINGS)
    w.post.failures = {"ops": DOWN}
    await w.send(w.firing())
    await w.do(communication.remove_channel, 1, "ops", actor=ANA)
    w.post.failures = {}
    await note(w, "quiet, please")
    await w.at(30)
    assert posts(w) == []


async def test_bad_wishes_are_refused_with_what_there_is(world: Making) -> None:
    w = await world(SETTINGS)
    await w.send(w.firing())
    with pytest.raises(BadRequest, match="there are: ops, payments, spare"):
        await w.do(communication.add_channel, 1, "ana/mail\x1b[2J", actor=ANA)
    with pytest.raises(NotFound, match="not followed in 'spare'"):
        await w.do(communication.remove_channel, 1, "spare", actor=ANA)
    with pytest.raises(NotFound):
        await w.do(communication.add_channel, 9, "spare", actor=ANA)
    await w.do(lifecycle.stand_down, 1, actor=ANA, code="false_positive", text="nothing was wrong", admin=True)
    with pytest.raises(Conflict, match="unless it is reopened"):
        await w.do(communication.add_channel, 1, "spare", actor=ANA)


async def test_strangers_words_stay_words(world: Making) -> None:
    w = await world(SETTINGS)
    title = "<!channel> @everyone [click](http://evil.example) `x` \x1b[2J\u202e"
    await w.do(commands.declare_incident, actor=ANA, title=title, severity="sev1")
    await note(w, "one\nRef INC-9/forged\r\nQUIT :bye " + "x" * 5000)
    await w.at(1)

    for one in posts(w):
        for text in (one.title, one.body):
            assert not set(text) & {"\x1b", "\u202e", "\r"}
            assert "<!channel>" not in text
            assert "[click](" not in text
    assert "\nRef INC-9" not in posts(w)[-1].body
    assert len(posts(w)[-1].body) < 1000


async def test_a_hold_that_gets_worse_reaches_the_room_of_the_worse(world: Making) -> None:
    lag = replace(CATCH_ALL, name="lag", match=(parse_matcher("alertname=Lag"),), severity="sev3")
    plan = followed('severity="sev2"', holds=True)
    w = await world(replace(SETTINGS, rules=(lag, CATCH_ALL), communication=plan))
    await w.send(w.firing("Lag", service="mail"))
    assert posts(w) == []
    hold = await w.hold()
    turn = Turn(replace(hold, severity="sev2"), (Draft("hold.raised", "It is sev2 now."),))
    await w.store.write(course.carry_out, w.settings, hold, turn, INCIDENTD)
    await w.settle()
    (only,) = posts(w)
    assert "[SEV2] HOLD-1 holding" in only.title
    assert "It is sev2 now." in only.body


async def test_new_files_send_what_is_open_elsewhere_and_drop_what_is_gone(world: Making) -> None:
    w = await world(SETTINGS)
    await w.send(w.firing())
    w.settings = replace(
        SETTINGS, channels={"payments": channel("payments")}, communication=followed(channels=("payments",))
    )
    await w.engine.begin()
    await w.settle()

    assert "Document: " in posts(w, "payments")[0].body
    assert "ops is told no more: the files have no such channel." in await w.story("INC-1")
    await note(w, "here from now on")
    await w.at(2)
    assert "here from now on" in posts(w, "payments")[-1].body


@pytest.mark.parametrize("dies", ["before the deadline", "after the deadline", "while it is sent", "after it was sent"])
async def test_nothing_is_lost_and_nothing_is_posted_twice_over_a_crash(store_url: str, dies: str) -> None:
    w = await make_world(store_url, SETTINGS)
    await w.send(w.firing())
    await note(w, "said before it died")
    if dies != "before the deadline":
        w.clock[0] += minutes(1)
    if dies in ("while it is sent", "after it was sent"):
        while await w.engine.watch_one():
            pass
        (claimed,) = [
            job for job in await w.store.write(jobs.claim, jobs.NOTIFY, me="dead", lease=minutes(1), most=9)
            if job.kind == jobs.POST
        ]  # fmt: skip
        if dies == "after it was sent":
            await w.store.write(communication.sent, claimed, channel="ops", repeat=False)
    elif dies == "after the deadline":
        while await w.engine.watch_one():
            pass
    await w.store.close()
    again = await make_world(store_url, SETTINGS, clock=w.clock)
    await again.store.write(jobs.release_all)
    await again.at(4)

    told = [n for n in (*posts(w), *posts(again)) if "said before it died" in n.body]
    assert len(told) == (0 if dies == "after it was sent" else 1)
    assert await again.store.read(waiting) == 0
    texts = await again.story("INC-1")
    assert len([text for text in texts if text.startswith("Entries ")]) == 2
    await again.store.close()


@pytest.mark.slow
async def test_two_engines_post_once_between_them(postgres_store: str) -> None:
    one = await make_world(postgres_store, SETTINGS, me="one")
    two = await make_world(postgres_store, SETTINGS, me="two", clock=one.clock)
    await one.send(one.firing())
    for number in range(5):
        await note(one, f"look number {number}")
        await note(two, f"glance number {number}")
        one.clock[0] += minutes(1)
        await both_settle(one, two)
    bodies = "\n".join(n.body for w in (one, two) for n in posts(w))
    for number in range(5):
        assert bodies.count(f"look number {number}") == 1
        assert bodies.count(f"glance number {number}") == 1
    await one.store.close()
    await two.store.close()


async def both_settle(*worlds: World) -> None:
    await asyncio.gather(*(w.settle() for w in worlds))


async def test_where_nobody_follows_no_deadline_is_made(world: Making) -> None:
    w = await world(replace(SETTINGS, communication=followed('severity="sev4"')))
    await w.send(w.firing())
    await note(w, "nobody reads it")
    assert chain.FOLLOWED not in await w.store.read(kinds_of_jobs)
