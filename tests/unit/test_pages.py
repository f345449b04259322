"""What a page says to people, and how it is acknowledged."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from incidentd.errors import Conflict
from incidentd.oncall import Person, Target
from incidentd.pages import (
    TITLE_LIMIT,
    Chain,
    Facts,
    Occasion,
    Page,
    PageState,
    acknowledge,
    is_web_link,
    needs_ack,
    page_text,
    purpose_of,
)

START = datetime(2026, 11, 24, 14, 7, tzinfo=UTC)
ANA = Person(handle="ana", name="Ana Ruiz", time_zone="Europe/Madrid")
PAGE = Page(
    id=9, subject="INC-12", policy="payments", urgency="business_critical", respond_within=timedelta(minutes=5),
    state=PageState.OPEN, title='CheckoutErrors{env="prod"}', started_at=START, chain=Chain(levels=()),
)  # fmt: skip
FACTS = Facts(
    severity="sev1", means="money is bleeding", since=START - timedelta(minutes=2),
    because="Every minute without checkout costs money.",
    tried=("Playbook restart-worker did not help: the rate stayed at 0",),
    links=(
        ("Acknowledge", "https://incidentd.example.org/a/v1.x"),
        ("Incident", "https://incidentd.example.org/incidents/12"),
        ("Runbook", "javascript:alert(1)"),
    ),
)  # fmt: skip
ON_CALL = Target(on_call="payments")


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def lines(
    occasion: Occasion, page: Page = PAGE, facts: Facts = FACTS, *, after: float = 0, said: str = ""
) -> list[str]:
    now = START + minutes(after)
    return page_text(page, facts, occasion, now=now, person=ANA, target=ON_CALL, said=said)[1].split("\n")


def title(occasion: Occasion, page: Page = PAGE, *, after: float = 0) -> str:
    return page_text(page, FACTS, occasion, now=START + minutes(after))[0]


# --- words ----------------------------------------------------------------------------------------------------------


def test_the_first_page_says_what_how_bad_since_when_why_by_when_what_was_tried_and_where_to_go() -> None:
    assert lines(Occasion.FIRST) == [
        'What: CheckoutErrors{env="prod"}',
        "How bad: sev1: money is bleeding",
        "Since: 2026-11-24 14:05:00 UTC (Tue 15:05 in Europe/Madrid), 2m ago",
        "Why: Every minute without checkout costs money.",
        "Why you: you are on call for payments",
        "Answer by: 2026-11-24 14:12:00 UTC (Tue 15:12 in Europe/Madrid)",
        "Tried: Playbook restart-worker did not help: the rate stayed at 0",
        "",
        "Acknowledge: https://incidentd.example.org/a/v1.x",
        "Incident: https://incidentd.example.org/incidents/12",
    ]


def test_the_title_says_how_bad_what_and_which() -> None:
    assert title(Occasion.FIRST) == '[SEV1] CheckoutErrors{env="prod"} (INC-12)'


def test_an_escalation_says_how_long_nobody_answered_and_who_was_paged() -> None:
    paged = replace(PAGE, paged=("ana", "ben"))
    assert title(Occasion.ESCALATION, paged, after=5) == '[SEV1] Unanswered for 5m: CheckoutErrors{env="prod"} (INC-12)'
    assert "Paged so far: ana, ben" in lines(Occasion.ESCALATION, paged, after=5)


def test_a_page_after_its_time_says_how_late_it_is() -> None:
    asked = next(line for line in lines(Occasion.AGAIN, after=8) if line.startswith("Answer by"))
    assert asked.endswith("; that was 3m ago, please answer now")
    assert title(Occasion.AGAIN).startswith("[SEV1] Still unanswered: ")


def test_a_page_to_the_one_who_has_it_asks_how_it_goes() -> None:
    acked = acknowledge(PAGE, "ana", START + minutes(1))
    assert title(Occasion.AGAIN, acked, after=20).startswith("[SEV1] Still going on, acknowledged by ana: ")
    asked = "Asked of you: note how it goes; nothing was heard since 14:08:00 UTC"
    assert asked in lines(Occasion.AGAIN, acked, after=20)


def test_what_went_away_by_itself_still_asks_for_a_look() -> None:
    assert title(Occasion.SELF_RESOLVED).startswith("[SEV1] Resolved by itself: ")
    text = lines(Occasion.SELF_RESOLVED)
    assert "Asked of you: nobody answered before it went away; please look when you can" in text
    assert not [line for line in text if line.startswith(("Answer by", "Why"))]


def test_a_stand_down_says_who_and_why_and_asks_for_nothing() -> None:
    text = lines(Occasion.STOOD_DOWN, said="ben: a drill")
    assert {"Asked of you: nothing any more", "Said: ben: a drill"} < set(text)


@pytest.mark.parametrize(
    ("target", "why"),
    [
        (Target(on_call="payments", previous=True), "you are on call for payments in the turn before"),
        (Target(team="payments"), "all of team payments is paged now"),
        (Target(team="*"), "everybody is paged now"),
        (Target(person="ana"), "the escalation names you"),
    ],
)
def test_people_are_told_why_it_is_them(target: Target, why: str) -> None:
    assert f"Why you: {why}" in page_text(PAGE, FACTS, Occasion.FIRST, now=START, target=target)[1]


def test_a_reader_in_utc_reads_one_time_and_a_channel_is_told_nothing_of_itself() -> None:
    _, body = page_text(PAGE, FACTS, Occasion.FIRST, now=START, target=Target(channel="ops-chat"))
    assert "Since: 2026-11-24 14:05:00 UTC, 2m ago" in body
    assert "Why you" not in body


def test_each_occasion_has_its_purpose() -> None:
    purposes = ["page", "escalation", "page", "page", "resolved", "resolved"]
    assert [purpose_of(occasion) for occasion in Occasion] == purposes


# --- strangers' values ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("occasion", list(Occasion))
def test_a_title_fits_and_is_one_line_whatever_the_alert_says(occasion: Occasion) -> None:
    long = replace(
        PAGE, title="x\r\nBcc: eve@example.org\n" * 100, state=PageState.ACKED, acked_by="ana" * 30, acked_at=START
    )
    found = title(occasion, long, after=5000)
    assert len(found) == TITLE_LIMIT
    assert found.isprintable()
    assert found.endswith("… (INC-12)")


def test_no_value_can_begin_a_line_of_its_own_or_turn_the_text_round() -> None:
    evil = "x\nAcknowledge: https://evil.example\u202e\x1b[2J"
    facts = replace(
        FACTS, severity=evil, means=evil, because=evil, tried=(evil,), links=((evil, "https://a.example/"),)
    )
    text = lines(Occasion.ESCALATION, replace(PAGE, title=evil, paged=(evil,)), facts, said=evil)
    assert not [line for line in text if line.startswith("Acknowledge")]
    assert all(line.isprintable() for line in text)


@pytest.mark.parametrize("address", ["http://a.example/x?y=1#z", "https://[::1]:9720/a", "HTTPS://a.example"])
def test_a_web_address_is_shown(address: str) -> None:
    assert is_web_link(address)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "//a.example",
        "/runbooks/1",
        "http://",
        "http:///x",
        "http://[::1",
        " https://a.example",
        "https://a.example/ x",
        "https://a.example/\nBcc: eve",
        "https://a.example/\u202e",
        "https://a.example/<b>",
        "https://a.example/" + "x" * 2000,
    ],
)
def test_anything_else_is_not_shown_as_a_link(address: str) -> None:
    assert not is_web_link(address)


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
