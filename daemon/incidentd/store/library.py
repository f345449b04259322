"""The library in the store: texts put in and found again by words and tags, by FTS5 on SQLite, tsvector on PostgreSQL.

Both engines are given the same words (`library.words`) and never what somebody typed, so they find the same texts and
no question is an error. Those come first that have all words in their title and tags, then the others by the engine's
own measure; of more than 200 only the newest are ranked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Row, bindparam, delete, select, text

from incidentd import library as shelf
from incidentd.library import Asked, Found, Shelved, Standing, Term, words
from incidentd.store.base import Tx, both
from incidentd.store.tables import incident, library, postmortem, postmortem_tag
from incidentd.text import plain

MOST = 50
"""Postmortems of one answer."""
_TITLE = 300
_RANKED = 200
"""Of more texts that have the words, so many are ranked: those with a word in their title, then the newest."""

_IS_THERE = select(library.c.id).where(
    library.c.incident_id == bindparam("of"), library.c.standing == bindparam("b_standing")
)
_PUT = both(
    lambda insert: (new := insert(library)).on_conflict_do_update(
        index_elements=["incident_id", "standing"],
        set_={name: new.excluded[name] for name in ("version", "title", "severity", "service", "body", "at")},
    )
)
_OF = select(library).where(library.c.incident_id == bindparam("of"))
_TAGS = (
    select(postmortem_tag)
    .where(postmortem_tag.c.incident_id.in_(bindparam("of", expanding=True)))
    .order_by(postmortem_tag.c.tag)
)
_TAG = both(lambda insert: insert(postmortem_tag).on_conflict_do_nothing())
_UNTAG = delete(postmortem_tag).where(
    postmortem_tag.c.incident_id == bindparam("of"), postmortem_tag.c.tag == bindparam("b_tag")
)
_ALL_TAGS = select(postmortem_tag.c.tag, postmortem_tag.c.incident_id).order_by(postmortem_tag.c.tag)
_MISSING = (
    select(postmortem.c.incident_id, postmortem.c.markdown, incident.c.body)
    .join(incident, incident.c.id == postmortem.c.incident_id)
    .where(~select(library.c.id).where(library.c.incident_id == postmortem.c.incident_id).exists())
    .order_by(postmortem.c.incident_id)
    .limit(bindparam("most"))
)

_FORGET = {
    "sqlite": text("DELETE FROM library_words WHERE rowid = :id"),
    "postgresql": text("DELETE FROM library_words WHERE id = :id"),
}
_LEARN = {
    "sqlite": text("INSERT INTO library_words (rowid, title, tags, body) VALUES (:id, :title, :tags, :body)"),
    "postgresql": text(
        "INSERT INTO library_words (id, title, words) VALUES (:id, CAST(:title AS tsvector), CAST(:words AS tsvector))"
    ),
}
_WHERE = "standing IN ({standings}){tags}"
_HAS_TAG = (
    " AND EXISTS (SELECT 1 FROM postmortem_tag g WHERE g.incident_id = l.incident_id"
    " AND (g.tag = :{name} OR g.tag LIKE :{name}_below ESCAPE '~'))"
)
_LOOK = {
    "sqlite": (
        "WITH titled AS (SELECT l.id AS id, -1000.0 AS score FROM library_words w"
        " CROSS JOIN library l ON l.id = w.rowid WHERE library_words MATCH :titled AND {where}"
        " ORDER BY w.rowid DESC LIMIT :ranked),"
        " newest AS (SELECT l.id AS id, bm25(library_words, 8.0, 4.0, 1.0) AS score FROM library_words w"
        " CROSS JOIN library l ON l.id = w.rowid WHERE library_words MATCH :asked AND {where}"
        " ORDER BY w.rowid DESC LIMIT :ranked)"
        " SELECT id FROM (SELECT * FROM titled UNION ALL SELECT * FROM newest)"
        " GROUP BY id ORDER BY MIN(score), id DESC LIMIT :most"
    ),
    "postgresql": (
        "WITH found AS (SELECT l.id, w.title @@ CAST(:asked AS tsquery) AS titled"
        " FROM library_words w JOIN library l ON l.id = w.id"
        " WHERE w.words @@ CAST(:asked AS tsquery) AND {where}"
        " ORDER BY titled DESC, l.id DESC LIMIT :ranked)"
        " SELECT f.id FROM found f JOIN library_words w ON w.id = f.id"
        " ORDER BY f.titled DESC, CASE WHEN f.titled THEN 0 ELSE"
        " ts_rank('{{0.1, 0.2, 0.4, 0.8}}', w.words, CAST(:asked AS tsquery), 1) END DESC, f.id DESC LIMIT :most"
    ),
}
_NEWEST = "SELECT l.id FROM library l WHERE {where} ORDER BY l.at DESC, l.id DESC LIMIT :most"


# -- putting in ------------------------------------------------------------------------------------------------------


def put(tx: Tx, it: Shelved) -> None:
    """Put a text into the library, in the place of the one that stood there."""
    body = shelf.readable(it.markdown)
    row = {
        "incident_id": it.incident_id, "standing": it.standing.value, "version": it.version,
        "title": plain(it.title, _TITLE), "severity": it.severity, "service": it.service, "body": body, "at": tx.now,
    }  # fmt: skip
    tx.conn.execute(_PUT[tx.dialect], row)
    found = tx.conn.execute(_IS_THERE, {"of": it.incident_id, "b_standing": it.standing.value}).scalar_one()
    _index(tx, found, it.title, tags_of(tx, [it.incident_id]).get(it.incident_id, ()), body)


def take_out(tx: Tx, incident_id: int, standing: Standing) -> None:
    """Take a text out of the library, if one stands there."""
    mine = {"of": incident_id, "b_standing": standing.value}
    for number in tx.conn.execute(_IS_THERE, mine).scalars().all():
        tx.conn.execute(_FORGET[tx.dialect], {"id": number})
        tx.conn.execute(delete(library).where(library.c.id == number))


def unshelved(tx: Tx, most: int) -> list[Any]:
    """Give postmortems of which the library has no text: those from before there was a library."""
    return list(tx.conn.execute(_MISSING, {"most": most}))


def _index(tx: Tx, number: int, title: str, tags: Iterable[str], body: str) -> None:
    """Have the words of a text found."""
    of_title, of_tags, of_body = words(title), words(" ".join(tags)), words(body)
    tx.conn.execute(_FORGET[tx.dialect], {"id": number})
    if tx.dialect == "sqlite":
        row = {"title": " ".join(of_title), "tags": " ".join(of_tags), "body": " ".join(of_body)}
    else:
        row = {
            "title": _vector((of_title, "A"), (of_tags, "B")),
            "words": _vector((of_title, "A"), (of_tags, "B"), (of_body, "")),
        }
    tx.conn.execute(_LEARN[tx.dialect], {"id": number, **row})


_LAST_PLACE = 16_383
"""The last place that a tsvector keeps: behind it words are found, but no phrases."""
_MOST_PLACES = 200
_APART = 100
"""Places between title, tags and text, so that no phrase goes across."""


def _vector(*weighted: tuple[Sequence[str], str]) -> str:
    """Write words as PostgreSQL reads a tsvector; a word is of letters and digits, so nothing has to be quoted."""
    places: dict[str, list[str]] = defaultdict(list)
    at = 0
    for found, weight in weighted:
        at += _APART
        for word in found:
            at = min(at + 1, _LAST_PLACE)
            if len(places[word]) < _MOST_PLACES:
                places[word].append(f"{at}{weight}")
    return " ".join(f"'{word}':{','.join(where)}" for word, where in places.items())


# -- tags ------------------------------------------------------------------------------------------------------------


def tags_of(tx: Tx, incidents: Sequence[int]) -> dict[int, tuple[str, ...]]:
    """Give the tags of incidents, in the order of the alphabet."""
    found: dict[int, list[str]] = defaultdict(list)
    for row in tx.conn.execute(_TAGS, {"of": list(incidents)}):
        found[row.incident_id].append(row.tag)
    return {number: tuple(tags) for number, tags in found.items()}


def tag(tx: Tx, incident_id: int, add: Iterable[str], remove: Iterable[str], *, by: str) -> None:
    """Add and remove tags; those that are there, or not there, stay as they are."""
    for one in add:
        row = {"incident_id": incident_id, "tag": one, "added_by": by, "added_at": tx.now}
        tx.conn.execute(_TAG[tx.dialect], row)
    for one in remove:
        tx.conn.execute(_UNTAG, {"of": incident_id, "b_tag": one})
    tags = tags_of(tx, [incident_id]).get(incident_id, ())
    for stands in tx.conn.execute(_OF, {"of": incident_id}).all():
        _index(tx, stands.id, stands.title, tags, stands.body)


def all_tags(tx: Tx) -> dict[str, int]:
    """Count the postmortems of each tag, those below it too: `cause` counts what has `cause:network:switch`."""
    having: dict[str, set[int]] = defaultdict(set)
    for row in tx.conn.execute(_ALL_TAGS):
        parts = row.tag.split(":")
        for depth in range(1, len(parts) + 1):
            having[":".join(parts[:depth])].add(row.incident_id)
    return {name: len(incidents) for name, incidents in sorted(having.items())}


# -- finding ---------------------------------------------------------------------------------------------------------


def find(tx: Tx, asked: Asked, standings: Iterable[Standing], *, most: int = MOST) -> list[Found]:
    """Find the texts that have all words and all tags, the best first; without words the newest first."""
    values: dict[str, Any] = {"most": most, "ranked": _RANKED}
    kept = [one.value for one in Standing if one in set(standings)]
    values |= {f"standing{at}": one for at, one in enumerate(kept)}
    values |= {f"tag{at}": one for at, one in enumerate(asked.tags)}
    values |= {f"tag{at}_below": _below(one) for at, one in enumerate(asked.tags)}
    where = _WHERE.format(
        standings=", ".join(f":standing{at}" for at in range(len(kept))) or "NULL",
        tags="".join(_HAS_TAG.format(name=f"tag{at}") for at in range(len(asked.tags))),
    )
    if asked.terms:
        values["asked"] = written = _WRITTEN[tx.dialect](asked.terms)
        values["titled"] = f"{{title tags}} : ({written})"
    query = (_LOOK[tx.dialect] if asked.terms else _NEWEST).format(where=where)
    named = {name: value for name, value in values.items() if f":{name}" in query}
    ids = list(tx.conn.execute(text(query), named).scalars())
    return _found(tx, ids)


def _below(tag: str) -> str:
    escaped = tag.replace("~", "~~").replace("%", "~%").replace("_", "~_")
    return f"{escaped}:%"


def _for_fts5(terms: Iterable[Term]) -> str:
    return " AND ".join(f'"{" ".join(term.words)}"{" *" if term.begins else ""}' for term in terms)


def _for_postgresql(terms: Iterable[Term]) -> str:
    written = []
    for term in terms:
        quoted = [f"'{word}'" for word in term.words]
        quoted[-1] += ":*" if term.begins else ""
        written.append(f"({' <-> '.join(quoted)})")
    return " & ".join(written)


_WRITTEN: Mapping[str, Any] = {"sqlite": _for_fts5, "postgresql": _for_postgresql}


def _found(tx: Tx, ids: list[int]) -> list[Found]:
    rows = {row.id: row for row in tx.conn.execute(select(library).where(library.c.id.in_(ids)))}
    tags = tags_of(tx, [row.incident_id for row in rows.values()])
    return [_one(rows[number], tags) for number in ids if number in rows]


def _one(row: Row[Any], tags: Mapping[int, tuple[str, ...]]) -> Found:
    return Found(
        incident_id=row.incident_id, standing=Standing(row.standing), version=row.version, title=row.title,
        severity=row.severity, service=row.service, tags=tags.get(row.incident_id, ()), at=row.at, body=row.body,
    )  # fmt: skip
