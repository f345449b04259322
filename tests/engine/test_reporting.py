"""The weekly report: once, at its hour, to each channel, whatever restarts in between."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from incidentd.engine import reporting
from incidentd.oncall import Channel, ChannelKind
from incidentd.redaction import Secret
from incidentd.settings import ReportSettings, Settings
from incidentd.store import chain, jobs
from incidentd.timeline import SYSTEM
from tests.engine.world import Making, World

MONDAY = datetime(2026, 11, 30, 7, 0, tzinfo=UTC)
MAIL = Channel(name="ops-mail", kind=ChannelKind.MAIL, url=Secret("mailto://127.0.0.1"))
CHAT = Channel(name="ops-chat", kind=ChannelKind.CHAT, url=Secret("json://127.0.0.1"))
SETTINGS = Settings(
    channels={"ops-mail": MAIL, "ops-chat": CHAT},
    report=ReportSettings(channels=("ops-mail", "ops-chat"), weekday=0, at=time(8), time_zone="Europe/Madrid"),
)


def sent(world: World) -> list[tuple[str, str]]:
    return [(it.channel, it.title) for it in world.post.sent]


async def test_the_report_goes_to_each_channel_once_a_week(world: Making) -> None:
    it = await world(SETTINGS)
    await it.engine.begin()
    await it.until(MONDAY - timedelta(seconds=1))
    assert sent(it) == []
    await it.until(MONDAY + timedelta(days=1))
    assert sorted(sent(it)) == [
        ("ops-chat", "Report on practice: 0 findings in 7d"), ("ops-mail", "Report on practice: 0 findings in 7d"),
    ]  # fmt: skip
    await it.until(MONDAY + timedelta(days=8))
    assert len(sent(it)) == 4
    kinds = [entry.kind for entry in await it.store.read(chain.entries, SYSTEM)]
    assert kinds.count("report.sent") == 2


async def test_a_daemon_that_was_down_at_the_hour_sends_it_late_and_once(world: Making) -> None:
    it = await world(SETTINGS)
    await it.engine.begin()
    it.clock[0] = MONDAY + timedelta(hours=5)  # nobody ran
    for _ in range(2):  # two starts
        await it.store.write(reporting.begin, SETTINGS)
        await it.settle()
    assert sorted(channel for channel, _ in sent(it)) == ["ops-chat", "ops-mail"]
    job = await it.store.write(jobs.live, "report:digest")
    assert job is not None
    assert job.due_at == MONDAY + timedelta(days=7)


async def test_whoever_takes_the_channels_out_of_the_files_is_sent_nothing_more(world: Making) -> None:
    it = await world(SETTINGS)
    await it.engine.begin()
    await it.store.write(reporting.begin, Settings())
    it.settings = Settings()
    await it.until(MONDAY + timedelta(days=1))
    assert sent(it) == []
