"""`token`: who may talk to the daemon. Asked of a running one, or written into the store while none runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from incidentd.cli.client import Daemon, asks, printed
from incidentd.cli.daemon import CONFIG, store_url
from incidentd.cli.looking import table

if TYPE_CHECKING:
    from incidentd.cli.direct import Place

_FIRST = (
    "From now on every request needs a token, alerts too: give Alertmanager one with the scope ingest:SOURCE, "
    "in http_config.authorization.credentials_file."
)
_NO_ADMIN = "No token has the scope admin; until one has, tokens are made with --store while no daemon runs on it."


@click.group()
def token() -> None:
    """Make, list and revoke tokens.

    With --store or --config.file the store is written directly, which works while no daemon runs on it.
    """


def _where(command: Callable[..., None]) -> Callable[..., None]:
    command = click.option(
        "--store", callback=store_url, help="Write into this store: sqlite:///PATH or postgresql://..."
    )(command)
    return click.option("--config.file", "config_file", type=CONFIG, help="Write into the store of this file.")(command)


def _direct(store: str | None, config_file: Path | None) -> Place | None:
    if store is None and config_file is None:
        return None
    from incidentd.cli import direct  # noqa: PLC0415 - the store takes half a second to load

    if store is not None:
        return direct.Place(store)
    return direct.store_of(config_file) if config_file is not None else None


@token.command("create")
@click.argument("name")
@click.option(
    "--scope", "scopes", multiple=True, required=True,
    help="viewer, responder, commander, operator, admin or ingest:SOURCE; repeat it for several.",
)  # fmt: skip
@_where
@asks()
def create(daemon: Daemon, name: str, scopes: tuple[str, ...], store: str | None, config_file: Path | None) -> None:
    """Make a token called NAME, and print it: the only time that it is shown."""
    if place := _direct(store, config_file):
        from incidentd.cli import direct  # noqa: PLC0415 - as above

        made, others = direct.make_token(place, name, scopes)
    else:
        made = daemon.post("/api/v1/tokens", name=name, scopes=list(scopes))
        others = [{"scopes": ["admin"]}] if daemon.token else []  # without a token it was let in because there was none
    if daemon.as_json:
        click.echo(json.dumps(made))
        return
    click.echo(made["token"])
    click.echo(f"token {made['id']} for {made['name']}: {', '.join(made['scopes'])}; it is shown only now", err=True)
    if not others:
        click.echo(_FIRST, err=True)
    if not any("admin" in it["scopes"] for it in [made, *others]):
        click.echo(_NO_ADMIN, err=True)


@token.command("list")
@_where
@asks()
def list_tokens(daemon: Daemon, store: str | None, config_file: Path | None) -> None:
    """List the tokens; their secrets are nowhere to be had."""
    if place := _direct(store, config_file):
        from incidentd.cli import direct  # noqa: PLC0415 - as above

        found = direct.list_tokens(place)
    else:
        found = daemon.get("/api/v1/tokens")["tokens"]
    if daemon.as_json:
        click.echo(json.dumps({"tokens": found}, indent=2))
        return
    rows = [(it["id"], it["name"], ", ".join(it["scopes"]), it["created_at"], it["revoked_at"]) for it in found]
    table(("ID", "NAME", "SCOPES", "CREATED", "REVOKED"), rows, "There is no token.")


@token.command("revoke")
@click.argument("token_id", metavar="ID", type=click.IntRange(min=1))
@_where
@asks()
def revoke(daemon: Daemon, token_id: int, store: str | None, config_file: Path | None) -> None:
    """Make the token ID worthless."""
    if place := _direct(store, config_file):
        from incidentd.cli import direct  # noqa: PLC0415 - as above

        gone = direct.revoke_token(place, token_id)
    else:
        gone = daemon.told("DELETE", f"/api/v1/tokens/{token_id}")
    printed(daemon, gone, f"token {gone['id']} of {gone['name']} is revoked")
