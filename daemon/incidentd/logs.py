"""Logs: one line an event on stderr, as JSON or as text, without secrets, and never in anybody's way.

    handler = configure(level="info", redactor=redactor)
    with speaking_of(incident.key):
        log.info("declared", extra={"rule": rule.name})
    handler.close()

Lines are written by a thread of their own from a bounded queue: a reader of the log that stopped reading cannot stop
the daemon. What does not fit is counted and thrown away, and the next line that gets through is preceded by the count.
"""

from __future__ import annotations

import json
import logging
import math
import os
import queue
import re
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import UTC, date, datetime
from typing import Any, TextIO

from incidentd.redaction import Redactor
from incidentd.text import UNSEEN

_WAITING = 10_000
"""Lines that may wait for a slow reader."""
_PATIENCE = 2.0
"""Seconds that closing waits for the last lines to be taken."""
_LONGEST = 10_000
"""Characters of one value; a stranger's label may be as long as a body."""
_DEEPEST = 5
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
# What a terminal obeys and json leaves as it is.
_UNSEEN = re.compile(f"[{UNSEEN}]")
_CONTROL = re.compile(rf"[\x00-\x08\x0a-\x1f{UNSEEN}]")
# These write URLs with tokens, or every statement, below this level.
_TALKATIVE = ("apprise", "urllib3", "requests_oauthlib", "sqlalchemy", "alembic")

_subject: ContextVar[str] = ContextVar("subject", default="")


@contextmanager
def speaking_of(subject: str) -> Iterator[None]:
    """Put `subject` (`HOLD-7`, `INC-12`) on every line that is logged inside, in this task and those it starts."""
    token = _subject.set(subject)
    try:
        yield
    finally:
        _subject.reset(token)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, msg, then subject, extra fields, and the exception as one field."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redact = redactor

    def format(self, record: logging.LogRecord) -> str:
        """Write a record; values of any type come out, unknown ones as their words."""
        fields = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "msg": self._plain(record.getMessage()),
        }
        if subject := _subject.get():
            fields["subject"] = subject
        for name, value in _extra(record).items():
            fields[name if name not in fields else f"{name}_"] = self._plain(value)
        if exception := _exception(record):
            fields["exception"] = self._plain(exception)
        line = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
        return _UNSEEN.sub(lambda found: json.dumps(found[0])[1:-1], line)

    def _plain(self, value: object, depth: int = 0) -> Any:
        match value:
            case None | bool() | int():
                return value
            case float() if math.isfinite(value):  # JSON has no words for infinity and not-a-number
                return value
            case datetime() | date():
                return value.isoformat()
            case Mapping() if depth < _DEEPEST:
                return {self._text(key): self._plain(one, depth + 1) for key, one in value.items()}
            case list() | tuple() | set() | frozenset() if depth < _DEEPEST:
                return [self._plain(one, depth + 1) for one in value]
            case _:
                return self._text(value)

    def _text(self, value: object) -> str:
        return _cut(self._redact(str(value)))  # in this order: half a secret is not known as one


class TextFormatter(logging.Formatter):
    """One line for people: time, level, logger, subject, message, `name=value`; an exception follows, indented."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redact = redactor

    def format(self, record: logging.LogRecord) -> str:
        """Write a record."""
        words = [_time(record), record.levelname, f"{record.name}:", _subject.get(), self._text(record.getMessage())]
        words += [f"{name}={self._text(value)}" for name, value in _extra(record).items()]
        lines = self._redact(_exception(record) or "").splitlines()
        return "\n    ".join([" ".join(word for word in words if word), *(self._text(line) for line in lines)])

    def _text(self, value: object) -> str:
        return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", _cut(self._redact(str(value))))


class LineHandler(logging.Handler):
    """Hands finished lines to a thread that writes them; never waits for it."""

    def __init__(self, stream: TextIO, encoding: str, on_dropped: Callable[[], object]) -> None:
        super().__init__()
        self._stream = stream
        self._fd = _descriptor(stream)
        self._encoding = encoding
        self._on_dropped = on_dropped
        self._lines: queue.Queue[str | None] = queue.Queue(_WAITING)
        self._dropped = 0  # counted by those who log
        self._told = 0  # counted by the thread
        self._before = logging.getLogger().handlers[:], logging.getLogger().level
        self._thread = threading.Thread(target=self._write_all, name="logs", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Queue one line, or count it as dropped."""
        try:
            line = self.format(record)
        except (TypeError, ValueError, KeyError) as error:  # a bad log call is never a reason to fail
            line = self.format(_complaint(record, error))
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self._dropped += 1
            self._on_dropped()

    def install(self, level: str) -> None:
        """Become the root logger's only handler until `close`."""
        root = logging.getLogger()
        root.handlers[:] = [self]
        root.setLevel(level.upper())
        for name in _TALKATIVE:
            logging.getLogger(name).setLevel(max(root.level, logging.WARNING))
        logging.captureWarnings(True)

    def close(self) -> None:
        """Write what waits, for two seconds at most, and leave logging as it was; also done at exit."""
        root = logging.getLogger()
        if self in root.handlers:
            logging.captureWarnings(False)
            root.handlers[:], level = self._before
            root.setLevel(level)
        with suppress(queue.Full):  # then nobody reads, and the thread ends with the process
            self._lines.put(None, timeout=_PATIENCE if self._thread.is_alive() else 0)
            self._thread.join(_PATIENCE)
        super().close()

    def _write_all(self) -> None:
        while (line := self._lines.get()) is not None:
            if dropped := self._dropped - self._told:
                self._told += dropped
                self._write(self.format(_warning(f"{dropped} log lines were dropped here: nobody took them in time")))
            self._write(line)

    def _write(self, line: str) -> None:
        data = (line + "\n").encode(self._encoding, "backslashreplace")
        try:
            if self._fd is None:
                self._stream.write(data.decode(self._encoding))
            while self._fd is not None and data:
                data = data[os.write(self._fd, data) :]
        except (OSError, ValueError):
            self._on_dropped()  # the pipe or file is closed; the daemon goes on without a log


def configure(
    *,
    level: str = "info",
    redactor: Redactor,
    stream: TextIO | None = None,
    format: str = "json",
    on_dropped: Callable[[], object] = lambda: None,
) -> LineHandler:
    """Send everything that is logged from now on to `stream` (stderr), as `json` or `text`, until it is closed."""
    stream = stream or sys.stderr
    encoding = "utf-8" if format == "json" else (getattr(stream, "encoding", None) or "utf-8")
    handler = LineHandler(stream, encoding, on_dropped)
    handler.setFormatter(JsonFormatter(redactor) if format == "json" else TextFormatter(redactor))
    handler.install(level)
    return handler


def _descriptor(stream: TextIO) -> int | None:
    """Give the file below a stream, or None: what Python buffered for a closed pipe would fail again at exit."""
    try:
        stream.flush()
        return stream.fileno()
    except (OSError, ValueError):
        return None


def _time(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}


def _exception(record: logging.LogRecord) -> str:
    if record.exc_info and record.exc_info[1] is not None:
        return "".join(traceback.format_exception(record.exc_info[1])).rstrip()
    return record.exc_text or ""


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _complaint(record: logging.LogRecord, error: Exception) -> logging.LogRecord:
    return _warning(f"a log line of {record.name} ({record.pathname}:{record.lineno}) cannot be written: {error!r}")


def _warning(text: str) -> logging.LogRecord:
    return logging.LogRecord(__name__, logging.WARNING, __file__, 0, text, None, None)
