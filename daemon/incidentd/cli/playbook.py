"""`playbook`: prove playbooks, say what one would do, and have a running daemon run, stop and switch them off."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from incidentd.cli import operating
from incidentd.cli.daemon import CONFIG
from incidentd.cli.sending import pairs
from incidentd.text import count

_FILES = click.Path(path_type=Path, dir_okay=False)


@click.group()
def playbook() -> None:
    """Prove playbooks, look at what they would do, and run, stop and switch them off."""


for _command in (
    operating.run, operating.disable, operating.enable, operating.stop, operating.listed, operating.show,
    operating.runs,
):  # fmt: skip
    playbook.add_command(_command)


@playbook.command()
@click.argument("files", nargs=-1, type=_FILES, metavar="FILE...", required=True)
@click.option("--config.file", "config_file", type=CONFIG, help="The configuration that the playbooks belong to.")
def check(*, files: tuple[Path, ...], config_file: Path | None) -> None:
    """Prove playbooks and their cases; exit 2 and list every mistake when there is any.

    FILE is a configuration, with all that it includes, or a file of playbooks. Templates, conditions, queries, inputs
    and calls are looked at, and nothing is run.
    """
    from incidentd.cli import files as operators  # noqa: PLC0415 - reading files takes a while to load

    config_file, others = operators.sorted_out(files, config_file)
    settings = operators.load(config_file, others)
    tried = {case.playbook for case in settings.cases}
    for one in settings.playbooks.values():
        if one.name not in tried:
            click.echo(f"{one.at}: warning: {one.name} has no cases (write a `kind: playbook_test` for it)", err=True)
    found = f"{count(len(settings.playbooks), 'playbook')}, {count(len(settings.cases), 'case')}"
    click.echo(f"good: {found}; `incidentd test` tries them")


@playbook.command()
@click.argument("name")
@click.argument("labels", nargs=-1, metavar="LABEL=VALUE...")
@click.option("--annotation", "annotations", multiple=True, metavar="NAME=VALUE", help="An annotation; repeat it.")
@click.option("--config.file", "config_file", type=CONFIG, required=True, help="The configuration with the playbook.")
def plan(*, name: str, labels: tuple[str, ...], annotations: tuple[str, ...], config_file: Path) -> None:
    """Say what a playbook would do for an alert with these labels: every command, target and guard.

    Nothing is run, nobody is asked, and no daemon has to be there. Exit code 1 when the playbook does not take such an
    alert, because an input is missing or is not what it has to be.
    """
    from incidentd import app  # noqa: PLC0415 - as above
    from incidentd.cli import files as operators  # noqa: PLC0415 - as above
    from incidentd.playbooks.scopes import NotRunnable  # noqa: PLC0415 - as above
    from incidentd.rehearsal import plan as planning  # noqa: PLC0415 - as above

    settings = operators.load(config_file)
    one = settings.playbooks.get(name)
    if one is None:
        raise click.UsageError(f"there is no playbook {name}; there is {_listed(list(settings.playbooks))}")
    try:
        for line in planning.plan(
            one, settings.automation, labels=pairs(labels), annotations=pairs(annotations), now=app.system_clock()()
        ):
            click.echo(line)
    except NotRunnable as no:
        click.echo(f"{name} does not take this alert: {no}", err=True)
        sys.exit(1)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(sorted(names)) or "none at all"
