"""A thousand alerts at once that one playbook fits: it keeps its limits, and people get few messages that name all."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from incidentd.durations import parse_duration
from incidentd.playbooks import Run
from incidentd.rules import CATCH_ALL
from incidentd.settings import Settings
from incidentd.store import Tx, things
from tests.engine.test_automation import RULE, playbook, settings
from tests.engine.world import START, make_world, minutes

ALERTS = 1000
TOGETHER = 200
"""The alerts that are decided at a time, and the pages that one message names at most."""


def storm_settings() -> Settings:
    """Give the limits that are built in: 3 runs in 10 minutes, 2 in 30 minutes on a target, 20 in an hour of all."""
    return replace(settings(playbook()), rules=(replace(RULE, correlate_by=("instance",)), CATCH_ALL))


def runs(tx: Tx) -> list[Run]:
    return things.recent_runs(tx, START - minutes(1))


def most_within(found: list[Run], window: str) -> int:
    """Give the most runs that began within a window of this length."""
    return max(
        sum(one.started_at <= it.started_at < one.started_at + parse_duration(window) for it in found) for one in found
    )


@pytest.mark.slow
async def test_p14_a_thousand_alerts_at_once_run_a_playbook_within_its_limits_and_send_few_messages(
    tmp_path: Path,
) -> None:
    w = await make_world(tmp_path, storm_settings())
    await w.send(*(w.firing("WorkerStuck", instance=f"w-{number}") for number in range(ALERTS)))
    assert w.hands.done.count("restart") == 1  # the others wait for what comes of the first
    assert len(w.post.sent) <= 2 * ALERTS / TOGETHER
    told = Counter(key.split("/")[0] for n in w.post.sent for key in (n.key, *n.also))
    assert len(told) == ALERTS - 1
    assert set(told.values()) == {1}

    await w.at(4)  # it was healed, so others may be
    await w.send(*(w.firing("WorkerStuck", instance=f"x-{number}") for number in range(50)), group="x")
    found = await w.store.read(runs)
    assert most_within(found, "10m") == w.hands.done.count("restart") == 3
    assert max(Counter(run.target for run in found).values()) == 1
    refused = [text for number in (1, 2, 3) for text in await w.story(f"HOLD-{ALERTS + 50 - number}")]
    assert sum("limits.total allows 3" in text for text in refused) == 3
    await w.store.close()
