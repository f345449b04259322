"""Updates as units of work: promised, drafted, sent, approved, skipped; and what happens when one is late."""

from incidentd.engine.updates.common import Asking
from incidentd.engine.updates.promising import KIND, begin, changed, take_over, time_came
from incidentd.engine.updates.showing import outside, prepared, shown
from incidentd.engine.updates.telling import approve_update, change_cadence, send_update, skip_update

__all__ = [
    "KIND", "Asking", "approve_update", "begin", "change_cadence", "changed", "outside", "prepared", "send_update",
    "shown", "skip_update", "take_over", "time_came",
]  # fmt: skip
