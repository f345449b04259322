"""The door to Prometheus: instant queries, and answers that are a number, or say why they are none."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import NoReturn, Protocol

import aiohttp
import msgspec

from incidentd.durations import format_duration
from incidentd.errors import PermanentError, TemporaryError
from incidentd.httpclient import HttpClient, Reply
from incidentd.settings import PrometheusSettings
from incidentd.text import plain

_MOST = 1024 * 1024  # bytes of an answer; a query that a decision hangs on gives one number, not thousands


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


class Prometheus:
    """One Prometheus, asked over its HTTP API. The session stays the caller's, who closes it."""

    def __init__(self, settings: PrometheusSettings, session: aiohttp.ClientSession) -> None:
        self._url = settings.url.rstrip("/") + "/api/v1/query"
        self._headers = settings.headers
        self._http = HttpClient(settings.http, session, who="Prometheus")

    async def query(self, promql: str, *, timeout: timedelta = timedelta(seconds=5)) -> Answer:  # noqa: ASYNC109
        """Evaluate a query at this moment; Prometheus itself is told the timeout too.

        Raises PermanentError, with Prometheus's own words, when asking again would give the same; TemporaryError when
        there was no answer in time or Prometheus is not able to give one now.
        """
        reply = await self._http.ask(
            "POST",  # as queries may be longer than a URL
            self._url,
            within=timeout,
            most=_MOST,
            form={"query": promql, "timeout": format_duration(timeout)},
            headers={name: secret.reveal() for name, secret in self._headers.items()},
        )
        return _read(reply)


def _read(reply: Reply) -> Answer:
    try:
        envelope = msgspec.json.decode(reply.body, type=_Envelope)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        envelope = _Envelope()
    if reply.status != 200 or envelope.status != "success" or envelope.data is None:
        _refuse(reply.status, plain(envelope.error, 300))
    try:
        return _answer(envelope.data, tuple(plain(warning, 300) for warning in envelope.warnings[:10]))
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise PermanentError(f"the answer of Prometheus cannot be read: {plain(str(error), 200)}") from None


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
