"""A real mail server on a free port of loopback, which keeps what it is given and fails as the test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from functools import partial
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session


class MailDouble:
    """What the server says, and the mails that it has taken (or seen, when it then broke off)."""

    def __init__(self) -> None:
        self.port = 0
        self.mails: list[EmailMessage] = []
        self.says_to_recipient = "250 OK"
        self.says_to_data = "250 OK"
        self.drops_after_data = False
        self.hangs = False
        self.most = 10_000_000
        """Bytes; a longer mail is refused for good."""
        self.drops_with_files = False
        self.hangs_with_files = False
        self.goes_on = asyncio.Event()

    @property
    def url(self) -> str:
        """The Apprise URL of ana's mailbox here."""
        return f"mailto://127.0.0.1:{self.port}?from=incidentd@example.org&to=ana@example.org&mode=insecure"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[Any]
    ) -> str:
        if self.says_to_recipient.startswith("2"):
            envelope.rcpt_tos.append(address)
        return self.says_to_recipient

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        if len(content) > self.most:
            return "552 message exceeds the size that is taken here"
        mail = message_from_bytes(content, policy=default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        if self.hangs or (self.hangs_with_files and mail.is_multipart()):
            await self.goes_on.wait()
        if self.drops_after_data or (self.drops_with_files and mail.is_multipart()):
            assert isinstance(server.transport, asyncio.WriteTransport)
            server.transport.abort()
        return self.says_to_data


@asynccontextmanager
async def mail_server(double: MailDouble | None = None) -> AsyncIterator[MailDouble]:
    """Run the server until the test is done with it; it does what the double says, or a new one."""
    double = double or MailDouble()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(partial(SMTP, double, hostname="mail.example.org", loop=loop), "127.0.0.1", 0)
    double.port = server.sockets[0].getsockname()[1]
    try:
        yield double
    finally:
        double.goes_on.set()
        server.close()
        await server.wait_closed()
