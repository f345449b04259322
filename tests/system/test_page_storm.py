"""SIGKILL at random moments of a storm of pages: each reaches everybody who is due, and repeats say what they are."""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import sqlite3
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from itertools import pairwise, zip_longest
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import aiohttp
import pytest
from aiohttp import web
from aiosmtpd.smtp import SMTP, Envelope, Session

from incidentd.engine.loop import PER_CHANNEL
from tests.doors.mail_double import MailDouble, mail_server
from tests.doors.web_double import serving
from tests.system.daemon import Daemon, an_alert, until

LONG = os.environ.get("INCIDENTD_TEST_LONG") == "1"
KILLS = 50 if LONG else 10
EACH_LIFE = 4
"""Alerts that begin between two kills."""
CONTROL = 30
"""Alerts of the run without kills."""
LONGEST_LIFE = 3.0
"""Seconds after which the kill comes although few messages did."""

WEB = ("ana/chat", "ben/chat", "cho/chat", "ops-chat")
MAIL = ("ana/mail", "ben/mail", "cho/mail")
DUE = {
    "platform": ("ana/chat", "ana/mail", "ben/chat", "ben/mail"),
    "checkout": ("ops-chat", "cho/chat", "cho/mail"),
    "nobody": (),
}
"""By the alert's service: the channels of everybody whom its policy calls while nobody answers, for some hours."""

CONFIG = """
kind: config
external_url: {url}
include: []
channels:
  ops-chat: {{kind: chat, url_file: ops-chat.url, limit: 1000 in 1s}}
---
kind: rules
rules:
  - name: platform
    match: ['service="platform"']
    correlate_by: [alertname]
    severity: sev1
    urgency: business_critical
    decide: declare
    page: platform
  - name: checkout
    match: ['service="checkout"']
    correlate_by: [alertname]
    severity: sev2
    urgency: urgent
    decide: declare
    page: checkout
  - {{name: everything-else, match: [], severity: sev4, decide: record}}
---
kind: people
people:
  ana: {{name: Ana Ruiz, channels: {{chat: {{url_file: ana-chat.url, limit: 1000 in 1s}}, mail: {{url_file: ana-mail.url, limit: 1000 in 1s}}}}}}
  ben: {{name: Ben Okafor, channels: {{chat: {{url_file: ben-chat.url, limit: 1000 in 1s}}, mail: {{url_file: ben-mail.url, limit: 1000 in 1s}}}}}}
  cho: {{name: Cho Min, channels: {{chat: {{url_file: cho-chat.url, limit: 1000 in 1s}}, mail: {{url_file: cho-mail.url, limit: 1000 in 1s}}}}}}
---
kind: escalations
escalations:
  platform:
    business_critical:
      levels:
        - {{after: 0s, page: {{person: ana}}, by: {{0s: [chat], 1s: [mail]}}}}
        - {{after: 2s, page: {{person: ben}}}}
        - {{after: 8h, page: {{team: "*"}}}}
  checkout:
    urgent:
      levels:
        - {{after: 0s, page: {{channel: ops-chat}}}}
        - {{after: 2s, page: {{person: cho}}}}
        - {{after: 8h, page: {{team: "*"}}}}
"""  # noqa: E501 - a line a person

pytestmark = pytest.mark.slow


class Answer(StrEnum):
    """What a target does with a message."""

    TAKEN = "taken"
    REFUSED = "refused"
    """With an answer that says so: the message was certainly not taken."""
    DROPPED = "dropped"
    """Taken, and the connection is cut before an answer."""
    HUNG = "hung"
    """Taken, and never answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One page that reached its target."""

    key: str
    """'' for one beyond those that a message of many pages names."""
    channel: str
    alert: int
    marked: bool
    """It says that it is a possible repeat."""
    life: int
    """Which start of the daemon sent it."""
    answer: Answer
    of: int
    """The message that it was part of."""


@dataclass
class Targets:
    """Every target of the storm: what each answers by the schedule, and what has arrived."""

    unsure: bool
    """Whether answers are dropped and held back, too."""
    chance: random.Random
    life: int = 0
    messages: int = 0
    hangs: bool = True
    kill_after: int = -1
    """How many messages later the kill comes; never when it is negative."""
    held_back: bool = False
    """Whether the answers to those that come after it wait for the kill."""
    killed: asyncio.Event = field(default_factory=asyncio.Event)
    arrivals: list[Arrival] = field(default_factory=list)
    kill_now: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    answered: Counter[str] = field(default_factory=Counter)
    """By channel: how many messages it has seen."""
    alert_of: Callable[[str], int] = int
    """Which alert an incident is about."""

    async def arrived(self, *, key: str, channel: str, title: str, body: str) -> tuple[Answer, int]:
        """Note a message; say what to do with it, and which time it is that this one comes."""
        # one that waited takes along what waits for the same channel: a line for each, and the last only their ids
        along = [line for line in body.splitlines() if line.startswith("- ")]
        alerts = [int(found) for line in (title, *along) for found in re.findall(r"Storm(\d+) it is", line)[:1]]
        alerts += [self.alert_of(about) for line in along[-1:] for about in re.findall(r"\bINC-\d+\b(?!\))", line)]
        keys = re.findall(r"PAGE-\d+/[^\s,]+", body[body.rindex("\nRef ") :])
        assert keys[0] == key, (key, body)
        assert len(alerts) >= len(keys), (title, body)
        answer = self._answer(channel)
        before = self.answered[channel]
        marked = "possible repeat" in title
        assert marked == ("possible repeat" in body)
        self.messages += 1
        self.arrivals += [
            Arrival(
                key=key, channel=channel, alert=alert, marked=marked, life=self.life, answer=answer, of=self.messages
            )
            for alert, key in zip_longest(alerts, keys, fillvalue="")
            if isinstance(alert, int)
        ]
        self.kill_after -= 1
        if self.kill_after == 0:
            self.kill_now.set()
        await asyncio.sleep(self.chance.uniform(0, 0.02))  # as long as a server takes, so that a kill falls into it
        if self.held_back and self.kill_now.is_set() and answer is Answer.TAKEN:
            await self.killed.wait()
        return answer, before

    def begin_life(self, life: int) -> None:
        """Another start of the daemon, that is killed after some messages; every other time before their answer."""
        self.life, self.kill_after, self.held_back = life, self.chance.randint(1, 15), life % 2 == 0
        self.kill_now.clear()
        self.killed.clear()

    def begin_last_life(self, life: int) -> None:
        """Another start, and no kill, and whoever hung does so no more."""
        self.life, self.kill_after, self.held_back, self.hangs = life, -1, False, False

    def _answer(self, channel: str) -> Answer:
        """Say what a channel does with its next message: of eleven it takes seven at least."""
        self.answered[channel] += 1
        match (self.answered[channel] + 3 * (*WEB, *MAIL).index(channel)) % 11:
            case 1 | 2:
                return Answer.REFUSED
            case 7 if self.unsure:
                return Answer.DROPPED
            case 9 if self.unsure and self.hangs:
                return Answer.HUNG
        return Answer.TAKEN

    async def web(self, request: web.Request) -> web.Response:
        """Answer as a web hook does."""
        message = await request.json()
        answer, before = await self.arrived(
            key=unquote(request.headers["X-Incidentd-Key"]), channel=request.path.removeprefix("/"),
            title=message["title"], body=message["message"],
        )  # fmt: skip
        match answer:
            case Answer.TAKEN:
                return web.Response()
            case Answer.REFUSED:
                return web.Response(status=500 if before % 2 else 429, headers={"Retry-After": "1"})
            case Answer.DROPPED:
                assert request.transport is not None
                request.transport.abort()
                return web.Response()
            case Answer.HUNG:
                await self.over.wait()
                return web.Response()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Mapping[str, str]]:
        """Serve them all; gives the Apprise URL of each channel."""
        async with AsyncExitStack() as stack:
            address = (await stack.enter_async_context(serving(self.web))).replace("http://", "json://")
            mail = await stack.enter_async_context(mail_server(Mailboxes(self)))
            stack.callback(self.over.set)
            stack.callback(self.killed.set)
            server = f"mailto://127.0.0.1:{mail.port}?from=incidentd@example.org&mode=insecure"
            boxes = {channel: f"{server}&to={channel.removesuffix('/mail')}@example.org" for channel in MAIL}
            yield {channel: f"{address}/{channel}" for channel in WEB} | boxes


class Mailboxes(MailDouble):
    """The mail server of the storm."""

    def __init__(self, targets: Targets) -> None:
        super().__init__()
        self._targets = targets

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        await super().handle_DATA(server, session, envelope)
        mail = self.mails[-1]
        answer, _ = await self._targets.arrived(
            key=unquote(mail["X-Incidentd-Key"]), channel=f"{envelope.rcpt_tos[0].partition('@')[0]}/mail",
            title=str(mail["Subject"]), body=str(mail.get_content()),
        )  # fmt: skip
        match answer:
            case Answer.TAKEN:
                return "250 OK"
            case Answer.REFUSED:
                return "451 try again later"
            case Answer.DROPPED:
                assert isinstance(server.transport, asyncio.WriteTransport)
                server.transport.abort()
            case Answer.HUNG:
                await self._targets.over.wait()
        return "250 OK"


def service_of(alert: int) -> str:
    return "nobody" if alert % 7 == 6 else "checkout" if alert % 3 == 0 else "platform"


def due(alerts: int) -> set[tuple[int, str]]:
    """Say who is to hear of what, by the rules and policies above."""
    return {(alert, channel) for alert in range(alerts) for channel in DUE[service_of(alert)]}


def configure(daemon: Daemon, urls: Mapping[str, str]) -> None:
    (daemon.folder / "incidentd.yaml").write_text(CONFIG.format(url=daemon.url))
    for channel, url in urls.items():
        (daemon.folder / f"{channel.replace('/', '-')}.url").write_text(url)


async def begin(daemon: Daemon, alert: int) -> None:
    """Have an alert begin; as Alertmanager does, send until it is taken."""
    fires: dict[str, Any] = an_alert(f"Storm{alert}", service=service_of(alert))

    async def taken() -> bool:
        body = json.dumps({"version": "4", "receiver": "incidentd", "groupKey": f"{{}}:{alert}", "alerts": [fires]})
        try:
            async with daemon.session.post(f"{daemon.url}/api/v1/alertmanager", data=body) as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    await until(taken, 60)


def alert_of(daemon: Daemon, subject: str) -> int:
    """Ask the store which alert an incident is about."""
    with closing(sqlite3.connect(daemon.folder / "incidentd.db")) as conn:
        (body,) = conn.execute("SELECT body FROM page WHERE subject = ?", (subject,)).fetchone()
    found = re.search(r"Storm(\d+) it is", body)
    assert found is not None, body
    return int(found[1])


def messages(daemon: Daemon, state: str) -> set[str]:
    """Give the keys of the messages that the store has in a state."""
    with closing(sqlite3.connect(daemon.folder / "incidentd.db")) as conn:
        rows = conn.execute("SELECT ukey FROM job WHERE queue = 'notify' AND state = ?", (state,))
        return {key for (key,) in rows}


async def settled(daemon: Daemon, targets: Targets, alerts: int) -> None:
    """Wait until everybody has heard of everything, and no message is left."""

    async def heard() -> bool:
        there = {(it.alert, it.channel) for it in targets.arrivals if it.answer is not Answer.REFUSED}
        return there >= due(alerts) and not messages(daemon, "live")

    await until(heard, 1200 if LONG else 300)  # many processes may want the processors


def by_whom(targets: Targets) -> dict[tuple[int, str], list[Arrival]]:
    found: dict[tuple[int, str], list[Arrival]] = defaultdict(list)
    for arrival in targets.arrivals:
        found[arrival.alert, arrival.channel].append(arrival)
    return found


def check_that_each_is_one_message(daemon: Daemon, targets: Targets, alerts: int) -> None:
    """Whoever is due has exactly one key for it, which was taken in the end; nobody else hears of anything."""
    assert set(by_whom(targets)) == due(alerts)
    for copies in by_whom(targets).values():
        # a channel that stands in for another one has that one's message too, and it may stand for its own
        own = {it.key for it in copies if it.key and not it.key.endswith("/fallback")}
        assert len(own) <= 1, copies
        assert any(it.answer is Answer.TAKEN for it in copies), copies
    assert messages(daemon, "dead") == set()


async def test_a_storm_of_pages_without_kills_delivers_each_exactly_once(
    tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    targets = Targets(unsure=False, chance=random.Random(5))  # noqa: S311 - the same storm every time
    daemon = Daemon(tmp_path, session)
    targets.alert_of = partial(alert_of, daemon)
    async with targets.listening() as urls:
        configure(daemon, urls)
        await daemon.start()
        await asyncio.gather(*(begin(daemon, alert) for alert in range(CONTROL)))
        await settled(daemon, targets, CONTROL)
        await daemon.kill()

    check_that_each_is_one_message(daemon, targets, CONTROL)
    counts = Counter(it.answer for it in targets.arrivals)
    assert sum(it.answer is Answer.TAKEN for it in targets.arrivals) == len(due(CONTROL))
    assert counts[Answer.REFUSED] > 0
    assert [it for it in targets.arrivals if it.marked] == []


async def test_kills_at_random_moments_of_a_storm_of_pages_lose_none_and_repeat_only_what_nobody_can_know(
    tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    chance = random.Random(9)  # noqa: S311 - as above
    targets = Targets(unsure=True, chance=chance)
    daemon = Daemon(tmp_path, session)
    sent: list[set[str]] = []  # by life: what the store knew to be taken when the kill came
    begun: list[asyncio.Task[None]] = []
    targets.alert_of = partial(alert_of, daemon)
    async with targets.listening() as urls:
        configure(daemon, urls)
        for life in range(KILLS):
            targets.begin_life(life)
            numbers = range(life * EACH_LIFE, (life + 1) * EACH_LIFE)
            begun += [asyncio.create_task(begin(daemon, alert)) for alert in numbers]
            await daemon.start()
            with suppress(TimeoutError):  # everything waits for its next try: this moment is as good as any
                async with asyncio.timeout(LONGEST_LIFE):
                    await targets.kill_now.wait()
            await asyncio.sleep(chance.uniform(0, 0.03))
            await daemon.kill()
            targets.killed.set()
            sent.append(messages(daemon, "done"))
        targets.begin_last_life(KILLS)
        await daemon.start()
        await asyncio.gather(*begun)
        await settled(daemon, targets, KILLS * EACH_LIFE)
        await daemon.kill()

    check_that_each_is_one_message(daemon, targets, KILLS * EACH_LIFE)
    check_the_repeats(targets, sent)


def check_the_repeats(targets: Targets, sent: list[set[str]]) -> None:
    """A copy follows only on a message of which nobody can know what became, and says so."""
    in_flight: dict[tuple[int, str], set[int]] = defaultdict(set)
    by_key: dict[str, list[Arrival]] = defaultdict(list)
    for arrival in targets.arrivals:
        if arrival.key:
            by_key[arrival.key].append(arrival)
    for key, copies in by_key.items():
        for number, copy in enumerate(copies):
            before = [it for it in copies[:number] if it.answer is not Answer.REFUSED]
            assert not any(key in known for known in sent[: copy.life]), copies
            assert copy.marked or not before, copies
        for earlier, later in pairwise(copies):
            if earlier.answer is Answer.TAKEN:
                assert later.life > earlier.life, copies
                in_flight[earlier.life, earlier.channel].add(earlier.of)
    assert in_flight, "no kill fell between a message and what is written of it"
    assert {where: of for where, of in in_flight.items() if len(of) > PER_CHANNEL} == {}
    assert {it.answer for it in targets.arrivals} == set(Answer)
