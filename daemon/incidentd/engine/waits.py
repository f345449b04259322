"""When a job that did not work is tried again: capped exponential waits with full jitter, and the other side's wish."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from incidentd.durations import LONGEST_WAIT
from incidentd.errors import TemporaryError
from incidentd.pages import CALLS
from incidentd.store.jobs import Job

_SHORTEST = 1.0
_LONGEST = 300.0
_LONGEST_FOR_CALLS = 60.0
"""Seconds: what calls somebody is tried at least once a minute, as often as a channel that is down lets a page pass."""


def next_try(job: Job, now: datetime, error: TemporaryError | None) -> datetime:
    """Say when to try again. A try that the door did not make counts for nothing, and comes when the door said."""
    wish = min(error.retry_after, LONGEST_WAIT) if error is not None and error.retry_after is not None else None
    if wish is not None and error is not None and not error.tried:
        return now + wish + timedelta(seconds=_jitter(_SHORTEST))
    tries = job.attempt - int(job.payload.get("untried", 0))
    longest = _LONGEST_FOR_CALLS if job.payload.get("purpose") in CALLS else _LONGEST
    wait = timedelta(seconds=max(_jitter(min(2.0 ** min(tries, 10), longest)), _SHORTEST))
    return now + max(wait, wish or wait)


def _jitter(most: float) -> float:
    """Give any time up to this long: a herd that failed together does not come back together."""
    return random.uniform(0, most)  # noqa: S311 - nothing secret
