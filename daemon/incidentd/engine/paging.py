"""Pages as units of work: start one, go on with its escalation, take an answer, end it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from incidentd import escalation
from incidentd.durations import about
from incidentd.errors import NotFound
from incidentd.metrics import Metrics
from incidentd.oncall import Target
from incidentd.pages import Chain, Level, Occasion, Page, PageState, purpose_of
from incidentd.settings import Settings
from incidentd.store import Tx, chain, jobs, rota, things
from incidentd.text import clock
from incidentd.timeline import INCIDENTD, Draft

UNDELIVERABLE_AFTER = timedelta(hours=24)
"""A page is tried for this long; then it is said aloud that it could not be delivered."""
_EVERYBODY = Chain(levels=(Level(after=timedelta(0), page=Target(team="*")),))
_WORK_DAY = range(8, 18)
_SLEEP_FROM, _SLEEP_UNTIL = 22, 8


def start(tx: Tx, settings: Settings, *, subject: str, policy: str, urgency: str, title: str) -> Page | None:
    """Page the people of an escalation policy about a hold or incident; None when nobody is to be paged."""
    if not policy or urgency == "ticket":
        return None
    clock_of = settings.urgencies.get(urgency)
    page = things.insert_page(
        tx,
        Page(
            id=0, subject=subject, policy=policy, urgency=urgency, state=PageState.OPEN, title=title, started_at=tx.now,
            respond_within=clock_of.respond_within if clock_of else timedelta(minutes=30),
            chain=_chain(settings, policy, urgency),
        ),
    )  # fmt: skip
    answer_by = clock(escalation.breach_at(page))
    text = f"{page.key}: paging {policy}, {urgency}; to be answered by {answer_by}."
    chain.append(tx, subject, INCIDENTD, [Draft("page.started", text, {"page": page.key, "urgency": urgency})])
    period = _period(tx.now)
    tx.count(lambda m: m.pages_total.labels(urgency=urgency, team=policy, period=period).inc())
    jobs.schedule(
        tx, queue=jobs.TIMER, kind="breach", subject=subject, ukey=f"breach:{page.id}",
        due_at=escalation.breach_at(page), payload={"page": page.id},
    )  # fmt: skip
    return advance(tx, settings, page)


def _chain(settings: Settings, policy: str, urgency: str) -> Chain:
    """Find the chain to follow. A policy that a reload took away pages everybody rather than nobody."""
    found = settings.escalations.get(policy) or settings.escalations.get("default")
    if found is None:
        return _EVERYBODY
    return found.chains.get(urgency) or next(iter(found.chains.values()), _EVERYBODY)


def advance(tx: Tx, settings: Settings, page: Page, *, at_once: bool = False) -> Page:
    """Take the steps of an escalation that are due (`at_once`: the next one too); set the clock for what follows."""
    at = tx.now
    if at_once:
        at = max(at, page.started_at + escalation.step_at(page.chain, page.respond_within, page.step).at)
    steps, due_at = escalation.due(page, at)
    for step in steps:
        page = _take(tx, settings, page, step)
    things.save_page(tx, page)
    if page.state is PageState.OPEN:
        jobs.schedule(
            tx, queue=jobs.TIMER, kind="page", subject=page.subject, ukey=f"page:{page.id}", due_at=max(due_at, tx.now),
            payload={"page": page.id},
        )  # fmt: skip
    return page


def _take(tx: Tx, settings: Settings, page: Page, step: escalation.Step) -> Page:
    occasion = escalation.occasion_of(page, step)
    recipients = escalation.recipients(page, step, rota.current(tx, settings.roster), tx.now)
    for recipient in recipients:
        _put_message(
            tx, page, occasion, person=recipient.person, channel=recipient.channel, key=recipient.key, step=step.number
        )  # fmt: skip
    people = list(dict.fromkeys(recipient.person for recipient in recipients if recipient.person))
    if occasion is not Occasion.FIRST:
        whom = ", ".join(people) or ", ".join(recipient.channel for recipient in recipients)
        what = "escalated to" if occasion is Occasion.ESCALATION else "paging again"
        text = f"{page.key}: no answer for {about(tx.now - page.started_at)}; {what} {whom} ({step.target})."
        chain.append(
            tx, page.subject, INCIDENTD, [Draft("page.escalated", text, {"page": page.key, "level": step.level})]
        )
        last_resort = step.level > len(page.chain.levels) and step.loop == 1
        tx.count(lambda m: _count_step(m, page, occasion, last_resort=last_resort))
    return replace(page, step=step.number + 1, paged=tuple(dict.fromkeys([*page.paged, *people])))


def _count_step(metrics: Metrics, page: Page, occasion: Occasion, *, last_resort: bool) -> None:
    if occasion is Occasion.ESCALATION:
        metrics.escalations_total.labels(team=page.policy, reason="no_answer").inc()
    if last_resort:
        metrics.escalations_exhausted_total.labels(team=page.policy).inc()


def _put_message(tx: Tx, page: Page, occasion: Occasion, *, person: str, channel: str, key: str, step: int) -> None:
    """Put a message about a page into the outbox. Its words are written when it is sent, from what is true then."""
    payload = {
        "page": page.id, "occasion": occasion.value, "person": person, "channel": channel,
        "purpose": purpose_of(occasion), "step": step,
    }  # fmt: skip
    _put(tx, subject=page.subject, kind="page", key=key, payload=payload)


def tell(tx: Tx, *, subject: str, channel: str, purpose: str, title: str, body: str, key: str) -> None:
    """Put a message with words of its own into the outbox."""
    payload = {"channel": channel, "purpose": purpose, "title": title, "body": body}
    _put(tx, subject=subject, kind="message", key=key, payload=payload)


def _put(tx: Tx, *, subject: str, kind: str, key: str, payload: Mapping[str, Any]) -> None:
    jobs.schedule(
        tx, queue=jobs.NOTIFY, kind=kind, subject=subject, ukey=key, due_at=tx.now, payload=payload,
        give_up_at=tx.now + UNDELIVERABLE_AFTER,
    )  # fmt: skip


def ask(tx: Tx, settings: Settings, *, subject: str, teams: Sequence[str], round_of: datetime) -> None:
    """Ask whoever was paged for a hold before it declares: whoever answered, else all; if nobody was, the teams' rooms.

    `round_of` names the wait that is about to end: it is asked about once. The words are written when it is sent.
    """
    pages = things.pages_of(tx, subject)
    answered = [page.acked_by for page in pages if page.state is PageState.ACKED]
    people = list(dict.fromkeys(answered or [handle for page in pages for handle in page.paged]))
    whom = [
        (handle, channel.name)
        for handle in people
        if (person := settings.roster.people.get(handle))
        for channel in person.channels
    ]
    if not pages:
        rooms = (team.channel for name in teams if (team := settings.roster.teams.get(name)))
        whom = [("", room) for room in rooms if room in settings.channels]
    for handle, channel in whom:
        payload = {"person": handle, "channel": channel, "purpose": "page"}
        _put(tx, subject=subject, kind="ask", key=f"{subject}/ask/{round_of.isoformat()}/{channel}", payload=payload)


def acknowledged(tx: Tx, page: Page, *, late: bool) -> None:
    """Stop what an acknowledged page would still have done, and count its answer.

    `late` says that the answer came after the response time and before the deadline was handled.
    """
    things.save_page(tx, page)
    if late:
        _count_breach(tx, page)
    _stop(tx, page)
    took = ((page.acked_at or tx.now) - page.started_at).total_seconds()
    timeliness = "late" if page.breached else "on_time"

    def figures(m: Metrics) -> None:
        m.page_response_seconds.labels(urgency=page.urgency, team=page.policy).observe(took)
        m.page_acknowledgements_total.labels(urgency=page.urgency, team=page.policy, timeliness=timeliness).inc()

    tx.count(figures)


def end_all(tx: Tx, settings: Settings, subject: str, *, occasion: Occasion | None = None) -> None:
    """End the open pages of a hold or incident; with an occasion, those who were paged are told once why."""
    for page in things.pages_of(tx, subject):
        if page.state is not PageState.OPEN:
            continue
        ended = replace(page, state=PageState.RESOLVED, closed_at=tx.now)
        things.save_page(tx, ended)
        _stop(tx, ended)
        text = f"{page.key} ended before anybody answered."
        chain.append(tx, subject, INCIDENTD, [Draft("page.resolved", text, {"page": page.key})])
        if occasion is not None:
            _tell_paged(tx, settings, ended, occasion)


def _tell_paged(tx: Tx, settings: Settings, page: Page, occasion: Occasion) -> None:
    for handle in page.paged:
        person = settings.roster.people.get(handle)
        for channel in person.channels if person else ():
            key = f"{page.key}/{occasion.value}/{channel.name}"
            _put_message(tx, page, occasion, person=handle, channel=channel.name, key=key, step=page.step)


def _stop(tx: Tx, page: Page) -> None:
    jobs.cancel_page(tx, page.subject, page.id)


def move(tx: Tx, settings: Settings, *, of: str, to: str) -> bool:
    """Take the unanswered pages of a hold along to its incident and tell those paged; False when there is none."""
    moved = False
    for page in things.pages_of(tx, of):
        if page.state is PageState.OPEN:
            taken = replace(page, subject=to)
            things.save_page(tx, taken)
            jobs.move_page(tx, page.id, of=of, to=to)
            _tell_paged(tx, settings, taken, Occasion.DECLARED)
            moved = True
    return moved


def time_came(tx: Tx, settings: Settings, page_id: int) -> None:
    """Go on with a page whose next step is due."""
    page = _page(tx, page_id)
    if page is not None and page.state is PageState.OPEN:
        advance(tx, settings, page)


def breached(tx: Tx, page_id: int) -> Page | None:
    """Note that a page was not answered in time; None when it was, or is over."""
    page = _page(tx, page_id)
    if page is None or page.state is not PageState.OPEN or page.breached:
        return None
    page = replace(page, breached=True)
    things.save_page(tx, page)
    _count_breach(tx, page)
    return page


def _count_breach(tx: Tx, page: Page) -> None:
    text = f"{page.key} was not answered within {about(page.respond_within)}."
    chain.append(tx, page.subject, INCIDENTD, [Draft("page.breached", text, {"page": page.key})])
    tx.count(lambda m: m.response_breaches_total.labels(urgency=page.urgency, team=page.policy).inc())


def _page(tx: Tx, page_id: int) -> Page | None:
    try:
        return things.get_page(tx, page_id)
    except NotFound:
        return None


def _period(at: datetime) -> str:
    """Say in what part of the day a page starts (UTC): at work, asleep, or off."""
    if at.hour in _WORK_DAY and at.weekday() < 5:
        return "business"
    return "sleep" if at.hour >= _SLEEP_FROM or at.hour < _SLEEP_UNTIL else "off"
