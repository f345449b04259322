"""The door to Prometheus: queries for one number, which answer or say why not; courses to draw; alerting rules."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NoReturn, Protocol

import aiohttp
import msgspec

from incidentd.durations import format_duration
from incidentd.errors import PermanentError, TemporaryError
from incidentd.graphs import Line
from incidentd.httpclient import HttpClient, Reply
from incidentd.settings import PrometheusSettings
from incidentd.text import plain

_MOST = 1024 * 1024  # bytes of an answer; a query that a decision hangs on gives one number, not thousands
_MOST_DRAWN = 8 * 1024 * 1024
_MOST_RULES = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One series of an answer, with its labels. The value is None for a histogram, which is no single number."""

    labels: Mapping[str, str]
    value: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What Prometheus answered. `value` is None when the answer is not exactly one number, and `reason` says why."""

    value: float | None = None
    """Infinite values stay infinite; NaN is no number."""
    reason: str = ""
    samples: tuple[Sample, ...] = ()
    warnings: tuple[str, ...] = ()


class Asks(Protocol):
    """Whoever can be asked a query."""

    async def query(self, promql: str) -> Answer:
        """Ask for a number. Raises TemporaryError and PermanentError."""


async def number(doors: Mapping[str, Asks], source: str, promql: str) -> float | None:
    """Ask the Prometheus of a source for one number; None is no data.

    Raises TemporaryError, and PermanentError too when the source has none or the answer is more than one number.
    """
    if source not in doors:
        raise PermanentError(f"the source {source} has no prometheus in the configuration; add one")
    answer = await doors[source].query(promql)
    if answer.value is None and answer.samples:
        raise PermanentError(answer.reason)
    return answer.value


class _Data(msgspec.Struct, rename="camel"):
    result_type: str
    result: msgspec.Raw


class _Envelope(msgspec.Struct, rename="camel"):
    status: str = ""
    data: _Data | None = None
    error: str = ""
    warnings: list[str] = msgspec.field(default_factory=list)


class _Series(msgspec.Struct):
    metric: dict[str, str]
    value: tuple[float, str] | None = None


class _Course(msgspec.Struct):
    metric: dict[str, str]
    values: list[tuple[float, str]] = msgspec.field(default_factory=list)


class _Rule(msgspec.Struct):
    type: str = ""
    name: str = ""
    query: str = ""


class _RuleGroup(msgspec.Struct):
    rules: list[_Rule] = msgspec.field(default_factory=list)


class _RuleGroups(msgspec.Struct):
    groups: list[_RuleGroup] = msgspec.field(default_factory=list)


class _RulesEnvelope(msgspec.Struct):
    status: str = ""
    data: _RuleGroups = msgspec.field(default_factory=_RuleGroups)
    error: str = ""


class Prometheus:
    """One Prometheus, asked over its HTTP API. The session stays the caller's, who closes it."""

    def __init__(self, settings: PrometheusSettings, session: aiohttp.ClientSession) -> None:
        self._api = settings.url.rstrip("/") + "/api/v1"
        self._headers = settings.headers
        self._http = HttpClient(settings.http, session, who="Prometheus")

    async def query(self, promql: str, *, timeout: timedelta = timedelta(seconds=5)) -> Answer:  # noqa: ASYNC109
        """Evaluate a query at this moment; Prometheus itself is told the timeout too.

        Raises PermanentError, with Prometheus's own words, when asking again would give the same; TemporaryError when
        there was no answer in time or Prometheus is not able to give one now.
        """
        reply = await self._post("query", {"query": promql}, timeout, _MOST)
        data, warnings = _opened(reply)
        try:
            return _answer(data, warnings)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise _unreadable(error) from None

    async def course(
        self, promql: str, *, start: datetime, end: datetime, step: timedelta,
        timeout: timedelta = timedelta(seconds=10),  # noqa: ASYNC109
    ) -> tuple[Line, ...]:  # fmt: skip
        """Evaluate a query at every step between two instants. Raises as `query` does."""
        form = {
            "query": promql, "start": str(start.timestamp()), "end": str(end.timestamp()),
            "step": str(step.total_seconds()),
        }  # fmt: skip
        data, _ = _opened(await self._post("query_range", form, timeout, _MOST_DRAWN))
        try:
            found = msgspec.json.decode(data.result, type=list[_Course]) if data.result_type == "matrix" else []
            return tuple(
                Line(
                    labels=one.metric,
                    points=tuple((datetime.fromtimestamp(at, UTC), float(value)) for at, value in one.values),
                )
                for one in found
            )
        except (msgspec.DecodeError, ValueError, OverflowError, RecursionError) as error:
            raise _unreadable(error) from None

    async def alerting_rules(self, names: Collection[str]) -> dict[str, str]:
        """Give the queries of alerting rules by their names, as Prometheus has them; of several with a name, the first.

        Raises as `query` does.
        """
        reply = await self._http.ask(
            "GET", f"{self._api}/rules?type=alert", within=timedelta(seconds=10), most=_MOST_RULES,
            headers=self._sent_headers(),
        )  # fmt: skip
        try:
            envelope = msgspec.json.decode(reply.body, type=_RulesEnvelope)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            envelope = _RulesEnvelope()
        if reply.status != 200 or envelope.status != "success":
            _refuse(reply.status, plain(envelope.error, 300))
        found: dict[str, str] = {}
        for rule in (rule for group in envelope.data.groups for rule in group.rules):
            if rule.type == "alerting" and rule.name in names:
                found.setdefault(rule.name, rule.query)
        return found

    async def _post(self, what: str, form: Mapping[str, str], timeout: timedelta, most: int) -> Reply:  # noqa: ASYNC109
        """Send a query as a form, since one may be longer than a URL."""
        form = {**form, "timeout": format_duration(timeout)}
        url = f"{self._api}/{what}"
        return await self._http.ask("POST", url, within=timeout, most=most, form=form, headers=self._sent_headers())

    def _sent_headers(self) -> dict[str, str]:
        return {name: secret.reveal() for name, secret in self._headers.items()}


def _opened(reply: Reply) -> tuple[_Data, tuple[str, ...]]:
    try:
        envelope = msgspec.json.decode(reply.body, type=_Envelope)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        envelope = _Envelope()
    if reply.status != 200 or envelope.status != "success" or envelope.data is None:
        _refuse(reply.status, plain(envelope.error, 300))
    return envelope.data, tuple(plain(warning, 300) for warning in envelope.warnings[:10])


def _unreadable(error: Exception) -> PermanentError:
    return PermanentError(f"the answer of Prometheus cannot be read: {plain(str(error), 200)}")


def _refuse(status: int, said: str) -> NoReturn:
    said = said or "without saying why"
    match status:
        case 401 | 403:
            raise PermanentError(f"Prometheus refuses these credentials (HTTP {status}, {said}): check its http_config")
        case 408 | 429:
            raise TemporaryError(f"Prometheus is too busy for the query (HTTP {status}): {said}")
        case _ if 300 <= status < 400:
            raise PermanentError(
                f"Prometheus redirects (HTTP {status}), which is not followed: configure the final url"
            )
        case _ if 400 <= status < 500:
            raise PermanentError(f"Prometheus refuses the query (HTTP {status}): {said}")
        case _ if status >= 500:
            raise TemporaryError(f"Prometheus cannot answer now (HTTP {status}): {said}")
        case _:
            raise PermanentError(f"this is no answer of Prometheus (HTTP {status}): check the url of the source")


def _answer(data: _Data, warnings: tuple[str, ...]) -> Answer:
    match data.result_type:
        case "vector":
            series = msgspec.json.decode(data.result, type=list[_Series])
            samples = tuple(Sample(labels=one.metric, value=one.value and float(one.value[1])) for one in series)
        case "scalar":
            _, written = msgspec.json.decode(data.result, type=tuple[float, str])
            samples = (Sample(labels={}, value=float(written)),)
        case other:
            return Answer(reason=f"the query gives a {plain(other, 20)}, not a number", warnings=warnings)
    value, reason = _single(samples)
    return Answer(value=value, reason=reason, samples=samples, warnings=warnings)


def _single(samples: tuple[Sample, ...]) -> tuple[float | None, str]:
    if not samples:
        return None, "the query gives no data"
    if len(samples) > 1:
        return None, f"the query gives {len(samples)} series, not one number: aggregate it, e.g. sum(...)"
    value = samples[0].value
    if value is None:
        return None, "the query gives a histogram, not a number"
    return (None, "the query gives NaN") if math.isnan(value) else (value, "")
