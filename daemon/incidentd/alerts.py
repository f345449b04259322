"""Alertmanager's webhook bodies made values, and what a body changes in the known state of its alerts. Pure.

The contract: a body is an object with a list `alerts`; whatever else it has may be missing, or of another type (relays,
Grafana, old versions). One bad alert never takes its good neighbours down: it is rejected alone, with the reason.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache

import msgspec

from incidentd.errors import BodyRefused

LARGEST_BODY = 32 * 1024 * 1024
LONGEST_VALUE = 65_536
_MARK = "…"
_EXCERPT = 2000

# What no database and no terminal should see: NUL and the control characters but TAB, LF and CR.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")
_ESCAPED_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_LONGEST_NUMBER = 4300
"""Digits; Python itself reads no longer ones."""
_SURROGATE = re.compile("[\ud800-\udfff]")


class AlertStatus(StrEnum):
    """What is known of an alert. A body says only whether it fires; the rest is learned by asking, or by its lack."""

    FIRING = "firing"
    RESOLVED = "resolved"
    SUPPRESSED = "suppressed"
    """It fires, and Alertmanager tells nobody: silenced or inhibited."""
    UNKNOWN = "unknown"
    """Its resolve came while monitoring was blind, which proves nothing: it counts as firing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert of a body."""

    fingerprint: str
    status: AlertStatus
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: datetime | None
    """None when the sender left it out; the instant of arrival counts then."""
    ends_at: datetime | None
    """None while it fires."""
    generator_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """An alert of a body that could not be read, and why."""

    reason: str
    excerpt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertGroup:
    """One webhook body."""

    receiver: str
    group_key: str
    truncated: int
    alerts: tuple[Alert, ...]
    rejected: tuple[Rejected, ...] = ()


class _Body(msgspec.Struct):
    alerts: list[msgspec.Raw]
    receiver: msgspec.Raw = msgspec.Raw(b'""')
    groupKey: msgspec.Raw = msgspec.Raw(b'""')
    truncatedAlerts: msgspec.Raw = msgspec.Raw(b"0")


class _Alert(msgspec.Struct):
    status: str | msgspec.UnsetType | None = msgspec.UNSET
    labels: dict[str, str] | msgspec.UnsetType | None = msgspec.UNSET
    annotations: dict[str, str] | msgspec.UnsetType | None = msgspec.UNSET
    startsAt: str | msgspec.UnsetType | None = msgspec.UNSET
    endsAt: str | msgspec.UnsetType | None = msgspec.UNSET
    generatorURL: object = msgspec.UNSET
    fingerprint: object = msgspec.UNSET
    loneSurrogate: bool = False

    def strings(self) -> list[str]:
        """List every string that was read, the names of what was given among them."""
        texts = (self.status, self.startsAt, self.endsAt, self.generatorURL, self.fingerprint)
        strings = [text for text in texts if isinstance(text, str)]
        strings += ["" for text in (*texts, self.labels, self.annotations) if text is not msgspec.UNSET]
        for pairs in (self.labels, self.annotations):
            if pairs:
                strings += pairs
                strings += pairs.values()
        return strings


_decode_body = msgspec.json.Decoder(_Body).decode
_decode_alert = msgspec.json.Decoder(_Alert).decode
_decode_any = msgspec.json.Decoder().decode


def check_body(body: bytes) -> None:
    """Say at the door whether this is an alert group at all.

    Raises BodyRefused, in one short line, when it is not JSON or has no list of alerts. An alert inside it may still be
    rejected later, alone.
    """
    _open(body)


def parse_group(body: bytes) -> AlertGroup:
    """Read a webhook body. Raises BodyRefused as `check_body` does, and nothing else."""
    opened = _open(body)
    alerts, rejected = [], []
    for raw in opened.alerts:
        try:
            alerts.append(_alert(bytes(raw)))
        except (ValueError, msgspec.MsgspecError, RecursionError, OverflowError) as error:
            rejected.append(Rejected(reason=_reason(error), excerpt=_excerpt(bytes(raw))))
    return AlertGroup(
        receiver=re.sub(r"\\(.)", r"\1", _text_of(opened.receiver)),  # Alertmanager sends it quoted for regexes
        group_key=_text_of(opened.groupKey),
        truncated=_count_of(opened.truncatedAlerts),
        alerts=tuple(alerts),
        rejected=tuple(rejected),
    )


def _open(body: bytes) -> _Body:
    body = body.removeprefix(b"\xef\xbb\xbf")
    try:
        body.decode("utf-8")
        return _decode_body(_slowly(body) if _is_odd(body) else body)
    except UnicodeDecodeError as error:
        raise BodyRefused(f"not UTF-8 at byte {error.start}") from None
    except msgspec.ValidationError as error:
        raise BodyRefused(f"not an alert group: {error}") from None
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise BodyRefused(f"not JSON: {error}") from None


def _is_odd(body: bytes) -> bool:
    """Say whether a body holds something that only the slow reader tells apart.

    A surrogate escape, for which the fast reader refuses the whole body; a number that is too long; a second list of
    alerts. Half a number's length is looked at in each step: a run of digits that is too long always covers one.
    """
    half = _LONGEST_NUMBER // 2
    return (
        (b"\\" in body and _ESCAPED_SURROGATE.search(body) is not None)
        or body.count(b'"alerts"') > 1
        or any(body[at : at + half].isdigit() for at in range(0, len(body) - half, half))
    )


def _slowly(body: bytes) -> bytes:
    """Write an odd body anew, so that only its bad part is refused. Raises ValueError for what is no JSON."""
    value = json.loads(body, parse_constant=_no_constant, object_pairs_hook=_unique)
    if not isinstance(value, dict) or not isinstance(value.get("alerts"), list):
        return body
    value["alerts"] = [a if _has_utf8(a) else {"loneSurrogate": True} for a in value["alerts"]]
    kept = {name: value[name] for name in ("alerts", "receiver", "groupKey", "truncatedAlerts") if name in value}
    return json.dumps({name: v for name, v in kept.items() if _has_utf8(v)}, ensure_ascii=False).encode()


def _has_utf8(value: object) -> bool:
    return _SURROGATE.search(json.dumps(value, ensure_ascii=False)) is None


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice[:40]!r} stands twice in one object")
    return value


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON number")


def _alert(raw: bytes) -> Alert:
    given = _decode_alert(raw)
    strings = given.strings()
    if not _is_all(raw, strings):
        json.loads(raw, object_pairs_hook=_unique)  # which of two values would count is nobody's guess
    if given.loneSurrogate:
        raise ValueError("a lone surrogate in a string")
    if given.status is None and not given.labels:
        raise ValueError("neither a status nor labels")
    ends = parse_time(given.endsAt or "")
    # bodies before version 4 carry no status of their own alert by alert: one that has ended is resolved
    status = given.status or ("resolved" if ends else "firing")
    if status not in ("firing", "resolved"):
        raise ValueError(f"unknown status {status[:40]!r}")
    mend: Callable[[str], str] = str if _is_clean("".join(strings)) else clean
    labels = {mend(name): mend(value) for name, value in (given.labels or {}).items() if value}
    annotations = {mend(name): mend(value) for name, value in (given.annotations or {}).items()}
    fingerprint = given.fingerprint if isinstance(given.fingerprint, str) and given.fingerprint else ""
    return Alert(
        fingerprint=mend(fingerprint)[:128] or fingerprint_of(labels),
        status=AlertStatus(status),
        labels=labels,
        annotations=annotations,
        starts_at=parse_time(given.startsAt or ""),
        ends_at=ends if status == AlertStatus.RESOLVED else None,
        generator_url=mend(given.generatorURL) if isinstance(given.generatorURL, str) else "",
    )


def _is_all(raw: bytes, strings: list[str]) -> bool:
    """Say, at little cost and for nearly every alert, that nothing that it holds was left out: no key stood twice.

    Where no quote is escaped, each string has two.
    """
    return b"\\\\" not in raw and b'\\"' not in raw and raw.count(b'"') == 2 * len(strings)


def _is_clean(value: str) -> bool:
    return value.isascii() and value.isprintable() and len(value) <= LONGEST_VALUE


def clean(value: str) -> str:
    """Take out of a string what no store keeps: control characters become U+FFFD, a too long one is cut with a mark.

    Raises ValueError for a lone surrogate: such a string has no UTF-8 form.
    """
    if _is_clean(value):
        return value
    if _SURROGATE.search(value):
        raise ValueError("a lone surrogate in a string")
    value = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", value)
    return value if len(value) <= LONGEST_VALUE else value[:LONGEST_VALUE] + _MARK


@lru_cache(1024)  # the alerts of a group began together, and each is told of again and again
def parse_time(text: str) -> datetime | None:
    """Read an RFC 3339 time with up to nine digits (cut to microseconds) and any offset.

    The empty string and the year 1 (Go's zero time) are None. Raises ValueError for anything else that is no time.
    """
    if not text or text.startswith("0001-01-01T"):
        return None
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError(f"not a time: {text[:40]!r}")
    day, clock, fraction, zone = found.groups()
    try:
        at = datetime.fromisoformat(f"{day}T{clock}{(fraction or '')[:7]}{zone.upper().replace('Z', '+00:00')}")
        return at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"not a time: {text[:40]!r}") from None


def fingerprint_of(labels: Mapping[str, str]) -> str:
    """Compute the fingerprint as Alertmanager does: FNV-1a of 64 bits over the sorted names and values."""
    state = 0xCBF29CE484222325
    for name in sorted(labels):
        for byte in b"%b\xff%b\xff" % (name.encode(), labels[name].encode()):
            state = ((state ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{state:016x}"


def _text_of(raw: msgspec.Raw) -> str:
    try:
        value = _decode_any(raw)
        if isinstance(value, str):
            return clean(value)
        return "" if value is None else clean(json.dumps(value))
    except (ValueError, msgspec.MsgspecError, RecursionError):
        return ""


def _count_of(raw: msgspec.Raw) -> int:
    try:
        value = _decode_any(raw)
    except (ValueError, msgspec.MsgspecError, RecursionError):
        return 0
    return value if isinstance(value, int) and 0 <= value < 2**31 else 0


def _reason(error: Exception) -> str:
    return str(error).encode("utf-8", "replace").decode()[:200] or type(error).__name__


def _excerpt(raw: bytes) -> str:
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", raw[:_EXCERPT].decode("utf-8", "replace"))


# -- what a body changes ---------------------------------------------------------------------------------------------


class Change(StrEnum):
    """What an alert in a body did to what was known of it."""

    REPEAT = "repeat"
    """Nothing: a retry, a twin from another peer, or a repeat."""
    FIRED = "fired"
    REFIRED = "refired"
    """Still firing, but it resolved and fired again between two bodies: `startsAt` moved forward by `MOVED` or more."""
    RESOLVED = "resolved"
    CORRECTED = "corrected"
    """The same state with other times."""
    UNSEEN = "unseen"
    """Resolved, and nobody here ever saw it fire."""
    ECHO = "echo"
    """Firing soon after its resolve, with a start before that: it fires again, or another peer's body came late."""
    CONFIRMED = "confirmed"
    """It fires; before, it was suppressed or in doubt."""
    FOUND = "found"
    """It fires, and no body said so: asking Alertmanager found it."""
    GONE = "gone"
    """Resolved, and no body said so: Alertmanager has it no longer."""
    SUPPRESSED = "suppressed"
    DOUBTED = "doubted"
    """Its resolve is not believed."""


DECIDABLE = frozenset({Change.FIRED, Change.REFIRED, Change.RESOLVED, Change.ECHO, Change.CONFIRMED})
FIRED_ANEW = frozenset({Change.FIRED, Change.REFIRED, Change.ECHO, Change.FOUND})
ECHO_WITHIN = timedelta(minutes=10)
"""Two of Alertmanager's default group_interval: one for the resolve to be told, one for another peer's late body."""
MOVED = timedelta(seconds=1)
"""A start that moved forward by less is the same one: Alertmanager answers in milliseconds, and sends nanoseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of one alert."""

    status: AlertStatus
    starts_at: datetime
    ends_at: datetime | None


def merge(known: Known | None, alert: Alert, received_at: datetime) -> tuple[Known, Change]:
    """Say what is known after this alert came, and what it changed.

    Identity is the state, not the bytes: the same body is a repeat while the state is as it says, and a new event once
    the state is another (an alert that fires, expires and fires again can send the first body a second time).
    """
    starts = alert.starts_at or (known.starts_at if known else received_at)
    if alert.status is AlertStatus.FIRING:
        return _merge_firing(known, starts, received_at)
    return _merge_resolved(known, starts, alert.ends_at or received_at)


def _merge_firing(known: Known | None, starts: datetime, received_at: datetime) -> tuple[Known, Change]:
    now = Known(status=AlertStatus.FIRING, starts_at=starts, ends_at=None)
    if known is None:
        return now, Change.FIRED
    if known.status is AlertStatus.RESOLVED:
        ended = known.ends_at or received_at
        late_twin = starts <= ended and received_at - ended <= ECHO_WITHIN
        return now, Change.ECHO if late_twin else Change.FIRED
    if known.status is not AlertStatus.FIRING:
        return now, Change.CONFIRMED
    if starts - known.starts_at >= MOVED:
        return now, Change.REFIRED
    # of several Prometheus replicas the earliest start counts, as in Alertmanager itself
    return (now, Change.CORRECTED) if starts < known.starts_at else (known, Change.REPEAT)


def _merge_resolved(known: Known | None, starts: datetime, ends: datetime) -> tuple[Known, Change]:
    now = Known(status=AlertStatus.RESOLVED, starts_at=starts, ends_at=ends)
    if known is None:
        return now, Change.UNSEEN
    if known.status is AlertStatus.RESOLVED:
        return (known, Change.REPEAT) if known.ends_at == ends else (now, Change.CORRECTED)
    if known.status is AlertStatus.UNKNOWN and known.ends_at == ends:
        return known, Change.REPEAT  # the resolve that is in doubt, once more
    if ends < known.starts_at:
        return known, Change.REPEAT  # a late word about an earlier firing
    return replace(now, starts_at=max(starts, known.starts_at)), Change.RESOLVED


def age(starts_at: datetime, now: datetime) -> timedelta:
    """Say how long ago an alert began; never less than nothing, since other machines' clocks run ahead."""
    return max(now - starts_at, timedelta(0))
