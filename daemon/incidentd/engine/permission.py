"""May this playbook run now: reads what the guards look at, asks them, and says what they said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from incidentd import guards
from incidentd.playbooks import FINISHED, Playbook, Run, RunState, scopes, standing
from incidentd.settings import Settings
from incidentd.store import Tx, chain, firing, inbox, switching, things
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
    source: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Of the alert that asks; none when nothing but a person does."""


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
    elsewhere = [run for run in own if run.target != about.target]
    of_version = [run for run in own if run.sha256 == playbook.sha256]
    facts = guards.Facts(
        playbook=replace(playbook, mode=stands.mode), automation=settings.automation, target=about.target,
        starts_at=about.starts_at, still_firing=about.fires, approved=about.approved, domain=about.domain,
        switched_off=standing.off(switching.switches(tx), playbook.name), why_mode=stands.why,
        running_on_target=any(run.target == about.target and run.state not in FINISHED for run in began),
        recent_on_target=_times(here), recent_total=_times(own), recent_overall=_times(began),
        last_verified_on_target=_last_end(here, RunState.VERIFIED), last_verified=_trusted_since(of_version),
        last_ended_on_target=_last_end([run for run in began if run.target == about.target]),
        under_way=tuple((run.target, run.domain) for run in elsewhere if run.state not in FINISHED),
        lately=len({run.target for run in elsewhere if tx.now - run.started_at < guards.FLEET_WINDOW}),
        failed_in_a_row=guards.failed_in_a_row(of_version), now=tx.now,
    )  # fmt: skip
    verdict = guards.check(facts)
    if verdict.allowed and playbook.fleet and about.labels:  # counted last, since it takes the longest
        most = guards.most_alerting(playbook)
        verdict = guards.check(replace(facts, alerting=firing.like(tx, about.source, about.labels, most + 1)))
    if not verdict.allowed:
        raise Refused(verdict)


def ask_again(tx: Tx, settings: Settings, playbook: Playbook, run: Run) -> guards.Verdict:
    """Ask once more right before the first step of a run, which may have waited for long."""
    rows = inbox.alerts_of(tx, run.source, [run.fingerprint])
    facts = guards.Facts(
        playbook=playbook, automation=settings.automation, target=run.target, running_on_target=True, now=tx.now,
        starts_at=rows[0].starts_at if rows else run.started_at,
        still_firing=bool(rows) and rows[0].status == "firing",
    )  # fmt: skip
    return guards.check_again(facts)


def _trusted_since(runs: Sequence[Run]) -> datetime | None:
    """Say when a run was last verified, unless one failed its verification since."""
    verified, failed = _last_end(runs, RunState.VERIFIED), _last_end(runs, RunState.VERIFY_FAILED)
    return None if verified is None or (failed is not None and failed >= verified) else verified


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
