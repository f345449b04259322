"""An incident: its states, the one table of moves between them, and its clocks."""

from incidentd.incidents.guards import HEALTHY_FOR, REOPENS_ALONE_WITHIN, REOPENS_WITHIN, resolves_alone
from incidentd.incidents.incident import Correction, Incident, Merge, SeverityChange, Trigger
from incidentd.incidents.merging import refuse_merge, survivor_of
from incidentd.incidents.moving import (
    move,
    refuse_other_version,
    refuse_strangers,
    refuse_who_may_not,
    reopens_alone,
    ways_on,
    worse,
)
from incidentd.incidents.severity import change_severity, say_final
from incidentd.incidents.standing import NOTHING, SYSTEM, Known, Standing
from incidentd.incidents.states import ACTIVE, StandDown, Status
from incidentd.incidents.table import MOVES, TABLE, Guard, Transition, Who, allowed, diagram
from incidentd.incidents.times import TIMES, correct, misordered

__all__ = [
    "ACTIVE", "HEALTHY_FOR", "MOVES", "NOTHING", "REOPENS_ALONE_WITHIN", "REOPENS_WITHIN", "SYSTEM", "TABLE",
    "TIMES", "Correction", "Guard", "Incident", "Known", "Merge", "SeverityChange", "StandDown", "Standing",
    "Status", "Transition", "Trigger", "Who", "allowed", "change_severity", "correct", "diagram", "misordered",
    "move", "refuse_merge", "refuse_other_version", "refuse_strangers", "refuse_who_may_not", "reopens_alone",
    "resolves_alone", "say_final", "survivor_of", "ways_on", "worse",
]  # fmt: skip
