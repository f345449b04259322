"""`report`: what there is to improve, found in what the daemon remembers."""

from __future__ import annotations

import click

from incidentd.cli.client import Daemon, asks, segment
from incidentd.cli.looking import safe

_ACCEPTS = {"md": "text/markdown", "html": "text/html", "json": "application/json"}


@click.command()
@click.option("--since", default="30d", show_default=True, metavar="DURATION", help="How far back, up to 400d.")
@click.option("--format", "form", type=click.Choice([*_ACCEPTS]), help="md if not said; --json is --format json.")
@asks()
def report(daemon: Daemon, since: str, form: str | None) -> None:
    """Say what there is to improve: alerts, holds, playbooks, detection, repeats, on-call shifts.

    Each line comes with what it rests on and one change that it proposes. Drills are left out.
    """
    form = form or ("json" if daemon.as_json else "md")
    text = daemon.raw("GET", f"{_path(form)}?since={segment(since)}", accept=_ACCEPTS[form])
    click.echo(safe(text) if form == "md" else text)


def _path(form: str) -> str:
    return "/report" if form == "html" else "/api/v1/report"
