"""The door to people against a real chat server of somebody else: what was said is read back from the room."""

from __future__ import annotations

import asyncio
import getpass
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from apprise.plugins.irc.client import IRCClient

from incidentd.notify import Notifier
from incidentd.oncall import Channel, ChannelKind
from incidentd.pages import Notification
from incidentd.redaction import Redactor, Secret
from tests.doors.test_notify import LOG, threads_are_idle
from tests.programs import path_of

CONFIG = """
[Global]
    Name = irc.example.org
    Info = the server of a test
    Listen = 127.0.0.1
    Ports = {port}
    ServerUID = {user}
    ServerGID = {group}
    MotdPhrase = hello
[Limits]
    MaxConnectionsIP = 0
    MaxPenaltyTime = 0
[Options]
    DNS = no
    Ident = no
    PAM = no
"""


class Room:
    """Somebody who sits in a room and reads."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    def say(self, line: str) -> None:
        self._writer.write(f"{line}\r\n".encode())

    async def until(self, sign: str) -> list[str]:
        """Read lines up to one that matches."""
        lines: list[str] = []
        async with asyncio.timeout(60):
            while not (lines and re.search(sign, lines[-1])):
                line = (await self._reader.readuntil(b"\r\n")).decode().rstrip()
                if line.startswith("PING"):
                    self.say(line.replace("PING", "PONG"))
                lines.append(line)
        return lines


async def connected(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async with asyncio.timeout(60):
        while True:
            try:
                return await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.05)


@asynccontextmanager
async def room(folder: Path, port: int) -> AsyncIterator[Room]:
    file = folder / "ngircd.conf"
    user = getpass.getuser()
    file.write_text(CONFIG.format(port=port, user=user, group=user))
    process = await asyncio.create_subprocess_exec(
        path_of("ngircd"), "--nodaemon", "--config", str(file),
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    patch = pytest.MonkeyPatch()
    patch.setattr(IRCClient, "pump_interval", 0.05)  # twice a message it waits that long for what may still come
    try:
        reader, writer = await connected(port)
        sitting = Room(reader, writer)
        for line in ("NICK fay", "USER fay 0 * :fay", "JOIN #ops"):
            sitting.say(line)
        await sitting.until(" 366 ")
        yield sitting
        writer.close()
    finally:
        patch.undo()
        process.terminate()
        await process.wait()


@pytest.mark.slow
@pytest.mark.needs("ngircd")
async def test_a_page_is_read_back_from_a_real_chat(tmp_path: Path, free_port: int) -> None:
    async with room(tmp_path, free_port) as sitting:
        url = Secret(f"irc://pager@127.0.0.1:{free_port}/%23ops?join=yes")
        ours = Notifier(
            {"ops-chat": Channel(name="ops-chat", kind=ChannelKind.CHAT, url=url)}, log=LOG, redact=Redactor()
        )
        await ours.send(
            Notification(
                key="PAGE-9/0/ops-chat", channel="ops-chat", purpose="page", title="[SEV1] checkout is down (INC-12)",
                body="Why: money\r\nQUIT :bye",
            )
        )  # fmt: skip
        said = await sitting.until("Ref PAGE-9/0/ops-chat")
        await ours.close()
        await threads_are_idle()
    lines = [line.split(" :", 1)[1] for line in said if " PRIVMSG #ops :" in line]
    assert "[SEV1] checkout is down (INC-12)" in " ".join(lines)
    assert "Why: money" in " ".join(lines)
    assert not [line for line in said if " QUIT " in line]


@pytest.mark.slow
@pytest.mark.needs("ngircd")
async def test_a_text_that_goes_out_in_parts_has_the_time_of_each(tmp_path: Path, free_port: int) -> None:
    async with room(tmp_path, free_port) as sitting:
        url = Secret(f"irc://pager@127.0.0.1:{free_port}/%23ops?join=yes")
        channel = Channel(name="ops-chat", kind=ChannelKind.CHAT, url=url)
        ours = Notifier({"ops-chat": channel}, log=LOG, redact=Redactor(), timeout=timedelta(seconds=5))
        await ours.warm_up()
        lines = "\n".join(f"line {number} {'x' * 300}" for number in range(4))  # each is a connection of two seconds
        await ours.send(
            Notification(key="INC-1/ops-chat/1-4", channel="ops-chat", purpose="timeline", title="news", body=lines)
        )
        said = await sitting.until("Ref INC-1/ops-chat/1-4")
        await ours.close()
        await threads_are_idle()
    assert [sum(f"line {number} " in line for line in said) for number in range(4)] == [1, 1, 1, 1]
