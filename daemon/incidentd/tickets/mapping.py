"""What is filed, as Jira has it: its fields, its labels, and strangers' words made inert for Jira's wiki markup."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from incidentd.actionitems import ActionItem, ItemSource, JiraSettings, labels_for, labels_with, own_label
from incidentd.playbooks.errands import SUMMARY_LIMIT, TicketOrder
from incidentd.text import plain
from incidentd.tickets.markup import from_markdown, inert, well_formed

TEXT_LIMIT = 32_000  # Jira's default is 32,767 characters for a text field
NEEDS_OWNER = "needs-owner"
_PRIORITY_NAMES = {"P0": "Highest", "P1": "High", "P2": "Medium", "P3": "Low"}
"""The names that Jira ships with; where they are called otherwise, `jira.priorities` says how."""
OPTIONAL = frozenset({"assignee", "priority", "duedate", "components"})
"""Fields that an issue can do without; each is said in the description too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An issue that is about to be created, and what Jira would not take of it."""

    fields: dict[str, Any]
    left_out: tuple[str, ...] = ()


def wiki(value: str, limit: int = TEXT_LIMIT) -> str:
    """Make a stranger's text inert inside Jira's wiki markup; lines stay lines, http and https links stay links."""
    lines = (plain(line, limit) for line in well_formed(value).splitlines())
    text = "\n".join(inert(line) for line in lines)
    return text if len(text) <= limit else text[: limit - 1].rstrip("\\") + "…"


def same_label(name: str) -> str:
    """Write the query that finds an item's issue."""
    return f'labels = "{own_label(name)}" ORDER BY created ASC'


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What has to be known of the Jira that is spoken to."""

    cloud: bool
    """Jira Cloud, not Data Center."""
    priorities: Mapping[str, str] = field(default_factory=dict)
    """The ids of its priorities by their names in small letters; none when it would not say."""


def draft(item: ActionItem, settings: JiraSettings, known: Known, *, assignee: str, context: str) -> Draft:
    """Map an item onto Jira's fields; the operator's own `fields` win over everything but the labels."""
    labels = list(labels_for(item))
    fields: dict[str, Any] = {
        "project": {"key": settings.projects.get(item.team) or settings.project},
        "issuetype": {"name": settings.issue_types.get(item.type.value, settings.issue_type)},
        "summary": summary(item),
        "description": description(item, context),
    }
    lacks: list[str] = []
    if (name := settings.priorities.get(item.priority) or _PRIORITY_NAMES.get(item.priority)) is not None:
        if name.lower() in known.priorities:
            fields["priority"] = {"id": known.priorities[name.lower()]}
        elif known.priorities:
            lacks.append("priority")
        else:
            fields["priority"] = {"name": name}
    if item.due:
        fields["duedate"] = item.due.isoformat()
    if item.service and settings.service_field:
        by_name = settings.service_field == "components"
        fields[settings.service_field] = [{"name": item.service}] if by_name else item.service
    if assignee:
        fields["assignee"] = {"accountId": assignee} if known.cloud else {"name": assignee}
    else:
        labels.append(NEEDS_OWNER)
    return without(_as_configured(fields, labels, settings, cloud=known.cloud), lacks, item)


def draft_of_order(wanted: TicketOrder, settings: JiraSettings, known: Known, *, context: str) -> Draft:
    """Map what a playbook's step ordered onto Jira's fields, as `draft` does for an item."""
    of_team = next((settings.projects[team] for team in wanted.teams if team in settings.projects), "")
    facts = (
        ("From", wanted.subject),
        ("Playbook", f"{wanted.playbook} ({wanted.run})"),
        ("Target", wanted.target),
        ("Team", ", ".join(wanted.teams)),
    )
    body = (wiki(wanted.description, TEXT_LIMIT // 2), wiki(context, TEXT_LIMIT // 4), _listed(facts))
    fields: dict[str, Any] = {
        "project": {"key": wanted.project or of_team or settings.project},
        "issuetype": {"name": settings.issue_type},
        "summary": plain(well_formed(wanted.summary), SUMMARY_LIMIT),
        "description": "\n\n".join(part for part in body if part),
    }
    of_run = ["incidentd", own_label(wanted.key), wanted.subject.lower(), f"playbook-{wanted.playbook}", NEEDS_OWNER]
    labels = list(labels_with(of_run, map(well_formed, wanted.labels)))
    return _as_configured(fields, labels, settings, cloud=known.cloud)


def _as_configured(fields: dict[str, Any], labels: list[str], settings: JiraSettings, *, cloud: bool) -> Draft:
    if settings.epic and cloud:
        fields["parent"] = {"key": settings.epic}
    fields |= settings.fields
    own = fields.get("labels")
    fields["labels"] = list(dict.fromkeys([*labels, *(own if isinstance(own, list) else ())]))
    return Draft(fields=fields)


def without(before: Draft, names: list[str], item: ActionItem | None = None) -> Draft:
    """Leave out optional fields that Jira refused, and say those of an item as labels instead."""
    said = {
        "assignee": NEEDS_OWNER,
        "priority": f"priority-{item.priority.lower()}",
        "duedate": f"due-{item.due.isoformat() if item.due else 'none'}",
        "components": f"service-{item.service}",
    } if item else {}  # fmt: skip
    fields = {name: value for name, value in before.fields.items() if name not in names}
    instead = labels_with((), (said[name] for name in names if name in said))
    fields["labels"] = list(dict.fromkeys([*before.fields["labels"], *instead]))
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
        ("Service", item.service),
        ("Due", item.due.isoformat() if item.due else ""),
        ("Severity", item.severity),
        ("Alerts", item.correlation_key),
    ]
    # what people write is Markdown; what a rule makes of an alert is not, and shown as it is
    write = wiki if item.source is ItemSource.RULE else from_markdown
    body = write(item.description, TEXT_LIMIT // 2)
    done = write(item.end_state, TEXT_LIMIT // 8)
    end = f"h3. Done when\n{done}" if done else ""
    return "\n\n".join(part for part in (body, end, wiki(context, TEXT_LIMIT // 4), _listed(facts)) if part)


def _listed(facts: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f"* {name}: {wiki(value, 500)}" for name, value in facts if value)
