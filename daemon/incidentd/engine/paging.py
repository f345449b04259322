"""Pages as units of work: start one, go on with its escalation, take an answer, end it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from incidentd import escalation
from incidentd.durations import about
from incidentd.engine import joined
from incidentd.engine.chains import chain_of, clocks_of
from incidentd.errors import NotFound
from incidentd.holds import HoldState
from incidentd.incidents import ACTIVE, Status
from incidentd.metrics import Metrics
from incidentd.oncall import LOG_CHANNEL, Roster
from incidentd.pages import NO_ERRAND, SUMMARY, Ending, Errand, Occasion, Page, PageState, purpose_of
from incidentd.settings import Settings
from incidentd.store import Tx, chain, jobs, rota, subjects, things
from incidentd.store.jobs import Job
from incidentd.text import clock, plain
from incidentd.timeline import INCIDENTD, Draft

UNDELIVERABLE_AFTER = timedelta(hours=24)
"""A page is tried for this long; then it is said aloud that it could not be delivered."""
_PAUSE = timedelta(seconds=15)
_WORK_DAY = range(8, 18)
_SLEEP_FROM, _SLEEP_UNTIL = 22, 8


def start(
    tx: Tx, settings: Settings, *, subject: str, policy: str, urgency: str, title: str, drill: bool = False,
    errand: Errand = NO_ERRAND,
) -> Page | None:  # fmt: skip
    """Page the people of an escalation policy about a hold or incident; None when nobody is to be paged.

    One page is enough for a subject, a target and an errand: one that waits for an answer is the one.
    """
    if not policy or urgency == "ticket":
        return None
    same = (policy, urgency, errand)
    waits = [page for page in things.pages_of(tx, subject) if page.state is PageState.OPEN]
    waiting = next((page for page in waits if (page.policy, page.urgency, page.errand) == same), None)
    if waiting is not None:
        return alone(tx, settings, waiting, f"what is to be looked at now is: {plain(title, 200)}")
    chain_now = chain_of(settings, policy, urgency)
    within, renotify = clocks_of(settings, urgency)
    begins = escalation.begins_at(chain_now, tx.now)
    page = things.insert_page(
        tx,
        Page(
            id=0, subject=subject, policy=policy, urgency=urgency, state=PageState.OPEN, title=title, started_at=tx.now,
            respond_within=within, renotify=renotify, chain=chain_now, origin=begins if begins > tx.now else None,
            drill=drill, errand=errand,
        ),
    )  # fmt: skip
    return begin(tx, settings, page)


def alone(tx: Tx, settings: Settings, page: Page, why: str) -> Page:
    """Have a page call by itself from here that joined a summary page; any other goes on as it does.

    Its chain stands where it would if it had called all the time, so nobody is called later than by a page of its own.
    """
    if not page.joined:
        return page
    joined.leaves(tx, page, why)
    return begin(tx, settings, replace(page, joined=0), waits="from its own time on")


def begin(tx: Tx, settings: Settings, page: Page, *, waits: str = "after the quiet hours") -> Page:
    """Say that a page starts, set the clock for its answer, and take its first steps."""
    waits = "" if page.origin is None or page.origin <= tx.now else f" {waits}, at {clock(page.origin)}"
    answer_by = clock(escalation.breach_at(page))
    text = f"{page.key}: paging {page.policy}{waits}, {page.urgency}; to be answered by {answer_by}."
    draft = Draft("page.started", text, {"page": page.key, "urgency": page.urgency})
    chain.append(tx, page.subject, INCIDENTD, [draft])
    period = _period(tx.now)
    measure(tx, page, lambda m: m.pages_total.labels(urgency=page.urgency, team=page.policy, period=period).inc())
    jobs.schedule(
        tx, queue=jobs.TIMER, kind="breach", subject=page.subject, ukey=f"breach:{page.id}",
        due_at=escalation.breach_at(page), payload={"page": page.id},
    )  # fmt: skip
    return advance(tx, settings, page)


def measure(tx: Tx, page: Page, figures: Callable[[Metrics], None]) -> None:
    """Count something about a page; a drill is in no metric, and what joined a summary is in the summary's."""
    if not (page.drill or page.joined):
        tx.count(figures)


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
    page = alone(tx, settings, page, "somebody asked for more people")
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
    recipients = _callable(page, roster, escalation.recipients(page, step, roster, tx.now))
    if not recipients:
        text = f"{page.key}: nobody of {step.target} takes part in drills."
        chain.append(tx, page.subject, INCIDENTD, [Draft("page.nobody", text, {"page": page.key})])
        return after, Reason.NO_ANSWER
    for recipient in recipients:
        _put_message(tx, page, occasion, recipient, step=step.number)
    people = list(dict.fromkeys(it.person for it in recipients if it.person and not it.copy))
    whom = people or [it.channel for it in recipients]
    _say_who_learns(tx, page, recipients)
    _say_step(tx, page, step, occasion=occasion, whom=whom, reason=reason)
    nowhere = others and all(it.channel == LOG_CHANNEL for it in recipients if not it.copy)
    paged = tuple(dict.fromkeys([*page.paged, *people]))
    return replace(after, paged=paged), Reason.DELIVERY_FAILURE if nowhere else Reason.NO_ANSWER


def _callable(page: Page, roster: Roster, found: Sequence[escalation.Recipient]) -> Sequence[escalation.Recipient]:
    """Leave out of a drill whoever takes no part in drills, and every room."""
    part = {handle for handle, person in roster.people.items() if person.drills}
    return [it for it in found if it.person in part] if page.drill else found


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
    measure(tx, page, lambda m: _count_step(m, page, occasion, reason, last_resort=last_resort))
    if occasion is Occasion.FIRST or (page.lapsed_by and step.number == 0):
        return
    waited = tx.now - page.counts_from
    why = f"no answer for {about(waited)}" if waited else f"{page.urgency} from now on"
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
    put(tx, subject=page.subject, kind="page", key=to.key, payload=payload, after=to.after)


def tell(
    tx: Tx, *, subject: str, channel: str, purpose: str, title: str, body: str, key: str, moment: str = ""
) -> None:  # fmt: skip
    """Put a message with words of its own into the outbox; the graphs of a `moment` of the subject go with it."""
    payload = {"channel": channel, "purpose": purpose, "title": title, "body": body}
    if moment:
        payload["moment"] = moment
    put(tx, subject=subject, kind="message", key=key, payload=payload)


def put(
    tx: Tx, *, subject: str, kind: str, key: str, payload: Mapping[str, Any], after: timedelta = timedelta(0)
) -> None:  # fmt: skip
    """Put a message into the outbox, whose words are written when it is sent."""
    jobs.schedule(
        tx, queue=jobs.NOTIFY, kind=kind, subject=subject, ukey=key, due_at=tx.now + after, payload=payload,
        give_up_at=tx.now + UNDELIVERABLE_AFTER,
    )  # fmt: skip


def end_all(
    tx: Tx, settings: Settings, subject: str, *, ending: Ending = Ending.RESOLVED_BEFORE_ACK,
    occasion: Occasion | None = None, but_asked: bool = False,
) -> None:  # fmt: skip
    """End the open pages of a hold or incident; with an occasion, those who were paged are told once why.

    With `but_asked` those go on that a person asked for.
    """
    for page in things.pages_of(tx, subject):
        if page.state is PageState.OPEN and but_asked and page.errand.by:
            continue
        if page.state is not PageState.OPEN:
            if page.state is PageState.ACKED:
                jobs.cancel_page(tx, subject, page.id)  # an answer about what is over need not be renewed
            continue
        ended = replace(page, state=PageState.RESOLVED, closed_at=tx.now, ending=ending)
        things.save_page(tx, ended)
        stop(tx, ended)
        joined.look_after(tx, ended)
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
    measure(tx, page, lambda m: m.page_acknowledgements_total.labels(**how).inc())


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


def move(
    tx: Tx, settings: Settings, *, of: str, to: str, but: Collection[tuple[str, str]] = ()
) -> bool:  # fmt: skip
    """Take the unanswered pages of a hold along to its incident and tell those paged; False when there is none.

    Those of a policy and urgency in `but` stay where they are.
    One that joined a summary calls by itself from here: an incident is more than what the summary tells of.
    """
    moved = False
    for page in things.pages_of(tx, of):
        if page.state is PageState.OPEN and (page.policy, page.urgency) not in but:
            taken = replace(page, subject=to)
            things.save_page(tx, taken)
            jobs.move_page(tx, page.id, of=of, to=to)
            alone(tx, settings, taken, f"{of} is declared as {to}")
            _tell_paged(tx, settings, taken, Occasion.DECLARED)
            moved = True
    return moved


def goes_on(tx: Tx, subject: str) -> bool | None:
    """Say whether what a page is about still hurts; False while it recovers or is silenced, None when it is over."""
    kind, _, number = subject.partition("-")
    if kind == SUMMARY:
        return joined.goes_on(tx, int(number))
    if kind == "HOLD":
        state = subjects.get_hold(tx, int(number)).state
        return {HoldState.HOLDING: True, HoldState.RECOVERING: False, HoldState.SNOOZED: False}.get(state)
    status = subjects.get_incident(tx, int(number)).status
    if status not in ACTIVE:
        return None
    clock = jobs.live(tx, f"quiet:{subject}")
    return status is not Status.MITIGATED and (clock is None or clock.kind != "quiet")


def pauses(tx: Tx, page: Page) -> bool:
    """Say whether a page calls nobody else for now; one for an errand that a person gave waits for no alert."""
    return not page.errand.by and goes_on(tx, page.subject) is False


def time_came(tx: Tx, settings: Settings, page_id: int) -> None:
    """Go on with a page whose next step is due."""
    page = _page(tx, page_id)
    if page is None or page.state is not PageState.OPEN:
        return
    if pauses(tx, page):
        _look_again(tx, page, "page")
    else:
        advance(tx, settings, page)


def _look_again(tx: Tx, page: Page, kind: str) -> None:
    """Call nobody for what resolved a moment ago: it ends soon, or fires again, and then what is due is due."""
    jobs.schedule(
        tx, queue=jobs.TIMER, kind=kind, subject=page.subject, ukey=f"{kind}:{page.id}", due_at=tx.now + _PAUSE,
        payload={"page": page.id},
    )  # fmt: skip


def breached(tx: Tx, settings: Settings, page_id: int) -> Page | None:
    """Note that a page was not answered in time; None when it was, or is over."""
    page = _page(tx, page_id)
    if page is None or page.state is not PageState.OPEN or page.breached or page.acked_at is not None:
        return None
    if page.joined and not joined.calls(tx, page):
        alone(tx, settings, page, "the summary calls no more")
        return None
    if page.joined and joined.caller_of(tx, page).state is PageState.ACKED:
        return None  # it was answered with the summary in time, and hears so now
    if pauses(tx, page):
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
    measure(tx, page, lambda m: m.response_breaches_total.labels(urgency=page.urgency, team=page.policy).inc())


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
