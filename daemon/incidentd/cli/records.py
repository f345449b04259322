"""Commands for what people put down during an incident: its document, hypotheses, decisions, tasks, changes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import click

from incidentd.cli.client import Daemon, asks, printed, segment
from incidentd.cli.looking import table
from incidentd.text import plain

_incident = click.argument("incident", metavar="INC-12")
_seen = click.option("--expected-version", type=click.IntRange(0), help="The version that you saw; refused if changed.")
Command = Callable[..., Any]


def _record(letter: str) -> Callable[[Command], Command]:
    return click.argument("record", metavar=f"{letter}3")


def _send(daemon: Daemon, incident: str, path: str, **fields: Any) -> dict[str, Any]:
    done: dict[str, Any] = daemon.post(f"/api/v1/incidents/{segment(incident)}/{path}", **fields)
    return done


def _typed(text: str) -> str:
    return sys.stdin.read() if text == "-" else text


@click.command()
@_incident
@click.argument("section", metavar="SECTION")
@click.argument("text")
@_seen
@asks(acts=True)
def write(daemon: Daemon, incident: str, section: str, text: str, *, expected_version: int | None) -> None:
    """Write a part of an incident's document: summary, impact, channel, call, dashboard or status-page.

    What a handover says is trend, hypotheses, decisions, risks and escalate-if.
    TEXT replaces what stands there, which stays in the history; `-` reads it from the standard input.
    """
    path = f"/api/v1/incidents/{segment(incident)}/sections/{segment(section)}"
    done = daemon.put_down(path, text=_typed(text), expected_version=expected_version)
    printed(daemon, done, f"the {plain(done['id'])} of {done['incident']} is version {done['version']}")


@click.command("records")
@_incident
@click.option("--history", "of", default="", metavar="T3|summary", help="Every version of one of them.")
@asks()
def listed(daemon: Daemon, incident: str, *, of: str) -> None:
    """List what people put down during an incident, and what of it keeps it from its next states."""
    path = f"/api/v1/incidents/{segment(incident)}/records"
    found = daemon.get(f"{path}/{segment(of)}/history" if of else path)
    if daemon.as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    elif of:
        rows = [(it["version"], it["at"], it["by"], it["said"]) for it in found["versions"]]
        table(["VERSION", "AT", "BY", "WHAT"], rows, "Nothing was changed.")
    else:
        _print_all(found)


@click.command()
@_incident
@click.argument("role", type=click.Choice(["ic", "ol", "cl"], case_sensitive=False))
@asks()
def board(daemon: Daemon, incident: str, role: str) -> None:
    """Say what is due next in an incident, in one list sorted by time, and how things stand for ROLE."""
    found = daemon.get(f"/api/v1/incidents/{segment(incident)}/board", role=role.lower())
    if daemon.as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    who = plain(found["holder"] or "nobody yet")
    click.echo(f"{found['incident']} {plain(found['severity'])}, {found['status']}; {role.lower()}: {who}")
    if found["before"]:
        click.echo(plain(f"Before: {found['before']}"))
    rows = [("late" if it["overdue"] else "", it["at"], it["id"], it["who"], it["what"]) for it in found["due"]]
    table(["", "UNTIL", "ID", "WHO", "WHAT"], rows, "Nothing is due.")
    if found["vacant"]:
        click.echo(f"given to nobody: {', '.join(found['vacant'])}")
    for one in found["changes"]:
        click.echo(plain(f"{one['id']} is still in place: {one['what']}", 300))


def _print_all(found: dict[str, Any]) -> None:
    rows = [
        (
            it["id"],
            kind,
            it.get("state") or _standing(it),
            it.get("owner") or it["by"],
            _what(it),
        )
        for kind in ("sections", "hypotheses", "decisions", "tasks", "changes", "criteria")
        for it in found[kind]
    ]
    table(["ID", "KIND", "STATE", "WHO", "WHAT"], rows, "Nobody has put anything down yet.")
    for state, why in found["blocks"].items():
        for sentence in why:
            click.echo(plain(f"not {state} yet: {sentence}", 300))


def _what(it: dict[str, Any]) -> str:
    said = str(it.get("text") or it.get("what"))
    return f"{said} ({it['origin']})" if it.get("origin") else said


def _standing(it: dict[str, Any]) -> str:
    if "undone_at" not in it:
        return ""
    return str(it["outcome"]) if it["undone_at"] else "in place"


# -- hypotheses ------------------------------------------------------------------------------------------------------


@click.group()
def hypothesis() -> None:
    """Write down what may be the cause, and how each of it stands."""


_owner = click.option("--owner", help="Who looks into it.")
_confidence = click.option("--confidence", type=click.Choice(["low", "medium", "high"]), help="How sure you are.")
_evidence = click.option("--evidence", help="A link, or words, for what speaks for it.")


@hypothesis.command("add")
@_incident
@click.argument("text")
@_owner
@_confidence
@_evidence
@asks(acts=True)
def hypothesis_add(daemon: Daemon, /, incident: str, text: str, **fields: str | None) -> None:
    """Write down what may be the cause."""
    done = _send(daemon, incident, "hypotheses", text=text, **fields)
    printed(daemon, done, f"{done['id']} of {done['incident']} is {done['state']}")


@hypothesis.command("mark")
@_incident
@_record("H")
@click.argument("state", required=False, type=click.Choice(["open", "supported", "refuted"]))
@_owner
@_confidence
@_evidence
@_seen
@asks(acts=True)
def hypothesis_mark(daemon: Daemon, /, incident: str, record: str, state: str | None, **fields: Any) -> None:
    """Say how a hypothesis stands, how sure you are, who looks into it, and what speaks for it."""
    done = _send(daemon, incident, f"hypotheses/{segment(record)}", state=state, **fields)
    printed(daemon, done, f"{done['id']} of {done['incident']} is {done['state']}, confidence {done['confidence']}")


# -- decisions -------------------------------------------------------------------------------------------------------


@click.group()
def decision() -> None:
    """Write down what is decided, or propose it and wait for objections."""


@decision.command("add")
@_incident
@click.argument("text")
@click.option("--not-taken", "options", default="", help="What was not chosen, and why.")
@click.option("--wait", default="", metavar="5m", help="Propose it: without an objection it is decided after that.")
@asks(acts=True)
def decision_add(daemon: Daemon, /, incident: str, text: str, **fields: str) -> None:
    """Write a decision down, or propose it with --wait: silence is consent."""
    done = _send(daemon, incident, "decisions", text=text, **fields)
    until = f" until {done['waits_until']}" if done["state"] == "proposed" else ""
    printed(daemon, done, f"{done['id']} of {done['incident']} is {done['state']}{until}")


@decision.command("object")
@_incident
@_record("D")
@click.argument("text")
@asks(acts=True)
def decision_object(daemon: Daemon, incident: str, record: str, text: str) -> None:
    """Object to a proposal; silence does not decide it any more."""
    done = _send(daemon, incident, f"decisions/{segment(record)}/object", text=text)
    printed(daemon, done, f"your objection to {done['id']} of {done['incident']} is noted")


def _plain_verb(group: click.Group, name: str, path: str, letter: str, help_text: str) -> None:
    @group.command(name, help=help_text)
    @_incident
    @_record(letter)
    @_seen
    @asks(acts=True)
    def verb(daemon: Daemon, incident: str, record: str, *, expected_version: int | None) -> None:
        done = _send(daemon, incident, f"{path}/{segment(record)}/{name}", expected_version=expected_version)
        state = done.get("state") or _standing(done)
        printed(daemon, done, f"{done['id']} of {done['incident']}: {plain(state)}")


def _reasoned_verb(  # noqa: PLR0917 - a table of commands, one a line
    group: click.Group, name: str, path: str, letter: str, option: str, help_text: str
) -> None:
    @group.command(name, help=help_text)
    @_incident
    @_record(letter)
    @click.option(f"--{option}", "why", default="", help="In one line.")
    @_seen
    @asks(acts=True)
    def verb(daemon: Daemon, incident: str, record: str, *, why: str, expected_version: int | None) -> None:
        fields = {option: why, "expected_version": expected_version}
        done = _send(daemon, incident, f"{path}/{segment(record)}/{name}", **fields)
        state = done.get("state") or _standing(done)
        printed(daemon, done, f"{done['id']} of {done['incident']}: {plain(state)}")


_plain_verb(decision, "decide", "decisions", "D", "Decide a proposal now, whatever was said against it.")
_plain_verb(decision, "withdraw", "decisions", "D", "Take a proposal back.")


# -- tasks -----------------------------------------------------------------------------------------------------------


@click.group()
def task() -> None:
    """Give one person one thing to do until a time, and say how it stands."""


@task.command("give")
@_incident
@click.argument("owner", metavar="@PERSON")
@click.argument("text")
@click.argument("box", metavar="10m")
@asks(acts=True)
def task_give(daemon: Daemon, incident: str, owner: str, text: str, box: str) -> None:
    """Give PERSON a task with a time box; they are told, and asked when the time is over."""
    done = _send(daemon, incident, "tasks", owner=owner, text=text, box=box)
    printed(daemon, done, f"{done['id']} of {done['incident']} is {done['owner']}'s until {done['due_at']}")


@task.command("assign")
@_incident
@_record("T")
@click.argument("owner", metavar="@PERSON")
@click.argument("box", required=False, default="", metavar="[10m]")
@_seen
@asks(acts=True)
def task_assign(
    daemon: Daemon, incident: str, record: str, owner: str, box: str, *, expected_version: int | None
) -> None:  # fmt: skip
    """Give a task to somebody else, or its owner more time."""
    done = _send(
        daemon, incident, f"tasks/{segment(record)}/assign", owner=owner, box=box, expected_version=expected_version
    )
    printed(daemon, done, f"{done['id']} of {done['incident']} is {done['owner']}'s until {done['due_at']}")


_plain_verb(task, "ack", "tasks", "T", "Say that you have your task.")
_reasoned_verb(task, "done", "tasks", "T", "result", "Say that a task is done, and with --result what came of it.")
_reasoned_verb(task, "drop", "tasks", "T", "result", "Drop a task; --result says why.")


# -- changes and exit criteria ---------------------------------------------------------------------------------------


@click.group()
def change() -> None:
    """Write down what was changed in production; an incident is closed when all of it is dealt with."""


@change.command("add")
@_incident
@click.argument("what")
@click.option("--undo", default="", help="How it is undone.")
@click.option("--made-by", default="", help="Who made it, if not you.")
@asks(acts=True)
def change_add(daemon: Daemon, /, incident: str, what: str, **fields: str) -> None:
    """Write down a change to production."""
    done = _send(daemon, incident, "changes", what=what, **fields)
    printed(daemon, done, f"{done['id']} of {done['incident']} is in place")


_reasoned_verb(change, "explain", "changes", "C", "undo", "Say with --undo how a change is undone.")
_plain_verb(change, "undone", "changes", "C", "Say that a change is undone.")
_reasoned_verb(change, "accept", "changes", "C", "reason", "Say that a change stays; --reason says why.")


@click.group()
def criterion() -> None:
    """Write down what has to hold before an incident counts as resolved."""


@criterion.command("add")
@_incident
@click.argument("text")
@asks(acts=True)
def criterion_add(daemon: Daemon, incident: str, text: str) -> None:
    """Add an exit criterion."""
    done = _send(daemon, incident, "exit-criteria", text=text)
    printed(daemon, done, f"{done['id']} of {done['incident']} is {done['state']}")


_reasoned_verb(criterion, "met", "exit-criteria", "X", "reason", "Tick an exit criterion.")
_reasoned_verb(criterion, "waive", "exit-criteria", "X", "reason", "Waive an exit criterion; --reason says why.")
_reasoned_verb(criterion, "reopen", "exit-criteria", "X", "reason", "Say that an exit criterion holds no more.")
