"""The doors of a rehearsal: they keep what goes out, answer as they are told, and nothing leaves the process."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from incidentd.actionitems import ActionItem, RemoteLink, Seen
from incidentd.errors import IncidentdError
from incidentd.graphs import Line
from incidentd.handoff import Silence
from incidentd.pages import Notification
from incidentd.playbooks import Step, StepResult
from incidentd.playbooks.errands import Errand
from incidentd.prometheus import Answer
from incidentd.reconciliation import ApiAlert, Snapshot
from incidentd.rehearsal.unsaid import given
from incidentd.runner import promql, tries
from incidentd.templates import BadTemplate, compile_template, in_promql


@dataclass
class Post:
    """Stands for the door to people: keeps what was sent, and fails as it is told."""

    sent: list[Notification] = field(default_factory=list)
    failures: dict[str, IncidentdError] = field(default_factory=dict)
    clock: list[datetime] = field(default_factory=list)
    when: list[datetime] = field(default_factory=list)
    """When each of them was sent, where there is a clock."""

    async def send(self, n: Notification) -> None:
        """Keep a message."""
        if n.channel in self.failures:
            raise self.failures[n.channel]
        self.sent.append(n)
        self.when += self.clock[:1]

    def dated(self) -> list[tuple[datetime, Notification]]:
        """Give what was sent, each with its time."""
        return list(zip(self.when, self.sent, strict=True))

    def to(self, channel: str) -> list[str]:
        """Give the titles of what was sent to a channel."""
        return [n.title for n in self.sent if n.channel == channel]


@dataclass
class Hands:
    """Stands for the door of playbook steps: carries nothing out, and answers by the step's name."""

    answers: dict[str, StepResult] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    numbers: Mapping[str, float | IncidentdError] = field(default_factory=dict)
    """What Prometheus answers to the queries of steps; to all others it answers what no number is."""

    async def run_step(self, step: Step, context: Mapping[str, object], *, source: str, errand: Errand) -> StepResult:
        """Say what came of a step: fine, unless told otherwise."""
        self.done.append(step.name)
        if step.name in self.answers:
            return self.answers[step.name]
        if step.kind == "promql" and (query := _query(step, context)) in self.numbers:
            number = self.numbers[query]

            async def once() -> StepResult:
                return promql.judged(None if isinstance(number, IncidentdError) else number, step.args.get("is"))

            return await tries.tried(step, context, once, _at_once)
        return StepResult(ok=True, summary="fine", value=given(step))


def _query(step: Step, context: Mapping[str, object]) -> str:
    try:
        return compile_template(step.args["query"]).render(context, in_promql)
    except BadTemplate:
        return ""


async def _at_once(seconds: float) -> None:
    """Let no time pass between two tries: a story has its own time."""


_OTHERWISE = re.compile(r"\bor\s+vector\(\s*(\d+(?:\.\d+)?)\s*\)\s*$")
"""What a query says of itself that it gives when there is no data."""


@dataclass
class Numbers:
    """Stands for the door to Prometheus: knows the numbers that it is told, and nothing else."""

    answers: dict[str, float | IncidentdError] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    rules: dict[str, str] = field(default_factory=dict)
    """Its alerting rules."""
    drawn: dict[str, tuple[Line, ...]] = field(default_factory=dict)
    """What there is to draw of a query."""
    failure: IncidentdError | None = None
    """What comes of wanting to draw something."""
    knows_nothing: bool = False
    """It gives no number at all, not even one that a query says itself."""

    async def course(self, promql: str, *, start: datetime, end: datetime, step: timedelta) -> tuple[Line, ...]:
        """Give what there is to draw."""
        if self.failure is not None:
            raise self.failure
        return self.drawn.get(promql, ())

    async def alerting_rules(self, names: Collection[str]) -> dict[str, str]:
        """Give the queries of alerting rules."""
        if self.failure is not None:
            raise self.failure
        return {name: query for name, query in self.rules.items() if name in names}

    async def query(self, promql: str, *, timeout: timedelta = timedelta(seconds=5)) -> Answer:  # noqa: ASYNC109
        """Give the number of a query, or fail as it was told."""
        self.asked.append(promql)
        otherwise = None if self.knows_nothing else _OTHERWISE.search(promql)
        known = self.answers.get(promql, float(otherwise[1]) if otherwise else None)
        if isinstance(known, IncidentdError):
            raise known
        return Answer(value=known, reason="" if known is not None else "the query gives no data")


@dataclass(frozen=True)
class FiledAs:
    """Where an action item is."""

    key: str
    url: str
    left_out: tuple[str, ...] = ()


@dataclass
class Backlog:
    """Stands for the door to Jira."""

    issues: dict[str, ActionItem] = field(default_factory=dict)
    comments: list[str] = field(default_factory=list)
    links: dict[str, RemoteLink] = field(default_factory=dict)
    """By issue."""
    says: dict[str, Seen | None] = field(default_factory=dict)
    """How an issue stands, by its key; None of one that is gone."""
    left_out: tuple[str, ...] = ()
    """The fields that it does not take."""
    failure: IncidentdError | None = None

    async def file(
        self, item: ActionItem, *, context: str, assignee: str, tried_before: bool,
        sending: Callable[[], Awaitable[None]],
    ) -> FiledAs:  # fmt: skip
        """Keep an item, once."""
        if item.uuid not in self.issues:
            await sending()
        if self.failure is not None:
            raise self.failure
        self.issues.setdefault(item.uuid, item)
        key = f"OPS-{list(self.issues).index(item.uuid) + 1}"
        return FiledAs(key, f"http://jira/browse/{key}", self.left_out)

    async def comment(self, jira_key: str, text: str, *, idem: str) -> None:
        """Keep a comment."""
        self.comments.append(text)

    async def link(self, jira_key: str, link: RemoteLink) -> None:
        """Keep a link."""
        self.links[jira_key] = link

    async def changed(self, since: timedelta) -> tuple[Seen, ...]:
        """Say how issues stand that it was told of."""
        if self.failure is not None:
            raise self.failure
        return tuple(one for one in self.says.values() if one is not None)

    async def look(self, jira_key: str) -> Seen | None:
        """Say how an issue stands."""
        if self.failure is not None:
            raise self.failure
        return self.says.get(jira_key, Seen(key=jira_key, category="new"))

    async def close(self) -> None:
        """Do nothing: there is nothing to let go of."""


@dataclass
class Peer:
    """Stands for the door to Alertmanager: has what it is told, and fails as it is told."""

    clock: list[datetime]
    has: dict[str, ApiAlert] = field(default_factory=dict)
    up_for: timedelta = timedelta(days=1)
    receivers: frozenset[str] = frozenset()
    hides_muting: bool = False
    behind: timedelta = timedelta(0)
    """How old its answers are; one that is old enough is not kept, and the next question is asked anew."""
    failure: IncidentdError | None = None
    asked: int = 0
    silenced: list[Silence] = field(default_factory=list)
    lifted: list[str] = field(default_factory=list)
    """The marks of the runs whose silences were lifted."""

    async def silences(self) -> list[Silence]:
        """List the silences."""
        if self.failure is not None:
            raise self.failure
        return list(self.silenced)

    async def lift(self, mark: str) -> int:
        """Lift the silences of a run."""
        if self.failure is not None:
            raise self.failure
        self.lifted.append(mark)
        return 1

    async def alerts(self) -> Snapshot:
        """List the alerts."""
        self.asked += 1
        if self.failure is not None:
            raise self.failure
        return Snapshot(
            asked_at=self.clock[0] - self.behind, alerts=dict(self.has), up_for=self.up_for, receivers=self.receivers,
            hides_muting=self.hides_muting,
        )  # fmt: skip

    def knows(
        self, *alerts: dict[str, Any], muted_by: tuple[str, ...] = (), receiver: str = "incidentd",
        by_runs: bool = False,
    ) -> None:  # fmt: skip
        """Have it list alerts, given as a body has them."""
        for it in alerts:
            self.has[it["fingerprint"]] = ApiAlert(
                fingerprint=it["fingerprint"], labels=it["labels"], starts_at=datetime.fromisoformat(it["startsAt"]),
                receivers=frozenset({receiver}), muted_by=muted_by, muted_by_runs=by_runs,
            )  # fmt: skip

    def forgets(self, *alerts: dict[str, Any]) -> None:
        """Have it list these alerts no more."""
        for it in alerts:
            self.has.pop(it["fingerprint"], None)
