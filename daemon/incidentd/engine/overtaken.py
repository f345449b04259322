"""What whoever comes second is told: what changed since they looked, who did it and when."""

from __future__ import annotations

from collections.abc import Sequence

from incidentd import incidents
from incidentd.incidents import Incident
from incidentd.store import Tx, chain
from incidentd.text import near, plain
from incidentd.timeline import Entry

_MOST = 3
"""So many of the newest changes are told."""
_LONGEST = 200
_CHANGES = ("incident.", "role.changed", "handover.accepted")
"""What is written when an incident gets its next version."""
_NO_CHANGE = frozenset({"incident.declared", "incident.stale", "incident.waived"})


def refuse_overtaken(tx: Tx, incident: Incident, expected_version: int | None) -> None:
    """Raise Conflict, with what changed meanwhile, unless an incident is as somebody saw it (None: however it is)."""
    if expected_version is None or expected_version == incident.version:
        return
    changes = [entry for entry in chain.entries(tx, incident.key) if _is_change(entry)]
    newest = _newest(changes, incident.version - expected_version)
    meanwhile = " ".join(f"{near(one.at, tx.now)}, {one.actor.name}: {plain(one.text, _LONGEST)}" for one in newest)
    incidents.refuse_other_version(incident, expected_version, meanwhile)


def _is_change(entry: Entry) -> bool:
    return entry.kind.startswith(_CHANGES) and entry.kind not in _NO_CHANGE


def _newest(changes: Sequence[Entry], versions: int) -> Sequence[Entry]:
    """Give the last changes, none of them from before so many versions: each made one at its instant, or several."""
    instants = list(dict.fromkeys(one.at for one in reversed(changes)))[: max(versions, 0)]
    return [one for one in changes if one.at in instants][-_MOST:]
