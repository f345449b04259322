"""The clock of the daemon: the only place where the time is read."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

_SLEW = 0.0002  # 12 ms of a minute, 17 s of a day; adjtime(3) moves by 0.0005
_WRONG_CLOCK = timedelta(minutes=1)


class Clock:
    """One clock: a wall anchor taken at start, and the time that truly passed since, sleep of the machine included.

    A wall clock that jumps moves no deadline. Corrections are taken over at no more than `_SLEW` of the time that
    passes, so a small one is gone within hours and none is ever felt; a large one is for the next start.
    Where replicas share a database it goes by the database's clock, so that all of them mean the same by `now`.
    """

    def __init__(self) -> None:
        self._time = datetime.now(UTC)
        self._passed = self._corrected = _passed()
        self._turn = threading.Lock()
        self._own = True

    def __call__(self) -> datetime:
        """Tell the time, in UTC."""
        with self._turn:
            passed = _passed()
            self._time += timedelta(seconds=passed - self._passed)
            self._passed = passed
            if self._own and passed - self._corrected >= 1:
                most = timedelta(seconds=passed - self._corrected) * _SLEW
                self._time += min(max(datetime.now(UTC) - self._time, -most), most)
                self._corrected = passed
            return self._time

    def adjust(self, ahead: timedelta) -> None:
        """Go by another clock from here, which is ahead of this one by so much."""
        with self._turn:
            self._time += ahead
            self._own = False

    def ahead(self) -> timedelta:
        """Say how far the machine's wall clock is ahead of this one."""
        return datetime.now(UTC) - self()


def _passed() -> float:
    """Give the seconds that passed since some instant; Linux counts those of a suspended machine too."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def system_clock() -> Callable[[], datetime]:
    """Give the clock for a command that runs without the daemon."""
    return Clock()
