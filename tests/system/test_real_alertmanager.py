"""What a real Alertmanager does and does not tell, and what incidentd learns by asking it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.system.daemon import Daemon, RealAlertmanager, until

CONFIG = """
kind: config
include: []
sources:
  - name: prod
    alertmanager: {{urls: ["{alertmanager}"]}}
---
kind: rules
rules:
  - name: everything
    match: []
    severity: sev3
    decide: hold
    hold: {{no_progress_after: {wait}, hard_cap: 30m, quiet: 1s}}
    page: default
"""
pytestmark = [pytest.mark.slow, pytest.mark.needs("alertmanager")]


@asynccontextmanager
async def both(
    folder: Path, session: aiohttp.ClientSession, wait: str = "20m", **others: Any
) -> AsyncIterator[tuple[Daemon, RealAlertmanager]]:
    daemon = Daemon(folder, session)
    alertmanager = RealAlertmanager(folder, session, f"{daemon.url}/api/v1/alertmanager/prod", **others)
    (folder / "incidentd.yaml").write_text(CONFIG.format(alertmanager=alertmanager.url, wait=wait))
    try:
        yield daemon, alertmanager
    finally:
        await alertmanager.stop()
        await daemon.stop()


def knows(daemon: Daemon, **expected: str) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        alerts = (await daemon.get("alerts"))["alerts"]
        return {one["labels"]["alertname"]: one["status"] for one in alerts} == expected

    return check


def reaches(daemon: Daemon, hold: str, state: str) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        return (await daemon.states("holds")).get(hold) == state

    return check


async def asks(daemon: Daemon) -> None:
    """Have it ask now: it does at start, and else every 30 seconds."""
    await daemon.stop()
    await daemon.start()


def runs_for_a_while(alertmanager: RealAlertmanager, session: aiohttp.ClientSession) -> Callable[[], Awaitable[bool]]:
    """Tell whether what it hears now is certainly after its start; its clock shows whole seconds."""

    async def check() -> bool:
        async with session.get(f"{alertmanager.url}/api/v2/status") as answer:
            started = datetime.fromisoformat((await answer.json())["uptime"])
            return (parsedate_to_datetime(answer.headers["Date"]) - started).total_seconds() > 1.5

    return check


async def said(daemon: Daemon, subject: str) -> str:
    return "\n".join(entry["text"] for entry in (await daemon.get(f"holds/{subject}/timeline"))["timeline"])


async def test_t05_a_silenced_alert_is_suppressed_and_what_resolves_in_silence_is_resolved(
    tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    async with both(tmp_path, session) as (daemon, alertmanager):
        await daemon.start()
        await alertmanager.start()
        await until(runs_for_a_while(alertmanager, session))
        began = datetime.now(UTC)
        await alertmanager.post({"alertname": "Lag"}, began=began)
        await until(knows(daemon, Lag="firing"))
        silence = await alertmanager.silence("Lag")
        await asks(daemon)
        await until(knows(daemon, Lag="suppressed"))
        assert await daemon.states("holds") == {"HOLD-1": "snoozed"}
        assert f"(silence {silence}): it still fires" in await said(daemon, "HOLD-1")

        await alertmanager.post({"alertname": "Lag"}, began=began, ended=datetime.now(UTC))
        await asks(daemon)
        await until(knows(daemon, Lag="resolved"))
        assert "its resolve never came" in await said(daemon, "HOLD-1")
        await until(reaches(daemon, "HOLD-1", "closed"))


async def test_t05_an_inhibited_alert_is_suppressed_until_it_is_no_longer(
    tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    inhibit = [{"source_matchers": ['alertname="Cause"'], "target_matchers": ['alertname="Lag"']}]
    async with both(tmp_path, session, inhibit_rules=inhibit) as (daemon, alertmanager):
        await daemon.start()
        await alertmanager.start()
        began = datetime.now(UTC)
        await alertmanager.post({"alertname": "Lag"}, began=began)
        await until(knows(daemon, Lag="firing"))
        await alertmanager.post({"alertname": "Cause"}, began=began)
        await until(knows(daemon, Lag="firing", Cause="firing"))
        await asks(daemon)
        await until(knows(daemon, Lag="suppressed", Cause="firing"))

        await alertmanager.post({"alertname": "Cause"}, began=began, ended=datetime.now(UTC))
        await until(knows(daemon, Lag="suppressed", Cause="resolved"))
        await asks(daemon)
        await until(knows(daemon, Lag="firing", Cause="resolved"))
        assert await daemon.states("holds") | {"HOLD-2": ""} == {"HOLD-1": "holding", "HOLD-2": ""}


async def test_t05_what_a_killed_alertmanager_forgot_is_not_taken_for_resolved(
    tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    async with both(tmp_path, session, wait="8s") as (daemon, alertmanager):
        await daemon.start()
        await alertmanager.start()
        began = datetime.now(UTC)
        await alertmanager.post({"alertname": "Lag"}, {"alertname": "Other"}, began=began)
        await until(knows(daemon, Lag="firing", Other="firing"))
        await alertmanager.kill()
        await alertmanager.start()  # it has no alerts now, and only one of them is told to it again
        await alertmanager.post({"alertname": "Other"}, began=began)
        await until(reaches(daemon, "HOLD-2", "declared"))

        # what such a young Alertmanager does not have is no proof that it is over
        await until(reaches(daemon, "HOLD-1", "declared"))
        await until(knows(daemon, Lag="firing", Other="firing"))


async def test_a_hold_whose_alert_ended_unheard_recovers_instead_of_declaring(
    tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    hooks = [{"url": "", "send_resolved": False}]
    async with both(tmp_path, session, wait="4s") as (daemon, alertmanager):
        hooks[0]["url"] = f"{daemon.url}/api/v1/alertmanager/prod"
        silent = RealAlertmanager(tmp_path, session, "", receivers=[{"name": "incidentd", "webhook_configs": hooks}])
        silent.url = alertmanager.url
        await daemon.start()
        await silent.start()
        try:
            await until(runs_for_a_while(silent, session))
            began = datetime.now(UTC)
            await silent.post({"alertname": "Lag"}, began=began)
            await until(knows(daemon, Lag="firing"))
            await silent.post({"alertname": "Lag"}, began=began, ended=datetime.now(UTC))
            await until(reaches(daemon, "HOLD-1", "closed"))
        finally:
            await silent.stop()
        assert (await daemon.get("incidents"))["incidents"] == []
        assert "its resolve never came" in await said(daemon, "HOLD-1")


async def test_t12_what_happened_while_the_receiver_was_down_is_known_after_the_next_delivery(
    tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    async with both(tmp_path, session) as (daemon, alertmanager):
        await alertmanager.start()
        began = datetime.now(UTC)
        await alertmanager.post({"alertname": "Lag", "x": "a"}, {"alertname": "Lag", "x": "b"}, began=began)
        await alertmanager.post({"alertname": "Lag", "x": "a"}, began=began, ended=datetime.now(UTC))
        await daemon.start()

        async def both_known() -> bool:
            found = {one["labels"]["x"]: one["status"] for one in (await daemon.get("alerts"))["alerts"]}
            # Alertmanager itself may have dropped what fired and resolved while nobody listened
            return found.get("b") == "firing" and found.get("a") in (None, "resolved")

        await until(both_known, 60)
        assert await daemon.states("holds") == {"HOLD-1": "holding"}


async def test_t21_an_alert_is_held_within_five_seconds_and_its_resolve_noted_a_group_interval_later(
    tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    async with both(tmp_path, session) as (daemon, alertmanager):
        await daemon.start()
        await alertmanager.start()
        began = datetime.now(UTC)
        await alertmanager.post({"alertname": "Lag"}, began=began)
        await until(reaches(daemon, "HOLD-1", "holding"), 5)
        await alertmanager.post({"alertname": "Lag"}, began=began, ended=datetime.now(UTC))

        await until(knows(daemon, Lag="resolved"), 1 + 2)


@asynccontextmanager
async def somebody_else(port: int) -> AsyncIterator[asyncio.Event]:
    """Take deliveries where incidentd did, and tell when one has come."""
    taken = asyncio.Event()

    async def take(_: web.Request) -> web.Response:
        taken.set()
        return web.Response()

    other = web.Application()
    other.router.add_post("/{path:.*}", take)
    runner = web.AppRunner(other)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield taken
    await runner.cleanup()


async def test_t23_an_alert_that_fired_while_incidentd_was_down_is_taken_up_at_start(
    tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    async with both(tmp_path, session) as (daemon, alertmanager):
        await daemon.start()
        await alertmanager.start()
        await alertmanager.post({"alertname": "Known"}, began=datetime.now(UTC))
        await until(knows(daemon, Known="firing"))
        await daemon.stop()
        async with somebody_else(daemon.port) as taken:
            await alertmanager.post({"alertname": "Fired"}, began=datetime.now(UTC))
            await asyncio.wait_for(taken.wait(), 20)
        await daemon.start()

        await until(knows(daemon, Known="firing", Fired="firing"), 5)
        assert "no delivery said so; asking Alertmanager found it" in await said(daemon, "HOLD-2")


async def test_t24_deliveries_go_on_while_the_api_is_down(tmp_path: Path, session: aiohttp.ClientSession) -> None:
    async with both(tmp_path, session, wait="2s") as (daemon, _):
        await daemon.start()
        await daemon.deliver(
            {"status": "firing", "labels": {"alertname": "Lag"}, "startsAt": datetime.now(UTC).isoformat()},
            source="prod",
        )
        await until(reaches(daemon, "HOLD-1", "declared"))

        assert "Not verified: Alertmanager at " in await said(daemon, "HOLD-1")
        assert 'incidentd_alertmanager_up{source="prod"} 0.0' in await daemon.text("/metrics")
