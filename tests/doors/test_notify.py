"""The door to people, against real mail and web servers that answer, refuse, break off, hang and drip."""

from __future__ import annotations

import asyncio
import logging
import ssl
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web

from incidentd.errors import PermanentError, TemporaryError
from incidentd.messages import TITLE_LIMIT
from incidentd.notify import Notifier, problems
from incidentd.oncall import Channel, ChannelKind
from incidentd.pages import Notification
from incidentd.redaction import Redactor, Secret
from tests.doors.mail_double import MailDouble, mail_server
from tests.doors.web_double import serving

PAGE = Notification(
    key="PAGE-9/1/ana/mail", channel="ana/mail", purpose="page", title="[SEV1] checkout is down (INC-12)",
    body="What: checkout is down\nAnswer by: 2026-11-24 14:12:00 UTC", page="PAGE-9",
)  # fmt: skip
SHORT = timedelta(seconds=0.5)
LOG = logging.getLogger("tests.notify")


def channel(url: str, name: str = "ana/mail", kind: ChannelKind = ChannelKind.MAIL) -> Channel:
    return Channel(name=name, kind=kind, url=Secret(url))


@asynccontextmanager
async def notifier(*channels: Channel, deadline: timedelta = timedelta(seconds=10)) -> AsyncIterator[Notifier]:
    ours = Notifier({one.name: one for one in channels}, log=LOG, redact=Redactor(), timeout=deadline)
    try:
        async with asyncio.timeout(60):  # generous: a hang is a failure, not a wait for ever
            yield ours
    finally:
        await ours.close()


class WebSink:
    """Keeps what a JSON channel was sent, and answers with a status."""

    def __init__(self) -> None:
        self.status = 200
        self.headers: dict[str, str] = {}
        self.bodies: list[dict[str, str]] = []
        self.requests: list[web.BaseRequest] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.requests.append(request)
        self.bodies.append(await request.json())
        return web.Response(status=self.status, headers=self.headers)


class Drip:
    """A server that never stops answering: a byte now and then, so that no timeout between bytes ends it."""

    def __init__(self) -> None:
        self.port = 0
        self.connections = 0
        self.released = asyncio.Event()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nX-Drip: ")
        while not self.released.is_set() and not reader.at_eof():
            writer.write(b"a")
            try:
                await asyncio.wait_for(self.released.wait(), 0.05)
            except TimeoutError:
                continue
        writer.write(b"\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    def channel(self, name: str) -> Channel:
        return channel(f"json://127.0.0.1:{self.port}/{name}", name)


@asynccontextmanager
async def dripping() -> AsyncIterator[Drip]:
    drip = Drip()
    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    drip.port = server.sockets[0].getsockname()[1]
    try:
        yield drip
    finally:
        drip.released.set()
        server.close()
        await server.wait_closed()
        await threads_are_idle()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that happens in another thread or task; one that never does fails the test."""
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


async def threads_are_idle() -> None:
    """Wait until the threads of closed channels have read what their servers said and are gone."""
    await until(lambda: not any(thread.name.startswith("notify ") for thread in threading.enumerate()))


@asynccontextmanager
async def sink() -> AsyncIterator[tuple[WebSink, str]]:
    double = WebSink()
    async with serving(double.answer) as address:
        yield double, address.replace("http://", "json://")


# --- mail -----------------------------------------------------------------------------------------------------------


async def test_a_page_arrives_as_a_plain_text_mail_with_its_key() -> None:
    async with mail_server() as mail, notifier(channel(mail.url)) as ours:
        await ours.send(PAGE)
    (found,) = mail.mails
    assert (found["Subject"], found["To"]) == (PAGE.title, "ana@example.org")
    assert found["X-Incidentd-Key"] == PAGE.key
    assert found.get_content_type() == "text/plain"
    text = found.get_content().replace("\r\n", "\n")
    assert text.strip() == f"{PAGE.body}\n\nRef PAGE-9/1/ana/mail"


@pytest.mark.parametrize("wish", ["", "&format=html", "&format=markdown"])
async def test_what_an_alert_says_never_becomes_html(wish: str) -> None:
    evil = '<img src="http://evil.example/x.png"> [a](http://evil.example) *b*'
    async with mail_server() as mail, notifier(channel(mail.url + wish)) as ours:
        await ours.send(replace(PAGE, title=f"<b>{evil}", body=evil))
    assert mail.mails[0].get_content_type() == "text/plain"
    assert evil in mail.mails[0].get_content()


async def test_a_title_cannot_add_headers() -> None:
    async with mail_server() as mail, notifier(channel(mail.url)) as ours:
        await ours.send(replace(PAGE, title="x\r\nBcc: eve@example.org\n\nhello"))
    assert mail.mails[0]["Bcc"] is None
    assert "hello" not in mail.mails[0].get_content()


async def test_each_message_carries_its_own_key_and_nothing_of_the_one_before() -> None:
    async with mail_server() as mail, notifier(channel(mail.url)) as ours:
        await ours.send(PAGE)
        await ours.send(replace(PAGE, key="PAGE-10/0/zoë/mail"))
    assert [found.get_all("X-Incidentd-Key") for found in mail.mails] == [[PAGE.key], ["PAGE-10/0/zo%C3%AB/mail"]]


def answers_451(mail: MailDouble) -> None:
    mail.says_to_recipient = "451 greylisted"


def answers_550(mail: MailDouble) -> None:
    mail.says_to_recipient = "550 no such user"


def data_452(mail: MailDouble) -> None:
    mail.says_to_data = "452 disk full"


def data_554(mail: MailDouble) -> None:
    mail.says_to_data = "554 smells of spam"


@pytest.mark.parametrize(
    ("trouble", "kind", "code"),
    [
        (answers_451, TemporaryError, "451"),
        (answers_550, PermanentError, "550"),
        (data_452, TemporaryError, "452"),
        (data_554, PermanentError, "554"),
    ],
)
async def test_a_mail_servers_no_is_passed_on_as_temporary_or_permanent(
    trouble: Callable[[MailDouble], None], kind: type[TemporaryError | PermanentError], code: str
) -> None:
    async with mail_server() as mail, notifier(channel(mail.url)) as ours:
        trouble(mail)
        with pytest.raises(kind, match=f"channel ana/mail: the mail server answered {code}") as caught:
            await ours.send(PAGE)
    assert not getattr(caught.value, "maybe_done", False)


async def test_a_mail_whose_receipt_is_lost_may_have_been_taken() -> None:
    async with mail_server() as mail, notifier(channel(mail.url)) as ours:
        mail.drops_after_data = True
        with pytest.raises(TemporaryError, match="connection broke") as caught:
            await ours.send(PAGE)
        assert caught.value.maybe_done
        mail.drops_after_data = False
        await ours.send(replace(PAGE, repeat=True))
    first, second = mail.mails
    assert first["X-Incidentd-Key"] == second["X-Incidentd-Key"]
    assert second["Subject"].endswith(" (possible repeat)")


async def test_a_mail_server_that_hangs_is_given_up_and_its_thread_comes_back() -> None:
    async with mail_server() as mail, notifier(channel(mail.url), deadline=SHORT) as ours:
        await ours.warm_up()
        mail.hangs = True
        with pytest.raises(TemporaryError) as caught:
            await ours.send(PAGE)
        assert caught.value.maybe_done
        async with asyncio.timeout(10):  # Apprise's own limit would be fifteen seconds
            await threads_are_idle()


async def test_what_a_mail_server_says_is_known_however_logs_are_set_up() -> None:
    async with mail_server() as mail, notifier(channel(mail.url)) as ours:
        mail.says_to_recipient = "550 no such user"
        await ours.warm_up()
        logging.getLogger("apprise").setLevel(logging.WARNING)
        with pytest.raises(PermanentError, match="550"):
            await ours.send(PAGE)


async def test_a_server_that_is_not_there_has_taken_nothing(free_port: int) -> None:
    mail = channel(f"mailto://127.0.0.1:{free_port}?from=a@example.org&to=ana@example.org&mode=insecure")
    hook = channel(f"json://127.0.0.1:{free_port}", "ops-chat", ChannelKind.CHAT)
    async with notifier(mail, hook) as ours:
        for name in ("ana/mail", "ops-chat"):
            with pytest.raises(TemporaryError, match=f"channel {name}: the server cannot be reached") as caught:
                await ours.send(replace(PAGE, channel=name))
            assert not caught.value.maybe_done


# --- web hooks ------------------------------------------------------------------------------------------------------


async def test_a_page_arrives_at_a_web_hook() -> None:
    async with sink() as (web_sink, url), notifier(channel(url)) as ours:
        await ours.send(PAGE)
        await ours.send(replace(PAGE, purpose="resolved"))
        await ours.send(replace(PAGE, purpose="update"))
    assert [body["type"] for body in web_sink.bodies] == ["failure", "success", "info"]
    assert web_sink.bodies[0]["title"] == PAGE.title
    assert web_sink.bodies[0]["message"].startswith(PAGE.body)
    assert web_sink.requests[0].headers["X-Incidentd-Key"] == PAGE.key


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_every_success_is_a_success(status: int) -> None:
    async with sink() as (web_sink, url), notifier(channel(url)) as ours:
        web_sink.status = status
        await ours.send(PAGE)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 501, 502, 503, 504, 507, 599])
async def test_a_server_in_trouble_is_tried_again_later(status: int) -> None:
    async with sink() as (web_sink, url), notifier(channel(url)) as ours:
        web_sink.status = status
        with pytest.raises(TemporaryError, match=f"channel ana/mail: the server answered {status}") as caught:
            await ours.send(PAGE)
    # a gateway only says that it does not know what became of it
    assert caught.value.maybe_done == (status in (502, 504))


@pytest.mark.parametrize("status", [300, 302, 307, 400, 401, 403, 404, 405, 410, 413, 422, 451])
async def test_a_server_that_refuses_us_is_not_asked_again(status: int) -> None:
    async with sink() as (web_sink, url), notifier(channel(url)) as ours:
        web_sink.status = status
        with pytest.raises(PermanentError, match=f"channel ana/mail: the server answered {status}"):
            await ours.send(PAGE)
    assert len(web_sink.requests) == 1


async def test_a_redirect_is_not_followed_whatever_the_url_wishes() -> None:
    elsewhere = WebSink()
    async with (
        serving(elsewhere.answer) as target,
        sink() as (web_sink, url),
        notifier(channel(url + "?redirect=yes")) as ours,
    ):
        web_sink.status, web_sink.headers = 307, {"Location": target}
        with pytest.raises(PermanentError, match="a redirect, which is not followed"):
            await ours.send(PAGE)
    assert not elsewhere.requests


async def test_a_server_whose_certificate_nobody_vouches_for_is_sent_nothing(tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    await asyncio.to_thread(
        subprocess.run, [*command, "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    web_sink = WebSink()
    async with serving(web_sink.answer, context) as address:
        ours = Notifier({"ana/mail": channel(address.replace("https", "jsons"))}, log=LOG, redact=Redactor())
        with pytest.raises(TemporaryError, match="the server's certificate was not accepted") as caught:
            await ours.send(PAGE)
        await ours.close()
    assert not caught.value.maybe_done
    assert not web_sink.requests


async def test_a_machine_that_starts_no_more_threads_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async with sink() as (web_sink, url), notifier(channel(url)) as ours:
        with monkeypatch.context() as limit:
            limit.setattr(threading.Thread, "start", full)
            with pytest.raises(TemporaryError, match="no thread can be started"):
                await ours.send(PAGE)
        await ours.send(PAGE)
    assert len(web_sink.requests) == 1


async def test_a_url_can_neither_hide_a_failure_nor_add_tries() -> None:
    async with sink() as (web_sink, url), notifier(channel(url + "/?optional=yes&retry=3&wait=0")) as ours:
        web_sink.status = 500
        with pytest.raises(TemporaryError, match="500"):
            await ours.send(PAGE)
    assert len(web_sink.requests) == 1


async def test_the_words_of_an_alert_cannot_pass_for_an_answer() -> None:
    async with sink() as (web_sink, url), notifier(channel(url)) as ours:
        web_sink.status = 503
        with pytest.raises(TemporaryError, match="answered 503"):
            await ours.send(replace(PAGE, title="error=404", body="Socket Exception: (550, b'x') error=401"))


async def ntfy(request: web.Request) -> web.Response:
    return web.json_response({"id": "1", "event": "message"})


@pytest.mark.parametrize(("kind", "messages"), [(ChannelKind.SMS, 1), (ChannelKind.CALL, 1), (ChannelKind.CHAT, 3)])
async def test_what_is_too_long_is_cut_where_each_message_costs_and_else_sent_in_parts(
    kind: ChannelKind, messages: int
) -> None:
    paths: list[str] = []

    async def counted(request: web.Request) -> web.Response:
        paths.append(request.path)
        return await ntfy(request)

    async with serving(counted) as address:
        long = channel(address.replace("http", "ntfy") + "/ops", kind=kind)
        ours = Notifier({long.name: long}, log=LOG, redact=Redactor())
        await ours.send(replace(PAGE, body="word " * 4000))
        await ours.close()
    assert len(paths) == messages


async def test_no_channel_sleeps_by_the_wall_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("apprise.url.time.sleep", slept.append)
    async with serving(ntfy) as address, notifier(channel(address.replace("http", "ntfy") + "/ops")) as ours:
        await ours.send(PAGE)
        await ours.send(PAGE)
    assert slept == []


async def test_a_matrix_room_is_sent_each_message_under_an_id_of_its_own() -> None:
    paths: list[str] = []

    async def matrix(request: web.Request) -> web.Response:
        paths.append(request.path)
        return web.json_response({"room_id": "!abc:example.org", "event_id": "$1", "user_id": "@i:example.org"})

    async with serving(matrix) as address:
        url = address.replace("http://127.0.0.1", "matrix://:secret-token@127.0.0.1") + "/!abc:example.org"
        async with notifier(channel(url)) as ours:
            await ours.send(PAGE)
            await ours.send(PAGE)
    sent = [path for path in paths if "/send/" in path]
    assert len(sent) == len(set(sent)) == 2


# --- one slow channel -----------------------------------------------------------------------------------------------


async def test_eight_channels_that_hang_hold_up_none_that_is_healthy() -> None:
    async with dripping() as drip, sink() as (web_sink, url):
        hung = [drip.channel(f"hung-{number}") for number in range(8)]
        async with notifier(*hung, channel(url, "healthy"), deadline=timedelta(seconds=30)) as ours:
            await ours.warm_up()
            waiting = [asyncio.create_task(ours.send(replace(PAGE, channel=one.name))) for one in hung]
            await until(lambda: drip.connections == 8)
            await ours.send(replace(PAGE, channel="healthy"))
            assert len(web_sink.bodies) == 1
            assert not any(task.done() for task in waiting)
            drip.released.set()
            await asyncio.gather(*waiting)


async def test_a_stuck_channel_says_so_at_once_and_serves_again_when_it_came_loose() -> None:
    async with dripping() as drip, notifier(drip.channel("slow"), deadline=SHORT) as ours:
        await ours.warm_up()
        slow = replace(PAGE, channel="slow")
        with pytest.raises(TemporaryError, match="channel slow gave no answer within 500ms") as caught:
            await ours.send(slow)
        assert caught.value.maybe_done
        with pytest.raises(TemporaryError, match="channel slow is still busy with an earlier message") as again:
            await ours.send(slow)
        assert not again.value.maybe_done
        assert drip.connections == 1
        drip.released.set()
        while True:
            try:
                await ours.send(slow)
                break
            except TemporaryError:
                await asyncio.sleep(0.01)
        assert drip.connections == 2


async def test_a_message_that_only_waited_in_line_was_not_sent() -> None:
    async with dripping() as drip, notifier(drip.channel("slow"), deadline=SHORT) as ours:
        await ours.warm_up()
        slow = replace(PAGE, channel="slow")
        outcomes = await asyncio.gather(*(ours.send(slow) for _ in range(3)), return_exceptions=True)
    assert [getattr(outcome, "maybe_done", None) for outcome in outcomes] == [True, False, False]
    assert drip.connections == 1


async def test_a_channel_lets_only_so_many_wait() -> None:
    async with dripping() as drip, notifier(drip.channel("slow")) as ours:
        await ours.warm_up()
        slow = replace(PAGE, channel="slow")
        waiting = [asyncio.create_task(ours.send(slow)) for _ in range(50)]
        await asyncio.sleep(0)
        with pytest.raises(TemporaryError, match="has 50 messages waiting already"):
            await ours.send(slow)
        await until(lambda: drip.connections == 1)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def test_messages_of_one_channel_are_sent_one_after_the_other_in_order() -> None:
    async with sink() as (web_sink, url), notifier(channel(url)) as ours:
        await asyncio.gather(*(ours.send(replace(PAGE, title=f"{number}")) for number in range(20)))
    assert [body["title"] for body in web_sink.bodies] == [str(number) for number in range(20)]


@pytest.mark.slow
async def test_a_stuck_thread_does_not_hold_up_the_end_of_the_process() -> None:
    program = """
import asyncio, logging, sys
from datetime import timedelta
from incidentd.errors import TemporaryError
from incidentd.notify import Notifier
from incidentd.oncall import Channel, ChannelKind
from incidentd.pages import Notification
from incidentd.redaction import Secret

async def main():
    slow = Channel(name="slow", kind=ChannelKind.CHAT, url=Secret(f"json://127.0.0.1:{sys.argv[1]}"))
    ours = Notifier({"slow": slow}, log=logging.getLogger(), redact=str, timeout=timedelta(seconds=0.5))
    await ours.warm_up()
    try:
        await ours.send(Notification(key="k", channel="slow", purpose="page", title="t", body="b"))
    except TemporaryError as error:
        print(error)
    await ours.close()

asyncio.run(main())
"""
    async with dripping() as drip, asyncio.timeout(60):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, str(drip.port), stdout=asyncio.subprocess.PIPE
        )
        said, _ = await process.communicate()
        assert drip.connections == 1
        assert not drip.released.is_set()
    assert (process.returncode, said.decode()) == (0, "channel slow gave no answer within 500ms\n")


async def test_a_job_that_fails_unexpectedly_is_said_and_the_channel_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", shown.append)

    class Unreadable(Secret):
        __slots__ = ()

        def reveal(self) -> str:
            raise RuntimeError("a mistake of ours")

    async with notifier(Channel(name="odd", kind=ChannelKind.CHAT, url=Unreadable("x"))) as ours:
        for _ in range(2):
            with pytest.raises(TemporaryError, match="channel odd: sending failed unexpectedly"):
                await ours.send(replace(PAGE, channel="odd"))
    await threads_are_idle()
    assert [args.exc_type for args in shown] == [RuntimeError, RuntimeError]


# --- the set of channels --------------------------------------------------------------------------------------------


async def test_an_unknown_channel_is_refused_by_name() -> None:
    async with notifier() as ours:
        with pytest.raises(PermanentError, match="there is no channel 'ops-chta' in the configuration"):
            await ours.send(replace(PAGE, channel="ops-chta"))


async def test_the_log_is_always_there(caplog: pytest.LogCaptureFixture) -> None:
    async with notifier() as ours:
        await ours.send(replace(PAGE, channel="log", repeat=True))
    (record,) = caplog.records
    assert record.getMessage() == (
        "notification: [SEV1] checkout is down (INC-12) (possible repeat) | What: checkout is down"
        " | Answer by: 2026-11-24 14:12:00 UTC | Ref PAGE-9/1/ana/mail (possible repeat)"
    )
    assert vars(record)["key"] == PAGE.key


async def test_a_channel_of_kind_log_writes_to_the_log_whatever_its_url(caplog: pytest.LogCaptureFixture) -> None:
    async with notifier(channel("", "ana/log", ChannelKind.LOG)) as ours:
        await ours.warm_up()
        await ours.send(replace(PAGE, channel="ana/log"))
    assert [vars(record)["channel"] for record in caplog.records] == ["ana/log"]


async def test_a_reload_keeps_what_did_not_change_and_replaces_the_rest() -> None:
    async with dripping() as drip, sink() as (web_sink, url), notifier(drip.channel("slow"), deadline=SHORT) as ours:
        await ours.warm_up()
        slow = replace(PAGE, channel="slow")
        with pytest.raises(TemporaryError, match="no answer"):
            await ours.send(slow)
        ours.replace({"slow": drip.channel("slow")})
        with pytest.raises(TemporaryError, match="still busy"):
            await ours.send(slow)
        ours.replace({"slow": channel(url, "slow")})
        await ours.send(slow)
        ours.replace({})
        with pytest.raises(PermanentError, match="no channel"):
            await ours.send(slow)
    assert len(web_sink.bodies) == 1


async def test_a_message_in_line_when_its_channel_is_changed_is_tried_again() -> None:
    async with dripping() as drip, notifier(drip.channel("slow")) as ours:
        await ours.warm_up()
        slow = replace(PAGE, channel="slow")
        both = [asyncio.create_task(ours.send(slow)) for _ in range(2)]
        await until(lambda: drip.connections == 1)
        ours.replace({})
        drip.released.set()
        first, second = await asyncio.gather(*both, return_exceptions=True)
    assert first is None
    assert isinstance(second, TemporaryError)
    assert "was changed meanwhile" in str(second)
    assert drip.connections == 1


def test_channels_that_apprise_does_not_understand_are_named() -> None:
    found = {
        "good": channel("json://127.0.0.1:1"), "empty": channel(""), "no-scheme": channel("ops@example.org"),
        "unknown": channel("carrier-pigeon://roof"), "short": channel("slack://a"),
        "log": channel("", kind=ChannelKind.LOG),
    }  # fmt: skip
    assert problems(found) == ["empty", "no-scheme", "unknown", "short"]


async def test_a_url_that_apprise_does_not_understand_is_said_at_warm_up_and_when_sending(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with notifier(channel("carrier-pigeon://s3cr3t-roof")) as ours:
        await ours.warm_up()
        with pytest.raises(PermanentError, match="channel ana/mail: Apprise does not understand its URL") as caught:
            await ours.send(PAGE)
    assert [record.getMessage() for record in caplog.records if record.name == LOG.name] == [str(caught.value)]
    assert "s3cr3t" not in str(caught.value)


# --- what is said about a message -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("repeat", "late", "mark"),
    [
        (False, timedelta(minutes=2), ""),
        (False, timedelta(hours=6), " (late by 6h)"),
        (True, timedelta(0), " (possible repeat)"),
        (True, timedelta(minutes=90), " (possible repeat, late by 1h30m)"),
    ],
)
async def test_a_repeat_and_a_late_message_say_so(repeat: bool, late: timedelta, mark: str) -> None:
    async with sink() as (web_sink, url), notifier(channel(url)) as ours:
        await ours.send(replace(PAGE, repeat=repeat, late_by=late))
    assert web_sink.bodies[0]["title"] == PAGE.title + mark
    assert web_sink.bodies[0]["message"].endswith(f"\n\nRef {PAGE.key}{mark}")


async def test_a_long_title_is_cut_and_its_marks_are_not() -> None:
    async with sink() as (web_sink, url), notifier(channel(url)) as ours:
        await ours.send(replace(PAGE, title="x" * 500, repeat=True))
    title = web_sink.bodies[0]["title"]
    assert len(title) == TITLE_LIMIT
    assert title.endswith("… (possible repeat)")


async def test_a_known_secret_does_not_leave_in_a_message() -> None:
    redactor = Redactor()
    redactor.know([Secret("hunter2-hunter2")])
    async with sink() as (web_sink, url):
        ours = Notifier({"ana/mail": channel(url)}, log=LOG, redact=redactor)
        await ours.send(replace(PAGE, title="hunter2-hunter2", body="the password is hunter2-hunter2"))
        await ours.close()
    assert "hunter2" not in str(web_sink.bodies)


# --- secrets --------------------------------------------------------------------------------------------------------


@pytest.fixture
def everything_logged() -> Iterator[list[str]]:
    """Collect every line of every logger, at the finest level there is; only the server's own log is left out."""
    lines: list[str] = []
    handler = logging.Handler(1)
    handler.addFilter(lambda record: record.name != "aiohttp.access")
    handler.emit = lambda record: lines.append(logging.Formatter().format(record))  # type: ignore[method-assign]
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(1)
    yield lines
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.mark.parametrize("status", [200, 401, 500])
async def test_no_secret_is_logged_or_said_even_when_everything_is_logged(
    status: int, everything_logged: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    async with sink() as (web_sink, url):
        web_sink.status, web_sink.headers = status, {"X-Echo": "canary-answer"}
        hook = url.replace("//", "//canary-user:canary-word@")
        hook += "/canary-path/?-token=canary-query&+X-Auth=canary-header&:canary-key=canary-value"
        hidden = "mailto://canary-user:canary-word@127.0.0.1:1?from=a@example.org&to=b@example.org&mode=insecure"
        bad = "slack://canary-token"
        async with notifier(channel(hook), channel(hidden, "mail"), channel(bad, "bad")) as ours:
            LOG.debug("this line proves that lines are collected")
            await ours.warm_up()
            said = [
                outcome
                for name in ("ana/mail", "mail", "bad")
                for outcome in await asyncio.gather(ours.send(replace(PAGE, channel=name)), return_exceptions=True)
            ]
    assert web_sink.requests[0].headers["X-Auth"] == "canary-header"
    assert "this line proves" in "\n".join(everything_logged)
    everything = "\n".join([*everything_logged, *map(repr, said), *capfd.readouterr()])
    assert "canary" not in everything
    assert "http" not in "".join(map(str, said[1:]))
