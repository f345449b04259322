"""Many refusals at once, as units of work: each is kept, and where they are many one summary page calls for them all.

A page joins a summary only when a refused run is all that it is about: it begins in the moment of the refusal, for a
hold, and by a rule that leaves people asleep while a playbook tries. Whatever else it is begun for, later or beside,
calls by itself (paging.alone). docs/decisions/0016 says why no page is lost by that.
"""

from __future__ import annotations

from dataclasses import replace

from incidentd import escalation
from incidentd.durations import about
from incidentd.engine import chains, paging
from incidentd.errors import NotFound
from incidentd.holds import Hold
from incidentd.pages import SUMMARY, Facts, Page, PageState
from incidentd.playbooks.refusals import FEW, GATHERS, MANY, WITHIN, Refusal, in_words, lines, title
from incidentd.settings import Settings
from incidentd.store import Tx, chain, jobs, locks, refusals, subjects, things
from incidentd.store.jobs import Job
from incidentd.store.summaries import joined_to
from incidentd.text import clock, count
from incidentd.timeline import INCIDENTD, SYSTEM, Draft

RETELL = "retell"
"""The kind of the deadline by which those who were called hear of what joined since."""
_NOBODYS = frozenset({"still_firing", "mode"})
"""Guards whose refusal leaves people nothing to do that they did not choose."""
_AT_ONCE = "business_critical"
"""The urgency in which people are paged whether a playbook tries or not."""


def count_in(tx: Tx, subject: str, *, playbook: str, guard: str, reason: str, target: str) -> None:
    """Keep a refusal, by whom it leaves to be paged."""
    found = _whom(tx, subject)
    if guard in _NOBODYS or found is None:
        return
    policy, urgency = found
    locks.automation(tx)  # so that one of two replicas begins a summary, and the other one sees it
    refusals.add(
        tx, Refusal(
            playbook=playbook, guard=guard, reason=reason, target=target, subject=subject, policy=policy,
            urgency=urgency, at=tx.now,
        ),
    )  # fmt: skip


def _whom(tx: Tx, subject: str) -> tuple[str, str] | None:
    """Name the policy and urgency by which a hold or incident pages; None when it pages nobody."""
    kind, _, number = subject.partition("-")
    try:
        about_it = (subjects.get_hold if kind == "HOLD" else subjects.get_incident)(tx, int(number))
    except NotFound:
        return None
    pages = about_it.page_policy and about_it.urgency != "ticket"
    return (about_it.page_policy, about_it.urgency) if pages else None


def page(tx: Tx, settings: Settings, hold: Hold) -> Page | None:
    """Page for a new hold for which no playbook runs: by a page of its own, or with the others that were refused."""
    policy, urgency = hold.page_policy, hold.urgency
    playbook = "" if urgency == _AT_ONCE else refusals.refused(tx, policy, urgency, hold.key)
    summary = _summary(tx, settings, policy, urgency, playbook) if playbook else None
    if summary is None:
        return paging.start(tx, settings, subject=hold.key, policy=policy, urgency=urgency, title=hold.title)
    return _join(tx, settings, hold, summary)


def page_after_all(tx: Tx, settings: Settings, hold: Hold) -> None:
    """Page for a hold whose page waited for a playbook, unless it was paged already by a page of its own."""
    found = things.pages_of(tx, hold.key)
    if not found:
        paging.start(
            tx, settings, subject=hold.key, policy=hold.page_policy, urgency=hold.urgency, title=hold.title
        )  # fmt: skip
    for it in found:
        if it.state is PageState.OPEN:
            paging.alone(tx, settings, it, "a playbook runs for it after all")


def _summary(tx: Tx, settings: Settings, policy: str, urgency: str, playbook: str) -> Page | None:
    """Find the summary page to join, or begin one; None while there are few refusals.

    One that was answered, or is over, takes nothing more: whoever answered has not read of it. One that calls takes
    at once what it tells of already; another playbook is heard by itself until its refusals are many, too.
    """
    since = tx.now - WITHIN
    waiting = _waiting(tx, policy, urgency)
    told = waiting is not None and refusals.names(tx, policy, urgency, waiting.id, playbook)
    new = refusals.lately(tx, policy, urgency, since, playbook=playbook if waiting else "")
    if not told and new <= FEW:
        return None
    summary = waiting or _new(tx, settings, policy, urgency)
    refusals.tell_with(tx, policy, urgency, summary.id, since)
    if waiting is None:
        return _begin(tx, settings, summary)
    return waiting if told else _say_again(tx, settings, waiting, playbook)


def _waiting(tx: Tx, policy: str, urgency: str) -> Page | None:
    """Find the summary page that still calls; nobody answers it until the end of the transaction."""
    try:
        last = things.get_page(tx, refusals.last_page(tx, policy, urgency))
    except NotFound:
        return None
    return last if last.state is PageState.OPEN else None


def _new(tx: Tx, settings: Settings, policy: str, urgency: str) -> Page:
    chain_now = chains.chain_of(settings, policy, urgency)
    within, renotify = chains.clocks_of(settings, urgency)
    made = things.insert_page(
        tx,
        Page(
            id=0, subject=SUMMARY, policy=policy, urgency=urgency, state=PageState.OPEN, title=MANY, started_at=tx.now,
            respond_within=within, renotify=renotify, chain=chain_now,
            origin=max(tx.now + GATHERS, escalation.begins_at(chain_now, tx.now)),
        ),
    )  # fmt: skip
    return replace(made, subject=f"{SUMMARY}-{made.id}")


def _begin(tx: Tx, settings: Settings, new: Page) -> Page:
    found = refusals.sums(tx, new.policy, new.urgency, new.id)
    text = (
        f"Guards refused more than {count(FEW, 'run')} of playbooks within {about(WITHIN)} for which {new.policy} is "
        f"paged ({new.urgency}): {in_words(found)}. {new.key} calls for those that follow, until somebody answers it."
    )
    data = {"policy": new.policy, "urgency": new.urgency, "page": new.key}
    for subject in (new.subject, SYSTEM):
        chain.append(tx, subject, INCIDENTD, [Draft("automation.refused", text, data)])
    return paging.begin(tx, settings, new, waits="with all that are refused meanwhile")


def _say_again(tx: Tx, settings: Settings, summary: Page, playbook: str) -> Page:
    """Have those who were called hear that another playbook is in it, by the step that was taken last."""
    text = f"Guards refuse runs of {playbook} as well: {summary.key} says so now."
    chain.append(tx, summary.subject, INCIDENTD, [Draft("automation.refused", text, {"page": summary.key})])
    return _sent_again(tx, settings, summary)


def _sent_again(tx: Tx, settings: Settings, summary: Page) -> Page:
    if summary.step == 0:
        return summary  # its first message is still to come
    return paging.advance(tx, settings, replace(summary, base=summary.base + 1, step=summary.step - 1))


def _have_told(tx: Tx, summary: Page) -> None:
    """See to it that what joins now is in a message within a while, if no step of the summary is due before."""
    sent = summary.base + summary.step
    waiting = jobs.live(tx, f"{RETELL}:{summary.id}") if summary.step else None
    if summary.step and (waiting is None or waiting.payload["sent"] != sent):
        _tell_later(tx, summary, sent)


def _tell_later(tx: Tx, summary: Page, sent: int) -> None:
    jobs.schedule(
        tx, queue=jobs.TIMER, kind=RETELL, subject=summary.subject, ukey=f"{RETELL}:{summary.id}",
        due_at=tx.now + WITHIN, payload={"page": summary.id, "sent": sent},
    )  # fmt: skip


def time_came(tx: Tx, settings: Settings, job: Job) -> None:
    """Have a summary sent again that more joined since its last message, unless a step of it was taken meanwhile."""
    summary, sent = things.get_page(tx, int(job.payload["page"])), int(job.payload["sent"])
    if summary.state is not PageState.OPEN or summary.base + summary.step != sent:
        return
    if paging.goes_on(tx, summary.subject) is False:
        _tell_later(tx, summary, sent)  # nothing hurts at this moment
        return
    text = f"More joined {summary.key} since its last message: it is sent again."
    chain.append(tx, summary.subject, INCIDENTD, [Draft("automation.refused", text, {"page": summary.key})])
    _sent_again(tx, settings, summary)


def _join(tx: Tx, settings: Settings, hold: Hold, summary: Page) -> Page:
    """Keep the page of a hold as one that the summary calls for; its response time is its own."""
    joins = things.insert_page(
        tx,
        Page(
            id=0, subject=hold.key, policy=summary.policy, urgency=summary.urgency, state=PageState.OPEN,
            title=hold.title, started_at=tx.now, respond_within=summary.respond_within, renotify=summary.renotify,
            chain=chains.chain_of(settings, summary.policy, summary.urgency), joined=summary.id,
            origin=summary.origin if summary.origin and summary.origin > tx.now else None,
        ),
    )  # fmt: skip
    due = escalation.breach_at(joins)
    text = (
        f"{joins.key} joins {summary.key}, which calls {summary.policy} for all that guards refused, "
        f"{summary.urgency}; to be answered by {clock(due)}."
    )
    data = {"page": joins.key, "joined": summary.key, "urgency": joins.urgency}
    chain.append(tx, hold.key, INCIDENTD, [Draft("page.joined", text, data)])
    _have_told(tx, summary)
    jobs.schedule(
        tx, queue=jobs.TIMER, kind="breach", subject=hold.key, ukey=f"breach:{joins.id}", due_at=due,
        payload={"page": joins.id},
    )  # fmt: skip
    return joins


def told(tx: Tx, settings: Settings, summary: Page) -> tuple[Page, Facts]:
    """Say what a message about a summary page has to say now."""
    found = refusals.sums(tx, summary.policy, summary.urgency, summary.id)
    known = [settings.severities[it.severity] for it in joined_to(tx, summary.id) if it.severity in settings.severities]
    worst = min(known, key=lambda one: one.rank, default=None)
    facts = Facts(
        severity=worst.name if worst else summary.urgency, means=worst.means if worst else "",
        since=summary.started_at,
        because="guards refused the runs, so each is a hold that waits for people; answer once for all of them",
        tried=lines(found),
    )  # fmt: skip
    return (replace(summary, title=title(found)) if found else summary), facts
