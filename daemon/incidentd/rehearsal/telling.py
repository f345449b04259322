"""Tell the engine a story: each event at its minute, and at each expectation's minute what is to be seen."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from incidentd.durations import format_duration
from incidentd.engine import byhand, commands, lifecycle, outcome, reconcile, stopping
from incidentd.engine.course.busy import definition_of
from incidentd.errors import Conflict, IncidentdError, Location, TemporaryError
from incidentd.holds import watches_for
from incidentd.metrics import Metrics
from incidentd.pages import PageState
from incidentd.playbooks import FINISHED, Run, RunState, StepResult, walk
from incidentd.playbooks.cases import Case
from incidentd.rehearsal.expecting import Sight, unmet
from incidentd.rehearsal.unsaid import unsaid
from incidentd.rehearsal.world import World, firing
from incidentd.settings import DEFAULT_SOURCE, AlertmanagerSettings, PrometheusSettings, Settings, Source
from incidentd.store import Tx, jobs, things
from incidentd.store.memory import MemoryStore
from incidentd.store.views.everything import Everything, everything, timeline
from incidentd.stories import Event, Expects, Happens, Labels, Story, has
from incidentd.text import labels_line
from incidentd.timeline import Actor

NEVER = timedelta(days=3650)
_ANSWERS = {
    Happens.ACKNOWLEDGED_BY: commands.ack_page, Happens.TAKEN_BY: commands.take_page,
    Happens.HELPED_BY: commands.help_with_page,
}  # fmt: skip
_NOWHERE = "http://127.0.0.1:9"
"""Nobody is asked there: the door of a rehearsal never opens."""
_NOT_YET = StepResult(ok=True, unknown=True, summary="the story does not say yet what came of it")


@dataclass(frozen=True, slots=True)
class Failure:
    """Something that is not as the story expects."""

    where: Location
    text: str


@dataclass(frozen=True, slots=True)
class Told:
    """How a story went, or a case of a playbook."""

    story: Story | Case
    failures: tuple[Failure, ...]
    course: tuple[tuple[timedelta, str], ...]
    """What happened, sentence by sentence, by the time since the beginning."""
    seconds: float
    """How long it took to tell it."""


async def tell(story: Story, settings: Settings) -> Told:
    """Tell one story to an engine of its own."""
    began = asyncio.get_running_loop().time()
    clock, metrics = [story.starts], Metrics(version="rehearsal")
    store = MemoryStore(lambda: clock[0], metrics)
    try:
        world = World(store, prepared(settings, story), clock, metrics, start=story.starts)
        world.peer.behind = timedelta(seconds=1)
        world.hands.answers["verify"] = _NOT_YET
        world.hands.numbers = world.numbers.answers
        told = _Telling(story, world)
        await told.all()
        took = asyncio.get_running_loop().time() - began
        return Told(story, tuple(told.failures), await told.course(), took)
    finally:
        await store.close()


def prepared(settings: Settings, story: Story | None = None) -> Settings:
    """Take out of the settings what would reach outside, and what speaks of a world that does not exist here."""
    unnamed = set(settings.sources) == {DEFAULT_SOURCE}  # rules by themselves, and no world that they are for
    given = story is not None and story.measures and unnamed
    sources = {name: _source(source, story, given=given) for name, source in settings.sources.items()}
    return replace(settings, sources=sources, jira=None)


def _source(source: Source, story: Story | None, *, given: bool) -> Source:
    """Ask Alertmanager only where it plays a part; and nobody misses a watchdog that nobody plays.

    `given` says that the source has a Prometheus for the story, although it is not said where.
    """
    return replace(
        source,
        alertmanager=AlertmanagerSettings(urls=(_NOWHERE,)) if story and story.silences else None,
        prometheus=source.prometheus or (PrometheusSettings(url=_NOWHERE) if given else None),
        watchdog=source.watchdog and replace(source.watchdog, late_after=NEVER),
    )


@dataclass(slots=True)
class _Firing:
    """An alert that fires, as a body has it."""

    labels: Labels
    body: dict[str, Any]
    silenced: bool = False


@dataclass(slots=True)
class _Telling:
    """A story while it is told."""

    story: Story
    world: World
    failures: list[Failure] = field(default_factory=list)
    said: list[tuple[timedelta, str]] = field(default_factory=list)
    refused: list[tuple[timedelta, str]] = field(default_factory=list)
    """What was expected to be impossible, and is."""
    _there: list[_Firing] = field(default_factory=list)

    @property
    def source(self) -> str:
        sources = self.world.settings.sources
        return self.story.source or next((name for name in sources if name != DEFAULT_SOURCE), DEFAULT_SOURCE)

    async def all(self) -> None:
        """Let happen what happens, and look when something is expected."""
        if self.story.silences:
            await self.world.engine.begin()
        for at in self.story.instants:
            await self.world.until(self.story.starts + at)
            for event in (it for it in self.story.events if it.at == at):
                await self._happen(event)
            await self._look(at)
        for run in reversed(await self._runs()):
            found = await self.world.store.read(unsaid, run)
            self.failures += [Failure(self.story.where, text) for text in found]

    async def _look(self, at: timedelta) -> None:
        wanted = [it for it in self.story.expectations if it.at == at]
        if wanted:
            sight = Sight(
                starts=self.story.starts, now=self.world.now, seen=await self.world.store.read(everything),
                said=await self.world.store.read(timeline), sent=self.world.post.dated(),
                roster=self.world.settings.roster, refused=[why for when, why in self.refused if when == at],
            )  # fmt: skip
            found = unmet(wanted, sight)
            self.failures += [Failure(it.where, f"at {format_duration(at)} {text}") for it, text in found]

    async def course(self) -> tuple[tuple[timedelta, str], ...]:
        """Say how it went: what the story did, and what every timeline says."""
        seen = await self.world.store.read(everything)
        entries = await self.world.store.read(timeline)
        lines = [*self.said, *((it.at - self.story.starts, f"{it.subject}: {it.text}") for it in entries)]
        lines += [
            (it.changed_at - self.story.starts, f"{it.decision}: {it.reason}") for it in seen.alerts if not it.subject
        ]
        return tuple(sorted(lines, key=lambda line: line[0]))

    # -- what happens ------------------------------------------------------------------------------------------------

    async def _happen(self, event: Event) -> None:
        try:
            await self._do(event)
        except IncidentdError as error:
            self._told_no(event, error, f"`{event.kind}` is not possible: {error}")

    def _told_no(self, event: Event, why: IncidentdError, otherwise: str) -> None:
        """Take in that something is not possible: as the story expects, or as its failure."""
        if any(it.kind is Expects.REFUSED and it.at == event.at for it in self.story.expectations):
            self.refused.append((event.at, str(why)))
            self._say(event, f"{event.kind.replace('_', ' ')} {event.by} is refused: {why}")
        else:
            self._fail(event, otherwise)

    def _fail(self, event: Event, text: str) -> None:
        self.failures.append(Failure(event.where, f"at {format_duration(event.at)} {text}"))

    def _say(self, event: Event, text: str) -> None:
        self.said.append((event.at, f"> {text}"))

    async def _do(self, event: Event) -> None:
        match event.kind:
            case Happens.FIRES | Happens.REFIRES:
                await self._fires(event)
            case Happens.RESOLVES:
                await self._resolves(event)
            case Happens.SILENCED | Happens.UNSILENCED:
                await self._silences(event)
            case Happens.PROMQL:
                self._measure(event)
            case Happens.PLAYBOOK:
                await self._playbook(event)
            case Happens.ACKNOWLEDGED_BY | Happens.TAKEN_BY | Happens.HELPED_BY:
                await self._answers(event)
            case Happens.SWITCHED_OFF | Happens.SWITCHED_ON:
                await self._switches(event)
            case _:
                await self._person(event)

    async def _switches(self, event: Event) -> None:
        turn = stopping.disable if event.kind is Happens.SWITCHED_OFF else stopping.enable
        await self.world.do(turn, event.playbook, actor=Actor(name=event.by, via="story"), reason=event.text)
        self._say(event, f"{event.playbook or 'every playbook'} is {event.kind.replace('_', ' ')} by {event.by}")

    def _measure(self, event: Event) -> None:
        """Have Prometheus answer with these numbers from here. Raises Conflict when the source has none."""
        if self.world.settings.sources[self.source].prometheus is None:
            raise Conflict(f"the source {self.source} has no `prometheus`, so what is asked of it is unknown")
        down = TemporaryError("the story says that Prometheus gives no answer")
        for query, value in event.values.items():
            for asked in [query, *self._queries_of(query)]:
                self.world.numbers.answers[asked] = down if value is None else value
            self._say(event, f"{query} is {'unknown' if value is None else f'{value:g}'}")

    def _queries_of(self, rule: str) -> list[str]:
        """Give what a rule of this name asks about any alert of the story, to decide or to see progress."""
        rules = [known for known in self.world.settings.rules if known.name == rule]
        fired = [it for it in self.story.events if it.kind is Happens.FIRES]
        conditions = [
            query for known in rules for it in known.when for event in fired for labels in event.alerts
            for query in it.queries(labels)
        ]  # fmt: skip
        watches = [
            watch.promql for known in rules for event in fired for labels in event.alerts
            for watch in watches_for(known.hold, labels, event.annotations)[0]
        ]  # fmt: skip
        return conditions + watches

    async def _fires(self, event: Event) -> None:
        its = [self._fired(labels, event) for labels in event.alerts]
        self._say(event, f"{_listed(event.alerts)} {'fires' if event.kind is Happens.FIRES else 'fires anew'}")
        self.world.peer.knows(*(it.body for it in its if not it.silenced))
        await self.world.send(*(it.body for it in its), source=self.source)

    def _fired(self, labels: Labels, event: Event) -> _Firing:
        known = next((it for it in self._there if it.labels == labels), None)
        if known is None:
            known = _Firing(labels, firing(dict(labels), self.world.now))
            self._there.append(known)
        elif event.kind is Happens.REFIRES:
            known.body = known.body | {"startsAt": self.world.now.isoformat()}
        known.body = known.body | {"annotations": {**known.body["annotations"], **event.annotations}}
        return known

    async def _resolves(self, event: Event) -> None:
        its = self._meant(event)
        self._say(event, f"{_listed(it.labels for it in its)} resolves")
        self._there = [it for it in self._there if it not in its]
        self.world.peer.forgets(*(it.body for it in its))
        ended = {"status": "resolved", "endsAt": self.world.now.isoformat()}
        await self.world.send(*(it.body | ended for it in its), source=self.source)

    async def _silences(self, event: Event) -> None:
        its = self._meant(event)
        self._say(event, f"{_listed(it.labels for it in its)} is {event.kind}")
        for it in its:
            it.silenced = event.kind is Happens.SILENCED
            self.world.peer.knows(it.body, muted_by=("silence of the story",) if it.silenced else ())
        # Alertmanager is asked every half minute; a story need not wait for that
        await self.world.store.write(reconcile.begin, self.world.settings, started=True)
        await self.world.settle()

    def _meant(self, event: Event) -> list[_Firing]:
        pool = [it for it in self._there if it.silenced or event.kind is not Happens.UNSILENCED]
        return [it for it in pool if not event.alerts or any(has(it.labels, wanted) for wanted in event.alerts)]

    async def _playbook(self, event: Event) -> None:
        """End the run as the story says it ended; what it would have done is never done."""
        run = next((it for it in await self._runs() if it.state in (RunState.RUNNING, RunState.VERIFYING)), None)
        if run is None:
            self._fail(event, "no playbook runs" + await self._why_none())
            return
        if event.text == "verified" and (why := _not_yet_verified(run, self.world.now)):
            self._fail(event, f"`playbook: verified` is not possible: {why}")
            return
        self._say(event, f"{run.key}: {run.playbook} {event.text}")
        await self.world.do(_ended, run.id, event.text)

    async def _runs(self) -> list[Run]:
        return list(reversed((await self.world.store.read(everything)).runs))

    async def _why_none(self) -> str:
        last = next(iter(await self._runs()), None)
        return f"; {last.key} is {last.state.replace('_', ' ')}" if last else ""

    async def _answers(self, event: Event) -> None:
        """Have somebody answer, take over, or help with the page that was sent last."""
        seen = await self.world.store.read(everything)
        takes_over = event.kind is not Happens.ACKNOWLEDGED_BY
        states = (PageState.OPEN, PageState.ACKED) if takes_over else (PageState.OPEN,)
        found = [it for it in seen.pages if it.state in states]
        if not found:
            self._fail(event, f"`{event.kind}` has nothing to act on: {_open(seen)}")
            return
        called = [it for it in found if event.by in it.paged]
        page = found[-1] if takes_over else (called or found)[-1]
        try:
            await self.world.do(_ANSWERS[event.kind], page.id, by=event.by, actor=Actor(name=event.by, via="story"))
        except Conflict as refused:
            self._told_no(event, refused, str(refused))
            return
        self._say(event, f"{event.kind.replace('_', ' ')} {event.by}")

    async def _person(self, event: Event) -> None:
        seen = await self.world.store.read(everything)
        actor = Actor(name=event.by, via="story")
        open_holds = [it for it in seen.holds if it.ended_at is None]
        active = [it for it in seen.incidents if it.resolved_at is None]
        proposed = [it for it in seen.runs if it.state is RunState.PROPOSED]
        match event.kind:
            case Happens.NOTE | Happens.PROGRESS if open_holds or active:
                subject = (open_holds or active)[-1].key
                await self.world.do(commands.add_note, subject, actor=actor, text=event.text, customer=event.customer)
            case Happens.EXTENDED if open_holds:
                await self.world.do(
                    commands.extend_hold, open_holds[-1].id, actor=actor, length=event.length,
                    approver=event.approver, reason=event.text,
                )  # fmt: skip
            case Happens.DECLARED_BY if open_holds:
                await self.world.do(commands.declare_hold, open_holds[-1].id, actor=actor, reason=event.text)
            case Happens.STOOD_DOWN_BY if open_holds:
                why = event.text or "The story says so."
                await self.world.do(commands.stand_down_hold, open_holds[-1].id, actor=actor, reason=why)
            case Happens.RESOLVED_BY if active:
                await self.world.do(lifecycle.resolve, active[-1].id, actor=actor, note=event.text)
            case Happens.RUN_BY if open_holds or active:
                subject, labels = (open_holds or active)[-1].key, event.alerts[0] if event.alerts else {}
                await self.world.do(byhand.run, event.playbook, subject=subject, labels=labels, actor=actor)
            case Happens.APPROVED_BY if proposed:
                await self.world.do(commands.approve_run, proposed[-1].id, actor=actor)
            case _:
                self._fail(event, f"`{event.kind}` has nothing to act on: {_open(seen)}")
                return
        acted = event.kind.replace("_", " ") if event.kind.endswith("_by") else f"{event.kind} of"
        self._say(event, f"{acted} {event.by}")


def _not_yet_verified(run: Run, now: datetime) -> str:
    """Say why the daemon could not have verified a run by now; '' when it could."""
    book = definition_of(run)
    step = walk.current_step(run, book)
    if step is not None:
        return f"{run.key} is still at the step `{step.name}`"
    if book.verify is None or run.verify_since is None:
        return f"nothing verifies {run.key}"
    earliest = run.verify_since + book.verify.hold_for
    if now < earliest:
        held = f"{format_duration(now - run.verify_since)} of the {format_duration(book.verify.hold_for)}"
        return f"the verification of {run.key} has held for {held} that it has to"
    return ""


def _ended(tx: Tx, settings: Settings, run_id: int, how: str) -> None:
    run = things.get_run(tx, run_id)
    state = RunState.VERIFIED if how == "verified" else RunState.VERIFY_FAILED
    run = replace(run, state=state, finished_at=tx.now, reason="the story says so")
    things.save_run(tx, run)
    jobs.cancel(tx, run.key)
    outcome.finished(tx, settings, run, definition_of(run))


def _listed(alerts: Iterable[Labels]) -> str:
    names = [labels_line(dict(labels), 120) for labels in alerts]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _open(seen: Everything) -> str:
    """Say what is open, for whoever wonders what could have been meant."""
    open_ones = [it.key for it in seen.holds if it.ended_at is None]
    open_ones += [it.key for it in seen.incidents if it.resolved_at is None]
    pages = [it.key for it in seen.pages if it.state is PageState.OPEN]
    runs = [f"{it.key} ({it.state})" for it in seen.runs if it.state not in FINISHED]
    return f"open at this time: {', '.join([*open_ones, *pages, *runs]) or 'nothing'}"
