"""How a hold or incident stands, in one line: what the topic of a chat would say, if it could be set."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from incidentd import holds
from incidentd.holds import Hold, HoldState
from incidentd.incidents import Incident, Status
from incidentd.text import near, plain
from incidentd.updates import Promise

_TURNS = (
    "incident.", "role.assigned", "role.changed", "handover.accepted", "update.sent", "update.skipped", "updates.",
    "hold.opened", "hold.progress", "hold.refuted", "hold.extended", "hold.raised", "hold.woken", "hold.snoozed",
    "hold.recovering",
)  # fmt: skip
"""How the kinds of entries begin after which it stands otherwise."""


def is_turn(kind: str) -> bool:
    """Say whether it stands otherwise after an entry of this kind: its state, severity, commander, or promises."""
    return kind.startswith(_TURNS)


def state_of(about: Incident | Hold) -> str:
    """Name the state of the trouble, in words."""
    if isinstance(about, Hold):
        return about.state.value
    # what is learned from it afterwards is no state of the trouble
    status = Status.RESOLVED if about.status is Status.POSTMORTEM else about.status
    return status.value.replace("_", " ")


def status_line(about: Incident | Hold, promises: Iterable[Promise], now: datetime) -> str:
    """Say how it stands: key, severity, state, and who commands and when the next update is due, or what is held."""
    parts = [about.key, plain(about.severity, 20), state_of(about)]
    if isinstance(about, Incident):
        parts += [f"Incident Commander: {plain(about.commander, 60) or 'nobody yet'}", _next_update(promises, now)]
    elif about.state is HoldState.HOLDING:
        parts.append(f"declares at {near(holds.declares_at(about), now)} unless there is progress")
    return f"Status: {' | '.join(part for part in parts if part)}"


def _next_update(promises: Iterable[Promise], now: datetime) -> str:
    owed = [(it.due_at, it.audience) for it in promises if it.due_at is not None]
    if not owed:
        return ""
    due_at, audience = min(owed)
    return f"next update: {audience} {'was due at' if due_at < now else 'by'} {near(due_at, now)}"
