"""The course of holds and incidents as units of work: what a turn of a hold brings about, and an incident's moves."""

from incidentd.engine.course.again import home_of, reopen, root_of
from incidentd.engine.course.common import measure, poll_key, rank_of
from incidentd.engine.course.ending import finished, follow_no_more, resolve, stand_down, stayed_healthy
from incidentd.engine.course.held import (
    carry_out,
    clocks_looked_at,
    members_changed,
    open_hold,
    time_came_for_hold,
)
from incidentd.engine.course.incident import (
    CUT,
    HEALTHY,
    cut_looked_at,
    declare,
    engaged,
    mitigated,
    page,
    quiet_passed,
    relapsed,
    tell,
)
from incidentd.engine.course.joining import joining, same_thing
from incidentd.engine.course.repeats import REPEAT, repeated, say_repeated
from incidentd.engine.course.severity import as_severe, raised_by, severity_changed

__all__ = [
    "CUT", "HEALTHY", "REPEAT", "as_severe", "carry_out", "clocks_looked_at", "cut_looked_at", "declare", "engaged",
    "finished", "follow_no_more", "home_of", "joining", "measure", "members_changed", "mitigated", "open_hold", "page",
    "poll_key", "quiet_passed", "raised_by", "rank_of", "relapsed", "reopen", "repeated", "resolve", "root_of",
    "same_thing", "say_repeated", "severity_changed", "stand_down", "stayed_healthy", "tell", "time_came_for_hold",
]  # fmt: skip
