"""What an action item is in Jira: its fields, its labels, and strangers' words made inert for Jira's wiki markup."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from incidentd.actionitems import ActionItem, JiraSettings, labels_for, own_label
from incidentd.text import plain

SUMMARY_LIMIT = 255  # Jira's own
TEXT_LIMIT = 32_000  # Jira's default is 32,767 characters for a text field
NEEDS_OWNER = "needs-owner"
_PRIORITY_NAMES = {"P0": "Highest", "P1": "High", "P2": "Medium", "P3": "Low"}
"""The names that Jira ships with; where they are called otherwise, `fields: {priority: {name: ...}}` wins."""
OPTIONAL = frozenset({"assignee", "priority", "duedate"})
"""Fields that an issue can do without; each is said in the description too."""

# Only what a link needs: no braces, brackets or bars (macros, links, tables), no user part before an @.
_URL = re.compile(r"(https?://[A-Za-z0-9.:/_~%?=&#+,;$-]+)")
# What Jira's renderer takes a backslash before; a hyphen or underscore inside a word is no markup and stays readable.
_MARKUP = re.compile(r"(?<![A-Za-z0-9])[-_]|[-_](?![A-Za-z0-9])|[#*+?^~|%{}\[\]()!@]")
# A backslash before anything but a letter, digit or blank would undo the escape that follows it.
_BACKSLASH = re.compile(r"\\(?![A-Za-z0-9 ])")
_BLOCK = re.compile(r"^(\s*)(h[1-6]|bq)\.", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An issue that is about to be created, and what Jira would not take of it."""

    fields: dict[str, Any]
    left_out: tuple[str, ...] = ()


def wiki(value: str, limit: int = TEXT_LIMIT) -> str:
    """Make a stranger's text inert inside Jira's wiki markup; lines stay lines, http and https links stay links."""
    lines = (plain(line, limit) for line in well_formed(value).splitlines())
    text = "\n".join(_line(line) for line in lines)
    return text if len(text) <= limit else text[: limit - 1].rstrip("\\") + "…"


def well_formed(value: str) -> str:
    """Take out lone surrogates, which JSON may bring in and no UTF-8 can carry out."""
    return value.encode("utf-8", "replace").decode("utf-8")


def same_label(uuid: str) -> str:
    """Write the query that finds an item's issue."""
    return f'labels = "{own_label(uuid)}" ORDER BY created ASC'


def draft(item: ActionItem, settings: JiraSettings, *, cloud: bool, assignee: str, context: str) -> Draft:
    """Map an item onto Jira's fields; the operator's own `fields` win over everything but the labels."""
    labels = list(labels_for(item))
    fields: dict[str, Any] = {
        "project": {"key": settings.projects.get(item.team) or settings.project},
        "issuetype": {"name": settings.issue_type},
        "summary": summary(item),
        "description": description(item, context),
    }
    if item.priority in _PRIORITY_NAMES:
        fields["priority"] = {"name": _PRIORITY_NAMES[item.priority]}
    if item.due:
        fields["duedate"] = item.due.isoformat()
    if assignee:
        fields["assignee"] = {"accountId": assignee} if cloud else {"name": assignee}
    else:
        labels.append(NEEDS_OWNER)
    if settings.epic and cloud:
        fields["parent"] = {"key": settings.epic}
    fields |= settings.fields
    own = fields.get("labels")
    fields["labels"] = list(dict.fromkeys([*labels, *(own if isinstance(own, list) else ())]))
    return Draft(fields=fields)


def without(before: Draft, names: list[str], item: ActionItem) -> Draft:
    """Leave out optional fields that Jira refused, and say them as labels instead."""
    said = {
        "assignee": NEEDS_OWNER,
        "priority": f"priority-{item.priority.lower()}",
        "duedate": f"due-{item.due.isoformat() if item.due else 'none'}",
    }
    fields = {name: value for name, value in before.fields.items() if name not in names}
    fields["labels"] = list(dict.fromkeys([*before.fields["labels"], *(said[name] for name in names)]))
    return Draft(fields=fields, left_out=(*before.left_out, *names))


def summary(item: ActionItem) -> str:
    """Write the issue's one line: `[INC-123] Add ...`, or the bare title of a `ticket` decision's backlog item."""
    subject = f"[{item.subject}] " if item.subject else ""
    return plain(subject + well_formed(item.title), SUMMARY_LIMIT)


def description(item: ActionItem, context: str) -> str:
    """Write the issue's text: what to do, then where it comes from and every fact that a field may fail to hold."""
    facts = [
        ("Incident", item.subject),
        ("Action item", item.key),
        ("Type", item.type.value),
        ("Priority", item.priority),
        ("Owner", item.owner),
        ("Team", item.team),
        ("Due", item.due.isoformat() if item.due else ""),
        ("Severity", item.severity),
        ("Alerts", item.correlation_key),
    ]
    listed = "\n".join(f"* {name}: {wiki(value, 500)}" for name, value in facts if value)
    body = wiki(item.description, TEXT_LIMIT // 2)
    return "\n\n".join(part for part in (body, wiki(context, TEXT_LIMIT // 4), listed) if part)


def _line(line: str) -> str:
    # split() with one group alternates: text, link, text, link, ...
    parts = _URL.split(line)
    parts[::2] = (_MARKUP.sub(r"\\\g<0>", _BACKSLASH.sub("\N{REVERSE SOLIDUS OPERATOR}", part)) for part in parts[::2])
    # a heading or a quote is made by the start of the line alone
    return _BLOCK.sub("\\1\\2\N{ZERO WIDTH SPACE}.", "".join(parts))
