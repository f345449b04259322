"""The course of holds and incidents as units of work: what a turn of a hold brings about, and an incident's moves."""

from incidentd.engine.course.held import (
    carry_out,
    clocks_looked_at,
    members_changed,
    open_hold,
    time_came_for_hold,
)
from incidentd.engine.course.incident import declare, engaged, mitigated, quiet_passed, relapsed, resolve, tell
from incidentd.engine.course.joining import joining, same_thing
from incidentd.engine.course.repeats import REPEAT, repeated, say_repeated

__all__ = [
    "REPEAT", "carry_out", "clocks_looked_at", "declare", "engaged", "joining", "members_changed", "mitigated",
    "open_hold", "quiet_passed", "relapsed", "repeated", "resolve", "same_thing", "say_repeated", "tell",
    "time_came_for_hold",
]  # fmt: skip
