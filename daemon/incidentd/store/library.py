"""The library in the store: texts put in and found again by words and tags, by FTS5 on SQLite, tsvector on PostgreSQL.

Both engines are given the same words (`library.words`) and never what somebody typed, so they find the same texts and
no question is an error. They say which texts have the words, and the order is made here, the same on both: those come
first that have all words in their title and tags, then the others by `library.best_first`; of more than 200 only the
newest are ranked. The engines' own measures are not asked: `bm25` reads all of the index that a word has before it
ranks one text, and `ts_rank` compares every place of a word with every place of every other one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Row, bindparam, case, column, delete, func, select, table, text

from incidentd import library as shelf
from incidentd.library import Asked, Found, Shelved, Standing, Term, words
from incidentd.store.base import Tx, both
from incidentd.store.tables import incident, library, postmortem, postmortem_tag
from incidentd.text import plain

MOST = 50
"""Postmortems of one answer."""
_TITLE = 300
_RANKED = 200
"""Of more texts that have the words, so many are ranked: the newest with the words as typed, then the newest others."""

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
_ALL_TAGS = (
    select(postmortem_tag.c.tag, postmortem_tag.c.incident_id)
    .where(
        select(library.c.id)
        .where(
            library.c.incident_id == postmortem_tag.c.incident_id,
            library.c.standing.in_(bindparam("standings", expanding=True)),
        )
        .exists()
    )
    .order_by(postmortem_tag.c.tag)
)
_MISSING = (
    select(postmortem.c.incident_id, postmortem.c.markdown, incident.c.body)
    .join(incident, incident.c.id == postmortem.c.incident_id)
    .where(~select(library.c.id).where(library.c.incident_id == postmortem.c.incident_id).exists())
    .order_by(postmortem.c.incident_id)
    .limit(bindparam("most"))
)

_WORDS = table("library_words")
_FORGET = {
    "sqlite": text("DELETE FROM library_words WHERE rowid = :id"),
    "postgresql": text("DELETE FROM library_words WHERE id = :id"),
}
_LEARN = {
    "sqlite": text("INSERT INTO library_words (rowid, title, tags, body) VALUES (:id, :title, :tags, :body)"),
    "postgresql": text(
        "INSERT INTO library_words (id, title, words, plain)"
        " VALUES (:id, CAST(:title AS tsvector), CAST(:words AS tsvector), :plain)"
    ),
}
_WHERE = "standing IN ({standings}){tags}"
_HAS_TAG = (
    " AND l.incident_id IN (SELECT g.incident_id FROM postmortem_tag g"
    " WHERE g.tag = :{name} OR g.tag LIKE :{name}_below ESCAPE '~')"
)
_LOOK = {
    "sqlite": (
        # with the plus one list is made and looked into; without it FTS5 would be asked anew for each text of it
        "SELECT w.rowid FROM library_words w WHERE library_words MATCH :asked"
        " AND +w.rowid IN (SELECT l.id FROM library l WHERE {where}) ORDER BY w.rowid DESC LIMIT :ranked"
    ),
    "postgresql": (
        "WITH hit AS MATERIALIZED (SELECT id, ctid AS place FROM library_words WHERE {of} @@ CAST(:asked AS tsquery))"
        " SELECT id FROM (SELECT h.id, h.place FROM hit h JOIN library l ON l.id = h.id WHERE {where}"
        " ORDER BY h.id DESC OFFSET 0) newest{phrase} LIMIT :ranked"
    ),
}
# the index knows no phrases: it gives the texts that have the words, which are read one by one, until there are enough;
# each by its place in the table, since to find it by its number takes a third of the time
_PHRASE = " WHERE (SELECT w.words @@ CAST(:phrase AS tsquery) FROM library_words w WHERE w.ctid = newest.place)"
# the planner does not see that reading the words of every text costs far more than the index
_BY_INDEX = text("SELECT set_config('enable_seqscan', 'off', true)")
_PLAIN = {
    "sqlite": select(column("rowid").label("id"), func.substr(column("body"), 1, shelf.COUNTED).label("plain"))
    .select_from(_WORDS).where(column("rowid").in_(bindparam("of", expanding=True))),
    # a short text is given as it is, since cutting it costs more than all the rest
    "postgresql": select(column("id"), case(
        (func.octet_length(column("plain")) <= shelf.COUNTED, column("plain")),
        else_=func.substr(column("plain"), 1, shelf.COUNTED),
    ).label("plain")).select_from(_WORDS).where(column("id").in_(bindparam("of", expanding=True))),
}  # fmt: skip
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
            "plain": " ".join(of_body),
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


def all_tags(tx: Tx, standings: Iterable[Standing]) -> dict[str, int]:
    """Count the postmortems of each tag that stand so, those below it too: `cause` counts `cause:network:switch`."""
    having: dict[str, set[int]] = defaultdict(set)
    for row in tx.conn.execute(_ALL_TAGS, {"standings": [one.value for one in standings]}):
        parts = row.tag.split(":")
        for depth in range(1, len(parts) + 1):
            having[":".join(parts[:depth])].add(row.incident_id)
    return {name: len(incidents) for name, incidents in sorted(having.items())}


# -- finding ---------------------------------------------------------------------------------------------------------


def find(tx: Tx, asked: Asked, standings: Iterable[Standing], *, most: int = MOST) -> list[Found]:
    """Find the texts that have all words and all tags, the best first; without words the newest first."""
    look = _Look(tx, asked, standings)
    if not asked.terms:
        return _found(tx, look.newest(most))
    titled = look.titled()
    if len(titled) >= most:  # the rest would not be shown
        return _found(tx, titled[:most])
    others = [number for number in look.others() if number not in titled]
    return _found(tx, [*titled, *_ranked(tx, others, asked)][:most])


def _ranked(tx: Tx, numbers: Sequence[int], asked: Asked) -> list[int]:
    rows = tx.conn.execute(_PLAIN[tx.dialect], {"of": list(numbers)})
    return shelf.best_first({row.id: row.plain for row in rows}, asked)


class _Look:
    """One look into the index: which texts have the words of a question, the newest first."""

    def __init__(self, tx: Tx, asked: Asked, standings: Iterable[Standing]) -> None:
        self._tx = tx
        self._terms = asked.needed
        kept = [one.value for one in Standing if one in set(standings)]
        self._values: dict[str, Any] = {f"standing{at}": one for at, one in enumerate(kept)}
        self._values |= {f"tag{at}": one for at, one in enumerate(asked.tags)}
        self._values |= {f"tag{at}_below": _below(one) for at, one in enumerate(asked.tags)}
        self._where = _WHERE.format(
            standings=", ".join(f":standing{at}" for at in range(len(kept))) or "NULL",
            tags="".join(_HAS_TAG.format(name=f"tag{at}") for at in range(len(asked.tags))),
        )
        if self._terms and tx.dialect == "postgresql":
            tx.conn.execute(_BY_INDEX)

    def newest(self, most: int) -> list[int]:
        """Give those that are newest, whatever they say."""
        return self._ask(_NEWEST.format(where=self._where), most=most)

    def titled(self) -> list[int]:
        """Give those that have all words in title and tags."""
        return self._having(self._terms, titled=True)

    def others(self) -> set[int]:
        """Give those that have all words anywhere: as they were typed, and when these are few also as beginnings."""
        typed = tuple(replace(term, begins=False) for term in self._terms)
        found = set(self._having(typed))
        if len(found) >= _RANKED or typed == self._terms:
            return found
        return found | set(self._having(self._terms))

    def _having(self, terms: tuple[Term, ...], *, titled: bool = False) -> list[int]:
        if self._tx.dialect == "sqlite":
            asked = _for_fts5(terms)
            query = _LOOK["sqlite"].format(where=self._where)
            return self._ask(query, asked=f"{{title tags}} : ({asked})" if titled else asked, ranked=_RANKED)
        phrase = not titled and any(len(term.words) > 1 for term in terms)
        query = _LOOK["postgresql"].format(
            of="title" if titled else "words", where=self._where, phrase=_PHRASE if phrase else ""
        )
        values = {"phrase": _for_postgresql(terms)} if phrase else {}
        asked = _for_postgresql(terms, "&" if phrase else "<->")
        return self._ask(query, **values, asked=asked, ranked=_RANKED)

    def _ask(self, query: str, **values: Any) -> list[int]:
        return list(self._tx.conn.execute(text(query), {**self._values, **values}).scalars())


def _below(tag: str) -> str:
    escaped = tag.replace("~", "~~").replace("%", "~%").replace("_", "~_")
    return f"{escaped}:%"


def _for_fts5(terms: Iterable[Term]) -> str:
    return " AND ".join(f'"{" ".join(term.words)}"{" *" if term.begins else ""}' for term in terms)


def _for_postgresql(terms: Iterable[Term], follows: str = "<->") -> str:
    written = []
    for term in terms:
        quoted = [f"'{word}'" for word in term.words]
        quoted[-1] += ":*" if term.begins else ""
        written.append(f"({f' {follows} '.join(quoted)})")
    return " & ".join(written)


def _found(tx: Tx, ids: list[int]) -> list[Found]:
    rows = {row.id: row for row in tx.conn.execute(select(library).where(library.c.id.in_(ids)))}
    tags = tags_of(tx, [row.incident_id for row in rows.values()])
    return [_one(rows[number], tags) for number in ids if number in rows]


def _one(row: Row[Any], tags: Mapping[int, tuple[str, ...]]) -> Found:
    return Found(
        incident_id=row.incident_id, standing=Standing(row.standing), version=row.version, title=row.title,
        severity=row.severity, service=row.service, tags=tags.get(row.incident_id, ()), at=row.at, body=row.body,
    )  # fmt: skip
