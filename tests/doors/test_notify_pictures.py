"""Pictures beside messages, against real servers: what is attached arrives whole, and never costs the words."""

from __future__ import annotations

import base64
import os
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from aiohttp import web
from PIL import Image

from incidentd.errors import PermanentError, TemporaryError
from incidentd.graphs import lay_out
from incidentd.graphs.png import png
from incidentd.metrics import Metrics
from incidentd.notify import Notifier
from incidentd.oncall import Channel, ChannelKind
from incidentd.pages import Attachment
from incidentd.redaction import Redactor
from tests.doors.mail_double import mail_server
from tests.doors.test_notify import LOG, PAGE, channel, notifier, threads_are_idle
from tests.doors.web_double import serving
from tests.unit.test_graphs import graph, line

DRAWN = png(lay_out(graph(line(1, 5, 3), title="depth")))
PICTURES = tuple(Attachment(name=f"INC-12-graph-{number}.png", png=DRAWN) for number in (1, 4))
SHOWN = replace(PAGE, pictures=PICTURES)


def metered(*channels: Channel, timeout: timedelta = timedelta(seconds=10)) -> tuple[Notifier, Metrics]:
    metrics = Metrics()
    named = {one.name: one for one in channels}
    return Notifier(named, log=LOG, redact=Redactor(), metrics=metrics, timeout=timeout), metrics


def counted(metrics: Metrics, channel: str, result: str) -> float:
    return float(metrics.notification_pictures_total.labels(channel=channel, result=result)._value.get())


async def test_a_mail_has_them_as_parts_that_are_pictures() -> None:
    async with mail_server() as mail, notifier(channel(mail.url)) as ours:
        await ours.send(SHOWN)
    (found,) = mail.mails
    parts = list(found.iter_attachments())
    assert [(part.get_content_type(), part.get_filename()) for part in parts] == [
        ("image/png", "INC-12-graph-1.png"), ("image/png", "INC-12-graph-4.png"),
    ]  # fmt: skip
    for part in parts:
        content = part.get_content()
        assert content == DRAWN
        assert Image.open(BytesIO(content)).size[0] == 1520
    words = found.get_body()
    assert words is not None
    assert words.get_content_type() == "text/plain"
    assert PAGE.title == found["Subject"]
    assert "Ref PAGE-9/1/ana/mail" in words.get_content()


async def test_the_next_message_has_none_of_them() -> None:
    async with mail_server() as mail, notifier(channel(mail.url)) as ours:
        await ours.send(SHOWN)
        await ours.send(PAGE)
    assert mail.mails[1].get_content_type() == "text/plain"


async def test_a_mail_server_that_refuses_the_size_gets_the_words_alone_at_once() -> None:
    async with mail_server() as mail:
        ours, metrics = metered(channel(mail.url))
        mail.most = 5000
        await ours.send(SHOWN)
        await ours.close()
    assert [found.get_content_type() for found in mail.mails] == ["text/plain"]
    assert mail.mails[0]["Subject"] == PAGE.title  # it was refused for certain, so this is no repeat
    assert counted(metrics, "ana/mail", "left_out") == 2


async def test_a_mail_server_that_breaks_off_gets_the_words_alone_marked_as_a_repeat() -> None:
    async with mail_server() as mail, notifier(channel(mail.url)) as ours:
        mail.drops_with_files = True
        await ours.send(SHOWN)
    first, second = mail.mails
    assert first.is_multipart()
    assert second["Subject"] == f"{PAGE.title} (possible repeat)"
    assert second.get_content_type() == "text/plain"


async def test_a_mail_server_that_takes_nothing_says_so_once_and_the_words_are_tried_again() -> None:
    async with mail_server() as mail, notifier(channel(mail.url)) as ours:
        mail.says_to_data = "451 later"
        with pytest.raises(TemporaryError) as found:
            await ours.send(SHOWN)
        assert not found.value.maybe_done
        mail.says_to_data = "550 never"
        with pytest.raises(PermanentError):
            await ours.send(SHOWN)


@pytest.mark.slow
async def test_a_mail_server_that_hangs_on_pictures_holds_the_words_up_no_longer_than_one_try() -> None:
    async with mail_server() as mail:
        ours, metrics = metered(channel(mail.url), timeout=timedelta(seconds=4))
        await ours.warm_up()
        mail.hangs_with_files = True
        await ours.send(SHOWN)
        mail.goes_on.set()
        await ours.close()
        await threads_are_idle()
    assert [found.is_multipart() for found in mail.mails] == [True, False]
    assert counted(metrics, "ana/mail", "left_out") == 2


async def test_pictures_that_this_machine_has_no_room_for_cost_no_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: str) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "memfd_create", full)
    async with mail_server() as mail:
        ours, metrics = metered(channel(mail.url))
        await ours.send(SHOWN)
        await ours.close()
    assert [found.get_content_type() for found in mail.mails] == ["text/plain"]
    assert counted(metrics, "ana/mail", "left_out") == 2


class Taker:
    """A web hook that refuses what has files, or everything."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, object]] = []
        self.refuses_files = 0
        self.headers: dict[str, str] = {}

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.bodies.append(body)
        refused = self.refuses_files and body["attachments"]
        return web.Response(status=self.refuses_files if refused else 200, headers=self.headers if refused else {})


async def test_a_web_hook_gets_them_in_base64() -> None:
    taker = Taker()
    async with serving(taker.answer) as address:
        ours, metrics = metered(channel(address.replace("http://", "json://"), "ops", ChannelKind.CHAT))
        await ours.send(replace(SHOWN, channel="ops"))
        await ours.close()
    (body,) = taker.bodies
    files = body["attachments"]
    assert isinstance(files, list)
    assert [(it["filename"], it["mimetype"]) for it in files] == [
        ("INC-12-graph-1.png", "image/png"), ("INC-12-graph-4.png", "image/png"),
    ]  # fmt: skip
    assert base64.b64decode(files[0]["base64"]) == DRAWN
    assert counted(metrics, "ops", "sent") == 2


@pytest.mark.parametrize("status", [400, 413, 415, 500, 502])
async def test_a_room_that_refuses_files_gets_the_words_at_once(status: int) -> None:
    taker = Taker()
    taker.refuses_files = status
    async with serving(taker.answer) as address:
        ours, metrics = metered(channel(address.replace("http://", "json://"), "ops", ChannelKind.CHAT))
        await ours.send(replace(SHOWN, channel="ops"))
        await ours.close()
    assert [bool(body["attachments"]) for body in taker.bodies] == [True, False]
    assert taker.bodies[1]["title"] == f"{PAGE.title} (possible repeat)"  # most rooms show the words before the files
    assert counted(metrics, "ops", "left_out") == 2


async def test_a_room_that_asks_to_wait_is_not_asked_again_at_once() -> None:
    taker = Taker()
    taker.refuses_files, taker.headers = 429, {"Retry-After": "30"}
    async with (
        serving(taker.answer) as address,
        notifier(channel(address.replace("http://", "json://"), "ops", ChannelKind.CHAT)) as ours,
    ):
        with pytest.raises(TemporaryError) as found:
            await ours.send(replace(SHOWN, channel="ops"))
    assert len(taker.bodies) == 1
    assert found.value.retry_after == timedelta(seconds=30)
    assert found.value.maybe_done


async def test_a_service_that_takes_no_files_is_sent_the_words_once() -> None:
    bodies: list[bytes] = []

    async def answer(request: web.Request) -> web.Response:
        bodies.append(await request.read())
        return web.json_response({"id": 1})

    async with serving(answer) as address:
        url = address.replace("http://", "gotify://") + "/abcdefghijklmno"
        ours, metrics = metered(channel(url, "ops", ChannelKind.CHAT))
        await ours.send(replace(SHOWN, channel="ops"))
        await ours.close()
    assert len(bodies) == 1
    assert b"PNG" not in bodies[0]
    assert counted(metrics, "ops", "not_taken") == 2


async def test_a_service_that_opens_files_by_their_path_finds_them_and_none_is_left_open() -> None:
    files: list[tuple[str | None, bytes]] = []

    async def answer(request: web.Request) -> web.Response:
        form = await request.post()
        for it in form.values():
            if isinstance(it, web.FileField):
                files.append((it.filename, it.file.read()))
        return web.Response()

    before = len(os.listdir("/proc/self/fd"))
    async with serving(answer) as address:
        ours, _ = metered(channel(address.replace("http://", "form://"), "ops", ChannelKind.CHAT))
        await ours.send(replace(SHOWN, channel="ops"))
        await ours.close()
        await threads_are_idle()
    assert files == [(it.name, it.png) for it in PICTURES]
    left = [Path("/proc/self/fd", name) for name in os.listdir("/proc/self/fd")]
    assert not any("memfd" in os.readlink(it) for it in left if it.is_symlink())
    assert len(left) <= before + 1
