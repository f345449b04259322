"""Asking people to take roles: at the declaration and by the commander, answered, declined, and left unanswered."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from incidentd.engine import Engine, answering, commands, lifecycle, merging, roles
from incidentd.engine.answering import Press
from incidentd.engine.roles import showing
from incidentd.errors import BadRequest, Conflict, NotAllowed, NotFound
from incidentd.incidents import Status
from incidentd.links import Claim, kid_of, read
from incidentd.oncall import Roster, Target, Team
from incidentd.pages import Page, PageState
from incidentd.roles import Assignment, OfferState, Role, assigned
from incidentd.settings import RoleSettings, RoleSource, Settings
from incidentd.store import Tx, subjects, things
from incidentd.store import roles as stored
from incidentd.timeline import INCIDENTD, Actor
from tests.engine.test_lifecycle import ANA, BEN, CHO, PEOPLE, begun, sample
from tests.engine.world import Making, World, minutes, policy, roster

IC, OL, CL = Role.INCIDENT_COMMANDER, Role.OPERATIONS_LEAD, Role.COMMUNICATIONS_LEAD
DIA = Actor(name="dia", via="api")


def staffed() -> Settings:
    """Ana is called first; the shop's team has ben, then cho; dia speaks to people."""
    people = replace(
        roster("ana", "ben", "cho", "dia"),
        teams={"shop": Team(name="shop", people=("ben", "cho"), escalation="shop")},
    )
    rules = tuple(replace(rule, teams=("shop",)) for rule in PEOPLE.rules)
    policies = {**PEOPLE.escalations, **policy("shop", (0, "ben"), (5, "cho"))}
    cl = RoleSource(ask=Target(person="dia"))
    return replace(
        PEOPLE, roster=people, rules=rules, escalations=policies, roles=RoleSettings(sources={CL: cl})
    )  # fmt: skip


async def sorts(w: World, number: int = 1) -> list[tuple[Role, str, OfferState]]:
    return [(one.role, one.person, one.state) for one in await w.store.read(stored.offers, number)]


def titles(w: World) -> list[str]:
    return [one.title for one in w.post.sent]


async def holders(w: World) -> dict[str, str]:
    found = await w.store.read(showing.shown, 1)
    return {it["role"]: it["holder"] for it in found["roles"]}


async def test_the_owning_teams_on_call_and_the_comms_are_asked_at_the_declaration(world: Making) -> None:
    w = await begun(world, staffed())
    assert await sorts(w) == [(OL, "ben", OfferState.ASKED), (CL, "dia", OfferState.ASKED)]
    assert await holders(w) == {"ic": "ana", "ol": "ana", "cl": "ana"}
    assert any("Will you be Operations Lead of INC-1?" in one for one in titles(w))
    await w.at(2)
    await w.do(roles.accept, 1, actor=BEN)
    await w.do(roles.accept, 1, actor=DIA, role=CL)
    assert await holders(w) == {"ic": "ana", "ol": "ben", "cl": "dia"}
    await w.at(10)
    assert [state for _, _, state in await sorts(w)] == [OfferState.TAKEN] * 2


async def test_who_does_not_answer_for_five_minutes_is_passed_over_and_their_chain_is_paged(world: Making) -> None:
    w = await begun(world, staffed())
    await w.at(6)
    assert [state for _, _, state in await sorts(w)] == [OfferState.TIMED_OUT] * 2
    pages = [page for page in await w.store.read(things.pages_of, "INC-1") if page.errand.role]
    assert [(page.policy, page.errand.role, page.paged) for page in pages] == [("shop", OL.value, ("ben",))]
    assert "ben did not say within 5m whether they take the role of Operations Lead." in await w.story("INC-1")
    await w.at(11)
    await w.do(commands.ack_page, pages[0].id, by="cho", actor=CHO)
    assert (await holders(w))["ol"] == "cho"
    with pytest.raises(Conflict, match="is timed_out"):
        await w.do(roles.accept, 1, actor=BEN)


async def test_a_declined_role_goes_on_at_once_and_the_commander_hears_of_it(world: Making) -> None:
    w = await begun(world, staffed())
    await w.do(roles.decline, 1, actor=BEN, reason="I drive")
    assert "ben does not take the role of Operations Lead: I drive." in await w.story("INC-1")
    assert any("ben declined: shop is paged for it, and you answer for" in one for one in titles(w))
    assert (await holders(w))["ol"] == "ana"


async def test_the_commander_asks_and_only_who_was_asked_may_answer(world: Making) -> None:
    w = await begun(world)
    with pytest.raises(NotAllowed, match="ana may; a token with the scope admin may, too"):
        await w.do(roles.assign, 1, OL, "cho", actor=BEN)
    done = await w.do(roles.assign, 1, OL, "ben", actor=ANA, because="he wrote it")
    assert done.offer is not None
    assert (await holders(w))["ol"] == "ana"
    with pytest.raises(Conflict, match="nothing of INC-1 waits for an answer of cho"):
        await w.do(roles.accept, 1, actor=CHO)
    await w.do(roles.accept, 1, actor=BEN)
    assert "ben is Operations Lead: he wrote it." in await w.story("INC-1")
    with pytest.raises(NotFound, match="there is no 'zoe' among the people"):
        await w.do(roles.assign, 1, CL, "zoe", actor=ANA)


async def test_whoever_takes_a_role_that_nobody_has_has_it_at_once(world: Making) -> None:
    w = await begun(world)
    done = await w.do(roles.assign, 1, OL, "ben", actor=BEN)
    assert done.offer is None
    assert (await holders(w))["ol"] == "ben"
    await w.do(roles.step_back, 1, OL, actor=BEN, because="the night is over")
    assert (await holders(w))["ol"] == "ana"
    with pytest.raises(Conflict, match="is never without a commander"):
        await w.do(roles.step_back, 1, IC, actor=ANA)


async def test_command_is_taken_when_its_holder_lets_go_and_they_go_on_investigating(world: Making) -> None:
    w = await begun(world)
    done = await w.do(roles.take_command, 1, actor=BEN, because="I am rested")
    assert done.offer is not None
    assert (await holders(w))["ic"] == "ana"
    await w.do(roles.accept, 1, actor=ANA)
    assert await holders(w) == {"ic": "ben", "ol": "ana", "cl": "ben"}


async def test_command_is_taken_after_two_minutes_of_silence_but_not_against_a_no(world: Making) -> None:
    w = await begun(world)
    await w.do(roles.take_command, 1, actor=BEN)
    await w.do(roles.decline, 1, actor=ANA, reason="nearly done")
    await w.at(3)
    assert (await holders(w))["ic"] == "ana"
    await w.do(roles.take_command, 1, actor=BEN)
    await w.at(4.9)
    assert (await holders(w))["ic"] == "ana"
    await w.at(5)
    assert (await holders(w))["ic"] == "ben"
    assert "ben is Incident Commander after ana: ana did not answer for 2m." in await w.story("INC-1")


async def test_an_assignment_makes_the_question_void_and_says_so(world: Making) -> None:
    w = await begun(world)
    await w.do(roles.assign, 1, OL, "ben", actor=ANA)
    await w.do(roles.assign, 1, OL, "cho", actor=ANA)
    assert await sorts(w) == [(OL, "ben", OfferState.VOID), (OL, "cho", OfferState.ASKED)]
    assert any("ben is not asked any more." in one for one in await w.story("INC-1"))
    await w.do(lifecycle.stand_down, 1, actor=ANA, code="duplicate")
    assert [state for _, _, state in await sorts(w)] == [OfferState.VOID] * 2


async def test_a_team_is_called_by_its_own_escalation_and_whoever_answers_has_joined(world: Making) -> None:
    w = await begun(world, replace(staffed(), roles=RoleSettings(), rules=PEOPLE.rules))
    page = await w.do(roles.page_team, 1, "shop", actor=ANA, asked="look at the <b>cart</b>")
    assert (page.policy, page.errand.team, page.paged) == ("shop", "shop", ("ben",))
    kinds = await w.kinds("INC-1")
    assert kinds[kinds.index("people.called") + 1] == "page.started"  # who called comes before what follows from it
    with pytest.raises(Conflict, match="shop is being paged for that already"):
        await w.do(roles.page_team, 1, "shop", actor=ANA, asked="look at the <b>cart</b>")
    with pytest.raises(NotFound, match="there is no team 'x'; there are shop"):
        await w.do(roles.page_team, 1, "x", actor=ANA, asked="y")
    with pytest.raises(BadRequest):
        await w.do(roles.page_team, 1, "shop", actor=ANA, asked=" ")
    await w.at(7)
    await w.do(commands.ack_page, page.id, by="cho", actor=CHO)
    found = {it["person"]: it for it in (await w.store.read(showing.shown, 1))["people"]}
    assert found["cho"]["team"] == "shop"
    assert found["cho"]["joined_at"] == found["cho"]["acked_at"]
    assert found["ben"]["joined_at"] is None
    assert found["ben"]["paged_at"] is not None


async def test_people_join_and_are_let_go_with_their_roles(world: Making) -> None:
    w = await begun(world)
    await w.do(roles.join, 1, actor=CHO, text="I know the cache")
    with pytest.raises(Conflict, match="cho works on INC-1 already"):
        await w.do(roles.join, 1, actor=CHO)
    await w.do(roles.assign, 1, OL, "cho", actor=CHO)
    with pytest.raises(NotAllowed):
        await w.do(roles.let_go, 1, "cho", actor=BEN)
    await w.at(30)
    await w.do(roles.let_go, 1, "cho", actor=ANA, because="sleep well")
    assert (await holders(w))["ol"] == "ana"
    with pytest.raises(Conflict, match="needs another commander first"):
        await w.do(roles.let_go, 1, "ana", actor=ANA)
    await w.do(roles.join, 1, actor=CHO)
    assert [it["person"] for it in (await w.store.read(showing.shown, 1))["people"]].count("cho") == 2


async def test_where_nobody_is_configured_a_name_is_enough(world: Making) -> None:
    w = await begun(world, replace(PEOPLE, roster=Roster()))
    done: Any = await w.do(roles.assign, 1, OL, "gus", actor=ANA)
    assert (done.offer, (await holders(w))["ol"]) == (None, "gus")
    assert minutes(5) == w.settings.roles.accept_within


async def test_the_teams_of_the_rule_are_paged_by_their_own_escalation(world: Making) -> None:
    known = staffed()
    teams = {**known.roster.teams, "pay": Team(name="pay", people=("dia",), escalation="pay")}
    rules = tuple(replace(rule, teams=("shop", "pay")) for rule in known.rules)
    policies = {**known.escalations, **policy("pay", (0, "dia"))}
    w = await begun(world, replace(known, roster=replace(known.roster, teams=teams), rules=rules, escalations=policies))
    called = [page for page in await w.store.read(things.pages_of, "INC-1") if page.errand.team]
    assert [(page.policy, page.errand.team, page.paged) for page in called] == [("pay", "pay", ("dia",))]
    assert called[0].title.startswith("pay is needed: ")
    await w.do(commands.ack_page, called[0].id, by="dia", actor=DIA)
    people = {it["person"]: it for it in (await w.store.read(showing.shown, 1))["people"]}
    assert (people["dia"]["team"], people["dia"]["asked"]) == ("pay", "help, as the rule says")


async def test_a_raised_severity_asks_for_the_roles_that_it_needs(world: Making) -> None:
    known = staffed()
    quiet = tuple(replace(rule, severity="sev3", urgency="urgent") for rule in known.rules)
    w = await begun(world, replace(known, rules=quiet))
    assert await sorts(w) == []
    await w.do(lifecycle.set_severity, 1, actor=ANA, severity="sev1")
    assert [(role, person) for role, person, _ in await sorts(w)] == [(OL, "ben"), (CL, "dia")]
    await w.do(lifecycle.set_severity, 1, actor=ANA, severity="sev2", reason="less")
    await w.do(lifecycle.set_severity, 1, actor=ANA, severity="sev1")
    assert len(await sorts(w)) == 2


async def test_a_restart_forgets_no_question(world: Making) -> None:
    w = await begun(world, staffed())
    await w.at(3)
    w.engine = Engine(
        w.store, settings=lambda: w.settings, now=lambda: w.clock[0], metrics=w.metrics, me="next", doors=w.doors
    )
    await w.at(5.1)
    assert [state for _, _, state in await sorts(w)] == [OfferState.TIMED_OUT] * 2
    asked = [one for one in titles(w) if "Will you be Operations Lead" in one]
    assert len(asked) == 1


def link_of(w: World, who: str) -> Claim:
    sent = (one for one in w.post.sent if one.channel == f"{who}/mail" and one.title.startswith("Will you be"))
    body = next(one.body for one in sent)
    token = re.findall(r"/a/(\S+)", body)[-1]
    return read({kid_of(w.doors.link_key): w.doors.link_key}, token, w.now)


async def test_the_link_of_the_message_shows_the_question_and_takes_the_answer_once(world: Making) -> None:
    w = await begun(world, staffed())
    claim, key = link_of(w, "ben"), w.doors.link_key
    shown = await w.store.read(answering.look, w.settings, claim, key)
    assert (shown.choices, shown.over) == (("I take it", "I cannot"), None)
    press = Press(claim=claim, actor=Actor(name="ben", via="link"), key=key, answer="I take it")
    title, said = await w.do(answering.press, press)
    assert (title, said) == ("Thank you", "ben is Operations Lead of INC-1 now.")
    shown = await w.store.read(answering.look, w.settings, claim, key)
    assert shown.over == ("It is over", "The question was accepted; ben is Operations Lead of INC-1.")
    with pytest.raises(Conflict):
        await w.do(answering.press, press)


async def test_a_link_that_says_no_goes_on_with_the_people_behind(world: Making) -> None:
    w = await begun(world, staffed())
    claim, key = link_of(w, "ben"), w.doors.link_key
    press = Press(claim=claim, actor=Actor(name="ben", via="link"), key=key, answer="maybe")
    with pytest.raises(Conflict, match="answer with one of I take it, I cannot"):
        await w.do(answering.press, press)
    await w.do(answering.press, replace(press, answer="I cannot"))
    assert [page.policy for page in await w.store.read(things.pages_of, "INC-1") if page.errand.role] == ["shop"]


def called(w: World) -> list[str]:
    """Name whose mail got something that calls, in order."""
    return [one.channel.partition("/")[0] for one in w.post.sent if one.purpose in ("page", "escalation")]


def answers(w: World, timeliness: str) -> float:
    how = {"team": "platform", "timeliness": timeliness, "urgency": "business_critical"}
    return sample(w, "page_acknowledgements_total", **how)


async def test_whoever_takes_command_of_what_nobody_has_answered_has_it(world: Making) -> None:
    w = await world(PEOPLE)
    await w.send(w.firing("CheckoutDown", service="shop"))
    await w.at(1)
    await w.do(roles.take_command, 1, actor=CHO)
    incident = await w.incident()
    assert (incident.status, incident.commander, incident.acknowledged_at) == (Status.INVESTIGATING, "cho", w.now)
    assert "cho has it; investigating." in await w.story("INC-1")
    await w.at(15.9)
    page = await w.page()
    assert (page.state, page.held_by, page.acked_at, page.breached) == (
        PageState.ACKED, "cho", incident.acknowledged_at, False
    )  # fmt: skip
    assert "PAGE-1 was taken by cho." in await w.story("INC-1")
    assert (called(w), answers(w, "on_time")) == (["ana"], 1)
    assert "role.missing" in await w.kinds("INC-1")
    await w.at(16)
    assert called(w) == ["ana", "cho"]  # as any answer, it expires


async def test_whoever_accepts_to_command_has_its_page_and_none_that_calls_for_something_else(world: Making) -> None:
    asks = RoleSettings(sources={IC: RoleSource(ask=Target(person="dia"))})
    w = await world(replace(staffed(), roles=asks))
    await w.send(w.firing("CheckoutDown", service="shop"))
    await w.do(roles.page_team, 1, "shop", actor=ANA, asked="look at the queue")
    await w.at(1)
    await w.do(roles.accept, 1, actor=DIA, role=IC)
    await w.at(14)
    own, teams, *_ = await w.store.read(things.pages_of, "INC-1")
    assert (own.held_by, own.paged, teams.state, teams.paged[:2]) == ("dia", ("ana",), PageState.OPEN, ("ben", "cho"))


@pytest.mark.parametrize("by", ["ana", "cho"])
async def test_whoever_investigates_what_called_them_or_nobody_commands_has_its_page(world: Making, by: str) -> None:
    w = await world(PEOPLE)
    await w.send(w.firing("CheckoutDown", service="shop"))
    await w.do(lifecycle.investigate, 1, actor=Actor(name=by, via="api"))
    await w.at(14)
    page = await w.page()
    assert ((await w.incident()).commander, page.held_by, called(w)) == (by, by, ["ana"])


async def test_who_declared_it_and_goes_on_with_it_leaves_its_page_to_those_it_calls(world: Making) -> None:
    w = await world(PEOPLE)
    await w.do(commands.declare_incident, actor=CHO, title="Down", severity="sev1", page="platform")
    await w.do(lifecycle.identify, 1, actor=CHO, cause="the disk is full")
    await w.at(5)
    assert called(w) == ["ana", "ben"]


async def test_a_token_that_is_nobody_has_no_page_whatever_it_moves(world: Making) -> None:
    w = await world(PEOPLE)
    await w.send(w.firing("CheckoutDown", service="shop"))
    await w.do(lifecycle.investigate, 1, actor=Actor(name="pipeline", via="api"))
    await w.at(5)
    assert called(w) == ["ana", "ben"]


@pytest.mark.parametrize("asked", ["team", "role"])
async def test_whom_somebody_asks_for_after_the_impact_is_called_until_they_answer(world: Making, asked: str) -> None:
    w = await begun(world, staffed())
    await w.do(lifecycle.mitigate, 1, actor=ANA)
    await w.at(10)
    if asked == "team":
        page = await w.do(roles.page_team, 1, "shop", actor=ANA, asked="check the replica before we resolve")
    else:
        await w.do(roles.assign, 1, OL, "dia", actor=ANA)
        await w.do(roles.decline, 1, actor=DIA, role=OL)
        page = (await w.store.read(things.pages_of, "INC-1"))[-1]
    assert await so_far(w, page.id) == (("ben",), False)
    await w.at(15)
    assert await so_far(w, page.id) == (("ben", "cho"), True)


@pytest.mark.slow
async def test_a_team_that_a_rule_calls_is_called_no_more_while_its_alerts_are_resolved(world: Making) -> None:
    known = staffed()
    teams = {**known.roster.teams, "db": Team(name="db", people=("dia", "cho"), escalation="db")}
    rules = tuple(replace(rule, teams=("shop", "db")) for rule in known.rules)
    policies = {**known.escalations, **policy("db", (0, "dia"), (5, "cho"))}
    w = await begun(world, replace(known, roster=replace(known.roster, teams=teams), rules=rules, escalations=policies))
    (page,) = [it for it in await w.store.read(things.pages_of, "INC-1") if it.errand.team == "db"]
    await w.send(w.resolved("CheckoutDown", service="shop"))
    await w.at(60)
    assert await so_far(w, page.id) == (("dia",), False)


async def so_far(w: World, page: int) -> tuple[tuple[str, ...], bool]:
    """Say whom a page called so far, and whether its response time is missed."""
    it = await w.page(page)
    return it.paged, it.breached


async def test_who_works_on_what_is_merged_works_on_the_survivor(world: Making) -> None:
    w = await begun(world)
    await w.do(roles.join, 1, actor=CHO, text="read the logs")
    await w.do(commands.declare_incident, actor=BEN, title="the same", severity="sev1")
    await w.do(merging.merge, 1, into=2, actor=BEN)
    people = {it["person"]: it["asked"] for it in (await w.store.read(showing.shown, 2))["people"] if it["joined_at"]}
    assert people == {"ben": "", "ana": "came with INC-1", "cho": "read the logs"}


def commanded() -> Settings:
    """Gus is asked to command, and hal is behind him; ana is called first for the incident itself."""
    ic = RoleSource(ask=Target(person="gus"), escalation="ic")
    return replace(
        PEOPLE, roster=roster("ana", "ben", "cho", "gus", "hal"), roles=RoleSettings(sources={IC: ic}),
        escalations={**PEOPLE.escalations, **policy("ic", (0, "gus"), (5, "hal"), (10, "cho"))},
    )  # fmt: skip


async def test_a_commander_who_never_answered_is_no_lead_while_somebody_else_is_called_for_that(world: Making) -> None:
    w = await world(staffed())
    await w.send(w.firing("CheckoutDown", service="shop"))
    await w.do(on_call, "ana")
    await w.at(6)
    page = await page_for(w, OL)  # ben, who was asked, is silent
    await w.do(roles.take_command, 1, actor=DIA)
    await w.at(8)
    assert await held(w) == {IC: "dia"}
    await w.at(10)
    assert (await w.page(page.id)).paged == ("ben", "cho")
    await w.do(commands.ack_page, page.id, by="ben", actor=BEN)
    assert await held(w) == {IC: "dia", OL: "ben"}


def on_call(tx: Tx, settings: Settings, person: str) -> None:
    """Have somebody command who said nothing yet, as whoever is on call for it does."""
    incident = subjects.get_incident(tx, 1)
    lead = Assignment(role=IC, person=person, since=tx.now, because="on call", by=INCIDENTD.name)
    subjects.save_incident(tx, replace(incident, roles=assigned(incident.roles, lead)))


async def held(w: World) -> dict[Role, str]:
    return {it.role: it.person for it in (await w.incident()).roles}


async def test_whoever_takes_command_leaves_the_page_of_what_is_part_of_it_to_those_it_calls(world: Making) -> None:
    w = await world(replace(PEOPLE, escalations={**PEOPLE.escalations, **policy("network", (0, "ben"), (5, "fay"))}))
    await w.send(w.firing("CheckoutDown", service="shop"))
    await w.do(commands.declare_incident, actor=ANA, title="Net", severity="sev1", page="network")
    await w.do(merging.merge, 2, into=1, actor=ANA)
    await w.do(roles.take_command, 1, actor=CHO)
    await w.at(5)
    own, network = [(page.held_by, page.paged[:2]) for page in await w.store.read(things.pages_of, "INC-1")]
    assert (own, network) == (("cho", ("ana",)), ("", ("ben", "fay")))


async def test_who_declared_it_and_names_themselves_leaves_its_page_to_those_it_calls(world: Making) -> None:
    w = await world(PEOPLE)
    await w.do(commands.declare_incident, actor=CHO, title="Down", severity="sev1", page="platform")
    await w.do(roles.assign, 1, IC, "cho", actor=CHO)
    await w.at(5)
    assert called(w) == ["ana", "ben"]


async def test_a_team_that_somebody_asked_for_is_called_though_it_is_over_before_an_answer(world: Making) -> None:
    w = await world(staffed())
    await w.send(w.firing("CheckoutDown", service="shop"))
    page = await w.do(roles.page_team, 1, "shop", actor=ANA, asked="look at the queue")
    await w.send(w.resolved("CheckoutDown", service="shop"))
    await w.at(10)
    assert (await w.incident()).status is Status.MITIGATED
    assert (await w.page()).state is PageState.RESOLVED
    assert (await w.page(page.id)).state is PageState.OPEN
    paged, breached = await so_far(w, page.id)
    assert (paged[:2], breached) == (("ben", "cho"), True)


async def page_for(w: World, role: Role, number: int = 1) -> Page:
    """Give the one page that called somebody for a role."""
    (found,) = [it for it in await w.store.read(things.pages_of, f"INC-{number}") if it.errand.role == role.value]
    return found


def called_for(w: World, what: str) -> list[str]:
    return [one.channel for one in w.post.sent if what in one.title and one.purpose in ("page", "escalation")]


async def test_nobody_is_called_for_a_role_that_somebody_has_by_now(world: Making) -> None:
    w = await begun(world, staffed())
    await w.at(6)
    await w.do(roles.assign, 1, OL, "dia", actor=ANA)
    assert (await page_for(w, OL)).state is PageState.OPEN  # dia did not accept yet
    await w.at(7)
    await w.do(roles.accept, 1, actor=DIA, role=OL)
    page = await page_for(w, OL)
    assert (page.state, page.closed_at) == (PageState.RESOLVED, w.now)
    assert f"{page.key} ended: dia is Operations Lead." in await w.story("INC-1")
    await w.at(60)
    assert called_for(w, "needs its Operations Lead") == ["ben/mail"]
    with pytest.raises(Conflict, match="there is nothing to acknowledge"):
        await w.do(commands.ack_page, page.id, by="ben", actor=BEN)
    assert (await holders(w))["ol"] == "dia"


async def test_whoever_answers_the_page_for_a_commander_has_the_command(world: Making) -> None:
    w = await begun(world, commanded())
    await w.at(6)
    page = await page_for(w, IC)
    await w.do(commands.ack_page, page.id, by="gus", actor=Actor(name="gus", via="api"))
    assert (await holders(w))["ic"] == "gus"
    assert (await page_for(w, IC)).state is PageState.ACKED


async def test_whoever_answered_first_makes_room_for_who_is_called_to_command(world: Making) -> None:
    w = await world(commanded())
    await w.send(w.firing("CheckoutDown", service="shop"))
    await w.at(6)
    page = await page_for(w, IC)
    await w.do(commands.ack_page, 1, by="ana", actor=ANA)
    await w.do(commands.ack_page, page.id, by="gus", actor=Actor(name="gus", via="api"))
    assert (await holders(w))["ic"] == "gus"


async def test_the_page_for_a_commander_does_not_outlive_a_change_of_command(world: Making) -> None:
    w = await begun(world, commanded())
    await w.at(6)
    await w.do(roles.take_command, 1, actor=BEN)
    await w.do(roles.accept, 1, actor=ANA)
    assert (await page_for(w, IC)).state is PageState.RESOLVED
    await w.at(30)
    assert called_for(w, "needs its Incident Commander") == ["gus/mail"]
    assert (await holders(w))["ic"] == "ben"


async def test_a_late_answer_to_a_call_deposes_no_later_commander(world: Making) -> None:
    w = await begun(world, commanded())
    await w.at(6)
    page = await page_for(w, IC)
    await w.do(roles.take_command, 1, actor=BEN)
    await w.do(roles.accept, 1, actor=ANA)
    await w.do(lambda tx, _settings: things.save_page(tx, page))  # as an earlier version left it
    await w.do(commands.ack_page, page.id, by="gus", actor=Actor(name="gus", via="api"))
    assert (await holders(w))["ic"] == "ben"


async def test_a_page_for_a_role_that_the_survivor_has_stays_behind(world: Making) -> None:
    w = await begun(world, commanded())
    await w.do(commands.declare_incident, actor=BEN, title="the same", severity="sev1")
    await w.at(6)
    assert (await page_for(w, IC)).state is PageState.OPEN
    await w.do(merging.merge, 1, into=2, actor=BEN)
    assert (await page_for(w, IC)).state is PageState.RESOLVED
    await w.at(30)
    assert called_for(w, "needs its Incident Commander") == ["gus/mail"]
    assert (await w.incident(2)).commander == "ben"


async def pages_for(w: World, role: Role) -> list[tuple[str, PageState]]:
    """Give the pages that called somebody for a role of INC-1, and how they stand."""
    return [
        (it.key, it.state) for it in await w.store.read(things.pages_of, "INC-1") if it.errand.role == role.value
    ]  # fmt: skip


async def test_a_role_is_called_for_again_when_what_needs_it_is_taken_out_of_who_had_it(world: Making) -> None:
    w = await begun(world, staffed())
    await w.do(commands.declare_incident, actor=DIA, title="the same", severity="sev1")
    await w.do(roles.assign, 2, OL, "dia", actor=DIA)
    await w.at(6)
    first = await page_for(w, OL)
    for again in (1, 2):  # once a merge, however often
        await w.do(merging.merge, 1, into=2, actor=DIA)
        assert {state for _, state in await pages_for(w, OL)} == {PageState.RESOLVED}
        w.post.sent.clear()
        await w.do(merging.unmerge, 1, actor=DIA)
        states = [state for _, state in await pages_for(w, OL)]
        assert states == [PageState.RESOLVED] * again + [PageState.OPEN]
        assert called_for(w, "needs its Operations Lead") == ["ben/mail"]
    newest = (await w.store.read(things.pages_of, "INC-1"))[-1]
    assert (newest.policy, newest.errand, newest.title) == (first.policy, first.errand, first.title)
    await w.do(commands.ack_page, newest.id, by="ben", actor=BEN)
    assert (await holders(w))["ol"] == "ben"


async def test_a_role_that_somebody_took_in_the_survivor_is_called_for_again_where_nobody_has_it(
    world: Making,
) -> None:
    w = await begun(world, staffed())
    await w.do(commands.declare_incident, actor=DIA, title="the same", severity="sev1")
    await w.at(6)
    await w.do(merging.merge, 1, into=2, actor=DIA)
    assert (await page_for(w, OL, 2)).state is PageState.OPEN
    await w.do(roles.assign, 2, OL, "dia", actor=DIA)
    assert (await page_for(w, OL, 2)).state is PageState.RESOLVED
    await w.do(merging.unmerge, 1, actor=DIA)
    assert [state for _, state in await pages_for(w, OL)] == [PageState.RESOLVED, PageState.OPEN]


async def test_a_role_is_called_for_again_when_its_page_ended_in_what_it_went_through(world: Making) -> None:
    w = await begun(world, staffed())
    await w.do(commands.declare_incident, actor=DIA, title="the same", severity="sev3")
    await w.do(commands.declare_incident, actor=DIA, title="the same, too", severity="sev1")
    await w.do(roles.assign, 3, OL, "dia", actor=DIA)
    await w.at(6)
    first = await page_for(w, OL)
    await w.do(merging.merge, 1, into=2, actor=DIA, admin=True)
    await w.do(merging.merge, 2, into=3, actor=DIA, admin=True)
    ended = await w.store.read(things.get_page, first.id)
    assert (ended.subject, ended.state) == ("INC-2", PageState.RESOLVED)
    w.post.sent.clear()
    await w.do(merging.unmerge, 1, actor=DIA, admin=True)
    assert [state for _, state in await pages_for(w, OL)] == [PageState.RESOLVED, PageState.OPEN]
    assert called_for(w, "needs its Operations Lead") == ["ben/mail"]
    assert (await w.store.read(things.get_page, first.id)).subject == "INC-1"


async def test_a_role_that_somebody_has_is_not_called_for_again_when_it_is_taken_out(world: Making) -> None:
    w = await begun(world, commanded())
    await w.do(commands.declare_incident, actor=BEN, title="the same", severity="sev1")
    await w.at(6)
    await w.do(merging.merge, 1, into=2, actor=BEN)
    await w.do(merging.unmerge, 1, actor=BEN)
    assert (await w.incident()).commander == "ana"
    assert (await page_for(w, IC)).state is PageState.RESOLVED


async def test_nobody_is_called_for_a_role_of_what_is_about_to_end_when_it_is_taken_out(world: Making) -> None:
    w = await begun(world, staffed())
    await w.do(commands.declare_incident, actor=DIA, title="the same", severity="sev1")
    await w.do(roles.assign, 2, OL, "dia", actor=DIA)
    await w.at(6)
    await w.do(merging.merge, 1, into=2, actor=DIA)
    await w.send(w.resolved("CheckoutDown", service="shop"))
    await w.do(merging.unmerge, 1, actor=DIA)
    assert (await page_for(w, OL)).state is PageState.RESOLVED
