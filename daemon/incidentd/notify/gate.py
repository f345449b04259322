"""Whether a channel may be tried now: its circuit, its own rate, what its server asked for, and its second tries.

Pure: every question comes with the time, in seconds of a clock that nobody sets.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from incidentd.durations import LONGEST_WAIT
from incidentd.oncall import Rate

IN_A_ROW = 5
"""Failures one after the other that open a circuit."""
OF_THE_LAST = 20
"""Of so many tries, half failing opens it too."""
FIRST_PROBE = 15.0
LONGEST_PROBE = 300.0
"""Seconds that an open circuit waits for its probe; each probe that fails doubles the wait."""
PAGES_EVERY = 60.0
"""Seconds between pages that pass an open circuit: somebody's night may hang on the one that gets through."""
SHARE_OF_RETRIES = 0.2
"""Second tries that each message earns its channel; a server in trouble is not asked many times what it was asked."""
_SAVED_RETRIES = 10.0
_RETRY_EVERY = 60.0  # seconds in which a channel earns one, however little it is used


class Why(StrEnum):
    """Why a message waits."""

    CIRCUIT = "circuit"
    ASKED = "asked"
    RATE = "rate"
    RETRIES = "retries"


@dataclass(frozen=True, slots=True)
class Wait:
    """A message waits this long, in seconds, before it asks again."""

    seconds: float
    why: Why


class Gate:
    """Stands before one channel. Ask, then say what came of it: `took` or `failed`."""

    def __init__(self, rate: Rate | None) -> None:
        self._rate = rate
        self._sent: deque[float] = deque(maxlen=rate.most if rate else 1)
        self._outcomes: deque[bool] = deque(maxlen=OF_THE_LAST)
        self._in_a_row = 0
        self._probe_at: float | None = None
        self._probe_wait = FIRST_PROBE
        self._probing = False
        self._last_try = 0.0
        self._not_before = 0.0
        self._retries = _SAVED_RETRIES
        self._earned_at: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether the circuit is open: the channel is taken to be down."""
        return self._probe_at is not None

    def ask(self, now: float, *, page: bool, again: bool) -> Wait | None:
        """Ask to try; None when it may be tried now, and then it counts as tried.

        `page` says that somebody is called, `again` that the message was tried before.
        """
        if now < self._not_before:
            return Wait(self._not_before - now, Why.ASKED)
        if (wait := self._circuit(now, page=page)) is not None:
            return Wait(wait, Why.CIRCUIT)
        if (wait := self._pace(now)) is not None:
            return Wait(wait, Why.RATE)
        self._earn(now)
        if again and not page and self._retries < 1:
            return Wait((1 - self._retries) * _RETRY_EVERY, Why.RETRIES)
        self._retries = max(self._retries - 1, 0) if again else min(self._retries + SHARE_OF_RETRIES, _SAVED_RETRIES)
        self._probing = self.is_open
        self._last_try = now
        self._sent.append(now)
        return None

    def took(self) -> None:
        """The channel took a message: it is up."""
        if self.is_open:
            self._outcomes.clear()  # it came back: what was before says nothing any more
        self._probe_at, self._probing, self._probe_wait, self._in_a_row = None, False, FIRST_PROBE, 0
        self._outcomes.append(True)

    def failed(self, now: float, wish: timedelta | None = None) -> None:
        """The channel did not take a message; `wish` is when its server wants to be asked again."""
        if wish is not None:
            self._not_before = now + min(wish, LONGEST_WAIT).total_seconds()
        self._outcomes.append(False)
        self._in_a_row += 1
        half = len(self._outcomes) == OF_THE_LAST and self._outcomes.count(False) * 2 >= OF_THE_LAST
        if self.is_open:
            self._probe_wait = min(self._probe_wait * 2, LONGEST_PROBE) if self._probing else self._probe_wait
            self._probe_at = now + self._probe_wait
        elif self._in_a_row >= IN_A_ROW or half:
            self._probe_at = now + self._probe_wait
        self._probing = False

    def _circuit(self, now: float, *, page: bool) -> float | None:
        if self._probe_at is None:
            return None
        due = self._probe_at
        if page:
            due = min(due, self._last_try + PAGES_EVERY)
        if now < due:
            return due - now
        return FIRST_PROBE if self._probing else None  # one at a time

    def _pace(self, now: float) -> float | None:
        if self._rate is None or len(self._sent) < self._rate.most:
            return None
        wait = self._sent[0] + self._rate.window.total_seconds() - now
        return wait if wait > 0 else None

    def _earn(self, now: float) -> None:
        since = now if self._earned_at is None else self._earned_at
        self._earned_at = now
        self._retries = min(self._retries + (now - since) / _RETRY_EVERY, _SAVED_RETRIES)
