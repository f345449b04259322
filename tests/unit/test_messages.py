"""What a page says to people, in whatever template, and harmless wherever it goes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from incidentd.messages import (
    TEMPLATES,
    TITLE_LIMIT,
    BadMessage,
    Style,
    Telling,
    for_chat,
    is_web_link,
    read_message,
    together,
    write,
)
from incidentd.messages.defaults import SHIPPED
from incidentd.messages.samples import samples
from incidentd.oncall import ChannelKind, Person, Target
from incidentd.pages import Chain, Facts, Occasion, Page, PageState, acknowledge, lapse, purpose_of

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
    before="INC-7 of 2026-10-02: the worker was restarted",
    links=(
        ("I have it", "https://incidentd.example.org/a/v1.x"),
        ("Details", "https://incidentd.example.org/incidents/12"),
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
    it = Telling(page=page, facts=facts, occasion=occasion, now=now, person=ANA, target=ON_CALL, said=said)
    return write(it, ChannelKind.MAIL)[1].split("\n")


def title(occasion: Occasion, page: Page = PAGE, *, after: float = 0) -> str:
    it = Telling(page=page, facts=FACTS, occasion=occasion, now=START + minutes(after))
    return write(it, ChannelKind.MAIL)[0]


def told(target: Target | None = ON_CALL, kind: ChannelKind = ChannelKind.MAIL, facts: Facts = FACTS) -> str:
    it = Telling(page=PAGE, facts=facts, occasion=Occasion.FIRST, now=START, target=target)
    return "\n\n".join(write(it, kind))


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
        "Before: INC-7 of 2026-10-02: the worker was restarted",
        "",
        "I have it: https://incidentd.example.org/a/v1.x",
        "Details: https://incidentd.example.org/incidents/12",
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
    acked = replace(acknowledge(PAGE, "ana", START + minutes(1)), renotify=minutes(15))
    again = lapse(acked, PAGE.chain, START + minutes(16))
    assert title(Occasion.AGAIN, again, after=20).startswith("[SEV1] Still going on, ana has it: ")
    asked = "Asked of you: note how it goes and answer again; nothing was heard of it for 15m"
    assert asked in lines(Occasion.AGAIN, again, after=20)


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
    assert f"Why you: {why}" in told(target)


def test_a_reader_in_utc_reads_one_time_and_a_channel_is_told_nothing_of_itself() -> None:
    body = told(Target(channel="ops-chat"))
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
        FACTS,
        severity=evil,
        means=evil,
        because=evil,
        tried=(evil,),
        before=evil,
        links=((evil, "https://a.example/"),),
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


# --- kinds of channels ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [ChannelKind.SMS, ChannelKind.CALL, ChannelKind.PUSH])
def test_what_is_cut_where_it_costs_says_first_what_to_do_and_where(kind: ChannelKind) -> None:
    assert told(kind=kind).split("\n") == [
        '[SEV1] CheckoutErrors{env="prod"} (INC-12)',
        "",
        "Answer by: 2026-11-24 14:12:00 UTC",
        "https://incidentd.example.org/a/v1.x",
        "sev1: money is bleeding, for 2m",
        "Why: Every minute without checkout costs money.",
        "Why you: you are on call for payments",
        "Tried: Playbook restart-worker did not help: the rate stayed at 0",
        "Before: INC-7 of 2026-10-02: the worker was restarted",
        "https://incidentd.example.org/incidents/12",
    ]


@pytest.mark.parametrize(
    ("evil", "forbidden"),
    [
        ("@everyone @here", "@everyone"),
        ("<!channel> <@U123> <#C1>", "<!channel"),
        ("<https://evil.example|the runbook>", "<https"),
        ("[the runbook](https://evil.example)", "]("),
        ("<at>ops</at><img src=x>", "<at"),
    ],
)
def test_a_strangers_words_call_nobody_in_a_chat_and_hide_no_address(evil: str, forbidden: str) -> None:
    facts = replace(
        FACTS, means=evil, because=evil, tried=(evil,), before=evil, links=((evil, "https://a.example/@everyone"),)
    )
    text = told(kind=ChannelKind.CHAT, facts=facts)
    assert forbidden not in text
    assert "https://a.example/%40everyone" in text
    assert forbidden not in for_chat(f"{evil} https://a.example/x")
    assert for_chat(f"{evil} https://a.example/x").endswith(" https://a.example/x")


def test_several_messages_become_one_that_answers_each() -> None:
    title, body = together(("[SEV1] a (INC-1)", "What: a"), [("[SEV2] b (INC-2)", "https://x/a/2"), ("c (INC-3)", "")])
    assert title == "[SEV1] a (INC-1) (+2 pages)"
    assert body.split("\n")[2:] == ["Also waiting for you:", "- [SEV2] b (INC-2) https://x/a/2", "- c (INC-3)"]


def test_of_a_storm_those_beyond_are_named_and_in_a_short_message_counted() -> None:
    it = (("a (INC-1)", "What: a"), [("b (INC-2)", "https://x/a/2")])
    title, body = together(*it, beyond=["INC-3", "INC-4"], elsewhere="https://x/")
    assert title == "a (INC-1) (+3 pages)"
    assert body.endswith("\n- and 2 more: INC-3, INC-4 https://x/")
    assert together(*it, beyond=["INC-3", "INC-4"], elsewhere="https://x/", short=True)[1].endswith(
        "\n- and 2 more https://x/"
    )


@pytest.mark.parametrize("kind", [ChannelKind.SMS, ChannelKind.MAIL, ChannelKind.CHAT])
def test_a_copy_says_so_and_asks_for_nothing(kind: ChannelKind) -> None:
    it = Telling(page=PAGE, facts=FACTS, occasion=Occasion.FIRST, now=START, target=ON_CALL, copy=True)
    title, body = write(it, kind)
    assert title.startswith("[SEV1] Copy: ") or "Copy: " in body
    assert "Asked of you: nothing; read along" in body
    assert "Why you: you shadow whoever is on call" in body
    assert "Answer by" not in body


# --- templates ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("style", list(Style))
def test_every_shipped_template_says_what_how_bad_since_when_why_what_was_tried_and_where_to_go(style: Style) -> None:
    kinds = {Style.SHORT: ChannelKind.SMS, Style.CHAT: ChannelKind.CHAT, Style.MAIL: ChannelKind.MAIL}
    full = next(samples())
    text = "\n".join(write(full, kinds[style]))
    for part in (
        "CheckoutErrors",
        "sev1",
        "INC-12",
        "10m",
        "money",
        "you are on call",
        "RUN-3",
        "INC-7",
        "/a/v1.x",
        "/INC-12",
    ):
        assert part in text, part
    assert read_message(SHIPPED[style]) == TEMPLATES[style]


def test_a_line_comes_with_its_values_and_once_for_each_of_a_list() -> None:
    template = read_message("{{ what }}\n\nHeld: {{ held }}\nalways\n- {{ tried }}\n\n{{ link.name }}={{ link.url }}\n")
    it = Telling(page=PAGE, facts=replace(FACTS, tried=("x", "y")), occasion=Occasion.FIRST, now=START)
    title, body = write(it, ChannelKind.MAIL, {Style.MAIL: template})
    assert title == PAGE.title
    assert body.split("\n")[:4] == ["always", "- x", "- y", ""]
    assert body.endswith("Details=https://incidentd.example.org/incidents/12")


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("", 1, "the title of the message, and it is empty"),
        ("{{ what }}\nbody\n", 2, "an empty line and the body"),
        ("{{ what }}\n\n{{ whta }}", 3, "there is no `whta` in a message; there are severity"),
        ("{{ what }}\n\nok\n{{ tried }} {{ link.url }}", 4, "`link` and `tried` are both lists"),
        ("{{ tried }}\n\nbody", 1, "`tried` is a list, and the title is one line"),
        ("{{ what }}\n\n{% if what %}x{% endif %}", 3, "only {{ }} may stand in a template"),
        ("{{ what }}\n\n{{ what.__class__ }}", 3, "there is no `what.__class__`"),
        ("{{ what }}\n\n{{ what", 3, "this is no template"),
    ],
)
def test_what_is_wrong_in_a_template_is_said_with_its_line(text: str, line: int, what: str) -> None:
    with pytest.raises(BadMessage) as caught:
        read_message(text)
    assert caught.value.line == line
    assert what in str(caught.value)


def test_a_value_is_never_read_as_a_template() -> None:
    it = Telling(page=replace(PAGE, title="{{ 7 * 7 }}{% x %}"), facts=FACTS, occasion=Occasion.FIRST, now=START)
    assert "{{ 7 * 7 }}{% x %}" in write(it, ChannelKind.MAIL)[0]
