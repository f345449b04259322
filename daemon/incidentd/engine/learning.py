"""Learning as units of work: the postmortem's draft, and what keeps an incident from its end."""

from __future__ import annotations

from dataclasses import replace

from incidentd import incidents, records
from incidentd.actionitems import UNFILED
from incidentd.engine import postmortems
from incidentd.engine.worded import LONGEST_TEXT, checked
from incidentd.errors import BadRequest, Conflict
from incidentd.incidents import ACTIVE, Incident, Known, Status
from incidentd.postmortem import OUT, Because, Postmortem
from incidentd.settings import Settings
from incidentd.store import Tx, chain, merged, subjects, things
from incidentd.store import postmortems as stored
from incidentd.store.records import records_of
from incidentd.text import plain
from incidentd.timeline import INCIDENTD, Actor, Draft


def draft(tx: Tx, settings: Settings, subject: str) -> None:
    """Draft what is to be learned from an incident that is over: a postmortem, or a quick review."""
    incident = subjects.get_incident(tx, int(subject.removeprefix("INC-")))
    it = postmortems.drafted(tx, settings, incident)
    if incident.status is Status.RESOLVED and it.required:
        known = replace(known_of(tx, settings, incident), postmortem_required=True)
        subjects.save_incident(tx, incidents.move(incident, Status.POSTMORTEM, tx.now, known=known))
        why = plain("; ".join(it.required), 500)
        said = f"A postmortem is required, since {why}; {incident.key} is closed when it is published."
        data = {"because": list(it.required)}
        chain.append(tx, incident.key, INCIDENTD, [Draft("incident.postmortem", said, data)])


def request(
    tx: Tx, settings: Settings, incident_id: int, *, actor: Actor, reason: str, because: str = ""
) -> Postmortem | None:  # fmt: skip
    """Ask for a postmortem, which anybody may; None while the incident goes on, and then it is drafted at its end.

    `because` is one of the policy's own reasons, where it is that. Raises NotFound, BadRequest without a reason, and
    Conflict for what is part of another incident.
    """
    incident = subjects.get_incident(tx, incident_id)
    reason = checked(reason, "the reason", LONGEST_TEXT)
    if because and because not in set(Because):
        raise BadRequest(f"there is no reason {plain(because, 40)!r}; there are {', '.join(Because)}")
    if incident.status is Status.MERGED and incident.merge is not None:
        raise Conflict(f"{incident.key} is part of INC-{incident.merge.into}; ask for the postmortem of that")
    word = f" ({because.replace('_', ' ')})" if because else ""
    said = f"{plain(actor.name, 60)} asks for a postmortem{word}: {plain(reason)}"
    data = {"because": f"{plain(actor.name, 60)} asked for it{word}: {plain(reason, 200)}"}
    chain.append(tx, incident.key, actor, [Draft(postmortems.ASKED, said, data)])
    if incident.status in ACTIVE:
        return None
    draft(tx, settings, incident.key)
    return stored.get(tx, incident_id)


def known_of(tx: Tx, settings: Settings, incident: Incident) -> Known:
    """Gather what the guards of an incident's moves ask for."""
    severity = settings.severities.get(incident.severity)
    items = [item for item in merged.items_of(tx, incident) if item.state in UNFILED and not item.jira_key]
    put_down = records_of(tx, incident.id)
    return Known(
        rank=severity.rank if severity else 1,
        hypothesis_supported=not records.blocks_identified(put_down),
        open_criteria=records.blocks_resolved(put_down),
        in_place=records.blocks_closed(put_down),
        postmortem_required=_is_required(tx, settings, incident),
        published=things.postmortem_state(tx, incident.id) in OUT,
        unfiled=tuple(item.key for item in items) if settings.jira is not None and not incident.drill else (),
    )


def _is_required(tx: Tx, settings: Settings, incident: Incident) -> bool:
    """Say whether there has to be a postmortem: by its severity, or by what was found when it was over."""
    peak = settings.severities.get(incident.peak_severity)
    if peak is not None and peak.postmortem == "full" and not incident.drill:
        return True
    if incident.status in ACTIVE:
        return False
    it = stored.find(tx, incident.id)
    return bool(it.required if it is not None else postmortems.reasons(tx, settings, incident))
