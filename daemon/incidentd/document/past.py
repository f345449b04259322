"""The document as it stood: what was known when an entry of the timeline was the last one.

A version of the document is the number of that entry. Nothing is stored for it: what people put down is kept version by
version, the states and clocks of the incident stand on its timeline, and everything else has its instants.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from incidentd.actionitems import ActionItem
from incidentd.document.facts import AlertLine, IncidentFacts
from incidentd.errors import NotFound
from incidentd.incidents import Incident, Status
from incidentd.pages import Page, PageState
from incidentd.playbooks import FINISHED, Run, RunState
from incidentd.records import Records
from incidentd.roles import Assignment, Participant
from incidentd.timeline import Entry

_BECAME = {
    "incident.declared": Status.DECLARED, "incident.acknowledged": Status.INVESTIGATING,
    "incident.refuted": Status.INVESTIGATING, "incident.identified": Status.IDENTIFIED,
    "incident.mitigated": Status.MITIGATED, "incident.refired": Status.INVESTIGATING,
    "incident.reopened": Status.INVESTIGATING, "incident.resolved": Status.RESOLVED,
    "incident.postmortem": Status.POSTMORTEM, "incident.closed": Status.CLOSED,
    "incident.stood_down": Status.STOOD_DOWN, "incident.merged": Status.MERGED,
    "incident.unmerged": Status.INVESTIGATING,
}  # fmt: skip
"""The state that an entry of this kind leads to."""


def _last_entry(facts: IncidentFacts, version: int) -> Entry:
    """Give the last entry of a version of the document. Raises NotFound, saying which versions there are."""
    own = [entry for entry in facts.entries if entry.subject == facts.incident.key]
    for entry in own:
        if entry.seq == version:
            return entry
    there = f"{own[0].seq} to {own[-1].seq}" if own else "none"
    raise NotFound(f"{facts.incident.key} has no version {version} of its document; there are {there}")


def records_of_version(facts: IncidentFacts, version: int) -> dict[str, int]:
    """Say by id which versions of what people put down belong to a version of the document. Raises NotFound."""
    last = _last_entry(facts, version)
    said = [entry.data for entry in facts.entries if entry.subject == last.subject and entry.seq <= version]
    return {str(data["record"]): int(data["version"]) for data in said if "record" in data}


def as_of(
    facts: IncidentFacts, records: Records, version: int, *, respond_within: Mapping[str, timedelta]
) -> IncidentFacts:  # fmt: skip
    """Give what was known at a version; `records` are those of it, as are the parts and whose items there are in
    `facts`, and people have so long to answer by urgency. Raises NotFound.

    Texts that are not kept by time (the title, why a page escalated) are as they are now, and graphs, links and similar
    incidents, which are about now, are left out.
    """
    last = _last_entry(facts, version)
    key, at = facts.incident.key, last.at
    entries = tuple(
        entry for entry in facts.entries if (entry.seq <= version if entry.subject == key else entry.at <= at)
    )
    opened = {entry.data.get("item") for entry in entries}
    return replace(
        facts, incident=_incident(facts.incident, [entry for entry in entries if entry.subject == key], at),
        entries=entries, records=records, head_hash=last.hash,
        alerts=tuple(_alert(one, at) for one in facts.alerts if one.starts_at <= at),
        pages=tuple(page for one in facts.pages if (page := _page(one, entries, at, respond_within)) is not None),
        runs=tuple(_run(one, at) for one in facts.runs if one.started_at <= at),
        people=tuple(person for one in facts.people if (person := _person(one, at)) is not None),
        items=tuple(one for one in facts.items if one.key in opened or _is_older(one, at)),
        graphs=(), pointers=(), alike=(), promises=(), rooms=(), next_commander="",
        version=f"version {version} of {_newest(facts)}",
    )  # fmt: skip


def _newest(facts: IncidentFacts) -> int:
    return max(entry.seq for entry in facts.entries if entry.subject == facts.incident.key)


def _is_older(item: ActionItem, at: datetime) -> bool:
    return item.created_at < at


def _incident(it: Incident, own: list[Entry], at: datetime) -> Incident:
    status, clocks = _course(own)
    changes = tuple(one for one in it.severity_changes if one.at <= at)
    seen = {it.declared_severity, *(one.to for one in changes)}
    severity = changes[-1].to if changes else it.declared_severity
    over = status in (Status.RESOLVED, Status.POSTMORTEM, Status.CLOSED)
    return replace(
        it, status=status, severity=severity, severity_changes=changes,
        peak_severity=it.peak_severity if it.peak_severity in seen else severity,
        impact_started_at=_instant(it, "impact_started_at", at) or it.impact_started_at,
        detected_at=_instant(it, "detected_at", at) or it.detected_at,
        declared_at=_instant(it, "declared_at", at) or it.declared_at,
        acknowledged_at=_instant(it, "acknowledged_at", at) if clocks.get("acknowledged_at") else None,
        identified_at=_corrected(it, "identified_at", clocks.get("identified_at"), at),
        mitigated_at=_corrected(it, "mitigated_at", clocks.get("mitigated_at"), at),
        resolved_at=_corrected(it, "resolved_at", clocks.get("resolved_at"), at),
        resolution=_resolution(it, own) if over else "", cause=_cause(it, own) if clocks.get("identified_at") else "",
        stand_down=it.stand_down if status is Status.STOOD_DOWN else None,
        final_severity=it.final_severity if over else "",
        roles=tuple(_role(one, at) for one in it.roles if one.since <= at),
    )  # fmt: skip


def _resolution(it: Incident, own: list[Entry]) -> str:
    said = [str(entry.data.get("resolution", it.resolution)) for entry in own if entry.kind == "incident.resolved"]
    return said[-1] if said else ""


def _cause(it: Incident, own: list[Entry]) -> str:
    said = [str(entry.data.get("cause", it.cause)) for entry in own if entry.kind == "incident.identified"]
    return said[-1] if said else ""


def _course(own: list[Entry]) -> tuple[Status, dict[str, datetime | None]]:
    """Walk the timeline: the state that it came to, and when the clocks were stamped."""
    status, before = Status.DECLARED, Status.DECLARED
    clocks: dict[str, datetime | None] = {}
    for entry in own:
        became = _BECAME.get(entry.kind)
        if became is None:
            continue
        before, status = status, became
        match became:
            case Status.INVESTIGATING:
                found = None if entry.kind == "incident.refuted" else clocks.get("identified_at")
                answered = entry.at if before is Status.DECLARED else None  # what is taken up again was not answered
                clocks = {"acknowledged_at": clocks.get("acknowledged_at") or answered, "identified_at": found}
            case Status.IDENTIFIED:
                clocks["identified_at"] = entry.at
            case Status.MITIGATED:
                clocks["mitigated_at"] = entry.at
            case Status.RESOLVED:
                clocks |= {"resolved_at": entry.at, "mitigated_at": clocks.get("mitigated_at") or entry.at}
            case _:
                continue
    return status, clocks


def _instant(it: Incident, name: str, at: datetime) -> datetime | None:
    """Give an instant as it was recorded then: before whatever was corrected later."""
    for one in it.corrections:
        if one.name == name and one.entered_at > at:
            return one.recorded
    found: datetime | None = getattr(it, name)
    return found


def _corrected(it: Incident, name: str, stamped: datetime | None, at: datetime) -> datetime | None:
    """Give an instant that the timeline stamped, as it was corrected by then."""
    if stamped is None:
        return None
    corrected = [one.to for one in it.corrections if one.name == name and stamped <= one.entered_at <= at]
    return corrected[-1] if corrected else stamped


def _role(one: Assignment, at: datetime) -> Assignment:
    return replace(one, until=None) if one.until is not None and one.until > at else one


def _person(one: Participant, at: datetime) -> Participant | None:
    """Give somebody's part as it stood; None when they were neither called nor had come."""
    stood = replace(
        one, paged_at=_by(one.paged_at, at), acked_at=_by(one.acked_at, at), joined_at=_by(one.joined_at, at),
        released_at=_by(one.released_at, at),
    )  # fmt: skip
    if stood.released_at is None:
        stood = replace(stood, released_by="")
    return stood if stood.paged_at or stood.joined_at else None


def _by(instant: datetime | None, at: datetime) -> datetime | None:
    return instant if instant is not None and instant <= at else None


def _alert(one: AlertLine, at: datetime) -> AlertLine:
    if one.ends_at is None or one.ends_at <= at:
        return one
    return replace(one, ends_at=None, status="firing")


def _page(
    one: Page, entries: tuple[Entry, ...], at: datetime, respond_within: Mapping[str, timedelta]
) -> Page | None:  # fmt: skip
    """Give a page as it stood; one that was begun anew since, for a higher urgency, as the timeline tells of it."""
    if one.started_at > at:
        told = [entry for entry in entries if entry.data.get("page") == one.key]
        if not told:
            return None
        acked = next((entry for entry in told if entry.kind == "page.acked"), None)
        urgency = str(told[0].data.get("urgency", one.urgency))
        return replace(
            one, urgency=urgency, respond_within=respond_within.get(urgency, one.respond_within),
            started_at=told[0].at, origin=None, breached=any(entry.kind == "page.breached" for entry in told),
            state=PageState.OPEN if acked is None else PageState.ACKED, acked_at=acked.at if acked else None,
            acked_by=str(acked.data.get("by", "")) if acked else "",
        )  # fmt: skip
    answered = one.acked_at is not None and one.acked_at <= at
    ended = one.closed_at is not None and one.closed_at <= at
    if not answered:
        one = replace(one, acked_at=None, acked_by="", owner="", owned_at=None)
    late = one.breached and one.counts_from + one.respond_within <= at
    return replace(one, breached=late, state=one.state if ended or answered else PageState.OPEN)


def _run(one: Run, at: datetime) -> Run:
    if one.state in FINISHED and one.finished_at is not None and one.finished_at > at:
        return replace(one, state=RunState.RUNNING, finished_at=None, reason="")
    return one
