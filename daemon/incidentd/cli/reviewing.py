"""Commands for a postmortem on its way: written together, planned, commented on, reviewed, published, closed."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from incidentd.cli.client import Daemon, asks, printed, segment
from incidentd.cli.looking import table
from incidentd.cli.postmortem import postmortem
from incidentd.text import plain

__all__ = ["postmortem"]

_incident = click.argument("incident", metavar="INC-12")
_seen = click.option("--expected-version", type=click.IntRange(0), help="The version that you saw; refused if changed.")
_reason = click.option("--reason", default="", metavar="TEXT", help="Why.")
_except = click.option(
    "--except", "excepted", multiple=True, metavar="GATE",
    help="A lead's exception from approvals, outside, time or priority, with --reason; repeat it.",
)  # fmt: skip


def _path(incident: str, more: str) -> str:
    return f"/api/v1/incidents/{segment(incident)}/postmortem/{more}"


@postmortem.command()
@_incident
@click.argument("section", metavar="SECTION")
@click.argument("text")
@click.option("--reason", default="", metavar="TEXT", help="Why a published postmortem is corrected.")
@_seen
@asks(acts=True)
def edit(
    daemon: Daemon, incident: str, section: str, text: str, *, reason: str, expected_version: int | None
) -> None:  # fmt: skip
    """Write a section of a postmortem; `state` lists their names and versions.

    TEXT takes the place of what stands there, which stays in the history; `-` reads it from the standard input. What is
    published is corrected with --reason, and the correction is published as a new version.
    """
    typed = sys.stdin.read() if text == "-" else text
    path = _path(incident, f"sections/{segment(section)}")
    done = daemon.post(path, text=typed, reason=reason, expected_version=expected_version)
    printed(
        daemon, done, f"{plain(done['section'])} of the postmortem of {done['incident']} is version {done['version']}"
    )


@postmortem.command()
@_incident
@click.argument("section", metavar="SECTION")
@click.argument("text")
@asks(acts=True)
def comment(daemon: Daemon, incident: str, section: str, text: str) -> None:
    """Say something about a section; it is open until somebody resolves it."""
    done = daemon.post(_path(incident, "comments"), section=section, text=text)
    printed(daemon, done, f"comment {done['number']} on {plain(done['section'])} of {done['incident']} is open")


@postmortem.command("resolve-comment")
@_incident
@click.argument("number", type=click.IntRange(1))
@click.option("--answer", default="", metavar="TEXT", help="What became of it.")
@asks(acts=True)
def resolve_comment(daemon: Daemon, incident: str, number: int, *, answer: str) -> None:
    """Say that a comment is dealt with."""
    done = daemon.post(_path(incident, f"comments/{number}/resolve"), answer=answer)
    printed(daemon, done, f"comment {done['number']} of {done['incident']} is resolved")


@postmortem.command()
@_incident
@click.option("--owner", default="", metavar="NAME", help="The one person who sees to it.")
@click.option("--facilitator", default="", metavar="NAME", help="Who leads the meeting; had no part in the incident.")
@click.option("--reviewer", "reviewers", multiple=True, metavar="NAME", help="Somebody who reviews it; repeat it.")
@click.option("--without", multiple=True, metavar="NAME", help="Somebody who does not review it any more; repeat it.")
@click.option("--due", default="", metavar="'2026-12-01 12:00'", help="When it has to be published, in UTC.")
@click.option("--meeting", default="", metavar="'2026-12-01 12:00'", help="When it is talked about, in UTC.")
@click.option("--meeting-held", is_flag=True, help="It was talked about.")
@_seen
@asks(acts=True)
def assign(daemon: Daemon, /, incident: str, **fields: Any) -> None:
    """Say whose a postmortem is, who reviews it, when it is due, when its meeting is or was."""
    given = {name: value for name, value in fields.items() if value}
    _say(daemon, daemon.post(_path(incident, "assign"), **given))


@postmortem.command()
@_incident
@click.argument("reason")
@click.option("--because", default="", metavar="WORD", help="data_loss, customer_first, hands_on, long and so on.")
@asks(acts=True)
def request(daemon: Daemon, /, incident: str, **fields: str) -> None:
    """Ask for a postmortem; anybody may, whatever the severity."""
    done = daemon.post(_path(incident, "request"), **fields)
    said = f"the postmortem of {done['incident']} is {done['state']}, {plain(done['owner'] or 'nobody')} owns it"
    later = f"noted: a postmortem of {done['incident']} is drafted when it is over"
    printed(daemon, done, said if done["state"] else later)


@postmortem.command()
@_incident
@_seen
@asks(acts=True)
def submit(daemon: Daemon, incident: str, *, expected_version: int | None) -> None:
    """Give a draft to its reviewers; what is missing is listed."""
    _say(daemon, daemon.post(_path(incident, "submit"), expected_version=expected_version))


@postmortem.command()
@_incident
@click.option(
    "--checked", multiple=True, metavar="POINT",
    help="What you looked at: data, impact, cause, plan, shared, or all; repeat it.",
)  # fmt: skip
@click.option("--note", default="", metavar="TEXT", help="In a few words.")
@_seen
@asks(acts=True)
def approve(
    daemon: Daemon, incident: str, *, checked: tuple[str, ...], note: str, expected_version: int | None
) -> None:  # fmt: skip
    """Say that a postmortem may be published."""
    path = _path(incident, "approve")
    _say(daemon, daemon.post(path, checked=list(checked), note=note, expected_version=expected_version))


@postmortem.command("return")
@_incident
@click.option("--reason", required=True, metavar="TEXT", help="What has to be otherwise.")
@_seen
@asks(acts=True)
def send_back(daemon: Daemon, incident: str, *, reason: str, expected_version: int | None) -> None:
    """Make a postmortem a draft again, and say why."""
    _say(daemon, daemon.post(_path(incident, "return"), reason=reason, expected_version=expected_version))


@postmortem.command()
@_incident
@_reason
@_except
@_seen
@asks(acts=True)
def publish(daemon: Daemon, /, incident: str, **fields: Any) -> None:
    """Publish a reviewed postmortem for everybody; its text stays as it is from then on."""
    _say(daemon, daemon.post(_path(incident, "publish"), **{**fields, "excepted": list(fields["excepted"])}))


@postmortem.command()
@_incident
@click.option("--external", default="", metavar="TEXT", help="Where the external message is, or why there is none.")
@_seen
@asks(acts=True)
def close(daemon: Daemon, incident: str, *, external: str, expected_version: int | None) -> None:
    """Close a published postmortem: nothing more is to be done about it."""
    _say(daemon, daemon.post(_path(incident, "close"), external=external, expected_version=expected_version))


@postmortem.command()
@_incident
@click.argument("to", required=False, type=click.Choice(["reviewed"]), metavar="[reviewed]")
@_reason
@_except
@asks(acts=True)
def state(daemon: Daemon, incident: str, to: str | None, *, reason: str, excepted: tuple[str, ...]) -> None:
    """Say how a postmortem stands and what is missing; with `reviewed`, say that its review is over."""
    if to is None:
        _show(daemon, daemon.get(_path(incident, "state")))
    else:
        _say(daemon, daemon.post(_path(incident, to), reason=reason, excepted=list(excepted)))


@postmortem.command("list")
@click.option("--state", "states", multiple=True, metavar="STATE", help="Only those; repeat it.")
@asks()
def listed(daemon: Daemon, *, states: tuple[str, ...]) -> None:
    """List postmortems that are not closed, with whose they are and by when."""
    asked = "&".join(f"state={segment(one)}" for one in states)
    found = daemon.told("GET", "/api/v1/postmortems" + (f"?{asked}" if asked else ""))
    if daemon.as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    rows = [
        (it["incident"], it["state"], it["severity"], it["owner"] or "nobody", it["due_at"] or "-",
         "late" if it["overdue"] else "", it["title"])
        for it in found["postmortems"]
    ]  # fmt: skip
    table(["INCIDENT", "STATE", "SEVERITY", "OWNER", "DUE", "", "TITLE"], rows, "There is no postmortem.")


def _say(daemon: Daemon, done: dict[str, Any]) -> None:
    missing = f"; {len(done['missing'])} missing for {done['next']}" if done["missing"] else ""
    printed(daemon, done, f"the postmortem of {done['incident']} is {done['state']}{missing}")


def _show(daemon: Daemon, found: dict[str, Any]) -> None:
    if daemon.as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    owner, due = plain(found["owner"] or "nobody"), found["due_at"] or "no date"
    click.echo(f"the postmortem of {found['incident']} is {found['state']}, version {found['version']}")
    click.echo(f"owner: {owner}; due: {due}; reviewers: {plain(', '.join(found['reviewers']) or 'nobody')}")
    click.echo(f"sections: {', '.join(f'{name} ({number})' for name, number in found['versions'].items())}")
    for one in found["required"]:
        click.echo(plain(f"required, since {one}", 300))
    for one in found["comments"]:
        if one["open"]:
            click.echo(plain(f"comment {one['number']} on {one['section']} by {one['by']}: {one['text']}", 300))
    for one in found["missing"]:
        click.echo(plain(f"not {found['next']} yet: {one['gate']}: {one['what']}; {one['todo']}", 400))
