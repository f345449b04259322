"""`test`: tell the stories of the rules to the engine, in simulated time, and try playbooks with their cases."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from incidentd.cli.daemon import CONFIG

if TYPE_CHECKING:
    from incidentd.playbooks.cases import Case
    from incidentd.rehearsal.telling import Told
    from incidentd.settings import Settings
    from incidentd.stories import Story

_FILES = click.Path(path_type=Path, dir_okay=False)


def _pattern(_: click.Context, __: click.Parameter, value: str | None) -> re.Pattern[str] | None:
    try:
        return None if value is None else re.compile(value)
    except re.error as error:
        raise click.BadParameter(f"{value!r} is no regular expression: {error}") from None


@click.command()
@click.argument("files", nargs=-1, type=_FILES, metavar="[FILE]...")
@click.option("--config.file", "config_file", type=CONFIG, help="The configuration whose rules are tried.")
@click.option(
    "--run",
    "only",
    callback=_pattern,
    metavar="REGEX",
    help="Only those in whose name this is found; that of a case is PLAYBOOK: NAME.",
)
@click.option("--junit", type=_FILES, metavar="FILE", help="Write the results into this file, as JUnit XML.")
@click.option("--verbose", "-v", is_flag=True, help="Show the course of each, not only of those that fail.")
def test(
    *, files: tuple[Path, ...], config_file: Path | None, only: re.Pattern[str] | None, junit: Path | None,
    verbose: bool,
) -> None:  # fmt: skip
    """Tell stories (`kind: rules_test`) to the engine of the daemon, and try playbooks with their cases
    (`kind: playbook_test`), in simulated time; nothing leaves the process.

    FILE is a configuration, whose stories and cases are told, or a file of them; those of files that are named are
    told alone. Exit code: 0 when everything went as it expects, 1 when one did not, 2 when the files hold mistakes.
    """
    from incidentd.cli import files as operators  # noqa: PLC0415 - reading files takes a while to load

    if not files and config_file is None:
        raise click.UsageError("name a configuration, or files with stories and --config.file")
    config_file, others = operators.sorted_out(files, config_file)
    settings = operators.load(config_file, others)
    stories = [it for it in operators.stories_of(settings, others) if _is_meant(it, only)]
    if not stories:
        none = "no story or case has this in its name; without --run all are told, with their names"
        click.echo(none if settings.stories or settings.cases else "there are no stories and no cases", err=True)
        sys.exit(2)
    told = asyncio.run(_told(stories, settings))
    _print(told, verbose=verbose)
    if junit is not None:
        _write(junit, told)
    sys.exit(1 if any(it.failures for it in told) else 0)


def _is_meant(it: Story | Case, only: re.Pattern[str] | None) -> bool:
    from incidentd.rehearsal import reports  # noqa: PLC0415 - as above

    return only is None or bool(only.search(it.name) or only.search(reports.whole_name(it)))


async def _told(stories: Iterable[Story | Case], settings: Settings) -> list[Told]:
    from incidentd.playbooks.cases import Case  # noqa: PLC0415 - as above
    from incidentd.rehearsal.cases import try_case  # noqa: PLC0415 - as above
    from incidentd.rehearsal.telling import tell  # noqa: PLC0415 - as above

    return [
        await (
            try_case(it, settings.playbooks[it.playbook], settings.rules, settings.playbooks.values(), settings.roster)
            if isinstance(it, Case)
            else tell(it, settings)
        )
        for it in stories
    ]


def _print(told: Sequence[Told], *, verbose: bool) -> None:
    from incidentd.rehearsal import reports  # noqa: PLC0415 - as above

    for it in told:
        for line in reports.lines([it]):
            click.echo(line)
        if verbose and not it.failures:
            for line in reports.course(it.course):
                click.echo(line)
    click.echo(reports.total(told))


def _write(file: Path, told: Sequence[Told]) -> None:
    from incidentd.rehearsal import reports  # noqa: PLC0415 - as above

    try:
        file.write_text(reports.junit(told), encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"cannot write {file}: {error.strerror}") from None
