"""What a page that joined a summary page shares with it, as units of work: who is called, and who hears of a change.

A summary page is about `SUM-9`, which has a timeline and a lock and is nothing else; what it calls for are the holds
whose pages joined it. The lock of a summary is taken after those of holds, so whoever has it changes no hold: a change
of the summary goes to each hold as a deadline that is due now, and a change of a hold to the summary likewise.
"""

from __future__ import annotations

from datetime import datetime

from incidentd.holds import HoldState
from incidentd.pages import SUMMARY, Page, PageState
from incidentd.store import Tx, chain, jobs, summaries
from incidentd.text import count
from incidentd.timeline import INCIDENTD, Actor, Draft

FOLLOW, LOOK = "joined", "summary"
"""Kinds of deadlines: a page takes over how its summary stands; a summary looks whether anything is left of it."""


def place_of(subject: str) -> str:
    """Give the place on the console where a hold, an incident or what joined a summary is shown."""
    kind, _, number = subject.partition("-")
    if kind == SUMMARY:
        return f"pages/PAGE-{number}"
    return f"{'incidents' if kind == 'INC' else 'holds'}/{subject}"


def caller_of(tx: Tx, page: Page) -> Page:
    """Give the page that calls people for a page: the summary that it joined, or itself."""
    return (summaries.page_as_it_is(tx, page.joined) or page) if page.joined else page


def calls(tx: Tx, page: Page) -> bool:
    """Say whether the summary that a page joined still calls, or was answered."""
    summary = summaries.page_as_it_is(tx, page.joined)
    return summary is not None and summary.state is not PageState.RESOLVED


def goes_on(tx: Tx, summary: int) -> bool | None:
    """Say whether any hold that a summary page calls for still hurts; False while all recover, None when none is."""
    states = {it.hold for it in summaries.joined_to(tx, summary) if it.state is not PageState.RESOLVED}
    if HoldState.HOLDING in states:
        return True
    return False if states & {HoldState.RECOVERING, HoldState.SNOOZED} else None


def heard(tx: Tx, page: Page, kinds: tuple[str, ...]) -> datetime | None:
    """Say when the last sign came that somebody, or something, gets on with what a page calls for."""
    if not page.is_summary:
        return chain.last_of(tx, page.subject, kinds)
    return summaries.last_of(tx, [subject for _, subject in summaries.pages_of(tx, page.id)], kinds)


def have_followed(tx: Tx, summary: Page, by: Actor) -> None:
    """Have every page that joined a summary take over how it stands now; `by` is whose doing that is."""
    found = summaries.pages_of(tx, summary.id)
    for number, subject in found:
        jobs.schedule(
            tx, queue=jobs.TIMER, kind=FOLLOW, subject=subject, ukey=f"{FOLLOW}:{number}", due_at=tx.now,
            payload={"page": number, "by": by.name, "via": by.via, "key": by.key},
        )  # fmt: skip
    if found and summary.held_by:
        text = f"{summary.key} answers for {count(len(found), 'page')} that joined it; what is refused now calls anew."
        chain.append(tx, summary.subject, by, [Draft("page.answers", text, {"pages": len(found)})])


def look_after(tx: Tx, page: Page) -> None:
    """Have the summary of a page that left it, or is over, look whether anything is left of it."""
    if page.joined:
        jobs.schedule(
            tx, queue=jobs.TIMER, kind=LOOK, subject=f"{SUMMARY}-{page.joined}", ukey=f"{LOOK}:{page.joined}",
            due_at=tx.now, payload={"page": page.joined},
        )  # fmt: skip


def leaves(tx: Tx, page: Page, why: str) -> None:
    """Say on the timeline of a hold or incident that its page leaves the summary."""
    text = f"{page.key} leaves PAGE-{page.joined} and calls by itself: {why}."
    chain.append(tx, page.subject, INCIDENTD, [Draft("page.left", text, {"page": page.key})])
    look_after(tx, page)
