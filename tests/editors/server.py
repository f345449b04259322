"""The server that editors ask about YAML, spoken to as an editor does: JSON-RPC over its standard input and output."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from tests.programs import path_of

_PATIENCE = 60.0
"""Seconds for one answer, on a machine that does much else."""


class YamlServer:
    """A running yaml-language-server."""

    def __init__(self, mapping: Mapping[str, str] | None = None) -> None:
        self._settings = {
            "yaml": {
                "schemas": dict(mapping or {}),
                "schemaStore": {"enable": False},
                "validate": True,
                "completion": True,
            }
        }
        self._asked = 100

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            path_of("yaml-language-server"), "--stdio", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            limit=2**24,
        )  # fmt: skip
        can = {"workspace": {"configuration": True}}
        await self._send("initialize", id=1, params={"processId": None, "rootUri": None, "capabilities": can})
        await self._until(lambda it: it.get("id") == 1 and "result" in it)
        await self._send("initialized", params={})
        await self._send("workspace/didChangeConfiguration", params={"settings": self._settings})
        return self

    async def __aexit__(self, *_: object) -> None:
        self._process.kill()
        await self._process.wait()

    async def diagnostics(self, path: Path, text: str) -> list[dict[str, Any]]:
        """Open a file that is not open yet, with this text, and give what the server finds in it."""
        uri = path.as_uri()
        item = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        await self._send("textDocument/didOpen", params={"textDocument": item})
        said = await self._until(
            lambda it: it.get("method") == "textDocument/publishDiagnostics" and it["params"]["uri"] == uri
        )
        found: list[dict[str, Any]] = said["params"]["diagnostics"]
        return found

    async def completions(self, path: Path, line: int, column: int) -> set[str]:
        """Give what the server offers at a place, counted from 0, of a file that is open."""
        place = {"textDocument": {"uri": path.as_uri()}, "position": {"line": line, "character": column}}
        self._asked += 1
        await self._send("textDocument/completion", id=self._asked, params=place)
        said = await self._until(lambda it: it.get("id") == self._asked and "method" not in it)
        found = said["result"]
        return {it["label"].strip('"') for it in (found["items"] if isinstance(found, dict) else found)}

    async def _send(self, method: str, **more: Any) -> None:
        await self._write({"jsonrpc": "2.0", "method": method, **more})

    async def _write(self, message: Mapping[str, Any]) -> None:
        raw = json.dumps(message).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(raw), raw))
        await self._process.stdin.drain()

    async def _until(self, wanted: Any) -> dict[str, Any]:
        async with asyncio.timeout(_PATIENCE):
            while not wanted(message := await self._read()):
                if message.get("method") == "workspace/configuration":
                    items = message["params"]["items"]
                    result = [self._settings.get(item["section"], {}) for item in items]
                    await self._write({"jsonrpc": "2.0", "id": message["id"], "result": result})
                elif "id" in message and "method" in message:
                    await self._write({"jsonrpc": "2.0", "id": message["id"], "result": None})
        return message

    async def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        head = await self._process.stdout.readuntil(b"\r\n\r\n")
        fields = dict(line.lower().split(b":", 1) for line in head.strip().split(b"\r\n"))
        length = int(fields[b"content-length"])
        message: dict[str, Any] = json.loads(await self._process.stdout.readexactly(length))
        return message
