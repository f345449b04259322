"""What a dashboard is made of, in our own words: a board of rows of panels, each with what it asks Prometheus."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

HERE = "HERE"
"""Stands in a query for the jobs that the reader chose."""

Query = tuple[str, str]
"""An expression of PromQL, and what its series are called."""


class Look(StrEnum):
    """How a panel shows its figures."""

    NUMBER = "stat"
    """The newest figure of each series."""
    LINES = "timeseries"
    BARS = "bars"
    """A bar for what happened within each hour."""
    RANKED = "bargauge"
    """A bar a series, the greatest first; the figures over the whole time that is looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One panel; `asks` is what it asks, `about` what it says and what to do about it."""

    title: str
    about: str
    asks: tuple[Query, ...]
    look: Look = Look.NUMBER
    unit: str = "short"
    width: int = 6
    """Of 24."""
    limits: tuple[tuple[float, str], ...] = ()
    """From which figure on it has which colour; below it is green."""
    names: dict[str, str] = field(default_factory=dict)
    """Words for figures that are not figures."""
    most: float | None = None
    fractions: bool = False
    """Whether parts of one make sense. What is counted is shown without: `increase()` guesses what it did not see."""
    named: bool = False
    """What the series are called is all there is to say; their figure is always 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Panels that belong together."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """What a reader may choose: the values that a label of a metric has."""

    name: str
    label: str
    of: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """One dashboard."""

    name: str
    """Of its file, and in its address."""
    reader: str
    """Whom it is for."""
    title: str
    about: str
    since: str
    """How far back it looks when it is opened."""
    rows: tuple[Row, ...]
    variables: tuple[Variable, ...] = ()

    @property
    def panels(self) -> Iterator[Panel]:
        """Every panel, from the top."""
        return (panel for row in self.rows for panel in row.panels)


SEVERITY = Variable(name="severity", label="Severity", of="incidentd_incidents_active")
TEAM = Variable(name="team", label="Team", of="incidentd_pages_total")
PLAYBOOK = Variable(name="playbook", label="Playbook", of="incidentd_playbook_runs_total")
INSTANCE = Variable(name="instance", label="Replica", of="incidentd_build_info")


def number(title: str, about: str, *asks: Query, width: int = 4, **how: Any) -> Panel:
    """Make a panel of numbers."""
    return Panel(title=title, about=about, asks=asks, look=Look.NUMBER, width=width, **how)


def lines(title: str, about: str, *asks: Query, width: int = 12, **how: Any) -> Panel:
    """Make a panel of lines over time."""
    return Panel(title=title, about=about, asks=asks, look=Look.LINES, width=width, **how)


def bars(title: str, about: str, *asks: Query, width: int = 12, **how: Any) -> Panel:
    """Make a panel of what happened, hour by hour."""
    return Panel(title=title, about=about, asks=asks, look=Look.BARS, width=width, **how)


def ranked(title: str, about: str, *asks: Query, width: int = 8, **how: Any) -> Panel:
    """Make a panel that compares series over the whole time that is looked at."""
    return Panel(title=title, about=about, asks=asks, look=Look.RANKED, width=width, **how)


def total(metric: str, by: str = "", *, having: str = "") -> Query:
    """Ask how many there were within the time that is looked at, for each value of these labels."""
    return _summed(metric, by, having, "$__range")


def total_fresh(metric: str, by: str, *, having: str = "") -> Query:
    """Ask the same of a metric whose labels come with what happens."""
    return _fresh(metric, by, having, "$__range", "$__range_s"), _legend(by)


def hourly_fresh(metric: str, by: str, *, having: str = "") -> Query:
    """Ask how many there were within each bar, of a metric whose labels come with what happens."""
    return _fresh(metric, by, having, "$__interval", "$__interval_ms / 1000"), _legend(by)


def hourly(metric: str, by: str = "", *, having: str = "") -> Query:
    """Ask how many there were within each bar."""
    return _summed(metric, by, having, "$__interval")


def rate(metric: str, by: str = "", *, having: str = "") -> Query:
    """Ask how many there are a second."""
    grouped = f" by ({by})" if by else ""
    return f"sum{grouped} (rate({metric}{{{_where(having)}}}[$__rate_interval]))", _legend(by)


def most(number: int, query: Query) -> Query:
    """Ask only for the series with the greatest figures."""
    return f"topk({number}, {query[0]})", query[1]


def happened(query: Query) -> Query:
    """Leave out what never was: of many series most stand at 0, and hide the others."""
    return f"{query[0]} > 0", query[1]


def or_called(word: str, label: str, query: Query) -> Query:
    """Call the series without a value of a label by a word, instead of by nothing."""
    return f'label_replace({query[0]}, "{label}", "{word}", "{label}", "")', query[1]


def or_none(query: Query) -> Query:
    """Say 0 where there is no series yet."""
    return f"{query[0]} or vector(0)", query[1]


def share(some: Query, every: Query) -> Query:
    """Ask which share some are of all; where there are none of all, nothing."""
    return f"(({some[0]}) or ({every[0]}) * 0) / ({every[0]}) >= 0", every[1]


def state(gauge: str, by: str, *, having: str = "", inner: str = "") -> Query:
    """Ask for a figure that every replica reads from the same store: the greatest of them, then summed."""
    every = ", ".join(dict.fromkeys(filter(None, ["job", *by.split(", "), *inner.split(", ")])))
    grouped = f" by ({by})" if by else ""
    return f"sum{grouped} (max by ({every}) ({gauge}{{{_where(having)}}}))", _legend(by)


def quantiles(histogram: str, by: str = "", *, having: str = "") -> tuple[Query, ...]:
    """Ask for the median and the 90th percentile within the time that is looked at; nothing where nothing was."""
    counts = f"increase({histogram}_bucket{{{_where(having)}}}[$__range])"
    return tuple(_quantile(counts, by, of) for of in (0.5, 0.9))


def quantiles_now(histogram: str, by: str = "", *, high: float = 0.99) -> tuple[Query, ...]:
    """Ask for the median and a high percentile as they were at each moment."""
    counts = f"rate({histogram}_bucket{{{HERE}}}[$__rate_interval])"
    return tuple(_quantile(counts, by, of) for of in (0.5, high))


def _quantile(counts: str, by: str, of: float) -> Query:
    grouped = ", ".join(filter(None, [by, "le"]))
    # a percentile of nothing is not a number, which is not >= 0 either
    return f"histogram_quantile({of}, sum by ({grouped}) ({counts})) >= 0", f"{_legend(by)} {_percentile(of)}".strip()


def _percentile(of: float) -> str:
    return "median" if of == 0.5 else f"p{of * 100:g}"


def when(gauge: str, by: str = "", *, having: str = "") -> Query:
    """Ask when something was last, as Grafana counts time: in milliseconds."""
    grouped = f" by ({by})" if by else ""
    return f"max{grouped} ({gauge}{{{_where(having)}}}) * 1000", _legend(by)


def _summed(metric: str, by: str, having: str, window: str) -> Query:
    grouped = f" by ({by})" if by else ""
    return f"sum{grouped} (increase({metric}{{{_where(having)}}}[{window}]))", _legend(by)


def _fresh(metric: str, by: str, having: str, window: str, seconds: str) -> str:
    """Ask for the growth, and for what a series began with: such a series is first seen when it is 1 already.

    A series is new where its process was seen before without it, or began in the window. Of a process that was there
    and not seen, since Prometheus was away or keeps less than the window, nobody knows what it counted when.
    """
    series = f"{metric}{{{_where(having)}}}"
    grown = f"sum by ({by}) (increase({series}[{window}]))"
    process = f"process_start_time_seconds{{{HERE}}}"
    known = f"({process} offset {window} or {process} > time() - {seconds})"
    began = f"(min_over_time({series}[{window}]) unless {series} offset {window}) and on (job, instance) {known}"
    return f"{grown} + (sum by ({by}) ({began}) or {grown} * 0)"


def _where(having: str) -> str:
    return f"{HERE},{having}" if having else HERE


def _legend(by: str) -> str:
    return " ".join(f"{{{{{label}}}}}" for label in by.split(", ")) if by else ""
