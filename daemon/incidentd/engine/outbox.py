"""The outbox as units of work: what a message about a page has to say, what goes with it, and what became of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from incidentd import escalation, holds
from incidentd.document import span_of, within
from incidentd.engine import fallback, offers, paging, refusals
from incidentd.engine.backlog import promised_before
from incidentd.engine.fallback import NEEDS_AN_ANSWER, since
from incidentd.errors import TemporaryError
from incidentd.holds import Hold, HoldState
from incidentd.incidents import Incident
from incidentd.oncall import Target
from incidentd.pages import Facts, Occasion, Page, PageState
from incidentd.playbooks import FINISHED, Run
from incidentd.settings import Settings
from incidentd.store import Tx, chain, inbox, jobs, locks, subjects, things, together
from incidentd.store.around import before
from incidentd.store.jobs import Job
from incidentd.text import plain
from incidentd.timeline import INCIDENTD, Draft

HELD_BACK = timedelta(seconds=30)
"""A page that waits this long takes along whatever waits for the same people."""
_FEW = 5
"""When more pages than this wait for one channel of a person, they come as one: nobody reads a storm page by page."""
_MOST_TOGETHER = 200
_LOOKED_THROUGH = 1000
_ASIDE = timedelta(seconds=2)
_LEASE = timedelta(minutes=1)
"""Of what is taken along: several times the deadline of a send."""
_TITLE = 200
_REASON = 250
"""Characters of the reason beside what was promised before: a message shows five hundred."""
_LINKED = (("Runbook", "runbook_url"), ("Dashboard", "dashboard_url"), ("Dashboard", "dashboard"))


@dataclass(frozen=True, slots=True, kw_only=True)
class PageMessage:
    """What is known for a message about a page."""

    page: Page
    occasion: Occasion
    facts: Facts
    target: Target | None
    links: tuple[tuple[str, str], ...]
    runs: tuple[Run, ...] = ()
    """Playbook runs that wait for the approval of whom it goes to."""

    def with_links(self, links: Iterable[tuple[str, str]]) -> Facts:
        """Give the facts with these links."""
        return replace(self.facts, links=tuple(links))


def page_message(tx: Tx, settings: Settings, job: Job) -> PageMessage | None:
    """Read what a message about a page has to say now; None when it asks for an answer that nobody needs any more.

    Nor is one needed that a newer one overtook: what it said was as true as this would be.
    """
    page = things.get_page(tx, int(job.payload["page"]))
    occasion = Occasion(job.payload["occasion"])
    if occasion in NEEDS_AN_ANSWER and page.state is not PageState.OPEN:
        return None
    if job.attempt > 1 and together.has_newer(tx, job, sent=True):
        return None
    if fallback.is_one(job) and together.has_told(tx, job, jobs.lane_of(job), since(job)):
        return None  # the escalation came to this channel by itself meanwhile
    step = escalation.sent_as(page, int(job.payload.get("step", job.payload.get("of_step", 0))))
    target = step.target if occasion in NEEDS_AN_ANSWER else None
    if page.is_summary:
        page, facts = refusals.told(tx, settings, page)
        return PageMessage(page=page, occasion=occasion, facts=facts, target=target, links=())
    about = _subject(tx, page.subject)
    known = settings.severities.get(about.severity)
    facts = Facts(
        severity=about.severity, means=known.means if known else "", since=about.impact_started_at,
        because=_because(tx, about), tried=_tried(tx, page.subject), declares_at=_declares_at(about),
        before=_before(tx, about),
    )  # fmt: skip
    return PageMessage(
        page=page, occasion=occasion, facts=facts, target=target, links=links_of(tx, about),
        runs=tuple(offers.proposed(tx, settings, page.subject, job.payload["person"])),
    )  # fmt: skip


def _because(tx: Tx, about: Hold | Incident) -> str:
    """Give the decision's reason, and say aloud what was promised the last time and is not done."""
    promised = promised_before(tx, about)
    return f"{plain(about.reason, _REASON)} {promised}" if promised else about.reason


def _declares_at(about: Hold | Incident) -> datetime | None:
    if isinstance(about, Hold) and about.state is HoldState.HOLDING:
        return holds.declares_at(about)
    return None


def held(tx: Tx, job: Job) -> Hold:
    """Read the hold that people are asked about."""
    return subjects.get_hold(tx, int(job.subject.removeprefix("HOLD-")))


def _subject(tx: Tx, subject: str) -> Hold | Incident:
    kind, _, number = subject.partition("-")
    return subjects.get_incident(tx, int(number)) if kind == "INC" else subjects.get_hold(tx, int(number))


def _tried(tx: Tx, subject: str) -> tuple[str, ...]:
    runs = things.runs_of(tx, subject)
    incident = subjects.get_incident(tx, int(subject.removeprefix("INC-"))) if subject.startswith("INC-") else None
    if incident is not None and incident.hold_id is not None:
        runs = [*things.runs_of(tx, f"HOLD-{incident.hold_id}"), *runs]
    return tuple(
        f"playbook {run.playbook} ({run.key}): {run.state.replace('_', ' ')}"
        + (f", {run.reason}" if run.reason else "")
        for run in runs
        if run.state in FINISHED or run.state == "running"
    )


def _before(tx: Tx, about: Hold | Incident) -> str:
    """Say when the same thing was the last time, and what fixed it."""
    last = before(tx, about)
    return last.line if last else ""


def links_of(tx: Tx, about: Hold | Incident) -> tuple[tuple[str, str], ...]:
    """Give the addresses that the first alert of a hold or incident brings, with the time in them where they take one.

    Whoever shows one looks at it first.
    """
    members = subjects.members(tx, about.key)[:1]
    if not members:
        return ()
    rows = inbox.alerts_of(tx, members[0].source, [members[0].fingerprint])
    found = [(name, row.annotations[key]) for row in rows for name, key in _LINKED if row.annotations.get(key)]
    found += [("Alert", row.generator_url) for row in rows if row.generator_url]
    span = span_of(about, tx.now)
    return tuple((name, within(url, span)) for name, url in found)


# -- what goes together ----------------------------------------------------------------------------------------------


def has_company(tx: Tx, settings: Settings, job: Job) -> bool:
    """Say whether a message about a page has others to take along."""
    return together.has_newer(tx, job, sent=False) or bool(_company(tx, settings, job, most=2 * (_FEW + 1), lock=False))


def gather(tx: Tx, settings: Settings, job: Job) -> tuple[Job, tuple[Job, ...]] | None:
    """Take along what waits for the same channel: of each page one message, which stands for all of them.

    None when a newer message about the page is on its way there already; this one waits for what comes of it.

    What concerns the same hold or incident always goes together. What else waits does so where a person's telephone
    rings (one call for several pages), where more than a few wait for a person, and once a page was held back: after
    an outage nobody reads one message for each try, and nobody's page is dropped.
    """
    locks.channel(tx, jobs.lane_of(job))
    if not jobs.still_mine(tx, job):
        return job, ()
    if together.has_newer(tx, job, sent=False):
        waits = replace(job, payload={**job.payload, "untried": job.payload.get("untried", 0) + 1})
        jobs.retry(tx, waits, at=tx.now + _ASIDE, why="a newer message about the page is on its way", known_undone=True)
        return None
    by_page: dict[int, list[Job]] = {}
    for other in _company(tx, settings, job, most=_LOOKED_THROUGH, lock=True):
        by_page.setdefault(int(other.payload["page"]), []).append(other)
    job = _absorb(tx, job, by_page.pop(int(job.payload["page"]), []))
    on_its_way = together.pages_in_hand(tx, job)  # whoever has it stands for what waits, when it has arrived
    others = (group for page, group in by_page.items() if page not in on_its_way)
    newest = [max(group, key=lambda it: it.id) for group in others][:_MOST_TOGETHER]
    if not newest:
        return job, ()
    taken = together.take_along(tx, job, newest, _LEASE)
    alone = [_absorb(tx, it, [o for o in by_page[int(it.payload["page"])] if o.id != it.id]) for it in taken]
    return job, tuple(alone)


def _company(tx: Tx, settings: Settings, job: Job, *, most: int, lock: bool) -> list[Job]:
    found = {it.id: it for it in together.waiting_of_subject(tx, job, lock=lock)}
    held_back = job.attempt > 1 or tx.now - since(job) > HELD_BACK
    channel = jobs.lane_of(job)
    if not _goes_alone(job) and (held_back or settings.is_own(channel)):
        waiting = together.waiting_for_channel(tx, job, most, lock=lock)
        if held_back or settings.rings(channel) or len({it.payload["page"] for it in waiting}) > _FEW:
            found |= {it.id: it for it in waiting}
    page = job.payload["page"]
    return [
        it
        for it in found.values()
        if not _is_planned(it, tx.now) and (it.payload["page"] == page or not (_goes_alone(job) or _goes_alone(it)))
    ]


def _is_planned(job: Job, now: datetime) -> bool:
    """Say whether a message is for later: a fallback that may not be needed, a mentor who follows whoever learns."""
    return job.attempt == 0 and job.due_at > now


def _goes_alone(job: Job) -> bool:
    """Say whether a message was refused together with others: it may have been too much at once, so it goes alone."""
    return bool(job.payload.get("alone"))


def _absorb(tx: Tx, job: Job, others: Sequence[Job]) -> Job:
    """Let a message stand for others about the same page: as late as the oldest, and with the words of the newest."""
    if not others:
        return job
    newest = max((job, *others), key=lambda it: it.id)
    payload = {
        **job.payload,
        **{key: newest.payload[key] for key in ("occasion", "purpose", "step", "of_step") if key in newest.payload},
        "since": min(since(it) for it in (job, *others)).isoformat(),
        "uncertain": any(may_be_repeat(it) for it in (replace(job, attempt=job.attempt - 1), *others)),
        **fallback.of_either(job, others),
    }
    if not all(it.payload.get("copy") for it in (job, *others)):
        payload.pop("copy", None)  # who read along is called by now
    tx.count(lambda m: m.notifications_merged_total.labels(channel=jobs.lane_of(job)).inc(len(others)))
    return together.absorb(tx, job, others, payload)


def may_be_repeat(job: Job) -> bool:
    """Say whether some try until now, a waiting message's last one or a claimed one's before, may have arrived."""
    return bool(job.payload.get("uncertain")) or job.attempt > int(job.payload.get("known_undone", 0))


# -- what became of it -----------------------------------------------------------------------------------------------


def not_needed(tx: Tx, job: Job, others: Sequence[Job]) -> None:
    """Let go of messages that nobody needs any more."""
    for it in (job, *others):
        jobs.complete(tx, it)


def sent(
    tx: Tx, job: Job, others: Sequence[Job] = (), *, channel: str, repeat: bool, title: str = ""
) -> bool:  # fmt: skip
    """Note that a message was taken, with those that went along; False when the lease was lost.

    `title` says what it was, for whoever reads the timeline; a message about a page is named by its page.
    """
    kept = [_sent(tx, it, channel=channel, repeat=repeat, title=title) for it in (job, *others)]
    tx.count(lambda m: m.notifications_merged_total.labels(channel=channel).inc(len(others)))
    return kept[0]


def _sent(tx: Tx, job: Job, *, channel: str, repeat: bool, title: str) -> bool:
    if not jobs.complete(tx, job):
        return False
    fallback.not_needed(tx, job)
    again = ", perhaps for the second time" if repeat else ""
    text = f"Sent to {channel}{again}{fallback.in_words(job)}."
    if "page" in job.payload:
        text = f"PAGE-{job.payload['page']}: {text[0].lower()}{text[1:]}"
    elif title:
        text = f"{text.removesuffix('.')}: {plain(title, _TITLE)}"
    chain.append(tx, job.subject, INCIDENTD, [Draft("page.sent", text, {"key": job.ukey, "channel": channel})])
    if fallback.is_one(job):
        tx.count(lambda m: m.notification_fallbacks_total.labels(channel=job.payload["instead_of"]).inc())
    return True


def put_back(tx: Tx, settings: Settings, failed: Sequence[Job], *, at: datetime, error: TemporaryError) -> None:
    """Have messages tried again; a page that waits too long goes to the fallback of its channel as well."""
    for it in failed:
        if not jobs.still_mine(tx, it):
            continue
        payload = dict(it.payload)
        if not error.tried:
            payload["untried"] = payload.get("untried", 0) + 1
        job = fallback.plan(tx, settings, replace(it, payload=payload), due_at=since(it) + fallback.AFTER)
        jobs.retry(tx, job, at=at, why=str(error)[:500], known_undone=not error.maybe_done)


def put_back_alone(tx: Tx, refused: Sequence[Job], *, why: str) -> None:
    """Have messages that were refused together sent each by itself: what is wrong may be wrong with one of them."""
    for it in refused:
        payload = {**it.payload, "alone": True, "untried": it.payload.get("untried", 0) + 1}
        jobs.retry(tx, replace(it, payload=payload), at=tx.now, why=why[:500], known_undone=True)


def gives_up_at(job: Job) -> datetime | None:
    """Say when a message is undeliverable; one that stands for older ones no later than the oldest of them."""
    return None if job.give_up_at is None else min(job.give_up_at, since(job) + paging.UNDELIVERABLE_AFTER)


def tries(job: Job) -> int:
    """Say which try of a claimed message this is, those left out that nobody made."""
    return max(job.attempt - int(job.payload.get("untried", 0)), 1)


def given_up(tx: Tx, settings: Settings, job: Job, *, channel: str, why: str, aloud: bool = False) -> bool:
    """Say that a message could not be delivered: on the timeline, in the metrics, and `aloud` on another channel.

    A page goes to the fallback of its channel now, and when none of its step could be delivered it escalates at once.
    """
    if not jobs.bury(tx, job, why):
        return False
    purpose = job.payload.get("purpose", "")
    tx.count(lambda m: m.notifications_undeliverable_total.labels(channel=channel, purpose=purpose).inc())
    text = f"Could not reach {channel}: {why}"
    chain.append(tx, job.subject, INCIDENTD, [Draft("page.failed", text, {"key": job.ukey, "channel": channel})])
    if "page" not in job.payload:
        return True
    if aloud:
        fallback.say_aloud(tx, settings, job, text)
    fallback.plan(tx, settings, job, due_at=tx.now)
    if "step" in job.payload:
        paging.delivery_failed(tx, settings, job, channel=channel)
    return True
