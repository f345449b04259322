"""A thousand alerts at once that one playbook fits: it keeps its limits, and one page calls people for what is left."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import replace

import pytest

from incidentd.durations import parse_duration
from incidentd.engine import commands, owning, refusals
from incidentd.errors import Conflict
from incidentd.holds import DeclareOn, HoldPolicy, HoldState, Outcome
from incidentd.matchers import parse_matcher
from incidentd.pages import SUMMARY, Notification, Page
from incidentd.playbooks import Run
from incidentd.playbooks.refusals import FEW
from incidentd.rules import CATCH_ALL
from incidentd.settings import Settings
from incidentd.store import Tx, retention, subjects, things
from incidentd.store.views import everything, single
from incidentd.timeline import SYSTEM, Actor
from tests.engine.test_automation import RULE, playbook, settings
from tests.engine.world import START, Making, World, make_world, minutes, policy

ANA = Actor(name="ana", via="test")
ALERTS = 1000
TOGETHER = 200
"""The alerts of one body."""


def storm_settings() -> Settings:
    """Give the limits that are built in: 3 runs in 10 minutes, 2 in 30 minutes on a target, 20 in an hour of all."""
    patient = HoldPolicy(
        no_progress_after=minutes(120), hard_cap=minutes(240), quiet=minutes(1), declare_on=frozenset()
    )
    rule = replace(RULE, correlate_by=("instance",), hold=patient)
    return replace(settings(playbook()), rules=(rule, CATCH_ALL))


def runs(tx: Tx) -> list[Run]:
    return things.recent_runs(tx, START - minutes(1))


def most_within(found: list[Run], window: str) -> int:
    """Give the most runs that began within a window of this length."""
    return max(
        sum(one.started_at <= it.started_at < one.started_at + parse_duration(window) for it in found) for one in found
    )


async def spread(w: World, other: World, prefix: str, number: int) -> None:
    """Send alerts in several bodies, of which two engines unpack and decide in turn."""
    alerts = [w.firing("WorkerStuck", instance=f"{prefix}-{one}") for one in range(number)]
    for first in range(0, number, TOGETHER):
        body = {"groupKey": f"{prefix}{first}", "alerts": alerts[first : first + TOGETHER]}
        await w.store.append("default", json.dumps(body).encode())
    while await w.engine.unpack() + await other.engine.unpack():
        pass
    while await w.engine.decide_one() + await other.engine.decide_one():
        pass
    await w.settle()


def summaries(w: World) -> list[Notification]:
    """Give the messages about summary pages."""
    return [one for one in w.post.sent if f"({SUMMARY}-" in one.title]


def own_pages(w: World) -> Counter[str]:
    """Count the messages in which each page was told of for the first time."""
    keys = (key for one in w.post.sent for key in (one.key, *one.also) if key.startswith("PAGE-"))
    return Counter(key for key in keys if key.split("/")[1] == "0")


async def pages(w: World, *, joined: bool = False) -> list[Page]:
    """Give the pages that call by themselves, or those that joined a summary."""
    return [it for it in (await w.store.read(everything.everything)).pages if bool(it.joined) is joined]


async def the_summary(w: World) -> Page:
    [found] = [it for it in await pages(w) if it.is_summary]
    return found


async def states(w: World) -> Counter[str]:
    """Count how the pages stand that joined a summary."""
    return Counter(f"{it.state}{f' by {it.held_by}' if it.held_by else ''}" for it in await pages(w, joined=True))


async def storm(w: World, number: int = 8, prefix: str = "w", name: str = "WorkerStuck") -> None:
    alerts = [w.firing(name, instance=f"{prefix}-{one}") for one in range(number)]
    for one in range(number):  # one after the other, so that each hold has the number of its alert on every store
        await w.send(*alerts[: one + 1], group=prefix)
    await w.settle()


@pytest.mark.slow
async def test_p14_a_thousand_alerts_at_once_run_a_playbook_within_its_limits_and_begin_one_summary_page(
    store_url: str,
) -> None:
    w = await make_world(store_url, storm_settings(), me="a")
    # SQLite has one engine; its replica is itself
    other = w if store_url.startswith("sqlite") else await make_world(store_url, w.settings, me="b", clock=w.clock)
    other.post.sent, other.hands.done = w.post.sent, w.hands.done
    await spread(w, other, "w", ALERTS)
    await w.at(1)
    assert w.hands.done.count("restart") == 1  # the others wait for what comes of the first
    summary = await the_summary(w)
    assert len(await pages(w)) == 1 + FEW
    assert len(await pages(w, joined=True)) == ALERTS - 1 - FEW
    assert set(own_pages(w).values()) == {1}
    assert len(own_pages(w)) == 1 + FEW
    [message] = summaries(w)
    assert message.channel == "ana/mail"
    assert "999 runs of playbook restart-worker refused: what they were for is left to people" in message.title
    assert "restart-worker, 999 refused by `canary` on w-" in message.body
    assert "and 996 more: restart-worker is tried on w-" in message.body
    assert f"http://incidentd.example.org/pages/{summary.key}" in message.body

    await w.at(4)  # it was healed, so others may be
    await spread(w, other, "x", 50)
    found = await w.store.read(runs)
    assert most_within(found, "10m") == w.hands.done.count("restart") == 3
    assert max(Counter(run.target for run in found).values()) == 1
    refused = [text for number in (1, 2, 3) for text in await w.story(f"HOLD-{ALERTS + 50 - number}")]
    assert sum("limits.total allows 3" in text for text in refused) == 3
    assert len(await pages(w)) == 1 + FEW

    await w.at(29)
    assert len(summaries(w)) == 2  # once more, for those that joined meanwhile
    assert "1047 runs of playbook" in summaries(w)[-1].title
    await w.at(31)  # nobody answered in time
    assert [(it.channel, it.purpose) for it in summaries(w)[1:]] == [("ana/mail", "page"), ("ben/mail", "escalation")]
    await w.do(commands.ack_page, summary.id, by="ben", actor=Actor(name="ben", via="test"))
    await w.settle()
    assert await states(w) == {"acked by ben": ALERTS - 1 - FEW + 48}
    for one in {id(w): w, id(other): other}.values():
        await one.store.close()


async def test_a_few_refusals_have_their_own_pages_and_no_summary(world: Making) -> None:
    w = await world(storm_settings())
    await storm(w, 1 + FEW)
    await w.at(1)
    assert len(own_pages(w)) == FEW
    assert summaries(w) == []
    await storm(w, 1, "more")
    await w.at(2)
    [summary] = summaries(w)
    assert "6 runs of playbook restart-worker refused" in summary.title
    assert len(own_pages(w)) == FEW + 1
    text = (await w.story("HOLD-7"))[-1]
    assert text.startswith("PAGE-7 joins PAGE-6, which calls platform for all that guards refused, urgent; to be ")
    said = [text for text in await w.story(SYSTEM) if "refused" in text]
    assert said == [
        "Guards refused more than 5 runs of playbooks within 10m for which platform is paged (urgent): 6 of "
        "restart-worker by `canary`. PAGE-6 calls for those that follow, until somebody answers it."
    ]


@pytest.mark.slow
async def test_an_answer_to_the_summary_answers_for_what_joined_and_what_is_refused_then_is_heard(
    world: Making,
) -> None:
    w = await world(storm_settings())
    await storm(w)
    await w.at(1)
    summary = await the_summary(w)
    await w.do(commands.ack_page, summary.id, by="ana", actor=ANA)
    assert (await the_summary(w)).held_by == "ana"
    await w.settle()
    assert await states(w) == {"acked by ana": 2}
    assert (await w.story("HOLD-8"))[-2] == f"PAGE-8 was acknowledged by ana, with {summary.key}."
    own = len(own_pages(w))
    await storm(w, FEW, "y")  # ana has not read of these
    await w.at(1.2)
    assert len(own_pages(w)) == own + FEW
    await storm(w, 3, "z")
    await w.at(1.5)
    again = [it for it in await pages(w) if it.is_summary][-1]
    assert again.id != summary.id
    assert len(own_pages(w)) == own + FEW + 1
    assert "8 runs of" in summaries(w)[-1].title
    assert [it.joined for it in await pages(w, joined=True)] == [summary.id] * 2 + [again.id] * 3


async def test_a_restart_or_a_crash_between_an_answer_and_what_joined_loses_nothing(store_url: str) -> None:
    w = await make_world(store_url, storm_settings())
    await storm(w)
    summary = await the_summary(w)
    await w.store.close()
    w = await make_world(store_url, w.settings, clock=w.clock)  # before the message went out
    await w.at(1)
    assert len(summaries(w)) == 1
    await w.do(commands.ack_page, summary.id, by="ana", actor=ANA)
    await w.store.close()
    w = await make_world(store_url, w.settings, clock=w.clock)  # before anything that joined heard of the answer
    await w.settle()
    assert await states(w) == {"acked by ana": 2}
    await w.at(30)
    assert not [it for it in w.post.sent if it.key.startswith(f"{summary.key}/") and it.purpose == "escalation"]
    await w.store.close()


async def test_a_hold_that_declares_leaves_the_summary_and_its_incident_is_paged(world: Making) -> None:
    w = await world(storm_settings())
    await storm(w)
    await w.at(1)
    sent = len(w.post.sent)
    await w.do(commands.declare_hold, 8, actor=ANA, reason="it is worse than that")
    await w.settle()
    left = await w.page(8)
    assert (left.subject, left.joined, left.paged) == ("INC-1", 0, ("ana",))
    assert "(INC-1)" in w.post.sent[sent].title
    assert "PAGE-8 leaves PAGE-6 and calls by itself: HOLD-8 is declared as INC-1." in await w.story("INC-1")
    assert (await the_summary(w)).state == "open"  # HOLD-7 is left
    assert await states(w) == {"open": 1}


async def test_a_page_of_its_own_is_heard_when_more_than_a_refusal_is_behind_it(world: Making) -> None:
    w = await world(storm_settings())
    await storm(w)
    await w.at(1)
    summary = await the_summary(w)
    await w.do(commands.escalate_page, 8, actor=ANA)
    await w.settle()
    assert (await w.page(8)).paged == ("ana", "ben")
    await w.do(commands.ack_page, 7, by="ana", actor=ANA)
    await w.settle()
    assert (await w.page(7)).held_by == "ana"
    assert await pages(w, joined=True) == []
    ended = await the_summary(w)
    assert (ended.id, ended.state) == (summary.id, "resolved")  # nothing is left that it calls for
    with pytest.raises(Conflict):
        await w.do(commands.ack_page, summary.id, by="ana", actor=ANA)


async def test_a_summary_ends_when_all_that_joined_it_is_over_and_those_called_hear_so(world: Making) -> None:
    w = await world(storm_settings())
    await storm(w)
    await w.at(1)
    await w.send(*(w.resolved("WorkerStuck", instance=f"w-{one}") for one in range(8)), group="w")
    await w.at(3)
    assert (await w.hold(8)).state is HoldState.CLOSED
    assert (await the_summary(w)).state == "resolved"
    assert await states(w) == {"resolved": 2}
    assert summaries(w)[-1].purpose == "resolved"
    await w.at(60)
    assert len(summaries(w)) == 2


@pytest.mark.slow
async def test_an_answer_to_a_summary_expires_like_any_other(world: Making) -> None:
    w = await world(storm_settings())
    await storm(w)
    await w.at(1)
    summary = await the_summary(w)
    await w.do(commands.ack_page, summary.id, by="ana", actor=ANA)
    await w.settle()
    await w.do(commands.add_note, "HOLD-8", actor=ANA, text="on it")
    await w.at(30)
    assert await states(w) == {"acked by ana": 2}
    await w.do(commands.add_note, "HOLD-7", actor=ANA, text="still on it")
    await w.at(58)
    assert await states(w) == {"acked by ana": 2}
    await w.at(61)
    assert (await the_summary(w)).lapsed_by == "ana"
    assert await states(w) == {"open": 2}
    assert len(summaries(w)) == 2


async def test_each_hold_misses_its_own_response_time_once(world: Making) -> None:
    w = await world(storm_settings())
    await storm(w)
    await w.at(31)
    said = [text for text in await w.story("HOLD-8") if "was not answered within" in text]
    assert said == ["PAGE-8 was not answered within 30m."]
    assert (await the_summary(w)).breached


@pytest.mark.slow
async def test_another_playbook_is_heard_by_itself_until_it_is_many_too(world: Making) -> None:
    known = storm_settings()
    other = replace(playbook(), name="other-worker")
    rule = replace(known.rules[0], name="other", match=(parse_matcher('alertname="Other"'),), playbook=other.name)
    books = {**known.playbooks, other.name: other}
    w = await world(replace(known, rules=(known.rules[0], rule, CATCH_ALL), playbooks=books))
    await storm(w)
    await w.at(1)
    own = len(own_pages(w))
    await storm(w, FEW, "o", "Other")
    await w.at(2)
    assert len(own_pages(w)) == own + FEW - 1  # the first of them runs
    assert len(summaries(w)) == 1
    await w.send(*(w.firing("Other", instance=f"p-{one}") for one in range(3)), group="p")  # told of together
    await w.at(3)
    assert len(own_pages(w)) == own + FEW
    assert len(summaries(w)) == 2
    assert "14 runs of 2 playbooks refused" in summaries(w)[-1].title
    assert "other-worker, 7 refused by" in summaries(w)[-1].body


@pytest.mark.slow
async def test_each_policy_and_urgency_has_a_summary_of_its_own_and_what_bleeds_money_has_none(world: Making) -> None:
    known = storm_settings()
    first = known.rules[0]
    second = replace(first, name="other", match=(parse_matcher('alertname="Other"'),), page="second")
    third = replace(first, name="bad", match=(parse_matcher('alertname="Bad"'),), urgency="business_critical")
    escalations = {**known.escalations, **policy("second", (0, "ana"))}
    w = await world(replace(known, rules=(first, second, third, CATCH_ALL), escalations=escalations))
    for name in ("WorkerStuck", "Other", "Bad"):
        await storm(w, 10, name.lower(), name)
    await w.at(1)
    found = [(it.policy, it.urgency) for it in await pages(w) if it.is_summary]
    assert found == [("platform", "urgent"), ("second", "urgent")]
    assert sum(it.urgency == "business_critical" for it in await pages(w)) == 10


async def test_a_summary_is_pruned_with_what_joined_it(world: Making) -> None:
    w = await world(storm_settings())
    await storm(w)
    await w.at(1)
    await w.send(*(w.resolved("WorkerStuck", instance=f"w-{one}") for one in range(8)), group="w")
    await w.at(3)
    w.clock[0] += w.settings.retention.closed + minutes(5)
    for _ in range(3):
        await w.store.write(retention.prune, w.settings.retention)
    assert await pages(w) == []
    assert await w.story("SUM-6") == []


@pytest.mark.slow
async def test_what_is_refused_while_somebody_answers_is_answered_or_heard(world: Making) -> None:
    w = await world(storm_settings())
    await storm(w)
    await w.at(0.5)
    first = await the_summary(w)
    alerts = [w.firing("WorkerStuck", instance=f"late-{one}") for one in range(20)]
    await w.store.append("default", json.dumps({"groupKey": "late", "alerts": alerts}).encode())
    await w.engine.unpack()

    async def answer() -> None:
        await w.store.write(commands.ack_page, w.settings, first.id, by="ana", actor=ANA)

    await asyncio.gather(w.engine.decide_one(), answer(), w.engine.decide_one())
    while await w.engine.decide_one():
        pass
    await w.settle()
    await w.at(1.5)
    sent = own_pages(w)
    found = await pages(w, joined=True)
    assert len(found) + len(await pages(w)) - len([it for it in await pages(w) if it.is_summary]) == 27
    for it in found:
        if it.joined == first.id:
            assert it.held_by == "ana"
        else:
            assert it.state == "open"
            assert sent[f"PAGE-{it.joined}/0/ana/mail"] == 1
    for it in await pages(w):
        assert sent[f"{it.key}/0/ana/mail"] == 1


async def test_a_hold_that_gets_more_severe_leaves_the_summary(world: Making) -> None:
    known = storm_settings()
    worse = replace(
        known.rules[0], name="worse", match=(parse_matcher('alertname="WorkerStuck"'), parse_matcher('bad="yes"')),
        severity="sev2",
    )  # fmt: skip
    w = await world(replace(known, rules=(worse, *known.rules)))
    await storm(w)
    await w.at(1)
    before = await w.hold(8)
    await w.store.write(_raise_severity, w.settings, before.id)
    await w.settle()
    assert (await w.page(8)).paged == ("ana",)
    assert "PAGE-8 leaves PAGE-6 and calls by itself: it is worse than what joined." in await w.story("HOLD-8")
    assert "Raised to sev2" in w.post.sent[-1].title


def _raise_severity(tx: Tx, settings: Settings, number: int) -> None:
    before = subjects.get_hold(tx, number)
    owning.worse(tx, settings, before, replace(before, severity="sev2"))


async def test_a_run_by_hand_that_fails_is_heard_although_the_page_joined(world: Making) -> None:
    w = await world(storm_settings())
    await storm(w)
    await w.at(1)
    await w.store.write(_page_after_all, w.settings, 8)
    await w.settle()
    left = await w.page(8)
    assert (left.joined, left.paged, left.state) == (0, ("ana",), "open")
    await w.do(commands.ack_page, left.id, by="ana", actor=ANA)
    assert await states(w) == {"open": 1}


def _page_after_all(tx: Tx, settings: Settings, number: int) -> None:
    refusals.page_after_all(tx, settings, subjects.get_hold(tx, number))


async def test_only_those_whom_the_summary_called_answer_what_joined_it(world: Making) -> None:
    w = await world(storm_settings())
    await storm(w)
    await w.at(1)
    with pytest.raises(Conflict, match="was not sent to ben"):
        await w.do(commands.ack_page, 8, by="ben", actor=Actor(name="ben", via="test"))
    shown = await w.store.read(single.page, (await the_summary(w)).id)
    assert [(it["subject"], it["state"]) for it in shown["calls_for"]] == [("HOLD-7", "open"), ("HOLD-8", "open")]
    assert [(it["playbook"], it["runs"]) for it in shown["refused"]] == [("restart-worker", 7)]
    assert (await w.store.read(single.hold, 8))["joined"] == "PAGE-6"
    assert (await w.store.read(single.page, 8))["joined"] == "PAGE-6"
    now = await w.store.read(single.overview)
    assert [it["id"] for it in now["pages"]] == [f"PAGE-{number}" for number in range(6, 0, -1)]


async def test_what_a_missed_response_time_declares_is_escalated_no_later_than_by_a_page_of_its_own(
    world: Making,
) -> None:
    known = storm_settings()
    first = known.rules[0]
    strict = replace(first, hold=replace(first.hold, declare_on=frozenset({DeclareOn.ACK_MISSED})))
    w = await world(replace(known, rules=(strict, CATCH_ALL)))
    await storm(w)
    await w.at(31)
    assert (await w.hold(8)).outcome is Outcome.DECLARED_ACK_MISSED
    left = await w.page(8)
    assert (left.joined, left.subject[:4], left.paged, left.breached) == (0, "INC-", ("ana", "ben"), True)
    assert (await the_summary(w)).state == "resolved"
    assert not [it for it in summaries(w) if it.purpose == "resolved"]


async def test_what_joins_after_a_message_is_told_within_ten_minutes_and_once(world: Making) -> None:
    w = await world(storm_settings())
    await storm(w)
    await w.at(1)
    assert len(summaries(w)) == 1
    await storm(w, 2, "x")
    await w.at(1.5)
    await storm(w, 2, "y")
    await w.at(10.9)
    assert len(summaries(w)) == 1
    await w.at(12)
    assert "11 runs of" in summaries(w)[-1].title
    assert len(summaries(w)) == 2
    await w.at(29)
    assert len(summaries(w)) == 2
    assert len({it.key for it in summaries(w)}) == 2
