"""Questions of runs, as units of work: asked once, waited for without a task, answered by one person or by time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from incidentd import holds
from incidentd.durations import about
from incidentd.engine import approving, refusals
from incidentd.errors import BadRequest, Conflict, NotAllowed
from incidentd.incidents import ACTIVE
from incidentd.pages import Page
from incidentd.playbooks import Run, RunState, Step, StepResult, questions, walk
from incidentd.playbooks.questions import Question
from incidentd.settings import Settings
from incidentd.store import Tx, chain, subjects, things
from incidentd.text import instant, plain
from incidentd.timeline import INCIDENTD, Actor, Draft

KIND = approving.QUESTION


def look(tx: Tx, settings: Settings, run: Run, step: Step) -> tuple[Run, StepResult | None]:
    """Say what came of the question of a step, which is asked first if it was not; None while it waits.

    One whose time is over is closed here, in the same transaction: whoever answers later is too late.
    """
    question = run.question
    if question is None:
        return _ask(tx, settings, run, step), None
    if not question.closed:
        if tx.now < question.expires_at:
            return run, None
        question = replace(question, closed=True, answer=question.default, closed_at=question.expires_at)
        run = replace(run, question=question)
        things.save_run(tx, run)
    ok, summary = questions.outcome(question)
    return run, StepResult(ok=ok, summary=summary, value={"answer": question.answer, "by": question.by})


def _ask(tx: Tx, settings: Settings, run: Run, step: Step) -> Run:
    key = f"{run.phase}/{run.cursor}"
    question = questions.ask(step.args, walk.context(run, step), key=key, now=tx.now)
    run = replace(run, question=question)
    things.save_run(tx, run)
    fails = "it goes on without one" if step.ignore_errors else "the run fails"
    otherwise = f"it goes on with `{question.default}`" if question.default else fails
    lead = approving.leads(tx, settings, run) if questions.asks_anybody(question) else None
    text = (
        f"{run.key} asks {lead or questions.who(question)}: {question.text} Without an answer by "
        f"{instant(question.expires_at)} {otherwise}."
    )
    chain.append(tx, run.subject, _run(run), [Draft("run.asked", text, {"run": run.key, "question": key})])
    _tell(tx, settings, run, question, lead)
    return run


def _tell(tx: Tx, settings: Settings, run: Run, question: Question, lead: approving.Leads | None) -> None:
    """Ask the people who may answer; where nobody is named, who leads the operations of the incident that it runs for,
    else whoever was or is now paged for what it runs for.

    Whoever has no channel is asked in the log, as pages go there, and the timeline names them.
    """
    named = [lead.asked] if lead else questions.asked(question, settings.roster)
    pages = [] if named else _pages(tx, settings, run.subject)
    answered = [page.held_by for page in pages if page.held_by]
    paged = answered or [handle for page in pages for handle in page.paged]
    people = named or list(dict.fromkeys(paged))
    unheard = [handle for handle in people if not approving.channels(settings, handle)]
    _send(tx, settings, run, people or [""], question)
    if unheard or not people:
        _say_unheard(tx, run, question, unheard, len(people))


def _send(tx: Tx, settings: Settings, run: Run, people: Sequence[str], question: Question) -> None:
    approving.send(
        tx, settings, run, people, kind=KIND, key=f"{run.key}/{question.key}", question=question.key,
        give_up_at=question.expires_at,
    )  # fmt: skip


def _say_unheard(tx: Tx, run: Run, question: Question, unheard: list[str], asked: int) -> None:
    """Say on the timeline who does not hear of a question."""
    whom = ", ".join(plain(handle, 100) for handle in unheard)
    if not asked:
        why = "there is nobody whom it could be sent to"
    elif len(unheard) == asked:
        why = f"nobody of those who are asked has a channel ({whom})"
    else:
        why = f"{whom} {'has' if len(unheard) == 1 else 'have'} no channel, so it was sent to the others alone"
    text = f"{run.key}: {why}; the question stands in the log, and `incidentd approve {run.key} ...` answers it."
    chain.append(tx, run.subject, INCIDENTD, [Draft("run.unheard", text, {"run": run.key, "question": question.key})])


def _pages(tx: Tx, settings: Settings, subject: str) -> list[Page]:
    """Give the pages of what a run is for; an open hold is paged for now, and one that was declared by its incident."""
    if subject.startswith("HOLD-"):
        hold = subjects.get_hold(tx, int(subject.removeprefix("HOLD-")))
        if hold.state in holds.OPEN:
            refusals.page_after_all(tx, settings, hold)
        elif (became := subjects.incident_of_hold(tx, hold.id)) is not None and became.status in ACTIVE:
            subject = became.key
    return things.pages_of(tx, subject)


def answer(
    tx: Tx, settings: Settings, run_id: int, *, answer: str, actor: Actor, key: str = "", admin: bool = False
) -> Run:  # fmt: skip
    """Take somebody's answer; the run goes on with it when it is looked at next. `key` names the question if need be.

    Raises Conflict when the run waits for none or somebody else was first, NotAllowed for somebody who is not asked
    (an `admin` always is where nobody is named), and BadRequest for what is no answer.
    """
    run = things.get_run(tx, run_id)
    question = open_question(run, tx.now, key)
    if not questions.may_answer(question, settings.roster, actor.name):
        who = questions.who(question)
        raise NotAllowed(
            f"{run.key} asks {who}, and {plain(actor.name, 100)} is not among them; the name of the token "
            f"counts, or that of `--by` where no token is needed: `incidentd approve {run.key} ... --by NAME`",
            authenticated=True,
        )
    approving.refuse_others(tx, settings, run, actor, admin=admin)
    answer = answer.strip()
    if why := questions.refused(question, answer):
        raise BadRequest(f"{run.key} asks: {question.text} And {why}")
    run = replace(run, question=replace(question, answer=answer, by=actor.name, closed=True, closed_at=tx.now))
    things.save_run(tx, run)
    text = f"{run.key}: {actor.name} answered `{plain(answer, questions.LONGEST)}` to: {question.text}"
    data = {"run": run.key, "question": question.key, "answer": answer}
    chain.append(tx, run.subject, actor, [Draft("run.answered", text, data)])
    return run


def open_question(run: Run, now: datetime, key: str = "") -> Question:
    """Give the question that a run waits for. Raises Conflict with what happened instead."""
    question = run.question
    if run.state is not RunState.RUNNING or question is None or (key and question.key != key):
        raise Conflict(f"{run.key} is {run.state.replace('_', ' ')}, and waits for no such answer any more")
    if question.closed and question.by:
        raise Conflict(f"{plain(question.by, 100)} was first, and answered `{plain(question.answer, 200)}`")
    if question.closed or now >= question.expires_at:
        raise Conflict(f"{run.key} waited until {instant(question.expires_at)}, and nobody answered in time")
    return question


def message(run: Run, key: str, now: datetime, url: str) -> tuple[str, str] | None:
    """Write the words that ask somebody; None when there is nothing to answer any more."""
    try:
        question = open_question(run, now, key)
    except Conflict:
        return None
    choices = " or ".join(question.choices) or "your answer"
    body = (
        f"{question.text}\n\n{run.playbook} works on {plain(run.target, 200)} for {run.subject}, and waits for "
        f"{about(question.expires_at - now)} more.\nAnswer with `incidentd approve {run.key} ...`: {choices}."
        f"\n{url}/{'incidents' if run.subject.startswith('INC-') else 'holds'}/{run.subject}"
    )
    return f"{run.key} asks: {plain(question.text, 120)}", body


def _run(run: Run) -> Actor:
    return Actor(name=run.playbook, via="playbook")
