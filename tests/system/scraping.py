"""A real Prometheus, with the rules that we ship, that scrapes a daemon and is asked what panels ask."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from tests.docs.dashboards import files
from tests.ports import unused_port
from tests.programs import path_of
from tests.system.daemon import Daemon

RULES = files.ROOT / "deploy" / "prometheus"
CONFIG = """
global: {{scrape_interval: 500ms, evaluation_interval: 1s}}
rule_files: [recording.yaml, slo.yaml]
scrape_configs:
  - job_name: incidentd
    static_configs: [{{targets: ["{target}"]}}]
"""


@dataclass(frozen=True, slots=True)
class Asking:
    """Asks a Prometheus what a panel asks."""

    url: str
    session: aiohttp.ClientSession

    async def at(self, query: str, when: float = 0) -> list[dict[str, Any]]:
        """Give the series at one time, in seconds since 1970; 0 means now."""
        return await self._asks("query", query=query, **({"time": f"{when:.3f}"} if when else {}))

    async def over(self, query: str, start: float, end: float, step: float) -> list[dict[str, Any]]:
        """Give the series between two times, a figure each `step` seconds."""
        times = {"start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step:g}"}
        return await self._asks("query_range", query=query, **times)

    async def scraped_since(self, since: float) -> float:
        """Give when the daemon was scraped last, once that was after this; 0 before."""
        try:
            found = await self.at("max(timestamp(incidentd_build_info))")
        except aiohttp.ClientError:
            return 0
        at = float(found[0]["value"][1]) if found else 0
        return at if at > since else 0

    async def _asks(self, what: str, **fields: str) -> list[dict[str, Any]]:
        async with self.session.post(f"{self.url}/api/v1/{what}", data=fields) as answer:
            body = await answer.json()
        assert body["status"] == "success", (fields, body)
        found: list[dict[str, Any]] = body["data"]["result"]
        return found


def panels() -> Iterator[tuple[str, dict[str, Any]]]:
    """Read the panels as Grafana does, each with the name of its dashboard."""
    for file in sorted(files.FOLDER.iterdir()):
        yield from ((file.stem, panel) for panel in json.loads(file.read_text())["panels"])


def chosen(query: str, macros: Mapping[str, str]) -> str:
    """Put in what Grafana would: values for its macros, and everything for what a reader may choose."""
    for macro, value in macros.items():
        query = query.replace(macro, value)
    return re.sub(r'"\$\w+"', '".*"', query.replace('"$job"', '"incidentd"'))


@asynccontextmanager
async def scraping(folder: Path, daemon: Daemon) -> AsyncIterator[str]:
    """Start a Prometheus that scrapes a daemon which is to be started, and give its address; stop both at the end."""
    _configure(folder, daemon.url.removeprefix("http://"))
    address = f"127.0.0.1:{unused_port()}"
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            path_of("prometheus"), f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb",
            f"--web.listen-address={address}", stderr=log, stdout=log,
        )  # fmt: skip
    try:
        yield f"http://{address}"
    finally:
        process.terminate()
        await process.wait()
        if daemon.process is not None and daemon.process.returncode is None:
            await daemon.stop()


def _configure(folder: Path, target: str) -> None:
    folder.mkdir()
    for name in ("recording.yaml", "slo.yaml"):
        shutil.copy(RULES / name, folder)
    (folder / "prometheus.yml").write_text(CONFIG.format(target=target))
