"""A real daemon, killed in the middle of a run: its silence is lifted in a real Alertmanager."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.steps_of_ones_own import GOOD, install
from tests.system.daemon import Daemon, RealAlertmanager, until

CONFIG = """
kind: config
include: []
sources: [{{name: default, alertmanager: {{urls: ["{alertmanager}"]}}}}]
automation: {{mode: auto}}
---
kind: rules
rules:
  - {{name: stuck, match: ['alertname="WorkerStuck"'], severity: sev3, decide: hold, page: default, playbook: tidy,
      hold: {{no_progress_after: 1h, hard_cap: 2h, quiet: 1h}}}}
  - {{name: other, match: [], severity: sev3, decide: hold, page: default, playbook: other}}
---
kind: playbook
name: tidy
title: Tidy
mode: auto
target: x
steps:
  - {{name: quiet, alertmanager: {{silence: ['alertname="WorkerStuck"'], for: 30m}}}}
  - {{name: look, depth: {{queue: q-1}}, register: rest}}
  - {{name: settle, wait: 3s, when: rest.left == 0}}
verify: {{command: ["true"], within: 1m}}
---
kind: playbook
name: other
title: Other
mode: approve
target: y
steps: [{{name: go, fly: {{high: true}}}}]
"""


@pytest.mark.slow
@pytest.mark.needs("alertmanager")
async def test_a_run_is_killed_and_goes_on_its_package_is_used_and_its_silence_is_lifted(
    tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    install(tmp_path / "site", "queue-steps", GOOD, depth="depth")
    install(tmp_path / "site", "sky-steps", "raise RuntimeError('no wings')", fly="fly")
    daemon = Daemon(tmp_path, session, PYTHONPATH=str(tmp_path / "site"))
    alertmanager = RealAlertmanager(tmp_path, session, f"{daemon.url}/api/v1/alertmanager/default")
    await alertmanager.start()
    (tmp_path / "incidentd.yaml").write_text(CONFIG.format(alertmanager=alertmanager.url))
    await daemon.start()
    assert "steps of kind `fly` cannot be done" in daemon.log
    assert "the package sky-steps 1.2" in daemon.log

    async def silenced() -> Any:
        async with session.get(f"{alertmanager.url}/api/v2/silences") as answer:
            return [it for it in await answer.json() if it["status"]["state"] == "active"]

    async def waits() -> bool:
        runs = (await daemon.get("runs"))["runs"]
        return bool(runs) and (await daemon.get("runs/RUN-1"))["cursor"] == 2

    async def verified() -> bool:
        return (await daemon.states("runs")).get("RUN-1") == "verified"

    async def lifted() -> bool:
        return not await silenced()

    began = datetime.now(UTC)
    await alertmanager.post({"alertname": "WorkerStuck"}, {"alertname": "Other"}, began=began)
    await until(waits)
    (made,) = await silenced()
    assert made["createdBy"] == "incidentd RUN-1"
    await daemon.kill()
    await daemon.start()
    await until(verified)
    await until(lifted)
    about = (await daemon.get("runs/RUN-1"))["subject"]  # which of the two groups came first is Alertmanager's business
    assert (await daemon.get(f"holds/{about}"))["state"] != "snoozed"
    other = "HOLD-1" if about == "HOLD-2" else "HOLD-2"
    story = [it["text"] for it in (await daemon.get(f"holds/{other}/timeline"))["timeline"]]
    assert any("Playbook other may not run: `fly` cannot be used here" in text for text in story)
    await daemon.kill()
    await alertmanager.kill()
