"""Who is on call: people, teams, rotations in wall-clock time. Pure; every function is told the instant."""

from incidentd.oncall.finding import (
    fallback_people,
    joined,
    on_call,
    planned,
    planned_between,
    previous,
    resolve,
    shadows,
    shifts_between,
)
from incidentd.oncall.holding import Held, held_between
from incidentd.oncall.people import LOG_CHANNEL, RATES, RINGING, Channel, ChannelKind, Person, Rate, Target, Team
from incidentd.oncall.publishing import on_time, to_publish
from incidentd.oncall.reports import Load, fairness, gaps, overlapping, partners, uncovered, with_pager
from incidentd.oncall.schedule import (
    FOREVER,
    HORIZON,
    Holiday,
    Hours,
    Layer,
    OnCall,
    Override,
    Published,
    Roster,
    Schedule,
    Shadow,
    Shift,
    Site,
)
from incidentd.oncall.walltime import first_instant, instant_of, last_instant, wall_of

__all__ = [
    "FOREVER", "HORIZON", "LOG_CHANNEL", "RATES", "RINGING", "Channel", "ChannelKind", "Held", "Holiday", "Hours",
    "Layer", "Load", "OnCall", "Override", "Person", "Published", "Rate", "Roster", "Schedule", "Shadow", "Shift",
    "Site", "Target", "Team",
    "fairness", "fallback_people", "first_instant", "gaps", "held_between", "instant_of", "joined", "last_instant",
    "on_call", "on_time", "overlapping", "partners", "planned", "planned_between", "previous", "resolve", "shadows",
    "shifts_between", "to_publish", "uncovered", "wall_of", "with_pager",
]  # fmt: skip
