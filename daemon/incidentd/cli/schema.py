"""`schema`: the JSON Schemas of the operator's files, for editors."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command()
@click.argument("kind", required=False)
@click.option("--all", "folder", type=click.Path(path_type=Path, file_okay=False), help="Write every schema there.")
def schema(*, kind: str | None, folder: Path | None) -> None:
    """Print the JSON Schema of a KIND of file, or of any kind of document (`incidentd`), whole in itself.

    With --all DIR every schema is written into a folder, for editors to be pointed at: incidentd.json is the one for
    files with documents of several kinds.
    """
    from incidentd.config import editors  # noqa: PLC0415 - reading files takes a while to load

    if kind is not None and folder is None:
        if kind not in editors.NAMES:
            raise click.UsageError(f"there is no kind {kind[:40]!r}; there are {', '.join(editors.NAMES)}")
        click.echo(json.dumps(editors.whole(kind), indent=2, ensure_ascii=False))
    elif folder is not None and kind is None:
        try:
            written = editors.write(folder)
        except OSError as error:
            raise click.ClickException(f"cannot write into {folder}: {error.strerror}") from None
        click.echo(f"{folder}: {len(written)} schemas")
    else:
        raise click.UsageError("give a KIND, or --all DIR")
