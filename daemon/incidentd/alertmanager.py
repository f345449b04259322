"""The door to Alertmanager's API v2: what fires there now, for whom, muted by what; and its running configuration."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

import aiohttp
import msgspec

from incidentd.alerts import clean, parse_time
from incidentd.errors import IncidentdError, PermanentError, TemporaryError
from incidentd.handoff import Silence
from incidentd.httpclient import HttpClient, Reply
from incidentd.matchers import BadMatcher, Matcher, Op
from incidentd.playbooks.errands import SilenceOrder, is_of_run
from incidentd.reconciliation import ApiAlert, Snapshot
from incidentd.settings import AlertmanagerSettings
from incidentd.text import plain

WITHIN = timedelta(seconds=5)
"""For all of an answer; a hold that is about to declare waits for it."""
MOST = 64 * 1024 * 1024
"""Bytes of an answer: more than 50,000 alerts with long annotations."""
_MUTES_BY_TIME = re.compile(r"^\s*(?:mute|active)_time_intervals:", re.MULTILINE)
_SILENCE = "silence "
_RECEIVER = re.compile(r"^- name: (?P<name>.*)$", re.MULTILINE)


class _Named(msgspec.Struct):
    name: str = ""


class _State(msgspec.Struct, rename="camel"):
    state: str = ""
    silenced_by: list[str] = msgspec.field(default_factory=list)
    inhibited_by: list[str] = msgspec.field(default_factory=list)
    muted_by: list[str] | None = None
    """Missing before 0.28."""


class _Alert(msgspec.Struct, rename="camel"):
    fingerprint: str
    labels: dict[str, str]
    starts_at: str
    status: _State
    annotations: dict[str, str] = msgspec.field(default_factory=dict)
    receivers: list[_Named] = msgspec.field(default_factory=list)
    generator_url: str = msgspec.field(default="", name="generatorURL")


class _Silenced(msgspec.Struct):
    state: str = ""
    """expired | active | pending"""


_SIGNS: Mapping[tuple[bool, bool], Op] = {
    (True, False): "=", (True, True): "=~", (False, False): "!=", (False, True): "!~",
}  # fmt: skip


class _Matcher(msgspec.Struct, rename="camel"):
    name: str
    value: str
    is_regex: bool = False
    is_equal: bool = True


class _Silence(msgspec.Struct, rename="camel"):
    ends_at: str
    status: _Silenced
    id: str = ""
    matchers: list[_Matcher] = msgspec.field(default_factory=list)
    created_by: str = ""
    comment: str = ""


class _Made(msgspec.Struct):
    silence_id: str = msgspec.field(name="silenceID")


class _Config(msgspec.Struct):
    original: str = ""


class _Version(msgspec.Struct):
    version: str = ""


class _Status(msgspec.Struct, rename="camel"):
    config: _Config = msgspec.field(default_factory=_Config)
    uptime: str = ""
    """When it started."""
    version_info: _Version = msgspec.field(default_factory=_Version)


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What one Alertmanager says of itself."""

    version: str
    configuration: str
    """YAML, with the defaults written out and secrets hidden."""
    up_for: timedelta


@dataclass(frozen=True, slots=True)
class _Heard:
    """What one peer said."""

    alerts: Sequence[ApiAlert]
    says_time_muting: bool
    status: Status


_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_one = msgspec.json.Decoder(_Alert).decode
_status = msgspec.json.Decoder(_Status).decode
_silences = msgspec.json.Decoder(list[_Silence]).decode
_made = msgspec.json.Decoder(_Made).decode


class Alertmanager:
    """One Alertmanager, of one or several peers. The session stays the caller's, who closes it."""

    def __init__(
        self, settings: AlertmanagerSettings, session: aiohttp.ClientSession, *, now: Callable[[], datetime],
        webhook: str = "",
    ) -> None:  # fmt: skip
        """Take `webhook`, the end of the address under which deliveries come here, to know our receivers by it."""
        self._urls = settings.urls
        self._clients = {url: HttpClient(settings.http, session, who=f"Alertmanager at {url}") for url in self._urls}
        self._now = now
        self._webhook = webhook

    async def alerts(self) -> Snapshot:
        """List what fires. Every peer is asked at once, one answer is enough, and what any of them has is there.

        Raises TemporaryError when nobody answered within 5 s, PermanentError when asking again would give the same.
        """
        asked_at = self._now()
        said = await asyncio.gather(*(self._hear(url) for url in self._urls), return_exceptions=True)
        heard = [one for one in said if isinstance(one, _Heard)]
        if not heard:
            raise _trouble(said)
        found: dict[str, ApiAlert] = {}
        for one in heard:
            for it in one.alerts:
                other = found.get(it.fingerprint)
                # gossip lags: what one peer still tells is not muted
                found[it.fingerprint] = it if other is None or (other.muted_by and not it.muted_by) else other
        return Snapshot(
            asked_at=asked_at,
            alerts=found,
            up_for=max(one.status.up_for for one in heard),
            receivers=frozenset().union(*(self._ours(one.status.configuration) for one in heard)),
            hides_muting=any(
                not one.says_time_muting and _MUTES_BY_TIME.search(one.status.configuration) is not None
                for one in heard
            ),
        )

    async def status(self) -> Status:
        """Read the running configuration of the first peer that answers. Raises as `alerts` does."""
        errors: list[BaseException] = []
        for url in self._urls:
            try:
                return await self._status(url)
            except IncidentdError as error:
                errors.append(error)
        raise _trouble(errors)

    async def silences(self) -> list[Silence]:
        """List the silences in force and to come, as the first peer that answers has them. Raises as `alerts`."""
        errors: list[BaseException] = []
        for url in self._urls:
            try:
                return await self._silences(url)
            except IncidentdError as error:
                errors.append(error)
        raise _trouble(errors)

    async def silence(self, wanted: SilenceOrder) -> str:
        """Make sure that a silence is there, once, and give its id: one with its key is looked for on every peer first.

        Raises as `alerts` does; when no answer came, it may have been made (`maybe_done`), and asking again finds it.
        """
        there = await self._of_run(wanted.key)
        if there:
            return next(iter(there))
        errors: list[BaseException] = []
        for url in self._urls:
            try:
                return await self._make(url, wanted)
            except IncidentdError as error:
                if isinstance(error, TemporaryError) and error.maybe_done:
                    raise
                errors.append(error)
        raise _trouble(errors)

    async def lift(self, mark: str) -> int:
        """End every silence of the run with this mark, and say how many there were. Raises as `alerts` does."""
        there = await self._of_run(mark)
        for silence, url in there.items():
            reply = await self._write("DELETE", url, f"silence/{silence}", None)
            if reply.status != 200 and silence in await self._of_run(mark):  # else somebody was faster
                _check(reply, f"Alertmanager at {url}")
        return len(there)

    async def _of_run(self, mark: str) -> dict[str, str]:
        """Find the silences that a run made and that have not ended; for each the peer that has it."""
        said = await asyncio.gather(*(self._listed(url) for url in self._urls), return_exceptions=True)
        if all(isinstance(one, BaseException) for one in said):
            raise _trouble(said)
        return {
            it.id: url
            for url, its in zip(self._urls, said, strict=True) if not isinstance(its, BaseException)
            for it in its if is_of_run(it.created_by, it.comment, mark)
        }  # fmt: skip

    async def _make(self, url: str, wanted: SilenceOrder) -> str:
        now, who = self._now(), f"Alertmanager at {url}"
        reply = await self._write("POST", url, "silences", {
            "matchers": [
                {"name": it.name, "value": it.value, "isRegex": "~" in it.op, "isEqual": not it.op.startswith("!")}
                for it in wanted.matchers
            ],
            "startsAt": now.isoformat(), "endsAt": (now + wanted.lasts).isoformat(), "createdBy": wanted.by,
            "comment": wanted.comment,
        })  # fmt: skip
        if reply.status in (400, 422):
            raise PermanentError(f"{who} refuses the silence: {plain(reply.body.decode(errors='replace'), 200)}")
        _check(reply, who)
        try:
            return clean(_made(reply.body).silence_id)[:128]
        except msgspec.MsgspecError as error:
            raise PermanentError(f"the answer of {who} cannot be read: {plain(str(error), 200)}") from None

    async def _write(self, method: str, url: str, path: str, body: object) -> Reply:
        raw = None if body is None else msgspec.json.encode(body)
        return await self._clients[url].ask(method, f"{url}/api/v2/{path}", within=WITHIN, most=MOST, body=raw)

    async def _silences(self, url: str) -> list[Silence]:
        try:
            return [_silence(it) for it in await self._listed(url)]
        except ValueError as error:
            raise PermanentError(f"the silences of Alertmanager at {url} cannot be read: {error}") from None

    async def _listed(self, url: str) -> list[_Silence]:
        """List the silences of a peer that have not ended."""
        who = f"Alertmanager at {url}"
        reply = await self._clients[url].ask("GET", f"{url}/api/v2/silences", within=WITHIN, most=MOST)
        _check(reply, who)
        try:
            return [it for it in _silences(reply.body) if it.status.state != "expired"]
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise PermanentError(f"the silences of {who} cannot be read: {plain(str(error), 200)}") from None

    async def _hear(self, url: str) -> _Heard:
        status, (alerts, says_time_muting) = await asyncio.gather(self._status(url), self._alerts(url))
        if any(one.startswith(_SILENCE) for it in alerts for one in it.muted_by):
            runs = {it.id for it in await self._listed(url) if is_of_run(it.created_by, it.comment)}
            alerts = [replace(it, muted_by_runs=_only_by(it.muted_by, runs)) for it in alerts] if runs else alerts
        return _Heard(alerts, says_time_muting, status)

    async def _alerts(self, url: str) -> tuple[list[ApiAlert], bool]:
        who = f"Alertmanager at {url}"
        reply = await self._clients[url].ask("GET", f"{url}/api/v2/alerts", within=WITHIN, most=MOST)
        _check(reply, who)
        try:
            return await asyncio.to_thread(_read_alerts, reply.body)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise PermanentError(f"the answer of {who} cannot be read: {plain(str(error), 200)}") from None

    async def _status(self, url: str) -> Status:
        who = f"Alertmanager at {url}"
        reply = await self._clients[url].ask("GET", f"{url}/api/v2/status", within=WITHIN, most=MOST)
        _check(reply, who)
        try:
            read = _status(reply.body)
            return Status(
                version=read.version_info.version, configuration=read.config.original,
                up_for=_up_for(read.uptime, reply.date),
            )  # fmt: skip
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise PermanentError(f"the status of {who} cannot be read: {plain(str(error), 200)}") from None

    def _ours(self, configuration: str) -> frozenset[str]:
        """Name the receivers whose webhook leads here, as far as Alertmanager shows addresses (it hides newer ones)."""
        if not self._webhook:
            return frozenset()
        address = re.compile(r"^\s*-?\s*url: \S*" + re.escape(self._webhook) + r"/?[\"']?$", re.MULTILINE)
        names = list(_RECEIVER.finditer(configuration))
        ends = [following.start() for following in names[1:]] + [len(configuration)]
        return frozenset(
            found["name"].strip("\"'")
            for found, end in zip(names, ends, strict=False)  # there is an end too many where no receiver is shown
            if address.search(configuration, found.end(), end)
        )


def _read_alerts(body: bytes) -> tuple[list[ApiAlert], bool]:
    """Read the list alert by alert, so that the loop's thread gets its turns while a large one is read."""
    found, says_time_muting = [], True
    for raw in _list(body):
        it = _one(raw)
        says_time_muting &= it.status.muted_by is not None
        found.append(_alert(it))
    return found, says_time_muting


def _only_by(muted_by: Sequence[str], silences: set[str]) -> bool:
    return bool(muted_by) and {*muted_by} <= {_by_silence(one) for one in silences}


def _by_silence(name: str) -> str:
    return f"{_SILENCE}{plain(name, 40)}"


def _alert(it: _Alert) -> ApiAlert:
    starts_at = parse_time(it.starts_at)
    if starts_at is None:
        raise ValueError("an alert without startsAt")
    muted = [_by_silence(name) for name in it.status.silenced_by]
    muted += [f"alert {plain(name, 40)}" for name in it.status.inhibited_by]
    muted += [f"time interval {plain(name, 40)}" for name in it.status.muted_by or ()]
    return ApiAlert(
        fingerprint=clean(it.fingerprint)[:128],
        labels=_clean(it.labels),
        annotations=_clean(it.annotations),
        starts_at=starts_at,
        generator_url=clean(it.generator_url),
        receivers=frozenset(one.name for one in it.receivers),
        muted_by=tuple(muted) or (("something",) if it.status.state == "suppressed" else ()),
        processed=it.status.state != "unprocessed",
    )


def _silence(it: _Silence) -> Silence:
    ends_at = parse_time(it.ends_at)
    if ends_at is None:
        raise ValueError("a silence without endsAt")
    matchers = ", ".join(f'{one.name}{_SIGNS[one.is_equal, one.is_regex]}"{one.value}"' for one in it.matchers)
    try:
        match = tuple(Matcher(one.name, _SIGNS[one.is_equal, one.is_regex], one.value) for one in it.matchers)
    except BadMatcher:  # a pattern that we read otherwise: which alerts it mutes nobody can say here
        match = ()
    return Silence(
        matchers=clean(f"{{{matchers}}}"), ends_at=ends_at, by=clean(it.created_by), comment=clean(it.comment),
        id=clean(it.id)[:128], match=match,
    )  # fmt: skip


def _clean(written: Mapping[str, str]) -> dict[str, str]:
    return {clean(name): clean(value) for name, value in written.items()}


def _up_for(started: str, date: str) -> timedelta:
    """Say how long it runs, by its own clock; nothing when it does not say."""
    started_at = parse_time(started)
    if started_at is None or not date:
        return timedelta(0)
    return max(parsedate_to_datetime(date) - started_at, timedelta(0))


def _check(reply: Reply, who: str) -> None:
    match reply.status:
        case 200:
            return
        case 401 | 403:
            raise PermanentError(f"{who} refuses these credentials (HTTP {reply.status}): check its http_config")
        case 404 | 410:
            raise PermanentError(f"{who} has no API v2 (HTTP {reply.status}): check the url, with its route prefix")
        case 408 | 429 | 500 | 502 | 503 | 504:
            raise TemporaryError(f"{who} cannot answer now (HTTP {reply.status})")
        case status if 300 <= status < 400:
            raise PermanentError(f"{who} redirects (HTTP {status}), which is not followed: configure the final url")
        case status:
            raise PermanentError(f"this is no answer of {who} (HTTP {status}): check the url of the source")


def _trouble(said: Sequence[object]) -> BaseException:
    """Give what the peers' errors come to: a fault of ours first, then a temporary one, since another try may do."""
    for one in said:
        if isinstance(one, BaseException) and not isinstance(one, IncidentdError):
            return one
    errors = [one for one in said if isinstance(one, IncidentdError)]
    text = "; ".join(str(error) for error in errors)
    temporary = any(isinstance(error, TemporaryError) for error in errors)
    return TemporaryError(text) if temporary else PermanentError(text)
