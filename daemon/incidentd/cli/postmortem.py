"""`postmortem`: read a postmortem, and look what it needs before other people read it."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from incidentd.cli.client import Daemon, asks, segment
from incidentd.text import count, plain

_INCIDENT = re.compile(r"INC-[0-9]{1,15}")
_LARGEST = 4 * 1024 * 1024
_WORDS = {"error": "error", "warning": "warning", "info": "remark"}


@click.group()
def postmortem() -> None:
    """Write postmortems together, check, review and publish them."""


@postmortem.command()
@click.argument("incident", metavar="INC-12")
@asks()
def show(daemon: Daemon, incident: str) -> None:
    """Print the postmortem of an incident as Markdown."""
    if daemon.as_json:
        click.echo(json.dumps(daemon.get(_path(incident)), indent=2, ensure_ascii=False))
    else:
        click.echo(daemon.raw("GET", _path(incident), accept="text/markdown"), nl=False)


@postmortem.command()
@click.argument("what", metavar="FILE|-|INC-12")
@click.option("--person", "people", multiple=True, metavar="HANDLE", help="Somebody of the incident; repeat it.")
@asks()
def check(daemon: Daemon, *, what: str, people: tuple[str, ...]) -> None:
    """Look for what keeps a postmortem from its review: language, action items, sections.

    FILE is Markdown, and no daemon is needed for it; the people of the incident are those whom its own table names,
    and each --person. For INC-12 the daemon checks the text that it has. Exit code: 0 when no finding is an error, 1
    when one is, 2 when the file cannot be read.
    """
    if _INCIDENT.fullmatch(what):
        if people:
            raise click.UsageError("--person is for a file: the daemon knows who had a part in an incident")
        found = daemon.get(f"{_path(what)}/findings")
    else:
        found = _of_file(what, people)
    if daemon.as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        _print("<stdin>" if what == "-" else plain(what), found["findings"])
    sys.exit(0 if found["passes"] else 1)


def _path(incident: str) -> str:
    return f"/api/v1/incidents/{segment(incident)}/postmortem"


def _of_file(file: str, people: Sequence[str]) -> dict[str, Any]:
    from incidentd import postmortem as learned  # noqa: PLC0415 - what only this command needs

    found = learned.check(_text(file), people)
    shapes = [learned.written(it) for it in found]
    return {"file": file, "passes": learned.passes(found), "counts": learned.counts(found), "findings": shapes}


def _text(file: str) -> str:
    """Read a file. Raises click.UsageError when it cannot be read, is no text or is far too long."""
    try:
        data = sys.stdin.buffer.read(_LARGEST + 1) if file == "-" else _bytes(Path(file))
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise click.UsageError(f"cannot read {plain(file)}: {error.strerror}") from None
    except ValueError:
        raise click.UsageError(f"{plain(file)} is no text in UTF-8") from None
    if len(data) > _LARGEST:
        raise click.UsageError(f"{plain(file)} is longer than 4 MiB; is that a postmortem?")
    return text.replace("\r\n", "\n")


def _bytes(path: Path) -> bytes:
    with path.open("rb") as opened:
        return opened.read(_LARGEST + 1)


def _print(name: str, findings: Sequence[dict[str, Any]]) -> None:
    for it in findings:
        words = f"`{plain(it['words'])}`: " if it["words"] else ""
        place = f"{name}:{it['line']}:{it['column']}: {it['level']}: {it['rule']}: "
        click.echo(f"{place}{words}{plain(it['reason'])} {plain(it['instead'])}")
    levels = Counter(it["level"] for it in findings)
    counted = [count(levels[level], word) for level, word in _WORDS.items() if levels[level]]
    click.echo(f"{name}: {', '.join(counted) or 'nothing to look at'}", err=True)
