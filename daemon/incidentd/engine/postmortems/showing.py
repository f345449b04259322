"""Postmortems as the API and the pages show them."""

from __future__ import annotations

from typing import Any

from incidentd import postmortem
from incidentd.engine.postmortems.common import Opened, opened
from incidentd.engine.postmortems.moving import missing
from incidentd.engine.postmortems.writing import version_shapes
from incidentd.postmortem import KEYS, Comment, Lack, State
from incidentd.postmortem.pieces import HEAD, said_in_head
from incidentd.settings import Settings
from incidentd.store import Tx, postmortems
from incidentd.store.postmortems import Edition, Line, Written
from incidentd.store.views.shapes import plain
from incidentd.text import iso

_MOST = 500


def standing(tx: Tx, settings: Settings, incident_id: int) -> dict[str, Any]:
    """Say how a postmortem stands, and what is missing for its next state. Raises NotFound."""
    known = opened(tx, settings, incident_id)
    to, lacking = missing(tx, settings, known)
    it: dict[str, Any] = plain(known.it)
    for inside in ("id", "incident_id", "markdown"):
        del it[inside]
    return {
        "incident": known.incident.key, "title": known.incident.title, **it,
        "next": None if to is None else to.value, "missing": [_lack(one) for one in lacking],
        "versions": version_shapes(known),
        "comments": [comment_shape(one) for one in postmortems.comments(tx, known.it)],
        "editions": [edition_shape(one) for one in postmortems.editions(tx, known.it)],
    }  # fmt: skip


def sections(tx: Tx, settings: Settings, incident_id: int) -> list[dict[str, Any]]:
    """Give the pieces of a postmortem as they are now. Raises NotFound."""
    known = opened(tx, settings, incident_id)
    keys = _keys(known) if known.pieces and known.pieces[0].name == HEAD else []
    return keys + [
        {
            "name": it.name, "title": it.title, "version": known.version_of(it.name), "text": it.text,
            "by": known.written[it.name].by if it.name in known.written else "incidentd", "ours": it.by_itself,
        }
        for it in known.pieces
    ]  # fmt: skip


def _keys(known: Opened) -> list[dict[str, Any]]:
    return [
        {
            "name": key, "title": key.replace("_", " ").capitalize(), "version": known.version_of(key),
            "text": said_in_head(known.pieces, key), "ours": False,
            "by": known.written[key].by if key in known.written else "incidentd",
        }
        for key in KEYS
    ]  # fmt: skip


def text(tx: Tx, settings: Settings, incident_id: int) -> str:
    """Write a postmortem as it is now. Raises NotFound."""
    return postmortem.joined(opened(tx, settings, incident_id).pieces)


def history(tx: Tx, settings: Settings, incident_id: int, name: str) -> list[dict[str, Any]]:
    """Give every version of a piece that somebody wrote, the first one first. Raises NotFound."""
    known = opened(tx, settings, incident_id)
    wanted = postmortem.key_of(name) or postmortem.find(known.pieces, name).name
    return [written_shape(one) for one in postmortems.versions(tx, known.it) if one.name == wanted]


def edition(tx: Tx, incident_id: int, version: int) -> dict[str, Any] | None:
    """Give a published version; None when there is none of that number. Raises NotFound."""
    found = postmortems.editions(tx, postmortems.get(tx, incident_id))
    one = next((one for one in found if one.version == version), None)
    return None if one is None else {**edition_shape(one), "markdown": one.markdown}


def listed(tx: Tx, states: tuple[State, ...] = ()) -> list[dict[str, Any]]:
    """List postmortems, the newest first; without states those that are not closed."""
    wanted = states or tuple(one for one in State if one is not State.CLOSED)
    return [_line(one, tx) for one in postmortems.listed(tx, wanted, _MOST)]


def _line(it: Line, tx: Tx) -> dict[str, Any]:
    late = it.due_at is not None and it.due_at < tx.now and it.state not in postmortem.OUT and not it.merged
    return {
        "incident": it.incident, "title": it.title, "severity": it.severity, "state": it.state.value,
        "owner": it.owner, "due_at": iso(it.due_at), "overdue": late, "drill": it.drill,
    }  # fmt: skip


def written_shape(it: Written) -> dict[str, Any]:
    """Write a version of a piece as JSON says it."""
    return {"section": it.name, "version": it.version, "at": iso(it.at), "by": it.by, "said": it.said, "text": it.text}


def comment_shape(it: Comment) -> dict[str, Any]:
    """Write a comment as JSON says it."""
    return {**plain(it), "open": it.open}


def edition_shape(it: Edition) -> dict[str, Any]:
    """Write a published version as JSON says it, without its text."""
    return {"version": it.version, "at": iso(it.at), "by": it.by, "reason": it.reason}


def _lack(it: Lack) -> dict[str, str]:
    return {"gate": it.gate.value, "what": it.what, "todo": it.todo}
