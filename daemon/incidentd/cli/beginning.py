"""`playbook new`: the beginning of a playbook and of its cases, in two files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from incidentd.cli.client import Daemon, asks, segment
from incidentd.cli.planning import alerts_of, typed
from incidentd.rehearsal.skeleton import skeleton

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_PEOPLE = frozenset({"api", "link"})
_KINDS = {"INC": "incidents", "HOLD": "holds"}


@click.command()
@click.argument("name")
@click.argument("labels", nargs=-1, metavar="[LABEL=VALUE]...")
@click.option(
    "--alert",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file with a webhook body that was captured, instead of labels; its first alert counts.",
)
@click.option("--from", "subject", metavar="INC-12", help="An incident or hold: its alert, and a step for each note.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=Path(),
    help="Where the files go.  [default: here]",
)
@asks()
def new(
    daemon: Daemon, *, name: str, labels: tuple[str, ...], file: Path | None, subject: str | None, folder: Path
) -> None:
    """Begin a playbook: NAME.yaml and NAME_test.yaml, from an alert's labels or from what was done by hand.

    It suggests and runs nothing until you write what it does. Files that are there already are left as they are.
    Only --from asks a daemon.
    """
    if not _NAME.fullmatch(name):
        raise click.UsageError(f"{name[:80]!r} is no name: small letters, digits and hyphens")
    if sum((bool(labels), file is not None, subject is not None)) != 1:
        raise click.UsageError("give the labels of an alert, or --alert FILE, or --from INC-12")
    found, notes = _asked(daemon, subject) if subject is not None else (_given(labels, file), [])
    made = skeleton(name, found, notes)
    files = {folder / f"{name}.yaml": made.playbook, folder / f"{name}_test.yaml": made.cases}
    for path in files:
        if path.exists():
            raise click.ClickException(f"{path} is there already; choose another name or --folder")
    for path, text in files.items():
        try:
            with path.open("x", encoding="utf-8") as out:
                out.write(text)
        except OSError as error:
            raise click.ClickException(f"cannot write {path}: {error.strerror}") from None
    click.echo(f"wrote {' and '.join(map(str, files))}; `incidentd test` with your configuration tries them")


def _given(labels: tuple[str, ...], file: Path | None) -> dict[str, str]:
    alerts = typed(labels, ()) if file is None else alerts_of(file)
    first = next(alerts, None)
    if first is None:
        raise click.UsageError(f"{file} holds no alert")
    return dict(first.labels)


def _asked(daemon: Daemon, subject: str) -> tuple[dict[str, str], list[str]]:
    prefix = subject.partition("-")[0].upper()
    if prefix not in _KINDS:
        raise click.UsageError(f"{subject[:40]!r} is no incident or hold; write it like INC-12 or HOLD-7")
    path = f"/api/v1/{_KINDS[prefix]}/{segment(subject)}"
    alerts = daemon.get(path)["alerts"]
    told = daemon.get(path + "/timeline", limit=1000)["timeline"]
    return dict(alerts[0]["labels"]) if alerts else {}, [it["text"] for it in told if _by_hand(it)]


def _by_hand(entry: Mapping[str, Any]) -> bool:
    """Say whether an entry of a timeline is what somebody said about what they do."""
    return entry["kind"] == "note" or (entry["kind"] == "hold.progress" and entry["via"] in _PEOPLE)
