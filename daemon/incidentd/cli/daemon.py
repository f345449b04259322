"""`run` and `check`: the two commands that need no running daemon."""

from __future__ import annotations

import contextlib
import gc
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from incidentd.errors import ConfigError
from incidentd.settings import Settings

_ADDRESS = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]*):[0-9]{1,5}")
CONFIG = click.Path(path_type=Path, dir_okay=False)
_WEB_CONFIG = click.option(
    "--web.config.file", "web_config_file", type=CONFIG, help="TLS of the listener, in the format of Prometheus."
)
STORE = "Where to remember everything: sqlite:///PATH, or postgresql://USER@HOST:PORT/DATABASE for several replicas."


def _address(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value is not None and not (_ADDRESS.fullmatch(value) and int(value.rpartition(":")[2]) < 65536):
        raise click.BadParameter(f"{value!r} is not HOST:PORT, for example 127.0.0.1:9720")
    return value


def _web_url(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value is not None and not re.fullmatch(r"https?://[^/?#\s]+(?:/[^?#\s]*)?", value):
        raise click.BadParameter(f"{value!r} is not the address of a site, for example https://incidentd.example.org")
    return value


def store_url(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """Check a store's URL."""
    if value is None:
        return None
    from incidentd.config import values  # noqa: PLC0415 - reading files takes a while to load

    try:
        return values.store(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """Load modules without looking for garbage among them: there is none, and looking is a fifth of a start."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@click.command()
@click.option("--config.file", "config_file", type=CONFIG, help="The operator's configuration.")
@_WEB_CONFIG
@click.option("--web.listen-address", "listen", callback=_address, help="HOST:PORT to listen on.")
@click.option("--web.external-url", "external_url", callback=_web_url, help="Where people reach it; links start so.")
@click.option("--store", callback=store_url, help=STORE)
@click.option("--log.level", "log_level", type=click.Choice(["debug", "info", "warning", "error"]), default="info")
@click.option("--log.format", "log_format", type=click.Choice(["json", "text"]), default="json", show_default=True)
def run(
    *, config_file: Path | None, web_config_file: Path | None, listen: str | None, external_url: str | None,
    store: str | None, log_level: str, log_format: str,
) -> None:  # fmt: skip
    """Run the daemon in the foreground.

    Works without any file: it listens on 127.0.0.1:9720, remembers in ./incidentd.db, and holds every alert.
    """
    with loading():
        from incidentd import app  # noqa: PLC0415 - the doors take a second to load, and the other commands need none

    sys.exit(
        app.run(
            config_file=config_file, web_config_file=web_config_file, listen=listen, external_url=external_url,
            store=store, log_format=log_format, log_level=log_level,
        )
    )  # fmt: skip


@click.command()
@click.argument("file", type=CONFIG)
@_WEB_CONFIG
@click.option("--alertmanager", callback=_web_url, help="Ask this running Alertmanager too, and warn of its traps.")
@click.option("--receiver", default="", help="Which of its receivers leads to incidentd, where that is not plain.")
def check(*, file: Path, web_config_file: Path | None, alertmanager: str | None, receiver: str) -> None:
    """Prove a configuration with everything it includes; exit 2 and list every mistake when there is any.

    With --alertmanager, the running configuration of that Alertmanager is looked at too: intervals that make incidentd
    hear too late, resolves that are not sent, groups that are cut, routes that lead nowhere.
    """
    with loading():
        from incidentd import app  # noqa: PLC0415 - as above

    try:
        settings = app.load(app.Options(config_file=file, web_config_file=web_config_file))
    except ConfigError as error:
        for problem in error.problems:
            click.echo(str(problem), err=True)
        click.echo(f"{file}: {mistakes(len(error.problems))}; mend and check again, as some show only then", err=True)
        sys.exit(2)
    prove_the_rest(file, settings)
    click.echo(f"{file}: good: {app.summary(settings)}")
    for person in settings.roster.people.values():
        kinds = ", ".join(channel.kind for channel in person.channels)
        click.echo(f"  {person.handle}: {kinds or 'no channel: pages go to the log'}")
    if alertmanager is not None:
        from incidentd.cli.traps import warn_of_traps  # noqa: PLC0415 - as above

        warn_of_traps(settings, alertmanager, receiver)


def prove_the_rest(file: Path, settings: Settings) -> None:
    """Say what is doubtful in files that can be read; exit 2 where a channel's address is none."""
    _refuse_addresses(file, settings)
    for warning in settings.warnings:
        click.echo(
            f"{warning.at}: warning: {warning.message}" + (f" ({warning.hint})" if warning.hint else ""), err=True
        )


def _refuse_addresses(file: Path, settings: Settings) -> None:
    """Exit 2 and name the channels whose address nothing can be sent to; an address is a secret and is not shown."""
    from incidentd.notify import problems  # noqa: PLC0415 - as above

    channels = settings.all_channels()
    unknown = problems(channels)
    for name in unknown:
        click.echo(
            f"{channels[name].at or file}: the address of the channel `{name}` is none that Apprise understands "
            "(correct what it is read from; https://appriseit.com/services/ has the addresses)", err=True,
        )  # fmt: skip
    if unknown:
        click.echo(f"{file}: {mistakes(len(unknown))}", err=True)
        sys.exit(2)


def mistakes(number: int) -> str:
    """Count mistakes."""
    return "1 mistake" if number == 1 else f"{number} mistakes"
