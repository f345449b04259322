"""May this playbook run now: reads what the guards look at, asks them, and says what they said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from incidentd import guards
from incidentd.playbooks import FINISHED, Playbook, Run, RunState, scopes, standing
from incidentd.settings import Settings
from incidentd.store import Tx, chain, switching, things
from incidentd.timeline import Actor, Draft


class Refused(Exception):
    """A guard said no."""

    def __init__(self, verdict: guards.Verdict) -> None:
        super().__init__(verdict.reason)
        self.guard = verdict.guard


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """The run that the guards are asked about."""

    target: str
    domain: str
    starts_at: datetime
    fires: bool
    approved: bool = False


def actor_of(playbook: Playbook) -> Actor:
    """Name a playbook as whoever acts."""
    return Actor(name=playbook.name, via="playbook")


def as_it_stands(tx: Tx, playbook: Playbook) -> Playbook:
    """Give a playbook with the mode that its own runs earned it or cost it."""
    return replace(playbook, mode=standing.begun(playbook, switching.standing(tx, playbook.name), tx.now).mode)


def ask_guards(tx: Tx, settings: Settings, playbook: Playbook, about: About) -> None:
    """Ask every guard; nobody else begins a run until the end of the transaction. Raises Refused."""
    recent = things.recent_runs(tx, tx.now - guards.horizon(playbook, settings.automation))
    stands = standing.begun(playbook, switching.standing(tx, playbook.name), tx.now)
    began = [run for run in recent if run.state is not RunState.PROPOSED]
    own = [run for run in began if run.playbook == playbook.name]
    here = [run for run in own if run.target == about.target]
    facts = guards.Facts(
        playbook=replace(playbook, mode=stands.mode), automation=settings.automation, target=about.target,
        starts_at=about.starts_at, still_firing=about.fires, approved=about.approved, domain=about.domain,
        switched_off=standing.off(switching.switches(tx), playbook.name), why_mode=stands.why,
        running_on_target=any(run.target == about.target and run.state not in FINISHED for run in began),
        recent_on_target=_times(here), recent_total=_times(own), recent_overall=_times(began),
        last_verified_on_target=_last_end(here, RunState.VERIFIED), last_verified=_last_end(own, RunState.VERIFIED),
        last_ended_on_target=_last_end([run for run in began if run.target == about.target]),
        under_way=tuple(
            (run.target, run.domain) for run in own if run.state not in FINISHED and run.target != about.target
        ),
        failed_in_a_row=guards.failed_in_a_row([run for run in own if run.sha256 == playbook.sha256]),
        now=tx.now,
    )  # fmt: skip
    verdict = guards.check(facts)
    if not verdict.allowed:
        raise Refused(verdict)


def _last_end(runs: Sequence[Run], state: RunState | None = None) -> datetime | None:
    return max((run.finished_at for run in runs if run.finished_at and state in (None, run.state)), default=None)


def _times(runs: Sequence[Run]) -> tuple[datetime, ...]:
    return tuple(run.started_at for run in runs)


def refuse(tx: Tx, subject: str, playbook: Playbook, no: Exception) -> None:
    """Say on the timeline which guard refused, and why."""
    guard = no.guard if isinstance(no, Refused) else "inputs" if isinstance(no, scopes.NotRunnable) else "one_at_a_time"
    text = f"Playbook {playbook.name} may not run: {no}"
    chain.append(tx, subject, actor_of(playbook), [Draft("run.refused", text, {"guard": guard})])
    tx.count(lambda m: m.playbook_guard_denials_total.labels(playbook=playbook.name, guard=guard).inc())
