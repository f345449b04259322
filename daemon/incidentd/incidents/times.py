"""The recorded instants of an incident: their order, and correcting one with what stood there before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from itertools import pairwise

from incidentd.errors import BadRequest, Conflict
from incidentd.incidents.incident import Correction, Incident
from incidentd.text import instant

TIMES = (
    "impact_started_at", "detected_at", "declared_at", "acknowledged_at", "identified_at", "mitigated_at",
    "resolved_at",
)  # fmt: skip
"""The instants that can be corrected."""
_ORDERS = (
    ("impact_started_at", "detected_at", "declared_at", "acknowledged_at"),
    ("declared_at", "identified_at"),
    ("impact_started_at", "mitigated_at", "resolved_at"),
)
"""Each of these is in order; what is not known yet is left out. Impact may stop before somebody declares it."""


def misordered(incident: Incident) -> str:
    """Say in words which two instants are in the wrong order; '' when all is well."""
    for order in _ORDERS:
        known = [(name, at) for name in order if (at := getattr(incident, name)) is not None]
        for (earlier, a), (later, b) in pairwise(known):
            if a > b:
                return f"{earlier} ({instant(a)}) is after {later} ({instant(b)})"
    return ""


def correct(incident: Incident, times: Mapping[str, datetime], *, by: str, now: datetime) -> Incident:
    """Correct recorded instants, all or none; what stood there stays in `corrections`.

    Raises BadRequest for an instant that nothing has, or that is in the future, and Conflict when the order would not
    hold, or nothing was recorded there yet: a move stamps it first.
    """
    entries = [
        Correction(name=name, recorded=_recorded(incident, name, to, now), to=to, entered_by=by, entered_at=now)
        for name, to in times.items()
    ]
    changed = replace(incident, **times)  # type: ignore[arg-type]  # the names of TIMES are fields of it
    wrong = misordered(changed)
    if wrong:
        raise Conflict(f"{incident.key}: {wrong}; correct the other one with it, or give another instant")
    return replace(changed, corrections=(*incident.corrections, *entries), version=incident.version + 1)


def _recorded(incident: Incident, name: str, to: datetime, now: datetime) -> datetime:
    if name not in TIMES:
        raise BadRequest(f"there is no instant {name[:40]!r}; there are {', '.join(TIMES)}")
    if to > now:
        raise BadRequest(f"{name} cannot be in the future ({instant(to)}, and it is {instant(now)})")
    recorded: datetime | None = getattr(incident, name)
    if recorded is None:
        raise Conflict(f"{incident.key} has no {name} yet; it is recorded when that happens, and corrected after")
    return recorded
