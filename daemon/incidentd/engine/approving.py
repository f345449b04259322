"""Who lets playbooks act in an active incident: whoever leads its operations, or commands it; and asking them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from incidentd.errors import NotAllowed
from incidentd.incidents import ACTIVE, Incident
from incidentd.oncall import LOG_CHANNEL
from incidentd.playbooks import Playbook, Run, RunState, questions
from incidentd.playbooks.questions import Question
from incidentd.roles import Role, effective_holder, holder
from incidentd.settings import Settings
from incidentd.store import Tx, jobs, seen, subjects, things
from incidentd.text import plain
from incidentd.timeline import Actor

KIND = "approval"
QUESTION = "question"
"""The kinds of messages by which people are asked to let a run begin, and what a run asks."""
_LEADS = (Role.OPERATIONS_LEAD, Role.INCIDENT_COMMANDER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leads:
    """Who answers for what playbooks do in an active incident."""

    incident: str
    lead: str
    """The Operations Lead; '' while whoever commands has that role, too."""
    commander: str

    @property
    def people(self) -> tuple[str, ...]:
        """Name who may say yes, first who is asked."""
        return tuple(dict.fromkeys(one for one in (self.lead, self.commander) if one))

    @property
    def asked(self) -> str:
        """Name the one who is asked."""
        return self.people[0]

    def __str__(self) -> str:
        """Say in words who they are."""
        commander = "" if self.commander == self.lead else self.commander
        held = zip(_LEADS, (self.lead, commander), strict=True)
        return " or ".join(f"{plain(name, 100)} ({role.title} of {self.incident})" for role, name in held if name)


def leads(tx: Tx, settings: Settings, run: Run) -> Leads | None:
    """Say who lets a run act; None when it is for no active incident, or nobody has either role there.

    It is for the incident whose service it would act on, else for the one that its hold became or that it began for.
    """
    incident = _incident_of(tx, run)
    if incident is None or not settings.roster.people:
        return None
    lead, commander = (holder(role, incident.roles) for role in _LEADS)
    return Leads(incident=incident.key, lead=lead, commander=commander) if lead or commander else None


def _incident_of(tx: Tx, run: Run) -> Incident | None:
    beside = _active(tx, int(run.incident.removeprefix("INC-"))) if run.incident else None
    if beside is not None:
        return beside
    kind, _, number = run.subject.partition("-")
    if kind == "INC":
        return _active(tx, int(number))
    became = subjects.incident_of_hold(tx, int(number)) if kind == "HOLD" else None
    return _active(tx, became.id) if became is not None else None


def _active(tx: Tx, number: int) -> Incident | None:
    """Read the incident, or the one that it was merged into; None when that is over. It is not locked by that."""
    found = seen.one(tx, number)
    while found is not None and found.merge is not None:
        found = seen.one(tx, found.merge.into)
    return found if found is not None and found.status in ACTIVE else None


def refuse_others(tx: Tx, settings: Settings, run: Run, actor: Actor, *, admin: bool) -> None:
    """Raise NotAllowed, which says who may, for somebody who does not let runs act in the incident of this one."""
    if why := refused(tx, settings, run, actor.name, admin=admin):
        raise NotAllowed(why, authenticated=True)


def refused(tx: Tx, settings: Settings, run: Run, name: str, *, admin: bool = False) -> str:
    """Say why somebody does not let a run act, and who does; '' when they may."""
    found = None if admin or _names_people(run) else leads(tx, settings, run)
    if found is None or name in found.people:
        return ""
    return (
        f"while {found.incident} is active, {found} lets playbooks act there, and {plain(name, 100)} does not: ask "
        f"them to type `incidentd approve {run.key}`; a token with the scope admin may, too"
    )


def _names_people(run: Run) -> bool:
    """Say whether a run asks those whom its playbook names; they are who may answer, whatever roles they have."""
    return run.state is RunState.RUNNING and run.question is not None and not questions.asks_anybody(run.question)


# -- asking ------------------------------------------------------------------------------------------------------------


def ask(tx: Tx, settings: Settings, run: Run) -> Leads | None:
    """Ask whoever leads the operations of its incident to let a proposed run begin; None when it has nobody."""
    found = leads(tx, settings, run)
    if found is not None:
        send(tx, settings, run, [found.asked], kind=KIND, key=f"{run.key}/{KIND}")
    return found


def send(
    tx: Tx, settings: Settings, run: Run, people: Iterable[str], *, kind: str, key: str, question: str = "",
    give_up_at: datetime | None = None,
) -> None:  # fmt: skip
    """Send each of these people a message about a run that waits; who has no channel has it in the log."""
    for handle in people:
        for channel in channels(settings, handle) or [LOG_CHANNEL]:
            payload = {"person": handle, "channel": channel, "purpose": "page", "run": run.id}
            mine = f"{handle}/{channel}" if channel == LOG_CHANNEL else channel
            jobs.schedule(
                tx, queue=jobs.NOTIFY, kind=kind, subject=run.subject, due_at=tx.now,
                payload={**payload, **({"question": question} if question else {})}, ukey=f"{key}/{mine}",
                give_up_at=give_up_at,
            )  # fmt: skip


def channels(settings: Settings, handle: str) -> list[str]:
    """Name the channels of somebody; none for a stranger."""
    person = settings.roster.people.get(handle)
    return [channel.name for channel in person.channels] if person else []


def unasked(tx: Tx, incident: Incident, led_by: Incident) -> Sequence[Run]:
    """List the runs that wait for an incident, of which whoever leads the operations of another one knows nothing.

    Whoever was paged for the incident has the links to answer already.
    """
    lead = effective_holder(Role.OPERATIONS_LEAD, led_by.roles)
    return [
        run for run in things.waiting_runs(tx)
        if (found := _incident_of(tx, run)) is not None and found.id == incident.id
        and not _knows(tx, incident, run, lead)
    ]  # fmt: skip


def ask_anew(
    tx: Tx, settings: Settings, before: Incident, after: Incident, runs: Sequence[Run] | None = None
) -> None:  # fmt: skip
    """Ask whoever leads the operations of an incident from here, and did not before, about the runs that wait for it.

    `runs` says which: those that came with what it takes in.
    """
    lead = effective_holder(Role.OPERATIONS_LEAD, after.roles)
    if not lead or lead == effective_holder(Role.OPERATIONS_LEAD, before.roles):
        return
    for run in unasked(tx, after, after) if runs is None else runs:
        if run.state is RunState.PROPOSED:
            send(tx, settings, run, [lead], kind=KIND, key=f"{run.key}/{KIND}")
        elif run.question is not None and _asks_anybody(run.question, tx.now):
            send(
                tx, settings, run, [lead], kind=QUESTION, key=f"{run.key}/{run.question.key}",
                question=run.question.key, give_up_at=run.question.expires_at,
            )  # fmt: skip


def _knows(tx: Tx, incident: Incident, run: Run, person: str) -> bool:
    """Say whether somebody was paged for what a run is for.

    Other subjects than the incident and its hold are not looked at: they have a lock of their own.
    """
    own = run.subject in (incident.key, f"HOLD-{incident.hold_id}")
    return own and any(person in page.paged for page in things.pages_of(tx, run.subject))


def _asks_anybody(it: Question, now: datetime) -> bool:
    return not it.closed and now < it.expires_at and questions.asks_anybody(it)


def message(tx: Tx, settings: Settings, run_id: int, person: str) -> tuple[Run, tuple[str, str]] | None:
    """Write the words that ask somebody to let a run begin; None when nobody needs their answer any more."""
    run = things.get_run(tx, run_id)
    found = leads(tx, settings, run)
    if run.state is not RunState.PROPOSED or found is None or person not in found.people:
        return None
    book = settings.playbooks.get(run.playbook)
    title = f"May {run.key} begin? {run.playbook} on {plain(run.target, 60)} ({found.incident})"
    body = "\n".join([*_what(run, book), f"It begins when you say so: `incidentd approve {run.key}`.", ""])
    place = "incidents" if run.subject.startswith("INC-") else "holds"
    return run, (title, f"{body}\n{settings.external_url}/{place}/{run.subject}")


def _what(run: Run, book: Playbook | None) -> list[str]:
    why = f"It would act on a service of {run.incident}, which is active.\n" if run.incident else ""
    what = f"{plain(book.title, 200)} (risk: {book.risk})" if book else run.playbook
    return [f"{what}, on {plain(run.target, 200)}, for {run.subject}.\n{why}".rstrip()]
