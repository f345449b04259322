"""`replay`: what the rules, and changed ones, would have made of what really happened."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from incidentd.cli.daemon import CONFIG, store_url
from incidentd.durations import parse_duration
from incidentd.errors import IncidentdError
from incidentd.text import count, instant, iso

if TYPE_CHECKING:
    from incidentd.rehearsal.replay import Replayed
    from incidentd.settings import Settings
    from incidentd.store.history import Received

_PATH = click.Path(path_type=Path)
_FILE = click.Path(path_type=Path, dir_okay=False)


def _duration(_: click.Context, __: click.Parameter, value: str | None) -> timedelta | None:
    if value is None or value == "never":
        return None
    try:
        return parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command()
@click.argument("bodies", nargs=-1, type=_PATH, metavar="[BODIES]...")
@click.option("--config.file", "config_file", type=CONFIG, help="The present configuration.")
@click.option(
    "--rules",
    "rules",
    type=_FILE,
    multiple=True,
    help="Changed rules in the place of the present ones, or a whole changed configuration; repeat it for more files.",
)
@click.option("--store", "url", callback=store_url, help="Whose history; the configuration's store, if not said.")
@click.option("--since", callback=_duration, metavar="DURATION", help="Only so much of it, counted from its end.")
@click.option(
    "--answered-after",
    "answered_after",
    default="0s",
    show_default=True,
    callback=_duration,
    metavar="DURATION",
    help="How long people take to answer each page; `never`: nobody answers.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
def replay(
    *, bodies: tuple[Path, ...], config_file: Path | None, rules: tuple[Path, ...], url: str | None,
    since: timedelta | None, answered_after: timedelta | None, as_json: bool,
) -> None:  # fmt: skip
    """Replay what was received through the present rules, and through --rules, and say what differs.

    BODIES are captured webhook bodies: folders of *.json, or *.jsonl whose lines have `at`, `source` and `body`.
    Without any, the history of a store is read; a daemon may be running on it. Nothing leaves the process.
    """
    from incidentd.cli import files  # noqa: PLC0415 - reading files takes a while to load

    present = files.load(config_file)
    changed = _changed(config_file, rules) if rules else None
    history = _history(bodies, url, present, since)
    before = asyncio.run(_replayed(history, present, answered_after))
    after = asyncio.run(_replayed(history, changed, answered_after)) if changed else None
    say = _say_json if as_json else _say
    say(history, before, after)


def _changed(config_file: Path | None, rules: Sequence[Path]) -> Settings:
    from incidentd.cli import files  # noqa: PLC0415 - as above
    from incidentd.rules import CATCH_ALL  # noqa: PLC0415 - as above

    whole, others = files.sorted_out(rules, None)
    if whole is not None:
        return files.load(whole, others)
    changed = files.load(config_file, others, instead_of=("rules", "rules_test"))
    if CATCH_ALL in changed.rules:
        named = ", ".join(str(path) for path in others)
        raise click.UsageError(f"there are no rules in {named} to stand in the place of the present ones")
    return changed


def _history(bodies: Sequence[Path], url: str | None, present: Settings, since: timedelta | None) -> list[Received]:
    from incidentd.rehearsal.captured import captured  # noqa: PLC0415 - as above
    from incidentd.store.history import received  # noqa: PLC0415 - as above

    try:
        if bodies:
            found = sorted((it for path in bodies for it in captured(path)), key=lambda it: it.at)
        else:
            found = received(url or present.store, password=present.store_password)
    except IncidentdError as error:
        raise click.ClickException(str(error)) from None
    if not found:
        raise click.ClickException("nothing was ever received")
    return found if since is None else [it for it in found if it.at >= found[-1].at - since]


async def _replayed(history: Sequence[Received], settings: Settings, answered_after: timedelta | None) -> Replayed:
    from incidentd.rehearsal.replay import replay as told  # noqa: PLC0415 - as above

    return await told(history, settings, answered_after=answered_after)


def _say(history: Sequence[Received], before: Replayed, after: Replayed | None) -> None:
    from incidentd.rehearsal import difference  # noqa: PLC0415 - as above

    span = f"from {instant(history[0].at)} to {instant(history[-1].at)}"
    click.echo(f"{_count(len(history))} {span}, {count(len(before.fates), 'firing')} of alerts.")
    if before.refused:
        click.echo(f"{before.refused} of them could not be read and were left out.")
    click.echo("")
    for line in difference.table(before, after, ("present", "changed")):
        click.echo(line)
    if after is None:
        return
    found = difference.differences(before, after)
    for line in difference.lines(found):
        click.echo(line)
    if not found:
        click.echo("\nNothing differs.")


def _count(number: int) -> str:
    return "1 delivery" if number == 1 else f"{number} deliveries"


def _say_json(history: Sequence[Received], before: Replayed, after: Replayed | None) -> None:
    from incidentd.rehearsal import difference  # noqa: PLC0415 - as above

    counted: Callable[[Replayed], dict[str, int]] = lambda it: {what: getattr(it, what) for what in difference.COUNTED}  # noqa: E731
    said: dict[str, Any] = {
        "deliveries": len(history), "refused": before.refused, "from": iso(history[0].at), "until": iso(history[-1].at),
        "firings": len(before.fates), "present": counted(before),
    }  # fmt: skip
    if after is not None:
        found = difference.differences(before, after)
        said |= {"changed": counted(after), "differences": difference.as_data(found)}
    click.echo(json.dumps(said, indent=2, ensure_ascii=False))
