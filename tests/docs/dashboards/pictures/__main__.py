"""Draws docs/pictures from busy days that a real Prometheus scrapes: `make pictures`, some two minutes."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp

from tests.docs.dashboards import files
from tests.docs.dashboards.pictures.layout import lay_out
from tests.docs.dashboards.pictures.paint import png
from tests.docs.dashboards.pictures.panels import Kind, Panel, Shown, read, series
from tests.doors.jira_double import JiraDouble
from tests.doors.web_double import serving
from tests.system import busy_day, busy_days
from tests.system.daemon import until
from tests.system.scraping import Asking, chosen, scraping

LASTS = 90.0
"""Seconds that the days last."""
STEP, BAR = 0.5, 5.0
"""Seconds between two points, as often as is scraped; and of a bar, which is an hour in Grafana."""


def main() -> None:
    """Draw every dashboard."""
    with tempfile.TemporaryDirectory() as folder:
        boards = asyncio.run(seen(Path(folder)))
    files.PICTURES.mkdir(exist_ok=True)
    for name, shown in boards.items():
        written = png(lay_out(shown))
        file = files.PICTURES / f"{name}.png"
        file.write_bytes(written)
        print(f"wrote {file}, {len(written) / 1000:.0f} kB")


async def seen(folder: Path) -> dict[str, Shown]:
    """Let the days pass, and give what each dashboard shows of them, by its name."""
    jira = JiraDouble()
    await jira.start()
    try:
        async with aiohttp.ClientSession() as session:
            return await _passed(folder, session, jira)
    finally:
        await jira.stop()


async def _passed(folder: Path, session: aiohttp.ClientSession, jira: JiraDouble) -> dict[str, Shown]:
    daemon = busy_days.Heard(folder, session, JIRA_TOKEN=jira.token)
    async with scraping(folder / "prometheus", daemon) as url, serving(daemon.others) as address:
        busy_day.write(daemon, folder, busy_days.documents(daemon, url, address, jira), address)
        daemon.environment["URL_HEARTBEAT"] = f"{address}/heartbeat"
        asking = Asking(url, session)
        await daemon.start()
        start = await until(lambda: asking.scraped_since(0))
        await busy_days.Days(daemon, LASTS).pass_by()
        end = await until(lambda: asking.scraped_since(start + LASTS + 1.5))
        return {name: await _board(made, asking, start, end) for name, made in _written()}


def _written() -> Iterator[tuple[str, dict[str, Any]]]:
    for file in sorted(files.FOLDER.iterdir()):
        yield file.stem, json.loads(file.read_text())


async def _board(made: dict[str, Any], asking: Asking, start: float, end: float) -> Shown:
    panels = [await _answered(panel, asking, start, end) for panel in made["panels"]]
    return Shown(title=made["title"], panels=tuple(panels), start=start, end=end, step=STEP, bar=BAR)


async def _answered(panel: dict[str, Any], asking: Asking, start: float, end: float) -> Panel:
    kind = read(panel).kind
    # more than all of it: what a series began with counts, too
    long = f"{end - start + 20:.0f}"
    macros = {
        "$__range_s": long,
        "$__range": f"{long}s",
        "$__interval_ms": f"{BAR * 1000:g}",
        "$__interval": f"{BAR:g}s",
        "$__rate_interval": f"{BAR:g}s",
    }
    found = []
    for target in panel.get("targets", ()):
        query = chosen(target["expr"], macros)
        if target["instant"]:
            answer = await asking.at(query, end)
        elif kind is Kind.BARS:
            answer = await asking.over(query, start + BAR, end, BAR)
        else:
            answer = await asking.over(query, start, end, STEP)
        found += series(target["legendFormat"], answer)
    return replace(read(panel), series=tuple(found))


if __name__ == "__main__":
    main()
