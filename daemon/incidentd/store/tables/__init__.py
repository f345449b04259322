"""The tables. A row is the columns that something is looked up by, and the thing itself as a JSON `body`.

Times are whole microseconds since 1970 in UTC, so that an instant comes back exactly as it went in.
"""

from __future__ import annotations

from incidentd.store.tables.alerts import alert, alert_event, alert_group, group_member, inbox, quarantine
from incidentd.store.tables.automation import automation_switch, playbook_standing
from incidentd.store.tables.base import Instant, instant, metadata, micros
from incidentd.store.tables.course import (
    action_item,
    hold,
    incident,
    member,
    page,
    playbook_run,
    playbook_step,
    postmortem,
    tally,
)
from incidentd.store.tables.rota import oncall_override, oncall_shift
from incidentd.store.tables.works import (
    chain_head,
    contact,
    external_ref,
    job,
    link_use,
    replica,
    shared,
    timeline,
    token,
)

__all__ = [
    "Instant", "action_item", "alert", "alert_event", "alert_group", "automation_switch", "chain_head", "contact",
    "external_ref",
    "group_member", "hold", "inbox", "incident", "instant", "job", "link_use", "member", "metadata", "micros",
    "oncall_override", "oncall_shift", "page", "playbook_run", "playbook_standing", "playbook_step", "postmortem",
    "quarantine",
    "replica", "shared", "tally", "timeline", "token",
]  # fmt: skip
