"""The stale guard: an active incident about which nothing is heard is brought back to whoever answers for it.

The commander is asked after twice the cadence of its severity, the deputy and those on call after one more, and after
that all are reminded once a day, on weekdays at nine where the commander is. What people, alerts and playbooks write on
the timeline starts it anew; what incidentd does by the clock does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from incidentd import oncall
from incidentd.durations import about
from incidentd.engine import chains, paging
from incidentd.incidents import ACTIVE, Incident
from incidentd.oncall import RINGING
from incidentd.pages import PageState
from incidentd.roles import Role, holder
from incidentd.settings import Settings
from incidentd.store import Tx, chain, jobs, rota, subjects, things
from incidentd.store.jobs import Job
from incidentd.text import plain
from incidentd.timeline import INCIDENTD, Draft

KIND = "stale"
"""The kind of the deadline, and of its entries (`incident.stale`)."""
ENTRY = "incident.stale"
_CADENCE = {1: timedelta(minutes=30), 2: timedelta(minutes=30), 3: timedelta(hours=4)}
"""How often something is said of an incident of this rank (process: internal updates)."""
_SELDOM = timedelta(days=1)
_OPENS = 9
_SATURDAY = 5


def cadence_of(settings: Settings, severity: str) -> timedelta:
    """Say how often something should be heard of an incident of a severity."""
    known = settings.severities.get(severity)
    return _CADENCE.get(known.rank, _SELDOM) if known else _CADENCE[1]


def watch(tx: Tx, settings: Settings, incident: Incident) -> None:
    """Set the clock of an incident that begins, or is taken up again."""
    _look(tx, incident, tx.now + 2 * cadence_of(settings, incident.severity), asked=0)


def time_came(tx: Tx, settings: Settings, job: Job) -> None:
    """Look whether something was heard of an incident; if not, ask the next ones."""
    incident = subjects.get_incident(tx, int(job.subject.removeprefix("INC-")))
    if incident.status not in ACTIVE:
        return
    cadence = cadence_of(settings, incident.severity)
    heard = chain.last_heard(tx, incident.key) or incident.declared_at
    asked = int(job.payload.get("asked", 0))
    if asked and heard > datetime.fromisoformat(job.payload["at"]):
        asked = 0
    if not asked and heard + 2 * cadence > tx.now:
        _look(tx, incident, heard + 2 * cadence, asked=0)
        return
    waiting = [it for it in things.pages_of(tx, incident.key) if it.state is PageState.OPEN and it.acked_at is None]
    if any(not paging.pauses(tx, page) for page in waiting):
        # a page that nobody ever answered calls by itself; a reminder beside it would only be one message more
        _look(tx, incident, tx.now + cadence, asked=asked)
        return
    _ask(tx, settings, incident, silent=tx.now - heard, asked=asked)
    following = tx.now + cadence if not asked else _next_morning(tx.now, _zone(settings, incident))
    _look(tx, incident, following, asked=asked + 1)


def _look(tx: Tx, incident: Incident, at: datetime, *, asked: int) -> None:
    jobs.schedule(
        tx, queue=jobs.TIMER, kind=KIND, subject=incident.key, ukey=f"{KIND}:{incident.key}", due_at=at,
        payload={"asked": asked, "at": tx.now.isoformat()},
    )  # fmt: skip


def _ask(tx: Tx, settings: Settings, incident: Incident, *, silent: timedelta, asked: int) -> None:
    """Send the question, by channels that ring nobody out of bed: it is a reminder, not a page."""
    commander = [incident.commander] if incident.commander else []
    deputy = [it for it in [holder(Role.DEPUTY, incident.roles)] if it]
    behind = [*deputy, *_on_call(tx, settings, incident)]
    people = commander if commander and not asked else [*commander, *behind]
    whom = list(dict.fromkeys(people))
    title = f"{incident.key}: nothing was heard for {about(silent)}: {plain(incident.title, 100)}"
    body = (
        f"{incident.key} is {incident.status}. What is the state? Note it, or move it on: mitigated, resolved, stood "
        f"down.\n\n{settings.external_url}/incidents/{incident.key}"
    )
    at = int(tx.now.timestamp())
    for channel in _channels(settings, incident, whom):
        key = f"{incident.key}/stale/{at}/{channel}"
        paging.tell(tx, subject=incident.key, channel=channel, purpose="update", title=title, body=body, key=key)
    said = f"Nothing was heard for {about(silent)}; asking {', '.join(whom) or 'nobody, since nobody has it'}."
    chain.append(tx, incident.key, INCIDENTD, [Draft(ENTRY, said, {"asked": whom})])


def _channels(settings: Settings, incident: Incident, whom: Sequence[str]) -> list[str]:
    found = [person for handle in whom if (person := settings.roster.people.get(handle))]
    return [
        channel.name
        for person in found
        if person.drills or not incident.drill
        for channel in person.channels
        if channel.kind not in RINGING
    ]


def _on_call(tx: Tx, settings: Settings, incident: Incident) -> list[str]:
    roster = rota.current(tx, settings.roster)
    chain_now = chains.chain_of(settings, incident.page_policy, incident.urgency)
    first = chain_now.levels[:1]
    return [person.handle for level in first for person in oncall.resolve(level.page, roster, tx.now)]


def _zone(settings: Settings, incident: Incident) -> str:
    person = settings.roster.people.get(incident.commander)
    return person.time_zone if person else "UTC"


def _next_morning(now: datetime, zone: str) -> datetime:
    """Give the next weekday's nine o'clock there; a reminder to close something keeps to working hours."""
    local = now.astimezone(ZoneInfo(zone))
    nine = local.replace(hour=_OPENS, minute=0, second=0, microsecond=0)
    if nine <= local:
        nine += timedelta(days=1)
    while nine.weekday() >= _SATURDAY:
        nine += timedelta(days=1)
    return nine.astimezone(now.tzinfo)
