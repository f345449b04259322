"""A text that goes out: what it promises is the next deadline, and each channel of its audience gets it once."""

from __future__ import annotations

from dataclasses import replace

from incidentd.engine import paging
from incidentd.incidents import Incident
from incidentd.settings import Settings
from incidentd.store import Tx, chain
from incidentd.store import updates as stored
from incidentd.text import near, plain
from incidentd.timeline import Actor, Draft
from incidentd.updates import Audience, Promise, State, Update, told, with_promise

_SHOWN = 2000


def goes_out(
    tx: Tx, settings: Settings, incident: Incident, promise: Promise, update: Update, *, actor: Actor,
    approved_by: str = "",
) -> tuple[Update, Promise]:  # fmt: skip
    """Send a text and store it; gives both as they stand then, the promise's deadline still to be set.

    Of a drill it is only written down: who takes part practises it, and no channel gets it.
    """
    late = promise.is_overdue(tx.now)
    next_at = None if update.next_in is None else tx.now + update.next_in
    sent = replace(update, state=State.SENT, at=tx.now, next_at=next_at, late=late, approved_by=approved_by)
    if sent.id:
        stored.save(tx, sent)
    else:
        sent = stored.insert(tx, sent)
    promise = told(promise, sent.text, next_at, tx.now)
    stored.save_promise(tx, promise)
    title, body = _words(settings, incident, sent)
    moment = "" if sent.audience is Audience.EXTERNAL else sent.key  # what is measured inside stays inside
    for channel in () if incident.drill else settings.updates.audiences[sent.audience].channels:
        paging.tell(
            tx, subject=incident.key, channel=channel, purpose="update", title=title, body=body,
            key=f"{sent.key}/{channel}", moment=moment,
        )  # fmt: skip
    _say(tx, incident, sent, actor)
    timeliness = "late" if late else "on_time"
    if not incident.drill:
        tx.count(lambda m: m.incident_updates_total.labels(audience=sent.audience.value, timeliness=timeliness).inc())
    return sent, promise


def _say(tx: Tx, incident: Incident, sent: Update, actor: Actor) -> None:
    by = f"{sent.by} told {sent.audience}"
    approved = f", approved by {sent.approved_by}" if sent.approved_by else ""
    late = ", late" if sent.late else ""
    promised = f" Next update by {near(sent.next_at, sent.at)}." if sent.next_at else " No further update is promised."
    drill = " (a drill: it stands here, and went to nobody)" if incident.drill else ""
    text = f"{by}{approved}{late}{drill}: {plain(sent.text, _SHOWN)}{promised}"
    data = {"update": sent.key, "audience": sent.audience.value, "by": sent.by, "approved_by": sent.approved_by}
    chain.append(tx, incident.key, actor, [Draft("update.sent", text, data)])


def _words(settings: Settings, incident: Incident, sent: Update) -> tuple[str, str]:
    """Write a message: to people outside with nothing that stays inside, to all others with where to look."""
    phase = sent.phase.value.replace("_", " ")
    text = with_promise(sent.text, sent.next_at, sent.at)
    if sent.audience is Audience.EXTERNAL:
        service = settings.updates.services.get(incident.service, "")
        return f"{phase.capitalize()}: {service or 'service disruption'}", text
    title = f"[{incident.severity.upper()}] {incident.key} {phase}: {plain(incident.title, 120)}"
    return title, f"{text}\n\n{settings.external_url}/incidents/{incident.key}"
