"""`postmortem search`, `postmortem tag`, `postmortem tags`: find what was learned before."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import click

from incidentd.cli.client import Daemon, asks, printed, segment
from incidentd.cli.looking import table
from incidentd.text import plain


@click.command()
@click.argument("words", nargs=-1)
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="With this tag or one below it; repeat it.")
@click.option("--drafts", is_flag=True, help="Look in drafts too; a responder may.")
@click.option("--limit", type=click.IntRange(1, 50), default=10, show_default=True, help="At most so many.")
@asks()
def search(daemon: Daemon, *, words: tuple[str, ...], tags: tuple[str, ...], drafts: bool, limit: int) -> None:
    """Find postmortems that have all of these words, the best first.

    A word finds what begins with it; "words in quotes" stand together. Without words the newest are listed.
    """
    asked = [("q", " ".join(words)), *(("tag", one) for one in tags), ("limit", str(limit))]
    if drafts:
        asked.append(("state", "all"))
    found = daemon.told("GET", f"/api/v1/postmortems/search?{urlencode(asked)}")
    if daemon.as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    for it in found["postmortems"]:
        _print(it)
    if not found["postmortems"]:
        click.echo("No postmortem has all of these.")


def _print(it: dict[str, Any]) -> None:
    standing = "draft" if it["state"] == "draft" else f"published {it['at'][:10]}"
    about = ", ".join(plain(str(one)) for one in (it["severity"], it["service"], standing, *it["tags"]) if one)
    click.echo(f"{it['incident']}  {plain(it['title'])}  ({about})")
    if text := "".join(part["text"] for part in it["snippet"]):
        click.echo(f"    {plain(text)}")


@click.command()
@click.argument("incident", metavar="INC-12")
@click.argument("tags", nargs=-1, metavar="[TAG...]")
@click.option("--remove", is_flag=True, help="Take these tags away.")
@asks(acts=True)
def tag(daemon: Daemon, *, incident: str, tags: tuple[str, ...], remove: bool) -> None:
    """Tag a postmortem: free words in a hierarchy, like cause:network:switch."""
    if not tags:
        raise click.UsageError("give at least one tag, like cause:network:switch")
    given = {"remove" if remove else "add": list(tags)}
    done = daemon.post(f"/api/v1/incidents/{segment(incident)}/postmortem/tags", **given)
    printed(daemon, done, f"{done['incident']} has {', '.join(done['tags']) or 'no tag'}")


@click.command("tags")
@asks()
def all_tags(daemon: Daemon) -> None:
    """List all tags, each with the number of postmortems that have it or one below it."""
    found = daemon.get("/api/v1/postmortems/tags")
    if daemon.as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    rows = [(it["tag"], str(it["postmortems"])) for it in found["tags"]]
    table(("TAG", "POSTMORTEMS"), rows, "No postmortem has a tag.")


COMMANDS = (search, tag, all_tags)
