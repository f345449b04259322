"""The operator's templates of messages: from a folder of files to templates that were tried."""

from __future__ import annotations

from pathlib import Path

from incidentd.config.parts import Part
from incidentd.config.report import Report, shown
from incidentd.errors import Location
from incidentd.messages import STYLES, TEMPLATES, BadMessage, MessageTemplate, Style, read_message, write
from incidentd.messages.samples import samples
from incidentd.templates import MOST


def templates(folder: Part, start: Path, report: Report) -> dict[Style, MessageTemplate]:
    """Read the templates of a folder, `short.txt`, `chat.txt` and `mail.txt`; one that is not there is the shipped one.

    Each is filled with facts of every kind, so that none fails when it is needed; mistakes are in the report.
    """
    where = start / folder.value
    names = {f"{style}.txt": style for style in Style}
    try:
        there = sorted(path for path in where.iterdir() if path.suffix == ".txt")
    except OSError as error:
        report.wrong(folder.at, f"the folder {shown(where, 500)} cannot be read", (error.strerror or "").lower())
        return dict(TEMPLATES)
    found = dict(TEMPLATES)
    for path in there:
        if path.name in names:
            found |= _one(path, names[path.name], folder.at, report)
        else:
            report.wrong(folder.at, f"there is no kind of message `{shown(path.name)}`", f"name it {', '.join(names)}")
    if not any(path.name in names for path in there):
        report.doubt(folder.at, f"the folder {shown(where, 500)} has no template", f"write {', '.join(names)}")
    return found


def _one(path: Path, style: Style, wanted_at: Location, report: Report) -> dict[Style, MessageTemplate]:
    try:
        with path.open("rb") as file:
            text = file.read(MOST).decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is not UTF-8"
        report.wrong(wanted_at, f"the template {shown(path, 500)} cannot be read", reason.lower())
        return {}
    try:
        template = read_message(text)
        for it in samples():
            write(it, next(kind for kind, its in STYLES.items() if its is style), {style: template})
    except BadMessage as error:
        report.wrong(Location(shown(path, 500), error.line), str(error))
        return {}
    return {style: template}
