"""The door to people when the other side wants to be left alone: real servers that say 500, 429, or far too much."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from aiohttp import web

from incidentd.durations import LONGEST_WAIT
from incidentd.errors import PermanentError, TemporaryError
from incidentd.metrics import Metrics
from incidentd.notify import Notifier
from incidentd.oncall import Channel, ChannelKind, Rate
from incidentd.pages import Notification
from incidentd.redaction import Redactor, Secret
from tests.doors.test_notify import LOG, channel, sink, threads_are_idle
from tests.doors.web_double import serving

PAGE = Notification(key="PAGE-9/1/ana/mail", channel="ana/mail", purpose="page", title="down", body="What: down")
UPDATE = replace(PAGE, key="INC-1/update", purpose="update")


@asynccontextmanager
async def metered(*channels: Channel) -> AsyncIterator[tuple[Notifier, Metrics]]:
    metrics = Metrics(version="test")
    ours = Notifier({one.name: one for one in channels}, log=LOG, redact=Redactor(), metrics=metrics)
    async with asyncio.timeout(60):
        yield ours, metrics
    await ours.close()
    await threads_are_idle()


async def refused(ours: Notifier, n: Notification) -> TemporaryError:
    with pytest.raises(TemporaryError) as caught:
        await ours.send(n)
    return caught.value


def figure(metrics: Metrics, name: str, **labels: str) -> float:
    return metrics.registry.get_sample_value(f"incidentd_{name}", labels) or 0


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry-After": "30"}, timedelta(seconds=30)),
        ({"Retry-After": "1000000000"}, LONGEST_WAIT),
        (
            {"Retry-After": "Tue, 24 Nov 2026 14:02:00 GMT", "Date": "Tue, 24 Nov 2026 14:00:00 GMT"},
            timedelta(minutes=2),
        ),
        ({"Retry-After": "soon"}, None),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
async def test_what_a_server_asks_for_is_heard_beside_apprise(
    headers: dict[str, str], wait: timedelta | None, status: int
) -> None:
    async with sink() as (web_sink, url), metered(channel(url)) as (ours, metrics):
        web_sink.status, web_sink.headers = status, headers
        first = await refused(ours, PAGE)
        assert (first.retry_after, first.tried) == (wait, True)
        web_sink.status = 200
        if wait is None:
            await ours.send(PAGE)
            return
        again = await refused(ours, PAGE)  # a page, too, leaves it alone until then
    assert not again.tried
    assert again.retry_after is not None
    assert wait - timedelta(seconds=60) < again.retry_after <= wait
    assert len(web_sink.requests) == 1
    assert figure(metrics, "notifications_held_back_total", channel="mail", reason="asked") == 1


async def test_a_wish_is_not_taken_for_that_of_another_channel() -> None:
    async with (
        sink() as (busy, busy_url),
        sink() as (fine, fine_url),
        metered(channel(busy_url, "a"), channel(fine_url, "b")) as (ours, _),
    ):
        busy.status, busy.headers = 429, {"Retry-After": "60"}
        fine.status = 500
        outcomes = await asyncio.gather(
            *(ours.send(replace(PAGE, channel=name)) for name in ("a", "b")), return_exceptions=True
        )
    assert [getattr(outcome, "retry_after", 0) for outcome in outcomes] == [timedelta(seconds=60), None]


async def test_a_channel_that_fails_again_and_again_is_left_alone_and_shown() -> None:
    async with sink() as (web_sink, url), metered(channel(url)) as (ours, metrics):
        web_sink.status = 500
        for _ in range(5):
            assert (await refused(ours, UPDATE)).tried
        waits = await refused(ours, UPDATE)
        assert figure(metrics, "notification_circuits_open", channel="mail") == 1
        assert (waits.tried, waits.maybe_done) == (False, False)
        assert waits.retry_after is not None
        assert waits.retry_after <= timedelta(seconds=15)
        assert len(web_sink.requests) == 5
        ours.replace({})
        assert figure(metrics, "notification_circuits_open", channel="mail") == 0


async def test_a_refusal_is_an_answer_and_opens_no_circuit() -> None:
    async with sink() as (web_sink, url), metered(channel(url)) as (ours, _):
        web_sink.status = 400
        for _ in range(8):
            with pytest.raises(PermanentError):
                await ours.send(UPDATE)
    assert len(web_sink.requests) == 8


async def test_a_channel_sends_no_more_than_its_files_allow() -> None:
    async with sink() as (web_sink, url):
        few = Channel(
            name="ana/sms", kind=ChannelKind.SMS, url=Secret(url), rate=Rate(most=2, window=timedelta(minutes=15))
        )
        async with metered(few) as (ours, metrics):
            page = replace(PAGE, channel="ana/sms")
            await ours.send(page)
            await ours.send(page)
            waits = await refused(ours, page)
    assert len(web_sink.requests) == 2
    assert not waits.tried
    assert waits.retry_after is not None
    assert waits.retry_after > timedelta(minutes=14)
    assert figure(metrics, "notifications_held_back_total", channel="sms", reason="rate") == 1


@pytest.mark.parametrize("status", [200, 500])
async def test_an_answer_that_never_ends_is_not_read_to_its_end(status: int) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=status)
        await response.prepare(request)
        try:
            while True:
                await response.write(b"x" * 65536)
        except (ConnectionError, asyncio.CancelledError):
            return response

    async with serving(endless) as address, metered(channel(address.replace("http", "json"))) as (ours, _):
        if status == 200:
            await ours.send(PAGE)
        else:
            assert "answered 500" in str(await refused(ours, PAGE))


async def test_a_message_says_which_others_it_brings_along() -> None:
    async with sink() as (web_sink, url), metered(channel(url)) as (ours, _):
        await ours.send(replace(PAGE, also=("PAGE-8/0/ana/mail",)))
        await ours.send(replace(PAGE, also=tuple(f"k{number}" for number in range(30))))
    assert web_sink.bodies[0]["message"].endswith("\n\nRef PAGE-9/1/ana/mail, PAGE-8/0/ana/mail")
    assert web_sink.bodies[1]["message"].endswith("k8 and 21 more")
