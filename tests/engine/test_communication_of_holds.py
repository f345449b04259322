"""Channels follow what is held, and go on with the incident that it becomes: nothing twice, nothing left out."""

from dataclasses import replace
from datetime import timedelta

import pytest

from incidentd.engine import commands, lifecycle
from incidentd.errors import TemporaryError
from incidentd.matchers import parse_matcher
from incidentd.oncall import ChannelKind, Team
from incidentd.pages import Notification
from incidentd.rehearsal.world import World
from incidentd.rules import Decide, SeverityRule
from incidentd.settings import Settings
from incidentd.store import jobs
from incidentd.updates import CADENCES, Audience, AudiencePlan, UpdateSettings
from tests.engine.test_communication import ANA, SETTINGS, channel, followed, note, posts
from tests.engine.world import Making, make_world, minutes

LAG = SeverityRule(
    name="lag", match=(parse_matcher("alertname=Lag"),), decide=Decide.HOLD, severity="sev3", urgency="urgent",
    page="platform", teams=("shop",),
)  # fmt: skip
HELD = replace(
    SETTINGS, rules=(LAG,), communication=followed('severity="sev3"'),
    roster=replace(SETTINGS.roster, teams={"shop": Team(name="shop", people=("ana", "ben"), channel="shop-room")}),
    channels={name: channel(name) for name in ("ops", "shop-room", "staff")},
)  # fmt: skip
ROOMS = ("ops", "shop-room")


async def held(world: Making, settings: Settings = HELD) -> World:
    w = await world(settings)
    await w.send(w.firing("Lag", service="mail"))
    return w


async def test_a_hold_is_told_of_in_the_rooms_of_its_severity_and_of_its_team(world: Making) -> None:
    w = await held(world)
    for room in ROOMS:
        (opened,) = posts(w, room)
        assert opened.title.startswith("[SEV3] HOLD-1 holding: ")
        assert "Status: HOLD-1 | sev3 | holding | declares at 14:30:00 UTC unless there is progress" in opened.body
        assert "Document: http://incidentd.example.org/holds/HOLD-1" in opened.body
    await w.at(3)
    await note(w, "half of the queue is gone", "HOLD-1")
    await note(w, "the consumer runs", "HOLD-1")
    await w.at(4)
    for room in ROOMS:
        _, progress = posts(w, room)
        assert "half of the queue is gone" in progress.body
        assert "the consumer runs" in progress.body
        assert "declares at 14:33:00 UTC" in progress.body


async def test_the_end_of_a_hold_is_said_once_and_then_nothing_more(world: Making) -> None:
    w = await held(world)
    await w.do(commands.stand_down_hold, 1, actor=ANA, reason="a test of the disks")
    await w.at(2)
    for room in ROOMS:
        _, ended = posts(w, room)
        assert "a test of the disks" in ended.body
        assert "HOLD-1 is closed; no more of it is posted here" in ended.body
        assert "Status: " not in ended.body
    await note(w, "written afterwards", "HOLD-1")
    await w.at(10)
    assert [len(posts(w, room)) for room in ROOMS] == [2, 2]


async def test_an_incident_goes_on_where_its_hold_was_followed_and_repeats_nothing(world: Making) -> None:
    w = await held(world)
    await w.at(2)
    await note(w, "said just before", "HOLD-1")
    await w.do(commands.declare_hold, 1, actor=ANA, reason="customers call")
    await w.at(5)
    for room in ROOMS:
        first, declared = posts(w, room)
        assert declared.title.startswith("[SEV3] INC-1 (until now HOLD-1) declared: ")
        assert declared.body.count("said just before") == 1
        assert declared.body.count("customers call") == 1
        assert "Status: INC-1 | sev3 | declared | Incident Commander: ana" in declared.body
        assert "sev3: " in first.body
        assert "sev3: " not in declared.body
        assert "HOLD-1 is declared" not in declared.body
    assert [n for n in w.post.sent if n.channel == "shop-room" and n.purpose == "update"] == []
    await note(w, "and on it goes")
    await w.at(7)
    assert all("and on it goes" in posts(w, room)[-1].body for room in ROOMS)


async def test_a_room_that_nothing_of_the_hold_reached_is_told_all_of_it_by_the_incident(world: Making) -> None:
    w = await world(HELD)
    w.post.failures = {"ops": TemporaryError("down", retry_after=minutes(5))}
    await w.send(w.firing("Lag", service="mail"))
    await w.do(commands.declare_hold, 1, actor=ANA, reason="customers call")
    w.post.failures = {}
    await w.at(12)
    told = "\n".join(n.body for n in posts(w))
    assert told.count("Holding: ") == 1
    assert told.count("customers call") == 1


@pytest.mark.parametrize("follows", [True, False])
async def test_a_team_reads_once_that_something_was_declared(world: Making, *, follows: bool) -> None:
    money = replace(LAG, decide=Decide.DECLARE, urgency="business_critical")
    w = await held(world, replace(HELD, rules=(money,), communication=followed(channels=ROOMS[: 1 + follows])))
    told = [n for n in w.post.sent if n.channel == "shop-room"]
    assert [n.purpose for n in told] == (["timeline"] if follows else ["update"])


async def test_who_does_not_want_holds_followed_says_so(world: Making) -> None:
    w = await held(world, replace(HELD, communication=followed(holds=False)))
    assert [posts(w, room) for room in ROOMS] == [[], []]
    await w.do(commands.declare_hold, 1, actor=ANA, reason="customers call")
    (declared,) = posts(w)
    assert "INC-1 declared: " in declared.title
    assert "Holding: " not in declared.body
    assert [n.purpose for n in w.post.sent if n.channel == "shop-room"] == ["update"]


@pytest.mark.parametrize("dies", ["as it declares", "while it is sent"])
async def test_a_crash_between_hold_and_incident_loses_and_repeats_nothing(store_url: str, dies: str) -> None:
    w = await make_world(store_url, HELD)
    await w.send(w.firing("Lag", service="mail"))
    await note(w, "said just before", "HOLD-1")
    await w.store.write(commands.declare_hold, HELD, 1, actor=ANA, reason="customers call")
    if dies == "while it is sent":
        while await w.engine.watch_one():
            pass
        await w.store.write(jobs.claim, jobs.NOTIFY, me="dead", lease=minutes(1), most=9)
    await w.store.close()
    again = await make_world(store_url, HELD, clock=w.clock)
    await again.store.write(jobs.release_all)
    await again.at(4)
    told = [*posts(w), *posts(again)]
    assert sum(n.body.count("said just before") for n in told) == 1
    assert sum(n.body.count("customers call") for n in told) == 1
    await again.store.close()


# -- how it stands ---------------------------------------------------------------------------------------------------


def promised() -> Settings:
    inside = AudiencePlan(channels=("staff",), cadences=CADENCES[Audience.INTERNAL])
    return replace(SETTINGS, channels=HELD.channels, updates=UpdateSettings(audiences={Audience.INTERNAL: inside}))


async def test_a_line_says_how_it_stands_when_it_stands_otherwise_and_only_then(world: Making) -> None:
    w = await world(promised())
    await w.do(commands.declare_incident, actor=ANA, title="it is slow", severity="sev1")
    assert statuses(posts(w)) == [
        "Status: INC-1 | sev1 | declared | Incident Commander: ana | next update: internal by 14:15:00 UTC"
    ]
    await note(w, "looking at the disks")
    await w.at(1)
    assert len(posts(w)) == 2
    assert len(statuses(posts(w))) == 1
    await w.do(lifecycle.identify, 1, actor=ANA, cause="the disks are full", admin=True)
    await w.do(lifecycle.mitigate, 1, actor=ANA, note="they are not any more", admin=True)
    await w.at(2)
    assert len(posts(w)) == 3  # two changes within half a minute are one line
    assert statuses(posts(w)[2:]) == [
        "Status: INC-1 | sev1 | mitigated | Incident Commander: ana | next update: internal by 14:15:00 UTC"
    ]


async def test_a_promise_that_is_late_is_said_to_be(world: Making) -> None:
    w = await world(replace(promised(), channels={**HELD.channels, "ops": channel("ops", ChannelKind.SMS)}))
    await w.do(commands.declare_incident, actor=ANA, title="it is slow", severity="sev1")
    await w.at(20)
    await w.do(lifecycle.identify, 1, actor=ANA, cause="the disks are full", admin=True)
    await w.at(21)
    late = "Status: INC-1 | sev1 | identified | Incident Commander: ana | next update: internal was due at 14:15:00 UTC"
    assert statuses(posts(w))[-1] == late


def statuses(told: list[Notification]) -> list[str]:
    return [line for n in told for line in n.body.split("\n") if line.startswith("Status: ")]


async def test_the_first_message_says_what_fixed_the_last_incident_of_the_kind(world: Making) -> None:
    w = await world(SETTINGS)
    await w.send(w.firing("CheckoutDown", service="checkout"))
    await w.do(lifecycle.identify, 1, actor=ANA, cause="a full disk", admin=True)
    await w.do(lifecycle.resolve, 1, actor=ANA, note="logs were removed", admin=True)
    await w.send(w.resolved("CheckoutDown", service="checkout"))
    await w.at(timedelta(days=3) / timedelta(minutes=1))
    before = len(posts(w))
    await w.send(w.firing("CheckoutDown", service="checkout"))
    first = posts(w)[before]
    assert "Like INC-1 of 2026-11-24: cause: a full disk; what fixed it: logs were removed" in first.body
