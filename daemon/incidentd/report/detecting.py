"""How incidents were noticed, and where their minutes went."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from incidentd.durations import about
from incidentd.incidents import Incident, Status, Trigger
from incidentd.report.finding import Finding, Kind, Table, keys, median, p90, percent
from incidentd.report.history import AlertKey, History
from incidentd.report.limits import ENOUGH, GAPS, LATE, SHARE
from incidentd.roles import Role
from incidentd.text import count, plain

NONE, PEOPLE_FIRST, TOO_LATE = "no_alert", "people_first", "late_alert"
_CHANGES = {
    NONE: "Make an alert on what users saw of {service}: an objective for it, and its burn rate.",
    PEOPLE_FIRST: "Have the alert on {service} fire before people call: a shorter window, or a probe from outside.",
    TOO_LATE: "Have the alert on {service} fire sooner: a faster burn-rate window, or a shorter `for:`.",
}
_SAID = {
    NONE: "no alert fired at all",
    PEOPLE_FIRST: "people saw it before any alert did",
    TOO_LATE: f"the first alert came {about(LATE)} or more after the impact began",
}
_WITHOUT = "(no service)"


def real(incident: Incident) -> bool:
    """Say whether it was an incident: not one that was stood down, nor a part of another one."""
    return incident.status not in (Status.STOOD_DOWN, Status.MERGED)


def gaps(history: History) -> Iterator[Finding]:
    """Find services whose incidents were noticed late, by people, or by no alert."""
    began = _first_began(history)
    found: dict[tuple[str, str], list[Incident]] = defaultdict(list)
    for incident in history.incidents:
        why = gap(incident, _first_of(incident, history.members, began)) if real(incident) else ""
        if why:
            found[incident.service or _WITHOUT, why].append(incident)
    for (service, why), its in sorted(found.items()):
        if len(its) < GAPS:
            continue
        yield Finding(
            kind=Kind.DETECTION, about=service, why=(why,),
            says=f"In {count(len(its), 'incident')} {_SAID[why]}{_late_by(its, why)}.",
            evidence=keys(one.key for one in its),
            propose=_CHANGES[why].format(service=plain(service, 80)), weight=len(its),
        )  # fmt: skip


def gap(incident: Incident, first: datetime | None) -> str:
    """Say what was wrong with how an incident was noticed, when the first of its alerts began then; '' for nothing."""
    if incident.trigger is Trigger.MANUAL and (first is None or first > incident.declared_at):
        return NONE if first is None else PEOPLE_FIRST
    if incident.trigger is Trigger.MANUAL:
        return ""
    return TOO_LATE if incident.detected_at - incident.impact_started_at >= LATE else ""


def _late_by(its: Sequence[Incident], why: str) -> str:
    if why != TOO_LATE:
        return ""
    late = [one.detected_at - one.impact_started_at for one in its]
    return f" (median {about(median(late))}, p90 {about(p90(late))})"


def _first_began(history: History) -> dict[AlertKey, list[datetime]]:
    found: dict[AlertKey, list[datetime]] = defaultdict(list)
    for firing in history.firings:
        found[firing.key].append(firing.began)
    return found


def _first_of(
    incident: Incident, members: Mapping[str, tuple[AlertKey, ...]], began: Mapping[AlertKey, list[datetime]]
) -> datetime | None:  # fmt: skip
    """Say when the first of its alerts began to fire for it: the firing that was nearest to its detection."""
    starts = [
        min(began[key], key=lambda at: abs(at - incident.detected_at))
        for key in members.get(incident.key, ())
        if began.get(key)
    ]
    return min(starts, default=None)


# -- lead time -------------------------------------------------------------------------------------------------------

PARTS = ("detect", "declare", "acknowledge", "commander", "mitigate", "resolve")


def parts(incident: Incident) -> dict[str, timedelta]:
    """Split the time of an incident, as far as it has its instants; nothing is negative."""
    commander = next((one.since for one in incident.roles if one.role is Role.INCIDENT_COMMANDER), None)
    engaged = max((at for at in (incident.acknowledged_at, commander) if at is not None), default=incident.declared_at)
    steps = (
        ("detect", incident.impact_started_at, incident.detected_at),
        ("declare", incident.detected_at, incident.declared_at),
        ("acknowledge", incident.declared_at, incident.acknowledged_at),
        ("commander", incident.acknowledged_at or incident.declared_at, commander),
        ("mitigate", engaged, incident.mitigated_at),
        ("resolve", incident.mitigated_at, incident.resolved_at),
    )
    return {
        name: max(end - start, timedelta(0)) for name, start, end in steps if start is not None and end is not None
    }  # fmt: skip


def _by_severity(history: History) -> dict[str, list[tuple[Incident, dict[str, timedelta]]]]:
    found: dict[str, list[tuple[Incident, dict[str, timedelta]]]] = defaultdict(list)
    for incident in history.incidents:
        if real(incident):
            found[incident.severity].append((incident, parts(incident)))
    return dict(sorted(found.items()))


def lead_times(history: History) -> Table:
    """Write median and p90 of each part by severity, with how many there are of each; never a mean."""
    rows = []
    for severity, its in _by_severity(history).items():
        for name in PARTS:
            known = [split[name] for _, split in its if name in split]
            if known:
                rows.append((plain(severity, 40), name, str(len(known)), about(median(known)), about(p90(known))))
    head = ("Severity", "Part", "Incidents", "Median", "p90")
    return Table(name="lead_time", title="Lead time", head=head, rows=tuple(rows))


def slow(history: History) -> Iterator[Finding]:
    """Find the part that takes more than half of the time of a severity's incidents, from impact to mitigation."""
    until = PARTS[:-1]
    for severity, its in _by_severity(history).items():
        whole = [(one, split) for one, split in its if one.mitigated_at is not None]
        if len(whole) < ENOUGH:
            continue
        medians = {name: median([split.get(name, timedelta(0)) for _, split in whole]) for name in until}
        total = sum(medians.values(), timedelta(0))
        name = max(until, key=lambda one: medians[one])
        if name == "mitigate" or total == timedelta(0) or medians[name] / total <= SHARE:
            continue  # that mending takes longest is as it should be
        values = [split[name] for _, split in whole if name in split]
        yield Finding(
            kind=Kind.LEAD_TIME, about=severity, why=(name,),
            says=(
                f"Of {count(len(whole), 'incident')}, the part `{name}` takes {percent(medians[name] / total)} of the "
                f"time to mitigation: median {about(median(values))}, p90 {about(p90(values))} ({len(values)} known)."
            ),
            evidence=keys(one.key for one, split in whole if split.get(name, timedelta(0)) >= medians[name]),
            propose=_SHORTEN[name].format(severity=plain(severity, 40)),
            weight=medians[name] / timedelta(minutes=1),
        )  # fmt: skip


_SHORTEN = {
    "detect": "Look at what users see of {severity} incidents sooner: shorter windows, or an objective's burn rate.",
    "declare": "Shorten `no_progress_after` of the rules that give {severity}, or have them declare at once.",
    "acknowledge": "Have the first level of the chain for {severity} call by telephone sooner.",
    "commander": "Name a schedule of commanders for {severity} under `roles:`, so that somebody is asked at once.",
}
