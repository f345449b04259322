"""The end of a run: what it means for its hold or incident, for the people, and for its playbook."""

from __future__ import annotations

from incidentd import holds
from incidentd.engine import course, paging, records, refusals, silencing
from incidentd.engine.earning import earn
from incidentd.engine.permission import actor_of
from incidentd.errors import NotFound
from incidentd.holds import Hold, HoldState
from incidentd.incidents import ACTIVE, Incident
from incidentd.metrics import Metrics
from incidentd.playbooks import OnFailure, Playbook, Run, RunState
from incidentd.settings import Settings
from incidentd.store import Tx, chain, subjects
from incidentd.timeline import Actor, Draft

_ENDS = {
    RunState.VERIFIED: "run.verified", RunState.INTERRUPTED: "run.interrupted", RunState.DONE: "run.done",
    RunState.STOPPED: "run.stopped", RunState.REFUSED: "run.refused",
}  # fmt: skip
_PROVE_NOTHING = frozenset({RunState.DONE, RunState.STOPPED, RunState.REFUSED})
"""Ends that say nothing of whether the playbook helps."""


def _is_left_half_done(run: Run) -> bool:
    """Say whether nobody may know that a run ended, and what it changed has to be looked at."""
    return run.state is RunState.INTERRUPTED or (run.state is RunState.REFUSED and not run.untouched)


def finished(tx: Tx, settings: Settings, run: Run, playbook: Playbook, *, actor: Actor | None = None) -> None:
    """Take what the end of a run means for its hold or incident; `actor` is who ended it, if not its playbook."""
    _count_end(tx, run, playbook)
    silencing.over(tx, run, playbook)
    text = f"{run.key}: {run.state.replace('_', ' ')}: {run.reason}."
    said = Draft(_ENDS.get(run.state, "run.failed"), text, {"run": run.key, "state": run.state.value})
    chain.append(tx, run.subject, actor or actor_of(playbook), [said])
    earn(tx, run, playbook)
    records.run_ended(tx, run, playbook)
    if run.subject.startswith("HOLD-"):
        _hold_hears(tx, settings, run, playbook)
    elif run.state is not RunState.VERIFIED:
        _incident_hears(tx, settings, run, playbook)


def _count_end(tx: Tx, run: Run, playbook: Playbook) -> None:
    took = ((run.finished_at or tx.now) - run.started_at).total_seconds()

    def figures(m: Metrics) -> None:
        m.playbook_runs_total.labels(playbook=run.playbook, mode=run.mode.value, result=run.state.value).inc()
        m.playbook_run_duration_seconds.labels(playbook=run.playbook).observe(took)
        if run.state is RunState.VERIFIED:
            m.playbook_remediations_total.labels(playbook=run.playbook).inc()
            m.toil_saved_seconds_total.labels(playbook=run.playbook).inc(playbook.manual_minutes * 60)

    tx.count(figures)


def _hold_hears(tx: Tx, settings: Settings, run: Run, playbook: Playbook) -> None:
    hold = subjects.get_hold(tx, int(run.subject.removeprefix("HOLD-")))
    if hold.state not in holds.OPEN:
        _heir_hears(tx, settings, run, hold)
        return
    verified = run.state is RunState.VERIFIED
    declares = playbook.on_failure is OnFailure.DECLARE and run.state not in _PROVE_NOTHING
    turn = holds.playbook_finished(
        hold, playbook=run.playbook, verified=verified, why=run.reason, now=tx.now,
        blamed=declares or run.state is RunState.INTERRUPTED,
    )  # fmt: skip
    course.carry_out(tx, settings, hold, turn, actor_of(playbook))
    hold = subjects.get_hold(tx, hold.id)  # not as the turn says: that it declares may be put off
    is_over = run.state is RunState.REFUSED and hold.state is HoldState.RECOVERING  # if it is back, somebody is paged
    if hold.state in holds.OPEN and _is_left_half_done(run):
        _have_looked_at(tx, settings, run, hold)
    elif not verified and hold.state in holds.OPEN and hold.wants is None and not is_over:
        refusals.page_after_all(tx, settings, hold)


def _heir_hears(tx: Tx, settings: Settings, run: Run, hold: Hold) -> None:
    """Tell the incident that the hold became how the hold's run ended."""
    incident = subjects.incident_of_hold(tx, hold.id)
    if incident is not None and incident.status in ACTIVE:
        text = f"{run.key}, begun while it was {hold.key}: {run.state.replace('_', ' ')}: {run.reason}."
        chain.append(tx, incident.key, Actor(name=run.playbook, via="playbook"), [Draft("run.ended", text)])
    if _is_left_half_done(run):
        _have_looked_at(tx, settings, run, incident or hold)


def _incident_hears(tx: Tx, settings: Settings, run: Run, playbook: Playbook) -> None:
    """Ask a person to look when a run of an incident was cut short, or its playbook says so."""
    try:
        incident = subjects.get_incident(tx, int(run.subject.removeprefix("INC-")))
    except NotFound:
        return
    hurts = incident.status in ACTIVE and run.state not in _PROVE_NOTHING
    if _is_left_half_done(run) or (hurts and playbook.on_failure is not OnFailure.NOTE):
        _have_looked_at(tx, settings, run, incident)


def _have_looked_at(tx: Tx, settings: Settings, run: Run, about: Hold | Incident) -> None:
    """Page for a run. What was done by half stays so when the alert is over, and where a rule wants nobody paged."""
    title = f"Look at {run.key} ({run.state.replace('_', ' ')}): {about.title}"
    policy = about.page_policy or ("default" if _is_left_half_done(run) else "")
    paging.start(tx, settings, subject=about.key, policy=policy, urgency=about.urgency, title=title)
