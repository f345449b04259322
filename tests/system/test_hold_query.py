"""The query of a hold in the real process: it goes out by the source's own door, and says why when there is none."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest

from tests.system.daemon import Daemon, an_alert, until

CONFIG = """kind: config
include: []
sources: [{name: default, prometheus: {url: "http://127.0.0.1:1"}}, {name: bare}]
---
kind: rules
rules:
  - name: all
    match: []
    severity: sev3
    decide: hold
    page: default
    hold: {progress: {query: {promql: 'max(queue_depth)', better: lower, by: 20%}}}
"""


@pytest.mark.slow
async def test_a_query_that_cannot_be_asked_is_said_on_the_timeline(
    tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    daemon = Daemon(tmp_path, session, CONFIG)
    await daemon.start()
    await daemon.deliver(an_alert("QueueLag"))
    await daemon.deliver(an_alert("QueueLag"), source="bare")

    async def said(hold: str, words: str) -> bool:
        if hold not in await daemon.states("holds"):
            return False
        story = await daemon.get(f"holds/{hold}/timeline")
        return any("gives no number" in entry["text"] and words in entry["text"] for entry in story["timeline"])

    await until(lambda: said("HOLD-1", "127.0.0.1:1"))
    await until(lambda: said("HOLD-2", "the source bare has no prometheus"))
    assert await daemon.stop() == 0
