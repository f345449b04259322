"""The machine's clock is set while the daemon runs: deadlines go by the time that truly passed."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest

from tests.programs import path_of
from tests.system.daemon import Daemon, an_alert, until

# Ten times shorter than what is promised, unless every test is to run at its full size.
HOLD = 60 if os.environ.get("INCIDENTD_TEST_LONG") == "1" else 6
RULES = f"""kind: config
include: []
---
kind: rules
rules:
  - name: all
    match: []
    severity: sev3
    decide: hold
    page: default
    hold: {{no_progress_after: {HOLD}s, hard_cap: 10m}}
"""

pytestmark = [pytest.mark.slow, pytest.mark.needs("faketime")]


def library() -> str:
    """Ask the program which library it puts before others, of a process with threads."""
    said = subprocess.run(
        [path_of("faketime"), "-m", "-f", "+0", "env"], capture_output=True, text=True, check=True
    ).stdout
    return next(line for line in said.splitlines() if line.startswith("LD_PRELOAD=")).partition("=")[2]


def tell(said: Path, offset: str) -> None:
    """Set the clock; in one go, since the library ends a program that reads half of it."""
    said.with_suffix(".new").write_text(f"{offset}\n")
    said.with_suffix(".new").replace(said)


@pytest.mark.parametrize("jump", ["+2h", "-2h"])
async def test_f28_a_hold_is_declared_after_its_true_time_whatever_the_clock_says(
    tmp_path: Path, session: aiohttp.ClientSession, jump: str
) -> None:
    said = tmp_path / "clock"
    tell(said, "+0")
    daemon = Daemon(
        tmp_path, session, RULES, LD_PRELOAD=library(), FAKETIME_TIMESTAMP_FILE=str(said), FAKETIME_CACHE_DURATION="1",
        DONT_FAKE_MONOTONIC="1",
    )  # fmt: skip
    await daemon.start()
    began = time.monotonic()
    await daemon.deliver(an_alert("QueueLag"))

    async def is_(state: str) -> bool:
        return await daemon.states("holds") == {"HOLD-1": state}

    await until(lambda: is_("holding"))
    await asyncio.sleep(HOLD / 4)
    tell(said, jump)
    await until(lambda: is_("declared"), seconds=2 * HOLD)
    took = time.monotonic() - began

    # 60 to 65 seconds of 60; and a second for a machine that does other things at the same time, where it is short
    assert HOLD <= took <= HOLD * 65 / 60 + (0 if HOLD == 60 else 1)
    assert await daemon.stop() == 0
    # what it logs has the machine's time, so that this shows that the machine's time was another one
    logged = datetime.fromisoformat(json.loads(daemon.log.splitlines()[-1])["time"])
    assert abs(logged - datetime.now(UTC)) > timedelta(hours=1)
