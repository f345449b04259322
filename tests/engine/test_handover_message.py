"""The message of a handover against the process, line by line: each says what is kept, and none may be left empty."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from incidentd import handover as handing
from incidentd.communication import CommunicationSettings, Route
from incidentd.engine import commands, handover, records, roles
from incidentd.errors import Conflict
from incidentd.graphs import Line
from incidentd.handover import HumanLine
from incidentd.oncall import Channel, ChannelKind, Roster, Team
from incidentd.playbooks import Mode, Run, RunState
from incidentd.records import Belief, Confidence, SectionName
from incidentd.redaction import Secret
from incidentd.rules import CATCH_ALL
from incidentd.settings import PrometheusSettings, Source
from incidentd.store import Tx, role_handovers, things
from incidentd.timeline import Actor
from tests.engine.test_handover import ANA, BEN, CHO, CL, DEPTH, HELD, IC, OL, SETTINGS, WORDS, by, declared
from tests.engine.world import Making, World, minutes, person, policy

HAL = Actor(name="hal", via="api")
ROOM = Channel(name="ops-room", kind=ChannelKind.CHAT, url=Secret("json://127.0.0.1:9"))
FULL = replace(
    SETTINGS,
    rules=(replace(HELD, teams=("web",)), CATCH_ALL),
    sources={"default": Source(name="default", prometheus=PrometheusSettings(url="http://prometheus"))},
    roster=Roster(
        people={name: person(name) for name in ("ana", "ben", "cho", "dia", "gus", "hal")},
        teams={"web": Team(name="web", people=("ben", "cho")), "db": Team(name="db", people=("gus",))},
    ),
    escalations=policy("default", (0, "ana")),
    channels={"ops-room": ROOM},
    communication=CommunicationSettings(routes=(Route(channels=("ops-room",)),)),
)


def _run(w: World, subject: str, target: str, state: RunState, **more: Any) -> Run:
    return Run(
        id=0, subject=subject, playbook="drain", sha256="00", definition={}, state=state, mode=Mode.AUTO, target=target,
        inputs={}, registers={}, source="default", started_at=w.now, **more,
    )  # fmt: skip


def _insert(tx: Tx, _settings: Any, run: Run) -> Run:
    return things.insert_run(tx, run)


async def worked_on(world: Making) -> World:
    """Have a held queue declared and worked on until every line of a handover has something to say."""
    w = await world(FULL)
    w.numbers.answers = {DEPTH: 100.0}
    w.numbers.drawn = {DEPTH: (Line(labels={}, points=((w.start, 100.0), (w.start + minutes(25), 140.5))),)}
    await w.send(w.firing("QueueLag", queue="mail"), w.firing("QueueLag", queue="news"))
    await w.at(21)
    await w.do(commands.ack_page, 1, by="ana", actor=ANA)
    for role, who in ((OL, BEN), (CL, CHO)):
        await w.do(roles.assign, 1, role, who.name, actor=who)
    await w.do(roles.page_team, 1, "db", actor=ANA, asked="look at the locks")
    await w.do(roles.join, 1, actor=HAL)
    await people_write(w)
    failed = {"finished_at": w.now, "reason": "the queue did not shrink"}
    await w.do(_insert, _run(w, "HOLD-1", "mail-1", RunState.VERIFY_FAILED, **failed))
    await w.do(_insert, _run(w, "INC-1", "mail-2", RunState.RUNNING, ends_at=w.now + minutes(10)))
    await w.at(24)
    return w


async def people_write(w: World) -> None:
    """Put down what people put down."""
    words = {
        **WORDS,
        HumanLine.HYPOTHESES: "ben reads the lock table",
        HumanLine.DECISIONS: "dia decides on the import",
    }
    del words[HumanLine.TREND]
    await w.do(handover.say, 1, words, actor=ANA)
    await w.do(records.add_hypothesis, 1, text="a worker holds the lock", actor=BEN)
    await w.do(records.judge_hypothesis, 1, 1, actor=BEN, state=Belief.SUPPORTED, confidence=Confidence.HIGH)
    await w.do(records.add_hypothesis, 1, text="the disk is full", actor=BEN)
    await w.do(records.judge_hypothesis, 1, 2, actor=BEN, state=Belief.REFUTED)
    await w.do(records.add_hypothesis, 1, text="the importer runs twice", actor=CHO, confidence=Confidence.MEDIUM)
    await w.do(records.add_change, 1, what="rate limit off on web-1", undo="set it to 100", actor=BEN)
    await w.do(records.add_change, 1, what="importer stopped", actor=CHO, undo="start it")
    await w.do(records.undo_change, 1, 2, actor=CHO)
    await w.do(records.add_task, 1, text="ask the bank", owner="ben", box=minutes(20), actor=ANA)
    await w.do(records.add_task, 1, text="count what waits", owner="cho", box=minutes(20), actor=ANA)
    await w.do(records.end_task, 1, 2, actor=CHO, result="none is left")
    await w.do(records.propose, 1, text="fail over to the second site", actor=ANA, wait=minutes(15))
    for name, text in (("channel", "#inc-1"), ("call", "room 7"), ("dashboard", "https://grafana.example.org/d/mail")):
        await w.do(records.write_section, 1, SectionName(name), text=text, actor=CHO)


@pytest.mark.slow
async def test_every_line_of_the_process_says_what_is_kept(world: Making) -> None:
    w = await worked_on(world)
    made = await w.do(handover.offer, 1, roles=(IC,), receiver="dia", asking=by("ana"))
    assert handing.as_text(made.message).split("\n") == [
        "HANDOVER INC-1 QueueLag — Incident Commander: ana -> dia    SEV3, investigating, 4m",
        f"NOW: impact 40 shops cannot pay; trend worse ({DEPTH} 140.5 vs best 100; alerts firing 2 vs best 2)",
        "CHANGED IN PRODUCTION AND STILL IN PLACE: C1 rate limit off on web-1, by ben, to undo: set it to 100",
        "TRIED AND OUTCOME:",
        "- drain on mail-1 -> ran, and its verification failed (the queue did not shrink)",
        "- T2 count what waits (cho) -> done: none is left",
        "- C2 importer stopped -> undone",
        "HYPOTHESES:",
        "- H1 a worker holds the lock — supported, confidence high",
        "- H2 the disk is full — refuted, confidence low",
        "- H3 the importer runs twice — open, confidence medium",
        "- ben reads the lock table",
        "RUNNING:",
        "- T1 ask the bank — ben — due 14:41:00 UTC, not acknowledged",
        "- RUN-2 drain on mail-2 — running — due 14:31:00 UTC",
        "DECISIONS WAITING:",
        "- D1 fail over to the second site by 14:36:00 UTC, ana decides",
        "- dia decides on the import",
        "NEXT UPDATE PROMISED: internal 18:20:00 UTC, external nothing promised",
        "RISKS NEXT 2 h: the night batch starts at 16:30; escalate if more than 100 shops",
        "PEOPLE: IC ana OL ben CL cho; on the way: gus; can be released: hal",
        "WHERE:",
        "- channel ops-room",
        "- channel #inc-1",
        "- call room 7",
        "- dashboard https://grafana.example.org/d/mail",
        "- document http://incidentd.example.org/incidents/INC-1",
        f"- graph: progress of queue-lag: {DEPTH} http://incidentd.example.org/incidents/INC-1/graphs/4",
    ]


@pytest.mark.parametrize("line", HumanLine)
async def test_one_human_line_that_is_empty_is_enough_for_a_refusal(world: Making, line: HumanLine) -> None:
    w = await world(SETTINGS)
    await declared(w, words=False)
    await w.do(handover.say, 1, {name: words for name, words in WORDS.items() if name is not line}, actor=ANA)
    await refuses(w, line)
    await w.do(handover.say, 1, {line: WORDS[line]}, actor=ANA)
    await w.do(handover.say, 1, {line: ""}, actor=ANA)
    await refuses(w, line)
    await w.do(handover.say, 1, {line: WORDS[line]}, actor=ANA)
    assert (await w.do(handover.offer, 1, roles=(IC,), receiver="dia", asking=by("ana"))).key == "HO-1"


async def refuses(w: World, line: HumanLine) -> None:
    """See to it that nothing is offered, and that just this line is asked for."""
    with pytest.raises(Conflict, match=r"INC-1 cannot be handed over yet: [^;]* is empty: ") as said:
        await w.do(handover.offer, 1, roles=(IC,), receiver="dia", asking=by("ana"))
    assert [it for it in HumanLine if f"{it.option} '" in str(said.value)] == [line]
    assert f"incidentd handover INC-1 ic dia {line.option} '...'" in str(said.value)
    assert await w.store.read(role_handovers.of_incident, 1) == []
