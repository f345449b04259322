"""`store`: look after the store's file. `check` and `backup` may be used while the daemon runs on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from incidentd.cli.daemon import CONFIG, store_url
from incidentd.errors import ConfigError, IncidentdError

if TYPE_CHECKING:
    from incidentd.settings import Settings

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.group()
def store() -> None:
    """Check, back up, restore or prune the store.

    --store or --config.file says which one; without them it is ./incidentd.db, as for `run`.
    """


def _of_store(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that name the store, and hand over its file and the settings."""

    @click.option("--store", "url", callback=store_url, help="The store: sqlite:///PATH.")
    @click.option("--config.file", "config_file", type=CONFIG, help="The store of this configuration.")
    @wraps(command)
    def found(*, url: str | None, config_file: Path | None, **others: Any) -> None:
        from incidentd.store import maintenance  # noqa: PLC0415 - the store takes half a second to load

        with _said():
            settings = _settings(url, config_file)
            command(path=maintenance.file_of(settings.store), settings=settings, **others)

    return found


def _settings(url: str | None, config_file: Path | None) -> Settings:
    from incidentd import app  # noqa: PLC0415 - as above

    try:
        return app.load(app.Options(config_file=config_file, store=url or ""))
    except ConfigError as error:
        raise click.UsageError(str(error)) from None


@contextmanager
def _said() -> Iterator[None]:
    try:
        yield
    except IncidentdError as error:
        raise click.ClickException(str(error)) from None


@store.command()
@_of_store
def check(*, path: Path, settings: Settings) -> None:
    """Look at all of the store; exit 1 and name the first thing that is wrong, and what to do about it.

    The file itself, its schema, every timeline's chain of hashes, and whether what is open will be looked at again.
    """
    from incidentd.store import maintenance  # noqa: PLC0415 - as above

    try:
        good = maintenance.check(path)
    except maintenance.Broken as error:
        raise click.ClickException(f"{path}: {error}") from None
    click.echo(f"{path}: {good}")


@store.command()
@click.argument("file", type=_FILE)
@_of_store
def backup(*, path: Path, settings: Settings, file: Path) -> None:
    """Copy the store to a new FILE, while the daemon may run: one moment of it, checked, and on the disk.

    When `check` finds something in the copy, it is kept, and this exits 1 and says what: it could not be restored.
    """
    from incidentd.store import maintenance  # noqa: PLC0415 - as above

    size = maintenance.backup(path, file)
    click.echo(f"{file}: {size} bytes, a copy of {path}")


@store.command()
@click.argument("file", type=_FILE)
@click.option("--force", is_flag=True, help="Although there is a store; it is kept beside the new one.")
@_of_store
def restore(*, path: Path, settings: Settings, file: Path, force: bool) -> None:
    """Put the backup FILE in the store's place, while no daemon runs on it."""
    from incidentd.store import maintenance  # noqa: PLC0415 - as above

    kept = maintenance.restore(path, file, force=force)
    click.echo(f"{path} is what {file} holds; what fell due since that backup is done at the next start")
    if kept is not None:
        click.echo(f"what was there is kept as {kept}")


@store.command()
@_of_store
def prune(*, path: Path, settings: Settings) -> None:
    """Remove what is over for longer than `retention` says, and give its space back, while no daemon runs.

    A running daemon does the first every hour by itself; the file keeps its size then, and the space is used again.
    """
    from incidentd import app  # noqa: PLC0415 - as above
    from incidentd.store import maintenance  # noqa: PLC0415 - as above

    before, after = maintenance.prune(path, settings.retention, app.system_clock())
    click.echo(f"{path}: {before} bytes before, {after} bytes now")
