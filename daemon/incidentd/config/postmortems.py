"""The `postmortems` of the configuration: what needs one, how it is laid out and reviewed, where it is published."""

from __future__ import annotations

from pathlib import Path

from incidentd.config.names import Names
from incidentd.config.parts import Part
from incidentd.config.report import shown
from incidentd.durations import parse_duration
from incidentd.errors import Location
from incidentd.library import STANDARD, BadLayout, Layout, read_layout
from incidentd.postmortem import missing_in
from incidentd.settings import OwnLayout, PostmortemSettings
from incidentd.templates import MOST


def postmortems(part: Part, names: Names, folder: Path) -> PostmortemSettings:
    """Read how postmortems come about and what becomes of them; mistakes, in the templates too, are in the report."""
    names.refer_all("channel", part, "announce")
    names.refer_all("person", part, "manager")
    names.refer_all("person", part, "leads")
    default = PostmortemSettings()
    return PostmortemSettings(
        required_for=tuple(part.get("required_for", default.required_for)),
        long=parse_duration(part.value["long"]) if "long" in part else default.long,
        business_days=part.get("business_days", default.business_days),
        approvals=part.get("approvals", default.approvals),
        review_for=parse_duration(part.value["review_for"]) if "review_for" in part else default.review_for,
        manager=part.get("manager", ""), leads=tuple(part.get("leads", ())), remind=part.get("remind", default.remind),
        publish=folder.joinpath(part.value["publish"]) if "publish" in part else None,
        announce=tuple(part.get("announce", ())),
        layout=_layout(part["template"], folder, names) if "template" in part else STANDARD,
        layouts=tuple(_own(one, folder, names) for one in part.entries("templates")),
    )  # fmt: skip


def _own(part: Part, folder: Path, names: Names) -> OwnLayout:
    for noun in ("severity", "team"):
        if noun in part:
            names.refer(noun, part[noun])
    return OwnLayout(
        layout=_layout(part["file"], folder, names), severity=part.get("severity", ""), team=part.get("team", "")
    )


def _layout(file: Part, folder: Path, names: Names) -> Layout:
    path = folder / file.value
    try:
        with path.open("rb") as opened:
            text = opened.read(MOST).decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is not UTF-8"
        names.report.wrong(file.at, f"the template {shown(path, 500)} cannot be read", reason.lower())
        return STANDARD
    try:
        layout = read_layout(text)
    except BadLayout as error:
        names.report.wrong(Location(shown(path, 500), error.line, error.column), str(error))
        return STANDARD
    if missing := missing_in(layout):
        last = Location(shown(path, 500), len(text.splitlines()) or 1, 1)
        what = "it does not begin with {{ head }}" if missing[0] == "head" else f"it lacks the section `{missing[0]}`"
        names.report.wrong(last, what, f"write {', '.join(f'`{one}`' for one in missing)}")
        return STANDARD
    return layout
