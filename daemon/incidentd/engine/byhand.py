"""A playbook that a person runs: for a hold or an incident, without an alert, and inside all guards but the alert's."""

from __future__ import annotations

from collections.abc import Mapping

from incidentd import holds
from incidentd.engine import automation
from incidentd.engine.permission import About, Refused, ask_guards
from incidentd.errors import BadRequest, Conflict, NotFound
from incidentd.incidents import ACTIVE
from incidentd.playbooks import Mode, Run, RunState, scopes, walk
from incidentd.settings import Settings
from incidentd.store import Tx, locks, subjects, things
from incidentd.text import plain
from incidentd.timeline import Actor


def run(
    tx: Tx, settings: Settings, name: str, *, subject: str, labels: Mapping[str, str],
    annotations: Mapping[str, str] | None = None, actor: Actor,
) -> Run:  # fmt: skip
    """Begin a playbook because somebody asks for it, which is the approval that its mode may want.

    `labels` stand for those of the alert that there is not; `subject` is the open hold or incident that it is for.
    Raises NotFound, BadRequest for labels that it does not take, and Conflict when a guard refuses.
    """
    playbook = settings.playbooks.get(name)
    if playbook is None:
        known = ", ".join(sorted(settings.playbooks)) or "none"
        raise NotFound(f"there is no playbook {plain(name, 80)!r}; there are {known}")
    subject, source = _home_of(tx, subject)
    try:
        inputs = scopes.inputs_for(playbook, labels, annotations or {})
        target = walk.target_for(playbook, inputs, labels)
        domain = walk.domain_for(playbook, inputs, labels)
        about = About(target=target, domain=domain, starts_at=tx.now, fires=True, approved=True)
        ask_guards(tx, settings, playbook, about)
    except scopes.NotRunnable as no:
        raise BadRequest(f"{name} does not take this: {no}") from None
    except Refused as no:
        raise Conflict(f"{name} may not run now ({no.guard}): {no}") from None
    new = Run(
        id=0, subject=subject, playbook=playbook.name, sha256=playbook.sha256, definition=playbook.source,
        state=RunState.RUNNING, mode=Mode.APPROVE, target=target, inputs=inputs, registers={}, source=source,
        started_at=tx.now, domain=domain, untouched=True, vetted_at=tx.now,
    )  # fmt: skip
    made = things.insert_run(tx, new)
    text = f"{made.key}: {actor.name} runs playbook {playbook.name} on {plain(target, 60)}, without an alert."
    automation.start(tx, made, actor, text)
    return made


def _home_of(tx: Tx, subject: str) -> tuple[str, str]:
    """Give the key and the source of an open hold or incident; nobody else changes it meanwhile."""
    kind, _, number = subject.partition("-")
    if kind not in ("HOLD", "INC") or not (number.isascii() and number.isdigit() and len(number) <= 15):
        raise BadRequest(f"say what it is for: an open hold (HOLD-7) or incident (INC-12), not {plain(subject, 40)!r}")
    subject = f"{kind}-{int(number)}"
    locks.subject(tx, subject)
    it = subjects.get_hold(tx, int(number)) if kind == "HOLD" else subjects.get_incident(tx, int(number))
    is_open = it.state in holds.OPEN if isinstance(it, holds.Hold) else it.status in ACTIVE
    if not is_open:
        raise Conflict(f"{subject} is over, so nothing is run for it")
    return subject, it.source
