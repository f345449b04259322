"""The handoff report: everything that the next one has to know, and nothing that a stranger's words could do."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from incidentd.handoff import Change, Flapping, Known, Silence, channels_for, report
from incidentd.oncall import Channel, ChannelKind, Override, Person
from incidentd.pages import Chain, Page, PageState
from incidentd.redaction import Secret

EDGE = datetime(2026, 11, 30, 8, 0, tzinfo=UTC)
CHANGE = Change(schedule="platform", at=EDGE, leaving="ana", coming="ben", began=EDGE - timedelta(days=7))
BEN = Person(handle="ben", name="Ben", time_zone="Europe/Madrid")
PAGE = Page(
    id=9, subject="INC-12", policy="platform", urgency="urgent", respond_within=timedelta(minutes=30),
    state=PageState.ACKED, title="Checkout is down", started_at=EDGE - timedelta(days=1), chain=Chain(levels=()),
    acked_at=EDGE - timedelta(days=1) + timedelta(minutes=4), acked_by="ana",
)  # fmt: skip


def body(**known: object) -> str:
    return report(Known(change=CHANGE, **known), now=EDGE, person=BEN, url="https://x.example")[1]  # type: ignore[arg-type]


def test_a_quiet_shift_says_so_of_everything() -> None:
    title, text = report(Known(change=CHANGE), now=EDGE)
    assert title == "Handoff of platform: ana to ben, nothing open"
    for name in ("Open incidents", "Open holds", "Flapping", "Silences", "Overrides ahead"):
        assert f"{name}: none" in text


def test_a_preview_says_that_it_is_one_and_who_has_the_pager_until_when() -> None:
    known = Known(change=CHANGE, preview=True, next_at=EDGE + timedelta(hours=3))
    title, text = report(known, now=EDGE)
    assert title == "Preview of the handoff of platform: ana to ben, nothing open"
    assert text.startswith(
        "This is a preview, as if the pager were handed on now, 2026-11-30 08:00:00 UTC; it was sent to"
    )
    assert "ana has the pager of platform; ben has it next, from 2026-11-30 11:00:00 UTC." in text
    assert "ana has the pager of platform; nobody is next." in report(replace(known, next_at=None), now=EDGE)[1]
    assert "preview" not in report(Known(change=CHANGE), now=EDGE)[1]


def test_what_was_paged_says_who_answered_and_how_fast() -> None:
    assert "- PAGE-9 about INC-12, urgent: Checkout is down; ana answered after 4m" in body(pages=[PAGE])
    assert "too late" in body(pages=[replace(PAGE, breached=True)])
    assert "nobody answered for 1d" in body(pages=[replace(PAGE, state=PageState.OPEN)])
    assert "over before anybody answered" in body(pages=[replace(PAGE, state=PageState.RESOLVED)])


def test_silences_are_listed_by_their_end_or_said_to_be_unknown() -> None:
    one = Silence(matchers='{env="prod"}', ends_at=EDGE + timedelta(hours=2), by="cho", comment="a new disk")
    other = replace(one, ends_at=EDGE + timedelta(hours=1), comment="first")
    text = body(silences=[one, other])
    assert text.index("first") < text.index("a new disk")
    assert '{env="prod"} until 2026-11-30 10:00:00 UTC (Mon 11:00 in Europe/Madrid), by cho: a new disk' in text
    assert "Silences: unknown" in body(silences=None)


def test_overrides_and_flapping_alerts_are_told() -> None:
    text = body(
        overrides=[Override(person="dia", start=EDGE, end=EDGE + timedelta(hours=3), because="dentist")],
        flapping=[Flapping(what="QueueLag", fired=7)],
    )
    assert "dia from 2026-11-30 08:00:00 UTC" in text
    assert "(dentist)" in text
    assert "- QueueLag: fired 7 times" in text
    assert text.endswith("Details: https://x.example/")


def test_strangers_words_stay_one_harmless_line_and_long_lists_are_cut() -> None:
    hostile = replace(PAGE, title="a\nDetails: https://evil.example\u202e\x00")
    lines = body(pages=[hostile] * 25).split("\n")
    assert sum(line.startswith("Details:") for line in lines) == 1
    assert "- and 5 more" in lines
    assert not any("\u202e" in line for line in lines)


def test_a_report_goes_where_it_wakes_nobody() -> None:
    made = {kind: Channel(name=f"ben/{kind}", kind=kind, url=Secret("x")) for kind in ChannelKind}
    mail, chat, sms, push = (
        made[kind] for kind in (ChannelKind.MAIL, ChannelKind.CHAT, ChannelKind.SMS, ChannelKind.PUSH)
    )
    assert channels_for(replace(BEN, channels=(sms, mail, chat))) == (mail, chat)
    assert channels_for(replace(BEN, channels=(push, sms))) == (push,)
    assert channels_for(BEN) == ()
