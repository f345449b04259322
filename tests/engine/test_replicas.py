"""Two engines on one PostgreSQL, at work at the same moment: whatever one does, the other does not do again."""

from __future__ import annotations

import asyncio
import json
import random
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest
from sqlalchemy import Engine, event, text

from incidentd.actionitems import OutboxState
from incidentd.actionitems.moves import Changes
from incidentd.engine import decide, stopping
from incidentd.engine.backlog import commands as asked
from incidentd.engine.backlog import filing
from incidentd.errors import TemporaryError
from incidentd.holds import HoldState
from incidentd.matchers import parse_matcher
from incidentd.oncall import Target
from incidentd.pages import Chain, EscalationPolicy, Level
from incidentd.playbooks import Limit, Mode, RunState
from incidentd.playbooks.standing import ALL
from incidentd.rules import CATCH_ALL, Decide, SeverityRule
from incidentd.settings import Automation, Settings
from incidentd.store import Tx, chain, inbox, items, jobs, subjects, things
from incidentd.timeline import first_broken
from tests.engine.test_automation import ANA, playbook
from tests.engine.test_automation import settings as with_playbook
from tests.engine.test_holds_and_incidents import SETTINGS
from tests.engine.test_tickets_and_messages import SETTINGS as OF_JIRA
from tests.engine.world import START, World, chain_of, make_world, minutes, roster

pytestmark = [pytest.mark.needs("postgres"), pytest.mark.slow]

Pair = Callable[[Settings], Awaitable[tuple[World, World]]]


@pytest.fixture
async def pair(postgres_store: str) -> AsyncIterator[Pair]:
    """Make two worlds with one clock, whose messages and steps are kept in one place."""
    made: list[World] = []

    async def make(settings: Settings) -> tuple[World, World]:
        clock = [START]
        for name in ("a", "b"):
            made.append(await make_world(postgres_store, settings, me=name, clock=clock))
        first, second = made
        second.post.sent, second.hands.done = first.post.sent, first.hands.done
        return first, second

    luck = random.Random(7)  # noqa: S311 - nothing secret

    def dawdle(*_: object) -> None:
        time.sleep(luck.uniform(0, 0.004))

    # so that each statement of one falls between any two of the other
    event.listen(Engine, "after_cursor_execute", dawdle)
    yield make
    for one in made:
        await one.store.close()
    event.remove(Engine, "after_cursor_execute", dawdle)  # last: their keepers go through the listeners until then


async def both_settle(first: World, second: World) -> None:
    await asyncio.gather(first.settle(), second.settle())
    await first.settle()  # what the other one had in hand was left to it


async def send_to_both(first: World, second: World, *bodies: list[dict[str, object]]) -> None:
    encoded = [json.dumps({"alerts": alerts}).encode() for alerts in bodies]
    sending = [w.store.append("default", body) for body in encoded for w in (first, second)]
    working = [asyncio.create_task(w.settle()) for w in (first, second)]
    await asyncio.gather(*sending)
    await asyncio.gather(*working)
    await both_settle(first, second)


async def whole(w: World, subject: str) -> bool:
    return first_broken(await w.store.read(chain.entries, subject)) is None


async def test_t02_the_same_bodies_to_both_replicas_make_one_hold_and_one_page(pair: Pair) -> None:
    first, second = await pair(SETTINGS)
    pods = [[first.firing(pod=str(number))] for number in range(20)]
    await send_to_both(first, second, *pods, *pods)

    assert (await first.hold()).firing == 20
    assert len(await first.store.read(subjects.members, "HOLD-1")) == 20
    # those that open it are listed, each once; how many that are is a matter of who comes first
    listed = [entry.data["fingerprint"] for entry in await first.entries("HOLD-1") if entry.kind == "alert.fired"]
    assert 0 < len(listed) == len(set(listed))
    assert len(await first.store.read(things.pages_of, "HOLD-1")) == 1
    assert len(first.post.to("ana/mail")) == 1
    assert await whole(first, "HOLD-1")


async def decided_by_both(first: World, second: World, *alerts: dict[str, object]) -> None:
    """Have each alert decided about by itself, and by both of them in turn, all at the same moment."""
    await first.store.append("default", json.dumps({"alerts": alerts}).encode())
    await first.engine.unpack()
    changed = await first.store.read(inbox.undecided, 100)
    alone = [decide.bundles([it], first.settings, now=first.now)[0] for it in changed]
    await asyncio.gather(
        *(w.store.write(decide.settle, w.settings, one) for one, w in zip(alone, [first, second] * 50, strict=False))
    )
    await both_settle(first, second)


async def test_p25_alerts_of_one_key_that_both_decide_about_join_one_incident(pair: Pair) -> None:
    first, second = await pair(SETTINGS)
    await decided_by_both(first, second, *(first.firing("CheckoutDown", n=str(number)) for number in range(12)))

    assert await first.kinds("INC-2") == []
    assert sum(text.startswith("Firing: ") for text in await first.story("INC-1")) == 1
    assert len(await first.store.read(subjects.members, "INC-1")) == 12
    assert len(await first.store.read(things.pages_of, "INC-1")) == 1
    assert len(first.post.to("ana/mail")) == 1
    assert await whole(first, "INC-1")


async def test_every_change_counts_when_both_count_at_once(pair: Pair) -> None:
    first, second = await pair(SETTINGS)
    pods = [str(number) for number in range(12)]
    await decided_by_both(first, second, *(first.firing(pod=pod) for pod in pods))
    assert (await first.hold()).firing == 12

    first.clock[0] += minutes(1)
    await decided_by_both(first, second, *(first.resolved(pod=pod) for pod in pods))
    assert (await first.hold()).firing == 0
    assert (await first.hold()).state is HoldState.RECOVERING


async def test_p25_a_deadline_that_both_see_passing_is_handled_once(pair: Pair) -> None:
    first, second = await pair(SETTINGS)
    await send_to_both(first, second, [first.firing()])
    first.clock[0] += minutes(20)
    await asyncio.gather(first.settle(), second.settle())
    await both_settle(first, second)

    assert (await first.hold()).state is HoldState.DECLARED
    assert (await first.kinds("HOLD-1")).count("hold.declared") == 1
    assert (await first.kinds("INC-1")).count("incident.declared") == 1
    assert await first.kinds("INC-2") == []
    assert await whole(first, "HOLD-1")
    assert await whole(first, "INC-1")


async def test_b5_09_each_step_of_a_page_is_sent_once_however_many_replicas_are_at_it(pair: Pair) -> None:
    chain = Chain(
        levels=(
            Level(after=minutes(0), page=Target(person="ana")), Level(after=minutes(2), page=Target(person="ben")),
            Level(after=minutes(4), page=Target(person="cho")),
        ),
        loops=2,
    )  # fmt: skip
    policies = {"platform": EscalationPolicy(name="platform", chains=dict.fromkeys(("business_critical",), chain))}
    known = replace(SETTINGS, roster=roster("ana", "ben", "cho"), escalations=policies)
    first, second = await pair(known)
    services = [[first.firing("CheckoutDown", service=f"shop-{number}")] for number in range(1, 4)]
    await send_to_both(first, second, *services)
    for minute in range(1, 13):
        first.clock[0] = START + minutes(minute)
        await asyncio.gather(first.settle(), second.settle())
        await both_settle(first, second)

    sent = Counter(key for n in first.post.sent for key in (n.key, *n.also))
    assert set(sent.values()) == {1}
    steps = ("0/ana", "1/ben", "2/cho", "3/ana", "4/ben", "5/cho")
    wanted = {f"PAGE-{page}/{step}/mail" for page in (1, 2, 3) for step in steps}
    assert {key for key in sent if int(key.split("/")[1]) < len(steps)} == wanted
    for number in (1, 2, 3):
        assert await whole(first, f"INC-{number}")
        kinds = Counter(await first.kinds(f"INC-{number}"))
        assert (kinds["page.started"], kinds["page.breached"]) == (1, 1)


async def test_after_an_outage_each_target_is_told_once_of_each_page_whichever_replica_takes_what_along(
    pair: Pair,
) -> None:
    chain = Chain(levels=chain_of((0, "ana"), (3, "ben"), (6, "ana"), (9, "ben")).levels, loops=3)
    policies = {"platform": EscalationPolicy(name="platform", chains={"business_critical": chain})}
    first, second = await pair(replace(SETTINGS, roster=roster("ana", "ben"), escalations=policies))
    down = TemporaryError("channel down", retry_after=minutes(1))
    first.post.failures = second.post.failures = {"ana/mail": down, "ben/mail": down}
    services = [[first.firing("CheckoutDown", service=f"shop-{number}")] for number in range(1, 4)]
    await send_to_both(first, second, *services)
    for minute in (6, 11, 16, 21):
        first.clock[0] = START + minutes(minute)
        await both_settle(first, second)
    assert first.post.sent == []

    first.post.failures = second.post.failures = {}
    for later in (22.5, 23.5):
        first.clock[0] = START + minutes(later)
        await both_settle(first, second)
    told = Counter(
        (n.channel, page) for n in first.post.sent for page in {key.split("/")[0] for key in (n.key, *n.also)}
    )
    assert told == {(one, f"PAGE-{page}"): 1 for one in ("ana/mail", "ben/mail") for page in (1, 2, 3)}


async def test_t02_a_playbook_runs_once_however_many_replicas_hear_of_its_alert(pair: Pair) -> None:
    first, second = await pair(with_playbook(playbook()))
    alert = [first.firing("WorkerStuck", instance="w-3")]
    await send_to_both(first, second, alert, alert, alert)

    runs = await first.store.read(things.runs_of, "HOLD-1")
    assert [run.state for run in runs] != [RunState.PROPOSED]
    assert len(runs) == 1
    assert first.hands.done.count("restart") == 1


async def test_p25_the_limit_of_runs_holds_for_both_together(pair: Pair) -> None:
    once = Automation(mode=Mode.AUTO, overall=Limit(runs=1, window=minutes(60)))
    settings = with_playbook(playbook())
    first, second = await pair(replace(settings, automation=once))
    await decided_by_both(
        first,
        second,
        *(first.firing("WorkerStuck", instance=f"w-{number}", service=str(number)) for number in range(8)),
    )

    assert first.hands.done.count("restart") == 1


async def test_tickets_of_one_key_are_filed_once(pair: Pair) -> None:
    rule = SeverityRule(
        name="later", match=(parse_matcher('alertname="DiskSlow"'),), decide=Decide.TICKET, severity="sev4",
        urgency="ticket",
    )  # fmt: skip
    first, second = await pair(Settings(rules=(rule, CATCH_ALL)))
    await decided_by_both(first, second, *(first.firing("DiskSlow", disk=str(number)) for number in range(12)))

    assert len(await first.store.read(things.items_of, "")) == 1


async def test_what_one_changes_of_a_ticket_is_waited_for_by_the_other_that_is_about_to_file_it(pair: Pair) -> None:
    first, second = await pair(OF_JIRA)
    first.backlog.failure = TemporaryError("Jira is away")
    await first.send(first.firing("CertExpires"))
    first.clock[0] += minutes(10)
    [claimed] = await first.store.write(jobs.claim, jobs.JIRA, me="a", lease=minutes(1), most=1)
    item = await first.store.read(things.get_item, 1)
    changed, go_on = threading.Event(), threading.Event()

    def change(tx: Tx) -> None:
        asked.edit(tx, second.settings, 1, actor=ANA, changes=Changes(title="Renew the certificate"))
        changed.set()
        go_on.wait(30)

    changing = asyncio.create_task(second.store.write(change))
    assert await asyncio.to_thread(changed.wait, 30)
    sending = asyncio.create_task(first.store.write(filing.sending, claimed, item))
    while not sending.done() and not await first.store.read(waits_for_a_lock):
        await asyncio.sleep(0.01)  # the database has no event for us
    go_on.set()
    await changing

    assert not await sending
    assert (await first.store.read(items.sending, 1)).state is OutboxState.PENDING


def waits_for_a_lock(tx: Tx) -> bool:
    return bool(tx.conn.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted")).scalar())


async def test_a_switch_that_is_pressed_again_while_it_stops_a_run_keeps_the_stop_waiting_for_nothing(
    pair: Pair,
) -> None:
    first, second = await pair(with_playbook(playbook(steps=[{"name": "settle", "wait": "10m"}])))
    await first.send(first.firing("WorkerStuck", instance="w-3"))
    await first.store.write(stopping.disable, first.settings, ALL, actor=ANA, reason="it restarts the wrong ones")
    pressed, go_on = threading.Event(), threading.Event()

    def press_again(tx: Tx) -> None:
        stopping.disable(tx, second.settings, ALL, actor=ANA, reason="really")
        pressed.set()
        go_on.wait(30)

    pressing = asyncio.create_task(second.store.write(press_again))
    try:
        assert await asyncio.to_thread(pressed.wait, 30)
        async with asyncio.timeout(10):  # two that wait for each other do so until PostgreSQL lets one of them fail
            await first.engine.watch_one()
    finally:
        go_on.set()
    await pressing
    await both_settle(first, second)
    run = await first.store.read(things.get_run, 1)
    assert run.state is RunState.STOPPED
    assert sum(entry.kind == "run.stopped" for entry in await first.entries("HOLD-1")) == 1
