"""What of the records is open, and what it becomes where it goes on elsewhere."""

from __future__ import annotations

from incidentd.records import Record
from incidentd.records.leaving import copied, is_open, left, open_records, same
from tests.unit import incident_facts as story

NOW = story.at("15:20")


def test_what_is_open_goes_and_nothing_else() -> None:
    found = story.RECORDS
    every: tuple[Record, ...] = (
        *found.sections,
        *found.hypotheses,
        *found.decisions,
        *found.tasks,
        *found.changes,
        *found.criteria,
    )
    assert {one.key for one in open_records(found)} == {one.key for one in every if is_open(one)}
    assert {one.key for one in open_records(found)} >= {"T2", "C2", "D2", "X3"}


def test_what_left_is_over_and_says_where_it_goes_on() -> None:
    for one in open_records(story.RECORDS):
        gone = left(one, "goes on as T1 of INC-2", by="ana", now=NOW)
        assert not is_open(gone)
        assert (gone.version, gone.by, gone.at) == (one.version + 1, "ana", NOW)


def test_a_copy_is_the_same_under_another_number_until_somebody_changes_it() -> None:
    for one in open_records(story.RECORDS):
        copy = copied(one, number=9, version=1, origin=f"INC-12 {one.key}", by="cho", now=NOW)
        assert same(copy, one)
        assert copy.origin == f"INC-12 {one.key}"
        assert not same(left(copy, "over", by="ana", now=NOW), one)
