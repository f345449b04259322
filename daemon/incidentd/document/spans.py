"""Links to Grafana and Prometheus that show the time of an incident: from a bit before it began until it was over."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from incidentd.holds import Hold
from incidentd.incidents import ACTIVE, Incident

_AROUND = timedelta(minutes=30)
"""What is shown of the time before and after: how it looks while all is well."""
_LONGEST = 4000
_DASHBOARD = re.compile(r"/d(-solo)?/[^/]+")
_QUERY = re.compile(r"/(graph|query)")
_EXPRESSION = re.compile(r"(g[0-9]{1,2})\.expr")


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The time that a look at an incident is about."""

    start: datetime
    end: datetime | None
    """None: until now, whenever somebody looks."""
    seen: datetime
    """Until when something is known."""


def span_of(about: Incident | Hold, last: datetime) -> Span:
    """Say which time is worth looking at; `last` is when something happened the last time."""
    if isinstance(about, Hold):
        noticed, over = about.opened_at, about.ended_at
    else:
        noticed = about.detected_at
        over = None if about.status in ACTIVE else about.resolved_at or about.ended_at
    began, seen = min(about.impact_started_at, noticed), max(last, noticed)
    return Span(start=began - _AROUND, end=over + _AROUND if over else None, seen=seen)


def within(url: str, span: Span) -> str:
    """Make a link to a dashboard of Grafana or a query of Prometheus show this time.

    A link that says a time already keeps it, and any other link is given back as it is.
    """
    try:
        where = urlsplit(url)
        pairs = parse_qsl(where.query, keep_blank_values=True, max_num_fields=100)
    except ValueError:
        return url
    if len(url) > _LONGEST:
        return url
    if _DASHBOARD.search(where.path):
        more = _of_grafana(span, pairs)
    elif _QUERY.search(where.path):
        more = _of_prometheus(span, pairs)
    else:
        return url
    return where._replace(query=urlencode([*pairs, *more], quote_via=quote)).geturl() if more else url


def query_link(base: str, promql: str, span: Span) -> str:
    """Make a link to the graph of a query at a Prometheus."""
    return within(f"{base.rstrip('/')}/graph?{urlencode({'g0.expr': promql}, quote_via=quote)}", span)


def _of_grafana(span: Span, pairs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    if any(name in ("from", "to") for name, _ in pairs):
        return []
    return [("from", _millis(span.start)), ("to", _millis(span.end) if span.end else "now")]


def _of_prometheus(span: Span, pairs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    said = {name for name, _ in pairs}
    panels = [found[1] for name, _ in pairs if (found := _EXPRESSION.fullmatch(name))]
    until = span.end or span.seen
    hours = math.ceil((until - span.start) / timedelta(hours=1)) + (0 if span.end else 1)
    added: list[tuple[str, str]] = []
    for panel in panels:
        if f"{panel}.range_input" in said:
            continue
        added.append((f"{panel}.range_input", f"{hours}h"))
        if span.end:
            added.append((f"{panel}.end_input", span.end.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")))
    return added


def _millis(at: datetime) -> str:
    return str(round(at.timestamp() * 1000))
