"""The nouns as the API writes them: the fields that help a caller, by name."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from datetime import date, datetime, timedelta
from typing import Any

from incidentd.actionitems import ActionItem
from incidentd.durations import format_duration
from incidentd.holds import Hold
from incidentd.incidents import Incident, allowed
from incidentd.pages import Page
from incidentd.playbooks import Run
from incidentd.playbooks.standing import short
from incidentd.playbooks.waiting import state_of, waiting
from incidentd.text import iso

# What a noun keeps for itself: frozen plans and registers are large, and none of a caller's business.
_KEPT: dict[type, frozenset[str]] = {
    Hold: frozenset(
        {
            "spent", "refires", "burst_since", "settles_at", "last_tick", "wants", "wants_why", "rank", "source_rank",
            "mixed", "watches",
        }
    ),
    Page: frozenset({"chain"}),
    Run: frozenset({"definition", "registers"}),
    Incident: frozenset({"hold_id", "merge", "recurrence_of", "still_firing"}),
}  # fmt: skip


def shape(noun: Hold | Incident | Page | Run | ActionItem) -> dict[str, Any]:
    """Write a noun for the API, its id speakable."""
    written = {**_fields(noun), "id": noun.key}
    if isinstance(noun, Incident):
        written |= {"hold": f"HOLD-{noun.hold_id}" if noun.hold_id else None, "commander": noun.commander}
        written |= {
            "merged_into": f"INC-{noun.merge.into}" if noun.merge else None,
            "recurrence_of": f"INC-{noun.recurrence_of}" if noun.recurrence_of else None,
            "allowed": list(allowed(noun.status)),
        }
    if isinstance(noun, Page):
        written |= {"joined": f"PAGE-{noun.joined}" if noun.joined else None}
    if isinstance(noun, Run):
        written |= {
            "state_text": state_of(noun), "waiting_for": plain(waiting(noun)), "version": short(noun.sha256),
        }  # fmt: skip
    return written


def plain(value: Any) -> Any:
    """Turn a value into what JSON holds: instants as RFC 3339, durations as Prometheus writes them."""
    match value:
        case datetime():
            return iso(value)
        case date():
            return value.isoformat()
        case timedelta():
            return format_duration(value)
        case frozenset():
            return sorted(value)
        case list() | tuple():
            return [plain(item) for item in value]
        case dict():
            return {key: plain(item) for key, item in value.items()}
        case _ if is_dataclass(value):
            return _fields(value)
        case _:
            return value


def _fields(noun: Any) -> dict[str, Any]:
    kept = _KEPT.get(type(noun), frozenset())
    return {field.name: plain(getattr(noun, field.name)) for field in fields(noun) if field.name not in kept}
