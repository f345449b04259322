"""Incidents under commands, alerts, crashes and reloads in any order: what must hold after each step."""

from __future__ import annotations

import asyncio
import os
import tempfile
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from incidentd import incidents
from incidentd.engine import Engine, commands, lifecycle, merging, roles
from incidentd.errors import IncidentdError
from incidentd.incidents import ACTIVE, Incident, Status
from incidentd.roles import Assignment, Role, effective_holder
from incidentd.store import roles as stored
from incidentd.timeline import Actor, Entry, first_broken
from tests.engine.test_merging import PEOPLE
from tests.engine.world import World, make_world
from tests.stores import sqlite_url

pytestmark = pytest.mark.longest

LONG = os.environ.get("INCIDENTD_TEST_LONG") == "1"
ACTORS = st.sampled_from([Actor(name=name, via="api") for name in ("ana", "ben", "fay")])
NAMES = st.sampled_from(["CheckoutDown", "DiskFull"])
NUMBERS = st.sampled_from((1, 1, 1, 2, 2, 3, 4))
COMMANDS: tuple[tuple[Any, dict[str, Any]], ...] = (
    (lifecycle.investigate, {}), (lifecycle.identify, {"cause": "a bad release"}), (lifecycle.mitigate, {}),
    (lifecycle.resolve, {}), (lifecycle.reopen, {"reason": "not over"}), (lifecycle.close, {"waive": "seen before"}),
    (lifecycle.stand_down, {"code": "duplicate"}), (lifecycle.set_severity, {"severity": "sev1", "reason": "all"}),
    (lifecycle.set_severity, {"severity": "sev3", "reason": "few"}), (merging.unmerge, {}),
)  # fmt: skip


PERSONS = st.sampled_from(["ana", "ben", "fay"])
ROLES = st.sampled_from([Role.INCIDENT_COMMANDER, Role.OPERATIONS_LEAD, Role.SCRIBE])
ANSWERED = {"page.acked", "incident.acknowledged"}
RELEASED = {"incident.stood_down", "incident.merged", "incident.closed"}


class Incidents(RuleBasedStateMachine):
    """One engine on one store, and what was true of it a step before."""

    files = (PEOPLE, replace(PEOPLE, rules=tuple(reversed(PEOPLE.rules))))
    """What the files say, and what they say after somebody changed them."""

    def __init__(self, url: str = "") -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.url = url or sqlite_url(Path(self.folder.name) / "incidentd.db")
        self.world: World = self.run(make_world(self.url, self.files[0]))
        self.since = {"CheckoutDown": 0.0, "DiskFull": 0.0}
        self.before: dict[int, Incident] = {}
        self.written: dict[int, tuple[Entry, ...]] = {}

    def run(self, doing: Any) -> Any:
        return self.loop.run_until_complete(doing)

    def teardown(self) -> None:
        self.run(self.world.store.close())
        self.loop.close()
        self.folder.cleanup()

    @rule(name=NAMES)
    def fires(self, name: str) -> None:
        self.since[name] = (self.world.now - self.world.start).total_seconds() / 60
        self.run(self.world.send(self.world.firing(name), group=name))

    @rule(name=NAMES)
    def resolves(self, name: str) -> None:
        self.run(self.world.send(self.world.resolved(name, since=self.since[name]), group=name))

    @rule(actor=ACTORS)
    def declares(self, actor: Actor) -> None:
        if len(self.before) < 4:
            self.run(self.world.do(commands.declare_incident, actor=actor, title="It is slow", severity="sev2"))

    @rule(number=NUMBERS, of=st.sampled_from(COMMANDS), actor=ACTORS, admin=st.booleans())
    def commands_it(self, number: int, of: tuple[Any, dict[str, Any]], actor: Actor, admin: bool) -> None:
        self.tried(of[0], number, actor=actor, admin=admin, **of[1])

    @rule(number=NUMBERS, into=NUMBERS, choose=st.booleans(), actor=ACTORS)
    def merges(self, number: int, into: int, choose: bool, actor: Actor) -> None:
        self.tried(merging.merge, number, actor=actor, admin=True, **{"into" if choose else "with_": into})

    @rule(number=NUMBERS, role=ROLES, person=PERSONS, actor=ACTORS)
    def assigns(self, number: int, role: Role, person: str, actor: Actor) -> None:
        self.tried(roles.assign, number, role, person, actor=actor)

    @rule(number=NUMBERS, command=st.sampled_from([roles.accept, roles.decline, roles.take_command]), actor=ACTORS)
    def answers(self, number: int, command: Any, actor: Actor) -> None:
        self.tried(command, number, actor=actor)

    @rule(number=NUMBERS, person=PERSONS, actor=ACTORS)
    def lets_go(self, number: int, person: str, actor: Actor) -> None:
        self.tried(roles.let_go, number, person, actor=actor)

    @rule(number=NUMBERS, actor=ACTORS)
    def acks(self, number: int, actor: Actor) -> None:
        self.tried(commands.take_page, number, by=actor.name, actor=actor)

    @rule(minutes=st.sampled_from([1, 6, 31, 61, 60 * 25]))
    def time_passes(self, minutes: int) -> None:
        at = (self.world.now - self.world.start).total_seconds() / 60 + minutes
        self.run(self.world.at(at))

    @rule()
    def crashes(self) -> None:
        w = self.world
        w.engine = Engine(
            w.store, settings=lambda: w.settings, now=lambda: w.clock[0], metrics=w.metrics, me="next", doors=w.doors,
        )  # fmt: skip

    @rule()
    def reloads(self) -> None:
        following = self.files.index(self.world.settings) + 1
        self.world.settings = self.files[following % len(self.files)]

    def tried(self, command: Any, *args: Any, **how: Any) -> None:
        before = self.now()
        try:
            self.run(self.world.do(command, *args, **how))
        except IncidentdError:
            assert self.now() == before, "what is refused changes nothing"

    def now(self) -> dict[int, Incident]:
        found: dict[int, Incident] = {}
        for number in range(1, 100):
            try:
                found[number] = self.run(self.world.incident(number))
            except IncidentdError:
                break
        return found

    @invariant()
    def what_must_hold(self) -> None:
        found = self.now()
        for number, it in found.items():
            assert incidents.misordered(it) == ""
            known = [it.declared_severity, *(change.to for change in it.severity_changes)]
            assert it.peak_severity == min(known)  # sev1 is the worst, and sorts first
            assert (it.ended_at is None) == (it.status in ACTIVE)
            before = self.before.get(number)
            assert before is None or before.status is not Status.CLOSED or it == before
            self.root_of(found, it)
            entries = self.run(self.world.entries(it.key))
            assert first_broken(entries) is None
            assert entries[: len(self.written.get(number, ()))] == self.written.get(number, ())
            self.written[number] = entries
            self.roles_of(it, entries)
        keys = [it.correlation_key for it in found.values() if it.status in ACTIVE and it.correlation_key]
        assert len(keys) == len(set(keys)), "one open incident a key"
        self.before = found

    def roles_of(self, it: Incident, entries: tuple[Entry, ...]) -> None:
        assert self.run(self.world.store.read(stored.assignments, it.id)) == it.roles
        for role in Role:
            own = [one for one in it.roles if one.role is role]
            assert all(one.until is not None for one in own[:-1]), "at most one holder"
            assert all(_before(one, other) for one, other in pairwise(own)), "one after the other"
        answered, released = (_last(entries, kinds) for kinds in (ANSWERED, RELEASED))
        if it.status in ACTIVE and answered > released:
            assert all(effective_holder(role, it.roles) for role in Role), "never nobody once somebody answered"

    def root_of(self, found: dict[int, Incident], it: Incident) -> None:
        seen = {it.id}
        while it.status is Status.MERGED and it.merge is not None:
            it = found[it.merge.into]
            assert it.id not in seen, "merges go round in a circle"
            seen.add(it.id)


def _before(one: Assignment, other: Assignment) -> bool:
    return one.until is not None and one.since <= one.until <= other.since


def _last(entries: tuple[Entry, ...], kinds: set[str]) -> int:
    return max((entry.seq for entry in entries if entry.kind in kinds), default=-1)


TestIncidents = Incidents.TestCase
TestIncidents.settings = settings(
    max_examples=200 if LONG else 6, stateful_step_count=40 if LONG else 15, deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
