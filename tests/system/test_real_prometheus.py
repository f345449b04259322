"""Conditions of rules asked of a real Prometheus, which has hours of history and is stopped in the end."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest

from tests.ports import unused_port
from tests.programs import path_of
from tests.system.daemon import Daemon, an_alert, until

CONFIG = """
kind: config
include: []
sources:
  - name: prod
    prometheus: {{url: "{prometheus}"}}
---
kind: rules
rules:
  - name: burns
    match: ['service!=""']
    when:
      - burn_rate:
          error_ratio: >-
            sum(rate(requests_total{{service="{{{{ labels.service }}}}",code="500"}}[{{{{ window }}}}]))
            / sum(rate(requests_total{{service="{{{{ labels.service }}}}"}}[{{{{ window }}}}]))
          objective: 99.9%
    severity: sev1
    page: default
  - name: everything-else
    match: []
    severity: sev3
    decide: hold
    page: default
"""
pytestmark = [pytest.mark.slow, pytest.mark.needs("prometheus", "promtool")]
HOURS = 7


def write_history(folder: Path) -> None:
    """Give Prometheus hours of requests: one service fails 2 % of them, one did until 40 minutes ago."""
    now = int(datetime.now(UTC).timestamp())
    begin, errors = now - HOURS * 3600, {"burning": 0, "recovered": 0}
    series: dict[tuple[str, str], list[str]] = {}
    for minute, at in enumerate(range(begin, now + 1, 60)):
        for service, earlier in errors.items():
            errors[service] = earlier + (2 if service == "burning" or at < now - 2400 else 0)
            for code, value in (("500", errors[service]), ("200", minute * 98)):
                series.setdefault((service, code), []).append(
                    f'requests_total{{service="{service}",code="{code}"}} {value} {at}'
                )
    lines = ["# HELP requests Requests.", "# TYPE requests counter", *(one for its in series.values() for one in its)]
    (folder / "history.om").write_text("\n".join([*lines, "# EOF", ""]))
    command = [
        path_of("promtool"),
        "tsdb",
        "create-blocks-from",
        "openmetrics",
        f"{folder}/history.om",
        f"{folder}/tsdb",
    ]
    subprocess.run(command, check=True, capture_output=True)


@asynccontextmanager
async def a_prometheus(
    folder: Path, session: aiohttp.ClientSession
) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    url = f"http://127.0.0.1:{unused_port()}"
    (folder / "prometheus.yml").write_text("{}")
    with (folder / "prometheus.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            path_of("prometheus"), f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb",
            f"--web.listen-address={url.removeprefix('http://')}", stderr=log, stdout=log,
        )  # fmt: skip

    async def ready() -> bool:
        try:
            async with session.get(f"{url}/-/ready") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    try:
        await until(ready)
        yield url, process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.wait()


async def test_a_burn_rate_is_measured_and_unknown_once_prometheus_is_stopped(
    tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    await asyncio.to_thread(write_history, tmp_path)
    daemon = Daemon(tmp_path, session)
    async with a_prometheus(tmp_path, session) as (url, prometheus):
        (tmp_path / "incidentd.yaml").write_text(CONFIG.format(prometheus=url))
        await daemon.start()
        try:

            async def decided(service: str) -> tuple[str, str] | None:
                alerts = (await daemon.get("alerts"))["alerts"]
                found = (one for one in alerts if one["labels"]["service"] == service and one["rule"])
                return next(((one["rule"], one["reason"]) for one in found), None)

            for service in ("burning", "recovered"):
                await daemon.deliver(an_alert("Slow", service=service), source="prod")
            rule, reason = await until(lambda: decided("burning"))
            assert (rule, "burn rate 20 over 1h and 20 over 5m, both > 14.4" in reason) == ("burns", True), reason
            rule, reason = await until(lambda: decided("recovered"))
            assert (rule, "0 over 5m, not both > 14.4, " in reason) == ("everything-else", True), reason

            prometheus.send_signal(signal.SIGTERM)
            await prometheus.wait()
            await daemon.deliver(an_alert("Slow", service="blind"), source="prod")
            rule, reason = await until(lambda: decided("blind"))
            assert rule == "burns"
            assert "burn rate unknown over 1h because Prometheus cannot be reached" in reason
            assert "which counts as met" in reason
        finally:
            await daemon.stop()
