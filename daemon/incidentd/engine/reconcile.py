"""Reconciling as units of work: what Alertmanager answers is written down, and decided about like any delivery."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta

from incidentd.alerts import AlertStatus, Change
from incidentd.engine import clock, course, decide, maintenance, watchdog
from incidentd.errors import NotFound
from incidentd.metrics import Metrics
from incidentd.reconciliation import Finding, Snapshot, Verdict
from incidentd.settings import Settings
from incidentd.store import Tx, chain, jobs, reconciling, subjects
from incidentd.store.inbox import Changed, Delivery
from incidentd.store.jobs import Job
from incidentd.text import labels_line, plain
from incidentd.timeline import ALERTMANAGER, INCIDENTD, SYSTEM, Draft
from incidentd.triage import book_of

WHILE_OPEN = timedelta(seconds=30)
"""How often Alertmanager is asked while anything fires or is open: its own resolves may be minutes late."""
WHILE_IDLE = timedelta(minutes=5)
"""How often else: a delivery that got lost is found then."""
_LONGEST = timedelta(minutes=2)
"""Between tries while it does not answer; they begin at WHILE_OPEN and double."""
_SHOWN = 20


def begin(tx: Tx, settings: Settings, *, started: bool) -> None:
    """Set the clocks of every source; at start each Alertmanager is asked at once, and a clock that went back seen."""
    maintenance.changed(tx)
    if started:
        clock.looked_at(tx)
        course.clocks_looked_at(tx, settings)
    for source in settings.sources.values():
        if source.alertmanager is not None:
            job = jobs.live(tx, course.poll_key(source.name))
            if job is None or started:
                _poll(tx, source.name, timedelta(0), job.payload.get("tries", 0) if job else 0)
        if source.watchdog is not None:
            watchdog.begin(tx, source, source.watchdog, started=started)
        else:
            watchdog.left(tx, source.name)


def received(tx: Tx, settings: Settings, deliveries: Sequence[Delivery]) -> None:
    """Take what deliveries mean beside what they change: a watchdog was heard, and there is something to ask about."""
    watchdog.heard(tx, settings, deliveries)
    for name in {delivery.source for delivery in deliveries}:
        source = settings.sources.get(name)
        if source is not None and source.alertmanager is not None:
            job = jobs.live(tx, course.poll_key(name))
            if job is None or (job.leased_by is None and job.due_at > tx.now + WHILE_OPEN and not job.payload["tries"]):
                _poll(tx, name, WHILE_OPEN, 0, lists_all=bool(job and job.payload.get("lists_all")))


def apply(tx: Tx, settings: Settings, source: str, findings: Iterable[Finding]) -> int:
    """Write what asking brought to light, and decide about it; gives how many alerts it changed."""
    written = [it for it in findings if _write(tx, source, it)]
    if not written:
        return 0
    rows = {row.fingerprint: row for row in reconciling.rows_of(tx, source, [it.fingerprint for it in written])}
    _say(tx, source, [(it, rows[it.fingerprint]) for it in written if it.fingerprint in rows])
    book = book_of(settings, tx.now)
    # what the rules want to know more about is left to the step that can find it out
    at_once = [it for it in rows.values() if not decide.wants(it, book)]
    for of_key in decide.bundles(at_once, settings, now=tx.now):
        decide.settle(tx, settings, of_key)
    verdicts = Counter(it.verdict.value for it in written)

    def figures(m: Metrics) -> None:
        for verdict, number in verdicts.items():
            m.reconciled_alerts_total.labels(verdict=verdict).inc(number)

    tx.count(figures)
    return len(written)


def _write(tx: Tx, source: str, it: Finding) -> bool:
    if it.known is None:
        return it.api is not None and reconciling.take_up(tx, source, it.api)
    status, change = {
        Verdict.FOUND: (AlertStatus.FIRING, Change.FOUND),
        Verdict.GONE: (AlertStatus.RESOLVED, Change.GONE),
        Verdict.SUPPRESSED: (AlertStatus.SUPPRESSED, Change.SUPPRESSED),
        Verdict.CONFIRMED: (AlertStatus.FIRING, Change.CONFIRMED),
        Verdict.REFIRED: (AlertStatus.FIRING, Change.REFIRED),
    }[it.verdict]
    return reconciling.set_state(
        tx, source, it.known, status=status, change=change, undecided=True,
        starts_at=it.api.starts_at if it.api else None, ends_at=tx.now if status is AlertStatus.RESOLVED else None,
    )  # fmt: skip


def _say(tx: Tx, source: str, its: Sequence[tuple[Finding, Changed]]) -> None:
    """Say in words on the timelines of holds and incidents what asking brought to light of their alerts."""
    by_subject: dict[str, list[Draft]] = {}
    known = {it.fingerprint: _words(it, row) for it, row in its}
    for membership in subjects.memberships(tx, source, list(known)):
        by_subject.setdefault(membership.subject, []).append(known[membership.fingerprint])
    for subject, drafts in by_subject.items():
        more = len(drafts) - _SHOWN
        rest = [Draft("alert.reconciled", f"And so of {more} more alerts.")] if more > 0 else []
        chain.append(tx, subject, ALERTMANAGER, [*drafts[:_SHOWN], *rest])


def _words(it: Finding, row: Changed) -> Draft:
    facts = {"fingerprint": it.fingerprint, "verdict": it.verdict.value}
    return Draft("alert.reconciled", _sentence(it, labels_line(row.labels)), facts)


def _sentence(it: Finding, name: str) -> str:
    match it.verdict:
        case Verdict.GONE:
            return f"Alertmanager no longer has {name}; its resolve never came, and it counts as resolved."
        case Verdict.SUPPRESSED:
            by = ", ".join(it.api.muted_by[:3]) if it.api else ""
            return f"Alertmanager tells nobody of {name} any more ({plain(by, 120)}): it still fires."
        case Verdict.CONFIRMED:
            return f"Alertmanager has {name} as firing: it is neither silenced nor in doubt any more."
        case Verdict.REFIRED:
            return f"{name} resolved and fired again between two deliveries."
        case Verdict.FOUND:
            return f"{name} fires again; no delivery said so, asking Alertmanager found it."


# -- the questions ---------------------------------------------------------------------------------------------------


def polled(tx: Tx, job: Job, source: str, snapshot: Snapshot) -> bool:
    """Set the clock for the next question, and say once when answers stop and come again; False: the lease was lost."""
    if not jobs.complete(tx, job):
        return False
    error = snapshot.error
    tries = int(job.payload.get("tries", 0))
    open_ones = reconciling.open_subjects(tx, source)
    if error and not tries:
        text = f"Alertmanager cannot be asked whether this still fires: {plain(error)}. What follows is not verified."
        for subject in open_ones:
            chain.append(tx, subject, INCIDENTD, [Draft("alertmanager.down", text)])
    elif tries and not error:
        for subject in open_ones:
            chain.append(tx, subject, INCIDENTD, [Draft("alertmanager.up", "Alertmanager answers again.")])
    if error:
        _poll(tx, source, min(WHILE_OPEN * 2 ** min(tries, 10), _LONGEST), tries + 1)
    else:
        after = WHILE_OPEN if open_ones or reconciling.any_live(tx, source) else WHILE_IDLE
        _poll(tx, source, after, 0, lists_all=not snapshot.hides_muting)
    return True


def verified(tx: Tx, settings: Settings, job: Job, error: str) -> None:
    """Go on with a hold that was due, once Alertmanager was asked; `error` says why it gave no answer."""
    if jobs.complete(tx, job):
        course.time_came_for_hold(tx, settings, job.subject, asked=True, unverified=error)


def confirmed(tx: Tx, job: Job, snapshot: Snapshot) -> None:
    """Believe that an alert fires again, or not, now that Alertmanager was asked. Without an answer it is believed."""
    if not jobs.complete(tx, job):
        return
    source, fingerprint = str(job.payload["source"]), str(job.payload["fingerprint"])
    row = next(iter(reconciling.rows_of(tx, source, [fingerprint])), None)
    if row is None or row.version != job.payload["version"] or row.change is not Change.ECHO:
        return  # something newer is known
    if not snapshot.answered or fingerprint in snapshot.alerts:
        reconciling.set_state(tx, source, row, status=AlertStatus.FIRING, change=Change.FIRED, undecided=True)
        return
    followed = subjects.memberships(tx, source, [fingerprint])
    reconciling.set_state(
        tx, source, row, status=AlertStatus.RESOLVED, change=Change.RESOLVED,
        undecided=any(membership.firing for membership in followed),
        ends_at=reconciling.last_end(tx, source, fingerprint) or tx.now,
    )  # fmt: skip
    tx.count(lambda m: m.reconciled_alerts_total.labels(verdict="refuted").inc())
    name = labels_line(row.labels)
    text = f"A late delivery said that {name} fires; Alertmanager does not have it, and it stays resolved."
    for membership in followed:
        chain.append(tx, membership.subject, ALERTMANAGER, [Draft("alert.ignored", text, {"fingerprint": fingerprint})])


def due_members(tx: Tx, subject: str) -> tuple[str, list[str]]:
    """Give the source of a hold and the fingerprints of its alerts that fire, as far as is known."""
    try:
        hold = subjects.get_hold(tx, int(subject.removeprefix("HOLD-")))
    except NotFound:
        return "", []
    return hold.source, [it.fingerprint for it in subjects.members(tx, subject) if it.firing]


def _poll(tx: Tx, source: str, after: timedelta, tries: int, *, lists_all: bool = False) -> None:
    """Have Alertmanager asked; `lists_all` says that what fires and was never told is in its last answer."""
    jobs.schedule(
        tx, queue=jobs.RECONCILE, kind="poll", subject=SYSTEM, ukey=course.poll_key(source), due_at=tx.now + after,
        payload={"source": source, "tries": tries, "lists_all": lists_all},
    )  # fmt: skip
