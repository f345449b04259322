"""Logs: each line is one event that a machine and a person can read, and no line is worth the daemon's life."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from incidentd.logs import LineHandler, configure, speaking_of
from incidentd.redaction import Redactor, Secret

log = logging.getLogger("incidentd.engine")
TOKEN = 'hunter2"quoted'


class Written:
    """A log in a file of a terminal that knows ASCII only, to be read back."""

    def __init__(self, path: Path, form: str = "json", level: str = "info") -> None:
        redactor = Redactor()
        redactor.know([Secret(TOKEN)])
        self._file = path.open("w+", encoding="ascii")
        self._handler = configure(level=level, redactor=redactor, stream=self._file, format=form)

    def close(self) -> None:
        self._handler.close()
        self._file.close()

    def text(self) -> str:
        self.close()
        return Path(self._file.name).read_text(encoding="utf-8")

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text().splitlines()]


Open = Callable[..., Written]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """Open a log in the body of a test, so that the handlers of the test runner are out of the way."""
    logs: list[Written] = []

    def opened(form: str = "json", level: str = "info") -> Written:
        logs.append(Written(tmp_path / "log", form, level))
        return logs[-1]

    yield opened
    for written in logs:
        written.close()


def test_a_line_says_when_how_bad_who_and_what(opened: Open) -> None:
    written = opened()
    log.warning("%s alerts fire", 3, extra={"rule": "queue-lag", "firing": 3})
    (line,) = written.lines()
    assert datetime.fromisoformat(line.pop("time")).tzinfo is not None
    assert line == {
        "level": "warning", "logger": "incidentd.engine", "msg": "3 alerts fire", "rule": "queue-lag", "firing": 3,
    }  # fmt: skip


def test_lines_say_which_hold_or_incident_they_are_about(opened: Open) -> None:
    written = opened()
    with speaking_of("HOLD-7"):
        log.info("watched")
    log.info("idle")
    assert [line.get("subject") for line in written.lines()] == ["HOLD-7", None]


def test_values_of_any_type_come_out(opened: Open) -> None:
    written = opened()
    at = datetime(2026, 11, 24, 14, tzinfo=UTC)
    log.info("x", extra={"at": at, "list": (1, None, True), "map": {1: float("nan")}, "odd": object, "level": "mine"})
    (line,) = written.lines()
    assert line["at"] == "2026-11-24T14:00:00+00:00"
    assert line["list"] == [1, None, True]
    assert line["map"] == {"1": "nan"}
    assert line["odd"] == "<class 'object'>"
    assert (line["level"], line["level_"]) == ("info", "mine")


def test_a_value_that_contains_itself_ends(opened: Open) -> None:
    written = opened()
    knot: list[object] = []
    knot.append(knot)
    log.info("x", extra={"knot": knot})
    assert len(written.lines()) == 1


def test_an_exception_is_one_field(opened: Open) -> None:
    written = opened()
    try:
        raise ValueError("no such rule")
    except ValueError:
        log.exception("deciding failed")
    (line,) = written.lines()
    assert line["exception"].startswith("Traceback")
    assert line["exception"].endswith("ValueError: no such rule")


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_secret_is_taken_out_wherever_it_hides(opened: Open, form: str) -> None:
    written = opened(form)
    try:
        raise ValueError(f"the token {TOKEN} was refused")
    except ValueError:
        log.exception("asking with %s", TOKEN, extra={"header": {"Authorization": f"Bearer {TOKEN}", TOKEN: 1}})
    text = written.text()
    assert "hunter2" not in text
    assert "***" in text


def test_a_secret_at_the_end_of_a_long_value_is_not_cut_in_half(opened: Open) -> None:
    written = opened()
    log.info("%s%s", "x" * 9_995, TOKEN)
    (line,) = written.lines()
    assert "hunt" not in line["msg"]
    assert len(line["msg"]) <= 10_000


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_stranger_cannot_forge_a_line_or_drive_the_terminal(opened: Open, form: str) -> None:
    written = opened(form)
    log.info("alert %s", '\n{"level":"info"}\x1b[2J\x9b2J\u202e\u2028')
    text = written.text()
    assert text.count("\n") == 1
    assert len(text.splitlines()) == 1
    assert not set(text) & set("\x1b\x9b\u202e\u2028")


def test_text_is_one_line_for_people_and_the_exception_below_it(opened: Open) -> None:
    written = opened("text")
    with speaking_of("INC-12"):
        try:
            raise ValueError("no")
        except ValueError:
            log.exception("declaring", extra={"rule": "a"})
    first, *rest = written.text().splitlines()
    assert first.endswith("Z ERROR incidentd.engine: INC-12 declaring rule=a")
    assert rest[0] == "    Traceback (most recent call last):"
    assert rest[-1] == "    ValueError: no"


def test_json_is_utf_8_and_text_is_what_the_terminal_can_show(opened: Open) -> None:
    for form, shown in (("json", "Ruíz \\udc80"), ("text", "Ru\\xedz \\udc80")):
        written = opened(form)
        log.info("Ruíz \udc80")
        assert shown in written.text()


def test_a_bad_log_call_is_a_line_and_not_an_error(opened: Open) -> None:
    written = opened()
    log.info("%d alerts", "three")
    (line,) = written.lines()
    assert line["level"] == "warning"
    assert "test_logs.py" in line["msg"]


def test_libraries_that_print_urls_are_kept_quiet(opened: Open) -> None:
    written = opened(level="debug")
    logging.getLogger("apprise").info("Loaded json://user:pass@host")
    logging.getLogger("incidentd").debug("seen")
    assert [line["msg"] for line in written.lines()] == ["seen"]


def test_warnings_of_python_are_logged() -> None:
    script = """if True:
        import warnings
        from incidentd.logs import configure
        from incidentd.redaction import Redactor
        configure(redactor=Redactor())
        warnings.warn("old", UserWarning)
    """
    done = _python(script)
    assert json.loads(done.stderr)["logger"] == "py.warnings"


def test_the_last_lines_are_written_at_exit_without_closing_also_in_the_c_locale() -> None:
    script = """if True:
        import logging
        from incidentd.logs import configure
        from incidentd.redaction import Redactor
        configure(redactor=Redactor())
        for n in range(1000):
            logging.info("line %s \\u2026", n)
    """
    done = _python(script, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert [json.loads(line)["msg"] for line in done.stderr.splitlines()] == [f"line {n} …" for n in range(1000)]


def test_a_closed_pipe_is_survived_and_counted() -> None:
    read, write = os.pipe()
    dropped: list[int] = []
    with os.fdopen(write, "w") as stream:
        os.close(read)
        handler = configure(redactor=Redactor(), stream=stream, on_dropped=lambda: dropped.append(1))
        log.info("nobody reads this")
        handler.close()
    assert dropped == [1]


def test_a_reader_that_stopped_reading_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("incidentd.logs._WAITING", 10)
    read_again, dropped = threading.Event(), []
    stream = _Stuck(read_again)
    handler = configure(redactor=Redactor(), stream=stream, on_dropped=lambda: dropped.append(1))
    for n in range(100):
        log.info("line %s", n)
    read_again.set()
    handler.close()
    lines = [json.loads(line)["msg"] for line in stream.getvalue().splitlines()]
    assert len(dropped) >= 85
    said = [int(line.split()[0]) for line in lines if line.endswith("were dropped here: nobody took them in time")]
    assert sum(said) == len(dropped)


def test_logging_is_as_before_once_it_is_closed() -> None:
    before = logging.getLogger().handlers[:], logging.getLogger().level
    handler = configure(redactor=Redactor(), stream=io.StringIO(), level="debug")
    assert logging.getLogger().handlers == [handler]
    assert isinstance(handler, LineHandler)
    handler.close()
    handler.close()
    assert (logging.getLogger().handlers[:], logging.getLogger().level) == before


class _Stuck(io.StringIO):
    def __init__(self, read_again: threading.Event) -> None:
        super().__init__()
        self._read_again = read_again

    def write(self, text: str) -> int:
        self._read_again.wait()
        return super().write(text)


def _python(script: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, **environ}, capture_output=True, encoding="utf-8", check=True
    )
