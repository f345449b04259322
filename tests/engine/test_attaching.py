"""Graphs go with messages: which, to whom, when they are there, and each once, whatever fails or dies."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from incidentd.communication import CommunicationSettings, Route
from incidentd.engine import attaching, commands, communication, graphing, lifecycle, updates
from incidentd.engine.attaching import Due, Moment, chosen
from incidentd.engine.updates import Asking
from incidentd.errors import IncidentdError, PermanentError, TemporaryError
from incidentd.notify import Notifier
from incidentd.oncall import Channel, ChannelKind
from incidentd.pages import Attachment, Notification
from incidentd.redaction import Redactor, Secret
from incidentd.settings import GraphSettings, Retention, Settings
from incidentd.store import Tx, attached, graphs, jobs, retention
from incidentd.store.graphs import Drawing
from incidentd.updates import CADENCES, Audience, AudiencePlan, UpdateSettings
from tests.doors.mail_double import mail_server
from tests.doors.test_notify import LOG, threads_are_idle
from tests.doors.test_notify_irc import room
from tests.engine.test_communication import channel, followed
from tests.engine.test_communication_irc import said
from tests.engine.test_graphing import ANA, DEPTH, SETTINGS, course
from tests.engine.world import Making, World, make_world, minutes, policy

KINDS = {
    "ops": ChannelKind.CHAT, "list": ChannelKind.MAIL, "phones": ChannelKind.SMS, "watch": ChannelKind.PUSH,
}  # fmt: skip
CHANNELS = {name: channel(name, kind) for name, kind in KINDS.items()}
INSIDE, OUTSIDE = Audience.INTERNAL, Audience.EXTERNAL
PLANS = {
    INSIDE: AudiencePlan(channels=("list",), cadences=CADENCES[INSIDE]),
    OUTSIDE: AudiencePlan(channels=("list",), cadences=CADENCES[OUTSIDE]),
}
FOLLOWED = replace(
    SETTINGS, channels=CHANNELS, communication=followed(channels=tuple(KINDS), holds=True),
    updates=UpdateSettings(audiences=PLANS),
)  # fmt: skip
BOTH = ["INC-1-graph-1.png", "INC-1-graph-4.png"]


def sent(w: World, name: str, about: str = "INC-1") -> list[Notification]:
    """Give what a channel got about something: posts have its key, and other messages name it."""
    there = [n for n in w.post.sent if n.channel == name]
    posts = [n for n in there if n.purpose == communication.PURPOSE]
    return [n for n in there if (n.key.startswith(f"{about}/") if n in posts else about in n.title)]


def shown(w: World, name: str, about: str = "INC-1") -> list[list[str]]:
    """Name what went with each message to a channel."""
    return [[it.name for it in n.pictures] for n in sent(w, name, about)]


def with_some(w: World, name: str, about: str = "INC-1") -> list[list[str]]:
    return [names for names in shown(w, name, about) if names]


async def declared(world: Making, settings: Settings = FOLLOWED, *, failure: IncidentdError | None = None) -> World:
    w = await world(settings)
    w.numbers.failure = failure
    w.numbers.rules = {"QueueLag": "queue_lag_seconds > 30"}
    w.numbers.drawn = {"queue_lag_seconds{}": course(10, 40, 50, queue="mail"), DEPTH: course(100, 110)}
    await w.send(w.firing("QueueLag", queue="mail"))
    await w.at(20)
    return w


async def note(w: World, text: str) -> None:
    await w.do(commands.add_note, "INC-1", actor=ANA, text=text)
    await w.until(w.now + timedelta(minutes=1))


@pytest.mark.slow
async def test_a_declaration_is_shown_to_rooms_and_mailboxes_once(world: Making) -> None:
    w = await declared(world)
    await w.at(22)
    for number in range(3):
        await note(w, f"look {number}")
    assert with_some(w, "ops") == with_some(w, "list") == [BOTH]
    assert with_some(w, "phones") == with_some(w, "watch") == []
    (message,) = (n for n in sent(w, "ops") if n.pictures)
    assert Image.open(BytesIO(message.pictures[0].png)).format == "PNG"


@pytest.mark.slow
async def test_no_message_waits_for_a_picture_which_goes_with_the_next_one(world: Making) -> None:
    w = await declared(world, failure=TemporaryError("prometheus is away"))
    first = sent(w, "ops")
    assert [n.pictures for n in first] == [()]
    assert w.post.when[w.post.sent.index(first[0])] == w.now  # when it was declared
    await w.at(30)
    assert with_some(w, "ops") == []
    w.numbers.failure = None
    await w.at(50)
    await note(w, "still slow")
    assert with_some(w, "ops") == [BOTH]


@pytest.mark.slow
async def test_what_is_mitigated_is_shown_as_it_is_then(world: Making) -> None:
    w = await declared(world)
    await w.at(25)
    await w.do(lifecycle.mitigate, 1, actor=ANA, note="rolled back", admin=True)
    await w.at(27)
    assert with_some(w, "ops") == [BOTH, BOTH]
    before, after = (n.pictures[0].png for n in sent(w, "ops") if n.pictures)
    assert before != after


@pytest.mark.slow
async def test_a_hold_that_is_followed_shows_what_it_watches(world: Making) -> None:
    w = await declared(world)
    assert with_some(w, "ops", "HOLD-1") == [["HOLD-1-graph-1.png", "HOLD-1-graph-4.png"]]
    assert "14:00 held" in await w.store.read(graphs.picture, "HOLD-1", 1)
    assert [it.number for it in await w.store.read(graphs.of, "HOLD-1")] == [1, 4]
    drawn = {it.at for it in await w.store.read(graphs.of, "HOLD-1")}
    await w.at(200)
    assert {it.at for it in await w.store.read(graphs.of, "HOLD-1")} == drawn  # what it became is drawn instead


@pytest.mark.slow
async def test_a_page_by_mail_has_them_when_they_are_there(world: Making) -> None:
    w = await declared(world, replace(FOLLOWED, escalations=policy("platform", (0, "ana"), (10, "ben"))))
    await w.at(50)
    calls = [n for n in w.post.sent if n.page and n.channel == "ben/mail"]
    of_hold = [n.pictures[0].name for n in calls if n.pictures and "HOLD-1" in n.title]
    of_incident = [[it.name for it in n.pictures] for n in calls if n.pictures and "INC-1" in n.title]
    assert of_hold == ["HOLD-1-graph-1.png"]
    assert of_incident == [BOTH]  # which was called for twice more
    # at once, before anything was drawn; where ben is called in that very moment, that call says it as well
    assert {n.pictures for n in calls if "Declared" in n.title} <= {()}


@pytest.mark.slow
async def test_an_update_has_them_inside_and_has_nothing_of_the_kind_outside(world: Making) -> None:
    w = await declared(world, replace(FOLLOWED, communication=CommunicationSettings()))
    await w.at(26)
    for audience in (INSIDE, OUTSIDE):
        asking = Asking(actor=ANA, admin=True)
        await w.do(updates.send_update, 1, audience=audience, asking=asking, text="Mail is late.")
    inside, outside = [n for n in w.post.sent if n.channel == "list"][-2:]
    assert [it.name for it in inside.pictures] == BOTH
    assert outside.pictures == ()


@pytest.mark.slow
async def test_what_surely_did_not_arrive_is_shown_with_a_later_message(world: Making) -> None:
    w = await declared(world, failure=TemporaryError("prometheus is away"))
    w.numbers.failure = None
    w.post.failures = {"ops": TemporaryError("it is down", retry_after=minutes(1))}
    await w.at(30)
    await note(w, "still slow")
    assert with_some(w, "ops") == []
    w.post.failures = {}
    await w.at(36)
    assert with_some(w, "ops") == [BOTH]

    w.post.failures = {"ops": PermanentError("404 no such room")}
    await w.do(lifecycle.mitigate, 1, actor=ANA, note="rolled back", admin=True)
    await w.at(38)
    w.post.failures = {}
    await note(w, "it is back")
    assert with_some(w, "ops") == [BOTH, BOTH]


@pytest.mark.slow
async def test_what_may_have_arrived_is_never_shown_twice(world: Making) -> None:
    w = await declared(world, failure=TemporaryError("prometheus is away"))
    w.numbers.failure = None
    w.post.failures = {"ops": TemporaryError("no answer", maybe_done=True, retry_after=minutes(1))}
    await w.at(22)
    w.post.failures = {}
    await w.at(26)
    await note(w, "still slow")
    assert [n.repeat for n in sent(w, "ops")][:2] == [False, True]
    assert with_some(w, "ops") == []


class Dying:
    """Dies with a message in hand, which may have left."""

    def __init__(self) -> None:
        self.held: list[Notification] = []

    async def send(self, n: Notification) -> None:
        self.held.append(n)
        raise asyncio.CancelledError


@pytest.mark.slow
async def test_a_restart_between_sends_the_words_again_and_no_second_picture(store_url: str, world: Making) -> None:
    plan = followed(channels=("ops",))
    w = await declared(world, replace(FOLLOWED, communication=plan), failure=TemporaryError("away"))
    w.numbers.failure = None
    w.doors.notifier = dying = Dying()
    await w.at(21.6)
    await w.store.close()

    again = await make_world(store_url, w.settings, me="again", clock=w.clock)
    await again.engine.begin()
    await again.until(again.now + minutes(5))
    (lost,) = (n for n in dying.held if n.channel == "ops" and n.pictures)
    assert [it.name for it in lost.pictures] == BOTH
    (found,) = (n for n in again.post.sent if n.key == lost.key)
    assert (found.repeat, found.pictures) == (True, ())
    assert with_some(again, "ops") == []
    await again.store.close()


@pytest.mark.slow
async def test_of_two_messages_at_once_one_has_them(world: Making) -> None:
    w = await declared(world)

    def both(tx: Tx) -> list[tuple[Attachment, ...]]:
        due = Due(moment=Moment(name="once", drawn_since=w.start, enough_since=tx.now + minutes(1)), numbers=(1, 4))
        for key in ("a", "b"):
            jobs.schedule(
                tx, queue=jobs.NOTIFY, kind="message", subject="INC-1", ukey=key, due_at=tx.now,
                payload={"channel": "list", "purpose": "update", "title": "", "body": "", "moment": "once"},
            )  # fmt: skip
        held = jobs.claim(tx, jobs.NOTIFY, me="test", lease=minutes(1), most=5)
        return [attaching.claim(tx, it, due) for it in held]

    assert sorted(len(it) for it in await w.store.write(both)) == [0, 2]


async def test_switched_off_nothing_is_drawn_for_messages_and_nothing_goes_with_them(world: Making) -> None:
    w = await declared(world, replace(FOLLOWED, graphs=GraphSettings(attach=False)))
    await w.at(25)
    assert with_some(w, "ops") == []
    assert await w.store.read(graphs.with_png, "INC-1", w.start) == ()
    assert "<svg" in await w.store.read(graphs.picture, "INC-1", 1)


@pytest.mark.slow
async def test_a_picture_that_cannot_be_drawn_leaves_the_graph_and_the_words(
    world: Making, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> bytes:
        raise OSError("cannot open resource")

    monkeypatch.setattr(graphing, "png", broken)
    w = await declared(world)
    await w.at(25)
    assert with_some(w, "ops") == []
    assert "declared" in sent(w, "ops")[0].title  # with what was said in that very moment, or before it
    assert "<svg" in await w.store.read(graphs.picture, "INC-1", 1)
    assert w.metrics.graphs_total.labels(result="failed")._value.get() > 0


async def test_what_was_shown_is_pruned_with_what_it_was_about(world: Making) -> None:
    w = await world(replace(FOLLOWED, retention=Retention(closed=timedelta(days=30))))
    w.numbers.rules = {"QueueLag": "queue_lag_seconds > 30"}
    w.numbers.drawn = {"queue_lag_seconds{}": course(10, 40, queue="mail")}
    await w.store.write(retention.keep_pruning)
    await w.send(w.firing("QueueLag", queue="mail"))
    await w.at(2)
    assert "held" in await w.store.read(attached.given, "HOLD-1", "ops")
    await w.send(w.resolved("QueueLag", queue="mail"))
    await w.at(12)
    w.clock[0] = w.start + timedelta(days=32)
    await w.settle()
    assert await w.store.read(attached.given, "HOLD-1", "ops") == {}
    assert await w.store.read(graphs.of, "HOLD-1") == ()


def test_of_many_graphs_two_are_chosen_an_alert_and_the_progress_first() -> None:
    assert chosen((1, 2, 3, 4, 5)) == (1, 4)
    assert chosen((1, 2, 3)) == (1, 2)
    assert chosen((4, 5, 6)) == (4, 5)
    assert chosen((2,)) == (2,)
    assert chosen(()) == ()


async def test_what_was_shown_and_drawn_before_there_were_pictures_is_left_as_it_is(world: Making) -> None:
    w = await declared(world, failure=TemporaryError("prometheus is away"))
    await w.store.write(graphs.save, "INC-1", {1: Drawing(title="old", svg="<svg/>")})
    await note(w, "still slow")
    assert with_some(w, "ops") == []
    assert await w.store.read(attached.given, "INC-1", "ops") == {}


@pytest.mark.slow
async def test_a_mailbox_that_follows_gets_them_as_parts_of_a_real_mail(tmp_path: Path) -> None:
    async with mail_server() as mail:
        box = Channel(name="list", kind=ChannelKind.MAIL, url=Secret(mail.url))
        settings = replace(FOLLOWED, channels={"list": box}, communication=followed(channels=("list",)))
        w = await make_world(tmp_path, settings)
        w.doors.notifier = ours = Notifier({"list": box}, log=LOG, redact=Redactor())
        await declared(lambda _: done(w), settings)
        await w.at(22)
        await ours.close()
        await threads_are_idle()
        await w.store.close()
    about = [found for found in mail.mails if "INC-1" in found["Subject"]]
    (shows,) = (found for found in about if found.is_multipart())  # the timeline, or the update at the same time
    parts = [part for part in shows.walk() if part.get_content_type() == "image/png"]
    assert [part.get_filename() for part in parts] == BOTH
    assert all(Image.open(BytesIO(part.get_content())).size[0] == 1520 for part in parts)


async def done(w: World) -> World:
    return w


@pytest.mark.slow
@pytest.mark.needs("ngircd")
async def test_a_chat_that_takes_no_files_gets_the_address(tmp_path: Path, free_port: int) -> None:
    url = Secret(f"irc://pager@127.0.0.1:{free_port}/%23ops?join=yes")
    channels = {"ops": Channel(name="ops", kind=ChannelKind.CHAT, url=url)}
    routes = (Route(channels=("ops",)),)
    settings = replace(SETTINGS, channels=channels, communication=CommunicationSettings(routes=routes))
    w = await make_world(tmp_path, settings)
    async with room(tmp_path, free_port) as sitting:
        w.doors.notifier = ours = Notifier(channels, log=LOG, redact=Redactor())
        await declared(lambda _: done(w), settings)
        await w.at(22)
        words = await said(sitting, "Ref INC-1/ops/")
        words += await said(sitting, "Ref INC-1/ops/") if "/graphs/1" not in words else ""
        await ours.close()
        await threads_are_idle()
    await w.store.close()
    assert "http://incidentd.example.org/incidents/INC-1/graphs/1" in words
