"""The course of holds and incidents as units of work: what a turn of a hold brings about, and an incident's moves."""

from incidentd.engine.course.held import carry_out, members_changed, open_hold, time_came_for_hold
from incidentd.engine.course.incident import declare, engaged, mitigated, quiet_passed, relapsed, resolve, tell

__all__ = [
    "carry_out", "declare", "engaged", "members_changed", "mitigated", "open_hold", "quiet_passed", "relapsed",
    "resolve", "tell", "time_came_for_hold",
]  # fmt: skip
