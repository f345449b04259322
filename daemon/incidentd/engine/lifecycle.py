"""The moves of an incident that people ask for, each one unit of work: checked by the table, done, on the timeline.

Every command takes `expected_version` (None: however it is) and refuses in words what somebody else changed meanwhile.
`admin` says that the caller may administer, and so may make every move of a person's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from incidentd import incidents, oncall
from incidentd.engine import chains, course, learning, overtaken, roles, updates
from incidentd.engine.worded import LONGEST_TEXT, checked
from incidentd.errors import BadRequest, Conflict
from incidentd.incidents import Incident, Known, StandDown, Standing, Status
from incidentd.settings import Settings
from incidentd.store import Tx, chain, rota, subjects, things
from incidentd.text import instant, plain
from incidentd.timeline import Actor, Draft


@dataclass(frozen=True, slots=True)
class Asked:
    """An incident that somebody wants to change, and by what right."""

    incident: Incident
    who: Standing
    known: Known


def look(
    tx: Tx, settings: Settings, incident_id: int, *, actor: Actor, admin: bool, expected_version: int | None
) -> Asked:  # fmt: skip
    """Read an incident for a change. Raises NotFound, and Conflict when it is not as its caller saw it."""
    incident = subjects.get_incident(tx, incident_id)
    overtaken.refuse_overtaken(tx, incident, expected_version)
    who = standing(tx, settings, incident, actor, admin=admin)
    return Asked(incident, who, learning.known_of(tx, settings, incident))


def standing(tx: Tx, settings: Settings, incident: Incident, actor: Actor, *, admin: bool) -> Standing:
    """Say how somebody stands in an incident: on call is whoever its policy calls now, or who has a page of it."""
    people = settings.roster.people
    if admin or not people:
        return Standing(name=actor.name, manager=admin, counts=bool(people))
    roster = rota.current(tx, settings.roster)
    levels = chains.chain_of(settings, incident.page_policy, incident.urgency).levels
    called = {person.handle for level in levels for person in oncall.resolve(level.page, roster, tx.now)}
    holding = {page.held_by for page in things.pages_of(tx, incident.key)}
    return Standing(name=actor.name, on_call=actor.name in called | holding)


def investigate(
    tx: Tx, settings: Settings, incident_id: int, *, actor: Actor, text: str = "", admin: bool = False,
    expected_version: int | None = None,
) -> Incident:  # fmt: skip
    """Take it: from declared, since somebody has it; from identified, since the cause was refuted; from mitigated,
    since the impact is back. Raises NotFound, NotAllowed, and Conflict when its state does not allow it.
    """
    asked = look(tx, settings, incident_id, actor=actor, admin=admin, expected_version=expected_version)
    incident, why = asked.incident, f": {plain(_said(text))}" if text else "."
    match incident.status:
        case Status.DECLARED:
            return _taken(tx, settings, incident, actor)
        case Status.MITIGATED:
            said = f"{actor.name} says that the impact is back{why}"
            course.relapsed(tx, settings, incident, said, actor, who=asked.who)
            return subjects.get_incident(tx, incident_id)
        case Status.IDENTIFIED:
            moved = incidents.move(incident, Status.INVESTIGATING, tx.now, who=asked.who)
            refuted = f"Not the cause after all: {plain(incident.cause)}. {actor.name} investigates again{why}"
            kept = _keep(tx, moved, actor, Draft("incident.refuted", refuted))
            updates.changed(tx, settings, incident, kept, actor=actor)
            return kept
        case Status.RESOLVED | Status.POSTMORTEM | Status.STOOD_DOWN | Status.MERGED:
            verb = "unmerge" if incident.status is Status.MERGED else "reopen"
            on = incidents.ways_on(incident)
            raise Conflict(f"{incident.key} is {incident.status}; {verb} it to investigate it again ({on})")
        case Status.INVESTIGATING | Status.CLOSED:
            return incidents.move(incident, Status.INVESTIGATING, tx.now, who=asked.who)  # which says what is allowed


def identify(
    tx: Tx, settings: Settings, incident_id: int, *, actor: Actor, cause: str = "", admin: bool = False,
    expected_version: int | None = None,
) -> Incident:  # fmt: skip
    """Say what contributes to it. Raises NotFound, NotAllowed, Conflict, and BadRequest when no cause is named."""
    asked = look(tx, settings, incident_id, actor=actor, admin=admin, expected_version=expected_version)
    known = replace(asked.known, cause=plain(_said(cause)))
    incident = _taken(tx, settings, asked.incident, actor)
    moved = incidents.move(incident, Status.IDENTIFIED, tx.now, who=asked.who, known=known)
    said = f"Identified by {actor.name}: {moved.cause or 'the hypothesis that is supported'}."
    kept = _keep(tx, moved, actor, Draft("incident.identified", said, {"cause": moved.cause}))
    updates.changed(tx, settings, incident, kept, actor=actor)
    return kept


def mitigate(
    tx: Tx, settings: Settings, incident_id: int, *, actor: Actor, note: str = "", admin: bool = False,
    expected_version: int | None = None,
) -> Incident:  # fmt: skip
    """Say that the impact stopped. Raises NotFound, NotAllowed, and Conflict when its state does not allow it."""
    asked = look(tx, settings, incident_id, actor=actor, admin=admin, expected_version=expected_version)
    incident = _taken(tx, settings, asked.incident, actor)
    if incident.status not in (Status.INVESTIGATING, Status.IDENTIFIED):
        return incidents.move(incident, Status.MITIGATED, tx.now, who=asked.who)  # which says what is allowed
    why = f": {plain(_said(note))}" if note else "."
    said = f"Mitigated by {actor.name}{why}"
    course.mitigated(tx, settings, incident, said, actor=actor, who=asked.who)
    return subjects.get_incident(tx, incident_id)


def resolve(
    tx: Tx, settings: Settings, incident_id: int, *, actor: Actor, note: str = "", waive: str = "",
    admin: bool = False, expected_version: int | None = None,
) -> Incident:  # fmt: skip
    """Resolve it, from `declared` too; `waive` says why exit criteria that are not met do not matter.

    Raises NotFound, NotAllowed, and Conflict when its state does not allow it or criteria are not met.
    """
    asked = look(tx, settings, incident_id, actor=actor, admin=admin, expected_version=expected_version)
    incident = course.engaged(tx, asked.incident, by=actor.name, actor=actor)  # its pages end with it
    known = replace(asked.known, waived=_said(waive))
    return course.resolve(tx, settings, incident, actor=actor, note=_said(note), who=asked.who, known=known)


def stand_down(
    tx: Tx, settings: Settings, incident_id: int, *, actor: Actor, code: str, text: str = "", admin: bool = False,
    expected_version: int | None = None,
) -> Incident:  # fmt: skip
    """Call off what was no incident. Raises NotFound, NotAllowed, Conflict, and BadRequest without a known code."""
    asked = look(tx, settings, incident_id, actor=actor, admin=admin, expected_version=expected_version)
    if code and code not in set(StandDown):
        raise BadRequest(f"there is no reason code {plain(code, 40)!r}; there are {', '.join(StandDown)}")
    known = replace(asked.known, code=StandDown(code) if code else None)
    return course.stand_down(
        tx, settings, asked.incident, actor=actor, text=_said(text), who=asked.who, known=known
    )  # fmt: skip


def close(
    tx: Tx, settings: Settings, incident_id: int, *, actor: Actor, waive: str = "", admin: bool = False,
    expected_version: int | None = None,
) -> Incident:  # fmt: skip
    """Close it for good; `waive` says why it needs no postmortem although its severity asks for one.

    Raises NotFound, NotAllowed, and Conflict with what is missing.
    """
    asked = look(tx, settings, incident_id, actor=actor, admin=admin, expected_version=expected_version)
    incident, known = asked.incident, replace(asked.known, waived=_said(waive))
    # what is published and filed closes by itself; a person only asks that it be looked at now
    who = incidents.SYSTEM if incident.status is Status.POSTMORTEM else asked.who
    moved = incidents.move(incident, Status.CLOSED, tx.now, who=who, known=known)
    why = f"; no postmortem: {plain(known.waived)}" if known.waived else "."
    kept = _keep(tx, moved, actor, Draft("incident.closed", f"Closed by {actor.name}{why}"))
    roles.over(tx, kept)
    updates.changed(tx, settings, incident, kept, actor=actor)
    return kept


def reopen(
    tx: Tx, settings: Settings, incident_id: int, *, actor: Actor, reason: str, admin: bool = False,
    expected_version: int | None = None,
) -> Incident:  # fmt: skip
    """Take it up again within a day. Raises NotFound, BadRequest without a reason, and Conflict when it is too late."""
    reason = checked(reason, "the reason", LONGEST_TEXT)
    asked = look(tx, settings, incident_id, actor=actor, admin=admin, expected_version=expected_version)
    if asked.incident.status not in (Status.RESOLVED, Status.POSTMORTEM, Status.STOOD_DOWN):
        verb = "unmerge it" if asked.incident.status is Status.MERGED else "only what is over is reopened"
        raise Conflict(f"{asked.incident.key} is {asked.incident.status}; {verb} ({incidents.ways_on(asked.incident)})")
    text = f"Reopened by {actor.name}: {reason}"
    return course.reopen(tx, settings, asked.incident, actor=actor, who=asked.who, text=text)


def set_severity(
    tx: Tx, settings: Settings, incident_id: int, *, actor: Actor, severity: str, reason: str = "",
    admin: bool = False, expected_version: int | None = None,
) -> Incident:  # fmt: skip
    """Raise or lower its severity; once it is resolved, say what it was in the end.

    What rises to another urgency is paged for anew. Raises NotFound, BadRequest, NotAllowed and Conflict.
    """
    asked = look(tx, settings, incident_id, actor=actor, admin=admin, expected_version=expected_version)
    ranks = {name: known.rank for name, known in settings.severities.items()}
    if severity not in ranks:
        raise BadRequest(f"there is no severity {plain(severity, 40)!r}; there are {', '.join(ranks)}")
    why = f": {plain(_said(reason))}" if reason else "."
    before = asked.incident
    if before.status in (Status.RESOLVED, Status.POSTMORTEM):
        final = incidents.say_final(before, severity, who=asked.who)
        return _keep(
            tx, final, actor, Draft("incident.severity", f"{actor.name} says it was {severity} in the end{why}")
        )
    after = incidents.change_severity(before, severity, ranks, tx.now, who=asked.who, reason=_said(reason))
    return course.severity_changed(tx, settings, before, after, actor=actor, why=why)


def correct_times(
    tx: Tx, settings: Settings, incident_id: int, *, actor: Actor, times: Mapping[str, datetime], admin: bool = False,
    expected_version: int | None = None,
) -> Incident:  # fmt: skip
    """Correct recorded instants, all or none; what stood there before stays, with who entered what and when.

    Raises NotFound, NotAllowed for who has no part in it, BadRequest for an unknown or future instant, and Conflict
    when the order would not hold.
    """
    asked = look(tx, settings, incident_id, actor=actor, admin=admin, expected_version=expected_version)
    if not times:
        raise BadRequest(f"name at least one of {', '.join(incidents.TIMES)}")
    incidents.refuse_strangers(asked.incident, asked.who)
    incident = incidents.correct(asked.incident, times, by=actor.name, now=tx.now)
    drafts = [
        Draft(
            "incident.corrected",
            f"{one.name} corrected by {actor.name}: {instant(one.to)}; recorded was {instant(one.recorded)}.",
            {"name": one.name, "recorded": instant(one.recorded), "to": instant(one.to)},
        )
        for one in incident.corrections[-len(times) :]
    ]
    subjects.save_incident(tx, incident)
    chain.append(tx, incident.key, actor, drafts)
    return incident


def _said(text: str) -> str:
    return checked(text, "the text", LONGEST_TEXT) if text.strip() else ""


def _taken(tx: Tx, settings: Settings, incident: Incident, actor: Actor) -> Incident:
    """Take that whoever moves a declared incident on has it, first.

    The pages that called them are answered by that, and all of them when they command from here: whoever declared it
    by hand and goes on with it commands already, and has others called.
    """
    if incident.status is not Status.DECLARED:
        return incident
    taken = course.engaged(tx, incident, by=actor.name, actor=actor)
    roles.has_pages(tx, settings, taken, actor.name, actor=actor, called=bool(incident.commander))
    return taken


def _keep(tx: Tx, incident: Incident, actor: Actor, draft: Draft) -> Incident:
    subjects.save_incident(tx, incident)
    chain.append(tx, incident.key, actor, [draft])
    return incident
