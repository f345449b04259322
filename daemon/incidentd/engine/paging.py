"""Pages as units of work: start one, go on with its escalation, take an answer, end it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from incidentd import escalation
from incidentd.durations import about
from incidentd.errors import NotFound
from incidentd.holds import Hold, HoldState
from incidentd.incidents import ACTIVE, Status
from incidentd.metrics import Metrics
from incidentd.oncall import LOG_CHANNEL, Roster, Target
from incidentd.pages import Chain, Ending, Level, Occasion, Page, PageState, purpose_of
from incidentd.rules import Urgency
from incidentd.settings import Settings
from incidentd.store import Tx, chain, jobs, rota, subjects, things
from incidentd.store.jobs import Job
from incidentd.text import clock
from incidentd.timeline import INCIDENTD, Draft

UNDELIVERABLE_AFTER = timedelta(hours=24)
"""A page is tried for this long; then it is said aloud that it could not be delivered."""
_PAUSE = timedelta(seconds=15)
_EVERYBODY = Chain(levels=(Level(after=timedelta(0), page=Target(team="*")),))
_WORK_DAY = range(8, 18)
_SLEEP_FROM, _SLEEP_UNTIL = 22, 8


def start(tx: Tx, settings: Settings, *, subject: str, policy: str, urgency: str, title: str) -> Page | None:
    """Page the people of an escalation policy about a hold or incident; None when nobody is to be paged.

    One page is enough for a subject and a target: one that waits for an answer is the one.
    """
    if not policy or urgency == "ticket":
        return None
    same = [page for page in things.pages_of(tx, subject) if (page.policy, page.urgency) == (policy, urgency)]
    waiting = next((page for page in same if page.state is PageState.OPEN), None)
    if waiting is not None:
        return waiting
    chain_now = chain_of(settings, policy, urgency)
    within, renotify = clocks_of(settings, urgency)
    begins = escalation.begins_at(chain_now, tx.now)
    page = things.insert_page(
        tx,
        Page(
            id=0, subject=subject, policy=policy, urgency=urgency, state=PageState.OPEN, title=title, started_at=tx.now,
            respond_within=within, renotify=renotify, chain=chain_now, origin=begins if begins > tx.now else None,
        ),
    )  # fmt: skip
    return begin(tx, settings, page)


def begin(tx: Tx, settings: Settings, page: Page) -> Page:
    """Say that a page starts, set the clock for its answer, and take its first steps."""
    waits = "" if page.origin is None or page.origin <= tx.now else f" after the quiet hours, at {clock(page.origin)}"
    answer_by = clock(escalation.breach_at(page))
    text = f"{page.key}: paging {page.policy}{waits}, {page.urgency}; to be answered by {answer_by}."
    draft = Draft("page.started", text, {"page": page.key, "urgency": page.urgency})
    chain.append(tx, page.subject, INCIDENTD, [draft])
    period = _period(tx.now)
    tx.count(lambda m: m.pages_total.labels(urgency=page.urgency, team=page.policy, period=period).inc())
    jobs.schedule(
        tx, queue=jobs.TIMER, kind="breach", subject=page.subject, ukey=f"breach:{page.id}",
        due_at=escalation.breach_at(page), payload={"page": page.id},
    )  # fmt: skip
    return advance(tx, settings, page)


def clocks_of(settings: Settings, urgency: str) -> tuple[timedelta, timedelta]:
    """Say how soon a page of an urgency is to be answered, and how long an answer holds that nothing follows."""
    known = settings.urgencies.get(urgency) or Urgency(name=urgency, respond_within=timedelta(minutes=30))
    return known.respond_within, known.answer_holds_for


def chain_of(settings: Settings, policy: str, urgency: str) -> Chain:
    """Find the chain to follow. A policy that a reload took away pages everybody rather than nobody."""
    found = settings.escalations.get(policy) or settings.escalations.get("default")
    if found is None:
        return _EVERYBODY
    return found.chains.get(urgency) or next(iter(found.chains.values()), _EVERYBODY)


class Reason(StrEnum):
    """Why a page goes on with the next step; also the label of its metric."""

    NO_ANSWER = "no_answer"
    NOBODY = "nobody"
    """It turned to a rotation that names nobody now."""
    DELIVERY_FAILURE = "delivery_failure"
    """No channel of those who were called takes the message."""
    ASKED = "asked"
    """Somebody asked for the next level now."""


def advance(tx: Tx, settings: Settings, page: Page, *, reason: Reason = Reason.NO_ANSWER) -> Page:
    """Take the steps of an escalation that are due, and set the clock for what follows.

    With another reason than that nobody answered, the next step that reaches anybody is taken too, without waiting.
    """
    at = tx.now
    roster = rota.current(tx, settings.roster)
    if reason is not Reason.NO_ANSWER:
        following = escalation.next_reachable(page, roster, tx.now)
        if following is not None:
            page = replace(page, step=following.number)
            at = max(at, page.counts_from + following.at)
    steps, due_at = escalation.due(page, at)
    again = Reason.NO_ANSWER
    for step in steps:
        page, again = _take(tx, roster, page, step, reason)
    things.save_page(tx, page)
    if again is not Reason.NO_ANSWER and escalation.next_reachable(page, roster, tx.now) is not None:
        return advance(tx, settings, page, reason=again)
    if page.state is PageState.OPEN:
        jobs.schedule(
            tx, queue=jobs.TIMER, kind="page", subject=page.subject, ukey=f"page:{page.id}", due_at=max(due_at, tx.now),
            payload={"page": page.id},
        )  # fmt: skip
    return page


def _take(tx: Tx, roster: Roster, page: Page, step: escalation.Step, reason: Reason) -> tuple[Page, Reason]:
    """Take a step; also says whether the next one is to be taken at once, and why."""
    after = replace(page, step=step.number + 1)
    others = escalation.next_reachable(after, roster, tx.now) is not None
    if others and escalation.is_unstaffed(step, roster, tx.now):
        text = f"{page.key}: nobody is {step.target}; going on with the next level at once."
        chain.append(tx, page.subject, INCIDENTD, [Draft("page.nobody", text, {"page": page.key, "level": step.level})])
        return after, Reason.NOBODY
    occasion = escalation.occasion_of(page, step)
    recipients = escalation.recipients(page, step, roster, tx.now)
    for recipient in recipients:
        _put_message(tx, page, occasion, recipient, step=step.number)
    people = list(dict.fromkeys(it.person for it in recipients if it.person and not it.copy))
    whom = people or [it.channel for it in recipients]
    _say_who_learns(tx, page, recipients)
    _say_step(tx, page, step, occasion=occasion, whom=whom, reason=reason)
    nowhere = others and all(it.channel == LOG_CHANNEL for it in recipients if not it.copy)
    paged = tuple(dict.fromkeys([*page.paged, *people]))
    return replace(after, paged=paged), Reason.DELIVERY_FAILURE if nowhere else Reason.NO_ANSWER


def _say_who_learns(tx: Tx, page: Page, recipients: Sequence[escalation.Recipient]) -> None:
    """Say once a page who reads along, and who is called before those on call."""
    delay = max(it.after for it in recipients)
    first = dict.fromkeys(it.person for it in recipients if not (it.after or it.copy))
    follow = dict.fromkeys(it.person for it in recipients if it.after)
    copies = dict.fromkeys(it.person for it in recipients if it.copy)
    said = [f"{', '.join(first)} learns and is called first, {', '.join(follow)} {about(delay)} later"] if delay else []
    said += [f"{', '.join(copies)} reads along"] if copies else []
    if said and not page.paged:
        text = f"{page.key}: {'; '.join(said)}."
        chain.append(tx, page.subject, INCIDENTD, [Draft("page.shadowed", text, {"page": page.key})])


def _say_step(
    tx: Tx, page: Page, step: escalation.Step, *, occasion: Occasion, whom: Sequence[str], reason: Reason
) -> None:  # fmt: skip
    last_resort = step.level > len(page.chain.levels) and step.loop == 1
    tx.count(lambda m: _count_step(m, page, occasion, reason, last_resort=last_resort))
    if occasion is Occasion.FIRST or (page.lapsed_by and step.number == 0):
        return
    why = f"no answer for {about(tx.now - page.counts_from)}"
    if reason is Reason.DELIVERY_FAILURE:
        why = "no channel of those called before takes the message"
    elif reason is Reason.NOBODY:
        why = "nobody was on call there"
    elif reason is Reason.ASKED:
        why = "somebody asked for the next level"
    what = "escalated to" if occasion is Occasion.ESCALATION else "paging again"
    text = f"{page.key}: {why}; {what} {', '.join(whom)} ({step.target})."
    facts = {"page": page.key, "level": step.level, "reason": reason.value}
    chain.append(tx, page.subject, INCIDENTD, [Draft("page.escalated", text, facts)])


def delivery_failed(tx: Tx, settings: Settings, job: Job, *, channel: str) -> None:
    """Go on at once with a page when none of a step's messages could be delivered; this one was given up."""
    page = _page(tx, int(job.payload["page"]))
    if page is None or page.state is not PageState.OPEN:
        return
    page = replace(page, unreachable=tuple(dict.fromkeys([*page.unreachable, channel])))
    things.save_page(tx, page)
    current = int(job.payload["step"]) == page.base + page.step - 1
    if current and not jobs.has_others_of_step(tx, job):
        advance(tx, settings, page, reason=Reason.DELIVERY_FAILURE)


def _count_step(metrics: Metrics, page: Page, occasion: Occasion, reason: Reason, *, last_resort: bool) -> None:
    if occasion is Occasion.ESCALATION or reason is not Reason.NO_ANSWER:
        metrics.escalations_total.labels(team=page.policy, reason=reason.value).inc()
    if last_resort:
        metrics.escalations_exhausted_total.labels(team=page.policy).inc()


def _put_message(tx: Tx, page: Page, occasion: Occasion, to: escalation.Recipient, *, step: int) -> None:
    """Put a message about a page into the outbox. Its words are written when it is sent, from what is true then."""
    number = page.base + step
    payload: dict[str, Any] = {
        "page": page.id, "occasion": occasion.value, "person": to.person, "channel": to.channel,
        "purpose": purpose_of(occasion),
    }  # fmt: skip
    if to.copy:
        payload |= {"copy": True, "of_step": number}  # the step neither waits for it nor fails with it
    else:
        payload["step"] = number
    if to.after:
        payload["since"] = (tx.now + to.after).isoformat()
    _put(tx, subject=page.subject, kind="page", key=to.key, payload=payload, after=to.after)


def page_for_hold(tx: Tx, settings: Settings, hold: Hold) -> None:
    """Page for a hold whose page waited for a playbook, unless it was paged already."""
    if not things.pages_of(tx, hold.key):
        start(
            tx, settings, subject=hold.key, policy=hold.page_policy, urgency=hold.urgency, title=hold.title
        )  # fmt: skip


def tell(tx: Tx, *, subject: str, channel: str, purpose: str, title: str, body: str, key: str) -> None:
    """Put a message with words of its own into the outbox."""
    payload = {"channel": channel, "purpose": purpose, "title": title, "body": body}
    _put(tx, subject=subject, kind="message", key=key, payload=payload)


def _put(
    tx: Tx, *, subject: str, kind: str, key: str, payload: Mapping[str, Any], after: timedelta = timedelta(0)
) -> None:  # fmt: skip
    jobs.schedule(
        tx, queue=jobs.NOTIFY, kind=kind, subject=subject, ukey=key, due_at=tx.now + after, payload=payload,
        give_up_at=tx.now + UNDELIVERABLE_AFTER,
    )  # fmt: skip


def ask(tx: Tx, settings: Settings, *, subject: str, teams: Sequence[str], round_of: datetime) -> None:
    """Ask whoever was paged for a hold before it declares: whoever answered, else all; if nobody was, the teams' rooms.

    `round_of` names the wait that is about to end: it is asked about once. The words are written when it is sent.
    """
    pages = things.pages_of(tx, subject)
    answered = [page.held_by for page in pages if page.held_by]
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


def end_all(
    tx: Tx, settings: Settings, subject: str, *, ending: Ending = Ending.RESOLVED_BEFORE_ACK,
    occasion: Occasion | None = None,
) -> None:  # fmt: skip
    """End the open pages of a hold or incident; with an occasion, those who were paged are told once why."""
    for page in things.pages_of(tx, subject):
        if page.state is not PageState.OPEN:
            if page.state is PageState.ACKED:
                jobs.cancel_page(tx, subject, page.id)  # an answer about what is over need not be renewed
            continue
        ended = replace(page, state=PageState.RESOLVED, closed_at=tx.now, ending=ending)
        things.save_page(tx, ended)
        stop(tx, ended)
        before = page.acked_at is None
        text = f"{page.key} ended before anybody answered{'' if before else ' again'}."
        facts = {"page": page.key, "ending": ending.value}
        chain.append(tx, subject, INCIDENTD, [Draft("page.resolved", text, facts)])
        if before and ending is Ending.RESOLVED_BEFORE_ACK:
            _count_unanswered(tx, page)
        if occasion is not None:
            _tell_paged(tx, settings, ended, occasion)


def _count_unanswered(tx: Tx, page: Page) -> None:
    how = {"urgency": page.urgency, "team": page.policy, "timeliness": Ending.RESOLVED_BEFORE_ACK.value}
    tx.count(lambda m: m.page_acknowledgements_total.labels(**how).inc())


def _tell_paged(tx: Tx, settings: Settings, page: Page, occasion: Occasion) -> None:
    for handle in page.paged:
        person = settings.roster.people.get(handle)
        for channel in person.channels if person else ():
            key = f"{page.key}/{occasion.value}/{channel.name}"
            to = escalation.Recipient(person=handle, channel=channel.name, key=key)
            _put_message(tx, page, occasion, to, step=page.step)


def stop(tx: Tx, page: Page) -> None:
    """Cancel what a page would still do."""
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


def goes_on(tx: Tx, subject: str) -> bool | None:
    """Say whether what a page is about still hurts; False while it recovers or is silenced, None when it is over."""
    kind, _, number = subject.partition("-")
    if kind == "HOLD":
        state = subjects.get_hold(tx, int(number)).state
        return {HoldState.HOLDING: True, HoldState.RECOVERING: False, HoldState.SNOOZED: False}.get(state)
    status = subjects.get_incident(tx, int(number)).status
    if status not in ACTIVE:
        return None
    return status is not Status.MITIGATED and jobs.live(tx, f"quiet:{subject}") is None


def time_came(tx: Tx, settings: Settings, page_id: int) -> None:
    """Go on with a page whose next step is due."""
    page = _page(tx, page_id)
    if page is None or page.state is not PageState.OPEN:
        return
    if goes_on(tx, page.subject) is False:
        _look_again(tx, page, "page")
    else:
        advance(tx, settings, page)


def _look_again(tx: Tx, page: Page, kind: str) -> None:
    """Call nobody for what resolved a moment ago: it ends soon, or fires again, and then what is due is due."""
    jobs.schedule(
        tx, queue=jobs.TIMER, kind=kind, subject=page.subject, ukey=f"{kind}:{page.id}", due_at=tx.now + _PAUSE,
        payload={"page": page.id},
    )  # fmt: skip


def breached(tx: Tx, page_id: int) -> Page | None:
    """Note that a page was not answered in time; None when it was, or is over."""
    page = _page(tx, page_id)
    if page is None or page.state is not PageState.OPEN or page.breached or page.acked_at is not None:
        return None
    if goes_on(tx, page.subject) is False:
        _look_again(tx, page, "breach")
        return None
    page = replace(page, breached=True)
    things.save_page(tx, page)
    count_breach(tx, page)
    return page


def count_breach(tx: Tx, page: Page) -> None:
    """Say that a page was not answered in time, once a page."""
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
