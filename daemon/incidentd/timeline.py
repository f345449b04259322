"""The timeline: append-only, one hash chain per hold or incident, and one (`SYSTEM`) for what concerns none."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

SYSTEM = "SYSTEM"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who did it, by which means, and with which key."""

    name: str
    via: str
    """rule | time | api | link | cli | file | alertmanager | playbook | jira"""
    key: str = ""
    """The id of the token or link that proved it; never the secret itself."""


ALERTMANAGER = Actor(name="alertmanager", via="alertmanager")
INCIDENTD = Actor(name="incidentd", via="time")


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry that is about to be written: what happened, in one sentence, and the facts behind it."""

    kind: str
    """A dotted word that machines read: `hold.opened`, `page.acked`, `run.step`, `note`, `incident.resolved`."""
    text: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry as it stands on the timeline."""

    subject: str
    seq: int
    at: datetime
    actor: Actor
    kind: str
    text: str
    data: Mapping[str, Any]
    prev_hash: str
    hash: str


def entry_hash(entry: Entry) -> str:
    """Give the SHA-256 that binds an entry to the one before it: of everything in it but its own hash."""
    fields = {
        "subject": entry.subject, "seq": entry.seq, "at": entry.at.isoformat(), "kind": entry.kind, "text": entry.text,
        "actor": [entry.actor.name, entry.actor.via, entry.actor.key], "data": dict(entry.data),
    }  # fmt: skip
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(f"{entry.prev_hash}\n{text}".encode()).hexdigest()


def link(draft: Draft, *, subject: str, seq: int, at: datetime, actor: Actor, prev_hash: str) -> Entry:
    """Make a draft the next entry of its chain."""
    entry = Entry(
        subject=subject, seq=seq, at=at, actor=actor, kind=draft.kind, text=draft.text, data=draft.data,
        prev_hash=prev_hash, hash="",
    )  # fmt: skip
    return replace(entry, hash=entry_hash(entry))


def first_broken(entries: Iterable[Entry], *, after: tuple[int, str] = (0, "")) -> Entry | None:
    """Find the first entry of one chain, oldest first, that was changed, moved or follows a missing one.

    `after` is the (seq, hash) of the entry before the first: of the last one pruned, where the beginning was.
    """
    before, prev = after
    for seq, entry in enumerate(entries, start=before + 1):
        if entry.seq != seq or entry.prev_hash != prev or entry.hash != entry_hash(entry):
            return entry
        prev = entry.hash
    return None
