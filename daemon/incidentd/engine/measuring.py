"""What is counted of a hold, an incident or a shift once it is over: toil, automation, runbooks, interruptions.

Metrics know no hold and no incident, so what concerns several of its parts is put together here, at the end, when
nobody waits for it. The figures mean what those of the report mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from incidentd.handoff import Change
from incidentd.holds import Hold, Outcome
from incidentd.incidents import Incident
from incidentd.metrics import Metrics
from incidentd.oncall import Shift
from incidentd.pages import NO_ERRAND, Page
from incidentd.playbooks import Run, RunState
from incidentd.report import coverage, duty
from incidentd.settings import Settings
from incidentd.store import Tx, chain, inbox, rota, things

WATCH = timedelta(hours=1)
"""What fires again this long after a playbook helped says that it did not help for good (OWN)."""
AUTOMATABLE = "automatable"
"""The annotation by which an alert says `true` of itself: a machine could deal with it."""
UNNAMED = "unnamed"
_BY_HAND = frozenset({Outcome.HUMAN_RESOLVED, Outcome.STOOD_DOWN})


def alertname_of(tx: Tx, subject: str) -> str:
    """Name the alert that a hold or incident began with."""
    row = inbox.first_alert_of(tx, subject)
    return str(row.labels.get("alertname") or UNNAMED) if row is not None else UNNAMED


def hold_over(tx: Tx, settings: Settings, hold: Hold) -> None:
    """Count what a hold that did not become an incident cost, and who dealt with it."""
    over_at = hold.quiet_since or hold.ended_at or tx.now
    by_hand = hold.touched or hold.outcome in _BY_HAND
    pages, runs = things.pages_of(tx, hold.key), things.runs_of(tx, hold.key)
    _over(tx, settings, hold.key, pages, runs, rule=hold.rule, at=over_at, by_hand=by_hand)


def incident_over(tx: Tx, settings: Settings, incident: Incident) -> None:
    """Count what an incident cost, with the hold that it was, and who dealt with it; a drill is in no metric.

    Of one that was taken up again, what was counted at its first end is not counted twice.
    """
    if incident.drill:
        return
    keys = (incident.key, *((f"HOLD-{incident.hold_id}",) if incident.hold_id is not None else ()))
    since = chain.last_of(tx, incident.key, ["incident.reopened"]) if incident.reopened else None
    pages = [page for key in keys for page in things.pages_of(tx, key) if since is None or page.started_at >= since]
    runs = [run for key in keys for run in things.runs_of(tx, key) if since is None or run.started_at >= since]
    at, by_hand = incident.mitigated_at or tx.now, since is None and incident.acknowledged_at is not None
    _over(tx, settings, keys[0], pages, runs, rule=incident.rule, at=at, by_hand=by_hand)


def _over(
    tx: Tx, settings: Settings, key: str, pages: Iterable[Page], runs: Sequence[Run], *, rule: str, at: datetime,
    by_hand: bool,
) -> None:  # fmt: skip
    its = [page for page in pages if not (page.drill or page.joined) and page.errand == NO_ERRAND]
    alert = inbox.first_alert_of(tx, key)
    if alert is None:
        return  # somebody declared it, and no alert
    name, annotations = str(alert.labels.get("alertname") or UNNAMED), dict(alert.annotations)
    taken = coverage.is_taken(alert.labels, settings) or any(
        known.playbook for known in settings.rules if known.name == rule
    )
    automatable = taken or bool(runs) or annotations.get(AUTOMATABLE) == "true"
    hands_on = sum((max(at - page.acked_at, timedelta(0)) for page in its if page.acked_at), timedelta(0))
    handled = _handled(runs, by_hand=by_hand or any(page.acked_at for page in its))
    bare = 0 if taken or runs or coverage.names_runbook(annotations) else len(its)

    def figures(m: Metrics) -> None:
        if automatable:
            m.alerts_automatable_total.labels(alertname=name, handled=handled).inc()
        if hands_on:
            how = {"alertname": name, "automatable": "yes" if automatable else "no"}
            m.toil_spent_seconds_total.labels(**how).inc(hands_on.total_seconds())
        if bare:
            m.pages_without_runbook_total.labels(alertname=name).inc(bare)

    tx.count(figures)


def _handled(runs: Iterable[Run], *, by_hand: bool) -> str:
    if any(run.state is RunState.VERIFIED for run in runs):
        return "playbook"
    return "people" if by_hand else "itself"


def opened_after(tx: Tx, earlier: Hold | None) -> None:
    """Count against its playbook that the same thing is held again soon after the playbook helped."""
    if earlier is None or earlier.outcome is not Outcome.AUTO_REMEDIATED or earlier.ended_at is None:
        return
    if tx.now - earlier.ended_at <= WATCH:
        came_back(tx, earlier.key)


def came_back(tx: Tx, subject: str) -> None:
    """Count against the playbook that was verified last that what it dealt with fires again."""
    helped = [run for run in things.runs_of(tx, subject) if run.state is RunState.VERIFIED]
    if helped and helped[-1].finished_at is not None and tx.now - helped[-1].finished_at <= WATCH:
        tx.count(lambda m: m.playbook_regressions_total.labels(playbook=helped[-1].playbook).inc())


def shift_over(tx: Tx, change: Change) -> None:
    """Count what a shift brought whose person hands the pager over."""
    shift = Shift(person=change.leaving, start=change.began, end=change.at)
    pages = [page for page in rota.pages_of_time(tx, shift.start, shift.end) if not (page.drill or page.joined)]
    brought = duty.duty_of(shift, pages, ZoneInfo("UTC"))

    def figures(m: Metrics) -> None:
        m.oncall_shift_incidents.labels(team=change.schedule).observe(len(brought.pages))
        if brought.over:
            m.oncall_shifts_over_budget_total.labels(team=change.schedule).inc()

    tx.count(figures)
