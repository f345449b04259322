"""What whoever comes second is told: what changed since they looked, who did it and when."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

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
    """Give the last changes, none of them from before so many versions.

    What happened at one instant is told together: a role that changes hands makes one version and two entries, and
    who mitigates what nobody accepted makes two versions, one for each move.
    """
    told: list[Entry] = []
    for _, together in groupby(reversed(changes), key=lambda one: one.at):
        if versions <= 0:
            break
        entries = list(together)
        told += entries
        versions -= max(1, sum(one.kind.startswith("incident.") for one in entries))
    return told[:_MOST][::-1]
