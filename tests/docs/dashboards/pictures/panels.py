"""The panels of a dashboard's JSON, and the series that Prometheus answers each of them with."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tests.docs.dashboards.pictures import units

NOTHING = "nothing yet"
"""What stands where there is no series, unless the panel has other words for it."""


class Kind(StrEnum):
    """How a panel shows its figures."""

    ROW = "row"
    NUMBER = "stat"
    LINES = "timeseries"
    BARS = "bars"
    RANKED = "bargauge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """What is called `name`, at times in seconds since 1970."""

    name: str
    points: tuple[tuple[float, float], ...]

    @property
    def newest(self) -> float:
        """The last figure."""
        return self.points[-1][1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One panel as Grafana is told of it, with its series."""

    title: str
    kind: Kind
    grid: tuple[int, int, int, int]
    """Column of 24, row, columns wide, rows high."""
    unit: str = "short"
    decimals: int | None = None
    limits: tuple[tuple[float, str], ...] = ((-math.inf, "green"),)
    names: Mapping[str, str]
    """Words for figures that are not figures."""
    most: float | None = None
    nothing: str = NOTHING
    says_names: bool = False
    only_names: bool = False
    series: tuple[Series, ...] = ()

    def words(self, value: float, now: float) -> str:
        """Write one figure of it as it is shown at a time, in seconds since 1970."""
        return self.names.get(f"{value:g}") or units.written(value, self.unit, now, self.decimals)

    def colour(self, value: float) -> str:
        """Name the colour that its limits give a figure."""
        return [colour for limit, colour in self.limits if value >= limit][-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A dashboard with all that is to be seen on it; times in seconds since 1970."""

    title: str
    panels: tuple[Panel, ...]
    start: float
    end: float
    step: float
    """Between two points of a line."""
    bar: float
    """How long a bar of what happened is."""


def read(panel: dict[str, Any]) -> Panel:
    """Read a panel of a dashboard; nobody was asked for its series yet."""
    place = panel["gridPos"]
    grid = (place["x"], place["y"], place["w"], place["h"])
    if panel["type"] == "row":
        return Panel(title=panel["title"], kind=Kind.ROW, grid=grid, names={})
    how, shows = panel["fieldConfig"]["defaults"], (panel["options"] or {}).get("textMode", "")
    bars = how.get("custom", {}).get("drawStyle") == "bars"
    steps = how["thresholds"]["steps"]
    return Panel(
        title=panel["title"], kind=Kind.BARS if bars else Kind(panel["type"]), grid=grid, unit=how["unit"],
        decimals=how.get("decimals"), most=how.get("max"), nothing=how["noValue"],
        limits=tuple((-math.inf if it["value"] is None else it["value"], it["color"]) for it in steps),
        names={value: it["text"] for words in how.get("mappings", ()) for value, it in words["options"].items()},
        says_names=shows in ("value_and_name", "name"), only_names=shows == "name",
    )  # fmt: skip


def series(legend: str, found: list[dict[str, Any]]) -> list[Series]:
    """Read what Prometheus answered; not a number is no figure."""
    return [
        Series(name=named(legend, one["metric"]), points=points)
        for one in found
        if (points := tuple(_points(one.get("values") or [one["value"]])))
    ]


def named(legend: str, labels: Mapping[str, str]) -> str:
    """Name a series by its labels, as its legend says."""
    if legend == "__auto":
        return ", ".join(f"{label}={value}" for label, value in sorted(labels.items()))
    return re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found[1], ""), legend).strip()


def _points(values: list[list[Any]]) -> list[tuple[float, float]]:
    read = [(float(at), float(value)) for at, value in values]
    return [(at, value) for at, value in read if math.isfinite(value)]
