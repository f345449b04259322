"""Drafts of postmortems as units of work: whether one is required and why, whose it is, by when; and the text."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from incidentd import postmortem
from incidentd.engine import shelving
from incidentd.engine.postmortems import clock
from incidentd.engine.postmortems.common import Opened, is_short, pieces_of, tell
from incidentd.holds import Outcome
from incidentd.incidents import Incident, Status
from incidentd.playbooks import RunState
from incidentd.postmortem import AGAIN_WITHIN, Occasion, Postmortem, State
from incidentd.postmortem.facts import data_lost
from incidentd.postmortem.policy import due, required
from incidentd.settings import Settings
from incidentd.store import Tx, chain, facts, postmortems, records, subjects, things
from incidentd.text import instant, plain
from incidentd.timeline import INCIDENTD, Draft

ASKED = "postmortem.requested"
"""The kind of the entries by which people ask for one."""
_AGAIN = frozenset({Outcome.DECLARED_HARD_CAP, Outcome.DECLARED_FLAPPING})
_HARMED = frozenset({RunState.VERIFY_FAILED})


def reasons(tx: Tx, settings: Settings, incident: Incident) -> tuple[str, ...]:
    """Say why an incident needs a postmortem; () when nothing requires one."""
    hold = subjects.get_hold(tx, incident.hold_id) if incident.hold_id is not None else None
    keys = [f"HOLD-{incident.hold_id}"] * (hold is not None) + [incident.key]
    runs = [run for key in keys for run in things.runs_of(tx, key)]
    labels = [dict(row.labels) for row in facts.alerts_of(tx, incident.key)]
    text = it.markdown if (it := postmortems.find(tx, incident.id)) else ""
    ended = _ended(tx, incident)
    asked = [one for one in chain.entries(tx, incident.key) if one.kind == ASKED]
    occasion = Occasion(
        severity=settings.severities.get(incident.peak_severity), drill=incident.drill,
        stood_down=incident.status is Status.STOOD_DOWN, lasted=ended - min(incident.impact_started_at, ended),
        data_lost=data_lost(text) or any(settings.labels.says_yes("data_loss", one) for one in labels),
        customer_first=hold is not None and hold.outcome is Outcome.DECLARED_CUSTOMER_VISIBLE,
        by_hand=tuple(one.key for one in records.records_of(tx, incident.id).changes if not one.run),
        made_worse=tuple(run.key for run in runs if run.state in _HARMED),
        held_again=postmortems.holds_ended(  # before its end, so that the answer stays the same whenever it is asked
            tx, incident.source, incident.correlation_key, _AGAIN, since=ended - AGAIN_WITHIN, until=ended
        ),
        asked=tuple(str(one.data.get("because") or f"{one.actor.name} asked for it") for one in asked),
    )  # fmt: skip
    plan = settings.postmortems
    return required(occasion, plan.required_for, long=plan.long)


def drafted(tx: Tx, settings: Settings, incident: Incident) -> Postmortem:
    """Draft a postmortem, or what changed since there was one: what people wrote stays."""
    why = reasons(tx, settings, incident)
    before = postmortems.find(tx, incident.id)
    if before is None:
        return _first(tx, settings, incident, why)
    again = incident.reopened > 0 and before.drafted_at is not None and before.drafted_at < _ended(tx, incident)
    if before.state is not State.DRAFT:
        return before
    if not again and why == before.required:
        return _refreshed(tx, settings, incident, before)
    dated = _due(tx, settings, incident, why) if again or before.due_at is None else before.due_at
    it = replace(
        before, owner=before.owner or clock.commander_of(incident), due_at=dated, required=why, drafted_at=tx.now,
        quick=not why, reminders=0 if again else before.reminders, version=before.version + 1,
    )  # fmt: skip
    return _keep(tx, settings, incident, it)


def _refreshed(tx: Tx, settings: Settings, incident: Incident, it: Postmortem) -> Postmortem:
    """Take over what was recorded since; says so while nobody has edited it, whose own words would stay anyhow."""
    written = postmortems.newest(tx, it)
    text = postmortem.joined(pieces_of(tx, settings, incident, it, written))
    if text == it.markdown:
        return it
    it = replace(it, markdown=text)
    postmortems.save(tx, it)
    shelving.draft(tx, incident, text)
    if not written:
        said = "Postmortem drafted again with what was written since; nobody has edited it."
        chain.append(tx, incident.key, INCIDENTD, [Draft("postmortem.drafted", said)])
    return it


def _first(tx: Tx, settings: Settings, incident: Incident, why: tuple[str, ...]) -> Postmortem:
    new = Postmortem(
        incident_id=incident.id, owner=clock.commander_of(incident), due_at=_due(tx, settings, incident, why),
        drafted_at=tx.now, required=why, quick=not why,
    )  # fmt: skip
    return _keep(tx, settings, incident, postmortems.add(tx, new))


def _keep(tx: Tx, settings: Settings, incident: Incident, it: Postmortem) -> Postmortem:
    made = pieces_of(tx, settings, incident, it, postmortems.newest(tx, it))
    it = replace(it, markdown=postmortem.joined(made))
    postmortems.save(tx, it)
    shelving.draft(tx, incident, it.markdown)
    by, who = f", due {instant(it.due_at)}" if it.due_at else "", it.owner or "nobody yet"
    said = f"Postmortem drafted for {who}{by}."
    if is_short(incident, it):
        said = f"Quick review drafted for {who}: five lines, since it called people."
    chain.append(tx, incident.key, INCIDENTD, [Draft("postmortem.drafted", said)])
    clock.start(tx, incident, it)
    if it.due_at is not None:
        _tell_owner(tx, settings, incident, it)
    return it


def _tell_owner(tx: Tx, settings: Settings, incident: Incident, it: Postmortem) -> None:
    owner = it.owner or clock.manager_of(settings, incident, it)
    body = (
        f"It is drafted, and due {instant(it.due_at)}. Somebody else may own it: incidentd postmortem assign "
        f"{incident.key} --owner NAME\nBook its meeting now: incidentd postmortem assign {incident.key} --meeting "
        f"'YYYY-MM-DD HH:MM' --facilitator NAME --reviewer NAME\n"
        f"It is required, since {plain('; '.join(it.required), 500)}."
    )
    title = f"The postmortem of {incident.key} is yours: {plain(incident.title, 100)}"
    tell(tx, settings, incident, [owner], title=title, body=body, key=f"drafted/{it.version}")


def _due(tx: Tx, settings: Settings, incident: Incident, why: tuple[str, ...]) -> datetime | None:
    if not why or incident.drill:
        return None
    severity = settings.severities.get(incident.peak_severity)
    return due(severity, _ended(tx, incident), otherwise=settings.postmortems.business_days)


def _ended(tx: Tx, incident: Incident) -> datetime:
    return incident.resolved_at or incident.ended_at or tx.now


def refreshed(tx: Tx, settings: Settings, known: Opened, it: Postmortem) -> Opened:
    """Give what was opened with its text as it is after a change of whose it is, when and by whom it is reviewed."""
    pieces = pieces_of(tx, settings, known.incident, it, known.written)
    return replace(known, pieces=pieces)
