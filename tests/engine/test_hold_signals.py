"""What moves a hold or declares it, through the whole engine in simulated time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from incidentd.engine import commands
from incidentd.errors import BadRequest, Conflict, NotFound, TemporaryError
from incidentd.holds import HoldPolicy, HoldState, OnFlap, Outcome, ProgressQuery
from incidentd.matchers import parse_matcher
from incidentd.oncall import Channel, ChannelKind, Person, Roster, Target
from incidentd.pages import Chain, EscalationPolicy, Level
from incidentd.playbooks import Mode, StepResult
from incidentd.prometheus import Answer
from incidentd.redaction import Secret
from incidentd.rehearsal.doors import Numbers
from incidentd.rules import CATCH_ALL, Decide, SeverityRule
from incidentd.settings import AlertmanagerSettings, Automation, Settings, Source
from incidentd.timeline import Actor
from tests.engine.test_automation import playbook
from tests.engine.world import START, Making, World, minutes, policy, roster

ANA = Actor(name="ana", via="api")
RULE = SeverityRule(
    name="queue-lag", match=(parse_matcher('alertname="QueueLag"'), parse_matcher('severity!="critical"')),
    decide=Decide.HOLD, severity="sev3", urgency="urgent", hold=HoldPolicy(at="rules.yaml:7"),
)  # fmt: skip
CRITICAL = replace(
    RULE, name="critical", match=(parse_matcher('alertname="QueueLag"'), parse_matcher('severity="critical"')),
    severity="sev2", hold=HoldPolicy(no_progress_after=minutes(10)),
)  # fmt: skip
SETTINGS = Settings(
    external_url="http://incidentd.example.org", rules=(RULE, CRITICAL, CATCH_ALL), roster=roster("ana", "ben"),
    escalations=policy("platform", (0, "ana"), (5, "ben")),
)  # fmt: skip
ASKABLE = replace(
    SETTINGS, sources={"default": Source(name="default", alertmanager=AlertmanagerSettings(urls=("http://am",)))}
)


def with_policy(settings: Settings = SETTINGS, page: str = "", **changes: object) -> Settings:
    held = replace(RULE.hold, **changes)  # type: ignore[arg-type]  # fields of it
    return replace(settings, rules=(replace(RULE, hold=held, page=page), CRITICAL, CATCH_ALL))


def clock_at(minute: float) -> datetime:
    return START + minutes(minute)


async def figure(w: World, signal: str) -> float:
    return float(w.metrics.hold_ignored_signals_total.labels(signal=signal)._value.get())


# -- Alertmanager is asked before every declaration --------------------------------------------------------------------


async def grown(w: World) -> list[dict[str, object]]:
    one = w.firing(pod="0")
    w.peer.knows(one)
    await w.send(one)
    await w.at(5)
    more = [w.firing(pod=str(n)) for n in range(1, 4)]
    w.peer.knows(*more)
    await w.send(*more)
    return more


async def test_growth_declares_once_alertmanager_was_asked(world: Making) -> None:
    w = await world(ASKABLE)
    before = w.peer.asked
    await grown(w)

    assert (await w.hold()).outcome is Outcome.DECLARED_GROWING
    assert w.peer.asked > before
    story = await w.story("HOLD-1")
    assert "Would be declared (growing): Alertmanager is asked first whether it still fires." in story
    assert "Declared: growing; 4 alerts firing now, 1 when it settled. Rule queue-lag (rules.yaml:7)." in story


async def test_without_an_answer_it_is_declared_and_not_verified(world: Making) -> None:
    w = await world(ASKABLE)
    w.peer.failure = TemporaryError("connection refused")
    await grown(w)

    hold = await w.hold()
    assert (hold.outcome, hold.unverified) == (Outcome.DECLARED_GROWING, True)
    assert any("Not verified: connection refused" in text for text in await w.story("HOLD-1"))


@pytest.mark.slow
async def test_a_page_that_nobody_answers_declares_only_what_still_fires(world: Making) -> None:
    w = await world(with_policy(ASKABLE, page="platform", no_progress_after=minutes(55)))
    lag = w.firing()
    w.peer.knows(lag)
    await w.send(lag)
    await w.at(29.9)
    w.peer.forgets(lag)  # its resolve is lost, and found out only when Alertmanager is asked
    await w.at(30)

    assert (await w.hold()).state is HoldState.RECOVERING


# -- joining ---------------------------------------------------------------------------------------------------------


async def test_the_same_thing_with_a_higher_severity_joins_its_hold_and_shortens_the_wait(world: Making) -> None:
    w = await world(SETTINGS)
    await w.send(w.firing(severity="warning"))
    await w.at(5)
    await w.send(w.firing(severity="warning"), w.firing(severity="critical"))
    hold = await w.hold()
    assert (hold.severity, hold.deadline_at, hold.firing) == ("sev2", w.now + minutes(10), 2)

    await w.at(8)
    await w.send(w.resolved(severity="critical", since=5))
    assert "Progress: the source lowered the severity to sev3. " in (await w.story("HOLD-1"))[-1]
    assert (await w.hold()).severity == "sev2"


async def test_the_same_thing_under_a_rule_that_declares_raises_its_hold_to_an_incident(world: Making) -> None:
    w = await world(
        replace(SETTINGS, rules=(RULE, replace(CRITICAL, decide=Decide.DECLARE, severity="sev1"), CATCH_ALL))
    )
    await w.send(w.firing(severity="warning"))
    await w.at(5)
    await w.send(w.firing(severity="critical", pod="1"))
    await w.send(w.firing(severity="critical", pod="2"))

    hold, incident = await w.hold(), await w.incident()
    assert (hold.outcome, incident.severity, incident.hold_id) == (Outcome.DECLARED_SEVERITY_RAISED, "sev1", 1)
    assert {entry for entry in await w.kinds("INC-1")} >= {"incident.declared", "alert.fired"}


async def test_a_second_service_is_spread_and_what_a_customer_sees_is_visible(world: Making) -> None:
    w = await world(replace(SETTINGS, rules=(replace(RULE, correlate_by=("alertname", "env")), CATCH_ALL)))
    await w.send(w.firing(service="mail", env="prod"), w.firing(service="mail", env="dev"))
    await w.at(2)
    await w.send(w.firing(service="checkout", env="prod"))
    await w.send(w.firing(service="mail", env="dev", customer_visible="true"))

    outcomes = {(await w.hold(number)).outcome for number in (1, 2)}
    assert outcomes == {Outcome.DECLARED_SPREAD, Outcome.DECLARED_CUSTOMER_VISIBLE}


async def test_a_customers_report_declares(world: Making) -> None:
    w = await world(ASKABLE)
    await w.send(w.firing())
    await w.do(commands.add_note, "HOLD-1", actor=ANA, text="three tickets in a minute", customer=True)

    assert (await w.hold()).outcome is Outcome.DECLARED_CUSTOMER_VISIBLE


# -- queries ---------------------------------------------------------------------------------------------------------


class Asked(Numbers):
    """Stands for the door to the Prometheus of the source `default`."""

    def __init__(self, answer: Callable[[str, str], Awaitable[float]]) -> None:
        super().__init__()
        self.answer = answer

    async def query(self, promql: str, *, timeout: timedelta = timedelta(0)) -> Answer:  # noqa: ASYNC109
        return Answer(value=await self.answer("default", promql))


@pytest.mark.slow
async def test_a_query_is_asked_every_so_often_and_its_improvement_restarts_the_wait(world: Making) -> None:
    query = ProgressQuery(promql='max(queue_depth{queue="{{ labels.queue }}"})')
    w = await world(with_policy(query=query))
    asked: list[tuple[str, str]] = []

    async def depth(source: str, promql: str) -> float:
        asked.append((source, promql))
        return 1000 if w.now < clock_at(10) else 700

    w.doors.prometheus = {"default": Asked(depth)}
    await w.send(w.firing(queue="mail"))
    await w.at(11)

    assert set(asked) == {("default", 'max(queue_depth{queue="mail"})')}
    assert len(asked) == 23
    assert (await w.hold()).deadline_at == clock_at(40.5)
    assert "Progress: the query gives 700, 1000 at the best before." in (await w.story("HOLD-1"))[-1]
    await w.at(60)
    assert (await w.hold()).outcome is Outcome.DECLARED_NO_PROGRESS
    number = len(asked)
    await w.at(70)
    assert len(asked) == number


@pytest.mark.slow
async def test_a_prometheus_that_gives_no_answer_is_no_progress_and_is_said_once(world: Making) -> None:
    w = await world(with_policy(query=ProgressQuery(promql="max(queue_depth)")))

    async def nothing(source: str, promql: str) -> float:
        raise TemporaryError("connection refused")

    w.doors.prometheus = {"default": Asked(nothing)}
    await w.send(w.firing())
    await w.at(30)

    assert (await w.hold()).outcome is Outcome.DECLARED_NO_PROGRESS
    said = [text for text in await w.story("HOLD-1") if "connection refused" in text]
    assert said == [
        "The query for progress gives no number: connection refused. That is not progress, and is said once."
    ]
    assert await figure(w, "query") == 1


# -- people ----------------------------------------------------------------------------------------------------------


async def test_at_eighty_percent_whoever_was_paged_is_asked_in_utc_and_in_their_own_time(world: Making) -> None:
    mail = Channel(name="dia/mail", kind=ChannelKind.MAIL, url=Secret("json://127.0.0.1:9/dia"))
    dia = Person(handle="dia", name="Dia", time_zone="Asia/Tokyo", channels=(mail,))
    settings = replace(
        with_policy(page="night", no_progress_after=minutes(25)), roster=Roster(people={"dia": dia}),
        escalations=policy("night", (0, "dia")),
    )  # fmt: skip
    w = await world(settings)
    await w.send(w.firing())
    first = w.post.sent[0].body
    assert "Held: declares at 2026-11-24 14:25:00 UTC (Tue 23:25 in Asia/Tokyo) unless there is progress" in first

    await w.at(20)
    asked = w.post.sent[-1]
    assert asked.title == "[SEV3] HOLD-1 declares at 14:25:00 UTC: QueueLag"
    for line in (
        "No progress seen for 20m of 25m; declares at 14:25:00 UTC.",
        "Declares: 2026-11-24 14:25:00 UTC (Tue 23:25 in Asia/Tokyo), unless there is progress",
        'incidentd progress HOLD-1 "', "incidentd declare HOLD-1", "incidentd stand-down HOLD-1",
        "http://incidentd.example.org/holds/HOLD-1",
    ):  # fmt: skip
        assert line in asked.body
    await w.at(25)
    assert (await w.hold()).outcome is Outcome.DECLARED_NO_PROGRESS


async def test_the_question_rings_no_telephone_that_the_page_did_not_ring(world: Making) -> None:
    ana = Person(
        handle="ana", name="Ana",
        channels=tuple(
            Channel(name=f"ana/{kind}", kind=kind, url=Secret("json://127.0.0.1:9/ana"))
            for kind in (ChannelKind.PUSH, ChannelKind.SMS, ChannelKind.CALL)
        ),
    )  # fmt: skip
    by = ((minutes(0), (ChannelKind.PUSH,)), (minutes(10), (ChannelKind.SMS,)), (minutes(28), (ChannelKind.CALL,)))
    chain = Chain(levels=(Level(after=minutes(0), page=Target(person="ana"), by=by),))
    night = {"night": EscalationPolicy(name="night", chains={"urgent": chain})}
    w = await world(replace(with_policy(page="night"), roster=Roster(people={"ana": ana}), escalations=night))
    await w.send(w.firing())
    await w.at(10)
    await w.at(24)
    assert sorted(n.channel for n in w.post.sent if "declares at" in n.title) == ["ana/push", "ana/sms"]


async def test_who_answered_is_asked_alone_and_once_in_each_wait(world: Making) -> None:
    w = await world(with_policy(page="platform"))
    await w.send(w.firing())
    await w.at(6)
    await w.do(commands.ack_page, 1, by="ben", actor=Actor(name="ben", via="api"))
    await w.at(25)
    await w.do(commands.add_note, "HOLD-1", actor=ANA, text="found it")
    await w.at(52)

    asked = [(n.channel, n.title) for n in w.post.sent if "declares at" in n.title]
    assert [channel for channel, _ in asked] == ["ben/mail", "ben/mail"]


async def test_a_hold_is_extended_once_by_two_people(world: Making) -> None:
    w = await world(SETTINGS)
    await w.send(w.firing())
    how = {"actor": ANA, "length": minutes(20), "reason": "the disk is being copied"}
    for wrong in ({"approver": "ana"}, {"approver": "nobody"}, {"approver": "ben", "length": minutes(61)}):
        with pytest.raises(BadRequest):
            await w.do(commands.extend_hold, 1, **{**how, **wrong})
    hold = await w.do(commands.extend_hold, 1, approver="ben", **how)
    assert hold.deadline_at == w.now + minutes(50)
    with pytest.raises(Conflict, match="extended once, by ana"):
        await w.do(commands.extend_hold, 1, approver="ben", **how)

    await w.at(49)
    assert (await w.hold()).state is HoldState.HOLDING
    await w.at(50)
    assert (await w.hold()).outcome is Outcome.DECLARED_NO_PROGRESS


async def test_what_was_no_progress_stands_in_the_sentence_that_declares(world: Making) -> None:
    w = await world(with_policy(page="platform"))
    alerts = [w.firing(pod=str(n)) for n in range(3)]
    await w.send(*alerts)
    await w.at(4)
    await w.do(commands.ack_page, 1, by="ana", actor=ANA)
    await w.at(30)

    assert (
        "Declared: no progress for 30m; 3 firing at 14:00:00 UTC, 3 firing now; ack by ana at 14:04:00 UTC is not "
        "progress. Rule queue-lag (rules.yaml:7)."
    ) in await w.story("HOLD-1")
    assert await figure(w, "ack") == 1


async def test_repeats_are_counted_each_time_and_said_once(world: Making) -> None:
    w = await world(SETTINGS)
    lag = w.firing()
    await w.send(lag)
    for minute in (5, 10, 15):
        await w.at(minute)
        await w.send(lag)
    await w.at(30)

    assert await figure(w, "repeat") == 3
    assert (await w.kinds("HOLD-1")).count("hold.repeated") == 1
    assert "a repeat at 14:05:00 UTC is not progress." in (await w.story("HOLD-1"))[-1]


# -- flapping, truncated groups, steps at work, clocks -----------------------------------------------------------------


@pytest.mark.slow
async def test_what_flaps_becomes_one_ticket_when_the_rule_says_so(world: Making) -> None:
    w = await world(with_policy(on_flap=OnFlap.TICKET))
    for minute in range(0, 40, 2):
        await w.at(minute)
        await w.send(w.firing(since=minute))
        await w.at(minute + 1)
        await w.send(w.resolved(since=minute))

    assert (await w.hold()).outcome is Outcome.TICKETED
    assert "AI-1: a ticket for the backlog, since it flaps." in await w.story("HOLD-1")
    assert any(text.startswith("AI-1: HOLD-2: Closed with a ticket") for text in await w.story("SYSTEM"))


async def test_fewer_alerts_of_a_group_that_was_cut_are_no_progress(world: Making) -> None:
    w = await world(SETTINGS)
    alerts = [w.firing(pod=str(n)) for n in range(5)]
    await w.send(*alerts, truncated=3)
    await w.at(5)
    await w.send(w.resolved(pod="0"), w.resolved(pod="1"), *alerts[2:], truncated=3)
    await w.at(30)

    assert (await w.hold()).outcome is Outcome.DECLARED_NO_PROGRESS
    assert await figure(w, "truncated") == 1


@pytest.mark.parametrize(
    ("on_failure", "outcome"),
    [("declare", Outcome.DECLARED_PLAYBOOK_FAILED), ("note", Outcome.DECLARED_NO_PROGRESS)],
)
async def test_a_deadline_waits_for_what_a_playbook_does_at_that_moment(
    world: Making, on_failure: str, outcome: Outcome
) -> None:
    book = playbook(on_failure=on_failure)  # its verification may take 5 minutes
    rule = replace(RULE, playbook=book.name, hold=HoldPolicy(no_progress_after=minutes(2)))
    automation = Automation(mode=Mode.AUTO)
    w = await world(
        replace(SETTINGS, rules=(rule, CATCH_ALL), playbooks={book.name: book}, automation=automation)
    )  # fmt: skip
    w.hands.answers["verify"] = StepResult(ok=False, summary="0, wanted > 0")
    await w.send(w.firing(instance="w-3"))
    await w.at(4)
    assert (await w.hold()).state is HoldState.HOLDING
    assert (
        "The wait is over, and the verification of RUN-1 is at work, which is not progress: looked at again at "
        "14:06:05 UTC."
    ) in await w.story("HOLD-1")

    await w.at(5)
    hold = await w.hold()
    assert (hold.outcome, hold.ended_at) == (outcome, w.now)


async def test_a_clock_that_went_back_while_nothing_ran_extends_nothing(world: Making) -> None:
    w = await world(SETTINGS)
    await w.engine.begin()
    await w.send(w.firing())
    await w.at(10)
    await w.do(commands.add_note, "HOLD-1", actor=ANA, text="looking")
    w.clock[0] -= minutes(60)
    w = World(w.store, w.settings, w.clock, w.metrics)  # started again
    await w.engine.begin()

    assert (await w.hold()).deadline_at == w.now + minutes(30)
    assert "The clock went back by 1h, which extends nothing: declares at 13:40:00 UTC." in await w.story("HOLD-1")
    await w.at(-20)
    assert (await w.hold()).outcome is Outcome.DECLARED_NO_PROGRESS


async def test_what_is_raised_as_it_is_declared_calls_by_the_same_page_and_one_answer_ends_it(world: Making) -> None:
    at_once = replace(
        CRITICAL, decide=Decide.DECLARE, urgency="business_critical", page="platform",
        hold=replace(CRITICAL.hold, no_progress_after=minutes(0)),
    )  # fmt: skip
    settings = with_policy(page="platform")
    w = await world(replace(settings, rules=(settings.rules[0], at_once, CATCH_ALL)))
    await w.send(w.firing())
    await w.at(2)
    await w.send(w.firing(severity="critical"))

    page = await w.page(1)
    assert (page.subject, page.urgency, page.policy) == ("INC-1", "business_critical", "platform")
    assert page.counts_from == w.now
    said = [text for text in await w.story("INC-1") if text.startswith("PAGE-")]
    assert said[:2] == [
        "PAGE-1: paging platform, business_critical; to be answered by 14:07:00 UTC.",
        "PAGE-1: business_critical from now on; paging again ana (ana).",
    ]
    await w.do(commands.ack_page, 1, by="ana", actor=ANA)
    before = len(w.post.sent)
    await w.at(16)
    assert {n.purpose for n in w.post.sent[before:]} == {"update"}  # what a commander hears, and no page
    with pytest.raises(NotFound):
        await w.page(2)
