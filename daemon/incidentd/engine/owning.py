"""Who has a page, as units of work: answers, help, answers that expire, and what they hear when it gets worse."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from difflib import get_close_matches

from incidentd import escalation, pages
from incidentd.durations import about
from incidentd.engine import chains, joined, paging
from incidentd.errors import Conflict, NotFound
from incidentd.holds import Hold, HoldState
from incidentd.pages import Page, PageState
from incidentd.settings import Settings
from incidentd.store import Tx, chain, jobs, rota, subjects, things
from incidentd.store.jobs import Job
from incidentd.text import instant, plain
from incidentd.timeline import INCIDENTD, Actor, Draft

LAPSE, WORSE = "lapse", "worse"
"""Kinds of deadlines: an answer expires, and somebody who has it hears that it is worse."""
SIGNS = (
    "note", "hold.progress", "hold.extended", "incident.mitigated", "incident.identified", "incident.refuted",
    "run.ended", "hypothesis.opened", "hypothesis.supported", "hypothesis.refuted",
    "decision.proposed", "decision.objected", "task.given", "task.acked", "task.done", "task.reassigned", "change.made",
    "change.undone", "criterion.added", "criterion.met", "section.written", "handover.offered", "handover.accepted",
    "people.called", "people.joined",
)  # fmt: skip
"""Entries of a timeline that say that somebody, or something, gets on with it; an answer alone does not.

None of them is written because a deadline passed: those go on while everybody sleeps.
"""
GRACE = timedelta(seconds=60)
"""What joins within a minute is one message."""


def acknowledged(tx: Tx, page: Page, *, before: Page) -> None:
    """Stop what a page that somebody has now would still have done, and count its first answer."""
    things.save_page(tx, page)
    joined.look_after(tx, before)
    first = before.acked_at is None
    if first and page.breached and not before.breached:
        paging.count_breach(tx, page)  # the answer came after the response time and before the deadline was handled
    paging.stop(tx, page)
    _expires(tx, page)
    if not first:
        return
    took = ((page.acked_at or tx.now) - page.counts_from).total_seconds()
    timeliness = "late" if page.breached else "on_time"
    how = {"urgency": page.urgency, "team": page.policy}
    paging.measure(tx, page, lambda m: m.page_response_seconds.labels(**how).observe(max(took, 0)))
    paging.measure(tx, page, lambda m: m.page_acknowledgements_total.labels(**how, timeliness=timeliness).inc())


def has_it(tx: Tx, owned: Page, *, before: Page, actor: Actor, how: str) -> None:
    """Take that somebody has a page from here, and say so; `how` is what the entry says of it."""
    acknowledged(tx, owned, before=before)
    late = " (after its response time)" if owned.breached and before.acked_at is None else ""
    over = f" over from {before.held_by}" if before.held_by else ""
    text = f"{before.key} {how} {owned.owner}{over}{late}."
    facts = {"page": before.key, "by": owned.owner}
    chain.append(tx, before.subject, actor, [Draft("page.acked", text, facts)])


def refuse_if_not_asked(tx: Tx, page: Page, settings: Settings, by: str) -> None:
    """Keep people from answering a page out from under those who were called. Raises Conflict, with what to do."""
    refuse_nobody(settings, page, by)
    if page.state is not PageState.OPEN:
        return
    page = joined.caller_of(tx, page)
    rooms = escalation.rings_a_room(page.chain)
    along = escalation.reading_along(page, rota.current(tx, settings.roster), tx.now)
    if by in along:
        raise Conflict(
            f"{plain(by, 40)} shadows whoever is on call and reads {page.key} along: it still calls "
            f"{plain(', '.join(page.paged), 200)}; take it if you own it from here, or say that you are helping"
        )
    if not pages.answers_count(page, by, rooms=rooms):
        raise Conflict(
            f"{page.key} was not sent to {plain(by, 40)}, so it still calls {plain(', '.join(page.paged), 200)}; "
            f"take it if you own it from here, or say that you are helping"
        )


def refuse_nobody(settings: Settings, page: Page, by: str) -> None:
    """Keep what is nobody from having a page: nothing more would call for it. Raises Conflict, with what to do.

    Where no people are configured, every name is as good as another.
    """
    people = settings.roster.people
    if people and by not in people:
        near = get_close_matches(by, people, n=1)
        perhaps = f" (did you mean {near[0]}?)" if near else ""
        raise Conflict(
            f"{plain(by, 40)!r} is nobody in the files of `kind: people`{perhaps}, so nobody would have {page.key}; "
            "answer with a token that is named as the person is (incidentd token create HANDLE --scope responder), "
            "or while there are no tokens with --by HANDLE"
        )


def _expires(tx: Tx, page: Page) -> None:
    if page.renotify > timedelta(0) and page.state is PageState.ACKED:
        jobs.schedule(
            tx, queue=jobs.TIMER, kind=LAPSE, subject=page.subject, ukey=f"{LAPSE}:{page.id}",
            due_at=(page.owned_at or tx.now) + page.renotify, payload={"page": page.id},
        )  # fmt: skip


def time_came(tx: Tx, settings: Settings, job: Job) -> None:
    """Look at an answer that may have expired, or tell whoever has it that it is worse."""
    try:
        page = things.get_page(tx, int(job.payload["page"]))
    except NotFound:
        return
    if page.state is not PageState.ACKED:
        return
    if job.kind == WORSE:
        _tell_worse(tx, settings, page, was=str(job.payload["was"]))
    else:
        _look_for_signs(tx, settings, page)


def _look_for_signs(tx: Tx, settings: Settings, page: Page) -> None:
    """Open a page again when nothing was heard since its answer; while nothing fires, nobody is called."""
    goes_on = paging.goes_on(tx, page.subject)
    if goes_on is None:
        return
    heard = max(page.owned_at or page.started_at, joined.heard(tx, page, SIGNS) or page.started_at)
    due_at = heard + page.renotify if goes_on else tx.now + page.renotify
    if due_at > tx.now:
        jobs.schedule(
            tx, queue=jobs.TIMER, kind=LAPSE, subject=page.subject, ukey=f"{LAPSE}:{page.id}", due_at=due_at,
            payload={"page": page.id},
        )  # fmt: skip
        return
    who = page.held_by
    known = who in settings.roster.people
    again = pages.lapse(page, escalation.after_lapse(page.chain, who) if known else page.chain, tx.now)
    text = f"{page.key}: nothing was heard for {about(page.renotify)} since {plain(who, 100)} answered; "
    text += f"paging {who} again." if known else "paging again."
    chain.append(tx, page.subject, INCIDENTD, [Draft("page.lapsed", text, {"page": page.key, "by": who})])
    paging.measure(
        tx, page, lambda m: m.page_renotifications_total.labels(urgency=page.urgency, team=page.policy).inc()
    )  # fmt: skip
    paging.advance(tx, settings, again)
    if page.is_summary:
        joined.have_followed(tx, again, INCIDENTD)


def worse(tx: Tx, settings: Settings, before: Hold, hold: Hold) -> None:
    """Take that a hold got worse: of another urgency it is paged for anew, and else whoever has it hears it once."""
    found = [it for it in things.pages_of(tx, hold.key) if it.state is not PageState.RESOLVED]
    page = found[-1] if found else None
    title = f"Raised to {hold.severity}: {hold.title}"
    if hold.urgency != before.urgency:
        if page is not None and page.policy == hold.page_policy and hold.urgency != "ticket":
            raise_page(tx, settings, page, urgency=hold.urgency, title=title)
        else:
            paging.start(
                tx, settings, subject=hold.key, policy=hold.page_policy, urgency=hold.urgency, title=title
            )  # fmt: skip
    elif page is not None and page.state is PageState.OPEN:
        paging.alone(tx, settings, replace(page, title=title), "it is worse than what joined")
    elif page is not None and page.state is PageState.ACKED and jobs.live(tx, f"{WORSE}:{page.id}") is None:
        jobs.schedule(
            tx, queue=jobs.TIMER, kind=WORSE, subject=hold.key, ukey=f"{WORSE}:{page.id}", due_at=tx.now + GRACE,
            payload={"page": page.id, "was": f"{before.severity}; {', '.join(before.owners) or 'no team'}"},
        )  # fmt: skip


def is_worse(before: Hold, hold: Hold) -> bool:
    """Say whether whoever answered would want to know: its severity or urgency rose, or another team is in it."""
    more_teams = bool(before.owners) and bool(set(hold.owners) - set(before.owners))
    return hold.urgency != before.urgency or hold.severity != before.severity or more_teams


def raise_page(tx: Tx, settings: Settings, page: Page, *, urgency: str, title: str) -> None:
    """Have the same page call again by the chain of another urgency, with a response time that begins anew."""
    paging.stop(tx, page)
    joined.look_after(tx, page)
    within, renotify = chains.clocks_of(settings, urgency)
    following = chains.chain_of(settings, page.policy, urgency)
    raised = pages.raise_to(
        page, urgency=urgency, respond_within=within, renotify=renotify, chain=following, title=title, now=tx.now
    )
    paging.begin(tx, settings, raised)


def _tell_worse(tx: Tx, settings: Settings, page: Page, *, was: str) -> None:
    hold = subjects.get_hold(tx, int(page.subject.removeprefix("HOLD-")))
    person = settings.roster.people.get(page.held_by)
    if hold.state is not HoldState.HOLDING or person is None:
        return
    title = plain(f"[{hold.severity.upper()}] Worse than when you answered: {hold.title} ({hold.key})", 140)
    body = [
        f"Now: {plain(hold.severity)}; {plain(', '.join(hold.owners) or 'no team', 200)}",
        f"When you answered: {plain(was, 200)}",
        f"You have it since: {instant(page.owned_at)}",
        "Asked of you: look whether it still needs only you; note what you find",
        "",
        f"Details: {settings.external_url}/holds/{hold.key}",
    ]
    at = int(tx.now.timestamp())
    for channel in person.channels:
        paging.tell(
            tx, subject=page.subject, channel=channel.name, purpose="page", title=title, body="\n".join(body),
            key=f"{page.key}/worse/{at}/{channel.name}",
        )  # fmt: skip
    text = f"{page.key}: told {person.handle} that it is worse: {hold.severity}."
    chain.append(tx, page.subject, INCIDENTD, [Draft("page.worse", text, {"page": page.key})])
