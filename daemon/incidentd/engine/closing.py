"""Publishing a postmortem, and with it closing what waited for nothing else."""

from __future__ import annotations

from incidentd.engine import lifecycle, postmortems
from incidentd.engine.postmortems import Asked
from incidentd.errors import Conflict
from incidentd.incidents import Status
from incidentd.postmortem import Postmortem, State
from incidentd.settings import Settings
from incidentd.store import Tx, chain, subjects
from incidentd.text import plain
from incidentd.timeline import INCIDENTD, Draft


def publish(tx: Tx, settings: Settings, incident_id: int, *, asked: Asked) -> Postmortem:
    """Publish a postmortem, and close its incident unless something else keeps it. Raises as `postmortems.go` does."""
    done = postmortems.go(tx, settings, incident_id, State.PUBLISHED, asked=asked)
    if subjects.get_incident(tx, incident_id).status is Status.POSTMORTEM:
        try:
            lifecycle.close(tx, settings, incident_id, actor=INCIDENTD)
        except Conflict as error:
            said = f"The incident stays open although its postmortem is published: {plain(str(error))}"
            chain.append(tx, f"INC-{incident_id}", INCIDENTD, [Draft("incident.kept", said)])
    return done
