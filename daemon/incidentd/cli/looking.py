"""Commands that look: what is open, what one thing is about, who is on call."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import click

from incidentd.cli import showing
from incidentd.cli.client import Daemon, asks, segment
from incidentd.text import plain

Cell = Callable[[Mapping[str, Any]], str]
_WIDEST = 100
_FRACTION = re.compile(r"(\d\d:\d\d:\d\d)\.\d+Z")


def table(head: Sequence[str], rows: Iterable[Sequence[Any]], nothing: str) -> None:
    """Print rows under their heads; strangers' words are made harmless for a terminal."""
    cells = [[_cell(cell) for cell in row] for row in rows]
    if not cells:
        click.echo(nothing)
        return
    widths = [max(len(line[column]) for line in [list(head), *cells]) for column in range(len(head))]
    for line in [list(head), *cells]:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _cell(value: Any) -> str:
    return _FRACTION.sub(r"\1Z", plain("-" if value in ("", None) else str(value), _WIDEST))


def listed(daemon: Daemon, path: str, head: Mapping[str, str | Cell], nothing: str, **query: Any) -> None:
    """Print a list of the API; under each head a field of it, or what is made of its fields."""
    found = daemon.get(f"/api/v1/{path}", **query)
    if daemon.as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    (items,) = (value for name, value in found.items() if name != "next")
    cells = [[item.get(one) if isinstance(one, str) else one(item) for one in head.values()] for item in items]
    table(list(head), cells, nothing)
    if found["next"]:
        click.echo("... there are more: raise --limit (1000 at most), or narrow it with --q")


_all = click.option("--all", "everything", is_flag=True, help="What is over, too; the newest first.")
_q = click.option("--q", default="", metavar="TEXT", help="Only what has this text in its words.")
_limit = click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000))


@click.command()
@click.argument("incident", required=False, metavar="[INC-12]")
@_all
@_q
@_limit
@asks()
def incidents(daemon: Daemon, incident: str | None, everything: bool, q: str, limit: int) -> None:
    """List open incidents, or print the document of one."""
    if incident is not None:
        path = f"/api/v1/incidents/{segment(incident)}"
        click.echo(
            daemon.raw("GET", path) if daemon.as_json else safe(daemon.raw("GET", path + "/document", accept="*/*"))
        )
        return
    head = {
        "ID": "id", "SEVERITY": "severity", "STATUS": "status", "COMMANDER": "commander", "DECLARED": "declared_at",
        "TITLE": "title",
    }  # fmt: skip
    listed(daemon, "incidents", head, "No incident is open.", state="" if everything else "open", q=q, limit=limit)


@click.command()
@click.argument("hold", required=False, metavar="[HOLD-7]")
@_all
@_q
@_limit
@asks()
def holds(daemon: Daemon, hold: str | None, everything: bool, q: str, limit: int) -> None:
    """List open holds, or tell the story of one."""
    if hold is not None:
        path = f"/api/v1/holds/{segment(hold)}"
        if daemon.as_json:
            click.echo(daemon.raw("GET", path))
            return
        found = daemon.get(path)
        click.echo(plain(f"{found['id']} {found['severity']} {found['state']}: {found['title']}"))
        if found["before"]:
            click.echo(plain(f"Before: {found['before']}"))
        for entry in daemon.get(path + "/timeline", limit=1000)["timeline"]:
            click.echo(plain(f"{_cell(entry['at'])}  {entry['actor']} ({entry['via']})  {entry['text']}", 1000))
        return
    head = {
        "ID": "id", "SEVERITY": "severity", "STATE": "state", "FIRING": "firing", "DECLARES": "deadline_at",
        "TITLE": "title",
    }  # fmt: skip
    listed(daemon, "holds", head, "Nothing is held.", state="" if everything else "open", q=q, limit=limit)


@click.command()
@click.argument("page", required=False, metavar="[PAGE-9]")
@_all
@_q
@_limit
@asks()
def pages(daemon: Daemon, page: str | None, everything: bool, q: str, limit: int) -> None:
    """List pages that wait for an answer, or show one."""
    if page is not None:
        one(daemon, f"/api/v1/pages/{segment(page)}")
        return
    head = {
        "ID": "id", "STATE": "state", "ABOUT": "subject", "URGENCY": "urgency", "SINCE": "started_at",
        "JOINED": "joined", "ACKED BY": "acked_by", "TITLE": "title",
    }  # fmt: skip
    listed(daemon, "pages", head, "Every page was answered.", state="" if everything else "open", q=q, limit=limit)


@click.command()
@click.argument("run", required=False, metavar="[RUN-3]")
@_all
@_q
@_limit
@asks()
def runs(daemon: Daemon, run: str | None, everything: bool, q: str, limit: int) -> None:
    """List playbook runs that are at work or wait for people, or show one with its steps."""
    if run is not None:
        path = f"/api/v1/runs/{segment(run)}"
        click.echo(daemon.raw("GET", path) if daemon.as_json else "\n".join(showing.run(daemon.get(path))))
        return
    head: dict[str, str | Cell] = {
        "ID": "id", "STATE": "state_text", "PLAYBOOK": "playbook", "TARGET": "target", "ABOUT": "subject",
        "SINCE": "started_at", "VERSION": "version",
        "WAITS FOR": showing.waits_for,
    }  # fmt: skip
    listed(daemon, "runs", head, "No playbook is at work.", state="" if everything else "active", q=q, limit=limit)


def one(daemon: Daemon, path: str) -> None:
    """Print every field of one thing of the API."""
    if daemon.as_json:
        click.echo(daemon.raw("GET", path))
        return
    for name, value in daemon.get(path).items():
        click.echo(f"{name + ':':18} {plain(value if isinstance(value, str) else json.dumps(value), 1000)}".rstrip())


def safe(text: str) -> str:
    """Make a page of Markdown harmless for a terminal, line by line."""
    return "\n".join(plain(line, 10_000) for line in text.splitlines())
