"""`page feedback`: say of a page afterwards how it was."""

from __future__ import annotations

import click

from incidentd.cli.client import Daemon, asks, printed, segment
from incidentd.pages import Verdict
from incidentd.text import plain


@click.group()
def page() -> None:
    """Say of a page how it was; `ack`, `take`, `helping` and `escalate` are commands of their own."""


@page.command()
@click.argument("page_", metavar="PAGE-9")
@click.argument("verdict", type=click.Choice([verdict.value for verdict in Verdict]))
@asks(acts=True)
def feedback(daemon: Daemon, page_: str, verdict: str) -> None:
    """Say whether there was something to do. The report on noisy alerts rests on these words."""
    done = daemon.post(f"/api/v1/pages/{segment(page_)}/feedback", verdict=verdict)
    printed(daemon, done, f"noted of {done['id']} ({plain(done['title'])}): {verdict.replace('_', ' ')}")
