"""Updates as values: how long an audience waits, what a draft says, what to look at in a text."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from incidentd.incidents import Incident, Status, Trigger
from incidentd.updates import (
    CADENCES,
    Audience,
    Known,
    Phase,
    draft,
    first_words,
    lint,
    longest,
    phase_of,
    raised,
    same_words,
    started,
    told,
    unfilled,
    with_promise,
)

T = datetime(2026, 11, 24, 14, 0, tzinfo=UTC)
HONEST = "The cause is not yet known. "
INC = Incident(
    id=12, title="CheckoutDown on web-01", status=Status.INVESTIGATING, severity="sev1", declared_severity="sev1",
    peak_severity="sev1", urgency="business_critical", trigger=Trigger.RULE, reason="", service="checkout-api",
    impact_started_at=T, detected_at=T, declared_at=T, declared_by="ana",
)  # fmt: skip


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


@pytest.mark.parametrize(
    ("rule", "bad", "good"),
    [
        ("estimate", "We expect this to be resolved by 15:00.", "Next update by 15:00 UTC."),
        ("estimate", "ETA 20 minutes.", "The metal fence is back."),
        ("estimate", "It will be fixed soon.", "It is fixed since 14:40."),
        ("estimate", "Service is back in 10 minutes.", "We will tell you more by 15:00."),
        ("host", "We restarted web-01.", "We restarted the checkout."),
        ("host", "10.0.0.12 does not answer.", "Version 1.2.3 does not answer."),
        ("host", "db.prod.internal is full.", "The database is full. internal is another word."),
        ("outage", "An outage of the checkout.", "A total outage of the checkout."),
        ("certainty", "It definitely works now.", "It works since 14:40."),
        ("internal_name", "checkout-api is slow.", "Checkout is slow."),
    ],
)
def test_what_people_outside_should_not_read_is_found_and_its_honest_twin_is_not(
    rule: str, bad: str, good: str
) -> None:  # fmt: skip
    def found(text: str) -> list[str]:
        return [it.rule for it in lint(HONEST + text, phase=Phase.INVESTIGATING, internal=["checkout-api"])]

    assert found(bad) == [rule]
    assert found(good) == []


def test_a_text_says_what_is_not_known_while_it_is_investigated() -> None:
    found = lint("Checkout is slow.", phase=Phase.INVESTIGATING)
    assert [str(it) for it in found] == ["1:1: say what is not known yet"]
    assert lint("Checkout is slow.", phase=Phase.IDENTIFIED) == []


@pytest.mark.parametrize(
    ("phase", "rule", "bad", "good"),
    [
        (Phase.MONITORING, "persists", "A fix is in place.", "A fix is in place. If it persists, tell us."),
        (Phase.RESOLVED, "data_loss", "It is over.", "It is over. No data were lost."),
    ],
)
def test_a_text_has_what_its_phase_asks_for(phase: Phase, rule: str, bad: str, good: str) -> None:
    assert [it.rule for it in lint(bad, phase=phase)] == [rule]
    assert lint(good, phase=phase) == []


def test_a_finding_names_its_line_column_and_words() -> None:
    (found,) = lint("It works.\nWe drained web-01 first.", phase=Phase.IDENTIFIED)
    assert (found.line, found.column, found.words) == (2, 12, "web-01")


def test_the_promise_after_each_update_is_that_of_the_severity_and_the_first_one_outside_is_followed_soon() -> None:
    outside = CADENCES[Audience.EXTERNAL]["sev1"]
    promise = started(12, Audience.EXTERNAL, outside, T)
    assert promise.due_at == T + minutes(5)
    ask = {"declared_at": T, "now": T + minutes(5)}
    assert longest(promise, outside, **ask) == minutes(5)
    promise = told(promise, "a", T + minutes(10), T + minutes(5))
    assert longest(promise, outside, **ask) == minutes(20)
    takes_long = replace(promise, long=True)
    assert longest(takes_long, outside, declared_at=T, now=T + minutes(119)) == minutes(20)
    assert longest(takes_long, outside, declared_at=T, now=T + minutes(120)) == minutes(60)
    assert longest(replace(promise, every=minutes(7)), outside, **ask) == minutes(7)


def test_a_severity_that_rises_brings_the_next_update_forward_and_never_back() -> None:
    inside = CADENCES[Audience.INTERNAL]
    promise = told(started(12, Audience.INTERNAL, inside["sev3"], T), "a", T + minutes(240), T)
    up = raised(replace(promise, every=minutes(200)), inside["sev1"], declared_at=T, now=T + minutes(10))
    assert (up.due_at, up.every) == (T + minutes(40), None)
    soon = replace(promise, due_at=T + minutes(12))
    assert raised(soon, inside["sev1"], declared_at=T, now=T + minutes(10)).due_at == T + minutes(12)


def test_a_later_time_of_day_alone_is_no_news() -> None:
    assert same_words("14:05 UTC: we  investigate.", "14:25 UTC: We investigate.")
    assert not same_words("14:05 UTC: we investigate.", "14:05 UTC: we ruled out the network.")
    assert not same_words("", "")


@pytest.mark.parametrize("status", list(Status))
@pytest.mark.parametrize("audience", list(Audience))
def test_a_draft_outside_holds_nothing_that_stays_inside_and_one_for_executives_four_lines(
    status: Status, audience: Audience
) -> None:  # fmt: skip
    known = Known(incident=replace(INC, status=status), public_service="Checkout", firing=2)
    text = draft(known, audience, T + minutes(20))
    assert unfilled(text) or status is Status.CLOSED
    if audience is Audience.EXTERNAL:
        found = lint(text, phase=phase_of(status), internal=["checkout-api"])
        assert {it.rule for it in found} == {"unfilled"}
        assert "web-01" not in text
    if audience is Audience.EXECUTIVES:
        assert len(text.splitlines()) == 4
    else:
        assert text.startswith("14:20 UTC: ")


def test_what_was_put_down_stands_in_the_draft_and_who_does_it_only_inside() -> None:
    identified = replace(INC, status=Status.IDENTIFIED)
    known = Known(
        incident=identified, public_service="Checkout", impact="Half of all payments fail.", cause="a full pool",
        action="roll back to 4.1", doer="ben",
    )  # fmt: skip
    outside, inside, executives = (
        draft(known, audience, T) for audience in (Audience.EXTERNAL, Audience.INTERNAL, Audience.EXECUTIVES)
    )
    assert "we know what contributes to a problem with Checkout: a full pool. What is done now: roll back to" in outside
    assert "ben" not in outside
    assert "What is done now: roll back to 4.1 (ben)." in inside
    assert "\nCustomers: Half of all payments fail.\nNow: roll back to 4.1 (ben).\n" in executives
    investigated = draft(replace(known, incident=INC), Audience.EXTERNAL, T)
    assert investigated.endswith("a problem with Checkout. Half of all payments fail. The cause is not yet known.")
    assert first_words(known, Audience.EXTERNAL, T) == first_words(
        Known(incident=INC, public_service="Checkout"), Audience.EXTERNAL, T
    )


def test_the_first_words_can_go_out_as_they_are() -> None:
    text = first_words(Known(incident=INC), Audience.EXTERNAL, T)
    assert text == (
        "14:00 UTC: we are investigating a problem with one of our services. "
        "Its extent and its cause are not yet known."
    )
    assert lint(text, phase=Phase.INVESTIGATING, internal=["checkout-api"]) == []
    assert with_promise(text, T + minutes(20), T).endswith("\nNext update by 14:20 UTC.")
    assert with_promise(text, None, T) == text


def test_a_draft_says_how_to_follow_it_when_it_was_decided_and_by_when_the_review_is_there() -> None:
    known = Known(
        incident=INC, impact="Half of all payments fail.", channel="#inc-12", status_page="https://status.example.org",
        action="roll back to 4.1", decided_at=T + minutes(7), review_by=date(2026, 11, 27),
    )  # fmt: skip
    assert draft(known, Audience.INTERNAL, T).endswith("not yet known. How to follow it: #inc-12.")
    assert draft(known, Audience.EXTERNAL, T).endswith("not yet known. How to follow it: https://status.example.org.")
    identified = replace(known, incident=replace(INC, status=Status.IDENTIFIED))
    assert "What is done now: roll back to 4.1, decided at 14:07 UTC." in draft(identified, Audience.EXTERNAL, T)
    over = replace(known, incident=replace(INC, status=Status.RESOLVED, resolved_at=T + minutes(60)))
    assert draft(over, Audience.INTERNAL, T).endswith("The review will be published by 2026-11-27.")


def test_executives_read_when_it_began_and_never_as_the_time_of_its_state() -> None:
    over = replace(INC, status=Status.RESOLVED, mitigated_at=T + minutes(190), resolved_at=T + minutes(223))
    text = draft(Known(incident=over, firing=2), Audience.EXECUTIVES, T + minutes(225))
    assert text.splitlines()[0] == "INC-12 sev1 is resolved; it began at 14:00 UTC; 2 alerts firing."
    text = draft(Known(incident=INC), Audience.EXECUTIVES, T + timedelta(days=1))
    assert text.splitlines()[0] == "INC-12 sev1 is investigating; it began at 2026-11-24 14:00 UTC."


def test_a_time_of_another_day_has_its_day() -> None:
    tomorrow = T + timedelta(days=1)
    assert with_promise("x", tomorrow, T) == "x\nNext update by 2026-11-25 14:00 UTC."
    over = Known(incident=replace(INC, status=Status.RESOLVED, resolved_at=tomorrow))
    text = draft(over, Audience.INTERNAL, tomorrow)
    assert text.startswith("14:00 UTC: INC-12 CheckoutDown on web-01 is over since 14:00 UTC.")
    assert "It began at 2026-11-24 14:00 UTC and lasted 1d." in text
