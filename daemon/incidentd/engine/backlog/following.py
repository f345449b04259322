"""Following action items until they are done, and looking at what they changed: time is just another caller."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

from incidentd.actionitems import ActionItem, Effect, ItemSource, ItemState, Stage, next_reminder
from incidentd.engine import rota
from incidentd.engine.backlog import filing, syncing
from incidentd.engine.backlog.common import keep, lead_of, measure, named, say, tell
from incidentd.errors import NotFound
from incidentd.holds import Hold
from incidentd.incidents import Incident
from incidentd.settings import Settings
from incidentd.store import Tx, items, jobs, subjects, things
from incidentd.store.jobs import Job
from incidentd.text import count, plain
from incidentd.timeline import INCIDENTD, SYSTEM

DIGEST = "items.digest"
"""The kind of the deadline of the weekly digest."""
_MORNING = time(9, tzinfo=UTC)
_MOST_NAMED = 20
_NO_INCIDENT = 2**31 - 1
"""Beyond the number of any incident: of a hold, all incidents are earlier ones."""


def begin(tx: Tx, settings: Settings) -> None:
    """Set the clocks of the backlog, and file what waits for a Jira that can be filed in now: at start and reload.

    What was in Jira once is left to `retry`: its issue was deleted, or may be there where nobody shows it to us.
    """
    syncing.begin(tx, settings)
    jobs.ensure(tx, kind=DIGEST, subject=SYSTEM, ukey=DIGEST, due_at=next_monday(tx.now))
    if settings.jira is not None:
        for number in items.unfiled(tx):
            item = things.get_item(tx, number)
            if item.filed_at is None:
                filing.send(tx, settings, item)


def next_monday(now: datetime) -> datetime:
    """Give the next Monday's nine o'clock, UTC."""
    at = now.astimezone(UTC)
    monday = datetime.combine(at.date() + timedelta(days=-at.weekday() % 7), _MORNING)
    return monday if monday > at else monday + timedelta(days=7)


# -- reminders -------------------------------------------------------------------------------------------------------


def reminds(tx: Tx, settings: Settings, job: Job) -> None:
    """Remind the owner of an item of its day; of an overdue P0 or P1 the lead of the team hears, too."""
    item = _item(tx, job)
    reminder = next_reminder(item) if item is not None else None
    if item is None or reminder is None:
        return
    stage, at = reminder
    if at > tx.now:
        keep(tx, item)
        return
    title, whom = _reminder(settings, item, stage, tx.now.date())
    body = f"{named(item)}\nPriority {item.priority}, owner {plain(item.owner or 'nobody', 60)}, due {item.due}."
    told = [whom] if whom in settings.roster.people else []
    tell(tx, settings, item, told, title=f"{title}: {plain(item.title, 100)}", body=body, key=f"{stage}/{item.due}")
    if stage is not Stage.BEFORE:
        say(tx, item, INCIDENTD, stage.value, f"{title}; {', '.join(told) or 'nobody'} is told.")
    keep(tx, replace(item, reminded=(*item.reminded, stage.value)))


def _reminder(settings: Settings, item: ActionItem, stage: Stage, today: date) -> tuple[str, str]:
    """Write the title of a reminder, and name who gets it."""
    match stage:
        case Stage.BEFORE:
            return f"{item.key} is due on {item.due}", item.owner
        case Stage.OVERDUE:
            return f"{item.key} is overdue since {item.due}", item.owner
        case Stage.LEAD:
            late = (today - item.due).days if item.due else 0
            return f"{item.key} ({item.priority}) is overdue by {count(late, 'day')}", lead_of(settings, item)


def digest(tx: Tx, settings: Settings, _job: Job) -> None:
    """Tell each owner and each lead of a team once a week what is open, the most urgent first."""
    jobs.schedule(
        tx, queue=jobs.TIMER, kind=DIGEST, subject=SYSTEM, ukey=DIGEST, due_at=next_monday(tx.now)
    )  # fmt: skip
    open_now = items.open_items(tx)
    for person in sorted({item.owner for item in open_now if item.owner}):
        _send(tx, settings, person, "yours", [item for item in open_now if item.owner == person])
    for name, team in sorted(settings.roster.teams.items()):
        mine = [item for item in open_now if item.team == name]
        if team.lead and mine:
            _send(tx, settings, team.lead, f"of {name}", mine)


def _send(tx: Tx, settings: Settings, person: str, whose: str, found: Sequence[ActionItem]) -> None:
    today = tx.now.date()
    late = sum(1 for item in found if item.due is not None and item.due < today)
    title = f"{count(len(found), 'action item')} {whose} {'is' if len(found) == 1 else 'are'} open, {late} overdue"
    body = "\n".join([*digest_lines(found, today), "", f"{settings.external_url}/action-items"])
    rota.tell(tx, settings, [person], title=title, body=body, key=f"items/{today}/{person}/{whose}")


def digest_lines(found: Iterable[ActionItem], today: date) -> list[str]:
    """Write open items a line each: the most urgent first, and of those the longest overdue."""
    ordered = sorted(found, key=lambda item: (item.priority, item.due or date.max, item.id))
    lines = [f"- {item.priority} {named(item)}, {_when(item, today)}" for item in ordered[:_MOST_NAMED]]
    more = len(ordered) - _MOST_NAMED
    return [*lines, f"- and {more} more"] if more > 0 else lines


def _when(item: ActionItem, today: date) -> str:
    owner = plain(item.owner or "nobody has it", 60)
    if item.due is None:
        return owner
    late = (today - item.due).days
    return f"{owner}, " + (f"{count(late, 'day')} overdue" if late > 0 else f"due {item.due}")


# -- what it changed -------------------------------------------------------------------------------------------------


def looks_at_effect(tx: Tx, settings: Settings, job: Job) -> None:
    """Say whether the trouble of a done item came back within its thirty days."""
    item = _item(tx, job)
    if item is None or item.state is not ItemState.DONE or item.done_at is None or item.effect is not None:
        return
    source, key = _cause(tx, item)
    if not key:
        return
    came = _came_again(tx, item, source, key, item.done_at)
    effect = Effect.VERIFIED if not came else Effect.INEFFECTIVE
    again = f": {came}" if came else ""
    item = keep(tx, replace(item, effect=effect, version=item.version + 1))
    say(tx, item, INCIDENTD, effect.value, f"{named(item)} is {effect}, 30 days after it was done{again}.")
    measure(tx, item, lambda m: m.action_item_effects_total.labels(effect=effect.value).inc())
    if came:
        title = f"{item.key} was done, and it came back: {plain(item.title, 100)}"
        whom = (item.owner, lead_of(settings, item))
        tell(tx, settings, item, whom, title=title, body=f"{named(item)}{again}.", key="ineffective")


def _came_again(tx: Tx, item: ActionItem, source: str, key: str, done: datetime) -> str:
    """Name what is of the same alerts and came after an item was done; '' when nothing did.

    Of a ticket's alerts the rule makes no incident but the next ticket, so it is looked for as well.
    """
    found = [(it.declared_at, it.key) for it in (items.came_again(tx, source, key, done),) if it is not None]
    if item.source is ItemSource.RULE:
        found += [(it.created_at, it.key) for it in (items.filed_again(tx, item, done),) if it is not None]
    at, name = min(found, default=(done, ""))
    return f"{name} is of the same alerts, since {at:%Y-%m-%d}" if name else ""


def _cause(tx: Tx, item: ActionItem) -> tuple[str, str]:
    """Give the source and the correlation key of what an item is to keep from coming back; '' when it has none."""
    if item.correlation_key:
        return items.alert_source(tx, item), item.correlation_key
    if not item.subject.startswith("INC-"):
        return "", ""
    try:
        incident = subjects.get_incident(tx, int(item.subject.removeprefix("INC-")))
    except NotFound:
        return "", ""
    return incident.source, incident.correlation_key


def promised_before(tx: Tx, about: Hold | Incident) -> str:
    """Say aloud what was promised after an earlier incident of the same alerts and is not done; '' when nothing is."""
    number = about.id if isinstance(about, Incident) else _NO_INCIDENT
    found = items.open_of_predecessors(tx, about.source, about.correlation_key, number)
    if not found:
        return ""
    first = min(found, key=lambda item: (item.priority, item.due or date.max, item.id))
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    line = f"{first.priority} {named(first)} of {first.subject}, {_when(first, tx.now.date())}"
    return f"It happened before, and what was to end it is still open: {line}{more}."


def _item(tx: Tx, job: Job) -> ActionItem | None:
    try:
        return things.get_item(tx, int(job.payload["item"]))
    except NotFound:
        return None
