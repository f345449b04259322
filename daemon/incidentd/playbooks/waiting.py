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
        return Waiting(what="approval", who=_who(run) or "whoever may approve runs")
    if run.state is not RunState.RUNNING or question is None or question.closed:
        return None
    who = _who(run) if questions.asks_anybody(question) else ""
    return Waiting(
        what="answer", who=who or questions.who(question), until=question.expires_at, question=question.text,
        answers=question.choices,
    )  # fmt: skip


def _who(run: Run) -> str:
    """Say who lets playbooks act in the incident that a run is for; '' when it is for none that it knows of."""
    key = run.incident or (run.subject if run.subject.startswith("INC-") else "")
    if not key:
        return ""
    return f"the Operations Lead or the Incident Commander of {key}; while it has neither, whoever may approve runs"


def state_of(run: Run) -> str:
    """Say in words how a run stands: `running`, `waiting for an answer`, `verify failed`."""
    it = waiting(run)
    if it is None:
        return run.state.replace("_", " ")
    return "waiting for an answer" if it.what == "answer" else "waiting for approval"
