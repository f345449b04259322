"""What a playbook that only suggests itself says: what to type, or why it does not take the alert."""

from __future__ import annotations

import pytest

from tests.engine.test_automation import playbook, settings
from tests.engine.world import Making

FITS = "Playbook restart-worker fits (Restart a worker); it only suggests itself, so run it by hand"


@pytest.mark.parametrize(
    ("pattern", "instance", "said"),
    [
        ("[a-z0-9-]+", "w-3", f"{FITS}: `incidentd playbook run restart-worker instance=w-3 --for HOLD-1`."),
        (".*", "w 3'; x", f"{FITS}: `incidentd playbook run restart-worker 'instance=w 3'\"'\"'; x' --for HOLD-1`."),
        (".*", "w`3", f"{FITS}."),
        (
            "web-[0-9]+", "web-4:9100",
            "Playbook restart-worker, which only suggests itself, does not take this alert: the input `instance` does "
            "not match 'web-[0-9]+' as a whole: 'web-4:9100'.",
        ),
    ],
)  # fmt: skip
async def test_a_suggestion_says_what_to_type_or_why_the_alert_is_not_taken(
    world: Making, pattern: str, instance: str, said: str
) -> None:
    inputs = {"instance": {"from": "labels.instance", "pattern": pattern}}
    w = await world(settings(playbook(mode="suggest", inputs=inputs)))
    await w.send(w.firing("WorkerStuck", instance=instance))
    assert said in await w.story("HOLD-1")
    assert w.hands.done == []
