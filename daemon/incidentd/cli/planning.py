"""`playbook plan`: what a playbook would do for an alert, and nothing is done or asked."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from incidentd.cli.daemon import CONFIG
from incidentd.cli.sending import pairs
from incidentd.errors import BadRequest, BodyRefused
from incidentd.rehearsal import plan as planned
from incidentd.rehearsal.plan import Asked, Plan


@click.command()
@click.argument("name")
@click.argument("labels", nargs=-1, metavar="[LABEL=VALUE]...")
@click.option("--annotation", "annotations", multiple=True, metavar="NAME=VALUE", help="An annotation; repeat it.")
@click.option(
    "--alert",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file with a webhook body that was captured, instead of labels; a plan for each of its alerts.",
)
@click.option("--config.file", "config_file", type=CONFIG, required=True, help="The configuration with the playbook.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
def plan(
    *,
    name: str,
    labels: tuple[str, ...],
    annotations: tuple[str, ...],
    file: Path | None,
    config_file: Path,
    as_json: bool,
) -> None:
    """Say what a playbook would do for an alert with these labels: every command, target and guard.

    Nothing is run, nobody is asked, and no daemon has to be there. The guards say what they would for an alert that
    begins now; for one that was captured, what they would have when it came. An alert that the playbook's `match` does
    not take is planned all the same, and the plan says so. Exit code 1 when the playbook takes no such alert, because
    an input is missing or is not what it has to be.
    """
    from incidentd.cli import files as operators  # noqa: PLC0415 - reading files takes a while to load
    from incidentd.playbooks.scopes import NotRunnable  # noqa: PLC0415 - as above

    if file is not None and (labels or annotations):
        raise click.UsageError("give the labels of an alert or --alert, not both")
    settings = operators.load(config_file)
    one = settings.playbooks.get(name)
    if one is None:
        listed = ", ".join(sorted(settings.playbooks)) or "none at all"
        raise click.UsageError(f"there is no playbook {name}; there is {listed}")
    plans: list[Plan | str] = []
    for asked in typed(labels, annotations) if file is None else alerts_of(file):
        try:
            plans.append(planned.plan(one, settings, asked))
        except NotRunnable as no:
            plans.append(str(no))
    _print(name, plans, as_json=as_json)
    sys.exit(not any(isinstance(it, Plan) for it in plans))


def typed(labels: tuple[str, ...], annotations: tuple[str, ...]) -> Iterator[Asked]:
    """Give the alert that was typed, as one that begins now."""
    from incidentd import app  # noqa: PLC0415 - it takes a while to load

    now = app.system_clock()()
    yield Asked(labels=pairs(labels), annotations=pairs(annotations), starts_at=now, now=now)


def alerts_of(file: Path) -> Iterator[Asked]:
    """Give the alerts of a webhook body that was captured. Raises click.UsageError when it is none."""
    from incidentd.alerts import AlertStatus, parse_group  # noqa: PLC0415 - it takes a while to load
    from incidentd.rehearsal.captured import captured  # noqa: PLC0415 - as above

    try:
        for body in captured(file):
            for alert in parse_group(body.body).alerts:
                yield Asked(
                    labels=alert.labels, annotations=alert.annotations, starts_at=alert.starts_at or body.at,
                    firing=alert.status is AlertStatus.FIRING, now=body.at,
                )  # fmt: skip
    except (BadRequest, BodyRefused) as error:
        raise click.UsageError(f"{file} holds no webhook body: {error}") from None


def _print(name: str, plans: list[Plan | str], *, as_json: bool) -> None:
    if as_json:
        found = [
            it.data() if isinstance(it, Plan) else {"playbook": name, "taken": False, "reason": it} for it in plans
        ]
        click.echo(json.dumps({"plans": found}, indent=2))
        return
    for number, it in enumerate(plans):
        if isinstance(it, Plan):
            click.echo("\n".join(["", *it.lines()] if number else it.lines()))
        else:
            click.echo(f"{name} does not take this alert: {it}", err=True)
