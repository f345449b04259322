"""Handing roles over, over hours: drafted from the incident's document, offered, answered or not; on each store."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date, time, timedelta
from typing import Any

import pytest

from incidentd import handover as handing
from incidentd.communication import CommunicationSettings, Route
from incidentd.document import render
from incidentd.engine import commands, communication, handoff, handover, lifecycle, records, roles
from incidentd.engine import rota as publishing
from incidentd.engine.updates import Asking
from incidentd.errors import BadRequest, Conflict, NotFound
from incidentd.graphs import Line
from incidentd.handover import HumanLine, State
from incidentd.holds import HoldPolicy, ProgressQuery
from incidentd.incidents import Incident, Status
from incidentd.matchers import parse_matcher
from incidentd.oncall import Channel, ChannelKind, Layer, Roster, Schedule, Target, Team
from incidentd.records import Belief, Confidence, SectionName
from incidentd.redaction import Secret
from incidentd.roles import Role
from incidentd.rules import CATCH_ALL, Decide, SeverityRule
from incidentd.settings import PrometheusSettings, RoleSettings, RoleSource, Settings, Source
from incidentd.store import Tx, facts, role_handovers, rota, subjects
from incidentd.timeline import Actor
from incidentd.updates import CADENCES, Audience, AudiencePlan, UpdateSettings
from tests.engine.world import Making, World, make_world, minutes, person, policy

IC, OL, CL = Role.INCIDENT_COMMANDER, Role.OPERATIONS_LEAD, Role.COMMUNICATIONS_LEAD
ANA, BEN, CHO, DIA = (Actor(name=name, via="api") for name in ("ana", "ben", "cho", "dia"))
WORDS = {
    HumanLine.NOW: "40 shops cannot pay", HumanLine.TREND: "same", HumanLine.HYPOTHESES: "no idea yet",
    HumanLine.DECISIONS: "none", HumanLine.RISKS: "the night batch starts at 16:30",
    HumanLine.ESCALATE_IF: "more than 100 shops",
}  # fmt: skip
WHO = Layer(
    name="main", people=("ana", "dia", "eli"), start=date(2026, 11, 24), handoff_time=time(12), handoff_weekday=None,
    turn=timedelta(hours=6),
)  # fmt: skip
SETTINGS = Settings(
    external_url="http://incidentd.example.org",
    roster=Roster(
        people={name: person(name) for name in ("ana", "ben", "cho", "dia", "eli")},
        teams={"web": Team(name="web", people=("ben", "cho"))},
        schedules={"sre": Schedule(name="sre", time_zone="UTC", layers=(WHO,))},
    ),
    escalations=policy("default", (0, "ben"), (600, "cho")),
    updates=UpdateSettings(
        audiences={it: AudiencePlan(cadences=CADENCES[it]) for it in (Audience.INTERNAL, Audience.EXTERNAL)}
    ),
)


def by(name: str, **how: Any) -> Asking:
    return Asking(actor=Actor(name=name, via="api"), **how)


async def declared(w: World, *, words: bool = True) -> None:
    """Ana declares an incident, and commands it; she writes down what only she knows."""
    await w.do(
        commands.declare_incident, actor=ANA, title="Checkout is down", severity="sev1", teams=("web",)
    )  # fmt: skip
    if words:
        await w.do(handover.say, 1, WORDS, actor=ANA)


async def offered(w: World, receiver: str = "dia", *, roles: tuple[Role, ...] = (IC,), name: str = "ana") -> Any:
    return await w.do(handover.offer, 1, roles=roles, receiver=receiver, asking=by(name))


async def state(w: World, number: int = 1) -> handing.Handover:
    return await w.store.read(role_handovers.get, number)


async def kinds(w: World) -> list[str]:
    return [it.removeprefix("handover.") for it in await w.kinds("INC-1") if it.startswith("handover.")]


async def last(w: World) -> str:
    return [it for it in await w.story("INC-1") if it.startswith("HO-")][-1]


def to(w: World, who: str) -> list[Any]:
    return [it for it in w.post.sent if it.channel == f"{who}/mail"]


def figures(w: World) -> dict[str, float]:
    lines = w.metrics.render("")[0].decode().split("\n")
    found = (line.rsplit(" ", 1) for line in lines if line.startswith("incidentd_role_handovers_total{"))
    return {name.partition("{")[2].rstrip("}"): float(value) for name, value in found if float(value)}


async def test_the_message_tells_the_whole_story_from_what_is_kept(world: Making) -> None:
    w = await world(SETTINGS)
    await declared(w, words=False)
    await w.do(handover.say, 1, {**WORDS, HumanLine.HYPOTHESES: "ben reads the logs of the gateway"}, actor=ANA)
    await w.do(records.add_hypothesis, 1, text="the card gateway times out", actor=BEN, confidence=Confidence.MEDIUM)
    await w.do(records.add_hypothesis, 1, text="the database is full", actor=BEN)
    await w.do(records.judge_hypothesis, 1, 2, actor=BEN, state=Belief.REFUTED)
    await w.do(records.add_change, 1, what="rate limit off on web-1", undo="set it to 100", actor=BEN)
    await w.do(records.add_task, 1, text="ask the bank", owner="cho", box=minutes(20), actor=ANA)
    await w.do(records.add_task, 1, text="restart the gateway", owner="ben", box=minutes(20), actor=ANA)
    await w.do(records.end_task, 1, 2, actor=BEN, result="no change")
    await w.do(records.propose, 1, text="fail over to the second site", actor=ANA, wait=minutes(15))
    await w.do(records.write_section, 1, SectionName.CALL, text="room 7", actor=CHO)
    await w.do(lambda tx, settings: _change(tx, settings, OL, "ben"))
    await w.at(5)
    made = await offered(w, roles=(IC, CL))
    assert handing.as_text(made.message).split("\n") == [
        "HANDOVER INC-1 Checkout is down — Incident Commander and Communications Lead: ana -> dia"
        "    SEV1, declared, 5m",
        "NOW: impact 40 shops cannot pay; trend same",
        "CHANGED IN PRODUCTION AND STILL IN PLACE: C1 rate limit off on web-1, by ben, to undo: set it to 100",
        "TRIED AND OUTCOME: T2 restart the gateway (ben) -> done: no change",
        "HYPOTHESES:",
        "- H1 the card gateway times out — open, confidence medium",
        "- H2 the database is full — refuted, confidence low",
        "- ben reads the logs of the gateway",
        "RUNNING: T1 ask the bank — cho — due 14:20:00 UTC, not acknowledged",
        "DECISIONS WAITING:",
        "- D1 fail over to the second site by 14:15:00 UTC, ana decides",
        "- none",
        "NEXT UPDATE PROMISED: internal 14:15:00 UTC, external 14:05:00 UTC",
        "RISKS NEXT 2 h: the night batch starts at 16:30; escalate if more than 100 shops",
        "PEOPLE: IC ana OL ben CL ana; on the way: nobody; can be released: nobody",
        "WHERE:",
        "- call room 7",
        "- document http://incidentd.example.org/incidents/INC-1",
    ]
    (mail,) = [it for it in to(w, "dia") if "hands" in it.title]
    assert (
        mail.title == "INC-1: ana hands Incident Commander and Communications Lead over to you, answer by 14:15:00 UTC"
    )
    assert "Accept or decline: http://incidentd.example.org/a/v1." in mail.body
    assert "incidentd accept HO-1" in mail.body


def _change(tx: Tx, settings: Settings, role: Role, who: str) -> Incident:
    return roles.change(tx, settings, subjects.get_incident(tx, 1), role, who, actor=ANA, because="asked")


async def test_nothing_is_offered_while_a_human_line_is_empty_or_old(world: Making) -> None:
    w = await world(SETTINGS)
    await declared(w, words=False)
    for line in HumanLine:
        with pytest.raises(Conflict, match=f"{line.option} '"):
            await offered(w)
        await w.do(handover.say, 1, {line: WORDS[line]}, actor=ANA)
    await w.at(31)
    with pytest.raises(Conflict, match=r"NOW was said 31m ago, say it anew.*incidentd handover INC-1 ic dia --now"):
        await offered(w)
    assert await kinds(w) == []
    draft = await w.store.read(handover.prepared, SETTINGS, 1, (IC,), "dia")
    assert [it["line"] for it in draft["missing"]] == list(HumanLine)
    await w.do(handover.say, 1, WORDS, actor=ANA)
    assert (await offered(w)).key == "HO-1"
    with pytest.raises(BadRequest, match="one of better, same, worse"):
        await w.do(handover.say, 1, {HumanLine.TREND: "fine"}, actor=ANA)


async def test_the_sender_has_it_until_it_is_accepted_and_everybody_hears_then(world: Making) -> None:
    w = await world(SETTINGS)
    await declared(w)
    await w.at(5)
    await offered(w, roles=(IC, OL))
    assert (await w.incident()).commander == "ana"
    with pytest.raises(Conflict, match="HO-1 is for dia to answer, and you are ben"):
        await w.do(handover.accept, 1, actor=BEN)
    await w.at(8)
    await w.do(handover.accept, 1, actor=DIA)
    incident = await w.incident()
    assert incident.commander == roles.holder(None, incident, OL) == "dia"  # type: ignore[arg-type]  # it reads none
    for who in ("ana", "ben", "dia"):
        (told,) = [it for it in to(w, who) if it.title == "INC-1: dia is Incident Commander and Operations Lead now"]
        assert told.key == f"HO-1/accepted/{who}/mail"
    assert (
        "HO-1 is accepted: dia is Incident Commander and Operations Lead, after ana, who observes until "
        "14:23:00 UTC." in await w.story("INC-1")
    )
    (entry,) = [it for it in await w.entries("INC-1") if it.data.get("handover") == "HO-1" and it.at == w.now]
    assert entry.data["changed"] == [
        {"role": IC.value, "person": "dia", "was": "ana"}, {"role": OL.value, "person": "dia", "was": ""},
    ]  # fmt: skip
    assert "role.changed" not in await w.kinds("INC-1")
    assert figures(w) == {
        'result="accepted",role="ic"': 1, 'result="accepted",role="ol"': 1
    }  # fmt: skip
    draft = await w.store.read(handover.prepared, SETTINGS, 1, (IC,), "cho")
    assert "observing: ana" in draft["text"]
    await w.at(24)
    assert await kinds(w) == ["offered", "accepted", "observed"]
    with pytest.raises(Conflict, match=r"HO-1 is accepted already by dia at 14:08:00 UTC; dia is Incident Commander"):
        await w.do(handover.accept, 1, actor=DIA)


async def test_whoever_takes_the_command_over_has_what_nobody_answered_yet(world: Making) -> None:
    w = await world(replace(SETTINGS, escalations=policy("default", (0, "ben"), (5, "cho"))))
    await declared(w)
    await offered(w)
    await w.at(2)
    await w.do(handover.accept, 1, actor=DIA)
    incident = await w.incident()
    assert (incident.status, incident.commander, incident.acknowledged_at) == (Status.INVESTIGATING, "dia", w.now)
    await w.at(10)
    page = await w.page()
    assert (page.held_by, page.acked_at, page.paged) == ("dia", incident.acknowledged_at, ("ben",))
    assert "PAGE-1 was taken by dia." in await w.story("INC-1")


@pytest.mark.slow
async def test_whoever_takes_over_with_roles_elsewhere_is_said_to(world: Making) -> None:
    w = await world(SETTINGS)
    await declared(w)
    await w.do(commands.declare_incident, actor=DIA, title="Mail is late", severity="sev3")
    await offered(w)
    await w.do(handover.accept, 1, actor=DIA)
    assert "dia has roles in other incidents, too: INC-2 (ic)." in await w.story("INC-1")
    await w.at(239)
    assert "role.fatigue" not in await w.kinds("INC-1")
    await w.at(240)
    assert "dia is Incident Commander for 4h: time to hand it over." in await w.story("INC-1")


async def test_without_an_answer_it_goes_back_and_the_next_candidate_is_named(world: Making) -> None:
    w = await world(SETTINGS)
    await declared(w)
    await offered(w)
    await w.at(9.9)
    assert await kinds(w) == ["offered"]
    await w.at(10)
    assert (await state(w)).state is State.TIMED_OUT
    assert (await w.incident()).commander == "ana"
    text = await last(w)
    assert text.startswith(
        "HO-1 is over: dia did not answer by 14:10:00 UTC. ana still is Incident Commander. "
        "Next to ask: ben, cho. incidentd handover INC-1 ic ben"
    )
    assert "INC-1: Incident Commander was not handed over to dia" in [it.title for it in to(w, "ana")]
    assert figures(w) == {'result="timed_out",role="ic"': 1}
    with pytest.raises(Conflict, match="HO-1 is timed out already"):
        await w.do(handover.accept, 1, actor=DIA)


async def test_it_may_be_declined_or_taken_back(world: Making) -> None:
    w = await world(SETTINGS)
    await declared(w)
    await offered(w)
    await w.do(handover.decline, 1, actor=DIA, reason="I drive")
    assert "HO-1 is over: dia declined: I drive. ana still is Incident Commander. Next to ask: ben, cho." in await last(
        w
    )
    await offered(w, "ben")
    with pytest.raises(Conflict, match="on offer to ben already"):
        await offered(w, "cho")
    with pytest.raises(Conflict, match="cho has no such role in INC-1: ana takes it back"):
        await w.do(handover.withdraw, 2, asking=by("cho"))
    await w.do(handover.withdraw, 2, asking=by("ana"), reason="I stay")
    await w.at(30)
    assert await kinds(w) == ["offered", "declined", "offered", "withdrawn"]
    assert (await w.incident()).commander == "ana"


async def test_an_offer_whose_role_changed_hands_is_void_and_said_so(world: Making) -> None:
    w = await world(SETTINGS)
    await declared(w)
    await offered(w)
    await w.at(2)
    await w.do(lambda tx, settings: _change(tx, settings, IC, "ben"))
    assert (await state(w)).state is State.VOID
    assert "HO-1 is over: it was overtaken: ben is Incident Commander now, not ana; dia takes nothing over." in (
        await w.story("INC-1")
    )
    assert {it.channel for it in w.post.sent if it.key.startswith("HO-1/void")} == {"ana/mail", "dia/mail"}
    with pytest.raises(Conflict, match="HO-1 is void already"):
        await w.do(handover.accept, 1, actor=DIA)


async def test_an_offer_of_an_incident_that_is_over_is_void(world: Making) -> None:
    w = await world(SETTINGS)
    await declared(w)
    await offered(w)
    await w.do(lifecycle.stand_down, 1, actor=ANA, code="false_positive", text="a test")
    with pytest.raises(Conflict, match="HO-1 is void already at 14:00:00 UTC: INC-1 is stood down"):
        await w.do(handover.accept, 1, actor=DIA)
    assert (await last(w)).startswith("HO-1 is over: it was overtaken: INC-1 is stood down; dia takes")


async def test_bad_offers_are_refused_in_words(world: Making) -> None:
    w = await world(SETTINGS)
    await declared(w)
    with pytest.raises(BadRequest, match="nobody called 'zoe'"):
        await offered(w, "zoe")
    with pytest.raises(Conflict, match="ana has Incident Commander of INC-1 already"):
        await offered(w, "ana")
    with pytest.raises(Conflict, match="cho has no such role in INC-1: ana hands it over"):
        await offered(w, name="cho")
    with pytest.raises(BadRequest, match="say which role"):
        await offered(w, roles=())
    await w.do(lambda tx, settings: _change(tx, settings, OL, "ben"))
    with pytest.raises(Conflict, match="Incident Commander is ana's, Operations Lead is ben's"):
        await offered(w, roles=(IC, OL))
    with pytest.raises(NotFound, match="no HO-7"):
        await w.do(handover.accept, 7, actor=DIA)
    await w.do(handover.offer, 1, roles=(OL,), receiver="dia", asking=by("eli", admin=True))


async def test_of_two_answers_at_once_one_counts_and_the_other_is_told(store_url: str) -> None:
    one = await make_world(store_url, SETTINGS, me="one")
    await declared(one)
    await offered(one)
    answers = await asyncio.gather(
        *(one.store.write(handover.accept, SETTINGS, 1, actor=DIA) for _ in range(5)), return_exceptions=True
    )
    assert [it.state for it in answers if isinstance(it, handing.Handover)] == [State.ACCEPTED]
    assert {str(it) for it in answers if isinstance(it, Exception)} == {
        "HO-1 is accepted already by dia at 14:00:00 UTC; dia is Incident Commander"
    }
    await one.settle()
    assert (await kinds(one)).count("accepted") == 1
    await one.store.close()


async def test_an_offer_that_is_void_when_it_is_accepted_is_said_to_be_so(world: Making) -> None:
    w = await world(SETTINGS)
    await declared(w)
    await offered(w, roles=(CL,))
    await w.do(handover.say, 1, WORDS, actor=ANA)
    await offered(w, "ben")
    await w.do(handover.accept, 2, actor=BEN)  # who commands now, and so has what nobody was given
    done = await w.do(handover.accept, 1, actor=DIA)
    assert (done.state, done.reason) == (State.VOID, "ben is Communications Lead now, not ana")
    assert roles.holder(None, await w.incident(), CL) == "ben"  # type: ignore[arg-type]  # it reads none
    assert "HO-1 is over: it was overtaken: ben is Communications Lead now, not ana; dia takes nothing over." in (
        await w.story("INC-1")
    )


@pytest.mark.slow
async def test_two_replicas_at_once_end_an_offer_once(postgres_store: str) -> None:
    one = await make_world(postgres_store, SETTINGS, me="one")
    other = await make_world(postgres_store, SETTINGS, me="other", clock=one.clock)
    await declared(one)
    await offered(one)
    for minute in (10, 11):
        one.clock[0] = one.start + minutes(minute)
        await asyncio.gather(one.settle(), other.settle())
    assert await kinds(one) == ["offered", "timed_out"]
    keys = [it.key for w in (one, other) for it in w.post.sent if it.key.startswith("HO-1/timed_out")]
    assert sorted(keys) == ["HO-1/timed_out/ana/mail", "HO-1/timed_out/dia/mail"]
    await one.store.close()
    await other.store.close()


async def test_a_restart_between_all_steps_forgets_nothing_and_tells_once(store_url: str) -> None:
    w = await make_world(store_url, SETTINGS)
    sent: list[str] = []

    async def again() -> World:
        sent.extend(it.key for it in w.post.sent if it.key.startswith("HO-"))
        await w.store.close()
        return await make_world(store_url, SETTINGS, clock=w.clock)

    await declared(w)
    w = await again()
    await w.store.write(handover.offer, SETTINGS, 1, roles=(IC,), receiver="dia", asking=by("ana"))
    w = await again()
    await w.at(10)
    w = await again()
    await w.store.write(handover.offer, SETTINGS, 1, roles=(IC,), receiver="ben", asking=by("ana"))
    w = await again()
    await w.at(12)
    await w.store.write(handover.accept, SETTINGS, 2, actor=BEN)
    w = await again()
    await w.at(28)
    w = await again()
    assert await kinds(w) == ["offered", "timed_out", "offered", "accepted", "observed"]
    assert (await w.incident()).commander == "ben"
    assert sorted(sent) == sorted(set(sent))
    assert {it.partition("/")[0] for it in sent} == {"HO-1", "HO-2"}
    await w.store.close()


@pytest.mark.slow
async def test_whoever_leaves_is_asked_an_hour_before_and_again_while_nothing_is_offered(world: Making) -> None:
    w = await world(SETTINGS)
    await w.do(handoff.begin)
    await declared(w, words=False)
    await w.at(179)
    assert "due" not in await kinds(w)
    await w.at(180)
    assert await last_due(w) == (
        "The shift of ana in sre ends at 18:00:00 UTC, in 1h; still with ana: Incident Commander. "
        "Could be asked: dia, ben, cho."
    )
    (mail,) = [it for it in to(w, "ana") if it.title == "Your shift ends in 1h: hand over INC-1"]
    assert "incidentd handover INC-1 ic dia --now '...'" in mail.body
    await w.at(225)
    assert "in 15m; still with ana" in await last_due(w)
    assert (await kinds(w)).count("due") == 2
    await w.at(300)
    assert (await kinds(w)).count("due") == 2


async def test_whoever_is_on_call_for_the_role_is_named_and_whoever_said_no_comes_last(world: Making) -> None:
    sources = {IC: RoleSource(ask=Target(person="eli"))}
    w = await world(replace(SETTINGS, roles=RoleSettings(sources=sources)))
    await declared(w)
    draft = await w.store.read(handover.prepared, w.settings, 1, (IC,), "")
    assert draft["candidates"] == ["dia", "eli", "ben", "cho"]
    await offered(w, "eli")
    await w.do(handover.decline, 1, actor=Actor(name="eli", via="api"))
    draft = await w.store.read(handover.prepared, w.settings, 1, (IC,), "")
    assert draft["candidates"] == ["dia", "ben", "cho", "eli"]


def turns(name: str, *people: str, hours: int = 6) -> Schedule:
    """Make a schedule whose turns change with that of SETTINGS, at 18:00."""
    return Schedule(name=name, time_zone="UTC", layers=(replace(WHO, people=people, turn=timedelta(hours=hours)),))


@pytest.mark.slow
async def test_who_leaves_at_the_same_time_or_is_not_on_call_then_is_not_asked(world: Making) -> None:
    who = {**SETTINGS.roster.people, **{name: person(name) for name in ("fay", "gus", "hal")}}
    # at 18:00 gus comes after eli, hal goes on, and fay is in the team and on no schedule
    schedules = {**SETTINGS.roster.schedules, "db": turns("db", "eli", "gus"), "net": turns("net", "hal", hours=24)}
    web = Team(name="web", people=("eli", "hal", "fay", "ben"))
    people = Roster(people=who, teams={"web": web}, schedules=schedules)
    w = await world(replace(SETTINGS, roster=people, escalations=policy("default", (0, "ben"))))
    await w.do(handoff.begin)
    await declared(w, words=False)
    await w.at(180)
    assert (await last_due(w)).endswith("Could be asked: dia, ben, hal.")
    draft = await w.store.read(handover.prepared, w.settings, 1, (IC,), "")
    assert draft["candidates"] == ["dia", "ben", "eli", "hal", "fay"]


async def test_an_override_at_the_end_of_a_shift_says_who_could_be_asked_then(world: Making) -> None:
    w = await world(replace(SETTINGS, roles=RoleSettings(sources={IC: RoleSource(ask=Target(on_call="sre"))})))
    await w.do(handoff.begin)
    start = w.start.replace(hour=17, minute=30)
    await w.do(
        lambda tx, _settings: rota.add_override(
            tx, schedule="sre", person="cho", start=start, end=start.replace(hour=23), because="dia is ill", by="ana"
        )
    )
    await w.do(handoff.begin)
    await declared(w, words=False)
    await w.at(150)
    assert (await last_due(w)) == (
        "The shift of ana in sre ends at 17:30:00 UTC, in 1h; still with ana: Incident Commander. "
        "Could be asked: cho, ben."
    )


@pytest.mark.slow
async def test_whoever_has_the_pager_of_somebody_who_left_is_asked_when_that_shift_ends(world: Making) -> None:
    w = await world(SETTINGS)
    await w.do(publishing.begin)
    await w.do(handoff.begin)
    who = {**SETTINGS.roster.people, "fay": person("fay")}
    del who["dia"]
    schedules = {"sre": turns("sre", "ana", "fay", "eli")}
    w.settings = replace(SETTINGS, roster=replace(SETTINGS.roster, people=who, schedules=schedules))
    await w.do(handoff.begin)
    await declared(w, words=False)
    await w.at(180)
    assert (await last_due(w)).endswith("still with ana: Incident Commander. Could be asked: fay, ben, cho.")
    (mail,) = [it for it in to(w, "ana") if it.title == "Your shift ends in 1h: hand over INC-1"]
    assert "incidentd handover INC-1 ic fay --now '...'" in mail.body
    await w.at(230)
    await w.do(lambda tx, settings: _change(tx, settings, IC, "fay"))
    await w.at(540)
    assert (await last_due(w)) == (
        "The shift of fay in sre ends at 00:00:00 UTC, in 1h; still with fay: Incident Commander. "
        "Could be asked: eli, ben, cho."
    )


@pytest.mark.slow
async def test_what_is_on_offer_is_not_asked_for_again(world: Making) -> None:
    w = await world(SETTINGS)
    await w.do(handoff.begin)
    await declared(w, words=False)
    await w.at(220)
    await w.do(handover.say, 1, WORDS, actor=ANA)
    await offered(w)
    await w.at(226)
    assert (await kinds(w)).count("due") == 1
    await w.do(handover.accept, 1, actor=DIA)
    await w.at(600)
    assert [it for it in await w.story("INC-1") if it.startswith("The shift of dia in sre ends")] != []


@pytest.mark.slow
async def test_one_message_tells_of_all_that_somebody_has_also_after_a_restart(store_url: str) -> None:
    w = await make_world(store_url, SETTINGS)
    await w.do(handoff.begin)
    await declared(w, words=False)
    await w.do(commands.declare_incident, actor=ANA, title="Mail is late", severity="sev3")
    for minute in (100, 180, 200):
        await w.at(minute)
        mails = [it for it in to(w, "ana") if "hand over" in it.title]
        if minute == 180:
            assert [it.title for it in mails] == ["Your shift ends in 1h: hand over INC-1, INC-2"]
            assert "incidentd handover --all --to dia" in mails[0].body
        else:
            assert mails == []
        await w.store.close()
        w = await make_world(store_url, SETTINGS, clock=w.clock)
        await w.do(handoff.begin)
    await w.store.close()


async def last_due(w: World) -> str:
    return [it.text for it in await w.entries("INC-1") if it.kind == "handover.due"][-1]


async def test_where_names_the_rooms_of_the_teams_and_the_channels_that_follow(world: Making) -> None:
    rooms = {name: Channel(name=name, kind=ChannelKind.CHAT, url=Secret("json://127.0.0.1:9")) for name in ROOMS}
    teams = {"web": Team(name="web", people=("ben", "cho"), channel="web-room")}
    route = Route(channels=("ops-room", "web-room"))
    w = await world(
        replace(
            SETTINGS, roster=replace(SETTINGS.roster, teams=teams), channels=rooms,
            communication=CommunicationSettings(routes=(route,)),
        )
    )  # fmt: skip
    await declared(w)
    assert await where(w) == "- channel web-room, ops-room"
    await w.do(communication.add_channel, 1, "late-room", actor=ANA)
    assert await where(w) == "- channel web-room, late-room, ops-room"
    await w.do(communication.remove_channel, 1, "ops-room", actor=ANA)
    assert await where(w) == "- channel web-room, late-room"
    assert "channel web-room, late-room" in handing.as_text((await offered(w)).message)


ROOMS = ("web-room", "ops-room", "late-room")


async def where(w: World) -> str:
    """Give the first line of WHERE."""
    text = (await w.store.read(handover.prepared, w.settings, 1, (IC,), "dia"))["text"]
    return str(text.partition("WHERE:\n")[2].partition("\n")[0])


DEPTH = 'max(queue_depth{queue="mail"})'
HELD = SeverityRule(
    name="queue-lag", match=(parse_matcher('alertname="QueueLag"'),), decide=Decide.HOLD, severity="sev3",
    urgency="urgent", page="default", hold=HoldPolicy(
        at="rules.yaml:7", no_progress_after=minutes(20), query=ProgressQuery(promql=DEPTH),
    ),
)  # fmt: skip


@pytest.mark.slow
async def test_the_trend_is_what_the_holds_query_says_now_against_its_best(world: Making) -> None:
    sources = {"default": Source(name="default", prometheus=PrometheusSettings(url="http://prometheus"))}
    w = await world(replace(SETTINGS, rules=(HELD, CATCH_ALL), sources=sources))
    w.numbers.answers = {DEPTH: 100.0}
    w.numbers.drawn = {DEPTH: (Line(labels={}, points=((w.start, 100.0), (w.start + minutes(25), 140.5))),)}
    await w.send(w.firing("QueueLag", queue="mail"), w.firing("QueueLag", queue="news"))
    await w.at(20)
    assert (await w.incident()).hold_id == 1
    await w.at(21)
    await w.do(lambda tx, settings: _change(tx, settings, IC, "ana"))
    draft = await w.store.read(handover.prepared, w.settings, 1, (IC,), "dia")
    assert f"NOW: trend worse ({DEPTH} 140.5 vs best 100; alerts firing 2 vs best 2)" in draft["text"]
    assert "trend" not in {it["line"] for it in draft["missing"]}
    assert "graph: progress of queue-lag" in draft["text"]
    assert "http://incidentd.example.org/incidents/INC-1/graphs/4" in draft["text"]
    w.numbers.drawn = {DEPTH: (Line(labels={}, points=((w.start, 100.0), (w.start + minutes(30), 20.0))),)}
    await w.at(40)
    draft = await w.store.read(handover.prepared, w.settings, 1, (IC,), "dia")
    assert f"NOW: trend better ({DEPTH} 20" in draft["text"]


async def test_at_the_end_of_a_shift_all_roles_go_in_one_offer_and_the_document_says_who_has_them(
    world: Making,
) -> None:
    w = await world(SETTINGS)
    await w.do(handoff.begin)
    await declared(w, words=False)
    for role in (OL, CL):
        await w.do(lambda tx, settings, role=role: _change(tx, settings, role, "ana"))
    await w.at(180)
    await w.do(handover.say, 1, WORDS, actor=ANA)
    held = await w.store.read(handover.open_roles, "ana")
    assert {number: set(roles) for number, roles in held.items()} == {1: {IC, OL, CL}}
    await offered(w, roles=held[1])
    await w.do(handover.accept, 1, actor=DIA)
    assert await w.store.read(handover.open_roles, "ana") == {}
    page = render(await w.store.read(facts.incident_facts, w.settings, 1))
    for role in (IC, OL, CL):
        assert f"{role.title} dia (since 2026-11-24 17:00:00 UTC, handed over by ana \\(HO-1\\))" in page
    assert len([it for it in w.post.sent if it.key.startswith("HO-1/accepted/")]) == len(
        {it.channel for it in w.post.sent if it.key.startswith("HO-1/accepted/")}
    )
