"""The links that a message carries: what its reader may do by pressing one, each for one person and one thing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from incidentd import links
from incidentd.engine import approving
from incidentd.holds import Hold
from incidentd.links import LinkAction
from incidentd.pages import Page, PageState, needs_ack
from incidentd.playbooks import Run, RunState, questions
from incidentd.settings import Settings
from incidentd.store import Tx, subjects, things
from incidentd.text import plain

_MOST_RUNS = 3
Links = list[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Whom a message goes to, and what signs and names its links."""

    key: bytes
    base: str
    """The address under which people reach this daemon."""
    person: str
    message: str
    """The message's own name: a repeat of it carries the same links, and each of them acts once."""
    made: datetime
    """Since when there is the message, of whatever try: a page that calls again later has links of its own time."""
    now: datetime


def of_page(page: Page, runs: Sequence[Run], reader: Reader) -> Links:
    """Make the links of a message about a page; none for a channel that is nobody's own."""
    if not reader.person:
        return []
    if page.state is PageState.RESOLVED:
        return [("Say how it was", _link(reader, LinkAction.FEEDBACK, page.key, began=page.closed_at))]
    if not needs_ack(page):
        return []
    return [
        ("I have it", _link(reader, LinkAction.ACK, page.key, began=reader.made)),
        ("I am helping", _link(reader, LinkAction.HELPING, page.key, began=reader.made)),
        ("Page the next level now", _link(reader, LinkAction.ESCALATE, page.key, began=reader.made)),
        *(_of_run(run, reader) for run in runs),
    ]


def _of_run(run: Run, reader: Reader) -> tuple[str, str]:
    if run.question is not None:
        return f"Answer {run.key} ({plain(run.question.text, 60)})", of_question(run.key, run.question.key, reader)
    what = f"{plain(run.playbook, 20)} on {plain(run.target, 40)}"
    return f"Let {run.key} run ({what})", _link(reader, LinkAction.APPROVE, run.key)


def of_ask(hold: Hold, reader: Reader) -> Links:
    """Make the links of the message that asks before a hold declares."""
    if not reader.person:
        return []
    found = [("Declare now", _link(reader, LinkAction.DECLARE, hold.key))]
    if not hold.extended_by:
        found.append(("More time", _link(reader, LinkAction.EXTEND, hold.key)))
    return found


def of_question(run: str, question: str, reader: Reader) -> str:
    """Make the link of a message with the question of a run."""
    return _link(reader, LinkAction.ANSWER, f"{run}/{question}")


def of_approval(run: str, reader: Reader) -> str:
    """Make the link of a message that asks to let a run begin."""
    return _link(reader, LinkAction.APPROVE, run)


def of_handover(handover: str, reader: Reader) -> str:
    """Make the link of a message that offers roles to its reader."""
    return _link(reader, LinkAction.HANDOVER, handover)


def of_role(subject: str, reader: Reader) -> str:
    """Make the link of a message that asks about a role."""
    return _link(reader, LinkAction.ROLE, subject)


def of_test(subject: str, reader: Reader) -> str:
    """Make the link of a test message."""
    return _link(reader, LinkAction.CONFIRM, subject)


def proposed(tx: Tx, settings: Settings, subject: str, person: str) -> list[Run]:
    """Find the newest runs for a hold or incident that wait for the approval or the answer of this person: where nobody
    is named it is anybody who is paged, unless somebody leads the operations of the incident.
    """
    incident = subjects.get_incident(tx, int(subject.removeprefix("INC-"))) if subject.startswith("INC-") else None
    hold = incident.hold_id if incident is not None else None
    begun = [run for run in things.runs_of(tx, f"HOLD-{hold}") if _asks(run)] if hold is not None else []
    own = [run for run in things.runs_of(tx, subject) if run.state is RunState.PROPOSED or _asks(run)]
    return [run for run in (*begun, *own) if not approving.refused(tx, settings, run, person)][-_MOST_RUNS:]


def _asks(run: Run) -> bool:
    it = run.question
    return it is not None and run.state is RunState.RUNNING and not it.closed and questions.asks_anybody(it)


def _link(reader: Reader, action: LinkAction, subject: str, *, began: datetime | None = None) -> str:
    token = links.make(
        reader.key, action=action.value, subject=subject, person=reader.person,
        nonce=f"{reader.message}/{action.value}/{subject}", expires=(began or reader.now) + links.works_for(action),
    )  # fmt: skip
    return f"{reader.base}/a/{token}"
