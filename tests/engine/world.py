"""A whole engine on a real store, in time that the test moves: no sleeping, no clock."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from incidentd.actionitems import ActionItem
from incidentd.alerts import fingerprint_of
from incidentd.engine import Doors, Engine
from incidentd.errors import IncidentdError
from incidentd.holds import Hold
from incidentd.incidents import Incident
from incidentd.metrics import Metrics
from incidentd.oncall import Channel, ChannelKind, Person, Roster, Target
from incidentd.pages import Chain, EscalationPolicy, Level, Notification, Page
from incidentd.playbooks import Step, StepResult
from incidentd.reconciliation import ApiAlert, Snapshot
from incidentd.redaction import Secret
from incidentd.settings import Settings
from incidentd.store import Store, chain, jobs, open_store, subjects, things

START = datetime(2026, 11, 24, 14, 0, tzinfo=UTC)


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


@dataclass
class Post:
    """Stands for the door to people: keeps what was sent, and fails as it is told."""

    sent: list[Notification] = field(default_factory=list)
    failures: dict[str, IncidentdError] = field(default_factory=dict)

    async def send(self, n: Notification) -> None:
        if n.channel in self.failures:
            raise self.failures[n.channel]
        self.sent.append(n)

    def to(self, channel: str) -> list[str]:
        return [n.title for n in self.sent if n.channel == channel]


@dataclass
class Hands:
    """Stands for the door of playbook steps: answers what the test says."""

    answers: dict[str, StepResult] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)

    async def run_step(self, step: Step, context: Mapping[str, object], *, source: str) -> StepResult:
        self.done.append(step.name)
        return self.answers.get(step.name, StepResult(ok=True, summary="fine"))


@dataclass(frozen=True)
class FiledAs:
    key: str
    url: str


@dataclass
class Backlog:
    """Stands for the door to Jira."""

    issues: dict[str, ActionItem] = field(default_factory=dict)
    comments: list[str] = field(default_factory=list)
    failure: IncidentdError | None = None

    async def file(self, item: ActionItem, *, context: str, assignee: str, tried_before: bool) -> FiledAs:
        if self.failure is not None:
            raise self.failure
        self.issues.setdefault(item.uuid, item)
        key = f"OPS-{list(self.issues).index(item.uuid) + 1}"
        return FiledAs(key, f"http://jira/browse/{key}")

    async def comment(self, jira_key: str, text: str, *, idem: str) -> None:
        self.comments.append(text)

    async def close(self) -> None:
        pass


@dataclass
class Peer:
    """Stands for the door to Alertmanager: has what the test says, and fails as it is told."""

    clock: list[datetime]
    has: dict[str, ApiAlert] = field(default_factory=dict)
    up_for: timedelta = timedelta(days=1)
    receivers: frozenset[str] = frozenset()
    hides_muting: bool = False
    failure: IncidentdError | None = None
    asked: int = 0

    async def alerts(self) -> Snapshot:
        self.asked += 1
        if self.failure is not None:
            raise self.failure
        return Snapshot(
            asked_at=self.clock[0], alerts=dict(self.has), up_for=self.up_for, receivers=self.receivers,
            hides_muting=self.hides_muting,
        )  # fmt: skip

    def knows(self, *alerts: dict[str, Any], muted_by: tuple[str, ...] = (), receiver: str = "incidentd") -> None:
        """Have it list alerts, given as a body has them."""
        for it in alerts:
            self.has[it["fingerprint"]] = ApiAlert(
                fingerprint=it["fingerprint"], labels=it["labels"], starts_at=datetime.fromisoformat(it["startsAt"]),
                receivers=frozenset({receiver}), muted_by=muted_by,
            )  # fmt: skip

    def forgets(self, *alerts: dict[str, Any]) -> None:
        for it in alerts:
            self.has.pop(it["fingerprint"], None)


def person(handle: str) -> Person:
    mail = Channel(name=f"{handle}/mail", kind=ChannelKind.MAIL, url=Secret(f"json://127.0.0.1:9/{handle}"))
    return Person(handle=handle, name=handle.title(), channels=(mail,))


def roster(*handles: str) -> Roster:
    return Roster(people={handle: person(handle) for handle in handles})


def chain_of(*levels: tuple[float, str]) -> Chain:
    made = tuple(Level(after=minutes(after), page=Target(person=handle)) for after, handle in levels)
    return Chain(levels=made)


def policy(name: str, *levels: tuple[float, str]) -> dict[str, EscalationPolicy]:
    chain = chain_of(*levels)
    return {name: EscalationPolicy(name=name, chains={"urgent": chain, "business_critical": chain})}


class World:
    """An engine that does what is due when the test says what time it is."""

    def __init__(
        self, store: Store, settings: Settings, clock: list[datetime], metrics: Metrics, *, me: str = "test"
    ) -> None:
        self.store = store
        self.settings = settings
        self.clock = clock
        self.metrics = metrics
        self.post = Post()
        self.hands = Hands()
        self.backlog = Backlog()
        self.peer = Peer(clock)
        asked = [name for name, source in settings.sources.items() if source.alertmanager is not None]
        self.doors = Doors(
            notifier=self.post, runner=self.hands, tickets=self.backlog, link_key=b"k" * 32,
            alertmanagers=dict.fromkeys(asked, self.peer),
        )  # fmt: skip
        self.engine = Engine(
            store, settings=lambda: self.settings, now=lambda: self.clock[0], metrics=metrics, me=me, doors=self.doors,
        )  # fmt: skip

    @property
    def now(self) -> datetime:
        return self.clock[0]

    async def settle(self) -> None:
        """Do everything that is due now."""
        while True:
            found = [await self.engine.unpack(), await self.engine.decide_one(), await self.engine.watch_one()]
            for queue in (jobs.NOTIFY, jobs.JIRA, jobs.PLAYBOOK, jobs.RECONCILE, jobs.SAMPLE):
                found.append(await self.engine.act_one(queue))
            await self.engine.acted()
            if not any(found):
                return

    async def at(self, minute: float) -> None:
        """Let time pass until this many minutes after the start, doing what falls due on the way when it does."""
        until = START + minutes(minute)
        await self.settle()
        while True:
            due = [await self.store.read(jobs.next_due, queue) for queue in jobs.QUEUES]
            following = min((at for at in due if at is not None), default=until)
            if following > until:
                break
            self.clock[0] = max(following, self.clock[0])
            await self.settle()
            if following >= until:
                break
        self.clock[0] = until
        await self.settle()

    async def send(
        self, *alerts: dict[str, Any], source: str = "default", group: str = "{}:{}", truncated: int = 0
    ) -> None:  # fmt: skip
        body: dict[str, Any] = {"version": "4", "receiver": "incidentd", "groupKey": group, "alerts": list(alerts)}
        if truncated:
            body["truncatedAlerts"] = truncated
        await self.store.append(source, json.dumps(body).encode())
        await self.settle()

    def firing(self, name: str = "QueueLag", since: float | None = None, **labels: str) -> dict[str, Any]:
        starts = self.now if since is None else START + minutes(since)
        named = {"alertname": name, **labels}
        return {
            "status": "firing", "labels": named, "annotations": {}, "startsAt": starts.isoformat(),
            "endsAt": "0001-01-01T00:00:00Z", "fingerprint": fingerprint_of(named),
        }  # fmt: skip

    def resolved(self, name: str = "QueueLag", since: float = 0, **labels: str) -> dict[str, Any]:
        return self.firing(name, since, **labels) | {"status": "resolved", "endsAt": self.now.isoformat()}

    async def hold(self, number: int = 1) -> Hold:
        return await self.store.read(subjects.get_hold, number)

    async def incident(self, number: int = 1) -> Incident:
        return await self.store.read(subjects.get_incident, number)

    async def page(self, number: int = 1) -> Page:
        return await self.store.read(things.get_page, number)

    async def story(self, subject: str) -> list[str]:
        return [entry.text for entry in await self.store.read(chain.entries, subject)]

    async def kinds(self, subject: str) -> list[str]:
        return [entry.kind for entry in await self.store.read(chain.entries, subject)]

    async def do(self, command: Callable[..., Any], *args: Any, **how: Any) -> Any:
        result = await self.store.write(command, self.settings, *args, **how)
        await self.settle()
        return result


async def make_world(
    where: Path | str, settings: Settings, *, me: str = "test", clock: list[datetime] | None = None
) -> World:
    """Make a world on a store: in an SQLite file in this folder, or at this URL."""
    store_url = where if isinstance(where, str) else f"sqlite:///{where}/incidentd.db"
    clock = [START] if clock is None else clock
    metrics = Metrics(version="test")
    store = await open_store(store_url, lambda: clock[0], metrics)
    return World(store, settings, clock, metrics, me=me)


Making = Callable[..., Awaitable[World]]
__all__ = ["START", "Making", "World", "asyncio", "make_world", "minutes", "policy", "roster"]
