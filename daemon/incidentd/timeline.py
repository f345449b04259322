"""The timeline: append-only, one hash chain per hold or incident, and one (`SYSTEM`) for what concerns none."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
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


@dataclass(frozen=True, slots=True, kw_only=True)
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


def entry_hash(entry: Mapping[str, Any], prev_hash: str) -> str:
    """Give the SHA-256 that binds an entry to the one before it; `entry` holds everything but the two hashes."""
    text = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(f"{prev_hash}\n{text}".encode()).hexdigest()


def link(draft: Draft, *, subject: str, seq: int, at: datetime, actor: Actor, prev_hash: str) -> Entry:
    """Make a draft the next entry of its chain."""
    fields = _hashed(subject, seq, at, actor, draft.kind, draft.text, draft.data)
    return Entry(
        subject=subject, seq=seq, at=at, actor=actor, kind=draft.kind, text=draft.text, data=draft.data,
        prev_hash=prev_hash, hash=entry_hash(fields, prev_hash),
    )  # fmt: skip


def first_broken(entries: Iterable[Entry]) -> Entry | None:
    """Find the first entry of one chain, oldest first, that was changed, moved or follows a missing one."""
    prev, seq = "", 0
    for entry in entries:
        seq += 1
        fields = _hashed(entry.subject, entry.seq, entry.at, entry.actor, entry.kind, entry.text, entry.data)
        if entry.seq != seq or entry.prev_hash != prev or entry.hash != entry_hash(fields, prev):
            return entry
        prev = entry.hash
    return None


def _hashed(
    subject: str, seq: int, at: datetime, actor: Actor, kind: str, text: str, data: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "subject": subject, "seq": seq, "at": at.isoformat(), "actor": actor.name, "via": actor.via, "key": actor.key,
        "kind": kind, "text": text, "data": dict(data),
    }  # fmt: skip
