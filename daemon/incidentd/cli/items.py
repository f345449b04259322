"""Commands about action items: what is promised, who has it, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from incidentd.cli.client import Daemon, asks, printed, segment
from incidentd.cli.looking import listed, one
from incidentd.text import plain

_item = click.argument("item", metavar="AI-3")
_incident = click.argument("incident", metavar="INC-12")
_seen = click.option("--expected-version", type=click.IntRange(0), help="The version that you saw; refused if changed.")
_TYPES = click.Choice(["prevent", "mitigate", "detect", "repair", "investigate", "process", "automate"])
_STATES = click.Choice(
    ["active", "over", "proposed", "open", "filed", "in_progress", "stuck", "done", "declined", "all"]
)  # fmt: skip
Command = Callable[..., Any]


@click.group()
def item() -> None:
    """Propose what to change after an incident, decide it, and follow it until it is done."""


def _fields(command: Command) -> Command:
    for add in reversed(
        (
            click.option("--type", "type_", type=_TYPES, help="What the change is for."),
            click.option("--priority", type=click.Choice(["P0", "P1", "P2", "P3"]), help="How soon."),
            click.option("--owner", metavar="@PERSON", help="The one person who sees to it."),
            click.option("--team", help="Whose backlog it goes to."),
            click.option("--service", help="What it is about."),
            click.option("--due", metavar="YYYY-MM-DD", help="Until when; else the priority's default."),
            click.option("--end-state", help="How anybody can see that it is done."),
            click.option("--description", help="More of what to do, in Markdown."),
        )
    ):
        command = add(command)
    return command


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    named = {"type" if name == "type_" else name: value for name, value in fields.items()}
    return {name: value for name, value in named.items() if value is not None}


def _post(daemon: Daemon, item: str, verb: str, **fields: Any) -> dict[str, Any]:
    done: dict[str, Any] = daemon.post(f"/api/v1/action-items/{segment(item)}/{verb}", **_given(fields))
    return done


def _said(done: dict[str, Any]) -> str:
    where = f" as {done['jira_key']}" if done["jira_key"] else ""
    who = f", {done['owner']} has it" if done["owner"] else ""
    due = f" until {done['due']}" if done["due"] and done["state"] not in ("done", "declined") else ""
    return plain(f"{done['id']} is {done['state'].replace('_', ' ')}{where}{who}{due}: {done['title']}", 400)


@item.command("list")
@click.option("--state", type=_STATES, default="active", show_default=True, help="Which; `active` is promised.")
@click.option("--q", default="", metavar="TEXT", help="Only what has this text in its words.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000))
@asks()
def list_(daemon: Daemon, state: str, q: str, limit: int) -> None:
    """List action items."""
    head = {
        "ID": "id", "PRIORITY": "priority", "STATE": "state", "OWNER": "owner", "DUE": "due", "JIRA": "jira_key",
        "OF": "subject", "TITLE": "title",
    }  # fmt: skip
    listed(daemon, "action-items", head, "There is none.", state="" if state == "all" else state, q=q, limit=limit)


@item.command("show")
@_item
@asks()
def show(daemon: Daemon, item: str) -> None:
    """Show one action item with all that is known of it."""
    one(daemon, f"/api/v1/action-items/{segment(item)}")


@item.command("propose")
@_incident
@click.argument("title")
@_fields
@asks(acts=True)
def propose(daemon: Daemon, /, incident: str, title: str, **fields: Any) -> None:
    """Put down an idea; it is decided after two working days."""
    path = f"/api/v1/incidents/{segment(incident)}/action-items/proposals"
    done = daemon.post(path, title=title, **_given(fields))
    printed(daemon, done, _said(done))


@item.command("collect")
@_incident
@click.option(
    "--from", "source", type=click.Choice(["todo", "postmortem", "feedback"]), help="Only from there."
)  # fmt: skip
@asks(acts=True)
def collect(daemon: Daemon, incident: str, *, source: str | None) -> None:
    """Propose the TODOs of an incident and what its postmortem's tables ask for; each is proposed once."""
    path = f"/api/v1/incidents/{segment(incident)}/action-items/collect"
    done = daemon.post(path, source=source or "")
    lines = [_said(it) for it in done["action_items"]]
    printed(daemon, done, "\n".join(lines) or "There is nothing that is not proposed yet.")


@item.command("decide")
@_item
@_fields
@click.option("--why", default="", help="Why it cannot wait for two working days.")
@_seen
@asks(acts=True)
def decide(daemon: Daemon, /, item: str, **fields: Any) -> None:
    """Decide a proposal: it goes into the backlog, and to Jira where there is one."""
    done = _post(daemon, item, "decide", **fields)
    advice = [f"look at it: {it['reason']} {it['instead']}" for it in done["findings"]]
    printed(daemon, done, "\n".join([_said(done), *advice]))


@item.command("edit")
@_item
@click.option("--title", help="What is done, beginning with a verb.")
@_fields
@click.option("--evidence", help="A link, or words, for that it is done.")
@_seen
@asks(acts=True)
def edit(daemon: Daemon, /, item: str, **fields: Any) -> None:
    """Change what an item says; of one in Jira only its evidence is kept here.

    What is given as '' is emptied: --owner '' takes the owner away.
    """
    done = daemon.put_down(f"/api/v1/action-items/{segment(item)}/edit", **_given(fields))
    printed(daemon, done, _said(done))


@item.command("decline")
@_item
@click.argument("reason")
@_seen
@asks(acts=True)
def decline(daemon: Daemon, item: str, reason: str, *, expected_version: int | None) -> None:
    """Say that nobody will do it, and why."""
    done = _post(daemon, item, "decline", reason=reason, expected_version=expected_version)
    printed(daemon, done, _said(done))


@item.command("done")
@_item
@click.option("--evidence", help="A link, or words, for that it is done.")
@_seen
@asks(acts=True)
def done(daemon: Daemon, item: str, *, evidence: str | None, expected_version: int | None) -> None:
    """Say that an item is done that lives here; of one in Jira, Jira says so."""
    ended = _post(daemon, item, "done", evidence=evidence, expected_version=expected_version)
    printed(daemon, ended, _said(ended))


def _plain_verb(name: str, help_text: str) -> None:
    @item.command(name, help=help_text)
    @_item
    @_seen
    @asks(acts=True)
    def verb(daemon: Daemon, item: str, *, expected_version: int | None) -> None:
        ended = _post(daemon, item, name, expected_version=expected_version)
        printed(daemon, ended, _said(ended))


_plain_verb("start", "Say that its owner is at an item that lives here.")
_plain_verb("reopen", "Take up again an item that lives here and was over.")
_plain_verb("retry", "File an item now that is not in Jira yet, since what was wrong is corrected.")
