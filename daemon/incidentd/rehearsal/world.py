"""A whole engine in time that somebody moves: no sleeping, no clock, and nothing leaves the process."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from incidentd.alerts import fingerprint_of
from incidentd.engine import Doors, Engine
from incidentd.holds import Hold
from incidentd.incidents import Incident
from incidentd.metrics import Metrics
from incidentd.pages import Page
from incidentd.rehearsal.doors import Backlog, Hands, Numbers, Peer, Post
from incidentd.settings import Settings
from incidentd.store import Store, Tx, chain, inbox, jobs, subjects, things
from incidentd.timeline import Entry

START = datetime(2026, 11, 24, 14, 0, tzinfo=UTC)
"""A Tuesday at work, when nothing is said about the time."""
_WORKED = tuple(queue for queue in jobs.QUEUES if queue != jobs.TIMER)


class World:
    """An engine that does what is due when it is told what time it is."""

    def __init__(
        self, store: Store, settings: Settings, clock: list[datetime], metrics: Metrics, *, me: str = "test",
        start: datetime = START,
    ) -> None:  # fmt: skip
        self.store = store
        self.settings = settings
        self.clock = clock
        self.start = start
        self.metrics = metrics
        self.post = Post(clock=clock)
        self.hands = Hands()
        self.backlog = Backlog()
        self.peer = Peer(clock)
        self.numbers = Numbers()
        measured = [name for name, source in settings.sources.items() if source.prometheus is not None]
        asked = [name for name, source in settings.sources.items() if source.alertmanager is not None]
        self.doors = Doors(
            notifier=self.post, runner=self.hands, tickets=self.backlog, link_key=b"k" * 32,
            alertmanagers=dict.fromkeys(asked, self.peer), prometheus=dict.fromkeys(measured, self.numbers),
        )  # fmt: skip
        self.engine = Engine(
            store, settings=lambda: self.settings, now=lambda: self.clock[0], metrics=metrics, me=me, doors=self.doors,
        )  # fmt: skip

    @property
    def now(self) -> datetime:
        """What time it is."""
        return self.clock[0]

    async def settle(self) -> None:
        """Do everything that is due now."""
        unpacked = False
        while True:
            bodies, undecided, due = await self.store.read(_waiting)
            found = []
            if bodies or unpacked:  # once more after the last one, so that the engine knows that none waits
                unpacked = await self.engine.unpack()
                found.append(unpacked)
            if undecided or any(found):
                found.append(await self.engine.decide_one())
            if any(found):
                due = await self.store.read(_queues_due)
            if jobs.TIMER in due:
                found.append(await self.engine.watch_one())
                due = await self.store.read(_queues_due)
            for queue in (queue for queue in _WORKED if queue in due):
                found.append(await self.engine.act_one(queue))
            await self.engine.acted()
            if not any(found):
                return

    async def at(self, minute: float) -> None:
        """Let time pass until this many minutes after the start."""
        await self.until(self.start + timedelta(minutes=minute))

    async def until(self, end: datetime) -> None:
        """Let time pass, doing what falls due on the way when it does."""
        await self.settle()
        while True:
            due = [await self.store.read(_next_due), await self.others_due()]
            following = min((at for at in due if at is not None), default=end)
            if following > end:
                break
            self.clock[0] = max(following, self.clock[0])
            await self.settle()
            if following >= end:
                break
        self.clock[0] = end
        await self.settle()

    async def others_due(self) -> datetime | None:
        """Say when somebody outside of the engine does something next; nobody does here."""
        return None

    async def deliver(self, source: str, body: bytes) -> None:
        """Receive a webhook body, and do everything that follows from it at once."""
        await self.store.append(source, body)
        await self.settle()

    async def send(
        self, *alerts: dict[str, Any], source: str = "default", group: str = "{}:{}", truncated: int = 0
    ) -> None:  # fmt: skip
        """Receive these alerts in a body; `truncated` more of its group were left out of it."""
        body: dict[str, Any] = {"version": "4", "receiver": "incidentd", "groupKey": group, "alerts": list(alerts)}
        if truncated:
            body["truncatedAlerts"] = truncated
        await self.deliver(source, json.dumps(body).encode())

    def firing(self, name: str = "QueueLag", since: float | None = None, **labels: str) -> dict[str, Any]:
        """Make an alert that fires since so many minutes after the start, or since now."""
        starts = self.now if since is None else self.start + timedelta(minutes=since)
        return firing({"alertname": name, **labels}, starts)

    def resolved(self, name: str = "QueueLag", since: float = 0, **labels: str) -> dict[str, Any]:
        """Make an alert that resolves now."""
        return self.firing(name, since, **labels) | {"status": "resolved", "endsAt": self.now.isoformat()}

    async def hold(self, number: int = 1) -> Hold:
        """Read a hold."""
        return await self.store.read(subjects.get_hold, number)

    async def incident(self, number: int = 1) -> Incident:
        """Read an incident."""
        return await self.store.read(subjects.get_incident, number)

    async def page(self, number: int = 1) -> Page:
        """Read a page."""
        return await self.store.read(things.get_page, number)

    async def entries(self, subject: str) -> tuple[Entry, ...]:
        """Read a timeline."""
        return await self.store.read(chain.entries, subject)

    async def story(self, subject: str) -> list[str]:
        """Read the sentences of a timeline."""
        return [entry.text for entry in await self.entries(subject)]

    async def kinds(self, subject: str) -> list[str]:
        """Read what kinds of entries a timeline has."""
        return [entry.kind for entry in await self.entries(subject)]

    async def do(self, command: Callable[..., Any], *args: Any, **how: Any) -> Any:
        """Carry out what somebody asks for, and everything that follows from it at once."""
        result = await self.store.write(command, self.settings, *args, **how)
        await self.settle()
        return result


def _waiting(tx: Tx) -> tuple[bool, bool, set[str]]:
    """Say whether bodies wait, whether alerts do, and which queues: mostly nothing does, and one look says so."""
    return bool(inbox.next_deliveries(tx)), bool(inbox.undecided(tx, 1, frozenset())), _queues_due(tx)


def _queues_due(tx: Tx) -> set[str]:
    return {queue for queue in jobs.QUEUES if jobs.due_ids(tx, queue, 1)}


def _next_due(tx: Tx) -> datetime | None:
    return min((at for queue in jobs.QUEUES if (at := jobs.next_due(tx, queue)) is not None), default=None)


def firing(labels: dict[str, str], starts: datetime) -> dict[str, Any]:
    """Make an alert that fires, as a body has it."""
    return {
        "status": "firing", "labels": labels, "annotations": {}, "startsAt": starts.isoformat(),
        "endsAt": "0001-01-01T00:00:00Z", "fingerprint": fingerprint_of(labels),
    }  # fmt: skip
