"""Playbook runs as units of work: begin one inside its guards, and go on step by step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from incidentd import guards
from incidentd.durations import format_duration
from incidentd.engine import approving, halting, outcome, paging, questions, silencing, suggesting
from incidentd.engine.course.busy import definition_of
from incidentd.engine.permission import About, Refused, actor_of, as_it_stands, ask_guards, refuse
from incidentd.errors import BadRequest, Conflict
from incidentd.playbooks import (
    FINISHED,
    Mode,
    Playbook,
    Run,
    RunState,
    Step,
    StepResult,
    StepState,
    scopes,
    standing,
    walk,
)
from incidentd.settings import Settings
from incidentd.store import Tx, chain, inbox, jobs, locks, switching, things
from incidentd.store.inbox import Changed
from incidentd.store.jobs import Job
from incidentd.text import plain
from incidentd.timeline import Actor, Draft

_WAITING = ("wait", "approve")
"""Kinds of steps during which nothing is held but a row in the store."""
VERIFY = -1
"""The number under which a look of the verification is kept among a run's steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A step that is to be done now, outside of any transaction."""

    run: Run
    playbook: Playbook
    step: Step
    began: datetime
    given: StepResult | None = None
    """What it gives without anything being done outside."""

    @property
    def is_look(self) -> bool:
        """Whether this is a look of the verification."""
        return self.run.state is RunState.VERIFYING


def begin(tx: Tx, settings: Settings, *, subject: str, name: str, alert: Changed) -> Run | None:
    """Begin a playbook for a hold or incident, as far as its mode and its guards let it; None when nothing runs."""
    playbook = settings.playbooks.get(name)
    if playbook is None:
        if name:
            text = f"There is no playbook {name} in the files, so nothing runs."
            chain.append(tx, subject, Actor(name=name, via="playbook"), [Draft("run.refused", text)])
        return None
    playbook, by = as_it_stands(tx, playbook), actor_of(playbook)
    match guards.effective_mode(playbook, settings.automation.mode):
        case Mode.OFF:
            chain.append(tx, subject, by, [Draft("run.refused", f"Playbook {name} fits, and its mode is off.")])
            return None
        case Mode.SUGGEST:
            chain.append(tx, subject, by, [suggesting.suggestion(playbook, alert, subject)])
            return None
        case Mode.APPROVE | Mode.AUTO as mode:
            return _begin(tx, settings, subject=subject, playbook=playbook, alert=alert, mode=mode)


def _begin(tx: Tx, settings: Settings, *, subject: str, playbook: Playbook, alert: Changed, mode: Mode) -> Run | None:
    try:
        inputs = scopes.inputs_for(playbook, alert.labels, alert.annotations)
        target = walk.target_for(playbook, inputs, alert.labels)
        domain = walk.domain_for(playbook, inputs, alert.labels)
        beside = ""
        if mode is Mode.AUTO:
            about = About(
                target=target, domain=domain, starts_at=alert.starts_at, fires=alert.fires, source=alert.source,
                labels=alert.labels, subject=subject,
            )  # fmt: skip
            beside = _asked_of(tx, settings, playbook, about)
            mode = Mode.APPROVE if beside else mode
        elif off := standing.off(switching.switches(tx), playbook.name):
            raise Refused(guards.Verdict(allowed=False, guard="switch", reason=off))
        new = Run(
            id=0, subject=subject, playbook=playbook.name, sha256=playbook.sha256, definition=playbook.source,
            state=RunState.RUNNING if mode is Mode.AUTO else RunState.PROPOSED, mode=mode, target=target, inputs=inputs,
            registers={}, source=alert.source, started_at=tx.now, fingerprint=alert.fingerprint, domain=domain,
            incident=beside, untouched=True, vetted_at=tx.now,
        )  # fmt: skip
        run = things.insert_run(tx, new)
    except (scopes.NotRunnable, Conflict, Refused) as no:
        refuse(tx, settings, subject, playbook, no)
        return None
    if run.state is RunState.PROPOSED:
        _propose(tx, settings, run, playbook)
        return run
    start(tx, run, actor_of(playbook), f"{run.key}: playbook {playbook.name} begins on {plain(target, 60)}.")
    return run


def _asked_of(tx: Tx, settings: Settings, playbook: Playbook, about: About) -> str:
    """Ask the guards; gives the incident whose lead has to say yes, if that is all that is missing. Raises Refused."""
    try:
        ask_guards(tx, settings, playbook, about)
    except Refused as no:
        if not no.incident:
            raise
        return no.incident
    return ""


def _propose(tx: Tx, settings: Settings, run: Run, playbook: Playbook) -> None:
    """Ask for the approval of a run, and say on its timeline of whom."""
    lead = approving.ask(tx, settings, run)
    of = f" of {lead}" if lead else ""
    why = f": {run.incident} is active about the same service (safe_during_incident)" if run.incident else ""
    text = f"{run.key}: playbook {playbook.name} fits {plain(run.target, 60)} and waits for approval{of}{why}."
    chain.append(tx, run.subject, actor_of(playbook), [Draft("run.proposed", text, {"run": run.key})])


def start(tx: Tx, run: Run, actor: Actor, text: str) -> None:
    """Have the first step of a run done, and say who let it begin."""
    data = {"run": run.key, "sha256": run.sha256, "inputs": dict(run.inputs)}
    chain.append(tx, run.subject, actor, [Draft("run.started", text, data)])
    _next(tx, run, tx.now)


def _next(tx: Tx, run: Run, at: datetime) -> None:
    jobs.schedule(
        tx, queue=jobs.PLAYBOOK, kind="step", subject=run.subject, ukey=run.key, due_at=at, payload={"run": run.id},
    )  # fmt: skip


def take_answer(
    tx: Tx, settings: Settings, run_id: int, *, answer: str, actor: Actor, key: str = "", admin: bool = False
) -> Run:  # fmt: skip
    """Take an answer to the question of a run, which goes on now. Raises as `questions.answer` does."""
    run = questions.answer(tx, settings, run_id, answer=answer, actor=actor, key=key, admin=admin)
    _next(tx, run, tx.now)
    return run


def approve(
    tx: Tx, settings: Settings, run_id: int, *, actor: Actor, answer: str = "", admin: bool = False
) -> Run:  # fmt: skip
    """Let a proposed run begin, or one go on that asks. Raises Conflict when it waits for nothing, or may not run, and
    NotAllowed for who does not let playbooks act in the active incident that it is for; an `admin` always does.

    An answer has to be given in words: who says a second time that a run may begin has not read what it asks.
    """
    run = things.get_run(tx, run_id)
    if run.question is not None and run.state is RunState.RUNNING:
        if not answer and not run.question.closed:
            how = " or ".join(run.question.choices) or "your answer"
            raise Conflict(f"{run.key} began already, and asks: {run.question.text} Answer in words: {how}")
        return take_answer(tx, settings, run_id, answer=answer, actor=actor, admin=admin)
    if answer and run.state is RunState.PROPOSED:
        raise BadRequest(
            f"{run.key} asks nothing yet: approve it without an answer and it begins, or stop it with "
            f"`incidentd playbook stop {run.key} --reason ...`"
        )
    if run.state is not RunState.PROPOSED:
        raise Conflict(f"{run.key} is {run.state}; only a proposed run waits for approval")
    approving.refuse_others(tx, settings, run, actor, admin=admin)
    playbook = definition_of(run)
    if playbook.refused:
        raise Conflict(f"{run.key} may not run now: {playbook.refused}")
    rows = inbox.alerts_of(tx, run.source, [run.fingerprint])
    fires = bool(rows) and rows[0].status == "firing"
    try:
        began = rows[0].starts_at if rows else run.started_at
        about = About(
            target=run.target,
            domain=run.domain,
            starts_at=began,
            fires=fires,
            approved=True,
            source=run.source,
            labels=rows[0].labels if rows else {},
        )
        ask_guards(tx, settings, playbook, about)
    except Refused as no:
        raise Conflict(f"{run.key} may not run now: {no}") from None
    run = replace(run, state=RunState.RUNNING, started_at=tx.now, untouched=True, vetted_at=tx.now)
    things.save_run(tx, run)
    start(tx, run, actor, f"{run.key}: approved by {actor.name}; playbook {run.playbook} begins.")
    return run


# -- step by step ----------------------------------------------------------------------------------------------------


def step_due(tx: Tx, settings: Settings, job: Job) -> Due | None:
    """Say which step of a run is to be done, and note that it begins; None when there is none to do.

    A step that a crash fell into and that may not be repeated ends the run here, and a person is asked. So does one
    that nobody can do any more, and a guard that says no by now ends it too.
    Whoever was stopped for so long that another replica took over does nothing.
    """
    run = _going_on(tx, job)
    if run is None:
        return None
    playbook = definition_of(run)
    if run.state is RunState.VERIFYING and playbook.verify is not None:
        return Due(run=run, playbook=playbook, step=playbook.verify.step, began=tx.now)
    run = halting.looked_at(tx, settings, run, playbook)
    step = walk.current_step(run, playbook)
    if run.state in FINISHED:
        halting.ended(tx, settings, job, run, playbook)
    elif step is None:
        jobs.complete(tx, job)
    else:
        return _set_about(tx, settings, job, Due(run=run, playbook=playbook, step=step, began=tx.now))
    return None


def _set_about(tx: Tx, settings: Settings, job: Job, due: Due) -> Due | None:
    """Note that a step begins; None when it only waits, and its time is not over."""
    run, step = due.run, due.step
    started = things.step_state(tx, run, run.cursor) is StepState.STARTED
    given = walk.known(run, step)
    began = (things.step_began(tx, run, run.cursor) if started and step.kind in _WAITING else None) or tx.now
    if given is None and step.kind in _WAITING:
        run, given = _waited(tx, settings, job, replace(due, began=began))
        if given is None:
            return None
    # one that is left out does not begin: a crash would fall into the middle of nothing
    if not started and not (given and given.skipped):
        things.step_started(tx, run, run.cursor, step.name)
    silencing.begins(tx, run, step, given)
    return replace(due, run=run, began=began, given=given)


def _going_on(tx: Tx, job: Job) -> Run | None:
    locks.subject(tx, job.subject)
    if not jobs.still_mine(tx, job):
        return None
    run = things.get_run(tx, int(job.payload["run"]))
    # whoever switched its playbook off had it stopped, which is about to be carried out (stopping.py)
    return None if standing.off(switching.switches(tx), run.playbook) else run


def _waited(tx: Tx, settings: Settings, job: Job, due: Due) -> tuple[Run, StepResult | None]:
    """Say what a step that only waits has come to; None when it is not over, and then it is looked at when it is."""
    run, step, given = due.run, due.step, None
    until = due.began + step.timeout
    if step.kind == "approve":
        run, given = questions.look(tx, settings, run, step)
        until = run.question.expires_at if run.question else until
    elif tx.now >= until:
        given = StepResult(ok=True, summary=f"waited for {format_duration(step.timeout)}")
    if given is None and jobs.complete(tx, job):
        things.step_started(tx, run, run.cursor, step.name)
        _next(tx, run, until)
    return run, given


def step_done(tx: Tx, settings: Settings, job: Job, due: Due, result: StepResult) -> bool:
    """Take in what a step gave and go on; False when the lease was lost, and then nothing is written."""
    if not jobs.complete(tx, job):
        return False
    if due.is_look:
        run, again_at = walk.verify_looked(due.run, due.playbook, result, tx.now)
        _write(tx, due, VERIFY, result)
    else:
        run, again_at = walk.step_done(due.run, due.playbook, result, tx.now, began=due.began), None
        _write(tx, due, due.run.cursor, result)
        _send(tx, due, result)
    if (
        not due.is_look
        or run.state is not RunState.VERIFYING
        or (run.good_since is None) != (due.run.good_since is None)
    ):
        # of many looks that see the same only the first is told
        data = {"run": run.key, "ok": result.ok, "output": result.output[-2000:]}
        text = f"{run.key}: {due.step.name}: {plain(result.summary, 1000)}"
        chain.append(tx, run.subject, actor_of(due.playbook), [Draft("run.step", text, data)])
    things.save_run(tx, run)
    if run.state in FINISHED:
        outcome.finished(tx, settings, run, due.playbook)
    else:
        _next(tx, run, again_at or tx.now)
    return True


def _write(tx: Tx, due: Due, idx: int, result: StepResult) -> None:
    ended = StepState.OK if result.ok else StepState.FAILED
    state = StepState.SKIPPED if result.skipped else ended
    things.step_ended(tx, due.run, idx, name=due.step.name, state=state, result=result, began=due.began)


def _send(tx: Tx, due: Due, result: StepResult) -> None:
    """Put the message of a step into the outbox, in the transaction that ends the step: so it is sent once."""
    if due.step.kind == "notify" and result.ok and not result.skipped:
        paging.tell(
            tx, subject=due.run.subject, channel=result.value["channel"], purpose="update",
            title=plain(result.value["title"], 200), body=result.value.get("body", ""),
            key=f"{due.run.key}/{due.run.phase}/{due.run.cursor}",
        )  # fmt: skip
