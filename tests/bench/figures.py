"""What a section says: a figure beside its target, and how large a run is."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure with what it should be."""

    what: str
    value: float
    unit: str = ""
    digits: int = 0
    least: float | None = None
    most: float | None = None
    note: str = ""

    @property
    def met(self) -> bool:
        """Whether the target is met."""
        return (self.least is None or self.value >= self.least) and (self.most is None or self.value <= self.most)

    def __str__(self) -> str:
        target = f"at least {self.least:,g}" if self.least is not None else f"at most {self.most:,g}"
        verdict = f"{target}: {'met' if self.met else 'not met'}" + (f"; {self.note}" if self.note else "")
        return f"{self.what}: {self.value:,.{self.digits}f}{self.unit} ({verdict})"


Line = str | Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is measured."""

    rounds: int = 3
    """Of each comparison; the servers take turns within one."""
    seconds: float = 1.5
    """Of one load that is compared."""
    connections: tuple[int, ...] = (1, 16, 64)
    bodies: tuple[int, ...] = (1, 10, 100)
    """Alerts in a body."""
    starts: int = 5
    sustained: float = 60.0
    """Seconds of load, for new and again for repeated alerts."""
    few: int = 1_000
    stored: int = 100_000
    """Alerts."""
    burst: int = 900
    """Bodies at once."""
    groups: tuple[int, int] = (5_000, 10_000)
    """Alertmanager's."""
    probes: int = 200
    """Alerts whose notification is waited for, one after the other."""
    probed: float = 15.0
    """Seconds for which they come at a rate."""
    scraped: int = 10_000
    """Holds, and as many incidents."""
    soaked: float = 60.0
    """Minutes of a load that never repeats itself."""
    quick: bool = False
    """Leave out what differs from something else in its numbers alone."""


FULL = Size()
QUICK = Size(
    rounds=1, seconds=0.1, connections=(64,), bodies=(10,), starts=1, sustained=0.3, few=20, stored=100, burst=20,
    groups=(30, 50), probes=3, probed=0.3, scraped=200, soaked=0.03, quick=True,
)  # fmt: skip
"""To see that every section works; its figures say nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One part of the bench."""

    about: str
    report: Callable[[Size], Iterator[Line]]
    takes: Callable[[Size], float]
    """Seconds, about."""
    needs: tuple[str, ...] = ()
    """Programs of others."""
    alone: bool = False
    """It is run only when it is named, since it takes so long."""


def in_turn(servers: Sequence[str], rounds: int) -> Iterator[str]:
    """Give every server once a round, in another order each time, so that what drifts meets all of them."""
    for turn in range(rounds):
        first = turn % len(servers)
        yield from (*servers[first:], *servers[:first])


def ratio(ours: Iterable[float], theirs: Iterable[float]) -> float:
    """Give the median over the rounds of how one rate stands to the other in the same round."""
    return statistics.median(one / other if other else 0.0 for one, other in zip(ours, theirs, strict=True))
