"""Everything that people do with incidents, in any order, with crashes at any point and files that change meanwhile.

What holds for the lifecycle alone (test_lifecycle_stateful.py) holds here, too; and besides: no deadline is lost,
versions only grow, documents and boards can be written at any moment, nothing is sent twice. On SQLite, and a shorter
run on PostgreSQL.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import select

from incidentd.board import Surface
from incidentd.document import render
from incidentd.engine import commands, handover, lifecycle, records, roles, surfaces, updates
from incidentd.handover import HumanLine
from incidentd.handover import State as Offered
from incidentd.incidents import ACTIVE, Incident
from incidentd.oncall import Roster, Team
from incidentd.records import Belief, Choice, CriterionState, Records, SectionName, TaskState
from incidentd.roles import OFFERED, OfferState, Role
from incidentd.store import Tx, facts, jobs, role_handovers
from incidentd.store import records as kept
from incidentd.store import roles as stored
from incidentd.store import updates as told
from incidentd.store.tables import job
from incidentd.timeline import Actor
from incidentd.updates import CADENCES, Audience, AudiencePlan, UpdateSettings
from tests.engine.test_lifecycle_stateful import ACTORS, LONG, NUMBERS, PERSONS, Incidents
from tests.engine.test_merging import PEOPLE
from tests.engine.world import World, make_world, policy
from tests.postgres import Server

pytestmark = pytest.mark.longest

WORDS = {
    HumanLine.NOW: "40 shops cannot pay", HumanLine.TREND: "same", HumanLine.HYPOTHESES: "no idea yet",
    HumanLine.DECISIONS: "none", HumanLine.RISKS: "the night batch", HumanLine.ESCALATE_IF: "more than 100 shops",
}  # fmt: skip
TEXTS = st.sampled_from(["We look into it.", "The cause is found.", "<b>All</b> | is `well`\n# again"])
AUDIENCES = st.sampled_from([Audience.INTERNAL, Audience.EXTERNAL])
TOLD = UpdateSettings(audiences={
    Audience.INTERNAL: AudiencePlan(channels=("staff",), cadences=CADENCES[Audience.INTERNAL]),
    Audience.EXTERNAL: AudiencePlan(channels=("status",), cadences=CADENCES[Audience.EXTERNAL], approval=True),
})  # fmt: skip
FILES = replace(
    PEOPLE, updates=TOLD,
    roster=Roster(people=PEOPLE.roster.people, teams={"web": Team(name="web", people=("fay",), escalation="web")}),
    escalations={**PEOPLE.escalations, **policy("web", (0, "fay"))},
)  # fmt: skip
CHANGED = replace(
    FILES, rules=tuple(reversed(FILES.rules)), escalations={**FILES.escalations, **policy("default", (0, "ben"))},
    updates=replace(TOLD, audiences={**TOLD.audiences, Audience.EXTERNAL: AudiencePlan(
        channels=("status",), cadences=CADENCES[Audience.INTERNAL])}),
)  # fmt: skip
RECORDS: tuple[tuple[Any, tuple[Any, ...], dict[str, Any]], ...] = (
    (records.write_section, (SectionName.SUMMARY,), {"text": "Half of all payments fail."}),
    (records.add_task, (), {"text": "look at the pool", "owner": "ben", "box": timedelta(minutes=10)}),
    (records.acknowledge_task, (1,), {}), (records.end_task, (1,), {"result": "it is full"}),
    (records.reassign_task, (1,), {"owner": "fay", "box": timedelta(minutes=30)}),
    (records.add_hypothesis, (), {"text": "the pool is full"}),
    (records.judge_hypothesis, (1,), {"state": Belief.SUPPORTED}),
    (records.judge_hypothesis, (1,), {"state": Belief.REFUTED}),
    (records.propose, (), {"text": "fail over", "wait": timedelta(minutes=5)}),
    (records.object_to, (1,), {"text": "month end"}), (records.withdraw, (1,), {}),
    (records.add_change, (), {"what": "limit off", "undo": "limit on"}), (records.undo_change, (1,), {}),
    (records.add_criterion, (), {"text": "errors below 0.1%"}),
    (records.settle_criterion, (1,), {"state": CriterionState.MET}),
)  # fmt: skip


class Everything(Incidents):
    """One engine on one store, with people who do all that there is to do."""

    files = (FILES, CHANGED)

    def __init__(self, url: str = "") -> None:
        super().__init__(url)
        self.versions: Counter[tuple[str, str]] = Counter()

    @initialize()
    def one_is_declared(self) -> None:
        self.run(
            self.world.do(commands.declare_incident, actor=Actor(name="ana", via="api"), title="Slow", severity="sev1")
        )

    @rule(number=NUMBERS, of=st.sampled_from(RECORDS), actor=ACTORS)
    def puts_down(self, number: int, of: tuple[Any, tuple[Any, ...], dict[str, Any]], actor: Actor) -> None:
        command, which, how = of
        self.tried(command, number, *which, actor=actor, **how)

    @rule(number=NUMBERS, audience=AUDIENCES, text=TEXTS, actor=ACTORS, admin=st.booleans())
    def tells(self, number: int, audience: Audience, text: str, actor: Actor, admin: bool) -> None:
        asking = updates.Asking(actor=actor, admin=admin)
        self.tried(updates.send_update, number, audience=audience, asking=asking, text=text)

    @rule(number=NUMBERS, audience=AUDIENCES, actor=ACTORS, skips=st.booleans())
    def tells_less(self, number: int, audience: Audience, actor: Actor, skips: bool) -> None:
        asking = updates.Asking(actor=actor, admin=True)
        if skips:
            self.tried(updates.skip_update, number, audience=audience, asking=asking, reason="nothing is new")
        else:
            self.tried(updates.change_cadence, number, audience=audience, asking=asking, reason="it lasts", long=True)

    @rule(number=NUMBERS, actor=ACTORS)
    def approves(self, number: int, actor: Actor) -> None:
        self.tried(updates.approve_update, number, asking=updates.Asking(actor=actor, admin=True))

    @rule(number=NUMBERS, of=st.sampled_from(Role), person=PERSONS, actor=ACTORS)
    def hands_over(self, number: int, of: Role, person: str, actor: Actor) -> None:
        self.tried(handover.say, number, WORDS, actor=actor)
        asking = updates.Asking(actor=actor, admin=True)
        self.tried(handover.offer, number, roles=(of,), receiver=person, asking=asking)

    @rule(number=NUMBERS, actor=ACTORS, how=st.sampled_from([handover.accept, handover.decline, handover.withdraw]))
    def answers_a_handover(self, number: int, actor: Actor, how: Any) -> None:
        if how is handover.withdraw:
            self.tried(how, number, asking=updates.Asking(actor=actor, admin=True))
        else:
            self.tried(how, number, actor=actor)

    @rule(number=NUMBERS, actor=ACTORS)
    def calls_a_team(self, number: int, actor: Actor) -> None:
        self.tried(roles.page_team, number, "web", actor=actor, asked="see why")

    @rule(number=NUMBERS, actor=ACTORS)
    def joins(self, number: int, actor: Actor) -> None:
        self.tried(roles.join, number, actor=actor)

    @rule(number=NUMBERS, actor=ACTORS, back=st.sampled_from([10, 90]))
    def corrects(self, number: int, actor: Actor, back: int) -> None:
        times = {"impact_started_at": self.world.start - timedelta(minutes=back)}
        self.tried(lifecycle.correct_times, number, actor=actor, times=times, admin=True)

    @rule(number=NUMBERS, of=st.sampled_from(RECORDS), actor=ACTORS, after=st.integers(0, 2))
    def dies_after_a_command(
        self, number: int, of: tuple[Any, tuple[Any, ...], dict[str, Any]], actor: Actor, after: int
    ) -> None:
        """The command is stored, `after` of what follows from it is done, and the process is gone."""
        command, which, how = of
        self.tried(command, number, *which, actor=actor, settle=False, **how)
        self.dies(after)

    @rule(name=st.sampled_from(["CheckoutDown", "DiskFull"]), minutes=st.sampled_from([0, 3, 40]))
    def dies_with_a_delivery(self, name: str, minutes: int) -> None:
        """A body is stored, time passes, and the process is gone before it looked at either."""
        self.since[name] = (self.world.now - self.world.start).total_seconds() / 60
        self.world.settle, before = _nothing, self.world.settle  # type: ignore[method-assign]  # it dies meanwhile
        self.run(self.world.send(self.world.firing(name), group=name))
        self.world.settle = before  # type: ignore[method-assign]
        self.world.clock[0] += timedelta(minutes=minutes)
        self.dies(1)

    def dies(self, after: int) -> None:
        w = self.world
        for step in (w.engine.unpack, w.engine.decide_one)[:after]:
            self.run(step())
        self.crashes()

    def crashes(self) -> None:
        """Throw everything away but what is stored, and begin anew, as a start does."""
        before = self.world
        self.run(before.store.close())
        self.world = w = self.run(make_world(self.url, before.settings, clock=before.clock))
        w.post = before.post
        w.doors.notifier = before.post
        w.start = before.start
        self.run(w.store.write(jobs.release_all))
        self.run(w.engine.begin())

    def tried(self, command: Any, *args: Any, settle: bool = True, **how: Any) -> None:
        if settle:
            super().tried(command, *args, **how)
            return
        self.world.settle, before = _nothing, self.world.settle  # type: ignore[method-assign]  # it dies meanwhile
        super().tried(command, *args, **how)
        self.world.settle = before  # type: ignore[method-assign]

    @invariant()
    def everything_else(self) -> None:
        twice = {key for key, times in Counter(it.key for it in self.world.post.sent).items() if times > 1}
        assert twice == set(), "nothing is sent twice"
        for number, it in self.now().items():
            self.run(self.world.store.read(_one, self, number, it))

    def grow(self, subject: str, what: str, version: int) -> None:
        assert version >= self.versions[subject, what], f"{what} of {subject} went back"
        self.versions[subject, what] = version


async def _nothing() -> None:
    """Do nothing of what follows."""


def _one(tx: Tx, machine: Everything, number: int, it: Incident) -> None:
    """Look at one incident: its versions, its deadlines, and what is written of it."""
    world = machine.world
    machine.grow(it.key, "incident", it.version)
    found = kept.records_of(tx, number)
    kinds = (found.tasks, found.hypotheses, found.decisions, found.changes, found.criteria, found.sections)
    for kind in kinds:
        for one in kind:
            machine.grow(it.key, f"{type(one).__name__} {one.number}", one.version)
    live = set(tx.conn.execute(select(job.c.ukey).where(job.c.state == "live", job.c.subject == it.key)).scalars())
    assert _owed(tx, world, it, found) <= live, "a deadline is lost"
    dead = tx.conn.execute(select(job.c.kind, job.c.ukey).where(job.c.state == "dead")).all()
    assert dead == [], "what had to be done was given up"
    document = render(facts.incident_facts(tx, world.settings, number))
    assert it.key in document
    assert "<b>" not in document
    for whose in Surface:
        assert surfaces.seen(tx, world.settings, number, whose).board.role is whose


def _owed(tx: Tx, world: World, it: Incident, found: Records) -> set[str]:
    """Name the deadlines that there must be."""
    owed = {f"{it.key}/update/{one.audience}" for one in told.promises(tx, it.id).values() if one.due_at is not None}
    owed |= {f"{OFFERED}:{one.id}" for one in stored.offers(tx, it.id) if one.state is OfferState.ASKED}
    waiting = [one for one in role_handovers.of_incident(tx, it.id) if one.state is Offered.OFFERED]
    owed |= {role_handovers.deadline(one.id) for one in waiting}
    if it.status not in ACTIVE:
        return owed
    owed |= {f"stale:{it.key}"}
    owed |= {
        f"task:{it.key}/{one.number}" for one in found.tasks if one.state is TaskState.OPEN and one.reminded_at is None
    }
    owed |= {
        f"decision:{it.key}/{one.number}"
        for one in found.decisions
        if one.state is Choice.PROPOSED and one.waits_until is not None and not one.objections
    }
    return owed


def how_much(examples: int, steps: int) -> settings:
    return settings(
        max_examples=examples, stateful_step_count=steps, deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )  # fmt: skip


TestEverything = Everything.TestCase
TestEverything.settings = how_much(150, 50) if LONG else how_much(4, 20)


@pytest.mark.slow
@pytest.mark.needs("postgres")
def test_the_same_on_postgresql(postgres_server: Server, postgres_template: str) -> None:
    class OnPostgres(Everything):
        def __init__(self) -> None:
            super().__init__(postgres_server.database(like=postgres_template))

        def teardown(self) -> None:
            super().teardown()
            postgres_server.drop(self.url)

    run_state_machine_as_test(OnPostgres, settings=how_much(30, 40) if LONG else how_much(2, 12))
