"""`send`: an alert by hand, to see what the rules make of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from incidentd.cli.client import Daemon, asks, printed, segment


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path, allow_dash=True, dir_okay=False))
@click.option("--source", default="default", show_default=True, help="The source that it comes from.")
@click.option("--label", "-l", "labels", multiple=True, metavar="NAME=VALUE", help="A label of the alert; repeat it.")
@click.option("--annotation", "annotations", multiple=True, metavar="NAME=VALUE", help="An annotation; repeat it.")
@click.option("--resolved", is_flag=True, help="Say that the alert is over.")
@asks()
def send(
    daemon: Daemon,
    *,
    file: Path | None,
    source: str,
    labels: tuple[str, ...],
    annotations: tuple[str, ...],
    resolved: bool,
) -> None:
    """Send an alert as Alertmanager would: FILE (or - for standard input) as it is, or one made of --label.

    incidentd send --label alertname=WorkerStuck --label instance=w-3
    """
    if (file is None) == (not labels):
        raise click.UsageError("give a FILE with a webhook body (or -), or one or more --label NAME=VALUE")
    body = _read(file) if file is not None else _made(pairs(labels), pairs(annotations), resolved=resolved)
    answer = daemon.told("POST", f"/api/v1/alertmanager/{segment(source)}", body)
    printed(daemon, answer, "stored; `incidentd holds` and `incidentd incidents` show what comes of it")


def _read(file: Path) -> bytes:
    if str(file) == "-":
        return sys.stdin.buffer.read()
    try:
        return file.read_bytes()
    except OSError as error:
        raise click.UsageError(f"cannot read {file}: {error.strerror}") from None


def _made(labels: dict[str, str], annotations: dict[str, str], *, resolved: bool) -> bytes:
    status = "resolved" if resolved else "firing"
    alert: dict[str, Any] = {"status": status, "labels": labels, "annotations": annotations}
    name = labels.get("alertname", "")
    body = {
        "version": "4", "receiver": "incidentd-send", "status": status, "alerts": [alert],
        "groupKey": f"{{}}:{{alertname={json.dumps(name)}}}", "groupLabels": {"alertname": name}, "truncatedAlerts": 0,
    }  # fmt: skip
    return json.dumps(body).encode()


def pairs(given: Iterable[str]) -> dict[str, str]:
    """Read what is given as NAME=VALUE."""
    found = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise click.UsageError(f"{text!r} is not NAME=VALUE")
        found[name] = value
    return found
