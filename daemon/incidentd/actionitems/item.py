"""What an action item is, where it may go, and what Jira said of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from incidentd.redaction import Secret

PRIORITIES = ("P0", "P1", "P2", "P3")


class ItemState(StrEnum):
    """How an action item stands."""

    PROPOSED = "proposed"
    """An idea: nobody decided on it yet."""
    OPEN = "open"
    """Decided; kept here while there is no Jira or until Jira took it."""
    FILED = "filed"
    """In Jira, where nobody began with it yet."""
    IN_PROGRESS = "in_progress"
    STUCK = "stuck"
    """Jira refused it and a person has to change something; the item is kept."""
    DONE = "done"
    DECLINED = "declined"


FINISHED = frozenset({ItemState.DONE, ItemState.DECLINED})
UNFILED = frozenset({ItemState.OPEN, ItemState.IN_PROGRESS, ItemState.STUCK})
"""Decided and not over: what stands so and has no key of Jira's is to be filed there, if there is one."""


class ItemType(StrEnum):
    """What the change is for (the SRE Workbook's types, and `automate`)."""

    PREVENT = "prevent"
    MITIGATE = "mitigate"
    DETECT = "detect"
    REPAIR = "repair"
    INVESTIGATE = "investigate"
    PROCESS = "process"
    AUTOMATE = "automate"


class ItemSource(StrEnum):
    """What an item comes from."""

    PERSON = "person"
    """Somebody put it down by itself."""
    NOTED = "todo"
    """A line of the incident's timeline that begins with TODO:."""
    POSTMORTEM = "postmortem"
    """A row of the postmortem's table of action items."""
    FEEDBACK = "feedback"
    """An answer to one of the postmortem's questions about our practice."""
    QUICK_REVIEW = "quick_review"
    RULE = "rule"
    """A `ticket` decision."""


class OutboxState(StrEnum):
    """How far the issue of an item is on its way."""

    PENDING = "pending"
    """Nothing was sent that could have made it."""
    SENT = "sent"
    """It is being made; a crash now leaves it to be looked for."""
    UNKNOWN = "unknown"
    """It was sent and no good answer came."""
    DONE = "done"


class Effect(StrEnum):
    """Whether what an item changed kept the trouble from coming back."""

    VERIFIED = "verified"
    INEFFECTIVE = "ineffective"


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionItem:
    """An action item, or the backlog item of a `ticket` decision (then `subject` is empty)."""

    id: int
    uuid: str
    """Goes into Jira as a label of its own, by which the item is found again before anything is created."""
    subject: str
    title: str
    description: str = ""
    end_state: str = ""
    """How anybody can see that it is done."""
    evidence: str = ""
    """A link, or words, for that it is done."""
    type: ItemType = ItemType.REPAIR
    priority: str = "P2"
    owner: str = ""
    team: str = ""
    service: str = ""
    due: date | None = None
    state: ItemState = ItemState.OPEN
    source: ItemSource = ItemSource.PERSON
    severity: str = ""
    labels: tuple[str, ...] = ()
    correlation_key: str = ""
    drill: bool = False
    """Of a drill: it goes to no backlog and into no metric."""
    created_at: datetime
    by: str = ""
    """Who put it down."""
    decided_by: str = ""
    decided_at: datetime | None = None
    reason: str = ""
    """Why it was declined."""
    jira_key: str = ""
    jira_url: str = ""
    jira_status: str = ""
    """Jira's own word for how it stands there."""
    filed_at: datetime | None = None
    seen_at: datetime | None = None
    """When Jira last said how it stands."""
    done_at: datetime | None = None
    effect: Effect | None = None
    reminded: tuple[str, ...] = ()
    """Which reminders of its due date went out."""
    trouble: str = ""
    """Why it is not in Jira yet, in words that say what to do."""
    version: int = 1
    """Counts its changes."""

    @property
    def key(self) -> str:
        """The speakable id."""
        return f"AI-{self.id}"

    @property
    def is_open(self) -> bool:
        """Whether somebody promised it and it is not done."""
        return self.state not in FINISHED and self.state is not ItemState.PROPOSED


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What Jira says of one issue."""

    key: str
    labels: tuple[str, ...] = ()
    category: str = ""
    """Jira's statusCategory: `new`, `indeterminate` or `done`; anything else is no news."""
    status: str = ""
    resolution: str = ""
    due: date | None = None
    """Its day; None is no news, since it may only not be on the screen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteLink:
    """Where an issue links back to."""

    global_id: str
    """The same over every try, so that there is one link."""
    url: str
    title: str
    summary: str = ""
    relationship: str = "action item of"


@dataclass(frozen=True, slots=True, kw_only=True)
class JiraSettings:
    """Where action items go. `user` with a token is Jira Cloud's way; a token alone is Data Center's."""

    url: str
    token: Secret
    user: str = ""
    project: str
    issue_type: str = "Task"
    issue_types: Mapping[str, str] = field(default_factory=dict)
    """Issue type by the item's type, where it has one of its own."""
    priorities: Mapping[str, str] = field(default_factory=dict)
    """Jira's name by priority, where Jira has other ones than it ships with."""
    service_field: str = ""
    """Where the service goes: `components`, or a custom field; '' for a label alone."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    epic: str = ""
    projects: Mapping[str, str] = field(default_factory=dict)
    """Project by team, where a team has one of its own."""
    webhook_secret: Secret | None = None
    """What Jira signs its webhooks with; None: none is taken, and Jira is asked every ten minutes only."""


SEVERAL_OWNERS = re.compile(r"[,;/&+]|\s(?:and|or)\s", re.IGNORECASE)
"""What an owner reads like who is not one person."""
PEOPLE_FIX = re.compile(
    r"\b(?:be(?:ing)?\s{1,3}more\s{1,3}(?:careful|attentive|aware)|pay\s{1,3}(?:more\s{1,3}|closer\s{1,3})?attention"
    r"|remember\s{1,3}to|needs?\s{1,3}to\s{1,3}learn|(?:train|teach|educate|remind|tell|warn)\s{1,3}"
    r"(?:(?:the|all|our)\s{1,3})?(?:\w{1,30}\s{1,3})?(?:people|humans|staff|everyone|everybody|teams?|engineers"
    r"|developers|operators|on-?calls?|responders))\b",
    re.IGNORECASE,
)
"""Words by which an action would change people in the place of the system."""
