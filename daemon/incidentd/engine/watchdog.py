"""The watchdog as units of work: the alert that always fires. Without it monitoring is blind, and a resolve no proof.

Its state is its one live job: when it was heard last, and whether its source is blind. The job falls due when it is
late, or when, after it came back, what could not be proved meanwhile has had its time to fire again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from incidentd import holds
from incidentd.alerts import AlertStatus, Change
from incidentd.durations import about
from incidentd.engine import course
from incidentd.incidents import Incident, Status, Trigger
from incidentd.settings import Settings, Source, Watchdog
from incidentd.store import Tx, chain, jobs, reconciling, subjects
from incidentd.store.base import dump, load
from incidentd.store.inbox import Changed, Delivery
from incidentd.store.jobs import Job
from incidentd.text import count, instant, labels_line
from incidentd.timeline import ALERTMANAGER, INCIDENTD, SYSTEM, Draft

KIND = "watchdog"
_MOST_NAMES = 100  # of one source's watchdogs; a pair of replicas has two


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What is known of a source's watchdog."""

    heard_at: datetime | None = None
    firing: tuple[str, ...] = ()
    """The fingerprints under which it fires: replicas may each have their own."""
    blind: bool = False
    """It was lost, and what came meanwhile is not yet proved."""
    back_at: datetime | None = None
    """When it came back, while `blind`."""
    late: bool = False
    """It was lost by not coming, not by its resolve."""


def begin(tx: Tx, source: Source, watchdog: Watchdog, *, started: bool) -> None:
    """Set its clock, unless it runs. One that ran out while nobody listened begins anew: a repeat may be on its way.

    So does one that would run for too long, since the machine's clock went back.
    """
    job = jobs.live(tx, _key(source.name))
    _count(tx, source.name, _state(job))
    if job is None or (started and not tx.now < job.due_at <= tx.now + watchdog.late_after):
        _keep(tx, source.name, _state(job), tx.now + watchdog.late_after)


def left(tx: Tx, source: str) -> None:
    """End the doubt at a source that has a watchdog no longer, unless the clock that ends it still runs."""
    if jobs.live(tx, _key(source)) is None:
        _believe(tx, source)


def heard(tx: Tx, settings: Settings, deliveries: Iterable[Delivery]) -> None:
    """Take what deliveries said of the watchdogs of their sources."""
    by_source: dict[str, list[Delivery]] = {}
    for delivery in deliveries:
        if delivery.group is not None:
            by_source.setdefault(delivery.source, []).append(delivery)
    for name, its in by_source.items():
        source = settings.sources.get(name)
        if source is not None and source.watchdog is not None:
            _heard(tx, settings, source.watchdog, name, its)


def _heard(tx: Tx, settings: Settings, watchdog: Watchdog, source: str, deliveries: Sequence[Delivery]) -> None:
    words = [
        (delivery.at, it.fingerprint, it.status is AlertStatus.FIRING)
        for delivery in deliveries
        if delivery.group is not None
        for it in delivery.group.alerts
        if watchdog.matches(it.labels)
    ]
    if not words:
        return
    job = jobs.live(tx, _key(source))
    before = state = _state(job)
    for at, fingerprint, fires in words:
        others = tuple(name for name in state.firing if name != fingerprint)
        if fires:
            state = replace(state, heard_at=at, firing=(*others, fingerprint)[-_MOST_NAMES:])
        else:
            state = replace(state, firing=others)
    _count(tx, source, state)
    if not state.firing:
        if before.firing or before.heard_at is None:
            _lost(tx, settings, source, state, f"The watchdog of {source} resolved: Alertmanager hears nothing.")
        return
    if before.blind:
        _back(tx, settings, watchdog, source, state)
        return
    _keep(tx, source, state, (state.heard_at or tx.now) + watchdog.late_after)


def _count(tx: Tx, source: str, state: State) -> None:
    if state.heard_at is not None:
        seconds = state.heard_at.timestamp()
        tx.count(lambda m: m.watchdog_last_received_timestamp_seconds.labels(source=source).set(seconds))


def time_came(tx: Tx, settings: Settings, job: Job) -> None:
    """Look at a watchdog whose clock ran out: it is late, or it was back for long enough."""
    name = str(job.payload["source"])
    source, state = settings.sources.get(name), _state(job)
    if source is None or source.watchdog is None:
        _believe(tx, name)  # the configuration has it no longer, and what still fired had its time to be told again
        return
    late_after = source.watchdog.late_after
    if state.blind and state.back_at is not None and state.firing:
        _trust_again(tx, name, replace(state, blind=False, back_at=None, late=False), source.watchdog)
    elif state.blind:
        _keep(tx, name, state, tx.now + late_after)
    else:
        last = f"last at {instant(state.heard_at)}" if state.heard_at else "never since incidentd listens"
        why = f"The watchdog of {name} was not heard for {about(late_after)}, {last}."
        _lost(tx, settings, name, replace(state, late=True), why)


def is_blind(tx: Tx, settings: Settings, source: str) -> bool:
    """Say whether a resolve of this source proves nothing at this moment."""
    state = _of(tx, settings, source)
    return state.blind and state.back_at is None


def trusts_absence(tx: Tx, settings: Settings, source: str) -> bool:
    """Say whether an alert that Alertmanager does not have is over."""
    return not _of(tx, settings, source).blind


# -- losing it, and having it back -----------------------------------------------------------------------------------


def _lost(tx: Tx, settings: Settings, source: str, state: State, why: str) -> None:
    _keep(tx, source, replace(state, blind=True, back_at=None), tx.now + _late_after(settings, source))
    advice = "Until it is back, a resolve proves nothing. Look at Prometheus, Alertmanager and what is between them."
    key = f"watchdog:{source}"
    known = subjects.open_incident(tx, source, key)
    if known is None:
        course.declare(tx, settings, _incident(tx, settings, source, key, f"{why} {advice}"), actor=INCIDENTD)
    elif known.status is Status.MITIGATED:
        course.relapsed(tx, settings, known, f"{why} {advice}", INCIDENTD)
    if state.heard_at is not None:
        doubt(tx, settings, source, reconciling.resolved_since(tx, source, state.heard_at))


def _incident(tx: Tx, settings: Settings, source: str, key: str, reason: str) -> Incident:
    severity = min(settings.severities.values(), key=lambda one: one.rank)
    urgency = "business_critical" if "business_critical" in settings.urgencies else severity.urgency
    return Incident(
        id=0, title=f"Monitoring of {source} is blind", status=Status.DECLARED, severity=severity.name,
        declared_severity=severity.name, peak_severity=severity.name, urgency=urgency, trigger=Trigger.RULE,
        reason=reason, rule=KIND, source=source, correlation_key=key, page_policy="default", impact_started_at=tx.now,
        detected_at=tx.now, declared_at=tx.now, declared_by="the watchdog",
    )  # fmt: skip


def _back(tx: Tx, settings: Settings, watchdog: Watchdog, source: str, state: State) -> None:
    if state.back_at is not None:
        job = jobs.live(tx, _key(source))
        _keep(tx, source, state, job.due_at if job else tx.now + watchdog.late_after)
        return
    state = replace(state, back_at=tx.now)
    if state.late and not reconciling.in_doubt(tx, source):
        _keep(tx, source, replace(state, blind=False, back_at=None, late=False), tx.now + watchdog.late_after)
    else:
        _keep(tx, source, state, tx.now + watchdog.late_after)
    incident = subjects.open_incident(tx, source, f"watchdog:{source}")
    if incident is not None:
        text = f"The watchdog of {source} is heard again. Somebody has to look and resolve this."
        course.mitigated(tx, settings, incident, text)


def _trust_again(tx: Tx, source: str, state: State, watchdog: Watchdog) -> None:
    """Believe the resolves in doubt: whatever still fired had its time to be told again."""
    _keep(tx, source, state, (state.heard_at or tx.now) + watchdog.late_after)
    _believe(tx, source)


def _believe(tx: Tx, source: str) -> None:
    for it in reconciling.in_doubt(tx, source):
        reconciling.set_state(
            tx, source, it, status=AlertStatus.RESOLVED, change=Change.GONE, undecided=True,
            ends_at=reconciling.last_end(tx, source, it.fingerprint) or tx.now,
        )  # fmt: skip


# -- doubting resolves -----------------------------------------------------------------------------------------------


def undoubted(tx: Tx, settings: Settings, source: str, changed: Sequence[Changed]) -> list[Changed]:
    """Give the changes that are to be decided, and put in doubt the resolves among them that prove nothing."""
    resolves = [it for it in changed if it.change is Change.RESOLVED and it.status is AlertStatus.RESOLVED]
    if not resolves or not is_blind(tx, settings, source):
        return list(changed)
    put = {it.fingerprint for it in doubt(tx, settings, source, resolves)}
    return [it for it in changed if it.fingerprint not in put]


def doubt(tx: Tx, settings: Settings, source: str, resolved: Iterable[Changed]) -> list[Changed]:
    """Count resolved alerts as firing: their resolve came while monitoring was blind. Gives those that were."""
    of = settings.sources.get(source)
    watchdog = of.watchdog if of else None
    put = [
        it
        for it in resolved
        if not (watchdog and watchdog.matches(it.labels))
        and reconciling.set_state(
            tx, source, it, status=AlertStatus.UNKNOWN, change=Change.DOUBTED, undecided=False,
            ends_at=reconciling.last_end(tx, source, it.fingerprint),
        )
    ]  # fmt: skip
    by_subject: dict[str, list[Changed]] = {}
    for membership in subjects.memberships(tx, source, [it.fingerprint for it in put]):
        its = [it for it in put if it.fingerprint == membership.fingerprint]
        by_subject.setdefault(membership.subject, []).extend(its)
    for subject, its in by_subject.items():
        _say_doubt(tx, settings, subject, source, its)
    return put


def _say_doubt(tx: Tx, settings: Settings, subject: str, source: str, its: Sequence[Changed]) -> None:
    subjects.join(tx, subject, [(source, it.fingerprint, True) for it in its])
    shown = labels_line(its[0].labels) if len(its) == 1 else count(len(its), "alert")
    text = (
        f"Resolved, says Alertmanager of {shown}, while the monitoring of {source} was blind: that proves nothing, and "
        "it counts as firing until the watchdog is back or Alertmanager says otherwise."
    )
    chain.append(tx, subject, ALERTMANAGER, [Draft("alert.unproven", text, {"alerts": len(its)})])
    if subject.startswith("HOLD-"):
        hold = subjects.get_hold(tx, int(subject.removeprefix("HOLD-")))
        turn = holds.resolves_doubted(hold, firing=subjects.firing(tx, subject), now=tx.now)
        course.carry_out(tx, settings, hold, turn, ALERTMANAGER)
    else:
        jobs.cancel(tx, f"quiet:{subject}")


# -- its state -------------------------------------------------------------------------------------------------------


def _key(source: str) -> str:
    return f"watchdog:{source}"


def _late_after(settings: Settings, source: str) -> timedelta:
    watchdog = settings.sources[source].watchdog
    return watchdog.late_after if watchdog else timedelta(0)


def _of(tx: Tx, settings: Settings, source: str) -> State:
    of = settings.sources.get(source)
    return State() if of is None or of.watchdog is None else _state(jobs.live(tx, _key(source)))


def _state(job: Job | None) -> State:
    return State() if job is None or "state" not in job.payload else load(job.payload["state"], State)


def _keep(tx: Tx, source: str, state: State, due_at: datetime) -> None:
    jobs.schedule(
        tx, queue=jobs.TIMER, kind=KIND, subject=SYSTEM, ukey=_key(source), due_at=due_at,
        payload={"source": source, "state": dump(state)},
    )  # fmt: skip
