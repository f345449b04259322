"""Commands about handing roles over: say how it stands, offer, take back; `accept` and `decline` are with the roles."""

from __future__ import annotations

from typing import Any

import click

from incidentd.cli.client import Daemon, asks, printed, segment
from incidentd.text import plain

_because = click.option("--because", default="", metavar="TEXT", help="Why, for whoever hears of it.")


@click.command()
@click.argument("incident", metavar="[INC-12]", required=False, default="")
@click.argument("role", metavar="[ic|ol|cl|ic,cl]", required=False, default="")
@click.argument("person", metavar="[PERSON]", required=False, default="")
@click.option("--now", default="", metavar="TEXT", help="Who is affected, how, how many now.")
@click.option("--trend", type=click.Choice(["better", "same", "worse"]), help="Where it goes, if nothing measures it.")
@click.option("--hypotheses", default="", metavar="TEXT", help="What to know of them; or that they stand as written.")
@click.option("--decisions", default="", metavar="TEXT", help="What is to be decided, by when and by whom; or none.")
@click.option("--risks", default="", metavar="TEXT", help="What may happen in the next 2 hours.")
@click.option("--escalate-if", default="", metavar="TEXT", help="When to call for more.")
@click.option("--draft", is_flag=True, help="Print the message as it would go out, and offer nothing.")
@click.option("--all", "every", is_flag=True, help="Hand over all your roles, in all incidents; with --to.")
@click.option("--to", default="", metavar="PERSON", help="Who gets all of them.")
@asks(acts=True)
def handover(
    daemon: Daemon, /, *, incident: str, role: str, person: str, draft: bool, every: bool, to: str, trend: str | None,
    **words: str,
) -> None:  # fmt: skip
    """Hand roles of an incident over to PERSON, with a message of how it stands; you have them until it is accepted.

    Without PERSON what you say is kept for it, and the message is printed as it would go out now.
    """
    if every:
        _every(daemon, to, others=[incident, role, person, *words.values()])
        return
    if not incident or to:
        raise click.UsageError("give an incident, or --all with --to PERSON")
    path = f"/api/v1/incidents/{segment(incident)}/handovers"
    said = {**words, "trend": trend or ""}
    if draft or not person:
        if any(said.values()):
            daemon.post(path, **said)
        _drafted(daemon, daemon.get(f"{path}/draft", role=role, to=person))
        return
    done = daemon.post(path, role=role, to=person, **said)
    printed(daemon, done, _offered(done))


def _every(daemon: Daemon, to: str, *, others: list[str]) -> None:
    if not to or any(others):
        raise click.UsageError("--all goes with --to PERSON and nothing else; say how each stands before, one by one")
    done = daemon.post("/api/v1/handovers", to=to)
    lines = [_offered(it) for it in done["offered"]]
    lines += [f"{it['incident']} is not offered: {plain(it['error'], 1000)}" for it in done["refused"]]
    printed(daemon, done, "\n".join(lines))
    if done["refused"]:
        raise SystemExit(1)


def _offered(done: dict[str, Any]) -> str:
    roles = ", ".join(done["roles"])
    return (
        f"{done['id']}: {roles} of {done['incident']} is offered to {plain(done['to'])}, who answers by "
        f"{done['answer_by']}; until then {plain(done['from'])} answers for it"
    )


def _drafted(daemon: Daemon, found: dict[str, Any]) -> None:
    printed(daemon, found, found["text"])
    if daemon.as_json:
        return
    for gap in found["missing"]:
        click.echo(f"missing: {plain(gap['why'], 300)}", err=True)
    click.echo(f"could be asked: {', '.join(map(plain, found['candidates'])) or 'nobody is known'}", err=True)


@click.command()
@click.argument("incident", metavar="INC-12")
@asks()
def handovers(daemon: Daemon, incident: str) -> None:
    """Show who handed which role of an incident over to whom, and what is on offer."""
    found = daemon.get(f"/api/v1/incidents/{segment(incident)}/handovers")
    lines = [
        f"{it['id']}  {it['offered_at']}  {','.join(it['roles'])}  {plain(it['from'])} -> {plain(it['to'])}  "
        f"{it['state']}{_why(it)}"
        for it in found["handovers"]
    ]
    printed(daemon, found, "\n".join(lines) or f"No role of {found['id']} was handed over.")


def _why(it: dict[str, Any]) -> str:
    return f": {plain(it['reason'], 200)}" if it["reason"] else ""


@click.command()
@click.argument("offer", metavar="HO-3")
@_because
@asks(acts=True)
def withdraw(daemon: Daemon, offer: str, because: str) -> None:
    """Take back what you offered to hand over."""
    done = daemon.post(f"/api/v1/handovers/{segment(offer)}/withdraw", reason=because)
    printed(daemon, done, f"{done['id']} is taken back")


def is_offer(text: str) -> bool:
    """Say whether somebody typed the id of an offer."""
    return text.upper().startswith("HO-")


def accepted(daemon: Daemon, offer: str) -> None:
    """Accept an offer."""
    done = daemon.post(f"/api/v1/handovers/{segment(offer)}/accept")
    printed(daemon, done, f"{', '.join(done['roles'])} of {done['incident']} is yours")


def declined(daemon: Daemon, offer: str, reason: str) -> None:
    """Decline an offer."""
    done = daemon.post(f"/api/v1/handovers/{segment(offer)}/decline", reason=reason)
    printed(daemon, done, f"{done['id']} is declined; {plain(done['from'])} is told")


COMMANDS = (handover, handovers, withdraw)
