"""What the engine leaves in a store is whole to `store check`, at each moment; else a good backup would be refused."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from incidentd.engine import commands, lifecycle, merging
from incidentd.engine.backlog import commands as backlog
from incidentd.errors import NotFound
from incidentd.holds import HoldState
from incidentd.playbooks.refusals import FEW
from incidentd.settings import Retention
from incidentd.store import jobs, maintenance, retention
from incidentd.timeline import SYSTEM, Actor
from tests.engine import test_backlog, test_reconciling, test_storm_on_one_playbook
from tests.engine.world import START, Making, World, make_world

ANA = Actor(name="ana", via="api")


async def told(w: World) -> int:
    """Check the store as it is, and say how many timelines it has."""
    return (await w.store.read(maintenance.consistent))[0]


async def test_the_timeline_of_a_summary_page_belongs_to_it(world: Making) -> None:
    w = await world(test_storm_on_one_playbook.storm_settings())
    await test_storm_on_one_playbook.storm(w, FEW + 3)
    summary = await test_storm_on_one_playbook.the_summary(w)

    assert await told(w) == FEW + 3 + len([summary.key, SYSTEM])


async def test_a_hold_whose_clock_stands_still_needs_no_look(world: Making) -> None:
    w = await world(test_reconciling.SETTINGS)
    await w.engine.begin()
    lag = w.firing()
    w.peer.knows(lag, muted_by=("silence 51973eae",))
    await w.send(lag)
    await w.at(3)

    assert (await w.hold()).state is HoldState.SNOOZED
    assert await w.store.read(jobs.live, "HOLD-1") is None
    assert await told(w)


async def test_a_hold_that_waits_for_the_word_of_alertmanager_is_looked_at_after_it(world: Making) -> None:
    w = await world(test_reconciling.SETTINGS)
    lag = w.firing()
    w.peer.knows(lag)
    await w.send(lag)
    w.clock[0] += timedelta(minutes=20)
    await w.engine.watch_one()

    assert await w.store.read(jobs.live, "HOLD-1") is None
    assert await w.store.read(jobs.live, "verify:HOLD-1") is not None
    assert await told(w)


async def test_what_is_told_of_an_action_item_after_its_incident_was_pruned_belongs_to_it(world: Making) -> None:
    w = await world(test_backlog.LOCAL)
    for title in ("Mail waits", "Mail waits, too"):  # what is merged has no postmortem, for which it would be kept
        await w.do(commands.declare_incident, actor=ANA, title=title, severity="sev3")
    item = await w.do(commands.add_action_item, 2, actor=ANA, title="Add a limit", priority="P2", owner="ana")
    await w.do(merging.merge, 2, into=1, actor=ANA)
    await w.do(lifecycle.resolve, 1, actor=ANA, admin=True)
    await w.until(START + timedelta(days=500))
    while await w.store.write(retention.prune, Retention()):
        pass
    with pytest.raises(NotFound):
        await w.incident(2)
    assert await w.entries("INC-2") == ()
    assert await told(w) == len([SYSTEM])

    await w.do(backlog.done, item.id, actor=ANA)
    assert await w.story("INC-2") == ["AI-1 is done"]
    assert await told(w) == len(["INC-2", SYSTEM])


async def test_a_backup_of_what_goes_on_can_be_put_back(tmp_path: Path) -> None:
    w = await make_world(tmp_path, test_storm_on_one_playbook.storm_settings())
    await test_storm_on_one_playbook.storm(w, FEW + 3)
    copy, other = tmp_path / "copy.db", tmp_path / "other.db"
    maintenance.backup(tmp_path / "incidentd.db", copy)
    timelines = await told(w)
    await w.store.close()

    assert maintenance.restore(other, copy, force=False) is None
    assert maintenance.check(other).timelines == timelines
