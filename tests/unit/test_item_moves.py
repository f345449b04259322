"""What may become of an action item, and when somebody hears of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from incidentd.actionitems import (
    ActionItem,
    ItemSource,
    ItemState,
    Seen,
    Stage,
    effect_due,
    moves,
    next_reminder,
    soaked_at,
    uuid_of,
)
from incidentd.errors import BadRequest, Conflict

NOW = datetime(2026, 11, 24, 14, tzinfo=UTC)  # a Tuesday


def item(**changes: Any) -> ActionItem:
    facts: dict[str, Any] = {
        "id": 1, "uuid": "u-1", "subject": "INC-12", "title": "Reject mails over 10 MB", "owner": "ana",
        "priority": "P1", "created_at": NOW, "state": ItemState.OPEN,
    }  # fmt: skip
    return ActionItem(**(facts | changes))


@pytest.mark.parametrize(
    ("made", "soaked"),
    [
        (datetime(2026, 11, 24, 14, tzinfo=UTC), datetime(2026, 11, 26, 14, tzinfo=UTC)),
        (datetime(2026, 11, 26, 14, tzinfo=UTC), datetime(2026, 11, 30, 14, tzinfo=UTC)),  # Thursday to Monday
        (datetime(2026, 11, 27, 23, 59, tzinfo=UTC), datetime(2026, 12, 1, 23, 59, tzinfo=UTC)),
        (datetime(2026, 11, 28, 9, tzinfo=UTC), datetime(2026, 12, 2, 0, tzinfo=UTC)),  # a Saturday
    ],
)
def test_an_idea_soaks_for_two_working_days(made: datetime, soaked: datetime) -> None:
    assert soaked_at(item(created_at=made)) == soaked


def test_reminders_come_before_the_day_after_it_and_to_the_lead_and_then_no_more() -> None:
    it = item(due=date(2026, 12, 7))  # a Monday
    assert next_reminder(it) == (Stage.BEFORE, datetime(2026, 12, 3, 9, tzinfo=UTC))
    it = replace(it, reminded=("before",))
    assert next_reminder(it) == (Stage.OVERDUE, datetime(2026, 12, 8, 9, tzinfo=UTC))
    it = replace(it, reminded=("before", "overdue"))
    assert next_reminder(it) == (Stage.LEAD, datetime(2026, 12, 14, 9, tzinfo=UTC))
    assert next_reminder(replace(it, priority="P2")) is None
    assert next_reminder(replace(it, reminded=("before", "overdue", "lead"))) is None
    for over in (ItemState.DONE, ItemState.DECLINED, ItemState.PROPOSED):
        assert next_reminder(replace(it, state=over)) is None
    assert next_reminder(item()) is None


def test_another_day_reminds_anew_and_the_same_does_not() -> None:
    it = item(due=date(2026, 12, 7), reminded=("before", "overdue"))

    assert moves.edited(it, {"due": date(2026, 12, 21)}).reminded == ()
    assert moves.edited(it, {"due": date(2026, 12, 7), "owner": "ben"}).reminded == ("before", "overdue")
    with pytest.raises(Conflict, match="says that already"):
        moves.edited(it, {"due": date(2026, 12, 7)})
    with pytest.raises(BadRequest, match="one person"):
        moves.edited(it, {"owner": "ana and ben"})
    with pytest.raises(BadRequest, match="P0, P1"):
        moves.edited(it, {"priority": "high"})


def test_the_effect_is_looked_at_thirty_days_after_the_end() -> None:
    assert effect_due(item()) is None
    assert effect_due(item(state=ItemState.DONE, done_at=NOW)) == NOW + timedelta(days=30)


@pytest.mark.parametrize(
    ("category", "resolution", "state"),
    [
        ("new", "", ItemState.FILED),
        ("indeterminate", "", ItemState.IN_PROGRESS),
        ("done", "Fixed", ItemState.DONE),
        ("done", "", ItemState.DONE),
        ("done", "Won't Do", ItemState.DECLINED),
        ("done", "Won\u2019t Fix", ItemState.DECLINED),
        ("undefined", "", ItemState.STUCK),
        ("", "", ItemState.STUCK),
    ],
)
def test_jiras_categories_are_our_states(category: str, resolution: str, state: ItemState) -> None:
    said = Seen(key="OPS-1", category=category, status="S", resolution=resolution)
    new = moves.seen(item(state=ItemState.STUCK, trouble="x"), said, url="http://jira/browse/OPS-1", now=NOW)

    assert (new.state, new.jira_key, new.trouble) == (state, "OPS-1", "")
    assert (new.done_at is not None) == (state is ItemState.DONE)


def test_no_news_is_no_new_version() -> None:
    said = Seen(key="OPS-1", category="new", status="To Do")
    first = moves.seen(item(), said, url="u", now=NOW)
    later = moves.seen(first, said, url="u", now=NOW + timedelta(hours=1))

    assert (first.version, later.version) == (2, 2)
    assert later.seen_at == NOW + timedelta(hours=1)


def test_another_day_in_jira_counts_here_and_none_is_no_news() -> None:
    it = item(due=date(2026, 12, 7), reminded=("before", "overdue"), jira_key="OPS-1", jira_status="To Do")
    said = Seen(key="OPS-1", category="new", status="To Do", due=date(2026, 12, 21))
    put_off = moves.seen(it, said, url="u", now=NOW)

    assert (put_off.due, put_off.reminded) == (date(2026, 12, 21), ())
    assert next_reminder(put_off) == (Stage.BEFORE, datetime(2026, 12, 17, 9, tzinfo=UTC))
    for day in (None, it.due):
        same = moves.seen(it, replace(said, due=day), url="u", now=NOW)
        assert (same.due, same.reminded) == (it.due, it.reminded)
    assert moves.seen(replace(it, due=None), said, url="u", now=NOW).due == date(2026, 12, 21)


def test_what_ended_here_stays_so_when_its_issue_comes_to_light() -> None:
    for over in (ItemState.DONE, ItemState.DECLINED):
        assert moves.filed(item(state=over), key="OPS-1", url="u", now=NOW).state is over
        assert moves.stuck(item(state=over), "x").state is over
        assert moves.gone(item(state=over, jira_key="OPS-1")).state is over
    assert moves.stuck(item(state=ItemState.FILED, jira_key="OPS-1"), "x").state is ItemState.FILED


def test_only_an_idea_is_decided() -> None:
    for state in set(ItemState) - {ItemState.PROPOSED}:
        with pytest.raises(Conflict):
            moves.decided(item(state=state), by="ana", now=NOW, why="now")
    idea = item(state=ItemState.PROPOSED, severity="sev1")
    assert moves.decided(idea, by="ana", now=NOW, why="now").due == date(2026, 12, 9)
    assert moves.reopened(moves.declined(idea, "no")).state is ItemState.PROPOSED


def test_a_ticket_of_a_rule_was_decided_by_the_rule() -> None:
    ticket = item(source=ItemSource.RULE, decided_at=None)
    assert moves.reopened(moves.declined(ticket, "no")).state is ItemState.OPEN


def test_the_uuid_is_read_from_the_labels() -> None:
    assert uuid_of(["a", "incidentd-ai-u-1"]) == "u-1"
    assert uuid_of(["incidentd"]) == ""
