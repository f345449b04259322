"""The machine's clock at start: when it went back since the last run, nothing that waits waits for longer."""

from __future__ import annotations

import logging
from datetime import timedelta

from incidentd.durations import about
from incidentd.store import Tx, audits, clocks

log = logging.getLogger(__name__)

_SAME = timedelta(seconds=5)
_DEADLINES = ("page", "breach")
"""Those that are put back. Others are at a time of the day, look for themselves, or nobody has to be woken by them."""


def looked_at(tx: Tx) -> None:
    """Compare the clock with the last one that was written, and let what pages and messages wait for go back too."""
    by = clocks.ahead(tx)
    if by <= _SAME:
        return
    clocks.put_back(tx, by, _DEADLINES)
    audits.touch(tx)  # so that the next start does not do it once more
    log.warning("the clock went back by %s since the last run; pages and messages wait no longer for that", about(by))
