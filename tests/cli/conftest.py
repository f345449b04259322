"""A daemon's front door on a free port, and somebody who types commands at it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from click.testing import CliRunner, Result

from incidentd.cli import main
from tests.web.conftest import ask, house, url

__all__ = ["ask", "house", "typed", "url"]

Type = Callable[..., Awaitable[Result]]


@pytest.fixture
def typed(url: str) -> Type:
    """Type a command against the daemon; in a thread, since the daemon answers on this one."""

    async def type_it(*words: str, stdin: bytes = b"", **env: str) -> Result:
        given = {"INCIDENTD_URL": url, "INCIDENTD_TOKEN": "", "INCIDENTD_TOKEN_FILE": "", **env}
        return await asyncio.to_thread(CliRunner().invoke, main, words, input=stdin, env=given)

    return type_it
