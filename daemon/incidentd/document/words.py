"""How the document is written: values made inert, links, tables that nothing breaks, what took how long."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from urllib.parse import quote, urlsplit

from incidentd.durations import about
from incidentd.roles import Assignment
from incidentd.text import count, instant, markdown

NOTHING, NOTHING_AT_ALL = "Nothing recorded yet.", "Nothing recorded."
"""What stands in place of an empty section, while it goes on and once it is over."""
LONG = 2000
"""Characters of a note or a message that are shown."""

_BREAKS = re.compile("[\u2028\u2029]")
_LEADING = re.compile(r"^([-=:]|[0-9]+(?=[.)]))")
MOST_ROWS = 500
"""Rows of a table of the document; the others are only counted, so that no flood makes it unreadable."""


def finished(parts: Iterable[str]) -> str:
    """Join the parts of a page; lone surrogates, which no UTF-8 can carry, become question marks."""
    return ("\n\n".join(parts) + "\n").encode("utf-8", "replace").decode("utf-8")


def said(value: str, limit: int = 500) -> str:
    """Make a stranger's value inert and one line, for a table's cell or the middle of a sentence."""
    return markdown(_BREAKS.sub(" ", value), limit).strip()


def sentence(value: str) -> str:
    """Make a stranger's value inert and end it as a sentence ends."""
    return said(value, LONG).rstrip(".") + "."


def link(label: str, url: str) -> str:
    """Make a link of an http or https address; of anything else only the label is left. The label is our own word."""
    try:
        split = urlsplit(url)
    except ValueError:
        return label
    if split.scheme not in ("http", "https") or not split.hostname or re.search(r"[\x00-\x20\x7f]", url):
        return label
    safe = quote(url.encode("utf-8", "replace"), safe="%/:?#@!$&*+,;=~-._").replace("&", "&amp;")
    return f"[{label}]({safe})"


def table(
    header: tuple[str, ...], rows: Iterable[tuple[str, ...]], *, most: int | None = None, newest_last: bool = False
) -> str:  # fmt: skip
    """Make a table of cells that are Markdown already; '' when there are no rows.

    Of more than `most` rows the first are shown, or the last when those are the newest, and the others counted.
    """
    lines = [f"| {' | '.join(row)} |" for row in rows]
    left_out = len(lines) - most if most is not None and len(lines) > most else 0
    if left_out:
        lines = lines[left_out:] if newest_last else lines[:most]
    head = [f"| {' | '.join(header)} |", "|" + " --- |" * len(header)]
    shown = "\n".join([*head, *lines]) if lines else ""
    which = "older" if newest_last else "more"
    return f"{shown}\n\n{count(left_out, 'row')} {which} than these are left out." if left_out else shown


def prose(text: str) -> str:
    """Make what somebody wrote over several lines inert: its lines and paragraphs stay, nothing in it is Markdown."""
    paragraphs = re.split(r"\n\s*\n", text.replace("\r\n", "\n").replace("\r", "\n").strip())
    written = ([_line(one) for one in paragraph.split("\n") if one.strip()] for paragraph in paragraphs)
    return "\n\n".join("  \n".join(lines) for lines in written if lines)


def _line(text: str) -> str:
    return _LEADING.sub(lambda found: f"\\{found[0]}" if found[0] in "-=:" else f"{found[0]}\\", said(text, 10_000))


def took(start: datetime | None, end: datetime | None) -> str:
    """Say how long it took from one instant to another; '' while one of them has not come.

    An end before the start, as when a hold's page was answered before the hold was declared, took no time.
    """
    return about(max(end - start, timedelta(0))) if start and end else ""


def person_in(role: Assignment) -> str:
    """Say who had a role, and from when to when."""
    until = f" until {instant(role.until)}" if role.until else ""
    because = f", {said(role.because)}" if role.because else ""
    return f"{said(role.person)} (since {instant(role.since)}{until}{because})"


def day_and_time(at: datetime) -> str:
    """Write an instant for a column whose head says that it is UTC."""
    return instant(at).removesuffix(" UTC")
