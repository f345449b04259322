"""Action items: what a team promises to change, from proposal to done in the backlog."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from incidentd.redaction import Secret


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
