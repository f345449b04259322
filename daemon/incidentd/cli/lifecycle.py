"""Commands that move an incident on: who may is asked of the daemon, which says what is allowed."""

from __future__ import annotations

from typing import Any

import click

from incidentd.cli.client import Daemon, asks, printed, segment, version_seen
from incidentd.incidents import TIMES, StandDown
from incidentd.text import plain

_incident = click.argument("incident", metavar="INC-12")


def _post(daemon: Daemon, incident: str, word: str, **fields: Any) -> dict[str, Any]:
    done: dict[str, Any] = daemon.post(f"/api/v1/incidents/{segment(incident)}/{word}", **fields)
    return done


def _say(daemon: Daemon, done: dict[str, Any], more: str = "") -> None:
    state = done["status"].replace("_", " ")
    printed(daemon, done, f"{done['id']} is {state}{more}: {plain(done['title'])}")


@click.command()
@_incident
@click.option("--text", default="", help="What you look at, or why it is not over.")
@version_seen
@asks(acts=True)
def investigate(daemon: Daemon, incident: str, *, text: str, expected_version: int | None) -> None:
    """Take an incident; or investigate it again, since its cause was refuted or its impact is back."""
    _say(daemon, _post(daemon, incident, "investigate", text=text, expected_version=expected_version))


@click.command()
@_incident
@click.argument("cause", required=False, default="")
@version_seen
@asks(acts=True)
def identify(daemon: Daemon, incident: str, cause: str, *, expected_version: int | None) -> None:
    """Say what contributes to an incident: CAUSE, in words."""
    _say(daemon, _post(daemon, incident, "identify", cause=cause, expected_version=expected_version))


@click.command()
@_incident
@click.option("--note", "said", default="", help="What stopped it.")
@version_seen
@asks(acts=True)
def mitigate(daemon: Daemon, incident: str, *, said: str, expected_version: int | None) -> None:
    """Say that the impact of an incident stopped."""
    _say(daemon, _post(daemon, incident, "mitigate", note=said, expected_version=expected_version))


@click.command()
@_incident
@click.option("--note", "said", default="", help="What was done.")
@click.option("--waive", default="", help="Why exit criteria that are not met do not matter.")
@version_seen
@asks(acts=True)
def resolve(daemon: Daemon, incident: str, *, said: str, waive: str, expected_version: int | None) -> None:
    """Resolve an incident: the cause is gone."""
    _say(daemon, _post(daemon, incident, "resolve", note=said, waive=waive, expected_version=expected_version))


@click.command()
@_incident
@click.option("--waive", default="", help="Why it needs no postmortem although its severity asks for one.")
@version_seen
@asks(acts=True)
def close(daemon: Daemon, incident: str, *, waive: str, expected_version: int | None) -> None:
    """Close an incident for good."""
    _say(daemon, _post(daemon, incident, "close", waive=waive, expected_version=expected_version))


@click.command()
@_incident
@click.option("--reason", required=True, help="Why it is not over.")
@version_seen
@asks(acts=True)
def reopen(daemon: Daemon, incident: str, *, reason: str, expected_version: int | None) -> None:
    """Take an incident up again, within a day of its end."""
    _say(daemon, _post(daemon, incident, "reopen", reason=reason, expected_version=expected_version))


@click.command()
@_incident
@click.argument("level", metavar="SEVERITY")
@click.option("--reason", default="", help="Why; needed to lower it.")
@version_seen
@asks(acts=True)
def severity(daemon: Daemon, incident: str, level: str, *, reason: str, expected_version: int | None) -> None:
    """Raise or lower the severity of an incident; once it is resolved, say what it was in the end."""
    done = _post(daemon, incident, "severity", severity=level, reason=reason, expected_version=expected_version)
    printed(daemon, done, f"{done['id']} is {done['final_severity'] or done['severity']}: {plain(done['title'])}")


@click.command()
@_incident
@click.argument("times", nargs=-1, required=True, metavar="NAME=INSTANT...")
@version_seen
@asks(acts=True)
def correct(daemon: Daemon, incident: str, times: tuple[str, ...], *, expected_version: int | None) -> None:
    """Correct recorded instants: impact_started_at=2026-11-24T13:58:00Z. What stood there before is kept."""
    given = dict(part for one in times if len(part := one.split("=", 1)) == 2)  # a name and an instant
    if len(given) != len(times) or not set(given) <= set(TIMES):
        raise click.UsageError(f"write NAME=INSTANT, each name once; names are {', '.join(TIMES)}")
    done = _post(daemon, incident, "times", times=given, expected_version=expected_version)
    printed(daemon, done, "\n".join(f"{done['id']} {name}: {done[name]}" for name in given))


@click.command()
@_incident
@click.option("--into", default="", metavar="INC-11", help="The incident that goes on.")
@click.option(
    "--with", "with_", default="", metavar="INC-11", help="The more severe of the two goes on, else the older."
)
@click.option("--reason", default="", help="Why they are the same.")
@version_seen
@asks(acts=True)
def merge(
    daemon: Daemon, incident: str, *, into: str, with_: str, reason: str, expected_version: int | None
) -> None:  # fmt: skip
    """Merge an incident into another, or with another."""
    if bool(into) == bool(with_):
        raise click.UsageError("give one of --into and --with")
    named = {"into": into, "with": with_}
    done = _post(daemon, incident, "merge", reason=reason, expected_version=expected_version, **named)
    _say(daemon, done, " and goes on")


@click.command()
@_incident
@click.option("--reason", default="", help="Why they are two after all.")
@version_seen
@asks(acts=True)
def unmerge(daemon: Daemon, incident: str, *, reason: str, expected_version: int | None) -> None:
    """Take an incident out of the one that it was merged into, within a day."""
    _say(daemon, _post(daemon, incident, "unmerge", reason=reason, expected_version=expected_version))


def stand_down_incident(
    daemon: Daemon, incident: str, *, code: str, text: str, expected_version: int | None
) -> None:  # fmt: skip
    """Call off an incident; everybody who was told of it hears the all-clear."""
    if not code:
        raise click.UsageError(f"an incident is stood down with --code, one of {', '.join(StandDown)}")
    _say(daemon, _post(daemon, incident, "stand-down", code=code, text=text, expected_version=expected_version))


COMMANDS = (investigate, identify, mitigate, resolve, close, reopen, severity, correct, merge, unmerge)
