"""Probes, metrics and reload: what they say, and that they say it in trouble too."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from incidentd.errors import ConfigError, Location, Problem, StoreUnavailable
from incidentd.store.views import state_counts
from incidentd.web import probes
from tests.web.asking import Ask
from tests.web.small_house import SmallHouse, insert_hold


async def test_healthy_while_it_runs_and_ready_when_it_is(house: SmallHouse, ask: Ask) -> None:
    assert (await ask("GET", "/-/ready")).status == 200
    house.why = "the inbox is 90 s old"
    assert (await ask("GET", "/-/healthy")).status == 200
    answer = await ask("GET", "/-/ready")
    assert (answer.status, answer.text) == (503, "incidentd is not ready: the inbox is 90 s old\n")


async def test_metrics_count_what_lasts_in_the_store(house: SmallHouse, ask: Ask) -> None:
    await house.store.write(insert_hold)
    await house.store.append("default", b"{}")
    answer = await ask("GET", "/metrics")
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert 'incidentd_holds_active{severity="sev3",state="holding"} 1.0' in answer.text
    assert "incidentd_inbox_length 1.0" in answer.text
    assert "incidentd_hold_oldest_start_timestamp_seconds 1.79552" in answer.text


async def test_metrics_answer_when_the_store_is_slow_or_broken(
    house: SmallHouse, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probes, "STATE_DEADLINE", 0.01)

    async def slow(query: object) -> object:
        return await asyncio.Event().wait()

    async def broken(query: object) -> object:
        raise StoreUnavailable("the store cannot read: disk I/O error")

    for trouble in (slow, broken):
        monkeypatch.setattr(house.store, "read", trouble)
        answer = await ask("GET", "/metrics")
        assert answer.status == 200
        assert "incidentd_build_info" in answer.text


async def test_scrapes_at_once_share_what_is_counted_after_they_came(
    house: SmallHouse, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, counted = house.store.read, 0

    async def counting(query: Any) -> Any:
        nonlocal counted
        counted += 1
        return await read(query)

    monkeypatch.setattr(house.store, "read", counting)
    openmetrics = {"Accept": "application/openmetrics-text"}
    asked = [ask("GET", "/metrics", headers=openmetrics if number % 2 else {}) for number in range(20)]
    answers = await asyncio.gather(*asked)
    assert counted < 10
    assert {answer.text.endswith("# EOF\n") for answer in answers[1::2]} == {True}
    assert {answer.text.endswith("# EOF\n") for answer in answers[::2]} == {False}
    await house.store.write(insert_hold)
    assert 'incidentd_holds_active{severity="sev3",state="holding"} 1.0' in (await ask("GET", "/metrics")).text


async def test_nothing_is_counted_in_an_empty_store(house: SmallHouse) -> None:
    counts = await house.store.read(state_counts)
    assert (counts.holds, counts.inbox, counts.hold_oldest_start, counts.inbox_oldest_received) == ({}, 0, 0, 0)


async def test_a_reload_with_mistakes_lists_them_all(house: SmallHouse, ask: Ask) -> None:
    house.trouble = ConfigError(
        [
            Problem(Location("rules/a.yaml", 3, 5), "there is no severity `sev9`", "sev1, sev2, sev3, sev4"),
            Problem(Location("people.yaml", 7, 1), "unknown key `nmae`"),
        ]
    )
    answer = await ask("POST", "/-/reload")
    assert answer.status == 500
    assert "the old configuration stays" in answer.error
    assert answer.json["problems"] == [
        "rules/a.yaml:3:5: there is no severity `sev9` (sev1, sev2, sev3, sev4)", "people.yaml:7:1: unknown key `nmae`"
    ]  # fmt: skip


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_a_reload_is_asked_for_by_post_or_put_and_never_by_get(house: SmallHouse, ask: Ask, method: str) -> None:
    assert (await ask("GET", "/-/reload")).status == 405
    assert (await ask(method, "/-/reload")).status == 200
    assert house.reloads == 1


async def test_an_unforeseen_error_is_one_short_line_and_the_log_has_the_rest(
    house: SmallHouse, ask: Ask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(house.store, "read", lambda *_: 1 // 0)
    answer = await ask("POST", "/api/v1/alertmanager/secret-path", headers={"Authorization": "Bearer inc_x"})
    assert (answer.status, answer.error) == (500, "something broke here; the daemon's log says what")
    assert "ZeroDivisionError" in caplog.text
    assert "POST /api/v1/alertmanager/{source} failed" in caplog.text
    assert "inc_x" not in caplog.text
    assert "secret-path" not in caplog.text
