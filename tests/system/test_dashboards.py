"""A busy day that a real Prometheus scrapes: every panel of every dashboard shows it, with the figures that it had."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from tests.docs.dashboards import files, grafana
from tests.doors.web_double import serving
from tests.ports import unused_port
from tests.programs import path_of
from tests.system import busy_day
from tests.system.daemon import Daemon, until

pytestmark = [pytest.mark.slow, pytest.mark.needs("prometheus")]
RULES = files.ROOT / "deploy" / "prometheus"
PROMETHEUS = """
global: {{scrape_interval: 500ms, evaluation_interval: 1s}}
rule_files: [recording.yaml, slo.yaml]
scrape_configs:
  - job_name: incidentd
    static_configs: [{{targets: ["{target}"]}}]
"""
CHOSEN = {"$__range": "10m", "$__interval": "10m", "$__rate_interval": "2m"}
"""The macros of Grafana: all of the day is looked at."""


KNOWN: dict[tuple[str, str], dict[str, float]] = {
    ("now", "Incidents"): {"": 2},
    ("now", "Holds"): {"": 1},
    ("now", "No commander"): {"": 0},
    ("now", "Nobody on call"): {"": 0},
    ("now", "Incidents by state"): {"declared": 2, "mitigated": 0},
    ("now", "Decisions"): {"declare": 2, "hold": 3, "record": 2},
    ("now", "Incidents declared"): {"hold": 1, "manual": 1, "rule": 2},
    ("now", "Pages"): {"business_critical": 2},
    ("now", "Where incidents are"): {"shop": 2, "queue": 1},
    ("now", "Promises of incidentd"): {"": 1},
    ("incidents", "Declared"): {"": 4},
    ("incidents", "Over"): {"": 2},
    ("incidents", "Repeats"): {"": 1},
    ("incidents", "Noticed by alerts"): {"": 0.75},
    ("incidents", "How they ended"): {"resolved": 1, "stood_down": 1, "merged": 0},
    ("incidents", "Who noticed first"): {"alert": 3, "employee": 1},
    ("incidents", "Handovers"): {"accepted": 1, "declined": 0},
    ("incidents", "Roles with nobody"): {"ic": 0, "ol": 2},
    ("response", "Answered in time"): {"business_critical": 1},
    ("response", "Escalations"): {"asked": 0, "nobody": 0},
    ("response", "On call"): {"platform": 1},
    ("response", "Verdicts"): {"actionable": 1},
    ("response", "Share of pages that were worth it"): {"CheckoutDown": 1},
    ("response", "Shifts over budget"): {"platform": 1},
    ("response", "Pages without a runbook"): {"CheckoutDown": 1},
    ("holds", "Opened"): {"": 3},
    ("holds", "Became incidents"): {"": 1},
    ("holds", "Went away"): {"": 1},
    ("holds", "Open now"): {"holding": 1},
    ("holds", "Share declared, by rule"): {"lag": 1, "worker": 0},
    ("holds", "Outcomes, by rule"): {"auto_remediated worker": 1, "declared_no_progress lag": 1},
    ("automation", "Runs"): {"": 1},
    ("automation", "Helped"): {"": 1},
    ("automation", "Time saved"): {"": 1200},
    ("automation", "Refused, by guard"): {"total": 1},
    ("automation", "What came of runs"): {"verified": 1, "failed": 0},
    ("automation", "Success, by playbook"): {"restart-worker": 1},
    ("automation", "Fired again"): {"restart-worker": 0},
    ("automation", "Who deals with it"): {"playbook": 1, "people": 1},
    ("learning", "Postmortems"): {"closed": 1, "draft": 1, "published": 0},
    ("learning", "Items"): {"done": 1, "open": 0},
    ("learning", "Filed, by priority"): {"P1": 1, "P2": 0},
    ("itself", "Up"): {"": 1},
    ("itself", "Alertmanager"): {"prod": 0},
    ("itself", "Files"): {"": 1},
}
"""What the day was, in what its panels show."""


@dataclass(frozen=True, slots=True)
class Asking:
    """Asks a Prometheus what a panel asks, at one time."""

    url: str
    session: aiohttp.ClientSession
    at: float = 0

    async def asks(self, query: str) -> dict[str, float]:
        """Give the figures by the values of their labels, in the order of the labels' names."""
        fields = {"query": query} | ({"time": f"{self.at:.3f}"} if self.at else {})
        async with self.session.post(f"{self.url}/api/v1/query", data=fields) as answer:
            body = await answer.json()
        assert body["status"] == "success", (query, body)
        return {_name(one["metric"]): float(one["value"][1]) for one in body["data"]["result"]}


def _name(labels: dict[str, str]) -> str:
    return " ".join(labels[label] for label in sorted(labels) if label not in ("__name__", "instance", "job"))


def panels() -> Iterator[tuple[str, str, list[str]]]:
    """Read the panels as Grafana does: the dashboard, the title, and what it asks."""
    for file in sorted(files.FOLDER.iterdir()):
        for panel in json.loads(file.read_text())["panels"]:
            if panel["type"] != "row":
                yield file.stem, panel["title"], [_chosen(target["expr"]) for target in panel["targets"]]


def _chosen(query: str) -> str:
    for macro, value in CHOSEN.items():
        query = query.replace(macro, value)
    return re.sub(r'"\$\w+"', '".*"', query.replace('"$job"', '"incidentd"'))


@pytest.fixture
async def prometheus(tmp_path: Path, session: aiohttp.ClientSession) -> AsyncIterator[tuple[str, Daemon]]:
    """Give a Prometheus, with the rules that we ship, which scrapes a daemon that is to be started."""
    folder = tmp_path / "prometheus"
    folder.mkdir()
    daemon = Daemon(tmp_path, session)
    for name in ("recording.yaml", "slo.yaml"):
        shutil.copy(RULES / name, folder)
    (folder / "prometheus.yml").write_text(PROMETHEUS.format(target=daemon.url.removeprefix("http://")))
    address = f"127.0.0.1:{unused_port()}"
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            path_of("prometheus"), f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb",
            f"--web.listen-address={address}", stderr=log, stdout=log,
        )  # fmt: skip
    try:
        yield f"http://{address}", daemon
    finally:
        process.terminate()
        await process.wait()
        if daemon.process is not None and daemon.process.returncode is None:
            await daemon.stop()


async def others(request: web.Request) -> web.Response:
    """Answer for all others: ben's telephone is dead, Alertmanager is down, and every other message is taken."""
    if request.path.startswith("/alertmanager"):
        return web.Response(status=503)
    return web.Response(status=500 if request.path == "/ben" else 200)


async def test_every_panel_shows_the_day_as_it_was(
    prometheus: tuple[str, Daemon], session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    url, daemon = prometheus
    asking = Asking(url, session)
    async with serving(others) as address:
        busy_day.write(daemon, tmp_path, prometheus=url, others=address)
        await daemon.start()
        await until(lambda: _scraped_since(asking, 0))
        await busy_day.Day(daemon).passes()
        over = time.time() + 1.5  # rules are evaluated each second
        then = Asking(url, session, await until(lambda: _scraped_since(asking, over)))
    shown = {(board, title): [await then.asks(one) for one in asked] for board, title, asked in panels()}
    assert not [f"{board}: {title}" for (board, title), answers in shown.items() if not all(answers)]
    assert not [mark.name for mark in grafana.MARKS if not await then.asks(_chosen(mark.query))]
    for (board, title), known in KNOWN.items():
        figures = {name: value for name, value in shown[board, title][0].items() if name in known}
        assert figures == pytest.approx(known, abs=0.2), (board, title)


async def _scraped_since(asking: Asking, since: float) -> float:
    """Give when the daemon was scraped last, once that was after this."""
    try:
        at = (await asking.asks("max(timestamp(incidentd_build_info))")).get("", 0)
    except aiohttp.ClientError:
        return 0
    return at if at > since else 0
