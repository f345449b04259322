"""Action items: what a team promises to change, from proposal to done in the backlog.

item     what an action item is            labels   how it is found again in Jira
due      days, and working days            moves    what may become of it, and what Jira says of it
"""

from __future__ import annotations

from incidentd.actionitems.due import (
    LEAD_AFTER,
    Stage,
    default_due,
    effect_due,
    next_reminder,
    soaked_at,
    working_days,
)
from incidentd.actionitems.item import (
    FINISHED,
    PEOPLE_FIX,
    PRIORITIES,
    SEVERAL_OWNERS,
    UNFILED,
    ActionItem,
    Effect,
    ItemSource,
    ItemState,
    ItemType,
    JiraSettings,
    OutboxState,
    RemoteLink,
    Seen,
)
from incidentd.actionitems.labels import LABEL_LIMIT, backlog_title, labels_for, labels_with, own_label, uuid_of

__all__ = [
    "FINISHED", "LABEL_LIMIT", "LEAD_AFTER", "PEOPLE_FIX", "PRIORITIES", "SEVERAL_OWNERS", "UNFILED", "ActionItem",
    "Effect", "ItemSource", "ItemState", "ItemType", "JiraSettings", "OutboxState", "RemoteLink", "Seen", "Stage",
    "backlog_title",
    "default_due", "effect_due", "labels_for", "labels_with", "next_reminder", "own_label", "soaked_at", "uuid_of",
    "working_days",
]  # fmt: skip
