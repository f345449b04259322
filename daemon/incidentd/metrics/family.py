"""How a metric is declared: one class attribute each, with labels that stay bounded and series that start at zero."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Generic, Protocol, Self, TypeVar, overload

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

PREFIX = "incidentd_"
OTHER = "other"
LIMIT = 500
"""Values of one label that are kept apart; whatever comes after them counts as `other`. Configured ones always fit."""
_LONGEST = 100

Values = Sequence[str] | str
"""All that a label may say; or, in a word, where its values come from: a field of `Known`, or not known before."""


class Made(Protocol):
    """Whatever holds the metrics that were made from the declarations of its class."""

    made: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The label values that the operator's files bring, so that each series starts at zero before anything happens."""

    rules: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Rule name to (decision, severity)."""
    severities: Sequence[str] = ()
    urgencies: Sequence[str] = ()
    teams: Sequence[str] = ()
    channels: Sequence[str] = ()
    schedules: Sequence[str] = ()
    playbooks: Sequence[str] = ()
    sources: Sequence[str] = ()
    asked: Sequence[str] = ()
    """The sources that have an Alertmanager to ask."""
    watched: Sequence[str] = ()
    """The sources that have a watchdog."""


class LabelBounds:
    """Keeps each label to a bounded number of values, whatever strangers put into them."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._configured: dict[str, frozenset[str]] = {}
        self._seen: dict[str, set[str]] = {}

    def allow(self, label: str, values: Iterable[str]) -> None:
        """Let these configured values in, however many the label has already."""
        self._configured[label] = self._configured.get(label, frozenset()) | frozenset(map(_printable, values))

    def bounded(self, label: str, value: object) -> str:
        """Give the value to use for a label: itself, or `other` when it is one too many or too long."""
        text = _printable(value)
        if label == "channel":
            text = text.rpartition("/")[2]  # a person's channel is called HANDLE/KIND, and handles stay out of metrics
        if text in self._configured.get(label, ()):
            return text
        seen = self._seen.setdefault(label, set())
        if text in seen:
            return text
        if len(seen) >= self._limit or len(text) > _LONGEST:
            return OTHER
        seen.add(text)
        return text


def _printable(value: object) -> str:
    return str(value).encode("utf-8", "replace").decode()  # a lone surrogate would break every scrape


class _Bounded(MetricWrapperBase):
    bounds: LabelBounds
    known: dict[tuple[object, ...], Self]
    """Children by the values that were asked for; only values that stand for themselves, so it is bounded too."""

    def labels(self, *labelvalues: object, **labelkwargs: object) -> Self:
        values = labelvalues or tuple(labelkwargs[name] for name in self._labelnames)
        child = self.known.get(values)
        if child is None:
            named = dict(zip(self._labelnames, values, strict=True))
            bounded = {name: self.bounds.bounded(name, value) for name, value in named.items()}
            child = super().labels(**bounded)
            if bounded == named:
                self.known[values] = child
        return child

    def remove(self, *labelvalues: object) -> None:
        self.known.clear()
        super().remove(*labelvalues)


class BoundedCounter(_Bounded, Counter):
    """A counter with bounded labels."""


class BoundedGauge(_Bounded, Gauge):
    """A gauge with bounded labels."""


class BoundedHistogram(_Bounded, Histogram):
    """A histogram with bounded labels."""


M = TypeVar("M", bound=_Bounded)


class Family(Generic[M]):
    """One metric as it is declared; its name is that of the class attribute it stands in.

    `over` is what makes one figure of those of several replicas: sum, max or min.
    """

    def __init__(
        self, kind: type[M], text: str, labels: Mapping[str, Values], *, over: str = "sum", **options: Any
    ) -> None:  # fmt: skip
        self._kind = kind
        self.over = over
        self._options = options
        self.text = text
        self.labels = labels
        self.attribute = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.attribute = name

    @overload
    def __get__(self, obj: None, owner: type) -> Self: ...
    @overload
    def __get__(self, obj: Made, owner: type) -> M: ...
    def __get__(self, obj: Made | None, owner: type) -> Self | M:
        return self if obj is None else obj.made[self.attribute]

    @property
    def name(self) -> str:
        """The name that Prometheus sees."""
        return PREFIX + self.attribute

    @property
    def type(self) -> str:
        """Counter, gauge or histogram."""
        return self._kind.__name__.removeprefix("Bounded").lower()

    def make(self, registry: CollectorRegistry, bounds: LabelBounds) -> M:
        """Make the metric itself."""
        made = self._kind(self.name, self.text, tuple(self.labels), registry=registry, **self._options)
        made.bounds = bounds
        made.known = {}
        return made

    def known_label_sets(self, known: Known) -> Iterator[dict[str, str]]:
        """Give each set of labels that is known before anything happens; none when some label's values are not."""
        of_files = isinstance(self.labels.get("rule"), str)
        rules = list(known.rules.items()) if of_files else [("", ("", ""))]
        if self.labels.get("rule") == "hold rules":
            rules = [rule for rule in rules if rule[1][0] == "hold"]
        for name, (decision, severity) in rules:
            tied = {"rule": name, "decision": decision, "severity": severity} if name else {}
            values = [[tied[label]] if label in tied else _values(of, known) for label, of in self.labels.items()]
            yield from (dict(zip(self.labels, chosen, strict=True)) for chosen in product(*values))


def _values(of: Values, known: Known) -> Sequence[str]:
    if not isinstance(of, str):
        return of
    found: Sequence[str] = getattr(known, of, ())
    return found


def counter(text: str, /, **labels: Values) -> Family[BoundedCounter]:
    """Declare a counter."""
    return Family(BoundedCounter, text, labels)


def gauge(text: str, over: str = "max", /, **labels: Values) -> Family[BoundedGauge]:
    """Declare a gauge; `over` is what to ask for of several replicas, which read what lasts from one store."""
    return Family(BoundedGauge, text, labels, over=over)


def histogram(text: str, buckets: Sequence[float], /, **labels: Values) -> Family[BoundedHistogram]:
    """Declare a histogram; the buckets are in its base unit."""
    return Family(BoundedHistogram, text, labels, buckets=buckets)


def set_all(gauge: Gauge, counts: Mapping[tuple[str, str], float] | Mapping[tuple[str], float]) -> None:
    """Set a gauge of what is counted; a set of labels that is not among the counts any more goes to zero."""
    for labels in {tuple(sample.labels.values()) for family in gauge.collect() for sample in family.samples}:
        gauge.labels(*labels).set(0)
    for labels, number in counts.items():
        gauge.labels(*labels).inc(number)  # what fell into `other` adds up
