"""When a postmortem is required, when it is due, and whom its clock reminds: the whole table."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from incidentd.metrics.values import LANGUAGE_RULES, POSTMORTEM_STATES
from incidentd.postmortem import RULES, Because, Occasion, State, facts_for, users_affected
from incidentd.postmortem.facts import data_lost
from incidentd.postmortem.policy import business_days, due, reminded, reminder_at, reminder_now, required
from incidentd.postmortem.rules import Part
from incidentd.rules import SEVERITIES, Severity
from incidentd.timeline import INCIDENTD, Entry
from tests.unit import incident_facts as story

TUESDAY = datetime(2026, 11, 24, 15, 30, tzinfo=UTC)
DAY = timedelta(days=1)
CALM = Occasion(severity=SEVERITIES["sev3"], lasted=timedelta(minutes=60))


def but(**more: Any) -> Occasion:
    return Occasion(**{"severity": SEVERITIES["sev3"], "lasted": timedelta(minutes=60), **more})


@pytest.mark.parametrize(
    ("occasion", "why"),
    [
        (CALM, ()),
        (but(severity=SEVERITIES["sev1"]), ("it was sev1",)),
        (but(severity=SEVERITIES["sev2"]), ("it was sev2",)),
        (but(severity=SEVERITIES["sev4"]), ()),
        (but(severity=None), ()),
        (but(data_lost=True), ("data was lost",)),
        (but(customer_first=True), ("customers noticed it before monitoring did",)),
        (but(by_hand=("C1", "C2")), ("people changed production (C1, C2)",)),
        (but(lasted=timedelta(minutes=61)), ("it took 1h1m, more than 1h",)),
        (but(made_worse=("RUN-3",)), ("automation did not help (RUN-3)",)),
        (but(held_again=1), ()),
        (but(held_again=2), ("2 holds of it ended by the hard cap or flapping within 7d",)),
        (but(asked=("ana asked",)), ("ana asked",)),
        (but(severity=SEVERITIES["sev1"], data_lost=True), ("it was sev1", "data was lost")),
        (but(severity=SEVERITIES["sev1"], stood_down=True, data_lost=True), ()),
        (but(severity=SEVERITIES["sev1"], stood_down=True, asked=("ana asked",)), ("ana asked",)),
        (but(severity=SEVERITIES["sev1"], drill=True, lasted=DAY), ()),
    ],
)  # fmt: skip
def test_each_row_of_the_policy(occasion: Occasion, why: tuple[str, ...]) -> None:
    assert required(occasion) == why


@pytest.mark.parametrize("left_out", Because)
def test_each_row_may_be_left_out(left_out: Because) -> None:
    every = but(
        data_lost=True, customer_first=True, by_hand=("C1",), lasted=DAY, made_worse=("RUN-1",), held_again=2
    )  # fmt: skip
    assert len(required(every)) == len(Because)
    assert len(required(every, [one for one in Because if one is not left_out])) == len(Because) - 1
    assert required(every, ["long"], long=timedelta(hours=25)) == ()


@pytest.mark.parametrize(
    ("since", "days", "end"),
    [
        ("2026-11-24 15:30", 5, "2026-12-01 15:30"),  # Tuesday to Tuesday
        ("2026-11-27 15:30", 1, "2026-11-30 15:30"),  # over a weekend
        ("2026-11-28 15:30", 1, "2026-11-30 15:30"),  # from a Saturday
        ("2026-11-29 23:59", 5, "2026-12-04 23:59"),
        ("2026-11-29 23:59", 0, "2026-11-30 23:59"),
        ("2026-11-24 15:30", 0, "2026-11-24 15:30"),
    ],
)
def test_business_days_leave_weekends_out(since: str, days: int, end: str) -> None:
    begin, expected = (datetime.fromisoformat(one).replace(tzinfo=UTC) for one in (since, end))
    assert business_days(begin, days) == expected


def test_holidays_are_no_business_days() -> None:
    assert business_days(TUESDAY, 1, [date(2026, 11, 25)]) == TUESDAY + 2 * DAY


def test_when_it_is_due() -> None:
    assert due(SEVERITIES["sev1"], TUESDAY) == TUESDAY + 3 * DAY
    assert due(SEVERITIES["sev2"], TUESDAY) == TUESDAY + 7 * DAY  # five business days
    assert due(SEVERITIES["sev3"], TUESDAY) == TUESDAY + 7 * DAY
    assert due(None, TUESDAY, otherwise=1) == TUESDAY + DAY
    odd = Severity(name="odd", rank=1, means="", urgency="", postmortem="full", postmortem_within=timedelta(hours=5))
    assert due(odd, TUESDAY) == TUESDAY + timedelta(hours=5)


def test_reminders_at_half_at_the_end_and_each_day() -> None:
    end = TUESDAY + 4 * DAY
    assert [reminder_at(number, TUESDAY, end) for number in range(4)] == [
        TUESDAY + 2 * DAY, end, end + DAY, end + 2 * DAY,
    ]  # fmt: skip
    for number in range(6):
        at = reminder_at(number, TUESDAY, end)
        assert reminder_now(TUESDAY, end, at) == number
        assert reminder_now(TUESDAY, end, at - timedelta(microseconds=1)) == number - 1


@pytest.mark.parametrize(
    ("days", "owner", "people"),
    [
        (-1, "ana", ("ana",)), (0, "ana", ("ana",)), (1, "ana", ("ana",)), (2, "ana", ("ana", "ben")),
        (4, "ana", ("ana", "ben")), (5, "ana", ("ana", "ben", "cho")), (30, "ana", ("ana", "ben", "cho")),
        (0, "", ("ben",)), (2, "ben", ("ben",)), (5, "ben", ("ben", "cho")),
    ],
)  # fmt: skip
def test_whom_a_reminder_goes_to(days: int, owner: str, people: tuple[str, ...]) -> None:
    assert reminded(TUESDAY, TUESDAY + days * DAY, owner=owner, commander="ben", manager="cho") == people


def test_without_anybody_known_nobody_is_named() -> None:
    assert reminded(TUESDAY, TUESDAY + 9 * DAY, owner="", commander="", manager="") == ()
    assert reminded(TUESDAY, TUESDAY, owner="", commander="", manager="cho") == ("cho",)


def table(row: str, said: str) -> str:
    return f"# x\n\n## Problem summary\n\n| What | How much |\n|---|---|\n| {row} | {said} |\n"


@pytest.mark.parametrize(
    ("said", "affected"),
    [("4,000 orders", True), ("estimate: 3 %", True), ("none", False), ("Nobody", False), ("no users", False),
     ("0 users", False), ("_how many?_", True)],
)  # fmt: skip
def test_whether_users_were_affected_is_read_from_the_table(said: str, affected: bool) -> None:
    assert users_affected(table("User impact (numbers)", said)) is affected
    assert users_affected("# nothing")


@pytest.mark.parametrize(
    ("said", "lost"),
    [("yes, 40 orders", True), ("no", False), ("none", False), ("_yes or no, and what_", False), ("", False)],
)  # fmt: skip
def test_whether_data_was_lost_is_read_from_the_table(said: str, lost: bool) -> None:
    assert data_lost(table("Data loss", said)) is lost
    assert not data_lost("# nothing")


def test_the_metric_knows_every_rule_of_the_language() -> None:
    language = {name for name, rule in RULES.items() if rule.part is Part.LANGUAGE}
    assert set(LANGUAGE_RULES) == language | {"people-fix"}
    assert set(POSTMORTEM_STATES) == {one.value for one in State}


def test_a_postmortem_is_no_part_of_what_happened() -> None:
    own = [
        Entry(
            subject="INC-12", seq=90 + n, at=story.at("16:00"), actor=INCIDENTD, kind=kind, text="x",
            data={"key": key}, prev_hash="", hash=f"{n}",
        )
        for n, (kind, key) in enumerate([("postmortem.written", ""), ("page.sent", "INC-12/postmortem/1/ana/mail")])
    ]  # fmt: skip
    facts = story.STORY
    told = facts_for(replace(facts, entries=(*facts.entries, *own), head_hash="1"))
    assert told.entries == facts.entries
    assert told.head_hash == max((e for e in facts.entries if e.subject == "INC-12"), key=lambda e: e.seq).hash
