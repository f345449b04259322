"""Asking Alertmanager what really fires, in simulated time on a real store; Alertmanager is played by `w.peer`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from sqlalchemy import select

from incidentd.errors import PermanentError, TemporaryError
from incidentd.holds import HoldPolicy, HoldState, Outcome
from incidentd.incidents import Status
from incidentd.matchers import parse_matcher
from incidentd.rules import CATCH_ALL, Decide, SeverityRule
from incidentd.settings import AlertmanagerSettings, Settings, Source
from incidentd.store import Tx
from incidentd.store.tables import alert
from tests.engine.world import Making, World, minutes, policy, roster

LAG = SeverityRule(
    name="queue-lag", match=(parse_matcher('alertname="QueueLag"'),), decide=Decide.HOLD, severity="sev3",
    urgency="urgent", page="",
    hold=HoldPolicy(no_progress_after=minutes(20), hard_cap=minutes(60), quiet=minutes(5)),
)  # fmt: skip
DOWN = SeverityRule(
    name="down", match=(parse_matcher('alertname="Down"'),), decide=Decide.DECLARE, severity="sev2",
    urgency="business_critical", page="default",
)  # fmt: skip
ASKED = {"default": Source(name="default", alertmanager=AlertmanagerSettings(urls=("http://am",)))}
SETTINGS = Settings(
    external_url="http://incidentd.example.org", rules=(LAG, DOWN, CATCH_ALL), roster=roster("ana"),
    escalations=policy("default", (0, "ana")), sources=ASKED,
)  # fmt: skip
UNREACHABLE = TemporaryError("Alertmanager at http://am did not answer within 5s")


@pytest.fixture
def asked(world: Making) -> Callable[[], Awaitable[World]]:
    async def make() -> World:
        w = await world(SETTINGS)
        await w.engine.begin()
        await w.settle()
        return w

    return make


async def statuses(w: World) -> list[str]:
    def known(tx: Tx) -> list[str]:
        return list(tx.conn.execute(select(alert.c.status).order_by(alert.c.fingerprint)).scalars())

    return await w.store.read(known)


async def test_t05_an_alert_that_alertmanager_no_longer_has_is_resolved_without_its_resolve(
    asked: Callable[[], Awaitable[World]],
) -> None:
    w = await asked()
    lag = w.firing(service="mail")
    w.peer.knows(lag)
    await w.send(lag)
    await w.at(3)
    assert await statuses(w) == ["firing"]

    w.peer.forgets(lag)
    await w.at(4)
    assert await statuses(w) == ["resolved"]
    hold = await w.hold()
    assert hold.state is HoldState.RECOVERING
    said = 'Alertmanager no longer has QueueLag{service="mail"}; its resolve never came, and it counts as resolved.'
    assert said in await w.story("HOLD-1")
    await w.at(10)
    assert (await w.hold()).outcome is Outcome.SELF_RESOLVED


async def test_t05_an_incident_whose_resolve_was_lost_is_mitigated_and_does_not_stay_open_for_ever(
    asked: Callable[[], Awaitable[World]],
) -> None:
    w = await asked()
    w.peer.knows(w.firing("Down"))
    await w.send(w.firing("Down"))
    w.peer.has.clear()
    await w.at(6)

    assert (await w.incident()).status is Status.MITIGATED


@pytest.mark.slow
async def test_t05_silenced_alerts_still_fire_and_the_clock_of_their_hold_stands_still(
    asked: Callable[[], Awaitable[World]],
) -> None:
    w = await asked()
    lag = w.firing()
    w.peer.knows(lag)
    await w.send(lag)
    await w.at(10)
    w.peer.knows(lag, muted_by=("silence 51973eae",))
    await w.at(11)
    assert await statuses(w) == ["suppressed"]
    assert (await w.hold()).state is HoldState.SNOOZED
    assert "Alertmanager tells nobody of QueueLag any more (silence 51973eae): it still fires." in await w.story(
        "HOLD-1"
    )

    await w.at(100)
    assert (await w.hold()).state is HoldState.SNOOZED
    w.peer.knows(lag)
    await w.at(101)
    hold = await w.hold()
    assert hold.state is HoldState.HOLDING
    assert minutes(9) <= hold.deadline_at - w.now <= minutes(10)
    await w.at(112)
    assert (await w.hold()).outcome is Outcome.DECLARED_NO_PROGRESS


async def test_t05_a_hold_of_which_only_some_alerts_are_silenced_goes_on(asked: Callable[[], Awaitable[World]]) -> None:
    w = await asked()
    one, two = w.firing(pod="1"), w.firing(pod="2")
    w.peer.knows(one, two)
    await w.send(one, two)
    w.peer.knows(two, muted_by=("alert d2c2efc3",))
    await w.at(20)

    assert (await w.hold()).outcome is Outcome.DECLARED_NO_PROGRESS
    assert sorted(await statuses(w)) == ["firing", "suppressed"]


async def test_t05_a_silenced_alert_that_resolves_recovers_its_hold(asked: Callable[[], Awaitable[World]]) -> None:
    w = await asked()
    lag = w.firing()
    w.peer.knows(lag, muted_by=("silence 1",))
    await w.send(lag)
    await w.at(2)
    assert (await w.hold()).state is HoldState.SNOOZED

    w.peer.forgets(lag)
    await w.at(3)
    assert (await w.hold()).state is HoldState.RECOVERING
    await w.at(9)
    assert (await w.hold()).outcome is Outcome.SNOOZED_OUT


async def test_an_alertmanager_that_just_started_proves_nothing_about_alerts_from_before(
    asked: Callable[[], Awaitable[World]],
) -> None:
    w = await asked()
    w.peer.knows(w.firing("Down"))
    await w.send(w.firing("Down"))
    await w.at(5)
    w.peer.has.clear()
    w.peer.up_for = minutes(0.5)
    await w.at(6)
    assert await statuses(w) == ["firing"]

    w.peer.up_for = minutes(3)  # long enough for Prometheus to have told it again
    await w.at(7)
    assert await statuses(w) == ["resolved"]


@pytest.mark.slow
async def test_before_a_hold_declares_alertmanager_is_asked_and_what_resolved_recovers_instead(
    asked: Callable[[], Awaitable[World]],
) -> None:
    w = await asked()
    lag = w.firing()
    w.peer.knows(lag)
    await w.send(lag)
    await w.at(19.9)
    w.peer.forgets(lag)
    await w.at(20)

    assert (await w.hold()).state is HoldState.RECOVERING
    await w.at(26)
    assert (await w.hold()).outcome is Outcome.SELF_RESOLVED


async def test_t24_a_hold_declares_unverified_when_alertmanager_gives_no_answer(
    asked: Callable[[], Awaitable[World]],
) -> None:
    w = await asked()
    await w.send(w.firing())
    w.peer.failure = UNREACHABLE
    await w.at(20)

    hold = await w.hold()
    assert (hold.outcome, hold.unverified) == (Outcome.DECLARED_NO_PROGRESS, True)
    assert f"Not verified: {UNREACHABLE}." in (await w.incident()).reason


@pytest.mark.parametrize("failure", [UNREACHABLE, PermanentError("it refuses these credentials (HTTP 401)")])
async def test_t24_silence_of_the_api_is_said_once_and_deliveries_go_on(
    asked: Callable[[], Awaitable[World]], failure: TemporaryError
) -> None:
    w = await asked()
    lag = w.firing()
    w.peer.knows(lag)
    await w.send(lag)
    w.peer.failure = failure
    asked_before = w.peer.asked
    await w.at(9)
    assert w.peer.asked - asked_before <= 8  # with longer and longer pauses
    await w.send(w.firing("Down"))
    assert (await w.incident()).title == "Down"
    assert 'incidentd_alertmanager_up{source="default"} 0.0' in w.metrics.render("")[0].decode()

    w.peer.knows(w.firing("Down"))
    w.peer.failure = None
    await w.at(12)
    story = await w.kinds("HOLD-1")
    assert (story.count("alertmanager.down"), story.count("alertmanager.up")) == (1, 1)
    assert 'incidentd_alertmanager_up{source="default"} 1.0' in w.metrics.render("")[0].decode()


async def test_t23_an_alert_that_fired_while_nobody_listened_is_taken_up_at_start(world: Making) -> None:
    w = await world(SETTINGS)
    await w.send(w.firing("Old"))
    await w.send(w.resolved("Old"))
    w.peer.knows(w.firing(since=-10, service="mail"))
    w.peer.knows(w.firing(since=-10, service="others"), receiver="chat")
    w.peer.knows(w.firing(since=-10, service="muted"), muted_by=("silence 1",))
    await w.engine.begin()
    await w.settle()

    hold = await w.hold(2)
    assert hold.impact_started_at == w.now - minutes(10)
    said = 'Firing: QueueLag{service="mail"} (no delivery said so; asking Alertmanager found it)'
    assert said in await w.story("HOLD-2")
    assert sorted(await statuses(w)) == ["firing", "resolved"]


async def test_t23_nothing_is_taken_up_while_it_is_not_known_which_receiver_is_ours(world: Making) -> None:
    w = await world(SETTINGS)
    w.peer.knows(w.firing(since=-10))
    await w.engine.begin()
    await w.at(6)
    assert await statuses(w) == []

    w.peer.receivers = frozenset({"incidentd"})
    await w.at(11)
    assert await statuses(w) == ["firing"]


async def test_what_may_be_muted_by_time_is_not_taken_up(world: Making) -> None:
    w = await world(SETTINGS)
    w.peer.receivers, w.peer.hides_muting = frozenset({"incidentd"}), True
    w.peer.knows(w.firing(since=-10))
    await w.engine.begin()
    await w.at(11)

    assert await statuses(w) == []


async def test_a_young_alert_is_left_to_alertmanagers_own_delivery(asked: Callable[[], Awaitable[World]]) -> None:
    w = await asked()
    await w.send(w.firing("Down"))
    w.peer.knows(w.firing("Down"))
    await w.at(1)
    lag = w.firing()
    w.peer.knows(lag)
    await w.at(1.9)
    assert len(await statuses(w)) == 1

    await w.at(3)
    assert len(await statuses(w)) == 2


async def test_a_start_that_moved_unseen_is_a_refire(asked: Callable[[], Awaitable[World]]) -> None:
    w = await asked()
    w.peer.knows(w.firing())
    await w.send(w.firing())
    await w.at(5)
    w.peer.knows(w.firing())
    await w.at(6)

    assert len((await w.hold()).refires) == 1


# -- late twins ------------------------------------------------------------------------------------------------------


async def test_t01b_without_an_api_an_alert_that_fires_again_with_the_same_start_is_believed(world: Making) -> None:
    w = await world(replace(SETTINGS, sources={"default": Source(name="default")}))
    lag = w.firing()
    await w.send(lag)
    await w.at(3)
    await w.send(w.resolved())
    await w.at(4)
    await w.send(lag)

    assert (await w.hold()).state is HoldState.HOLDING
    assert await statuses(w) == ["firing"]


async def test_t01b_an_alert_that_fires_again_with_the_same_start_is_believed_when_alertmanager_has_it(
    asked: Callable[[], Awaitable[World]],
) -> None:
    w = await asked()
    lag = w.firing()
    w.peer.knows(lag)
    await w.send(lag)
    await w.at(3)
    w.peer.forgets(lag)
    await w.send(w.resolved())
    assert (await w.hold()).state is HoldState.RECOVERING
    await w.at(4)
    w.peer.knows(lag)
    await w.send(lag)

    assert (await w.hold()).state is HoldState.HOLDING


async def test_t03_a_late_body_of_another_peer_changes_nothing_when_alertmanager_does_not_have_the_alert(
    asked: Callable[[], Awaitable[World]],
) -> None:
    w = await asked()
    lag = w.firing()
    w.peer.knows(lag)
    await w.send(lag)
    await w.at(3)
    w.peer.forgets(lag)
    await w.send(w.resolved())
    await w.at(4)
    await w.send(lag)

    hold = await w.hold()
    assert (hold.state, hold.refires) == (HoldState.RECOVERING, ())
    assert await statuses(w) == ["resolved"]
    said = "A late delivery said that QueueLag fires; Alertmanager does not have it, and it stays resolved."
    assert said in await w.story("HOLD-1")
    await w.at(8)
    assert (await w.hold()).outcome is Outcome.SELF_RESOLVED


async def test_t03_a_late_body_is_believed_when_alertmanager_gives_no_answer(
    asked: Callable[[], Awaitable[World]],
) -> None:
    w = await asked()
    lag = w.firing()
    w.peer.knows(lag)
    await w.send(lag)
    await w.at(3)
    await w.send(w.resolved())
    w.peer.failure = UNREACHABLE
    await w.at(4)
    await w.send(lag)

    assert (await w.hold()).state is HoldState.HOLDING


@pytest.mark.slow
async def test_holds_that_are_due_together_share_one_question(asked: Callable[[], Awaitable[World]]) -> None:
    w = await asked()
    for number in range(20):
        w.peer.knows(w.firing(service=str(number)))
        await w.send(w.firing(service=str(number)))
    await w.at(19.9)
    before = w.peer.asked
    await w.at(20)

    assert w.peer.asked - before <= 2
    assert (await w.hold(20)).outcome is Outcome.DECLARED_NO_PROGRESS


async def test_a_resolve_that_was_received_before_the_deadline_wins(world: Making) -> None:
    w = await world(replace(SETTINGS, sources={"default": Source(name="default")}))
    await w.send(w.firing())
    body = {"receiver": "incidentd", "groupKey": "{}:{}", "alerts": [w.resolved()]}
    await w.at(19.9)
    await w.store.append("default", json.dumps(body).encode())
    w.clock[0] += minutes(0.1)
    await asyncio.gather(w.engine.watch_one())
    assert (await w.hold()).state is HoldState.HOLDING
    await w.at(21)

    assert (await w.hold()).state is HoldState.RECOVERING
