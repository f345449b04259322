"""Which of the files that a command names is the configuration, and what the others are."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from incidentd import config
from incidentd.cli.daemon import mistakes
from incidentd.errors import ConfigError
from incidentd.playbooks.cases import Case
from incidentd.settings import Settings
from incidentd.stories import Story


def load(config_file: Path | None, more: Sequence[Path] = (), *, instead_of: Sequence[str] = ()) -> Settings:
    """Read a configuration together with files that it does not include; exit 2 with every mistake in them.

    Those files take the place of the documents of the kinds `instead_of`.
    """
    if config_file is None and not more:
        return config.defaults(os.environ)
    try:
        return config.load(config_file, env=os.environ, more=more, instead_of=instead_of)
    except ConfigError as error:
        for problem in error.problems:
            click.echo(str(problem), err=True)
        click.echo(mistakes(len(error.problems)), err=True)
        if config_file is None:
            click.echo("no configuration was named: --config.file says where the rules and people are", err=True)
        sys.exit(2)


def sorted_out(files: Iterable[Path], config_file: Path | None) -> tuple[Path | None, list[Path]]:
    """Give the configuration among the files, and the others. Raises click.UsageError for a second configuration."""
    others = []
    for file in files:
        if not config.has_config(file):
            others.append(file)
        elif config_file is None or os.path.realpath(file) == os.path.realpath(config_file):
            config_file = file
        else:
            raise click.UsageError(f"{file} is a second configuration beside {config_file}; name one")
    return config_file, others


def stories_of(settings: Settings, files: Sequence[Path]) -> list[Story | Case]:
    """Give the stories and the cases of these files; without any file, all of them."""
    named = {os.path.realpath(file) for file in files}
    every: list[Story | Case] = [*settings.stories, *settings.cases]
    return [it for it in every if not files or it.file in named]
