"""What of the records keeps an incident from its next state: one sentence each, none when nothing does."""

from __future__ import annotations

from incidentd.records.kinds import Belief, CriterionState, Records
from incidentd.text import plain


def blocks_identified(records: Records) -> tuple[str, ...]:
    """Say why the cause does not count as found: no hypothesis is marked supported."""
    if any(one.state is Belief.SUPPORTED for one in records.hypotheses):
        return ()
    if not records.hypotheses:
        return ("no hypothesis is written down; write one and mark it supported",)
    last = ", ".join(f"{one.key} is {one.state}" for one in records.hypotheses[-5:])
    return (f"no hypothesis is marked supported ({last})",)


def blocks_resolved(records: Records) -> tuple[str, ...]:
    """Name the exit criteria that are neither met nor waived."""
    return tuple(
        f"{one.key} is neither met nor waived: {plain(one.text, 120)}"
        for one in records.criteria
        if one.state is CriterionState.OPEN
    )


def blocks_closed(records: Records) -> tuple[str, ...]:
    """Name the changes to production that are still in place."""
    return tuple(f"{one.key} is still in place: {plain(one.what, 120)}" for one in records.changes if one.in_place)


def blocks(records: Records) -> dict[str, tuple[str, ...]]:
    """Say for each state that asks something of the records what keeps the incident from it."""
    return {
        "identified": blocks_identified(records),
        "resolved": blocks_resolved(records),
        "closed": blocks_closed(records),
    }
