"""The command that prints the document of an incident, as it is or as it stood."""

from __future__ import annotations

import click

from incidentd.cli.client import Daemon, asks, segment
from incidentd.cli.looking import listed, safe


@click.command()
@click.argument("incident", metavar="INC-12")
@click.option("--versions", is_flag=True, help="List the versions that there are: each change made one.")
@click.option("--version", "version", type=click.IntRange(1), help="Print it as it stood at this version.")
@click.option("--q", default="", metavar="TEXT", help="With --versions: only those that have this text in their words.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000))
@asks()
def document(daemon: Daemon, incident: str, *, versions: bool, version: int | None, q: str, limit: int) -> None:
    """Print the document of an incident, or list its versions."""
    path = f"incidents/{segment(incident)}/document"
    if versions and version is not None:
        raise click.UsageError("--versions lists them, --version prints one: give one of the two")
    if versions:
        head = {"VERSION": "version", "AT": "at", "BY": "by", "WHAT": "said"}
        listed(
            daemon, f"{path}/versions", head, "There is no version any more: its timeline was pruned.", q=q, limit=limit
        )
        return
    asked = f"/api/v1/{path}" + (f"?version={version}" if version else "")
    click.echo(daemon.raw("GET", asked) if daemon.as_json else safe(daemon.raw("GET", asked, accept="*/*")))
