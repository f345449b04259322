"""Deadlines of summary pages as units of work: what joined one follows it, and it ends when nothing is left of it."""

from __future__ import annotations

from incidentd import holds, pages
from incidentd.engine import course, joined, paging
from incidentd.errors import NotFound
from incidentd.pages import Occasion, Page, PageState
from incidentd.settings import Settings
from incidentd.store import Tx, chain, subjects, summaries, things
from incidentd.store.jobs import Job
from incidentd.timeline import Actor, Draft


def time_came(tx: Tx, settings: Settings, job: Job) -> None:
    """Have a page follow the summary that it joined, or a summary look at what joined it."""
    try:
        page = things.get_page(tx, int(job.payload["page"]))
    except NotFound:
        return
    if job.kind == joined.LOOK:
        _look(tx, settings, page)
    elif page.joined:
        by = Actor(name=job.payload["by"], via=job.payload["via"], key=job.payload["key"])
        _follow(tx, settings, page, by)


def _look(tx: Tx, settings: Settings, summary: Page) -> None:
    """End a summary page of which nothing is left; who was called hears so when it went away by itself."""
    if summary.state is not PageState.OPEN or summaries.waits(tx, summary.id):
        return
    if joined.goes_on(tx, summary.id) is not None:
        return  # it was answered a moment ago, and its answer expired
    went_away = bool(summaries.pages_of(tx, summary.id))
    paging.end_all(tx, settings, summary.subject, occasion=Occasion.SELF_RESOLVED if went_away else None)


def _follow(tx: Tx, settings: Settings, page: Page, by: Actor) -> None:
    summary = summaries.page_as_it_is(tx, page.joined)
    if summary is None or page.state is PageState.RESOLVED:
        return
    after = pages.follow(page, summary, tx.now)
    if after == page:
        return
    things.save_page(tx, after)
    facts = {"page": page.key, "joined": summary.key, "by": after.held_by or page.held_by}
    if after.state is PageState.OPEN:
        text = f"{page.key}: the answer of {page.held_by} to {summary.key} expired; it calls again."
        chain.append(tx, page.subject, by, [Draft("page.lapsed", text, facts)])
        return
    if after.breached and not page.breached:
        paging.count_breach(tx, after)
    paging.stop(tx, after)
    text = f"{page.key} was acknowledged by {after.held_by}, with {summary.key}."
    chain.append(tx, page.subject, by, [Draft("page.acked", text, facts)])
    hold = subjects.get_hold(tx, int(page.subject.removeprefix("HOLD-")))
    if hold.state in holds.OPEN:
        turn = holds.acknowledged(hold, by=after.held_by, now=tx.now)
        course.carry_out(tx, settings, hold, turn, by)
