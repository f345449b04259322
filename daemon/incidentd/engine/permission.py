"""May this playbook run now: reads what the guards look at, asks them, and says what they said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from incidentd import guards
from incidentd.alerts import AlertStatus
from incidentd.engine import refusals
from incidentd.incidents import Incident
from incidentd.playbooks import FINISHED, Playbook, Run, RunState, scopes, standing
from incidentd.settings import Settings
from incidentd.store import Tx, chain, firing, inbox, seen, switching, things
from incidentd.timeline import Actor, Draft


class Refused(Exception):
    """A guard said no."""

    def __init__(self, verdict: guards.Verdict, target: str = "", incident: str = "") -> None:
        super().__init__(verdict.reason)
        self.guard = verdict.guard
        self.target = target
        self.incident = incident
        """Whose lead has to say yes, when that is all that is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """The run that the guards are asked about."""

    target: str
    domain: str
    starts_at: datetime
    fires: bool
    approved: bool = False
    source: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Of the alert that asks; none when nothing but a person does."""
    subject: str = ""
    """The hold or incident that it is for; an incident's own playbook begins as its mode says."""


def actor_of(playbook: Playbook) -> Actor:
    """Name a playbook as whoever acts."""
    return Actor(name=playbook.name, via="playbook")


def as_it_stands(tx: Tx, playbook: Playbook) -> Playbook:
    """Give a playbook with the mode that its own runs earned it or cost it."""
    known = switching.standing(tx, playbook.name, playbook.sha256)
    return replace(playbook, mode=standing.begun(playbook, known, tx.now).mode)


def ask_guards(tx: Tx, settings: Settings, playbook: Playbook, about: About) -> None:
    """Ask every guard; nobody else begins a run until the end of the transaction. Raises Refused."""
    facts = _facts(tx, settings, playbook, about)
    verdict = guards.check(facts)
    if verdict.allowed:
        facts = _beside(tx, settings, _counted(tx, facts, about), about)
        verdict = guards.check(facts)
    if not verdict.allowed:
        raise Refused(verdict, about.target, facts.incident if verdict.guard == guards.INCIDENT else "")


def ask_again(tx: Tx, settings: Settings, playbook: Playbook, run: Run, *, whole: bool) -> guards.Verdict:
    """Ask once more before a step of a run; `whole` looks at the other runs and alerts too.

    A run that a person began has no alert: it is as old as the run, and fires.
    """
    rows = inbox.alerts_of(tx, run.source, [run.fingerprint]) if run.fingerprint else []
    about = About(
        target=run.target, domain=run.domain, starts_at=rows[0].starts_at if rows else run.started_at,
        fires=not run.fingerprint or (bool(rows) and rows[0].status != AlertStatus.RESOLVED), approved=True,
        source=run.source, labels=rows[0].labels if rows else {},
    )  # fmt: skip
    if not whole:
        facts = guards.Facts(
            playbook=playbook, automation=settings.automation, target=run.target, running_on_target=True, now=tx.now,
            starts_at=about.starts_at, still_firing=about.fires,
        )  # fmt: skip
        return guards.check_again(facts)
    facts = replace(_facts(tx, settings, playbook, about, but=run.id), seen_at=run.seen_at)
    verdict = guards.check_again(facts)
    return guards.check_again(_counted(tx, facts, about)) if verdict.allowed else verdict


def _facts(tx: Tx, settings: Settings, playbook: Playbook, about: About, *, but: int = 0) -> guards.Facts:
    """Read what the guards look at, the alerts of the same name left out; `but` is a run that does not count."""
    recent = things.recent_runs(tx, tx.now - guards.horizon(playbook, settings.automation))
    stands = standing.begun(playbook, switching.standing(tx, playbook.name, playbook.sha256), tx.now)
    began = [run for run in recent if run.state is not RunState.PROPOSED and run.id != but]
    own = [run for run in began if run.playbook == playbook.name]
    here = [run for run in own if run.target == about.target]
    elsewhere = [run for run in own if run.target != about.target]
    of_version = [run for run in own if run.sha256 == playbook.sha256]
    lately = [run for run in of_version if tx.now - run.started_at <= guards.STOPPED_FOR]
    return guards.Facts(
        playbook=replace(playbook, mode=stands.mode), automation=settings.automation, target=about.target,
        starts_at=about.starts_at, still_firing=about.fires, approved=about.approved, domain=about.domain,
        switched_off=standing.off(switching.switches(tx), playbook.name), why_mode=stands.why,
        running_on_target=any(run.target == about.target and run.state not in FINISHED for run in began),
        recent_on_target=_times(here), recent_total=_times(own), recent_overall=_times(began),
        last_verified_on_target=_last_end(here, RunState.VERIFIED), last_verified=_trusted_since(of_version),
        last_ended_on_target=_last_end([run for run in began if run.target == about.target]),
        under_way=tuple((run.target, run.domain) for run in elsewhere if run.state not in FINISHED),
        lately=len({run.target for run in elsewhere if tx.now - run.started_at < guards.FLEET_WINDOW}),
        failed_in_a_row=guards.failed_in_a_row(lately), now=tx.now,
    )  # fmt: skip


def _counted(tx: Tx, facts: guards.Facts, about: About) -> guards.Facts:
    """Add how many alerts of the same name fire, which takes the longest to find out."""
    if not facts.playbook.fleet or not about.labels:
        return facts
    most = guards.most_alerting(facts.playbook)
    return replace(facts, alerting=firing.like(tx, about.source, about.labels, most + 1))


def _beside(tx: Tx, settings: Settings, facts: guards.Facts, about: About) -> guards.Facts:
    """Add which other incident is active about the service of the alert; a drill is none."""
    service = settings.labels.value("service", about.labels)
    if not service or about.approved or facts.playbook.safe_during_incident:
        return facts
    for it in seen.active(tx):
        if not it.drill and it.key != about.subject and _is_about(tx, settings, it, service):
            return replace(facts, incident=it.key, service=service)
    return facts


def _is_about(tx: Tx, settings: Settings, it: Incident, service: str) -> bool:
    if it.service == service:
        return True
    return any(settings.labels.value("service", labels) == service for labels in seen.labels_of(tx, it.key))


def _trusted_since(runs: Sequence[Run]) -> datetime | None:
    """Say when a run was last verified, unless one failed its verification since."""
    verified, failed = _last_end(runs, RunState.VERIFIED), _last_end(runs, RunState.VERIFY_FAILED)
    return None if verified is None or (failed is not None and failed >= verified) else verified


def _last_end(runs: Sequence[Run], state: RunState | None = None) -> datetime | None:
    return max((run.finished_at for run in runs if run.finished_at and state in (None, run.state)), default=None)


def _times(runs: Sequence[Run]) -> tuple[datetime, ...]:
    return tuple(run.started_at for run in runs)


def refuse(tx: Tx, settings: Settings, subject: str, playbook: Playbook, no: Exception) -> None:
    """Say on the timeline which guard refused, and why; of many at once people are told together, too."""
    if isinstance(no, Refused):
        refusals.count_in(tx, subject, playbook=playbook.name, guard=no.guard, reason=str(no), target=no.target)
    guard = no.guard if isinstance(no, Refused) else "inputs" if isinstance(no, scopes.NotRunnable) else "one_at_a_time"
    text = f"Playbook {playbook.name} may not run: {no}"
    chain.append(tx, subject, actor_of(playbook), [Draft("run.refused", text, {"guard": guard})])
    tx.count(lambda m: m.playbook_guard_denials_total.labels(playbook=playbook.name, guard=guard).inc())
