"""How a page is acknowledged."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from incidentd.errors import Conflict
from incidentd.pages import Chain, Page, PageState, acknowledge, follow, needs_ack, take

START = datetime(2026, 11, 24, 14, 7, tzinfo=UTC)
PAGE = Page(
    id=9, subject="INC-12", policy="payments", urgency="business_critical", respond_within=timedelta(minutes=5),
    state=PageState.OPEN, title='CheckoutErrors{env="prod"}', started_at=START, chain=Chain(levels=()),
)  # fmt: skip


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


# --- acknowledging --------------------------------------------------------------------------------------------------


def test_an_acknowledgement_names_who_has_it_and_since_when() -> None:
    acked = acknowledge(PAGE, "ana", START + minutes(3))
    assert (acked.state, acked.acked_by, acked.acked_at) == (PageState.ACKED, "ana", START + minutes(3))
    assert needs_ack(PAGE)
    assert not needs_ack(acked)
    assert not acked.breached


def test_an_answer_in_the_last_instant_is_on_time_and_one_after_it_is_a_breach() -> None:
    assert not acknowledge(PAGE, "ana", START + minutes(5)).breached
    assert acknowledge(PAGE, "ana", START + minutes(5.01)).breached
    assert acknowledge(replace(PAGE, breached=True), "ana", START).breached


def test_the_same_person_may_acknowledge_twice() -> None:
    acked = acknowledge(PAGE, "ana", START)
    assert acknowledge(acked, "ana", START + minutes(1)) is acked


def test_somebody_elses_acknowledgement_is_refused_with_who_has_it() -> None:
    acked = acknowledge(PAGE, "ana", START + minutes(3))
    with pytest.raises(Conflict, match=r"^PAGE-9 was acknowledged by ana at 14:10:00 UTC$"):
        acknowledge(acked, "ben", START + minutes(4))
    with pytest.raises(Conflict, match="at 2026-11-24 14:10:00 UTC"):
        acknowledge(acked, "ben", START + timedelta(days=1))


def test_what_is_over_cannot_be_acknowledged() -> None:
    over = replace(PAGE, state=PageState.RESOLVED, closed_at=START + minutes(4))
    with pytest.raises(Conflict, match="PAGE-9 was over at 14:11:00 UTC, before anybody answered"):
        acknowledge(over, "ana", START + minutes(5))


# --- following a summary --------------------------------------------------------------------------------------------


SUMMARY = replace(PAGE, id=7, subject="SUM-7")
JOINED = replace(PAGE, subject="HOLD-9", joined=7, started_at=START + minutes(1))


def test_what_joined_is_answered_by_whoever_answered_the_summary_and_as_of_then() -> None:
    acked = acknowledge(SUMMARY, "ana", START + minutes(3))
    then = follow(JOINED, acked, START + minutes(30))
    assert (then.held_by, then.acked_by, then.acked_at, then.joined) == ("ana", "ana", START + minutes(3), 7)
    assert not then.breached
    assert follow(then, acked, START + minutes(40)) == then
    taken = take(acked, "ben", START + minutes(4))
    assert (follow(then, taken, START + minutes(5)).held_by, taken.acked_by) == ("ben", "ana")


def test_what_joined_is_open_again_when_the_answer_expired() -> None:
    then = follow(JOINED, acknowledge(SUMMARY, "ana", START + minutes(3)), START + minutes(3))
    again = follow(then, replace(SUMMARY, lapsed_by="ana"), START + minutes(40))
    assert (again.state, again.lapsed_by, again.counts_from) == (PageState.OPEN, "ana", START + minutes(40))
    assert again.acked_at == START + minutes(3)


def test_whoever_answers_one_alone_has_that_one_and_it_follows_no_more() -> None:
    assert acknowledge(JOINED, "ben", START + minutes(2)).joined == 0
    with_summary = follow(JOINED, acknowledge(SUMMARY, "ana", START + minutes(3)), START + minutes(3))
    assert take(with_summary, "ben", START + minutes(4)).joined == 0
    over = replace(JOINED, state=PageState.RESOLVED, closed_at=START)
    assert follow(over, acknowledge(SUMMARY, "ana", START + minutes(3)), START + minutes(3)) == over
