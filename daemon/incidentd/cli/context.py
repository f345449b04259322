"""The command that shows what stands around an incident: where to look, past ones like it, silences."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import click

from incidentd.cli.client import Daemon, asks, segment
from incidentd.text import plain

_WIDE = 4000


@click.command()
@click.argument("incident", metavar="INC-12")
@asks()
def context(daemon: Daemon, incident: str) -> None:
    """Show where to look at an incident, past ones that are like it with what fixed them, and silences."""
    found = daemon.get(f"/api/v1/incidents/{segment(incident)}/context")
    if daemon.as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    for line in [*_links(found["links"]), *_similar(found["similar"]), *_silences(found["silences"])]:
        click.echo(plain(line, _WIDE))


def _links(links: list[Mapping[str, Any]]) -> Iterator[str]:
    for it in links:
        yield f"{it['kind']} of {it['what']}: {it['url']}"
    if not links:
        yield "No alert of it names a runbook, a dashboard or a query."


def _similar(found: list[Mapping[str, Any]]) -> Iterator[str]:
    for it in found:
        yield f"{it['id']} {it['severity']}, declared {it['declared_at']}: {it['title']}"
        yield f"  alike in {', '.join(it['alike_in'])}"
        if it["cause"]:
            yield f"  cause: {it['cause']}"
        yield f"  what fixed it: {it['fixed_by'] or 'nobody said'}"
        if it["playbooks"]:
            yield f"  playbooks that helped: {', '.join(it['playbooks'])}"
        for item in it["action_items"]:
            yield f"  {item['id']} ({item['state']}): {item['title']} {item['jira_url']}".rstrip()
    if not found:
        yield "No past incident is like it."


def _silences(found: list[Mapping[str, Any]] | None) -> Iterator[str]:
    if found is None:
        yield "Alertmanager does not say what is silenced."
        return
    for it in found:
        yield f"Silenced until {it['ends_at']} by {it['by']}: {it['matchers']} ({it['comment']})"
    if not found:
        yield "None of its alerts is silenced."
