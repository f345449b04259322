"""What somebody has of each planned shift: the whole of it, or the parts that overrides and holidays leave."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from incidentd.oncall.finding import Known, joined, planned_between, shifts_between
from incidentd.oncall.schedule import Schedule, Shift


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A shift as it is planned, and what one person has of it."""

    shift: Shift
    parts: tuple[Shift, ...]
    """Stretches in which the person has the pager, in their order; at least one."""
    cuts: tuple[Shift, ...]
    """Stretches in which somebody else has it; none when the person has the whole shift."""


def held_between(
    schedule: Schedule, person: str, start: datetime, end: datetime, known: Known = None
) -> Iterator[Held]:  # fmt: skip
    """Find the planned shifts, of their own or of others, of which a person has something; cut at both instants."""
    for shift in joined(planned_between(schedule, start, end, known)):
        parts: list[Shift] = []
        cuts: list[Shift] = []
        for piece in joined(shifts_between(schedule, shift.start, shift.end, known)):
            if piece.person != person:
                cuts.append(piece)
            elif parts and parts[-1].end == piece.start:
                parts[-1] = Shift(person=person, start=parts[-1].start, end=piece.end)
            else:
                parts.append(Shift(person=person, start=piece.start, end=piece.end))
        if parts:
            yield Held(shift=shift, parts=tuple(parts), cuts=tuple(cuts))
