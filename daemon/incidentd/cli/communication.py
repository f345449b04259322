"""The command about the channels in which an incident is followed: add one, remove one, list them."""

from __future__ import annotations

import json
from typing import Any

import click

from incidentd.cli.client import Daemon, asks, printed, segment
from incidentd.cli.looking import table
from incidentd.text import plain


@click.command()
@click.argument("incident", metavar="INC-12")
@click.argument("what", type=click.Choice(["add", "remove", "list"]))
@click.argument("name", metavar="[CHANNEL]", required=False, default="")
@asks(acts=True)
def channel(daemon: Daemon, incident: str, what: str, name: str) -> None:
    """Have an incident followed in a shared channel, or no more: its timeline is posted there as it goes on.

    A channel that is added gets the summary so far first. `list` shows the channels, those of the routes too.
    """
    if (what == "list") == bool(name):
        raise click.UsageError("give a channel to add or to remove, and none to list")
    path = f"/api/v1/incidents/{segment(incident)}/channels"
    match what:
        case "add":
            done = daemon.post(path, channel=name)
            printed(daemon, done, f"{done['channel']} follows {incident} from here on")
        case "remove":
            done = daemon.post(f"{path}/remove", channel=name)
            printed(daemon, done, f"{done['channel']} follows {incident} no more")
        case _:
            _list(daemon, daemon.get(path))


def _list(daemon: Daemon, found: dict[str, Any]) -> None:
    if daemon.as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    rows = [
        (plain(it["channel"]), _standing(it), plain(it["added_by"]) or "a route", str(it["told_to"]))
        for it in found["channels"]
    ]
    table(("CHANNEL", "STANDS", "BY", "TOLD TO"), rows, f"No channel follows {found['id']}.")


def _standing(it: dict[str, Any]) -> str:
    if not it["is_on"]:
        return "removed"
    return "behind" if it["under_way"] else "follows"
