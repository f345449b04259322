"""A busy day that a real Prometheus scrapes: every panel of every dashboard shows it, with the figures that it had."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from tests.docs.dashboards import grafana
from tests.doors.web_double import serving
from tests.system import busy_day, scraping
from tests.system.daemon import Daemon, until

pytestmark = [pytest.mark.slow, pytest.mark.needs("prometheus")]
MACROS = {
    "$__range_s": "600",
    "$__range": "10m",
    "$__interval_ms": "600000",
    "$__interval": "10m",
    "$__rate_interval": "2m",
}
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


@pytest.fixture
async def prometheus(tmp_path: Path, session: aiohttp.ClientSession) -> AsyncIterator[tuple[str, Daemon]]:
    """Give a Prometheus, with the rules that we ship, which scrapes a daemon that is to be started."""
    daemon = Daemon(tmp_path, session)
    async with scraping.scraping(tmp_path / "prometheus", daemon) as url:
        yield url, daemon


async def others(request: web.Request) -> web.Response:
    """Answer for all others: ben's telephone is dead, Alertmanager is down, and every other message is taken."""
    if request.path.startswith("/alertmanager"):
        return web.Response(status=503)
    return web.Response(status=500 if request.path == "/ben" else 200)


async def test_every_panel_shows_the_day_as_it_was(
    prometheus: tuple[str, Daemon], session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    url, daemon = prometheus
    asking = scraping.Asking(url, session)
    async with serving(others) as address:
        busy_day.write(daemon, tmp_path, busy_day.documents(daemon.url, url, f"{address}/alertmanager"), address)
        await daemon.start()
        await until(lambda: asking.scraped_since(0))
        await busy_day.Day(daemon).passes()
        over = time.time() + 1.5  # rules are evaluated each second
        then = await until(lambda: asking.scraped_since(over))

    async def asks(query: str) -> dict[str, float]:
        """Give the figures by the values of their labels, in the order of the labels' names."""
        found = await asking.at(scraping.chosen(query, MACROS), then)
        return {_name(one["metric"]): float(one["value"][1]) for one in found}

    shown = {
        (board, panel["title"]): [await asks(target["expr"]) for target in panel["targets"]]
        for board, panel in scraping.panels()
        if panel["type"] != "row"
    }
    assert not [f"{board}: {title}" for (board, title), answers in shown.items() if not all(answers)]
    assert not [mark.name for mark in grafana.MARKS if not await asks(mark.query)]
    for (board, title), known in KNOWN.items():
        figures = {name: value for name, value in shown[board, title][0].items() if name in known}
        assert figures == pytest.approx(known, abs=0.2), (board, title)


def _name(labels: dict[str, str]) -> str:
    return " ".join(labels[label] for label in sorted(labels) if label not in ("__name__", "instance", "job"))
