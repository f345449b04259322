"""Commands about roles: who has which, give one, take one, say no; call a team, join, let somebody go."""

from __future__ import annotations

from typing import Any

import click

from incidentd.cli import handover
from incidentd.cli.client import Daemon, asks, printed, segment, version_seen
from incidentd.text import plain

_ROLES = click.Choice(["ic", "ol", "cl", "deputy", "scribe", "planning"], case_sensitive=False)
_incident = click.argument("incident", metavar="INC-12")
_incident_or_offer = click.argument("incident", metavar="INC-12|HO-3")
_role = click.argument("role", type=_ROLES)
_maybe_role = click.argument("role", type=_ROLES, required=False, default=None)
_because = click.option("--because", default="", metavar="TEXT", help="Why, for whoever reads the timeline.")


def _post(daemon: Daemon, incident: str, what: str, **fields: Any) -> Any:
    return daemon.post(f"/api/v1/incidents/{segment(incident)}/{what}", **fields)


@click.command()
@_incident
@asks()
def roles(daemon: Daemon, incident: str) -> None:
    """Show who has which role, who is asked to take one, and who works on it."""
    found = daemon.get(f"/api/v1/incidents/{segment(incident)}/roles")
    printed(daemon, found, "\n".join([*_roles(found), *_offers(found), *_people(found)]))


def _roles(found: dict[str, Any]) -> list[str]:
    return [
        f"{it['title']}: {plain(it['holder']) or 'nobody yet'}"
        + (f", since {it['since']}" if it["delegated"] else " (not delegated)" if it["holder"] else "")
        for it in found["roles"]
    ]


def _offers(found: dict[str, Any]) -> list[str]:
    return [
        f"{it['id']}: {plain(it['person'])} is asked for {it['role']} since {it['asked_at']}"
        for it in found["offers"]
        if it["state"] == "asked"
    ]


def _people(found: dict[str, Any]) -> list[str]:
    return [
        f"{plain(it['person'])}{_of(it)}: "
        + (f"let go {it['released_at']}" if it["released_at"] else
           f"here since {it['joined_at']}" if it["joined_at"] else f"paged {it['paged_at']}, not here yet")
        + (f", asked to {plain(it['asked'], 200)}" if it["asked"] else "")
        for it in found["people"]
    ]  # fmt: skip


def _of(it: dict[str, Any]) -> str:
    return f" ({plain(it['team'])})" if it["team"] else ""


@click.command()
@_incident
@_role
@click.argument("person")
@_because
@version_seen
@asks(acts=True)
def assign(
    daemon: Daemon, *, incident: str, role: str, person: str, because: str, expected_version: int | None
) -> None:  # fmt: skip
    """Give a role to PERSON: anybody but yourself is asked, and has it when they accept."""
    done = _post(
        daemon, incident, "roles", role=role, person=person, because=because, expected_version=expected_version
    )  # fmt: skip
    _say(daemon, done, role)


def _say(daemon: Daemon, done: dict[str, Any], role: str) -> None:
    holder = next((it["holder"] for it in done["roles"] if it["role"] == role.lower()), "") or "nobody"
    asked = done.get("asked")
    if asked is None:
        said = f"{plain(holder)} is {role} of {done['id']}"
    elif asked["by"] == asked["person"]:
        said = f"{plain(holder)} is asked; unless they say no you are {role} of {done['id']} in two minutes"
    else:
        said = (
            f"{plain(asked['person'])} is asked; {plain(holder)} answers for {role} of {done['id']} until they accept"
        )
    printed(daemon, done, said)


@click.command()
@_incident_or_offer
@_maybe_role
@asks(acts=True)
def accept(daemon: Daemon, incident: str, role: str | None) -> None:
    """Take the role that you are asked to take, or let go of the one that somebody asks for.

    `accept HO-3` takes over what somebody hands over to you.
    """
    if handover.is_offer(incident):
        handover.accepted(daemon, incident)
        return
    done = _post(daemon, incident, "roles/accept", role=role or "")
    printed(daemon, done, "\n".join(_roles(done)))


@click.command()
@_incident_or_offer
@_maybe_role
@_because
@asks(acts=True)
def decline(daemon: Daemon, *, incident: str, role: str | None, because: str) -> None:
    """Say no to a role; the people behind you are asked. Or keep the one that somebody asks for.

    `decline HO-3` says no to what somebody hands over to you; they keep it.
    """
    if handover.is_offer(incident):
        handover.declined(daemon, incident, because)
        return
    done = _post(daemon, incident, "roles/decline", role=role or "", because=because)
    printed(daemon, done, "\n".join(_roles(done)))


@click.command("release-role")
@_incident
@_role
@_because
@version_seen
@asks(acts=True)
def release_role(
    daemon: Daemon, *, incident: str, role: str, because: str, expected_version: int | None
) -> None:  # fmt: skip
    """Give a role that is no longer needed back to the commander."""
    done = _post(daemon, incident, "roles/release", role=role, because=because, expected_version=expected_version)
    _say(daemon, done, role)


@click.command("take-command")
@_incident
@_because
@version_seen
@asks(acts=True)
def take_command(daemon: Daemon, *, incident: str, because: str, expected_version: int | None) -> None:
    """Ask to command an incident: its commander lets go, says no, or loses it after two minutes without an answer."""
    _say(daemon, _post(daemon, incident, "take-command", because=because, expected_version=expected_version), "ic")


@click.command("page-team")
@_incident
@click.argument("team")
@click.option("--for", "asked", required=True, metavar="TEXT", help="What they are asked to do.")
@asks(acts=True)
def page_team(daemon: Daemon, *, incident: str, team: str, asked: str) -> None:
    """Call a team into an incident, by its own schedules and escalation."""
    done = _post(daemon, incident, "page-team", team=team, asked=asked)
    who = ", ".join(done["paged"]) or "nobody yet"
    printed(daemon, done, f"{done['id']} calls {plain(team)}; paged so far: {plain(who)}")


@click.command()
@_incident
@_because
@asks(acts=True)
def join(daemon: Daemon, incident: str, because: str) -> None:
    """Say that you work on an incident."""
    printed(daemon, done := _post(daemon, incident, "join", because=because), f"you work on {done['id']}")


@click.command("let-go")
@_incident
@click.argument("person")
@_because
@version_seen
@asks(acts=True)
def let_go(daemon: Daemon, *, incident: str, person: str, because: str, expected_version: int | None) -> None:
    """Let somebody go who is no longer needed; their roles go back to the commander."""
    done = _post(daemon, incident, "let-go", person=person, because=because, expected_version=expected_version)
    printed(daemon, done, f"{plain(person)} is let go of {done['id']}")


COMMANDS = (roles, assign, accept, decline, release_role, take_command, page_team, join, let_go)
