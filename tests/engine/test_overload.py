"""More comes than can be looked at: what was taken is worked off, and no more is taken meanwhile."""

import json
from datetime import timedelta

from incidentd.settings import Settings
from tests.engine.world import START, Making, make_world


async def test_no_more_is_taken_while_the_oldest_delivery_waits_too_long(world: Making) -> None:
    w = await world(Settings())
    for number in range(70):  # more than a batch
        body = {"groupKey": f"g{number}", "alerts": [w.firing(instance=f"i-{number}")]}
        await w.store.append("default", json.dumps(body).encode())

    await w.engine.unpack()
    assert w.engine.overloaded() == ""
    w.clock[0] += timedelta(seconds=11)
    assert w.engine.overloaded() == "the oldest delivery waits for 11s to be looked at"
    await w.settle()
    assert w.engine.overloaded() == ""


async def test_what_a_start_finds_waiting_is_no_overload_at_first(store_url: str) -> None:
    w = await make_world(store_url, Settings())
    await w.store.append("default", json.dumps({"groupKey": "g", "alerts": [w.firing()]}).encode())
    await w.store.close()
    again = await make_world(store_url, Settings(), clock=[START + timedelta(hours=1)])

    await again.engine.unpack()
    assert again.engine.overloaded() == ""
    await again.store.close()
