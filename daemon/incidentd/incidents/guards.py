"""What must hold before a move of the table, each guard as one function that says what is missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from incidentd.durations import about, format_duration
from incidentd.errors import BadRequest, Conflict, NotAllowed
from incidentd.incidents.incident import Incident
from incidentd.incidents.standing import Known, Standing
from incidentd.incidents.states import StandDown
from incidentd.incidents.table import Guard
from incidentd.text import plain

REOPENS_ALONE_WITHIN = timedelta(minutes=60)
"""An alert of the same key takes a resolved incident up again for so long."""
REOPENS_WITHIN = timedelta(hours=24)
"""People may reopen, unmerge and take a stand-down back for so long."""
HEALTHY_FOR = timedelta(minutes=30)
"""The system resolves what is no worse than sev3 when nothing fired for so long (the SRE book's own figure)."""
_NEVER_ALONE = 2
"""Down to this rank of severity only people resolve, and only a manager waives the postmortem."""


def look(guard: Guard, incident: Incident, now: datetime, who: Standing, known: Known) -> None:
    """Refuse a move whose guard does not hold. Raises Conflict, BadRequest or NotAllowed, with what is missing."""
    _LOOKS[guard](incident, now, who, known)


def _nothing(incident: Incident, now: datetime, who: Standing, known: Known) -> None:
    """Ask nothing: the system counts the alerts itself, and a survivor is looked for before."""


def _cause(incident: Incident, now: datetime, who: Standing, known: Known) -> None:
    if not known.cause and not known.hypothesis_supported:
        raise BadRequest(f"say what contributed to {incident.key}: name it, or mark a hypothesis as supported first")


def _code(incident: Incident, now: datetime, who: Standing, known: Known) -> None:
    if known.code is None:
        raise BadRequest(f"a stand-down has a reason code, one of {', '.join(StandDown)}")


def _required(incident: Incident, now: datetime, who: Standing, known: Known) -> None:
    if not known.postmortem_required:
        raise Conflict(f"{incident.key} needs no postmortem")


def _window(incident: Incident, now: datetime, who: Standing, known: Known) -> None:
    _refuse_late(incident, now, REOPENS_ALONE_WITHIN if who.system else REOPENS_WITHIN)


def _a_day(incident: Incident, now: datetime, who: Standing, known: Known) -> None:
    _refuse_late(incident, now, REOPENS_WITHIN)


def resolves_alone(rank: int) -> bool:
    """Say whether the system may resolve what has this rank of severity: never sev1 and sev2."""
    return rank > _NEVER_ALONE


def _criteria(incident: Incident, now: datetime, who: Standing, known: Known) -> None:
    if who.system and not resolves_alone(known.rank):
        raise Conflict(f"{incident.key} is {incident.severity}: only a person resolves it")
    if known.open_criteria and not (known.waived and not who.system):
        listed = plain("; ".join(known.open_criteria), 500)
        raise Conflict(
            f"{incident.key} has exit criteria that are not met: {listed}; tick them, or waive them with a reason"
        )


def _waiver(incident: Incident, now: datetime, who: Standing, known: Known) -> None:
    _refuse_in_place(incident, known)
    if not known.postmortem_required:
        return
    if not known.waived:
        raise Conflict(f"{incident.key} needs a postmortem; a waiver needs a reason")
    if known.rank <= _NEVER_ALONE and not who.manager:
        raise NotAllowed(
            f"the postmortem of {incident.key} ({incident.severity}) is waived by a manager only: a token with the "
            "scope admin",
            authenticated=True,
        )


def _published(incident: Incident, now: datetime, who: Standing, known: Known) -> None:
    _refuse_in_place(incident, known)
    if not known.published:
        raise Conflict(f"the postmortem of {incident.key} is not published yet")
    if known.unfiled:
        raise Conflict(f"action items of {incident.key} are not in the tracker yet: {', '.join(known.unfiled)}")


def _refuse_in_place(incident: Incident, known: Known) -> None:
    if known.in_place:
        listed = plain("; ".join(known.in_place), 500)
        raise Conflict(f"{incident.key} left changes in production: {listed}; undo them, or say that they stay")


def over_since(incident: Incident) -> datetime:
    """Say when an incident ended; the resolve is what an older store knows of that."""
    return incident.ended_at or incident.resolved_at or incident.declared_at


def _refuse_late(incident: Incident, now: datetime, window: timedelta) -> None:
    ended = over_since(incident)
    if now - ended > window:
        raise Conflict(
            f"{incident.key} became {incident.status} {about(now - ended)} ago; that is taken back within "
            f"{format_duration(window)}. Declare a new incident; it says which one it follows"
        )


_LOOKS: Mapping[Guard, Callable[[Incident, datetime, Standing, Known], None]] = {
    Guard.NONE: _nothing,
    Guard.CAUSE_NAMED: _cause,
    Guard.QUIET: _nothing,
    Guard.REASON_CODE: _code,
    Guard.SURVIVOR: _nothing,
    Guard.CRITERIA: _criteria,
    Guard.WAIVER: _waiver,
    Guard.REOPEN_WINDOW: _window,
    Guard.A_DAY: _a_day,
    Guard.REQUIRED: _required,
    Guard.PUBLISHED: _published,
}
