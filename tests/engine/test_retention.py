"""Retention in simulated time: what is over goes, after as long as the configuration says; what is open stays."""

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import func, select

from incidentd.engine import lifecycle
from incidentd.incidents import Status
from incidentd.pages import PageState
from incidentd.settings import Retention
from incidentd.store import Tx, chain, jobs, retention
from incidentd.store import tables as t
from incidentd.timeline import SYSTEM, Actor, Draft
from tests.engine.test_holds_and_incidents import ANA, SETTINGS
from tests.engine.world import START, Making, World

KEPT = replace(
    SETTINGS, retention=Retention(closed=timedelta(days=30), alerts=timedelta(days=10), inbox=timedelta(days=2))
)


def rows(tx: Tx) -> dict[str, int]:
    tables = (
        t.inbox, t.alert, t.alert_event, t.alert_group, t.group_member, t.hold, t.incident, t.member, t.page,
        t.timeline, t.postmortem,
    )  # fmt: skip
    counted = {table.name: tx.conn.execute(select(func.count()).select_from(table)).scalar_one() for table in tables}
    return {name: number for name, number in counted.items() if number}


def subjects_told(tx: Tx) -> set[str]:
    return set(tx.conn.execute(select(t.timeline.c.subject).distinct()).scalars())


async def pruning(world: Making) -> World:
    w = await world(KEPT)
    await w.store.write(retention.keep_pruning)
    return w


async def days(w: World, number: float) -> None:
    """Go straight on to this many days after the start, and do what is due there."""
    w.clock[0] = START + timedelta(days=number)
    await w.settle()


async def test_what_healed_by_itself_goes_step_by_step_and_leaves_its_chains_head(world: Making) -> None:
    w = await pruning(world)
    await w.send(w.firing())
    await w.at(2)
    await w.send(w.resolved())
    await w.at(10)
    before = await w.store.read(rows)
    assert (before["inbox"], before["alert"], before["hold"]) == (2, 1, 1)

    await days(w, 1.9)
    assert await w.store.read(rows) == before
    await days(w, 2.1)
    assert "inbox" not in await w.store.read(rows)
    await days(w, 10.1)
    left = await w.store.read(rows)
    assert left.keys() & {"alert", "alert_event", "alert_group", "group_member"} == set()
    assert left["hold"] == 1
    head = (await w.store.read(chain.entries, "HOLD-1"))[-1]
    await days(w, 30.1)

    assert await w.store.read(rows) == {"timeline": 1}
    [pruned] = await w.store.read(chain.entries, SYSTEM)
    assert (pruned.kind, pruned.data["chains"]) == ("store.pruned", {"HOLD-1": [head.seq, head.hash]})


async def test_nothing_that_is_open_is_touched_however_old_it_is(world: Making) -> None:
    w = await pruning(world)
    await w.send(w.firing("CheckoutDown"))
    await w.send(w.firing("CheckoutDown"), w.firing("CheckoutDown", pod="2"))
    await w.send(w.resolved("CheckoutDown", pod="2"), w.firing("CheckoutDown"))
    await days(w, 100)

    assert (await w.incident()).status is Status.DECLARED
    left = await w.store.read(rows)
    assert (left["alert"], left["incident"], left["member"]) == (2, 1, 2)
    assert (await w.kinds("INC-1"))[0] == "incident.declared"
    assert await w.store.read(jobs.next_due, jobs.TIMER) is not None


async def test_an_incident_goes_with_the_hold_that_it_was_and_its_postmortem_stays(world: Making) -> None:
    w = await pruning(world)
    await w.send(w.firing())
    await w.at(20)
    await w.send(w.resolved())
    await w.do(lifecycle.resolve, 1, note="restarted", actor=ANA)
    await w.at(30)
    await days(w, 29.9)
    assert {"HOLD-1", "INC-1"} <= await w.store.read(subjects_told)
    await days(w, 30.2)

    assert await w.store.read(subjects_told) == {SYSTEM}
    left = await w.store.read(rows)
    assert (left["postmortem"], left["incident"], left["hold"]) == (1, 1, 1)
    assert left.keys() & {"member", "page"} == set()
    await days(w, 31)
    assert await w.store.read(rows) == left


async def test_a_note_on_something_over_keeps_all_of_it(world: Making) -> None:
    w = await pruning(world)
    await w.send(w.firing())
    await w.at(2)
    await w.send(w.resolved())
    await days(w, 25)
    await w.store.write(chain.append, "HOLD-1", Actor(name="ben", via="api"), [Draft("note", "It was the disk.")])
    await days(w, 54.9)
    assert (await w.story("HOLD-1"))[-1] == "It was the disk."

    await days(w, 55.1)
    assert await w.store.read(subjects_told) == {SYSTEM}


async def test_an_alert_goes_only_when_it_is_in_nothing_open(world: Making) -> None:
    w = await pruning(world)
    await w.send(w.firing("CheckoutDown"))
    await w.send(w.resolved("CheckoutDown"))
    await w.send(w.firing("Other", severity="none"), group="{}:{other}")
    await days(w, 15)

    assert (await w.incident()).status is Status.MITIGATED  # nobody resolved it
    assert (await w.store.read(rows))["alert"] == 2


async def test_much_goes_in_small_batches_one_soon_after_another(world: Making) -> None:
    w = await pruning(world)
    for _ in range(3):
        await w.store.write(lambda tx: tx.conn.execute(t.inbox.insert(), old_bodies(w, 400)))
    await w.store.write(lambda tx: tx.conn.execute(t.inbox.insert(), [{**old_bodies(w, 1)[0], "done": False}]))
    await w.store.write(retention.prune, KEPT.retention)
    assert (await w.store.read(rows))["inbox"] == 701

    w.clock[0] += timedelta(minutes=1)
    await w.engine.watch_one()
    w.clock[0] += timedelta(seconds=1)
    await w.engine.watch_one()
    assert (await w.store.read(rows))["inbox"] == 1
    due = await w.store.read(jobs.next_due, jobs.TIMER)
    assert due is not None
    assert due - w.now == retention.EVERY


def old_bodies(w: World, number: int) -> list[dict[str, object]]:
    return [{"source": "x", "at": w.now - timedelta(days=3), "body": b"{}", "done": True}] * number


async def test_large_bodies_make_the_batch_smaller(world: Making) -> None:
    w = await pruning(world)
    large = [{**old_bodies(w, 1)[0], "body": b" " * 1024 * 1024}] * 10
    await w.store.write(lambda tx: tx.conn.execute(t.inbox.insert(), large))

    assert await w.store.write(retention.prune, KEPT.retention)
    assert (await w.store.read(rows))["inbox"] == 6


async def test_finished_jobs_go_after_a_week_and_live_ones_stay(world: Making) -> None:
    w = await pruning(world)
    await w.send(w.firing("CheckoutDown"))
    live = select(t.job.c.kind).where(t.job.c.state == "live").order_by(t.job.c.kind)
    done = select(t.job.c.kind).where(t.job.c.finished_at < w.now + timedelta(hours=1))
    kinds = await w.store.read(lambda tx: [tx.conn.execute(it).scalars().all() for it in (live, done)])
    assert kinds == [["breach", "page", "prune", "role_callout", "role_vacant", "stale"], ["page"]]
    await days(w, 8.1)

    assert await w.store.read(lambda tx: tx.conn.execute(done).scalars().all()) == []
    assert (await w.page()).state is PageState.OPEN
    assert {"page", "prune"} <= set(await w.store.read(lambda tx: tx.conn.execute(live).scalars().all()))


async def test_there_is_one_job_that_prunes_however_often_it_is_asked_for(world: Making) -> None:
    w = await pruning(world)
    await w.at(0.5)
    await w.store.write(retention.keep_pruning)
    count = select(func.count()).where(t.job.c.kind == "prune", t.job.c.state == "live")

    assert await w.store.read(lambda tx: tx.conn.execute(count).scalar()) == 1
    assert await w.store.read(jobs.next_due, jobs.TIMER) == w.now + timedelta(seconds=30)
