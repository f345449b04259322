"""What the rules would have made of what was once received: the engine told history, with people who always answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from incidentd.alerts import parse_group
from incidentd.engine import commands, lifecycle
from incidentd.errors import BodyRefused
from incidentd.holds import Hold
from incidentd.incidents import Incident
from incidentd.metrics import Metrics
from incidentd.playbooks import Mode
from incidentd.rehearsal.telling import prepared
from incidentd.rehearsal.world import World
from incidentd.settings import Settings
from incidentd.store.history import Received
from incidentd.store.memory import MemoryStore
from incidentd.store.views.everything import Decided, Everything, awaiting, decided, everything
from incidentd.timeline import Actor

_SOMEBODY = "somebody"
_AFTERWARDS = timedelta(hours=1)
"""How long after its longest hold the world goes on when the last delivery came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What became of an alert."""

    decision: str
    """declare | hold | ticket | record; '' when nothing was decided about it."""
    rule: str = ""
    subject: str = ""
    """The hold or incident that it was in at the end, or the ticket; '' for none."""
    severity: str = ""
    declared_at: datetime | None = None
    reason: str = ""
    """Why it was declared, or how its hold ended."""
    ended_at: datetime | None = None
    pages: int = 0

    @property
    def declared(self) -> bool:
        """Whether it became an incident."""
        return self.declared_at is not None


Firing = tuple[str, str, datetime]
"""One firing of an alert: its source, fingerprint and start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What came of a history."""

    fates: dict[Firing, Fate]
    labels: dict[Firing, dict[str, str]]
    incidents: int
    holds: int
    tickets: int
    pages: int
    messages: int
    """Notifications about pages, over all channels."""
    refused: int
    """Bodies that could not be read."""


class _Answering(World):
    """A world whose people answer every page after a while, and resolve an incident as soon as it stays quiet."""

    answered_after: timedelta | None = timedelta(0)
    """None: nobody ever answers."""

    async def settle(self) -> None:
        """Do everything that is due now, and let people do what is theirs."""
        await super().settle()
        pages, over = await self.store.read(awaiting)
        due = [it for it in pages if self._answer_at(it.started_at) <= self.now]
        actor = Actor(name=_SOMEBODY, via="replay")
        for page in due:
            by = next(iter(page.paged), _SOMEBODY)
            await self.store.write(commands.ack_page, self.settings, page.id, by=by, actor=actor)
        for incident in over:
            await self.store.write(lifecycle.resolve, self.settings, incident.id, actor=actor, admin=True)
        if due or over:
            await self.settle()

    def _answer_at(self, started: datetime) -> datetime:
        return (
            datetime.max.replace(tzinfo=started.tzinfo)
            if self.answered_after is None
            else started + self.answered_after
        )

    async def others_due(self) -> datetime | None:
        """Say when the next page is answered."""
        if not self.answered_after:
            return None
        pages, _ = await self.store.read(awaiting)
        return min((self._answer_at(it.started_at) for it in pages), default=None)


async def replay(
    history: Sequence[Received], settings: Settings, *, answered_after: timedelta | None = timedelta(0)
) -> Replayed:
    """Tell the engine a history, in its own time, and say what came of it. No playbook runs."""
    clock, metrics = [history[0].at], Metrics(version="replay")
    store = MemoryStore(lambda: clock[0], metrics)
    settings = prepared(replace(settings, automation=replace(settings.automation, mode=Mode.OFF)))
    world = _Answering(store, settings, clock, metrics, start=history[0].at)
    world.answered_after = answered_after
    world.numbers.knows_nothing = True
    try:
        seen: dict[Firing, Decided] = {}
        refused = 0
        for it in history:
            refused += not await _deliver(world, it, seen)
        longest = max(rule.hold.hard_cap + rule.hold.quiet for rule in settings.rules)
        await world.until(history[-1].at + longest + _AFTERWARDS)
        return _replayed(seen, await store.read(everything), world, refused)
    finally:
        await store.close()


async def _deliver(world: World, it: Received, seen: dict[Firing, Decided]) -> bool:
    """Receive a body, and keep what was decided about its alerts; False when it is none."""
    await world.until(max(it.at, world.now))
    try:
        names = [alert.fingerprint for alert in parse_group(it.body).alerts]
    except BodyRefused:
        return False
    await world.deliver(it.source, it.body)
    for row in await world.store.read(decided, it.source, names) if names else ():
        key = (row.source, row.fingerprint, row.starts_at)
        if row.decision and (row.status != "resolved" or key not in seen):
            seen[key] = row
    return True


def _replayed(seen: dict[Firing, Decided], all_of_it: Everything, world: World, refused: int) -> Replayed:
    fates = _Fates(all_of_it)
    return Replayed(
        fates={key: fates.of(row) for key, row in seen.items()},
        labels={key: row.labels for key, row in seen.items()},
        incidents=len(all_of_it.incidents), holds=len(all_of_it.holds), tickets=len(all_of_it.tickets),
        pages=sum(not it.joined for it in all_of_it.pages),
        messages=sum(bool(sent.page) for sent in world.post.sent), refused=refused,
    )  # fmt: skip


class _Fates:
    """Says what became of alerts, from all that came about."""

    def __init__(self, all_of_it: Everything) -> None:
        self._holds = {it.key: it for it in all_of_it.holds}
        self._incidents = {it.key: it for it in all_of_it.incidents}
        self._of_hold = {it.hold_id: it for it in all_of_it.incidents if it.hold_id is not None}
        self._pages = [it.subject for it in all_of_it.pages]

    def of(self, row: Decided) -> Fate:
        """Say what became of an alert."""
        hold = self._holds.get(row.subject)
        incident = self._of_hold.get(hold.id) if hold else self._incidents.get(row.subject)
        if hold is None and incident is not None and incident.hold_id is not None:
            hold = self._holds.get(f"HOLD-{incident.hold_id}")
        if incident is not None:
            return self._declared(row, incident, hold)
        if hold is not None:
            return Fate(
                decision=row.decision, rule=hold.rule, subject=hold.key, severity=hold.severity,
                reason=hold.outcome.value if hold.outcome else "still open", ended_at=hold.ended_at,
                pages=self._pages.count(hold.key),
            )  # fmt: skip
        return Fate(decision=row.decision, rule=row.rule, subject=row.subject)

    def _declared(self, row: Decided, incident: Incident, hold: Hold | None) -> Fate:
        outcome = hold.outcome.value.removeprefix("declared_") if hold is not None and hold.outcome else "at_once"
        pages = self._pages.count(incident.key) + (self._pages.count(hold.key) if hold else 0)
        return Fate(
            decision=row.decision, rule=incident.rule, subject=incident.key, severity=incident.severity,
            declared_at=incident.declared_at, reason=outcome, ended_at=incident.resolved_at, pages=pages,
        )  # fmt: skip
