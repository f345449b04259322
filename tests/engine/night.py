"""A night from its files: an engine that does what people type and press, and the story of INC-1, told step by step.

People type commands at the real front door and press the links of the mails that they get; time is moved by the story.
"""

from __future__ import annotations

import asyncio
import re
import shlex
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import pytest
from click.testing import CliRunner

from incidentd import config, links
from incidentd.cli import main
from incidentd.document import IncidentFacts, render
from incidentd.engine import loop
from incidentd.engine.delivery import Notifier
from incidentd.metrics import Metrics
from incidentd.rehearsal.doors import Post
from incidentd.rehearsal.world import World
from incidentd.settings import Settings
from incidentd.store import chain, facts, jobs, open_store
from incidentd.timeline import Entry
from incidentd.web import make_app
from tests.web.asking import asking, served
from tests.web.small_house import SmallHouse, bearer, form_of, make_token

FILES = Path(__file__).parents[1] / "data" / "night"
BEGINS = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)
KEY = b"k" * 32
SCOPES = {"ana": "commander", "dia": "commander"}
PEOPLE = ("ana", "ben", "cho", "dia", "eli", "fay", "gil")
_LINK = re.compile(r"https://incidentd\.example\.org(/a/\S+)")


class Inbox(Protocol):
    """Where the mails are that somebody got."""

    def last_to(self, who: str) -> str:
        """Give the text of the newest mail to somebody that has a link to press."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one person does at one time of the night."""

    at: str
    who: str
    typed: str = ""
    """A command."""
    filled: Mapping[str, str] = field(default_factory=dict)
    """What is written in place of what a draft leaves open; the command sends the draft then."""
    pressed: str | None = None
    """The button of the newest link; '' where it has one."""
    fires: bool | None = None
    """The alert begins, or ends."""
    refused: str = ""
    """What the refusal says."""


@dataclass(kw_only=True)
class Doorway(SmallHouse):
    """What is behind the front door goes by the clock of the story."""

    clock: list[datetime]

    def now(self) -> datetime:
        return self.clock[0]


class Night:
    """The engine with its front door, which can be closed and opened anew at any moment."""

    def __init__(self, store_url: str, settings: Settings, door: Notifier, inbox: Inbox) -> None:
        self.settings = settings
        self._store_url, self._door, self._inbox = store_url, door, inbox
        self.clock = [BEGINS]
        self._tokens: dict[str, str] = {}
        self._open = AsyncExitStack()

    async def open(self) -> None:
        """Start, as the daemon does."""
        metrics = Metrics(version="test")
        store = await open_store(self._store_url, lambda: self.clock[0], metrics)
        self._open.push_async_callback(store.close)
        self.world = World(store, self.settings, self.clock, metrics, start=BEGINS)
        self.world.doors.notifier = self._door
        if not self._tokens:
            self._tokens = {who: await make_token(store, SCOPES.get(who, "responder"), name=who) for who in PEOPLE}
            self._tokens["prod"] = await make_token(store, "ingest:prod", name="prod")
        await store.write(jobs.release_all)
        await self.world.engine.begin()
        house = Doorway(
            store=store, metrics=metrics, settings=self.settings, link_keys={links.kid_of(KEY): KEY}, clock=self.clock
        )  # fmt: skip
        self._url = await self._open.enter_async_context(served(make_app(house)))
        self._ask = await self._open.enter_async_context(asking(self._url))

    async def close(self) -> None:
        """End without doing anything more."""
        await self._open.aclose()

    async def until(self, at: str) -> None:
        """Let time pass until a time of this day."""
        await self.world.until(_instant(at))

    async def does(self, step: Step) -> None:
        """Do what a step says."""
        if step.fires is not None:
            await self._alert(firing=step.fires)
        elif step.pressed is not None:
            await self._press(step.who, step.pressed)
        elif step.filled:
            draft = await self._type(step.who, f"{step.typed} --draft")
            for gap, words in step.filled.items():
                assert gap in draft, draft
                draft = draft.replace(gap, words)
            await self._type(step.who, f"{step.typed} --text -", draft)
        else:
            await self._type(step.who, step.typed, refused=step.refused)

    async def _type(self, who: str, command: str, stdin: str = "", *, refused: str = "") -> str:
        env = {"INCIDENTD_URL": self._url, "INCIDENTD_TOKEN": self._tokens[who], "INCIDENTD_TOKEN_FILE": ""}
        result = await asyncio.to_thread(
            CliRunner().invoke, main, shlex.split(command), input=stdin.encode(), env=env
        )  # fmt: skip
        assert result.exit_code == (1 if refused else 0), f"{who}: {command}: {result.output}"
        assert refused in result.output, f"{who}: {command}: {result.output}"
        return result.stdout

    async def _press(self, who: str, answer: str) -> None:
        found = _LINK.findall(self._inbox.last_to(who))
        assert found, f"{who} has no link to press"
        page = await self._ask("GET", found[0])
        assert page.status == 200, page.text
        assert answer in page.text
        form = form_of(found[0], **({"answer": answer} if answer else {}))
        form["data"]["form"] = links.form_token({links.kid_of(KEY): KEY}, found[0].removeprefix("/a/"))
        pressed = await self._ask("POST", found[0], **form)
        assert pressed.status == 200, pressed.text

    async def _alert(self, *, firing: bool) -> None:
        began = datetime(2026, 11, 25, 3, 7, tzinfo=UTC).isoformat()
        alert = {
            "labels": {"alertname": "CheckoutErrors", "service": "checkout", "env": "prod", "severity": "critical"},
            "annotations": {
                "summary": "42% of all payments fail", "runbook_url": "https://runbooks.example.org/checkout-errors",
                "dashboard": "https://grafana.example.org/d/checkout",
            },
            "status": "firing" if firing else "resolved", "startsAt": began,
            "endsAt": "0001-01-01T00:00:00Z" if firing else self.clock[0].isoformat(),
            "generatorURL": "http://prometheus.example.org/graph?g0.expr=checkout_errors+%3E+0.05&g0.tab=1",
        }  # fmt: skip
        body = {"version": "4", "receiver": "incidentd", "groupKey": "{}:{checkout}", "alerts": [alert]}
        answer = await self._ask(
            "POST", "/api/v1/alertmanager/prod", json=body, headers=bearer(self._tokens["prod"])
        )  # fmt: skip
        assert answer.status == 200, answer.text

    async def entries(self) -> tuple[Entry, ...]:
        """Read the timeline."""
        return await self.world.store.read(chain.entries, "INC-1")

    async def facts(self) -> IncidentFacts:
        """Read what the document is made of."""
        return await self.world.store.read(facts.incident_facts, self.settings, 1)

    async def document(self) -> str:
        """Write the document."""
        return render(await self.facts())

    async def typed(self, who: str, command: str) -> str:
        """Type a command that changes nothing, and give what it prints."""
        return await self._type(who, command)


def _instant(at: str) -> datetime:
    hour, minute = at.split(":")
    return BEGINS.replace(hour=int(hour), minute=int(minute))


def _at(at: str, who: str, typed: str = "", **how: Any) -> Step:
    return Step(at=at, who=who, typed=typed, **how)


WORDS = (
    '--now "about one payment in fifty still fails, only on pay-5 and pay-6; nobody is charged twice" --trend better '
    '--hypotheses "H2 is proved; nothing else is looked at" --decisions none '
    '--risks "the morning peak from 07:30 needs all six instances" --escalate-if "more than 5% of payments fail"'
)
STORY = (
    _at("03:12", "prod", fires=True),
    _at("03:14", "ana", pressed=""),
    _at("03:15", "ben", pressed="I take it"),
    _at("03:16", "cho", "accept INC-1"),
    _at("03:17", "cho", 'write INC-1 channel "#incidents"'),
    _at("03:18", "cho", 'write INC-1 impact "42% of all payments fail since 03:07. Customers see \\"payment failed\\" '
        'and may try again; nobody is charged twice."'),
    _at("03:19", "ana", 'task give INC-1 @ben "compare the errors of the two card providers" 15m'),
    _at("03:20", "ben", "task ack INC-1 T1"),
    _at("03:21", "ben", 'hypothesis add INC-1 "a card provider has an outage" --owner ben'),
    _at("03:23", "ana", 'page-team INC-1 shop-dev --for "say what release 4.2 changed in the payment client"'),
    _at("03:25", "gil", pressed=""),
    _at("03:26", "cho", "update INC-1 --audience internal --next 1h"),
    _at("03:31", "ben", 'task done INC-1 T1 --result "both fail alike, since 4.2 went out at 03:02"'),
    _at("03:32", "ben", 'hypothesis mark INC-1 H1 refuted --confidence high --evidence "both providers fail alike"'),
    _at("03:34", "gil", 'hypothesis add INC-1 "release 4.2 set the connection pool of the payment client from 50 to 5" '
        "--owner gil --confidence medium"),
    _at("03:36", "ana", 'task give INC-1 @gil "set the pool of pay-1 alone back to 50 and compare" 20m'),
    _at("03:37", "gil", "task ack INC-1 T2"),
    _at("03:52", "gil", 'task done INC-1 T2 --result "pay-1 has no errors since 03:46"'),
    _at("03:53", "gil", "hypothesis mark INC-1 H2 supported --confidence high "
        "--evidence https://grafana.example.org/d/checkout"),
    _at("03:54", "ana", 'decision add INC-1 "set the pool to 50 by hand on all instances; a release makes it last" '
        '--not-taken "take 4.2 back: its migration of the database cannot be undone at night" --wait 5m'),
    _at("04:01", "ben", 'change add INC-1 "connection pool 50 on pay-1 to pay-4, by hand" '
        '--undo "release 4.2.1 sets it; before that: deploy pay --set pool=5"'),
    _at("04:03", "ana", 'identify INC-1 "release 4.2 set the connection pool of the payment client to 5"'),
    _at("04:05", "ana", 'criterion add INC-1 "fewer than 0.5% of payments fail for 30 minutes"'),
    _at("04:06", "ana", 'criterion add INC-1 "no instance is configured by hand"'),
    _at("04:08", "cho", 'write INC-1 summary "Release 4.2 left the payment client too few connections. Four of six '
        'instances are put right by hand; pay-5 and pay-6 do not start again and are being replaced."'),
    _at("04:10", "ben", 'note INC-1 "pay-5 and pay-6 do not start with the new pool: their disks are full of logs"'),
    _at("04:12", "ana", 'task give INC-1 @ben "replace pay-5 and pay-6" 1h'),
    _at("04:13", "ben", "task ack INC-1 T3"),
    _at("04:26", "cho", "update INC-1 --audience internal",
        filled={"[say: what a reader sees]": "payments that fail at the last step, now one in fifty"}),
    _at("04:50", "ana", 'note INC-1 "one payment in fifty fails, no more than before; we wait for the new instances"'),
    _at("05:15", "ben", 'note INC-1 "the new pay-5 is being built; two hours more for both"'),
    _at("05:20", "ana", "handover INC-1 ic dia", refused="RISKS NEXT 2 h is empty"),
    _at("05:46", "ana", f"handover INC-1 ic dia {WORDS}"),
    _at("05:47", "ben", "handover INC-1 ol eli"),
    _at("05:48", "cho", "handover INC-1 cl fay"),
    _at("05:50", "dia", pressed="I accept"),
    _at("05:51", "eli", "accept HO-2"),
    _at("05:52", "fay", "accept HO-3"),
    _at("05:54", "dia", "task assign INC-1 T3 @eli 2h"),
    _at("05:55", "eli", "task ack INC-1 T3"),
    _at("06:08", "dia", 'let-go INC-1 ana --because "sleep well"'),
    _at("06:09", "dia", 'let-go INC-1 ben --because "sleep well"'),
    _at("06:10", "dia", 'let-go INC-1 cho --because "sleep well"'),
    _at("06:14", "eli", 'task done INC-1 T3 --result "both are new, with the pool at 50"'),
    _at("06:15", "eli", 'change add INC-1 "pool 50 in the start scripts of the new pay-5 and pay-6" '
        '--undo "release 4.2.1 sets it"'),
    _at("06:17", "eli", 'mitigate INC-1 --note "all six instances have enough connections; 0.2% of payments fail"'),
    _at("06:18", "prod", fires=False),
    _at("06:24", "fay", "update INC-1 --audience internal",
        filled={"[say: the expected effect]": "payments go through as ever",
                "[say: how that shows, and what to do]": "customers see \"payment failed\"; tell us in #incidents"}),
    _at("06:38", "gil", 'note INC-1 "4.2.1 is out on all six\nTODO: alert when a connection pool is used up"'),
    _at("06:39", "eli", "change undone INC-1 C1"),
    _at("06:40", "eli", "change undone INC-1 C2"),
    _at("06:48", "dia", "criterion met INC-1 X1"),
    _at("06:49", "dia", "criterion met INC-1 X2"),
    _at("06:50", "dia", 'resolve INC-1 --note "release 4.2.1 gives the payment client 50 connections"'),
    _at("06:53", "fay", 'write INC-1 impact "42% of all payments failed from 03:07 to 04:01, and one in fifty until '
        '06:17. Nobody was charged twice; who tried again could pay."'),
    _at("06:55", "fay", 'write INC-1 summary "Release 4.2 left the payment client too few connections. They were '
        'put right by hand on four instances, two were replaced, and release 4.2.1 has the right number for good."'),
    _at("06:58", "fay", "update INC-1 --audience internal",
        filled={"[say: lost, or not lost]": "not lost", "[say: effects, or nothing]": "nothing"}),
)  # fmt: skip
"""What is not said here does incidentd: it pages, asks, posts, reminds, and reports at the end of a shift."""

AfterEach = Callable[[Night], Awaitable[None]]


async def nothing(night: Night) -> None:
    """Do nothing between the steps."""


async def tell(night: Night, after_each: AfterEach = nothing) -> None:
    """Let the story happen; `after_each` step something may, before what follows from the step was done."""
    await night.open()
    for step in STORY:
        await night.until(step.at)
        await night.does(step)
        await after_each(night)
        await night.world.settle()
    await night.until("08:30")


@dataclass(frozen=True, slots=True)
class OfPost:
    """The mails that the door of a rehearsal keeps."""

    post: Post

    def last_to(self, who: str) -> str:
        return next(it.body for it in reversed(self.post.sent) if it.channel == f"{who}/mail" and "/a/" in it.body)


def files(folder: Path, secrets: Mapping[str, str]) -> Settings:
    """Load the files of the night, with these addresses in place of those that lead nowhere."""
    shutil.copytree(FILES, folder)
    for name, url in secrets.items():
        (folder / "secrets" / f"{name}.url").write_text(url)
    return config.load(folder / "incidentd.yaml", env={})


@asynccontextmanager
async def night(store_url: str, settings: Settings, door: Notifier, inbox: Inbox) -> AsyncIterator[Night]:
    """Give the night, in which messages go out one after the other: so the story is the same each time it is told."""
    made = Night(store_url, settings, door, inbox)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(loop.CONCURRENCY, jobs.NOTIFY, 1)
        try:
            yield made
        finally:
            await made.close()
