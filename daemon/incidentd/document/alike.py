"""Past incidents that are like this one, and what fixed them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from incidentd.actionitems import ActionItem
from incidentd.document.words import said, sentence, table, took
from incidentd.incidents import Incident, Status
from incidentd.playbooks import Run, RunState
from incidentd.rules import CATCH_ALL
from incidentd.text import count, instant

MOST = 5
_ENOUGH = 2
"""What is alike has to weigh as much; the same service alone does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alike:
    """A past incident, and why it is like another one."""

    incident: Incident
    why: tuple[str, ...]
    """In a few words each, what they have in common."""
    helped: tuple[str, ...] = ()
    """Playbooks that ran on it and were verified."""
    items: tuple[ActionItem, ...] = ()
    """What was to be done afterwards, whether it was or not."""

    @property
    def fixed_by(self) -> str:
        """What was said to have ended it; '' when nobody said."""
        it = self.incident
        if it.stand_down:
            return f"stood down: {it.stand_down.replace('_', ' ')}"
        return it.resolution

    @property
    def line(self) -> str:
        """Say in one line which it was, when, and what ended it."""
        fixed = f": {self.fixed_by}" if self.fixed_by else ""
        return f"{self.incident.key} of {self.incident.declared_at:%Y-%m-%d}{fixed}"


def alike(it: Incident, past: Iterable[Incident], shared: dict[str, int]) -> tuple[Alike, ...]:
    """Choose the past incidents that are most like this one, of several as much alike the latest.

    `shared` says by id how many alerts it has in common with each.
    """
    found = []
    for other in past:
        if other.id == it.id or other.status is Status.MERGED or other.drill != it.drill:
            continue
        reasons = _reasons(it, other, shared.get(other.key, 0))
        weight = sum(weight for weight, _ in reasons)
        if weight >= _ENOUGH:
            found.append((weight, other.id, Alike(incident=other, why=tuple(text for _, text in reasons))))
    return tuple(one for _, _, one in sorted(found, key=lambda one: one[:2], reverse=True)[:MOST])


def _reasons(it: Incident, other: Incident, shared: int) -> list[tuple[int, str]]:
    same_key = it.correlation_key and (it.source, it.correlation_key) == (other.source, other.correlation_key)
    found = [(4, "the same correlation")] if same_key else []
    if shared:
        found.append((3, f"{count(shared, 'alert')} in common"))
    if it.rule and it.rule == other.rule and it.rule != CATCH_ALL.name:
        found.append((2, "the same rule"))
    if it.title == other.title:
        found.append((2, "the same title"))
    if it.service and it.service == other.service:
        found.append((1, "the same service"))
    return found


def helped(runs: Iterable[Run]) -> tuple[str, ...]:
    """Name the playbooks whose runs were verified."""
    return tuple(dict.fromkeys(run.playbook for run in runs if run.state is RunState.VERIFIED))


def alike_table(found: Iterable[Alike]) -> str:
    """List them with what fixed them."""
    return table(
        ("Incident", "Declared", "Alike in", "Mitigated after", "What fixed it", "Playbooks that helped",
            "Action items"),
        (
            (
                f"{one.incident.key} {said(one.incident.title, 200)}", instant(one.incident.declared_at),
                ", ".join(one.why), took(one.incident.declared_at, one.incident.mitigated_at) or "-", _fixed(one),
                said(", ".join(one.helped)) or "-",
                "; ".join(f"{item.key} {said(item.title, 200)} ({item.state.value})" for item in one.items) or "-",
            )
            for one in found
        ),
    )  # fmt: skip


def _fixed(one: Alike) -> str:
    cause = f"Cause: {sentence(one.incident.cause)}" if one.incident.cause else ""
    ended = sentence(one.fixed_by) if one.fixed_by else ""
    return " ".join(part for part in (cause, ended) if part) or "nobody said"
