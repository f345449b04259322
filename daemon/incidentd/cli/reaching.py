"""Commands about being reachable: contact tests, handoff reports, and paging the next level at once."""

from __future__ import annotations

import json

import click

from incidentd.cli.client import Daemon, asks, printed, segment
from incidentd.cli.looking import table
from incidentd.cli.rota import oncall
from incidentd.text import plain


@oncall.command()
@click.argument("person", required=False)
@click.option("--list", "listing", is_flag=True, help="List every channel, and whether it is known to work.")
@asks(acts=True)
def test(daemon: Daemon, person: str | None, *, listing: bool) -> None:
    """Send a test to every channel of PERSON; each message has a link that confirms its channel."""
    if listing == (person is not None):
        raise click.UsageError("give a person to test, or --list")
    if person is None:
        _list(daemon)
        return
    done = daemon.post("/api/v1/oncall/test", person=person)
    printed(daemon, done, f"a test is on its way to {', '.join(done['channels'])}; each has a link to confirm it")


def _list(daemon: Daemon) -> None:
    found = daemon.get("/api/v1/oncall/contacts")
    if daemon.as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    rows = [
        (it["person"], it["channel"], it["state"], it["confirmed_at"] or "-", it["advice"]) for it in found["contacts"]
    ]
    table(("PERSON", "CHANNEL", "STATE", "CONFIRMED", "WHAT TO DO"), rows, "The files name nobody with a channel.")


@oncall.command()
@click.argument("schedule")
@asks()
def report(daemon: Daemon, schedule: str) -> None:
    """Print a preview of the handoff report of SCHEDULE, as it would be if the pager were handed on now."""
    done = daemon.get(f"/api/v1/oncall/schedules/{segment(schedule)}/report")
    body = "\n".join(plain(line, 1000) for line in done["body"].split("\n"))
    printed(daemon, done, f"{plain(done['title'])}\n\n{body}")


@click.command()
@click.argument("page", metavar="PAGE-9")
@asks(acts=True)
def escalate(daemon: Daemon, page: str) -> None:
    """Page the next level of a page now, without waiting for the time to answer to pass."""
    done = daemon.post(f"/api/v1/pages/{segment(page)}/escalate")
    paged = ", ".join(done["paged"]) or "channels only"
    printed(daemon, done, f"{done['id']} went on: paged so far are {plain(paged)}")
