"""Words for people: instants, counts, and strangers' values made harmless for where they go."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

UNSEEN = (
    r"\x7f-\x9f\xad\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0"
    r"\ufff9-\ufffb\U000e0000-\U000e0fff"
)
"""What a class of a regular expression has to have for characters that nobody sees and that programs obey: DEL and the
C1 controls, marks of lines and direction, characters without a width, fillers that look like nothing, and tags."""
# Control characters, what is not seen, and halves of characters.
_CONTROL = re.compile(rf"[\x00-\x08\x0b-\x1f{UNSEEN}\ud800-\udfff]")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>()#+!|~$&@])")


def instant(at: datetime | None) -> str:
    """Write an instant for people: `2026-11-24 14:07:00 UTC`, or `-` when it has not come."""
    return "-" if at is None else at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def clock(at: datetime) -> str:
    """Write the time of day of an instant: `14:07:00 UTC`."""
    return at.astimezone(UTC).strftime("%H:%M:%S UTC")


def near(at: datetime | None, now: datetime) -> str:
    """Write the time of day of an instant, with the day when that is another one than now."""
    same_day = at is not None and at.astimezone(UTC).date() == now.astimezone(UTC).date()
    return clock(at) if at is not None and same_day else instant(at)


def in_zone(at: datetime | None, zone: str) -> str:
    """Write an instant by the clock of a zone, to stand beside UTC: ` (16:07 CET)`, with the weekday where the day is
    another one; '' for UTC itself, or when it has not come.
    """
    if at is None or zone in ("", "UTC"):
        return ""
    here = at.astimezone(ZoneInfo(zone))
    day = "" if here.date() == at.astimezone(UTC).date() else f"{here:%a} "
    return f" ({day}{here:%H:%M %Z})"


_TIME = re.compile(
    r"(?<![\d:-])(?:(?P<day>\d{4}-\d\d-\d\d) )?(?P<clock>\d\d:\d\d(?::\d\d)?)(?:(?P<utc> UTC)\b|(?=(?P<cell> \|)))"
)


def beside_utc(words: str, zone: str, day: datetime) -> str:
    """Write beside each time in words of ours what it is by the clock of a zone.

    A time without a day is of the day that its line spoke of last, else of `day`. What says neither UTC nor, as a whole
    cell of a table does, a day, stays as it is: nobody knows by which clock it was written.
    """
    if zone in ("", "UTC"):
        return words
    return "\n".join(_line_beside(line, zone, day.astimezone(UTC).date()) for line in words.split("\n"))


def _line_beside(line: str, zone: str, day: date) -> str:
    last = day

    def written(found: re.Match[str]) -> str:
        nonlocal last
        is_cell = found["day"] is not None and line[: found.start()].endswith("| ")
        try:
            last = date.fromisoformat(found["day"]) if found["day"] else last
            at = datetime.combine(last, time.fromisoformat(found["clock"]), UTC)
            return found[0] + (in_zone(at, zone) if found["utc"] or is_cell else "")
        except (ValueError, OverflowError):  # a stranger's words that only look like a time
            return found[0]

    return _TIME.sub(written, line)


def iso(at: datetime | None) -> str | None:
    """Write an instant for machines: RFC 3339 in UTC, microseconds only when there are any."""
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def plain(value: str, limit: int = 500) -> str:
    """Make a stranger's value one harmless line: no control or direction characters, cut at `limit` with a mark."""
    line = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", " ".join(value.split("\n")).replace("\r", " ").replace("\t", " "))
    return line if len(line) <= limit else line[: limit - 1] + "…"


def markdown(value: str, limit: int = 500) -> str:
    """Make a stranger's value inert inside Markdown: one line, every character that Markdown or HTML reads escaped."""
    escaped = _MARKDOWN.sub(r"\\\1", plain(value, limit))
    return escaped.replace("\\<", "&lt;").replace("\\>", "&gt;").replace("\\&", "&amp;")


def count(number: int, noun: str) -> str:
    """Count a noun: `1 alert`, `3 alerts`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def labels_line(labels: dict[str, str], limit: int = 300) -> str:
    """Write labels as Prometheus does, alertname first: `HighErrorRate{env="prod", service="mail"}`."""
    rest = ", ".join(f'{name}="{value}"' for name, value in sorted(labels.items()) if name != "alertname")
    return plain(labels.get("alertname", "") + ("{" + rest + "}" if rest else ""), limit)
