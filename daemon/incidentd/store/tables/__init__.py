"""The tables. A row is the columns that something is looked up by, and the thing itself as a JSON `body`.

Times are whole microseconds since 1970 in UTC, so that an instant comes back exactly as it went in.
"""

from __future__ import annotations

from incidentd.store.tables.alerts import alert, alert_event, alert_group, group_member, inbox, quarantine
from incidentd.store.tables.automation import automation_switch, refusal, refusal_window, version_standing
from incidentd.store.tables.backlog import jira_outbox
from incidentd.store.tables.base import Instant, instant, metadata, micros
from incidentd.store.tables.communication import attached, follower
from incidentd.store.tables.course import (
    action_item,
    graph,
    hold,
    incident,
    member,
    page,
    playbook_run,
    playbook_step,
    postmortem,
    tally,
)
from incidentd.store.tables.handovers import handover, handover_role
from incidentd.store.tables.library import library, postmortem_tag, published, published_reading
from incidentd.store.tables.postmortems import postmortem_comment, postmortem_edition, postmortem_section
from incidentd.store.tables.records import record
from incidentd.store.tables.roles import participant, role_assignment
from incidentd.store.tables.rota import oncall_override, oncall_shift
from incidentd.store.tables.updates import stakeholder_update, update_promise
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
    "Instant", "action_item", "alert", "alert_event", "alert_group", "attached", "automation_switch", "chain_head",
    "contact", "external_ref", "follower", "graph",
    "group_member", "handover", "handover_role", "hold",
    "inbox", "incident", "instant", "jira_outbox", "job", "library", "link_use", "member", "metadata", "micros",
    "oncall_override", "oncall_shift", "page", "participant", "playbook_run", "playbook_step", "postmortem",
    "postmortem_comment", "postmortem_edition", "postmortem_section", "postmortem_tag", "published",
    "published_reading", "quarantine", "record", "refusal",
    "refusal_window",
    "replica", "role_assignment", "shared", "stakeholder_update", "tally", "timeline", "token",
    "update_promise", "version_standing",
]  # fmt: skip
