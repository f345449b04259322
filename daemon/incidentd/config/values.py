"""Values that are written as text: durations, times, limits, addresses; each raises ValueError with what to write."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from incidentd.config.report import closest, shown
from incidentd.durations import parse_duration
from incidentd.oncall import first_instant
from incidentd.playbooks import Limit

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_LIMIT = re.compile(r"([1-9][0-9]{0,5}) in (\S{1,40})")
_OBJECTIVE = re.compile(r"([0-9]{1,2}(?:\.[0-9]{1,6})?)%")
_PERCENTAGE = re.compile(r"([0-9]{1,3})%")
_CLOCK = r"([01][0-9]|2[0-3]):([0-5][0-9])"
_HANDOFF = re.compile(rf"(?:({'|'.join(WEEKDAYS)}) +)?{_CLOCK}")
_TIME_OF_DAY = re.compile(r"([01]\d|2[0-3]):([0-5]\d)", re.ASCII)
_DAY = re.compile(r"(2[01][0-9]{2})-([0-9]{2})-([0-9]{2})")
_WALL_TIME = re.compile(rf"({_DAY.pattern})[ T]{_CLOCK}")
_LISTEN = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]*):(?P<port>[0-9]{1,5})")


def positive_duration(text: str) -> timedelta:
    """Read a duration that is longer than nothing."""
    duration = parse_duration(text)
    if not duration:
        raise ValueError("this must be longer than 0s")
    return duration


def turn(text: str) -> timedelta:
    """Read how long a turn on call is: whole days, at most a year."""
    duration = positive_duration(text)
    if duration % timedelta(days=1) or duration > timedelta(days=366):
        raise ValueError(f"{text} is not whole days or weeks, at most a year: write for example 1d or 1w")
    return duration


def handoff(text: str) -> tuple[int | None, time]:
    """Read when the pager is handed over: the weekday (0 is Monday), if it says one, and the time of day."""
    found = _HANDOFF.fullmatch(text.lower())
    if found is None:
        raise ValueError(f"{shown(text)} is no time to hand over: write monday 09:00 for weeks or 09:00 for days")
    return WEEKDAYS.index(found[1]) if found[1] else None, time(int(found[2]), int(found[3]))


def day(text: str) -> date:
    """Read a day of this century or the next: 2026-01-05."""
    found = _DAY.fullmatch(text)
    if found is None:
        raise ValueError(f"{shown(text)} is no day: write it as 2026-01-05")
    try:
        return date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        raise ValueError(f"the calendar has no {text}: write a day that exists") from None


def wall_time(text: str) -> tuple[date, time]:
    """Read a day and a time of day: 2026-12-24 09:00."""
    found = _WALL_TIME.fullmatch(text)
    if found is None:
        raise ValueError(f"{shown(text)} is no time: write it as 2026-12-24 09:00")
    return day(found[1]), time(int(found[5]), int(found[6]))


def time_of_day(text: str) -> time:
    """Read a time of day: 22:00."""
    found = _TIME_OF_DAY.fullmatch(text)
    if found is None:
        raise ValueError(f"{shown(text)} is no time of day: write it as 22:00")
    return time(int(found[1]), int(found[2]))


def beginning(text: str, zone: str) -> datetime:
    """Give the UTC instant of a wall-clock time: of two the first, and of none the first after it."""
    return first_instant(*wall_time(text), ZoneInfo(zone))


def ending(text: str, zone: str) -> datetime:
    """Give the UTC instant of a wall-clock time: of two the last, so that two halves of an exchange leave no gap."""
    wall = datetime.combine(*wall_time(text))
    instant = wall.replace(tzinfo=ZoneInfo(zone), fold=1).astimezone(UTC)
    exists = instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None) == wall
    return instant if exists else beginning(text, zone)


def time_zone(text: str) -> str:
    """Read the name of a time zone."""
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        near = closest(text, available_timezones())
        meant = f"did you mean {near}?" if near else "write one such as Europe/Madrid or UTC"
        raise ValueError(f"there is no time zone {shown(text)!r}; {meant}") from None
    return text


def limit(text: str) -> Limit:
    """Read how often something may happen: 2 in 30m."""
    found = _LIMIT.fullmatch(text)
    if found is None:
        raise ValueError(f"{shown(text)!r} is no limit: write how many in which time, for example 2 in 30m")
    return Limit(runs=int(found[1]), window=positive_duration(found[2]))


def percentage(text: str) -> float:
    """Read a share: 20%."""
    found = _PERCENTAGE.fullmatch(text)
    if found is None or not 0 < int(found[1]) <= 100:
        raise ValueError(f"{shown(text)!r} is no share: write a percentage from 1% to 100%")
    return int(found[1]) / 100


def objective(text: str) -> float:
    """Read an objective, such as 99.9%, and give the share of bad events that it allows: 0.001."""
    found = _OBJECTIVE.fullmatch(text)
    allowed = Decimal(100) - Decimal(found[1]) if found else Decimal(0)
    if not 0 < allowed < 100:
        raise ValueError(f"{shown(text)!r} is no objective: write a percentage below 100%, for example 99.9%")
    return float(allowed / 100)


def web_address(text: str) -> str:
    """Read an http or https address; the trailing slash is left out."""
    if "@" in text:
        raise ValueError("a name or password may not stand in an address: write the address without it")
    try:
        parts = urlsplit(text)
        right = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        right = False
    if not right or re.search(r"[\s\\<>\"?#]", text):
        raise ValueError(f"{shown(text)!r} is no web address: write it as https://host:port/path, without ? and #")
    return text.rstrip("/")


def listen_address(text: str) -> str:
    """Read where to listen: HOST:PORT; without a host it is every address of this machine."""
    found = _LISTEN.fullmatch(text)
    if found is None or int(found["port"]) > 65535:
        raise ValueError(f"{shown(text)!r} is no address to listen on: write HOST:PORT, for example 127.0.0.1:9720")
    return text if found["host"] else f"0.0.0.0{text}"  # noqa: S104  # what a missing host means in Prometheus too


def store(text: str) -> str:
    """Read where the memory is: an SQLite file, or a PostgreSQL database."""
    if text.startswith(("postgresql:", "postgres:")):
        return _database(text)
    if not text.startswith("sqlite:///") or not text.removeprefix("sqlite:///").strip("/"):
        raise ValueError(
            f"{shown(text)!r} is no store: write sqlite:///PATH, with four slashes for an absolute path, "
            "or postgresql://USER@HOST:PORT/DATABASE"
        )
    return text


def _database(text: str) -> str:
    how = "write postgresql://USER@HOST:PORT/DATABASE, or postgresql://USER@/DATABASE?host=/run/postgresql"
    try:
        parts = urlsplit(text)
        right = parts.scheme == "postgresql" and parts.path.strip("/") and parts.port != 0
        has_password = parts.password is not None or "password" in dict(parse_qsl(parts.query, keep_blank_values=True))
    except ValueError:
        right = has_password = False
    if has_password:
        raise ValueError("a password may not stand in an address; give it with `store_password_file`")
    if not right or re.search(r"[\s\\<>\"#]", text):
        raise ValueError(f"{shown(text)!r} is no database; {how}")
    return text
