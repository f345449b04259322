"""Maintenance windows: from documents to values."""

from __future__ import annotations

from incidentd.config import values
from incidentd.config.matching import matchers
from incidentd.config.parts import Part
from incidentd.config.report import Report
from incidentd.config.tree import Tree
from incidentd.rules import Maintenance


def windows(tree: Tree, report: Report) -> tuple[Maintenance, ...]:
    """Read the windows of all files, in their order."""
    return tuple(
        _window(part, report) for document in tree.documents["maintenance"] for part in document.entries("windows")
    )


def _window(part: Part, report: Report) -> Maintenance:
    zone = part.get("time_zone", "UTC")
    begins, ends = values.beginning(part.value["from"], zone), values.ending(part.value["until"], zone)
    if ends <= begins:
        report.wrong(part["until"].at, "the window ends before it begins", "write an `until` after its `from`")
    return Maintenance(
        name=part.value["name"], match=matchers(part, report), begins=begins, ends=ends,
        because=part.get("because", ""), at=part.at,
    )  # fmt: skip
