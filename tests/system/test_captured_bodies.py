"""Every captured body through the front door of a real process; each scenario is a source of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.system.daemon import Daemon, an_alert, until

DATA = Path(__file__).parent.parent / "data" / "payloads"
EXPECTED: dict[str, dict[str, Any]] = json.loads((DATA / "expected.json").read_text())


async def known(daemon: Daemon, source: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {"firing": [], "resolved": []}
    cursor: str | None = ""
    while cursor is not None:
        page = await daemon.get(f"alerts?limit=1000&cursor={cursor}" if cursor else "alerts?limit=1000")
        for alert in page["alerts"]:
            if alert["source"] == source:
                found[alert["status"]].append(alert["fingerprint"])
        cursor = page["next"]
    return {status: sorted(fingerprints) for status, fingerprints in found.items()}


def matches(found: list[str], wanted: list[str] | dict[str, int]) -> bool:
    return len(found) == wanted["count"] if isinstance(wanted, dict) else found == sorted(wanted)


@pytest.mark.slow
async def test_t01_every_captured_body_is_answered_2xx_and_leaves_the_sets_that_are_expected(
    tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    sources = "\n".join(f"  - name: {scenario}" for scenario in EXPECTED)
    rules = "kind: rules\nrules: [{name: all, match: [], severity: sev4, decide: record}]"
    daemon = Daemon(tmp_path, session, f"kind: config\ninclude: []\nsources:\n{sources}\n---\n{rules}\n")
    await daemon.start()
    for scenario, story in EXPECTED.items():
        for step in story["steps"]:
            body = (DATA / step["file"]).read_bytes()
            async with session.post(f"{daemon.url}/api/v1/alertmanager/{scenario}", data=body) as answer:
                assert answer.status == 200, step["file"]

            async def as_expected(scenario: str = scenario, step: dict[str, Any] = step) -> bool:
                found = await known(daemon, scenario)
                return matches(found["firing"], step["firing"]) and matches(found["resolved"], step["resolved"])

            await until(as_expected, 5)
    await daemon.kill()


@pytest.mark.slow
async def test_t01b_an_alert_that_fires_expires_and_fires_again_with_the_same_start_is_firing_again(
    tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    daemon = Daemon(tmp_path, session)
    await daemon.start()
    fires = an_alert("A")
    over = fires | {"status": "resolved", "endsAt": "2099-01-01T00:00:00Z"}
    for body, status in ((fires, "firing"), (over, "resolved"), (fires, "firing")):
        await daemon.deliver(body)

        async def is_so(status: str = status) -> bool:
            return [one["status"] for one in (await daemon.get("alerts"))["alerts"]] == [status]

        await until(is_so, 5)
    await daemon.kill()


@pytest.mark.slow
async def test_t11_bodies_written_by_hand_get_the_answers_that_their_index_says(
    tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    daemon = Daemon(tmp_path, session)
    await daemon.start()
    index = json.loads((DATA / "synthetic" / "index.json").read_text())
    for case in index:
        async with session.post(f"{daemon.url}/api/v1/alertmanager", data=(DATA / case["file"]).read_bytes()) as answer:
            assert answer.status == (400 if case["expect"] == "refuse-400" else 200), case["file"]
            assert len(await answer.read()) < 300
    quarantined: int = sum(case["expect"] == "quarantine-alert-2xx" for case in index)

    async def all_set_aside() -> bool:
        return len((await daemon.get("quarantine?limit=100"))["quarantine"]) >= quarantined

    await until(all_set_aside)
    assert "incidentd_quarantined_alerts_total" in await daemon.text("/metrics")
    await daemon.kill()
