"""Action items: what a team promises to change, from proposal to done in the backlog."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any

from incidentd.redaction import Secret
from incidentd.text import labels_line, plain

PRIORITIES = ("P0", "P1", "P2", "P3")
LABEL_LIMIT = 255
"""Characters in a label, of Jira's making."""


class ItemState(StrEnum):
    """How an action item stands."""

    PROPOSED = "proposed"
    OPEN = "open"
    """Decided; kept here while there is no Jira or until Jira took it."""
    FILED = "filed"
    STUCK = "stuck"
    """Jira refused it and a person has to change something; the item is kept."""
    DONE = "done"
    DECLINED = "declined"


class ItemType(StrEnum):
    """What the change is for (the SRE Workbook's types, and `automate`)."""

    PREVENT = "prevent"
    MITIGATE = "mitigate"
    DETECT = "detect"
    REPAIR = "repair"
    INVESTIGATE = "investigate"
    PROCESS = "process"
    AUTOMATE = "automate"


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionItem:
    """An action item, or the backlog item of a `ticket` decision (then `subject` is empty)."""

    id: int
    uuid: str
    """Goes into Jira as a label of its own, by which the item is found again before anything is created."""
    subject: str
    title: str
    description: str = ""
    type: ItemType = ItemType.REPAIR
    priority: str = "P2"
    owner: str = ""
    team: str = ""
    due: date | None = None
    state: ItemState = ItemState.OPEN
    severity: str = ""
    labels: tuple[str, ...] = ()
    correlation_key: str = ""
    created_at: datetime
    jira_key: str = ""
    jira_url: str = ""
    trouble: str = ""
    """Why it is not in Jira yet, in words that say what to do."""

    @property
    def key(self) -> str:
        """The speakable id."""
        return f"AI-{self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class JiraSettings:
    """Where action items go. `user` with a token is Jira Cloud's way; a token alone is Data Center's."""

    url: str
    token: Secret
    user: str = ""
    project: str
    issue_type: str = "Task"
    fields: Mapping[str, Any] = field(default_factory=dict)
    epic: str = ""
    projects: Mapping[str, str] = field(default_factory=dict)
    """Project by team, where a team has one of its own."""


_DUE_DAYS = {"P0": 7, "P2": 60, "P3": 90}
# 15 days after a sev1, 30 after anything else: PagerDuty's postmortem guide
_DUE_DAYS_P1 = {"sev1": 15}
_SEVERAL = re.compile(r"[,;/&+]|\s(?:and|or)\s", re.IGNORECASE)
_PEOPLE_FIX = re.compile(
    r"\b(?:be(?:ing)? more (?:careful|attentive|aware)|pay (?:more |closer )?attention|remember to|needs? to learn"
    r"|(?:train|teach|educate|remind|tell|warn) (?:the |all |our )?(?:\w+ )?"
    r"(?:people|humans|staff|everyone|everybody|team|teams|engineers|developers|operators|on-?calls?|responders))\b",
    re.IGNORECASE,
)
_NOT_IN_LABELS = re.compile(r"[^\w.:-]+")


def default_due(priority: str, severity: str, today: date) -> date:
    """Say when an item is due that nobody gave a date: P0 7 days, P1 15 (sev1) or 30, P2 and unknown 60, P3 90."""
    days = _DUE_DAYS_P1.get(severity, 30) if priority == "P1" else _DUE_DAYS.get(priority, 60)
    return today + timedelta(days=days)


def lint(item: ActionItem) -> list[str]:
    """Say what keeps an item from being one that gets done: owner, date, priority, or that it would change people.

    Advice in whole sentences; an empty list means that there is none.
    """
    found = []
    if not item.owner.strip():
        found.append("Nobody owns it: name exactly one person.")
    elif _SEVERAL.search(item.owner.strip()):
        found.append("Several people own it, so nobody does: name exactly one person.")
    if item.due is None:
        found.append("It has no due date: name a day.")
    if item.priority not in PRIORITIES:
        found.append(f"It has no priority: choose one of {', '.join(PRIORITIES)}.")
    if _PEOPLE_FIX.search(f"{item.title}\n{item.description}"):
        found.append(
            "It asks people to be different: change the system so that the mistake cannot happen or does no harm."
        )
    return found


def own_label(uuid: str) -> str:
    """Give the label by which an item is found again in Jira."""
    return _tidy(f"incidentd-ai-{uuid}")


def labels_for(item: ActionItem) -> tuple[str, ...]:
    """Give the labels of an item in Jira: without blanks, each once, its own one among them."""
    made = ["incidentd", own_label(item.uuid), f"ai-type-{item.type.value}"]
    if item.subject:
        made += ["incident", item.subject.lower()]
    if item.severity:
        made += [item.severity, f"{item.severity}_{item.created_at.astimezone(UTC):%Y%m%d}"]
    return tuple(dict.fromkeys(label for label in map(_tidy, [*made, *item.labels]) if label))


def backlog_title(labels: Mapping[str, str], summary: str = "") -> str:
    """Name the backlog item of a `ticket` decision after its alert: `Fix what DiskFull{...} reports: 90% used`."""
    said = f": {plain(summary, 100)}" if summary.strip() else ""
    return f"Fix what {labels_line(dict(labels), 120) or 'an alert without a name'} reports{said}"


def _tidy(label: str) -> str:
    return _NOT_IN_LABELS.sub("-", plain(label, LABEL_LIMIT)).strip("-")
