"""Graphs of holds and incidents: what their alerts and queries measure, drawn again and again while they are open.

What is asked of Prometheus is its own alerting rules and the operators' queries, never what came with an alert. The
pictures lie in the store, as SVG for whoever looks and as PNG for messages: what they show may be gone from Prometheus,
or Prometheus itself, when somebody wants to know. A graph that cannot be drawn delays nothing and is tried again at the
next look.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from incidentd import graphs
from incidentd.config.promql import measured
from incidentd.engine.facts import Prometheus
from incidentd.errors import PermanentError, TemporaryError
from incidentd.graphs import Graph, Mark
from incidentd.graphs.png import png
from incidentd.holds import OPEN, Hold
from incidentd.incidents import ACTIVE, Incident
from incidentd.metrics import Metrics
from incidentd.settings import Settings
from incidentd.store import Store, Tx, chain, inbox, jobs, subjects
from incidentd.store.graphs import Drawing, note_lasts, save
from incidentd.store.jobs import Job
from incidentd.text import plain
from incidentd.timeline import INCIDENTD, Draft

KIND = "graph"
_SOONEST, _LATEST = timedelta(minutes=1), timedelta(minutes=30)
_SOONEST_OF_HOLD = timedelta(minutes=5)
"""There may be hundreds of them at once, and most heal."""
_BEFORE = timedelta(minutes=30)
"""What is shown of the time before: how it looked while all was well."""
_LONGEST = timedelta(days=7)
_POINTS = 240
_FINEST = timedelta(seconds=15)
_MOST_ALERTS, _MOST_NAMES = 50, 3
FIRST_OF_HOLD = _MOST_NAMES + 1
"""The number of the graph of a hold's first query; those of alerts come before."""
_NO_FIGURES: Mapping[int, float] = {}
_DEADLINE = 25.0
"""Seconds for all graphs of one hold or incident, within the lease of the job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Something to draw."""

    number: int
    """Its place among the graphs of the hold or incident, which stays."""
    title: str
    promql: str
    threshold: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a look is about."""

    source: str
    start: datetime
    end: datetime
    marks: tuple[Mark, ...]
    alertnames: tuple[str, ...]
    labels: tuple[Mapping[str, str], ...]
    queries: tuple[Query, ...]
    """Of the hold that it is, or was."""


def look(tx: Tx, settings: Settings, about: Hold | Incident) -> None:
    """Have the graphs of a hold or incident drawn now, if its source has a Prometheus that can be asked."""
    source = settings.sources.get(about.source)
    if source is not None and source.prometheus is not None:
        _schedule(tx, about.key, tx.now)


def _schedule(tx: Tx, subject: str, at: datetime) -> None:
    jobs.schedule(tx, queue=jobs.GRAPH, kind=KIND, subject=subject, ukey=f"{KIND}:{subject}", due_at=at)


def wanted(tx: Tx, subject: str) -> Wanted | None:
    """Say what is to be drawn of a hold or incident; None when it is there no more, or is an incident by now."""
    about = subjects.find(tx, subject)
    if about is None or (isinstance(about, Hold) and about.state not in OPEN):
        return None
    alerts = [
        dict(row.labels)
        for it in subjects.members(tx, subject)[:_MOST_ALERTS]
        for row in inbox.alerts_of(tx, it.source, [it.fingerprint])
    ]
    names = dict.fromkeys(labels["alertname"] for labels in alerts if labels.get("alertname"))
    hold = about if isinstance(about, Hold) else _held(tx, about)
    began, ended = _time_of(about)
    end = min(tx.now, (ended or tx.now) + _BEFORE)
    return Wanted(
        source=about.source, start=max(began - _BEFORE, end - _LONGEST), end=end, marks=_marks(about, hold),
        alertnames=tuple(names)[:_MOST_NAMES], labels=tuple(alerts), queries=_progress_of(hold),
    )  # fmt: skip


def _held(tx: Tx, incident: Incident) -> Hold | None:
    return subjects.get_hold(tx, incident.hold_id) if incident.hold_id is not None else None


def _time_of(about: Hold | Incident) -> tuple[datetime, datetime | None]:
    """Say when it began to hurt, and when it ended."""
    if isinstance(about, Hold):
        return min(about.impact_started_at, about.opened_at), None
    return min(about.impact_started_at, about.detected_at), about.resolved_at


def _progress_of(hold: Hold | None) -> tuple[Query, ...]:
    if hold is None:
        return ()
    return tuple(
        Query(number=place, title=f"progress of {hold.rule}: {watch.promql}", promql=watch.promql)
        for place, watch in enumerate(hold.watches, start=FIRST_OF_HOLD)
        if watch.promql
    )


def _marks(about: Hold | Incident, hold: Hold | None) -> tuple[Mark, ...]:
    instants = {"held": hold.opened_at if hold is not None else None}
    if isinstance(about, Incident):
        instants |= {
            "declared": about.declared_at, "mitigated": about.mitigated_at, "resolved": about.resolved_at,
        }  # fmt: skip
    return tuple(Mark(at=at, text=text) for text, at in instants.items() if at is not None)


def drawn(
    tx: Tx, job: Job, pictures: Mapping[int, Drawing], lasts: Mapping[int, float] = _NO_FIGURES
) -> bool:  # fmt: skip
    """Keep what was drawn (by number) and its last figures, and look again later.

    False when the lease was lost.
    """
    if not jobs.complete(tx, job):
        return False
    about = subjects.find(tx, job.subject)
    if about is None:
        return True
    for number in save(tx, about.key, pictures):
        text = f"Graph {number} is drawn from here on: {pictures[number].title}."
        chain.append(tx, about.key, INCIDENTD, [Draft("graph.drawn", text, {"graph": number})])
    if pictures and tx.told is not None:
        tx.told(tx, about.key, "graph.redrawn")
    note_lasts(tx, about.key, lasts)
    again = _again(about, tx.now)
    if again is not None:
        _schedule(tx, about.key, again)
    return True


def _again(about: Hold | Incident, now: datetime) -> datetime | None:
    """Say when to look again; None when it is over."""
    if isinstance(about, Hold):
        is_open, since, soonest = about.state in OPEN, about.opened_at, _SOONEST_OF_HOLD
    else:
        is_open, since, soonest = about.status in ACTIVE, about.declared_at, _SOONEST
    return now + min(max((now - since) / 4, soonest), _LATEST) if is_open else None


class Graphing:
    """Draws the graphs of one claimed job."""

    def __init__(
        self, store: Store, *, settings: Callable[[], Settings], prometheus: Callable[[], Mapping[str, Prometheus]],
        metrics: Metrics,
    ) -> None:  # fmt: skip
        self._store = store
        self._settings = settings
        self._prometheus = prometheus
        self._metrics = metrics
        self._one_at_a_time = asyncio.Lock()

    async def act(self, job: Job) -> None:
        """Ask, draw and keep; what cannot be had now is left as it was drawn before."""
        want = await self._store.read(wanted, job.subject)
        door = self._prometheus().get(want.source) if want is not None else None
        pictures: dict[int, Drawing] = {}
        lasts: dict[int, float] = {}
        if want is not None and door is not None:
            try:
                async with asyncio.timeout(_DEADLINE):
                    queries = [*await self._of_alerts(door, want), *want.queries]
                    pictures = dict(filter(None, [await self._draw(door, want, query, lasts) for query in queries]))
            except TimeoutError:
                self._count("failed")
        await self._store.write(drawn, job, pictures, lasts)

    async def _of_alerts(self, door: Prometheus, want: Wanted) -> list[Query]:
        try:
            rules = await door.alerting_rules(want.alertnames) if want.alertnames else {}
        except (TemporaryError, PermanentError):
            self._count("failed")
            return []
        found = []
        for number, name in enumerate(want.alertnames, start=1):
            if name in rules:
                promql, threshold = measured(rules[name])
                title = plain(f"{name}: {rules[name]}", 300)
                found.append(Query(number=number, title=title, promql=promql, threshold=threshold))
        return found

    async def _draw(
        self, door: Prometheus, want: Wanted, query: Query, lasts: dict[int, float]
    ) -> tuple[int, Drawing] | None:
        step = max((want.end - want.start) / _POINTS, _FINEST)
        try:
            lines = await door.course(query.promql, start=want.start, end=want.end, step=step)
        except (TemporaryError, PermanentError):
            self._count("failed")
            return None
        if not lines:
            self._count("no_data")
            return None
        graph = Graph(
            title=query.title, start=want.start, end=want.end, lines=graphs.chosen(lines, want.labels),
            threshold=query.threshold, marks=want.marks,
        )  # fmt: skip
        last = graphs.last(graph.lines)
        if last is not None:
            lasts[query.number] = last
        async with self._one_at_a_time:  # it takes the processor from everything else
            drawing, whole = await asyncio.to_thread(_rendered, graph, with_png=self._settings().graphs.attach)
        self._count("drawn" if whole else "failed")
        return query.number, drawing

    def _count(self, result: str) -> None:
        self._metrics.graphs_total.labels(result=result).inc()


def _rendered(graph: Graph, *, with_png: bool) -> tuple[Drawing, bool]:
    """Draw a graph, in a thread; False when only the SVG came of it, which then has to do."""
    picture = graphs.lay_out(graph)
    written = graphs.svg(picture)
    try:
        packed = png(picture) if with_png else None
    except (OSError, ValueError):  # Pillow, of a font that it cannot load or a text that it cannot draw
        return Drawing(title=graph.title, svg=written), False
    return Drawing(title=graph.title, svg=written, png=packed), True
