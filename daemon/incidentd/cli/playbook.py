"""`playbook`: prove playbooks, say what one would do, begin a new one, and run, stop and switch them off."""

from __future__ import annotations

from pathlib import Path

import click

from incidentd.cli import beginning, operating, planning
from incidentd.cli.daemon import CONFIG, prove_the_rest
from incidentd.text import count

_FILES = click.Path(path_type=Path, dir_okay=False)


@click.group()
def playbook() -> None:
    """Prove playbooks, look at what they would do, begin a new one, and run, stop and switch them off."""


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
    prove_the_rest(config_file or files[0], settings)
    tried = {case.playbook for case in settings.cases}
    for one in settings.playbooks.values():
        if one.name not in tried:
            click.echo(f"{one.at}: warning: {one.name} has no cases (write a `kind: playbook_test` for it)", err=True)
    found = f"{count(len(settings.playbooks), 'playbook')}, {count(len(settings.cases), 'case')}"
    click.echo(f"good: {found}; `incidentd test` tries them")


for _command in (
    planning.plan, beginning.new, operating.run, operating.disable, operating.enable, operating.stop, operating.listed,
    operating.show, operating.runs,
):  # fmt: skip
    playbook.add_command(_command)
