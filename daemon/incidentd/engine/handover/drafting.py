"""What a handover says: read from everything that is kept of the incident, with the words that only people know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from incidentd.engine import communication, graphing
from incidentd.engine import roles as holding
from incidentd.engine.handover.candidates import candidates
from incidentd.engine.records.common import ended, keep, told, writable
from incidentd.engine.records.sections import fitting
from incidentd.errors import Conflict
from incidentd.handover import (
    Facts,
    HumanLine,
    Measured,
    as_markdown,
    as_text,
    draft,
    gaps,
)
from incidentd.incidents import Incident
from incidentd.pages import PageState
from incidentd.records import Records, Section, TaskState, moves
from incidentd.roles import MAIN, Role, effective_holder
from incidentd.settings import Settings
from incidentd.store import Tx, graphs, participants, records, role_handovers, subjects, things
from incidentd.store import updates as promised
from incidentd.store.views.shapes import plain as jsonable
from incidentd.text import plain
from incidentd.timeline import Actor, Draft

_LONGEST_QUERY = 80


def say(
    tx: Tx, settings: Settings, incident_id: int, words: Mapping[HumanLine, str], *, actor: Actor
) -> None:  # fmt: skip
    """Keep what somebody types for a handover in the incident's document; the same words again make them new again.

    Raises NotFound, BadRequest for words that do not fit, and Conflict when the incident is final.
    """
    incident = writable(tx, incident_id)
    for line, typed in words.items():
        name = line.section
        text = fitting(name, typed)
        found = records.find(tx, incident_id, Section, name.number)
        if found is None:
            found = Section(number=name.number, version=0, by="", at=tx.now, name=name, text="")
        verb = "says again" if found.text == text else "writes" if text else "empties"
        new = moves.rewritten(found, text, by=actor.name, now=tx.now)
        said = f"{told(actor.name)} {verb} {name.called}{f': {ended(text)}' if text else '.'}"
        keep(tx, incident, new, actor, Draft("section.written", said))


def prepared(tx: Tx, settings: Settings, incident_id: int, roles: Sequence[Role], receiver: str) -> dict[str, Any]:
    """Draft the message as things stand, with what is missing in it and who could be asked. Raises NotFound, Conflict.

    Without roles it is about all that the Incident Commander has.
    """
    incident = subjects.get_incident(tx, incident_id)
    roles = tuple(roles) or tuple(r for r in MAIN if effective_holder(r, incident.roles) == incident.commander)
    sender = sender_of(tx, incident, roles)
    facts = facts_of(tx, settings, incident, roles, sender=sender, receiver=receiver)
    written = draft(facts, tx.now)
    return {
        "id": incident.key, "roles": [role.short for role in roles], "from": sender, "to": receiver,
        "text": as_text(written), "markdown": as_markdown(written),
        "lines": jsonable(written.lines), "missing": [
            {"line": gap.line.value, "option": gap.line.option, "why": gap.why} for gap in gaps(facts, tx.now)
        ],
        "candidates": candidates(tx, settings, incident, sender, roles=roles),
    }  # fmt: skip


def sender_of(tx: Tx, incident: Incident, roles: Sequence[Role]) -> str:
    """Say who answers for these roles. Raises Conflict when that is nobody, or several people."""
    holders = {role: holding.holder(tx, incident, role) for role in roles}
    if len(set(holders.values())) > 1:
        whose = ", ".join(f"{role.title} is {who}'s" for role, who in holders.items())
        raise Conflict(f"hand them over apart, since {whose}")
    sender = next(iter(holders.values()), "")
    if not sender:
        raise Conflict(f"nobody has a role of {incident.key} yet: incidentd assign {incident.key} ic PERSON")
    return sender


def facts_of(
    tx: Tx, settings: Settings, incident: Incident, roles: Sequence[Role], *, sender: str, receiver: str
) -> Facts:  # fmt: skip
    """Read what the message is made of."""
    kept = records.records_of(tx, incident.id)
    hold = [f"HOLD-{incident.hold_id}"] if incident.hold_id is not None else []
    base = settings.external_url
    return Facts(
        incident=incident, roles=tuple(roles), sender=sender, receiver=receiver, records=kept,
        measured=_measured(tx, incident),
        runs=tuple(run for subject in [*hold, incident.key] for run in things.runs_of(tx, subject)),
        promises=promised.promises(tx, incident.id),
        holders={role: effective_holder(role, incident.roles) for role in MAIN},
        on_the_way=_on_the_way(tx, incident), can_go=_can_go(tx, incident, kept, sender, receiver),
        observers=_observers(tx, incident), external_url=base,
        channels=_channels(tx, settings, incident),
        graphs=tuple(
            (it.title, f"{base}/incidents/{incident.key}/graphs/{it.number}") for it in graphs.of(tx, incident.key)
        ),
    )  # fmt: skip


def _measured(tx: Tx, incident: Incident) -> tuple[Measured, ...]:
    """Say how the figures of an incident that was held compare with their best of then."""
    if incident.hold_id is None:
        return ()
    hold = subjects.get_hold(tx, incident.hold_id)
    drawn = {it.number: it for it in graphs.of(tx, incident.key)}
    found = []
    for number, watch in enumerate(hold.watches, start=graphing.FIRST_OF_HOLD):
        graph = drawn.get(number)
        if graph is not None and graph.last is not None and watch.best is not None:
            name = plain(watch.promql, _LONGEST_QUERY)
            found.append(
                Measured(name=name, value=graph.last, best=watch.best, higher=watch.higher, at=graph.at)
            )  # fmt: skip
    alerts = Measured(name="alerts firing", value=subjects.firing(tx, incident.key), best=hold.best)
    return (*found, alerts)


def workers(tx: Tx, incident: Incident) -> tuple[str, ...]:
    """Name everybody who works on an incident: who has a role, who was called or answered, who has a task."""
    people = [one.person for one in incident.roles if one.until is None]
    people += [it.person for it in participants.of_incident(tx, incident.id) if it.released_at is None]
    for page in things.pages_of(tx, incident.key):
        people += [*page.paged, page.held_by]
    people += [it.owner for it in records.records_of(tx, incident.id).tasks if it.state is TaskState.OPEN]
    return tuple(dict.fromkeys(it for it in people if it))


def _on_the_way(tx: Tx, incident: Incident) -> tuple[str, ...]:
    waiting = [page for page in things.pages_of(tx, incident.key) if page.state is PageState.OPEN]
    parts = [it for it in participants.of_incident(tx, incident.id) if it.released_at is None]
    called = [it for page in waiting for it in page.paged] + [it.person for it in parts]
    here = {one.person for one in incident.roles if one.until is None}
    here |= {it.person for it in parts if it.joined_at or it.acked_at}
    return tuple(dict.fromkeys(it for it in called if it not in here))


def _can_go(tx: Tx, incident: Incident, kept: Records, sender: str, receiver: str) -> tuple[str, ...]:
    """Name who came, and has neither a role nor a task any more."""
    parts = participants.of_incident(tx, incident.id)
    came = [page.held_by for page in things.pages_of(tx, incident.key)] + [it.owner for it in kept.tasks]
    came += [it.person for it in parts if it.joined_at or it.acked_at]
    gone = {it.person for it in parts if it.released_at} - {it.person for it in parts if not it.released_at}
    busy = {one.person for one in incident.roles if one.until is None}
    busy |= {it.owner for it in kept.tasks if it.state is TaskState.OPEN} | {"", sender, receiver} | gone
    return tuple(dict.fromkeys(it for it in came if it not in busy))


def _observers(tx: Tx, incident: Incident) -> tuple[str, ...]:
    done = role_handovers.of_incident(tx, incident.id)
    return tuple(dict.fromkeys(it.sender for it in done if it.observer_until and it.observer_until > tx.now))


def _channels(tx: Tx, settings: Settings, incident: Incident) -> tuple[str, ...]:
    """Name the rooms in which people speak of an incident: those of its teams, and those that follow it."""
    teams = (settings.roster.teams[name] for name in incident.teams if name in settings.roster.teams)
    rooms = [team.channel for team in teams if team.channel]
    return tuple(dict.fromkeys([*rooms, *communication.followed_in(tx, settings, incident.id)]))
