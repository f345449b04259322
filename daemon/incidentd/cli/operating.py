"""`playbook` against a running daemon: how playbooks stand, running one, its runs, and switching them off and on."""

from __future__ import annotations

import click

from incidentd.cli import looking, showing
from incidentd.cli.client import Daemon, asks, printed, segment
from incidentd.cli.sending import pairs
from incidentd.text import plain


def _switch(name: str | None, everything: bool, verb: str) -> str:
    if (name is None) != everything:
        raise click.UsageError("name one playbook, or write --all for every one")
    return f"/api/v1/playbooks/{segment(name)}/{verb}" if name is not None else f"/api/v1/automation/{verb}"


_name = click.argument("name", required=False, metavar="[NAME]")


@click.command()
@click.argument("name")
@click.argument("labels", nargs=-1, metavar="LABEL=VALUE...")
@click.option("--for", "subject", required=True, metavar="HOLD-7|INC-12", help="What it is for, and who hears of it.")
@click.option("--annotation", "annotations", multiple=True, metavar="NAME=VALUE", help="An annotation; repeat it.")
@asks(acts=True)
def run(
    daemon: Daemon, *, name: str, labels: tuple[str, ...], subject: str, annotations: tuple[str, ...]
) -> None:  # fmt: skip
    """Run a playbook, with these labels in the place of an alert's.

    Every guard is asked but those about the alert; that you ask for it is the approval that its mode may want.
    """
    path = f"/api/v1/playbooks/{segment(name)}/runs"
    done = daemon.post(path, subject=subject, labels=pairs(labels), annotations=pairs(annotations))
    printed(daemon, done, f"{done['id']} runs {done['playbook']} on {plain(done['target'])} for {done['subject']}")


@click.command()
@_name
@click.option("--all", "everything", is_flag=True, help="Every playbook.")
@click.option("--reason", required=True, help="Why, for whoever finds it off.")
@asks(acts=True)
def disable(daemon: Daemon, *, name: str | None, everything: bool, reason: str) -> None:
    """Switch a playbook off, or all of them: nothing begins, and what runs is stopped within a second.

    It holds on every replica and after every restart, until somebody enables it. Pages, holds and tickets go on.
    """
    done = daemon.post(_switch(name, everything, "disable"), reason=reason)
    stops = f"it stops {', '.join(done['stops'])}" if done["stops"] else "no run was under way"
    what = "every playbook" if everything else plain(str(name))
    printed(daemon, done, f"{what} is switched off, until somebody enables it; {stops}")


@click.command()
@_name
@click.option("--all", "everything", is_flag=True, help="What was switched off with --all.")
@click.option("--reason", default="", help="Why it may run again.")
@asks(acts=True)
def enable(daemon: Daemon, *, name: str | None, everything: bool, reason: str) -> None:
    """Let a playbook run again that was switched off. What was stopped is not begun again."""
    done = daemon.post(_switch(name, everything, "enable"), reason=reason)
    still = f"; it still does not run: {plain(done['still_off'], 1000)}" if done["still_off"] else ""
    printed(daemon, done, f"{'every playbook' if everything else plain(str(name))} is switched on again{still}")


@click.command()
@click.argument("run", metavar="RUN-3")
@click.option("--reason", required=True, help="Why it has to end.")
@asks(acts=True)
def stop(daemon: Daemon, run: str, *, reason: str) -> None:
    """Stop a playbook run at once, and say what may be half done. Nothing is rolled back."""
    done = daemon.post(f"/api/v1/runs/{segment(run)}/stop", reason=reason)
    printed(daemon, done, f"{done['id']} is stopped: {plain(done['reason'], 1000)}")


@click.command("list")
@asks()
def listed(daemon: Daemon) -> None:
    """List the playbooks: the mode in the file, the mode in force, and why they differ."""
    head = {"NAME": "id", "FILE": "mode", "IN FORCE": "effective", "VERIFIED": "verified", "BECAUSE": "because"}
    looking.listed(daemon, "playbooks", head, "There is no playbook.")


@click.command()
@click.argument("what", metavar="NAME|RUN-3")
@asks()
def show(daemon: Daemon, what: str) -> None:
    """Say how a playbook stands; or show one of its runs, with its steps."""
    is_run = what.upper().startswith("RUN-")
    path = f"/api/v1/{'runs' if is_run else 'playbooks'}/{segment(what)}"
    if daemon.as_json:
        click.echo(daemon.raw("GET", path))
        return
    found = daemon.get(path)
    for line in showing.run(found) if is_run else showing.playbook(found):
        click.echo(line.rstrip())


runs = click.Command(
    "runs", params=looking.runs.params, callback=looking.runs.callback, help=looking.runs.help
)  # fmt: skip
