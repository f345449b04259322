"""A query that is asked again and again while something is held, and what its answers say about progress.

An answer is progress when it is better than the best so far by a share of it, on two samples in a row: a single one
may be noise. What was counted is the best from then on, so the same improvement never counts twice. No number (no data,
NaN, no answer) is never progress.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

from incidentd.holds.policy import HoldPolicy
from incidentd.playbooks.numbers import is_met
from incidentd.templates import BadTemplate, compile_template, format_number, in_promql
from incidentd.text import plain


class Signal(StrEnum):
    """What an answer would be progress as; also a metric label."""

    QUERY = "query"
    SLO = "slo_short_window"


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """One query of one hold, and what it has answered so far."""

    signal: Signal
    promql: str
    """Filled in, and never again; '' when that could not be done."""
    every: timedelta
    by: float = 0
    higher: bool = False
    condition: str = ""
    """Of a short window: what its value is once nothing burns any more."""
    best: float | None = None
    """The best that was counted so far; of a short window the last value that did burn."""
    before: float | None = None
    """The sample before, when it was good enough and waits for a second one."""
    done: bool = False
    """A short window counts once."""
    said: bool = False
    """That it gives no number was said, and is not said again."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a sample says: at most one of progress, and of what is to be said although it is none."""

    watch: Watch
    progress: str = ""
    ignored: str = ""


def watches_for(
    policy: HoldPolicy, labels: Mapping[str, str], annotations: Mapping[str, str]
) -> tuple[tuple[Watch, ...], tuple[str, ...]]:
    """Fill in the queries of a rule for an alert; the second value says of those that cannot be why not."""
    found, trouble = [], []
    context = {"labels": dict(labels), "annotations": dict(annotations)}
    for signal, of in ((Signal.QUERY, policy.query), (Signal.SLO, policy.slo)):
        if of is None:
            continue
        try:
            promql = compile_template(of.promql).render(context, in_promql)
        except BadTemplate as error:
            trouble.append(f"The query for progress cannot be asked of this alert: {plain(str(error), 300)}.")
            continue
        watch = Watch(signal=signal, promql=promql, every=of.every)
        if policy.query is not None and signal is Signal.QUERY:
            watch = replace(watch, by=policy.query.by, higher=policy.query.higher)
        elif policy.slo is not None:
            watch = replace(watch, condition=policy.slo.condition)
        found.append(watch)
    return tuple(found), tuple(trouble)


def look(watch: Watch, value: float | None, why: str, *, settling: bool) -> Seen:
    """Take a sample; `why` says why it is no number. While a hold settles samples only teach what the best is."""
    if value is None or value != value:  # NaN is no number, whoever passed it on  # noqa: PLR0124
        return _unknown(watch, why or "it gives NaN")
    value = min(max(value, -sys.float_info.max), sys.float_info.max)  # JSON knows no infinity
    if watch.signal is Signal.SLO:
        return _short_window(watch, value)
    return _query(watch, value, settling=settling)


def _unknown(watch: Watch, why: str) -> Seen:
    watch = replace(watch, before=None)
    if watch.said:
        return Seen(watch)
    text = f"The query for progress gives no number: {plain(why, 300)}. That is not progress, and is said once."
    return Seen(replace(watch, said=True), ignored=text)


def _query(watch: Watch, value: float, *, settling: bool) -> Seen:
    if watch.best is None or (settling and _is_better(watch, value, watch.best)):
        return Seen(replace(watch, best=value, before=None))
    bar = watch.best + (1 if watch.higher else -1) * watch.by * abs(watch.best)
    good = _is_better(watch, value, watch.best) and not _is_better(watch, bar, value)
    if not good:
        once = watch.before is not None
        text = (
            f"{format_number(watch.before or 0)} was better, and the sample after it is {format_number(value)}: "
            "one sample is not progress."
        )
        return Seen(replace(watch, before=None), ignored=text if once else "")
    if watch.before is None:
        return Seen(replace(watch, before=value))
    counted = min(value, watch.before) if watch.higher else max(value, watch.before)
    text = f"the query gives {format_number(value)}, {format_number(watch.best)} at the best before"
    return Seen(replace(watch, best=counted, before=None), progress=text)


def _is_better(watch: Watch, value: float, than: float) -> bool:
    return value > than if watch.higher else value < than


def _short_window(watch: Watch, value: float) -> Seen:
    if watch.done:
        return Seen(watch)
    if not is_met(watch.condition, value):
        return Seen(replace(watch, best=value, before=None))
    if watch.best is None:
        return Seen(watch)  # it did not burn when it was looked at first, so nothing got better
    if watch.before is None:
        return Seen(replace(watch, before=value))
    text = f"the short window is back to {format_number(value)} ({watch.condition}), it was {format_number(watch.best)}"
    return Seen(replace(watch, done=True, before=None), progress=text)
