"""A real Prometheus says what is progress, and what it says when it is stopped is none."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from incidentd.errors import TemporaryError
from incidentd.holds import HoldPolicy, HoldState, Outcome, ProgressQuery, ShortWindow
from incidentd.prometheus import Prometheus, number
from incidentd.rules import CATCH_ALL
from incidentd.settings import PrometheusSettings, Settings
from tests.doors.web_double import serving, session
from tests.engine.world import START, Making, minutes
from tests.programs import path_of

QUERY = 'max(queue_depth{queue="{{ labels.queue }}"})'
POLICY = HoldPolicy(query=ProgressQuery(promql=QUERY), slo=ShortWindow(promql="max(burn_rate)", condition="< 14.4"))
SETTINGS = Settings(rules=(replace(CATCH_ALL, page="", hold=POLICY),))


@contextmanager
def prometheus(folder: Path, port: int, target: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a Prometheus that scrapes one target every fifth of a second."""
    job = f"{{job_name: x, static_configs: [{{targets: ['{target.removeprefix('http://')}']}}]}}"
    (folder / "p.yml").write_text(
        f"global: {{scrape_interval: 200ms, scrape_timeout: 200ms}}\nscrape_configs: [{job}]\n"
    )
    where = [f"--config.file={folder}/p.yml", f"--storage.tsdb.path={folder}/data"]
    with (folder / "log").open("wb") as log:
        command = [path_of("prometheus"), *where, f"--web.listen-address=127.0.0.1:{port}"]
        running = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            yield running
        finally:
            running.terminate()
            running.wait(10)


async def until(ask: Callable[[str], Awaitable[float | None]], query: str, value: float) -> None:
    for _ in range(300):
        try:
            if await ask(query) == value:
                return
        except TemporaryError:
            pass
        await asyncio.sleep(0.1)
    pytest.fail(f"{query} did not become {value} within 30 s")


@pytest.mark.slow
@pytest.mark.needs("prometheus")
async def test_a_queue_that_drains_is_progress_until_prometheus_is_stopped(
    world: Making, tmp_path: Path, free_port: int
) -> None:
    depth = {"queue_depth": 1000.0, "burn_rate": 20.0}

    async def scraped(_: web.Request) -> web.Response:
        text = f'queue_depth{{queue="mail"}} {depth["queue_depth"]}\nburn_rate {depth["burn_rate"]}\n'
        return web.Response(text=text, headers={"Content-Type": "text/plain; version=0.0.4"})

    async with AsyncExitStack() as stack:
        target, ours = await stack.enter_async_context(serving(scraped)), await stack.enter_async_context(session())
        running = stack.enter_context(prometheus(tmp_path, free_port, target))
        door = Prometheus(PrometheusSettings(url=f"http://127.0.0.1:{free_port}"), ours)

        async def ask(promql: str) -> float | None:
            return await number({"default": door}, "default", promql)

        w = await world(SETTINGS)
        w.doors.prometheus = {"default": door}
        await until(ask, "max(queue_depth)", 1000)
        await w.send(w.firing(queue="mail"))
        await w.at(10)
        assert (await w.hold()).deadline_at == START + minutes(30)

        depth["queue_depth"] = 700
        await until(ask, "max(queue_depth)", 700)
        await w.at(12)
        assert (await w.hold()).deadline_at == START + minutes(41)  # the second sample of 700 came at 11 minutes
        depth["burn_rate"] = 2
        await until(ask, "max(burn_rate)", 2)
        await w.at(14)
        assert (await w.hold()).deadline_at == START + minutes(43)

        depth["queue_depth"] = 10
        running.terminate()
        await asyncio.to_thread(running.wait, 10)
        await w.at(42)
        assert (await w.hold()).state is HoldState.HOLDING
        await w.at(43)

    hold, story = await w.hold(), await w.story("HOLD-1")
    assert hold.outcome is Outcome.DECLARED_NO_PROGRESS
    assert sum(text.startswith("Progress:") for text in story) == 2
    assert sum("gives no number" in text for text in story) == 2  # each of the two queries says it once
