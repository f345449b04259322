"""Webhook bodies that somebody captured: files of JSON, one body each, or JSONL with a time in every line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from incidentd.alerts import Alert, parse_group, parse_time
from incidentd.errors import BadRequest, BodyRefused
from incidentd.rehearsal.world import START
from incidentd.store.history import Received

LARGEST = 1024 * 1024 * 1024
"""Bytes of one file."""


def captured(path: Path) -> list[Received]:
    """Read the bodies of a file, or of every `*.json` and `*.jsonl` in a folder, in the order of their names.

    A body without a time came when the last of its alerts began or ended, and never before the one ahead of it.
    Raises BadRequest, with file and line, for what is no body at all.
    """
    files = sorted(it for it in path.rglob("*") if it.suffix in (".json", ".jsonl")) if path.is_dir() else [path]
    found: list[Received] = []
    for file in files:
        for at, source, body in _read(file):
            before = found[-1].at if found else None
            found.append(Received(_when(at, body, before), source, body))
    if not found:
        raise BadRequest(f"{path} holds no webhook bodies: files called *.json, or lines of JSON in *.jsonl")
    return sorted(found, key=lambda it: it.at)


def _read(file: Path) -> Iterator[tuple[datetime | None, str, bytes]]:
    try:
        if file.stat().st_size > LARGEST:
            raise BadRequest(f"{file} is larger than {LARGEST // 2**20} MiB; split it")
        raw = file.read_bytes()
    except OSError as error:
        raise BadRequest(f"cannot read {file}: {error.strerror}") from None
    if file.suffix != ".jsonl":
        yield None, "default", raw
        return
    for number, line in enumerate(raw.splitlines(), start=1):
        if line.strip():
            yield _line(line, f"{file}:{number}")


def _line(line: bytes, where: str) -> tuple[datetime | None, str, bytes]:
    """Read a line: `{"at": "2026-11-24T14:00:00Z", "source": "prod", "body": {...}}`, or a body alone."""
    try:
        value = json.loads(line)
        if not isinstance(value, dict) or "body" not in value:
            return None, "default", line
        return (
            parse_time(str(value.get("at", ""))),
            str(value.get("source", "default")),
            json.dumps(value["body"]).encode(),
        )
    except ValueError as error:
        raise BadRequest(f"{where}: {error}; a line is JSON with `at`, `source` and `body`") from None


def _when(at: datetime | None, body: bytes, before: datetime | None) -> datetime:
    if at is not None:
        return at
    try:
        times = [time for alert in parse_group(body).alerts if (time := _last(alert)) is not None]
    except BodyRefused:
        times = []
    return max([*times, *([before] if before else [])], default=START)


def _last(alert: Alert) -> datetime | None:
    return alert.ends_at or alert.starts_at
