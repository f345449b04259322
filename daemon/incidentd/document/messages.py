"""The communication log: what was sent to whom, in which words, and who let it go out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from incidentd.communication import POSTED
from incidentd.document.facts import IncidentFacts, ordered
from incidentd.document.words import LONG, day_and_time, said, table
from incidentd.timeline import Entry

SENT = "page.sent"
"""The kind of the entries that say that a message went out."""
UPDATE = "update.sent"
"""The kind of the entries that hold what people outside of the work were told."""
_KINDS = {
    SENT: "message", "page.escalated": "escalation", UPDATE: "update", "update.waiting": "update, not sent yet",
    "update.skipped": "update left out",
}  # fmt: skip
"""What people are told of by which kinds of entries, in words."""
_OF_PAGE = re.compile(r"(PAGE-\d+): sent to ")
_PROMISE = re.compile(r"(Next update by [^.]{1,40}\.|No further update is promised\.)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    at: datetime
    kind: str
    to: str
    words: str
    by: str
    approved: str


def messages_table(facts: IncidentFacts, *, most: int | None = None) -> str:
    """List what was sent to people, the earliest first; what went to several at one instant is one row."""
    # the title of a page is that of its last message, so what it is about says what the earlier ones were
    titles = {page.key: page.errand.asked or facts.incident.title for page in facts.pages}
    rows = _together(_row(entry, titles) for entry in ordered(facts) if entry.kind in _KINDS)
    return table(
        ("Time (UTC)", "Kind", "To", "Message", "By", "Approved by"),
        (
            (
                day_and_time(it.at), it.kind, said(it.to) or "-", said(it.words, LONG), said(it.by),
                said(it.approved) or "-",
            )
            for it in rows
        ),
        most=most,
        newest_last=True,
    )  # fmt: skip


def events(facts: IncidentFacts) -> list[Entry]:
    """Give the timeline, oldest first, without what only says that something was posted or sent."""
    return [entry for entry in ordered(facts) if entry.kind not in (POSTED, SENT)]


def update_in_short(entry: Entry) -> str:
    """Say that an update went out, and when the next one comes; its words stand in the communication log."""
    who, _, words = entry.text.partition(": ")
    promise = _PROMISE.search(words)
    return f"{who}.{f' {promise[0]}' if promise else ''}"


def _row(entry: Entry, titles: dict[str, str]) -> _Row:
    kind, text, data = _KINDS[entry.kind], entry.text, entry.data
    to, by = str(data.get("audience", "")), str(data.get("by") or entry.actor.name)
    if entry.kind == SENT:
        to, text = _message(text, str(data.get("channel", "")), titles)
    elif to and entry.kind in (UPDATE, "update.waiting"):
        before, _, text = text.partition(": ")
        kind += ", late" if before.endswith(", late") else ""
    return _Row(at=entry.at, kind=kind, to=to, words=text, by=by, approved=str(data.get("approved_by", "")))


def _message(text: str, channel: str, titles: dict[str, str]) -> tuple[str, str]:
    """Take apart what says that a message went out: where it went, and what it was."""
    page = _OF_PAGE.match(text)
    if channel and page and text.startswith(channel, page.end()):
        how = text[page.end() + len(channel) :].strip(" ,.")
        title = titles.get(page[1], "")
        return channel, f"{page[1]}{f': {title}' if title else ''}{f' ({how})' if how else ''}"
    if channel and text.startswith(before := f"Sent to {channel}"):
        how, _, words = text[len(before) :].partition(": ")
        how = how.strip(" ,.")
        return channel, f"{words}{f' ({how})' if how else ''}" or text
    return channel, text


def _together(rows: Iterable[_Row]) -> list[_Row]:
    """Make one of the rows that say of one instant that the same words went to several channels."""
    found: dict[_Row, list[str]] = {}
    for row in rows:
        found.setdefault(replace(row, to=""), []).append(row.to)
    return [replace(row, to=", ".join(sorted(filter(None, to)))) for row, to in found.items()]
