"""What a run waits for that people have to give: its approval, or the answer to its question."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from incidentd.playbooks import Run, RunState, questions


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Something that people have to give."""

    what: str
    """`approval` or `answer`."""
    who: str
    """Who may give it, in words."""
    until: datetime | None = None
    """None: it waits for as long as it takes."""
    question: str = ""
    answers: tuple[str, ...] = ()
    """What may be answered; empty where the words are free."""


def waiting(run: Run) -> Waiting | None:
    """Say what a run waits for; None when it waits for nobody."""
    question = run.question
    if run.state is RunState.PROPOSED:
        return Waiting(what="approval", who="whoever may approve runs")
    if run.state is not RunState.RUNNING or question is None or question.closed:
        return None
    return Waiting(
        what="answer", who=questions.who(question), until=question.expires_at, question=question.text,
        answers=question.choices,
    )  # fmt: skip


def state_of(run: Run) -> str:
    """Say in words how a run stands: `running`, `waiting for an answer`, `verify failed`."""
    it = waiting(run)
    if it is None:
        return run.state.replace("_", " ")
    return "waiting for an answer" if it.what == "answer" else "waiting for approval"
