"""What a real Alertmanager sent, replayed: what is known afterwards is what really was."""

import json
from pathlib import Path

import pytest
from sqlalchemy import select

from incidentd.settings import Settings
from incidentd.store import Tx
from incidentd.store.tables import alert
from tests.engine.world import Making

DATA = Path(__file__).parent.parent / "data" / "payloads"
EXPECTED = json.loads((DATA / "expected.json").read_text())


def known(tx: Tx) -> dict[str, list[str]]:
    rows = tx.conn.execute(select(alert.c.fingerprint, alert.c.status)).all()
    return {status: sorted(r.fingerprint for r in rows if r.status == status) for status in ("firing", "resolved")}


def matches(found: list[str], wanted: list[str] | dict[str, int]) -> bool:
    return len(found) == wanted["count"] if isinstance(wanted, dict) else found == sorted(wanted)


@pytest.mark.parametrize("scenario", EXPECTED)
async def test_t01_each_scenario_leaves_what_is_expected_after_every_body(world: Making, scenario: str) -> None:
    w = await world(Settings())
    for step in EXPECTED[scenario]["steps"]:
        await w.store.append("default", (DATA / step["file"]).read_bytes())
        await w.settle()

        found = await w.store.read(known)
        for status in ("firing", "resolved"):
            assert matches(found[status], step[status]), (step["file"], status, found[status])
