"""Pages over hours: who has them, answers that expire, what joins, and what falls due at the same moment."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import time

import pytest

from incidentd.engine import commands, course, lifecycle, paging, records, roles
from incidentd.errors import Conflict
from incidentd.holds import HoldPolicy
from incidentd.matchers import parse_matcher
from incidentd.oncall import Person, Roster, Target, Team
from incidentd.pages import Chain, Ending, EscalationPolicy, Level, Page, PageState, QuietHours
from incidentd.roles import Role
from incidentd.rules import CATCH_ALL, SeverityRule, Urgency
from incidentd.settings import RoleSettings, RoleSource, Settings
from incidentd.store import Tx, subjects, things
from incidentd.timeline import Actor
from tests.engine.test_holds_and_incidents import LAG, SETTINGS
from tests.engine.world import Making, World, chain_of, make_world, minutes, person, policy, roster

ROUNDS = 500 if os.environ.get("INCIDENTD_TEST_LONG") == "1" else 20
ANA, BEN, ELI = (Actor(name=name, via="api") for name in ("ana", "ben", "eli"))
OL = Role.OPERATIONS_LEAD
KNOWN = replace(SETTINGS, roster=roster("ana", "ben", "eli"))


def figure(w: World, line: str) -> float:
    """Read a figure as a scrape does; nothing means zero."""
    lines = w.metrics.render("")[0].decode().splitlines()
    return next((float(it.rpartition(" ")[2]) for it in lines if it.startswith(f"incidentd_{line} ")), 0)


def answers(timeliness: str) -> str:
    how = f'team="platform",timeliness="{timeliness}",urgency="business_critical"'
    return f"page_acknowledgements_total{{{how}}}"


async def down(w: World) -> None:
    await w.send(w.firing("CheckoutDown"))


def called(w: World) -> list[str]:
    """Name whose mail got something that calls, in order."""
    return [n.channel.partition("/")[0] for n in w.post.sent if n.purpose in ("page", "escalation")]


async def test_an_answer_from_somebody_who_was_not_called_is_refused_and_says_what_to_do(world: Making) -> None:
    w = await world(KNOWN)
    await down(w)
    with pytest.raises(Conflict, match="was not sent to eli, so it still calls ana; take it"):
        await w.do(commands.ack_page, 1, by="eli", actor=ELI)
    await w.at(5)

    assert called(w) == ["ana", "ben"]


@pytest.mark.parametrize("answer", [commands.ack_page, commands.take_page])
async def test_a_name_that_is_nobodys_has_no_page(world: Making, answer: Callable[..., Page]) -> None:
    w = await world(KNOWN)
    await down(w)
    with pytest.raises(Conflict, match=r"'elli' is nobody in .* \(did you mean eli\?\), so nobody would have PAGE-1"):
        await w.do(answer, 1, by="elli", actor=Actor(name="elli", via="api"))
    await w.at(5)

    assert called(w) == ["ana", "ben"]


async def test_help_stops_nothing_and_is_on_the_timeline(world: Making) -> None:
    w = await world(KNOWN)
    await down(w)
    await w.do(commands.help_with_page, 1, by="eli", actor=ELI, text="looking at the gateway")
    await w.at(5)

    assert called(w) == ["ana", "ben"]
    words = "eli is helping with PAGE-1: looking at the gateway (it still waits for an answer)."
    assert words in await w.story("INC-1")


async def test_who_takes_a_page_has_it_paged_or_not_and_may_take_it_over(world: Making) -> None:
    w = await world(KNOWN)
    await down(w)
    await w.do(commands.ack_page, 1, by="ana", actor=ANA)
    await w.do(commands.take_page, 1, by="eli", actor=ELI)
    await w.at(14)

    page = await w.page()
    assert (page.held_by, page.acked_by, called(w)) == ("eli", "ana", ["ana"])
    assert "PAGE-1 was taken by eli over from ana." in await w.story("INC-1")
    with pytest.raises(Conflict, match="was acknowledged by eli"):
        await w.do(commands.ack_page, 1, by="ben", actor=BEN)


async def test_an_answer_that_nothing_follows_expires_and_calls_who_gave_it_and_then_the_others(world: Making) -> None:
    w = await world(KNOWN)
    await down(w)
    await w.at(2)
    await w.do(commands.ack_page, 1, by="ana", actor=ANA)
    await w.at(16.9)
    assert called(w) == ["ana"]

    await w.at(17)
    assert called(w) == ["ana", "ana"]
    assert w.post.sent[-1].title.startswith("[SEV1] Still going on, ana has it: ")
    await w.at(22)
    assert called(w) == ["ana", "ana", "ben"]
    keys = [n.key for n in w.post.sent]
    assert len(set(keys)) == len(keys)
    assert figure(w, 'page_renotifications_total{team="platform",urgency="business_critical"}') == 1
    assert not (await w.page()).breached

    await w.do(commands.ack_page, 1, by="ben", actor=BEN)
    page = await w.page()
    assert (page.held_by, page.acked_by) == ("ben", "ana")
    assert figure(w, answers("on_time")) == 1


async def test_a_note_keeps_an_answer_and_so_does_progress(world: Making) -> None:
    w = await world(KNOWN)
    await down(w)
    await w.do(commands.ack_page, 1, by="ana", actor=ANA)
    for minute in (10, 20, 30):
        await w.at(minute)
        await w.do(commands.add_note, "INC-1", actor=ANA, text="the gateway refuses us; calling them")
    await w.at(44.9)
    assert called(w) == ["ana"]
    await w.at(45)
    assert called(w) == ["ana", "ana"]


async def test_what_people_put_down_keeps_an_answer_too(world: Making) -> None:
    w = await world(KNOWN)
    await down(w)
    await w.do(commands.ack_page, 1, by="ana", actor=ANA)
    await w.at(10)
    await w.do(records.add_hypothesis, 1, text="the gateway is down", actor=ANA)
    await w.at(24.9)
    assert called(w) == ["ana"]
    await w.at(25)
    assert called(w) == ["ana", "ana"]


async def test_a_page_goes_along_with_the_command(world: Making) -> None:
    w = await world(KNOWN)
    await down(w)
    await w.do(commands.ack_page, 1, by="ana", actor=ANA)
    await w.at(5)
    await w.do(
        lambda tx, settings: roles.change(
            tx, settings, subjects.get_incident(tx, 1), Role.INCIDENT_COMMANDER, "ben", actor=ANA, because="rest"
        )
    )
    assert ((await w.page()).held_by, (await w.page()).acked_by) == ("ben", "ana")
    assert "PAGE-1 is ben's from here." in await w.story("INC-1")
    await w.at(19.9)
    assert called(w) == ["ana"]
    await w.at(20)
    assert called(w) == ["ana", "ben"]


STAFFED = replace(
    KNOWN, roles=RoleSettings(sources={OL: RoleSource(ask=Target(person="ben"), escalation="ops")}),
    escalations={**KNOWN.escalations, **policy("ops", (0, "eli"), (5, "ben"))},
    roster=replace(KNOWN.roster, teams={"db": Team(name="db", people=("eli",), escalation="ops")}),
)  # fmt: skip


async def held(w: World) -> list[str]:
    """Name who has each page of the incident."""
    return [it.held_by for it in await w.store.read(things.pages_of, "INC-1")]


async def led(world: Making) -> World:
    """Have ana command, and eli lead operations because she answered the page for it."""
    w = await world(STAFFED)
    await down(w)
    await w.do(commands.ack_page, 1, by="ana", actor=ANA)
    await w.do(roles.decline, 1, actor=BEN)
    await w.do(commands.ack_page, 2, by="eli", actor=ELI)
    assert await held(w) == ["ana", "eli"]
    return w


async def test_a_page_goes_back_with_a_role_that_is_given_up(world: Making) -> None:
    w = await led(world)
    await w.do(roles.step_back, 1, OL, actor=ELI, because="the night is over")
    assert await held(w) == ["ana", "ana"]
    assert (await w.story("INC-1"))[-1] == "PAGE-2 is ana's from here."
    await w.at(19.9)
    assert called(w).count("eli") == 1


async def test_the_pages_of_somebody_who_is_let_go_are_the_commanders(world: Making) -> None:
    w = await led(world)
    await w.do(roles.page_team, 1, "db", actor=ANA, asked="why do writes hang?")
    await w.do(commands.ack_page, 3, by="eli", actor=ELI)
    await w.do(roles.let_go, 1, "eli", actor=ANA, because="sleep well")
    assert await held(w) == ["ana", "ana", "ana"]
    assert (await w.story("INC-1"))[-2:] == ["eli is let go: sleep well", "PAGE-3 is ana's from here."]
    await w.at(19.9)
    assert called(w).count("eli") == 2
    assert called(w).count("ana") > 1


async def test_the_page_of_who_leads_operations_and_does_not_command_goes_along_with_that(world: Making) -> None:
    w = await world(KNOWN)
    await down(w)
    await w.do(roles.take_command, 1, actor=BEN)
    await w.do(roles.assign, 1, OL, "ana", actor=ANA)
    await w.do(commands.take_page, 1, by="ana", actor=ANA)
    assert await held(w) == ["ana"]
    await w.do(
        lambda tx, settings: roles.change(
            tx, settings, subjects.get_incident(tx, 1), OL, "eli", actor=ANA, because="my shift ends"
        )
    )
    assert await held(w) == ["eli"]
    await w.at(19.9)
    assert called(w)[1:] == ["eli"]


async def test_what_is_over_or_mitigated_calls_nobody_again(world: Making) -> None:
    w = await world(KNOWN)
    await down(w)
    await w.do(commands.ack_page, 1, by="ana", actor=ANA)
    await w.send(w.resolved("CheckoutDown"))
    await w.at(120)
    assert called(w) == ["ana"]
    await w.do(lifecycle.resolve, 1, actor=ANA)
    await w.at(300)
    assert called(w) == ["ana"]


SLOW = replace(
    LAG, name="slow", match=(parse_matcher('alertname="QueueLag"'), parse_matcher('severity="page"')), severity="sev2",
    urgency="business_critical",
)  # fmt: skip
STAYS = replace(LAG, hold=HoldPolicy(no_progress_after=minutes(50), hard_cap=minutes(60), declare_on=frozenset()))
WORSE = replace(STAYS, name="worse", match=SLOW.match, severity="sev2")


def rules(*these: SeverityRule) -> Settings:
    stays = replace(STAYS, correlate_by=("alertname",))
    found = [replace(rule, correlate_by=("alertname",)) for rule in these]
    return replace(KNOWN, rules=(*found, stays, CATCH_ALL))


async def test_what_joins_an_answered_page_is_quiet_unless_it_is_worse_and_then_it_is_one_message(
    world: Making,
) -> None:
    w = await world(rules(WORSE))
    await w.send(w.firing(host="a"))
    await w.do(commands.ack_page, 1, by="ana", actor=ANA)
    await w.at(1)
    await w.send(w.firing(host="b"))
    await w.at(5)
    assert called(w) == ["ana"]

    await w.send(w.firing(host="c", severity="page"))
    await w.at(5.9)
    assert called(w) == ["ana"]
    await w.at(10)
    assert called(w) == ["ana", "ana"]
    assert w.post.sent[-1].title.startswith("[SEV2] Worse than when you answered: ")


async def test_a_page_whose_urgency_rises_is_the_same_page_with_a_response_time_of_its_own(world: Making) -> None:
    w = await world(rules(replace(SLOW, hold=STAYS.hold)))
    await w.send(w.firing(host="a"))
    await w.do(commands.ack_page, 1, by="ana", actor=ANA)
    await w.at(10)
    await w.send(w.firing(host="b", severity="page"))

    page = await w.page()
    assert (page.state, page.urgency, page.respond_within) == (PageState.OPEN, "business_critical", minutes(5))
    assert called(w) == ["ana", "ana"]
    await w.at(15)
    assert (await w.page()).breached
    assert called(w) == ["ana", "ana", "ben"]


async def test_b5_08_a_restart_in_the_middle_of_a_chain_goes_on_where_it_was(store_url: str) -> None:
    first = await make_world(store_url, KNOWN)
    await down(first)
    await first.at(5)
    await first.store.close()

    second = await make_world(store_url, KNOWN, clock=first.clock)
    try:
        await second.at(9)
        assert second.post.sent == []
        await second.at(10)
        assert called(first) == ["ana", "ben"]
        assert sorted(called(second)) == ["ana", "ben", "eli"]  # the last resort is everybody
    finally:
        await second.store.close()


async def test_b5_10_an_answer_before_an_escalation_was_sent_cancels_it(world: Making) -> None:
    w = await world(KNOWN)
    await down(w)
    w.clock[0] += minutes(5)
    await w.store.write(paging.time_came, w.settings, 1)  # ben's message lies in the outbox
    await w.do(commands.ack_page, 1, by="ana", actor=ANA)

    assert called(w) == ["ana"]


async def test_b5_12_what_resolves_a_second_before_the_response_time_is_no_breach(world: Making) -> None:
    w = await world(replace(KNOWN, rules=(replace(SLOW, hold=STAYS.hold), CATCH_ALL)))
    await w.send(w.firing(severity="page"))
    await w.at(4 + 59 / 60)
    await w.send(w.resolved(severity="page"))
    await w.at(30)

    page = await w.page()
    assert (page.state, page.breached, page.ending) == (PageState.RESOLVED, False, Ending.RESOLVED_BEFORE_ACK)
    assert (figure(w, answers("resolved_before_ack")), figure(w, answers("on_time"))) == (1, 0)
    assert [n.title.startswith("[SEV2] Resolved by itself: ") for n in w.post.sent] == [False, True]


async def test_b5_13_two_hundred_alerts_are_one_page(world: Making) -> None:
    w = await world(rules())
    await w.send(*(w.firing(host=str(number)) for number in range(200)))
    assert called(w) == ["ana"]


async def test_b5_21_a_rotation_with_nobody_goes_on_with_the_next_level_at_once(world: Making) -> None:
    chain = Chain(
        levels=(
            Level(after=minutes(0), page=Target(on_call="nights")),
            Level(after=minutes(5), page=Target(person="ben")),
        )
    )
    both = {"urgent": chain, "business_critical": chain}
    w = await world(replace(KNOWN, escalations={"platform": EscalationPolicy(name="platform", chains=both)}))
    await down(w)

    assert called(w) == ["ben"]
    assert figure(w, 'escalations_total{reason="nobody",team="platform"}') == 1
    assert "page.nobody" in await w.kinds("INC-1")


NIGHT = QuietHours(start=time(22), end=time(7), time_zone="UTC")


def with_batch(*levels: tuple[float, str]) -> Settings:
    """Have a team whose escalation has one chain, for what is urgent: it waits for the morning."""
    calm = replace(chain_of(*levels), quiet_hours=NIGHT)
    people = roster("ana", "ben", "eli", "dia", "fay")
    teams = {"batch": Team(name="batch", people=("dia", "fay"), escalation="batch")}
    policies = {**KNOWN.escalations, "batch": EscalationPolicy(name="batch", chains={"urgent": calm})}
    return replace(KNOWN, roster=replace(people, teams=teams), escalations=policies)


@pytest.mark.parametrize(
    ("urgency", "waits"), [("business_critical", False), ("soon", False), ("urgent", True), ("late", True)]
)
@pytest.mark.slow
async def test_b5_15_hours_that_are_quiet_for_what_is_urgent_keep_nothing_until_morning_that_is_more_so(
    world: Making, urgency: str, waits: bool
) -> None:
    known = with_batch((0, "dia"), (5, "fay"))
    more = {
        "soon": Urgency(name="soon", respond_within=minutes(10)),
        "late": Urgency(name="late", respond_within=minutes(240)),
    }
    sev1 = replace(known.severities["sev1"], urgency=urgency)
    known = replace(known, urgencies={**known.urgencies, **more}, severities={**known.severities, "sev1": sev1})
    w = await world(known)
    await w.at(13 * 60)
    await w.do(commands.declare_incident, actor=ANA, title="Orders twice", severity="sev1")
    await w.do(roles.page_team, 1, "batch", actor=ANA, asked="stop the import")
    await w.at(13 * 60 + 5)
    assert (await w.page(2)).paged == (() if waits else ("dia", "fay"))

    await w.at(17 * 60)
    assert (await w.page(2)).paged[0] == "dia"


async def test_whoever_has_no_channel_is_passed_over_at_once(world: Making) -> None:
    known = Roster(people={"ana": Person(handle="ana", name="Ana"), "ben": person("ben")})
    w = await world(replace(KNOWN, roster=known))
    await down(w)

    assert sorted(n.channel for n in w.post.sent) == ["ben/mail", "log"]


async def test_after_six_hours_without_the_daemon_each_person_hears_of_a_page_once(world: Making) -> None:
    w = await world(replace(KNOWN, escalations=policy("platform", (0, "ana"), (5, "ben"))))
    await down(w)
    w.post.sent.clear()
    w.clock[0] += minutes(360)
    await w.settle()

    assert Counter(n.channel for n in w.post.sent if n.key.startswith("PAGE-1/")).most_common(1)[0][1] <= 2
    assert set(called(w)) == {"ana", "ben", "eli"}


@pytest.mark.slow
async def test_an_answer_and_the_end_of_a_page_at_the_same_moment_have_one_winner(world: Making) -> None:
    w = await world(KNOWN)
    outcomes: Counter[str] = Counter()
    for number in range(1, ROUNDS + 1):
        await w.send(w.firing("CheckoutDown", service=f"shop-{number}"))
        ack = w.store.write(commands.ack_page, w.settings, number, by="ana", actor=ANA)
        over = w.store.write(_mitigated, w.settings, number)
        await asyncio.gather(*((_quietly(ack), over) if number % 2 else (over, _quietly(ack))))
        page = await w.page(number)
        kinds = Counter(await w.kinds((page).subject))
        assert kinds["page.acked"] + kinds["page.resolved"] == 1
        assert (page.state is PageState.ACKED) == bool(kinds["page.acked"])
        outcomes[page.state.value] += 1
    assert sum(outcomes.values()) == ROUNDS
    assert outcomes.keys() == {"acked", "resolved"}


async def _quietly(ack: asyncio.Future[object] | object) -> None:
    with suppress(Conflict):
        await ack  # type: ignore[misc]


def _mitigated(tx: Tx, settings: Settings, number: int) -> None:
    course.mitigated(tx, settings, subjects.get_incident(tx, number), "over")
