"""SIGKILL inside the steps of playbooks: a journal of their effects proves that none is repeated unsafely."""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import sqlite3
import stat
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import psycopg
import pytest
from aiohttp import web

from tests.doors.web_double import serving
from tests.system.daemon import Daemon, an_alert, until

pytestmark = pytest.mark.slow

LONG = os.environ.get("INCIDENTD_TEST_LONG") == "1"
ON_SQLITE, ON_POSTGRES = (60, 40) if LONG else (9, 6)
SEED = 12

EFFECTS = ("command", "http", "promql", "say", "tell", "in-block", "each-b", "called")
"""The steps that stay in the middle of what they do; before `each-b` comes `each-a`."""
STOPS = (*EFFECTS, "settle", "anywhere")
"""Where a run is when the kill comes: in one of these, in a wait, or wherever it has come to by then."""
READS = {"promql", "settle", "say", "tell"}
"""What may be done again whatever the playbook says."""
TOURS = [f"{flag}-{number}" for flag in ("once", "again") for number in range(4)]
"""The playbooks: a run of each begins between two kills. Steps of the first four may not be repeated, others may."""

# Notes that it began, and stays the first time until its daemon is gone or the kill was somebody else's.
EFFECT = """#!/bin/sh
echo "$1" >> "{folder}/journal"
if test "${{1#*/}}" = "$2" && test "$(grep -cx "$1" "{folder}/journal")" = 1; then
  life=$(cat "{folder}/life")
  while test "$(cut -d ' ' -f 4 /proc/$$/stat)" = "$PPID" && test "$(cat "{folder}/life")" = "$life"; do sleep 0.1; done
fi
"""
# The daemon as it is, but for two things: a replica counts as dead after a tenth of the time, and a note or a message
# may stay between its beginning and its end, which are a moment otherwise.
SLOWED = """
import asyncio
from datetime import timedelta
from pathlib import Path
from incidentd.cli import main
from incidentd.engine import automation
from incidentd.store import replicas
from incidentd.store.threaded import ThreadedStore

replicas.BEAT, replicas.TAKEOVER = timedelta(seconds=0.4), timedelta(seconds=2)
journal, life = Path("{folder}/journal"), Path("{folder}/life")
write = ThreadedStore.write

async def slow_write(self, unit, *args, **how):
    if unit is automation.step_done and args[2].step.kind in ("note", "notify"):
        due = args[2]
        line = f"{{due.run.target}}/{{due.step.name}}"
        again = line in journal.read_text().split()
        with journal.open("a") as file:
            file.write(line + "\\n")
        now = life.read_text()
        while not again and due.run.inputs["stop"] == due.step.name and life.read_text() == now:
            await asyncio.sleep(0.05)
    return await write(self, unit, *args, **how)

ThreadedStore.write = slow_write
main()
"""


def effect(name: str, folder: Path, flag: str, **more: Any) -> dict[str, Any]:
    argv = [str(folder / "effect"), f"{{{{ inputs.instance }}}}/{name}", "{{ inputs.stop }}"]
    return {"command": argv, "idempotent": flag == "again", **more}


def tour(name: str, sink: str, folder: Path) -> dict[str, Any]:
    """Make a playbook that goes through a step of every kind."""
    flag = name.partition("-")[0]
    inputs = {key: {"from": f"labels.{key}", "pattern": "[a-z0-9-]{1,40}"} for key in ("instance", "stop")}
    key = "{{ inputs.instance }}/{{ inputs.stop }}"
    post = {"url": f"{sink}/effect/{key}", "method": "POST"}
    query = 'effect{instance="{{ inputs.instance }}", stop="{{ inputs.stop }}"}'
    within = {"instance": "{{ inputs.instance }}", "stop": "{{ inputs.stop }}"}
    return {
        "kind": "playbook", "name": name, "title": "A tour of all steps", "mode": "auto", "inputs": inputs,
        "target": "{{ inputs.instance }}", "risk": "low", "limits": {"per_target": "9 in 1h", "total": "9999 in 1h"},
        "steps": [
            {"name": "command", **effect("command", folder, flag)},
            {"name": "http", "http": post, "idempotent": flag == "again"},
            {"name": "promql", "promql": {"query": query, "is": "> 0"}, "retries": 20, "delay": "0s"},
            {"name": "say", "note": "On {{ inputs.instance }}."},
            {"name": "tell", "notify": {"channel": "room", "title": "On {{ inputs.instance }}"}},
            {"name": "settle", "wait": "4s", "when": 'inputs.stop == "settle"'},
            {"name": "block", "block": [{"name": "in-block", **effect("in-block", folder, flag)}],
             "rescue": [{"name": "rescue", **effect("rescue", folder, flag)}],
             "always": [{"name": "always", **effect("always", folder, flag)}]},
            {"name": "each", **effect("each-{{ item }}", folder, flag), "for_each": {"items": ["a", "b"]}},
            {"name": "call", "playbook": {"name": f"inner-{flag}", "inputs": within}},
        ],
        "verify": {"promql": {"query": "up", "is": "> 0"}, "for": "1s", "within": "5m"},
        "on_failure": "declare",
    }  # fmt: skip


def inner(flag: str, folder: Path) -> dict[str, Any]:
    inputs = {key: {"pattern": "[a-z0-9-]{1,40}"} for key in ("instance", "stop")}
    return {
        "kind": "playbook", "name": f"inner-{flag}", "title": "Called", "mode": "off", "inputs": inputs,
        "target": "{{ inputs.instance }}", "risk": "low",
        "steps": [{"name": "called", **effect("called", folder, flag)}],
    }  # fmt: skip


def documents(url: str, sink: str, folder: Path) -> list[dict[str, Any]]:
    rules = [
        {"name": name, "match": [f'tour="{name}"'], "severity": "sev3", "urgency": "urgent", "decide": "hold",
         "playbook": name, "page": "platform", "correlate_by": ["instance"]}
        for name in TOURS
    ]  # fmt: skip
    rest = {"name": "everything-else", "match": [], "severity": "sev3", "decide": "record"}
    chain = {"urgent": {"levels": [{"after": "0m", "page": {"person": "ana"}}]}}
    channel = {"limit": "1000 in 1s"}
    return [
        {"kind": "config", "external_url": url, "include": [], "automation": {"mode": "auto", "overall": "9999 in 1h"},
         "channels": {"room": {**channel, "kind": "chat", "url_file": "room.url"}},
         "sources": [{"name": "default", "prometheus": {"url": sink}}]},
        {"kind": "rules", "rules": [*rules, rest]},
        *(tour(name, sink, folder) for name in TOURS),
        *(inner(flag, folder) for flag in ("once", "again")),
        {"kind": "people", "people": {"ana": {"name": "Ana", "channels": {"chat": channel | {"url_file": "ana.url"}}}}},
        {"kind": "escalations", "escalations": {"platform": chain}},
    ]  # fmt: skip


@dataclass
class Outside:
    """Everything that steps reach, its journal of what they did, and the messages of people."""

    folder: Path
    url: str = ""
    told: list[tuple[str, str]] = field(default_factory=list)
    life: int = 0
    first: dict[str, int] = field(default_factory=dict)
    """In which life each effect was asked for first."""
    killed: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        script = self.folder / "effect"
        script.write_text(EFFECT.format(folder=self.folder))
        script.chmod(stat.S_IRWXU)
        (self.folder / "journal").touch()
        self.begin_life(0)

    def begin_life(self, life: int) -> None:
        """Whoever stayed in the middle of a step goes on; those who come now stay until the next."""
        self.life = life
        temporary = self.folder / "life.new"
        temporary.write_text(str(life))
        temporary.rename(self.folder / "life")
        self.killed.set()
        self.killed = asyncio.Event()

    @property
    def journal(self) -> list[str]:
        return (self.folder / "journal").read_text().split()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        async with serving(self.answer) as url:
            self.url = url
            yield
            self.killed.set()

    async def answer(self, request: web.Request) -> web.Response:
        first, _, rest = request.path.lstrip("/").partition("/")
        match first:
            case "effect":
                instance, _, stop = rest.partition("/")
                await self._effect(instance, "http", stop)
            case "api":
                query = str((await request.post())["query"])
                if named := re.search(r'instance="([^"]+)", ?stop="([^"]+)"', query):
                    await self._effect(named[1], "promql", named[2])
                sample = {"metric": {}, "value": [0, "1"]}
                return web.json_response({"status": "success", "data": {"resultType": "vector", "result": [sample]}})
            case _:
                self.told.append((first, (await request.json())["title"]))
        return web.Response()

    async def _effect(self, instance: str, name: str, stop: str) -> None:
        line = f"{instance}/{name}"
        with (self.folder / "journal").open("a") as journal:
            journal.write(f"{line}\n")
        if self.first.setdefault(line, self.life) == self.life and stop == name:
            await self.killed.wait()


@dataclass(frozen=True)
class Step:
    """A step of a run, as the store has it."""

    run: int
    playbook: str
    target: str
    idx: int
    name: str
    state: str
    run_state: str
    subject: str
    leased_by: str

    @property
    def label(self) -> str:
        """What the journal calls it."""
        last = self.name.rpartition(" / ")[2]
        return {"each (1)": "each-a", "each (2)": "each-b"}.get(last, last)

    @property
    def may_repeat(self) -> bool:
        return self.playbook.startswith("again") or self.label in READS


STEPS = """
SELECT r.id, r.playbook, r.target, s.idx, s.name, s.state, r.state, r.subject,
  coalesce((SELECT leased_by FROM job WHERE state = 'live' AND queue = 'playbook' AND ukey = 'RUN-' || r.id), '')
FROM playbook_step s JOIN playbook_run r ON r.id = s.run_id WHERE s.idx >= 0
"""


class House:
    """One daemon on SQLite, or two on one PostgreSQL, and what happened to them."""

    def __init__(self, daemons: Sequence[Daemon], outside: Outside, chance: random.Random) -> None:
        self.daemons = daemons
        self.outside = outside
        self.chance = chance
        self.halves: Counter[tuple[int, int]] = Counter()
        """By run and step, how many kills fell into it."""
        self.caught: Counter[tuple[str, str]] = Counter()
        """By flag and kind of step, how many kills fell into one."""
        self._made = 0
        self._deck: list[tuple[str, str]] = []

    def rows(self, query: str) -> list[Any]:
        url = self.daemons[0].store
        if url.startswith("sqlite"):
            with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as conn:
                return conn.execute(query).fetchall()
        with psycopg.connect(url) as conn:
            return conn.execute(query.encode()).fetchall()

    def steps(self) -> list[Step]:
        return [Step(*row) for row in self.rows(STEPS)]

    async def begin_runs(self, stops: Sequence[str]) -> dict[str, str]:
        """Send an alert for each playbook; gives by its instance where each run is to be when the kill comes."""
        alerts = {}
        for name, stop in zip(TOURS, stops, strict=True):
            self._made += 1
            alerts[f"i-{self._made}"] = an_alert("Tour", tour=name, instance=f"i-{self._made}", stop=stop)
        for number, alert in enumerate(alerts.values()):
            await self.daemons[number % len(self.daemons)].deliver(alert)
        return dict(zip(alerts, stops, strict=True))

    def stops(self) -> list[str]:
        """Deal where the next runs are to be, so that each kind has its turn with either kind of playbook."""
        dealt = []
        for name in TOURS:
            flag = name.partition("-")[0]
            mine = [card for card in self._deck if card[0] == flag]
            if not mine:
                mine = [(flag, stop) for stop in STOPS]
                self.chance.shuffle(mine)
                self._deck += mine
            self._deck.remove(mine[0])
            dealt.append(mine[0][1])
        return dealt

    async def all_inside(self, wanted: dict[str, str]) -> bool:
        """Say whether each run is where it is to be, as the journal and the store have it."""
        journal = set(self.outside.journal)
        steps = self.steps()
        inside = {(step.target, step.label) for step in steps if step.state == "started"}
        return all(
            (target, stop) in inside and (stop == "settle" or f"{target}/{stop}" in journal)
            for target, stop in wanted.items()
            if stop != "anywhere" and (target, stop) not in self._over(steps)
        )

    @staticmethod
    def _over(steps: Sequence[Step]) -> set[tuple[str, str]]:
        return {(step.target, "settle") for step in steps if step.label == "settle" and step.state == "ok"}

    async def kill_one(self) -> None:
        """Kill a daemon, note what it was in the middle of, and start it again."""
        victim = self.chance.choice(self.daemons)
        assert victim.process is not None
        pid = victim.process.pid
        await victim.kill()
        for step in self.steps():
            # a wait is nobody's: it is looked at again when it is over, by whoever lives then
            if step.state == "started" and (f":{pid}:" in step.leased_by or step.label == "settle"):
                self.halves[step.run, step.idx] += 1
                self.caught[step.playbook.partition("-")[0], step.label] += 1
        await victim.start()

    async def live(self, lives: int) -> None:
        """Heal each playbook's first target, then begin runs and kill, as often as asked; at last let all of it end."""
        for daemon in self.daemons:
            await daemon.start()
        await self.begin_runs(["anywhere"] * len(TOURS))
        await until(self.all_over, 60)
        for life in range(1, lives + 1):
            wanted = await self.begin_runs(self.stops())
            await until(lambda at=wanted: self.all_inside(at), 60)  # type: ignore[misc]
            await asyncio.sleep(self.chance.uniform(0, 0.15))
            await self.kill_one()
            self.outside.begin_life(life)
        await until(self.all_over, 120)

    async def all_over(self) -> bool:
        wrong = self.rows("SELECT subject, text FROM timeline WHERE kind IN ('run.refused', 'run.failed')")
        assert not wrong, wrong  # nothing else than a kill gets in the way of a run
        over = "SELECT count(*) FROM playbook_run WHERE state IN ('verified', 'interrupted')"
        asked = "SELECT count(*) FROM job WHERE queue = 'notify' AND state = 'live'"
        return self.rows(over) == [(self._made,)] and self.rows(asked) == [(0,)]

    def check(self, lives: int) -> None:
        """Hold the journal against what was killed."""
        steps = self.steps()
        self.check_repeats(steps)
        self.check_halves(steps)
        print(
            f"seed {SEED}: {lives} kills, {self._made} runs, {sum(self.halves.values())} half-run steps:", self.caught
        )
        if len(self.daemons) == 1 or LONG:  # of two replicas, it is chance which one a run is with
            assert {(flag, name) for flag in ("once", "again") for name in EFFECTS} <= set(self.caught)
        if LONG:  # a wait goes on while others are on their way to where they are to be
            assert {("once", "settle"), ("again", "settle")} <= set(self.caught)

    def check_repeats(self, steps: Sequence[Step]) -> None:
        """Check that a step was done as often as it was begun anew for a reason, and never when it may not be."""
        begun = Counter(self.outside.journal)
        assert not [line for line in begun if line.endswith("/rescue")]  # a crash is no failure
        for step in steps:
            times, kills = begun.pop(f"{step.target}/{step.label}", 0), self.halves[step.run, step.idx]
            if step.label != "promql":  # a query is asked again when there was no answer
                assert times <= (1 + kills if step.may_repeat else 1), (step, times, kills)
            if step.label in EFFECTS and step.state == "ok":
                assert times >= 1, step
        assert not begun, "no step of the store did this"

    def check_halves(self, steps: Sequence[Step]) -> None:
        """Check that each half-run step was resumed, or a person asked, and that nobody was asked for nothing."""
        asked = {subject for (subject,) in self.rows("SELECT subject FROM page")}
        heirs = dict(self.rows("SELECT 'HOLD-' || hold_id, 'INC-' || id FROM incident WHERE hold_id IS NOT NULL"))
        told = sum("INC-" in title or "Tour" in title for where, title in self.outside.told if where == "ana")
        interrupted = [step for step in steps if step.state == "interrupted"]
        for step in steps:
            if self.halves[step.run, step.idx]:
                assert step.state == ("ok" if step.may_repeat else "interrupted"), step
        for step in interrupted:
            assert self.halves[step.run, step.idx], step
            assert step.run_state == "interrupted", step
            assert {step.subject, heirs.get(step.subject)} & asked, step
        assert {step.run for step in steps if step.run_state == "interrupted"} == {step.run for step in interrupted}
        assert told >= len(interrupted) > 0
        self.check_messages()

    def check_messages(self) -> None:
        """Check that each message of a step was put out once, however often its step was looked at."""
        rows = self.rows("SELECT ukey FROM job WHERE queue = 'notify' AND ukey LIKE 'RUN-%'")
        assert rows
        assert max(Counter(rows).values()) == 1
        reached = {title for where, title in self.outside.told if where == "room"}
        notified = {f"On {step.target}" for step in self.steps() if (step.label, step.state) == ("tell", "ok")}
        assert reached == notified


def settle_in(daemon: Daemon, outside: Outside) -> None:
    daemon.program = ("-c", SLOWED.format(folder=outside.folder))
    text = "\n---\n".join(map(json.dumps, documents(daemon.url, outside.url, outside.folder)))
    (daemon.folder / "incidentd.yaml").write_text(text)
    for channel in ("ana", "room"):
        (daemon.folder / f"{channel}.url").write_text(f"{outside.url.replace('http', 'json')}/{channel}")


async def end(daemons: Sequence[Daemon]) -> None:
    for daemon in daemons:
        with suppress(ProcessLookupError):
            await daemon.kill()


async def test_p12_kills_inside_steps_repeat_none_that_may_not_be_and_lose_none(
    tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    outside = Outside(tmp_path)
    async with outside.listening():
        daemon = Daemon(tmp_path, session)
        settle_in(daemon, outside)
        house = House([daemon], outside, random.Random(SEED))  # noqa: S311 - nothing secret
        try:
            await house.live(ON_SQLITE)
        finally:
            await end([daemon])
        house.check(ON_SQLITE)


@pytest.mark.needs("postgres")
async def test_p12_kills_of_two_replicas_inside_steps_repeat_none_that_may_not_be_and_lose_none(
    tmp_path: Path, session: aiohttp.ClientSession, postgres_store: str
) -> None:
    outside = Outside(tmp_path)
    async with outside.listening():
        daemons = []
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
            daemon = Daemon(tmp_path / name, session)
            daemon.store = postgres_store
            settle_in(daemon, outside)
            daemons.append(daemon)
        house = House(daemons, outside, random.Random(SEED))  # noqa: S311 - as above
        try:
            await house.live(ON_POSTGRES)
        finally:
            await end(daemons)
        house.check(ON_POSTGRES)
