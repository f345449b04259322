"""Durations as Prometheus writes them: `1h30m`, `500ms`, `2w`, and `0`; and as HTTP asks for them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from email.utils import parsedate_to_datetime

# The grammar of Prometheus: units in this order, each at most once, at least one of them.
_GRAMMAR = re.compile(
    r"(?:(?P<y>[0-9]+)y)?(?:(?P<w>[0-9]+)w)?(?:(?P<d>[0-9]+)d)?(?:(?P<h>[0-9]+)h)?"
    r"(?:(?P<m>[0-9]+)m)?(?:(?P<s>[0-9]+)s)?(?:(?P<ms>[0-9]+)ms)?"
)
_MILLISECONDS = {
    "y": 365 * 86_400_000,
    "w": 7 * 86_400_000,
    "d": 86_400_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1000,
    "ms": 1,
}
_LONGEST = 100 * _MILLISECONDS["y"]
LONGEST_WAIT = timedelta(minutes=15)
"""A server's wish to be asked again later than this is answered after this."""


FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(8999, 12, 31)
REACH = f"from {FIRST_DAY.year} to {LAST_DAY.year}"
"""The days that people may name: with what is added to them or taken away they stay in the calendar."""


def in_reach(day: date) -> bool:
    """Say whether a day, or an instant by its own clock, is one that people may name."""
    return FIRST_DAY.year <= day.year <= LAST_DAY.year


def parse_duration(text: str) -> timedelta:
    """Read a Prometheus duration; raise ValueError, with what would be right, for anything else."""
    if text == "0":
        return timedelta(0)
    found = _GRAMMAR.fullmatch(text) if len(text) <= 40 else None
    if found is None or not text:
        raise ValueError(f"{text[:40]!r} is not a duration: write it as Prometheus does, for example 30s, 5m or 1h30m")
    total = sum(int(value) * _MILLISECONDS[unit] for unit, value in found.groupdict().items() if value)
    if total > _LONGEST:
        raise ValueError(f"{text!r} is longer than 100 years")
    return timedelta(milliseconds=total)


def format_duration(duration: timedelta) -> str:
    """Write a duration as Prometheus does, without years and weeks; a negative one gets a leading minus."""
    rest = round(duration / timedelta(milliseconds=1))
    if rest < 0:
        return "-" + format_duration(-duration)
    parts = []
    for unit in ("d", "h", "m", "s", "ms"):
        count, rest = divmod(rest, _MILLISECONDS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def about(duration: timedelta) -> str:
    """Say a duration to a person: two units at most, whole seconds (`1h30m`, `4m`, `59s`)."""
    whole = timedelta(seconds=round(duration.total_seconds()))
    if whole >= timedelta(days=1):
        whole = timedelta(hours=round(whole / timedelta(hours=1)))
    elif whole >= timedelta(hours=1):
        whole = timedelta(minutes=round(whole / timedelta(minutes=1)))
    return format_duration(whole)


def countdown(until: datetime, now: datetime) -> str:
    """Say how long something has still, or how late it is: `in 4m`, `now`, `12m late`; past a minute, whole minutes."""
    left = until - now
    whole = abs(left) if abs(left) < timedelta(minutes=1) else timedelta(minutes=abs(left) // timedelta(minutes=1))
    if whole < timedelta(seconds=1):
        return "now"
    return f"in {about(whole)}" if left > timedelta(0) else f"{about(whole)} late"


def retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """Read Retry-After, seconds or an HTTP date, between now and 15 minutes; None when there is none or it is nonsense.

    A date is compared with the answer's own Date, so neither clock matters.
    """
    wish = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]+", wish):
        return LONGEST_WAIT if len(wish) > 6 else min(timedelta(seconds=int(wish)), LONGEST_WAIT)
    try:
        wait = parsedate_to_datetime(wish) - parsedate_to_datetime(headers.get("Date", ""))
    except (TypeError, ValueError, OverflowError, IndexError):
        return None
    return min(max(wait, timedelta(0)), LONGEST_WAIT)
