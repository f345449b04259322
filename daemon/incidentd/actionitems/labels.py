"""How an item is named in the backlog: its labels, among them the one by which it is found again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC

from incidentd.actionitems.item import ActionItem
from incidentd.text import labels_line, plain

LABEL_LIMIT = 255
"""Characters in a label, of Jira's making."""
_OWN = "incidentd-ai-"
_NOT_IN_LABELS = re.compile(r"[^\w.:-]+")


def own_label(name: str) -> str:
    """Give the label by which the issue of an item, by its uuid, or of another order is found again in Jira."""
    return _tidy(f"{_OWN}{name}")


def uuid_of(labels: Iterable[str]) -> str:
    """Give the uuid of the item whose own label is among these; '' when none is."""
    return next((label.removeprefix(_OWN) for label in labels if label.startswith(_OWN)), "")


def labels_for(item: ActionItem) -> tuple[str, ...]:
    """Give the labels of an item in Jira: without blanks, each once, its own one among them."""
    made = ["incidentd", own_label(item.uuid), f"ai-type-{item.type.value}"]
    if item.subject:
        made += ["incident", item.subject.lower()]
    if item.severity:
        made += [item.severity, f"{item.severity}_{item.created_at.astimezone(UTC):%Y%m%d}"]
    return labels_with(made, item.labels)


def labels_with(made: Iterable[str], more: Iterable[str]) -> tuple[str, ...]:
    """Give labels as Jira takes them: without blanks, each once."""
    return tuple(dict.fromkeys(label for label in map(_tidy, [*made, *more]) if label))


def backlog_title(labels: Mapping[str, str], summary: str = "") -> str:
    """Name the backlog item of a `ticket` decision after its alert: `Fix what DiskFull{...} reports: 90% used`."""
    said = f": {plain(summary, 100)}" if summary.strip() else ""
    return f"Fix what {labels_line(dict(labels), 120) or 'an alert without a name'} reports{said}"


def _tidy(label: str) -> str:
    return _NOT_IN_LABELS.sub("-", plain(label, LABEL_LIMIT)).strip("-")
