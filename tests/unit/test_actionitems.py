"""Action items: default dates, advice, labels and the names of backlog items."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from incidentd.actionitems import (
    ActionItem,
    ItemState,
    ItemType,
    backlog_title,
    default_due,
    labels_for,
    next_reminder,
    own_label,
)

TODAY = date(2026, 11, 24)


def item(**changes: Any) -> ActionItem:
    facts: dict[str, Any] = {
        "id": 1, "uuid": "0000-0001", "subject": "INC-12", "title": "Reject messages over 10 MB", "owner": "ana",
        "due": date(2026, 12, 24), "priority": "P1", "created_at": datetime(2026, 11, 24, 23, 30, tzinfo=UTC),
    }  # fmt: skip
    return ActionItem(**(facts | changes))


@pytest.mark.parametrize(
    ("priority", "severity", "due"),
    [
        ("P0", "sev1", date(2026, 12, 1)),
        ("P1", "sev1", date(2026, 12, 9)),
        ("P1", "sev2", date(2026, 12, 24)),
        ("P1", "", date(2026, 12, 24)),
        ("P2", "sev1", date(2027, 1, 25)),
        ("P3", "sev1", date(2027, 2, 22)),
        ("", "", date(2027, 1, 25)),
    ],
)
def test_the_default_date_follows_the_priority(priority: str, severity: str, due: date) -> None:
    assert default_due(priority, severity, TODAY) == due


def test_the_labels_say_type_incident_severity_and_day_and_hold_no_blank() -> None:
    labels = labels_for(item(type=ItemType.PREVENT, severity="sev1", labels=("needs review", "incidentd", "", "\n")))

    assert labels == (
        "incidentd", "incidentd-ai-0000-0001", "ai-type-prevent", "incident", "inc-12", "sev1", "sev1_20261124",
        "needs-review",
    )  # fmt: skip


def test_a_backlog_item_has_no_incidents_labels() -> None:
    assert labels_for(item(subject="")) == ("incidentd", "incidentd-ai-0000-0001", "ai-type-repair")


@pytest.mark.parametrize("value", ["a b", '"] OR project = X', "x" * 999, "é \u202e {code}", "-"])
def test_no_label_can_leave_a_query_or_be_refused(value: str) -> None:
    for label in (own_label(value), *labels_for(item(labels=(value,)))):
        assert 0 < len(label) <= 255
        assert not set(label) & set(' "\\{}\n=')


def test_a_backlog_item_is_named_after_its_alert() -> None:
    labels = {"alertname": "DiskFull", "node": "db-1"}

    assert backlog_title(labels, "90% used") == 'Fix what DiskFull{node="db-1"} reports: 90% used'
    assert backlog_title(labels) == 'Fix what DiskFull{node="db-1"} reports'
    assert backlog_title({}) == "Fix what an alert without a name reports"
    assert len(backlog_title({"alertname": "x" * 999}, "y" * 999)) <= 250


@pytest.mark.parametrize("due", [date.min, date.max])
def test_a_day_at_either_end_of_the_calendar_has_its_reminders(due: date) -> None:
    for reminded in ((), ("before",), ("before", "overdue")):
        following = next_reminder(item(state=ItemState.OPEN, due=due, reminded=reminded))
        assert following is not None
        assert 1969 <= following[1].year <= 9000
