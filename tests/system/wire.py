"""A wire between a daemon and its database, which the test cuts and mends."""

from __future__ import annotations

import asyncio
import contextlib


class Wire:
    """Passes on what comes to its port; while it is cut, it takes everything and nothing arrives."""

    def __init__(self, to: int) -> None:
        self._to = to
        self._whole = asyncio.Event()
        self._whole.set()
        self._server: asyncio.Server | None = None
        self._passing: set[asyncio.Task[None]] = set()
        self.port = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        self._whole.clear()

    def mend(self) -> None:
        """Let flow what was sent meanwhile, and what is sent from here."""
        self._whole.set()

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._passing:
            task.cancel()
        await asyncio.gather(*self._passing, return_exceptions=True)
        await self._server.wait_closed()

    async def _connected(self, here: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._passing.add(task)
        there = None
        try:
            await self._whole.wait()
            answers, there = await asyncio.open_connection("127.0.0.1", self._to)
            await asyncio.gather(self._pass(here, there), self._pass(answers, back))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._passing.discard(task)
            for writer in (back, there):
                if writer is not None:
                    writer.close()
                    with contextlib.suppress(OSError):
                        await writer.wait_closed()

    async def _pass(self, source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            await self._whole.wait()
            to.write(data)
            await to.drain()
        await self._whole.wait()
        to.close()
