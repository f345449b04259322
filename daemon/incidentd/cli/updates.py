"""Commands about updates: draft one, send it, let it go out, skip it, change how often."""

from __future__ import annotations

from typing import Any, TextIO

import click

from incidentd.cli.client import Daemon, asks, printed, segment
from incidentd.text import plain

_AUDIENCES = click.Choice(["responders", "internal", "executives", "external"])
_incident = click.argument("incident", metavar="INC-12")
_audience = click.option("--audience", type=_AUDIENCES, default="internal", show_default=True, help="Who is told.")


@click.command()
@_incident
@_audience
@click.option(
    "--text", "file", type=click.File(encoding="utf-8"), metavar="FILE|-", help="What to say; else the draft."
)
@click.option("--next", "next_in", default="", metavar="30m", help="When the next one comes, if sooner than promised.")
@click.option("--draft", is_flag=True, help="Print a draft, and send nothing.")
@click.option("--skip", default="", metavar="REASON", help="Leave this one out, and say why.")
@click.option("--version", type=click.IntRange(min=0), help="Only if nobody sent or skipped one since this version.")
@asks(acts=True)
def update(
    daemon: Daemon, *, incident: str, audience: str, file: TextIO | None, next_in: str, draft: bool, skip: str,
    version: int | None,
) -> None:  # fmt: skip
    """Tell people of an incident: send a text, or the draft, and promise the next one."""
    if sum((draft, bool(skip), file is not None)) > 1:
        raise click.UsageError("give one of --text, --draft and --skip")
    path = f"/api/v1/incidents/{segment(incident)}/updates"
    if draft:
        _drafted(daemon, daemon.get(f"{path}/draft", audience=audience))
        return
    more: dict[str, Any] = {"next": next_in, "expected_version": version}
    if skip:
        done = daemon.post(f"{path}/skip", audience=audience, reason=skip, **more)
        printed(daemon, done, f"{audience} is not told this time{_next(done)}")
        return
    done = daemon.post(path, audience=audience, text=file.read() if file else "", **more)
    if done["state"] == "waiting":
        said = f"{done['id']} waits for the Incident Commander: incidentd approve-update {done['id']}"
    else:
        said = f"{done['id']} is sent to {audience}{_next(done)}"
    printed(daemon, done, "\n".join([said, *_findings(done)]))


@click.command()
@_incident
@asks()
def updates(daemon: Daemon, incident: str) -> None:
    """Show what each audience was promised and told."""
    found = daemon.get(f"/api/v1/incidents/{segment(incident)}/updates")
    lines = [
        (f"{it['audience']}: {'overdue since' if it['overdue'] else 'next by'} {it['due_at']}" if it["due_at"]
         else f"{it['audience']}: nothing is promised") + f" (version {it['version']})"
        for it in found["audiences"]
    ]  # fmt: skip
    lines += [
        f"{it['id']}  {it['at']}  {it['audience']}  {it['state']}  {it['by']}: {plain(it['text'], 200)}"
        for it in found["updates"]
    ]
    printed(daemon, found, "\n".join(lines) or f"Nobody was promised an update of {found['id']}.")


@click.command("approve-update")
@click.argument("update", metavar="UPD-3")
@asks(acts=True)
def approve_update(daemon: Daemon, update: str) -> None:
    """Let an update go out that waits for the Incident Commander."""
    done = daemon.post(f"/api/v1/updates/{segment(update)}/approve")
    printed(daemon, done, f"{done['id']} is sent to {done['audience']}{_next(done)}")


@click.command()
@_incident
@_audience
@click.option("--every", default="", metavar="15m", help="Tell them this often.")
@click.option("--long", is_flag=True, help="It takes long: tell them less often, from 2h on.")
@click.option("--reason", required=True, help="Why, for whoever reads the timeline.")
@asks(acts=True)
def cadence(daemon: Daemon, *, incident: str, audience: str, every: str, long: bool, reason: str) -> None:
    """Change how often an audience is told."""
    how = {"every": every} if every else {"long": long}
    path = f"/api/v1/incidents/{segment(incident)}/updates/cadence"
    done = daemon.post(path, audience=audience, reason=reason, **how)
    printed(daemon, done, f"{audience}: the next update is due at {done['due_at'] or 'no time yet'}")


def _drafted(daemon: Daemon, found: dict[str, Any]) -> None:
    # the draft alone goes to the output, so that it can be edited and sent back
    printed(daemon, found, found["text"])
    if not daemon.as_json:
        for line in _findings(found):
            click.echo(line, err=True)


def _findings(found: dict[str, Any]) -> list[str]:
    return [
        f"look at {it['line']}:{it['column']}: {plain(it['words'], 60)}{': ' if it['words'] else ''}{it['hint']}"
        for it in found["findings"]
    ]


def _next(done: dict[str, Any]) -> str:
    return f"; the next one is promised by {done['next_at']}" if done["next_at"] else "; no further one is promised"
