"""What people ask for about updates: send one, let one go out, skip one, change how often."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from incidentd.durations import format_duration
from incidentd.engine.updates.common import (
    Asking,
    check_standing,
    facts,
    goes_unapproved,
    names_inside,
    outlived,
    plan_of,
    tell,
)
from incidentd.engine.updates.promising import deadline
from incidentd.engine.updates.sending import goes_out
from incidentd.errors import BadRequest, Conflict
from incidentd.incidents import ACTIVE, Incident, Status
from incidentd.settings import Settings
from incidentd.store import Tx, chain, subjects
from incidentd.store import updates as stored
from incidentd.text import near, plain
from incidentd.timeline import Draft
from incidentd.updates import (
    LONG_AFTER,
    Audience,
    Finding,
    Promise,
    State,
    Update,
    draft,
    lint,
    longest,
    phase_of,
    same_words,
    unfilled,
)

LONGEST_TEXT = 10_000
_SHOWN = 2000


def send_update(
    tx: Tx, settings: Settings, incident_id: int, *, audience: Audience, asking: Asking, text: str = "",
    next_in: timedelta | None = None,
) -> tuple[Update, list[Finding]]:  # fmt: skip
    """Send a text to an audience, or have it wait for approval; without one, the draft. Gives what to look at in it.

    Raises NotFound, BadRequest for a text that cannot go out or too long a wait, and Conflict when the asker has no
    say, the audience was told the same before, or somebody else told it something meanwhile.
    """
    incident, promise = _read(tx, settings, incident_id, audience)
    check_standing(incident, asking)
    _refuse_drill(incident, audience)
    _refuse_overtaken(tx, promise, asking)
    text = _checked(text or draft(facts(tx, settings, incident), audience, tx.now), "the text")
    found = findings(tx, settings, incident, audience, text)
    plan = plan_of(settings, audience)
    if refused := [it for it in found if it.rule == "unfilled" or plan.strict]:
        raise BadRequest("this text cannot go out:\n" + "\n".join(str(it) for it in refused))
    _refuse_same(tx, promise, text)
    new = Update(
        id=0, incident_id=incident.id, audience=audience, state=State.WAITING, phase=phase_of(incident.status),
        text=text, by=asking.actor.name, at=tx.now, next_in=_wait(tx, settings, incident, promise, next_in),
    )  # fmt: skip
    before = stored.waiting(tx, incident.id, audience)
    if before is not None:
        stored.save(tx, replace(before, state=State.REPLACED))
    approves = asking.admin or asking.actor.name == incident.commander
    needed = plan.approval and not goes_unapproved(incident)
    if needed and not approves:
        return _waits(tx, settings, incident, new, asking), found
    by = asking.actor.name if needed else ""
    sent, kept = goes_out(tx, settings, incident, promise, new, actor=asking.actor, approved_by=by)
    deadline(tx, incident, kept)
    return sent, found


def approve_update(tx: Tx, settings: Settings, update_id: int, *, asking: Asking) -> Update:
    """Let a text go out that waits for it.

    Raises NotFound, and Conflict when it waits no more, was written before the end, or the asker may not.
    """
    update = stored.get(tx, update_id)
    incident, promise = _read(tx, settings, update.incident_id, update.audience)
    if update.state is not State.WAITING:
        now = stored.waiting(tx, incident.id, update.audience)
        more = f"; {now.key} by {now.by} waits in its place" if now else ""
        by = f" by {update.approved_by} at {near(update.at, tx.now)}" if update.approved_by else ""
        raise Conflict(f"{update.key} does not wait any more: it is {update.state}{by}{more}")
    check_standing(incident, asking, commander_only=True)
    _refuse_outlived(incident, update)
    _refuse_same(tx, promise, update.text)
    by = asking.actor.name
    sent, kept = goes_out(tx, settings, incident, promise, update, actor=asking.actor, approved_by=by)
    deadline(tx, incident, kept)
    return sent


def skip_update(
    tx: Tx, settings: Settings, incident_id: int, *, audience: Audience, asking: Asking, reason: str,
    next_in: timedelta | None = None,
) -> Update:  # fmt: skip
    """Leave an update out, and say why; the next one is promised. Raises as `send_update` does."""
    incident, promise = _read(tx, settings, incident_id, audience)
    check_standing(incident, asking)
    _refuse_overtaken(tx, promise, asking)
    reason = _checked(reason, "the reason")
    wait = _wait(tx, settings, incident, promise, next_in)
    next_at = None if wait is None else tx.now + wait
    skipped = stored.insert(
        tx,
        Update(
            id=0, incident_id=incident.id, audience=audience, state=State.SKIPPED, phase=phase_of(incident.status),
            text=reason, by=asking.actor.name, at=tx.now, next_in=wait, next_at=next_at,
        ),
    )  # fmt: skip
    _keep(tx, incident, replace(promise, due_at=next_at))
    promised = f" The next one is due at {near(next_at, tx.now)}." if next_at else " No further update is promised."
    words = f"{asking.actor.name} skipped the {audience} update: {plain(reason, _SHOWN)}.{promised}".replace("..", ".")
    chain.append(tx, incident.key, asking.actor, [Draft("update.skipped", words, {"update": skipped.key})])
    return skipped


def change_cadence(
    tx: Tx, settings: Settings, incident_id: int, *, audience: Audience, asking: Asking, reason: str,
    every: timedelta | None = None, long: bool = False,
) -> Promise:  # fmt: skip
    """Change how often an audience of an incident is told; less often only once it is old enough, from the next on.

    Raises NotFound, BadRequest without a reason or with nothing to change, and Conflict when it is too early for less.
    """
    incident, promise = _read(tx, settings, incident_id, audience)
    check_standing(incident, asking)
    _refuse_overtaken(tx, promise, asking)
    reason = _checked(reason, "the reason")
    if (every is None) is not long or (every is not None and every < timedelta(minutes=1)):
        raise BadRequest("say one of the two: `every` (1m or more), or that it takes long")
    cadence = plan_of(settings, audience).cadence(incident.severity)
    usual, age = cadence.then if cadence else None, tx.now - incident.declared_at
    less = long or (usual is not None and every is not None and every > usual)
    if less and age < LONG_AFTER:
        at = near(incident.declared_at + LONG_AFTER, tx.now)
        raise Conflict(f"{incident.key} may be told of less often from {at} on, once it is 2h old, not before")
    changed = replace(promise, every=every, long=long)
    if every is not None and promise.due_at is not None:
        changed = replace(changed, due_at=min(promise.due_at, tx.now + every))
    _keep(tx, incident, changed)
    how = f"every {format_duration(every)}" if every is not None else "as long incidents are"
    words = f"{asking.actor.name} has {audience} told {how} from the next update on: {plain(reason, _SHOWN)}"
    chain.append(tx, incident.key, asking.actor, [Draft("updates.cadence", words, {"audience": audience.value})])
    return changed


def findings(tx: Tx, settings: Settings, incident: Incident, audience: Audience, text: str) -> list[Finding]:
    """Find what to look at in a text; inside only what is left to fill in."""
    if audience is not Audience.EXTERNAL:
        return unfilled(text)
    return lint(text, phase=phase_of(incident.status), internal=names_inside(tx, settings, incident))


def _refuse_drill(incident: Incident, audience: Audience) -> None:
    if incident.drill and audience is Audience.EXTERNAL:
        raise Conflict(f"{incident.key} is a drill: people outside are told nothing of it")


def _read(tx: Tx, settings: Settings, incident_id: int, audience: Audience) -> tuple[Incident, Promise]:
    plan_of(settings, audience)
    incident = subjects.get_incident(tx, incident_id)
    if incident.status is Status.MERGED and incident.merge is not None:
        raise Conflict(f"{incident.key} is part of INC-{incident.merge.into} now; tell people of that one")
    known = stored.promises(tx, incident.id).get(audience)
    return incident, known or Promise(incident_id=incident.id, audience=audience, due_at=None)


def _wait(
    tx: Tx, settings: Settings, incident: Incident, promise: Promise, asked: timedelta | None
) -> timedelta | None:  # fmt: skip
    """Say how long the next update may take: what was asked for, when that is no longer than what is promised."""
    cadence = plan_of(settings, promise.audience).cadence(incident.severity)
    most = longest(promise, cadence, declared_at=incident.declared_at, now=tx.now)
    if asked is None:
        return most if incident.status in ACTIVE else None
    if asked < timedelta(minutes=1):
        raise BadRequest("the next update is promised for 1m from now, or later")
    if most is not None and asked > most and incident.status in ACTIVE:
        raise BadRequest(
            f"{promise.audience} is told of {incident.severity} every {format_duration(most)} at least, so the next one"
            f" cannot be promised for {format_duration(asked)} from now; change the cadence, with a reason"
        )
    return asked


def version_of(tx: Tx, promise: Promise) -> int:
    """Count the updates that an audience was sent and those that were skipped: each is a change to what is promised."""
    return promise.sent + sum(it.state is State.SKIPPED for it in _ended(tx, promise))


def _ended(tx: Tx, promise: Promise) -> list[Update]:
    """List the updates to an audience that were sent or skipped, the newest first."""
    over = (State.SENT, State.SKIPPED)
    found = stored.of_incident(tx, promise.incident_id)
    return [it for it in found if it.audience is promise.audience and it.state in over]


def _refuse_overtaken(tx: Tx, promise: Promise, asking: Asking) -> None:
    if asking.expected_version is None or asking.expected_version == version_of(tx, promise):
        return
    last = next(iter(_ended(tx, promise)), None)
    if last is not None and last.state is State.SKIPPED:
        raise Conflict(
            f"the {promise.audience} update was skipped meanwhile: {last.by} said at {near(last.at, tx.now)}: "
            f"{plain(last.text, 300)}"
        )
    said = f": {last.by} said at {near(last.at, tx.now)}: {plain(last.text, 300)}" if last else ""
    raise Conflict(f"{promise.audience} was told something meanwhile{said}")


def _refuse_outlived(incident: Incident, update: Update) -> None:
    if outlived(incident, update):
        then, now = (it.value.replace("_", " ") for it in (update.phase, phase_of(incident.status)))
        raise Conflict(
            f"{update.key} was written while {incident.key} was {then}, and it is {now} now; write it anew: "
            f"incidentd update {incident.key} --draft --audience {update.audience}"
        )


def _refuse_same(tx: Tx, promise: Promise, text: str) -> None:
    if promise.last_at is not None and same_words(text, promise.last_text):
        raise Conflict(
            f"{promise.audience} was told the same at {near(promise.last_at, tx.now)}; say instead what was ruled out "
            "since, which workaround there is, or what is tried next, or skip it with a reason"
        )


def _waits(tx: Tx, settings: Settings, incident: Incident, new: Update, asking: Asking) -> Update:
    waiting = stored.insert(tx, new)
    who = incident.commander or "an Incident Commander"
    text = f"{waiting.key} to {waiting.audience} by {waiting.by} waits for {who} to approve it: "
    words = Draft(
        "update.waiting",
        text + plain(waiting.text, _SHOWN),
        {"update": waiting.key, "audience": waiting.audience.value},
    )
    chain.append(tx, incident.key, asking.actor, [words])
    body = f"{plain(waiting.text, _SHOWN)}\n\nLet it go out: incidentd approve-update {waiting.key}"
    title = f"{waiting.key} to {waiting.audience} of {incident.key} waits for your approval"
    key = f"{waiting.key}/approval"
    tell(tx, settings, incident, [incident.commander], title=title, body=body, key=key)
    return waiting


def _keep(tx: Tx, incident: Incident, promise: Promise) -> None:
    stored.save_promise(tx, promise)
    deadline(tx, incident, promise)


def _checked(text: str, what: str) -> str:
    text = text.strip()
    if not text:
        raise BadRequest(f"{what} is empty")
    if len(text) > LONGEST_TEXT:
        raise BadRequest(f"{what} has {len(text)} characters; the most is {LONGEST_TEXT}")
    return text
