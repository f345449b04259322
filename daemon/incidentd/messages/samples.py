"""Facts that no incident has: a template that can be filled with them can be filled at three in the morning."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from incidentd.messages import ANSWER, DETAILS, Telling
from incidentd.oncall import Person, Target
from incidentd.pages import Chain, Facts, Occasion, Page, PageState

_START = datetime(2026, 11, 24, 3, 7, tzinfo=UTC)
_PAGE = Page(
    id=9, subject="INC-12", policy="payments", urgency="business_critical", respond_within=timedelta(minutes=5),
    state=PageState.OPEN, title='CheckoutErrors{env="prod"}', started_at=_START, chain=Chain(levels=()),
    paged=("ana", "ben"),
)  # fmt: skip
_FULL = Facts(
    severity="sev1", means="money is bleeding", since=_START - timedelta(minutes=2),
    declares_at=_START + timedelta(minutes=30), because="Every minute without checkout costs money.",
    tried=("playbook restart-worker (RUN-3): verify failed, the rate stayed at 0",),
    before="INC-7 of 2026-10-02: the worker was restarted",
    links=(
        (ANSWER, "https://incidentd.example.org/a/v1.x"),
        (DETAILS, "https://incidentd.example.org/incidents/INC-12"),
        ("Runbook", "https://runbooks.example.org/checkout"),
    ),
)  # fmt: skip
_BARE = Facts(severity="sev4", since=_START)


def samples() -> Iterator[Telling]:
    """Give a page on each occasion, with everything that can be known and with nothing but what always is."""
    ana = Person(handle="ana", name="Ana Ruiz", time_zone="Europe/Madrid")
    for occasion in Occasion:
        for facts, person, target in ((_FULL, ana, Target(on_call="payments")), (_BARE, None, None)):
            yield Telling(
                page=_PAGE, facts=facts, occasion=occasion, now=_START + timedelta(minutes=8), person=person,
                target=target, said="ben: a drill" if person else "",
            )  # fmt: skip
