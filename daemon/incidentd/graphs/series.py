"""What a graph shows: lines of what was measured, and marks of what happened."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One series: its labels, and its points in order of time. A value that is no number is a gap."""

    labels: Mapping[str, str]
    points: tuple[tuple[datetime, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Something that happened, as a word or two beside a line from top to bottom."""

    at: datetime
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """What is drawn: everything between `start` and `end`, which are different instants."""

    title: str
    start: datetime
    end: datetime
    lines: tuple[Line, ...]
    threshold: float | None = None
    marks: tuple[Mark, ...] = ()


def chosen(lines: Iterable[Line], about: Sequence[Mapping[str, str]]) -> tuple[Line, ...]:
    """Put the lines first that are about these alerts: those with no label that an alert has with another value."""

    def is_about(line: Line) -> bool:
        return any(all(labels.get(name, value) == value for name, value in line.labels.items()) for labels in about)

    return tuple(sorted(lines, key=lambda line: (not is_about(line), sorted(line.labels.items()))))


def last(lines: Iterable[Line]) -> float | None:
    """Give the newest number of the first line that has any."""
    for line in lines:
        for _, value in reversed(line.points):
            if math.isfinite(value):
                return value
    return None
