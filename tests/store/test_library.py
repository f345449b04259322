"""The library: the same texts are found on both engines, the best first, whatever somebody types."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text as sql

from incidentd.errors import NotFound
from incidentd.library import Shelved, Standing, asked
from incidentd.metrics import Metrics
from incidentd.store import Store, Tx, library, published, subjects
from incidentd.store.memory import MemoryStore
from incidentd.store.postgres import make_engine
from tests.store.conftest import NOW, Opened
from tests.unit.incident_facts import INCIDENT
from tests.unit.markdown_checks import HOSTILE

BOTH = tuple(Standing)
TEXTS = {
    1: ("Checkout fails", "The connection pool of the payment client was too small.\n\nPay-5 did not start."),
    2: ("The pool of the mail queue", "Mail was late. Nothing was lost, says Jürgen of the café."),
    3: ("Search is empty", "| Time | Event |\n| --- | --- |\n| 03:12 | pooling was off |\n\n`max_size` was \\_5\\_."),
}


def shelved(number: int, title: str, text: str, standing: Standing = Standing.PUBLISHED) -> Shelved:
    return Shelved(
        incident_id=number, standing=standing, version=1, title=title, severity="sev1", service="checkout",
        markdown=f"---\nincident: INC-{number}\ntitle: hidden\n---\n\n# {title}\n\n{text}\n",
    )  # fmt: skip


def fill(tx: Tx) -> None:
    for number, (title, text) in TEXTS.items():
        subjects.insert_incident(tx, replace(INCIDENT, id=0, hold_id=None, correlation_key=f"k{number}"))
        library.put(tx, shelved(number, title, text))


@pytest.fixture
async def filled(store: Store) -> Store:
    await store.write(fill)
    return store


def keys(tx: Tx, text: str, *tags: str, standings: tuple[Standing, ...] = BOTH) -> list[int]:
    return [it.incident_id for it in library.find(tx, asked(text, tags), standings)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("pool", [2, 3, 1]), ("POOL", [2, 3, 1]), ('"pool"', [2, 1]), ("payment client", [1]), ("client payment", [1]),
        ('"payment client"', [1]), ('"client payment"', []), ("pay-5", [1]), ('"pay 5 did not"', [1]), ("pay-6", []),
        ("conn", [1]), ("onnection", []), ("jurgen", [2]), ("Jürgen", [2]), ("CAFÉ", [2]), ("caf", [2]),
        ("pool queue", [2]), ("max_size", [3]), ("03:12", [3]), ("hidden", []), ("nowhere", []), ("pool nowhere", []),
        ("", [3, 2, 1]), ("  ", [3, 2, 1]), ('""', [3, 2, 1]), ("!!! ???", [3, 2, 1]), ("pool OR nowhere", []),
        ("pool*", [2, 3, 1]), ("-pool", [2, 3, 1]), ('"payment cl', []),
    ],
)  # fmt: skip
async def test_a_text_is_found_by_its_words(filled: Store, text: str, found: list[int]) -> None:
    there = await filled.read(keys, text)
    assert sorted(there) == sorted(found)
    if len(found) > 1 and not text.strip(' "!?'):
        assert there == found, "without words the newest come first"
    if found[:1] == [2] and len(found) > 1:
        assert there[0] == 2, "a word of the title weighs most"


@pytest.mark.parametrize(
    "text",
    [
        *HOSTILE, '"', "'", "' OR 1=1 --", "title:pool", "pool NEAR client", "NOT pool", "(pool", "pool)", "{pool}",
        "^pool", "pool +client", "pool & !client", "a <-> b", "pool:*", "pool:A", "*", "AND", "OR OR", "\\", "\x00",
        "\ud800", "é" * 3000, '"' * 2000, "a " * 2000, "::tsquery", "%s %(x)s", ":asked", "\u202e", "ﬁ ½ ① ㎒",
    ],
)  # fmt: skip
async def test_nothing_that_is_typed_is_an_error(filled: Store, text: str) -> None:
    await filled.read(keys, text)
    await filled.write(lambda tx: library.put(tx, shelved(1, text, f"{text}\n{text}")))
    await filled.read(keys, text)


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=40) | st.text(alphabet="\"*:()&|!<>-^' \\aé5", max_size=30))
@pytest.mark.slow
async def test_whatever_a_title_is_it_is_found_by_it(text: str) -> None:
    store = MemoryStore(lambda: NOW, Metrics(version="test"))
    try:
        await store.write(fill)
        await store.write(lambda tx: library.put(tx, shelved(1, text, "x")))
        quoted = text.replace('"', " ")
        assert 1 in await store.read(keys, f'"{quoted}"')
    finally:
        await store.close()


async def test_drafts_are_found_only_by_those_who_ask_for_drafts(filled: Store) -> None:
    await filled.write(lambda tx: library.put(tx, shelved(3, "A draft on pools", "pool", Standing.DRAFT)))
    assert sorted(await filled.read(keys, '"pools"')) == [3]
    found = await filled.read(library.find, asked('"pools"'), [Standing.DRAFT])
    assert [(it.incident_id, it.standing) for it in found] == [(3, Standing.DRAFT)]
    assert await filled.read(library.find, asked('"pools"'), [Standing.PUBLISHED]) == []
    assert await filled.read(library.find, asked("pool"), []) == []
    await filled.write(library.take_out, 3, Standing.DRAFT)
    await filled.write(library.take_out, 3, Standing.DRAFT)
    assert await filled.read(keys, '"pools"') == []
    assert 3 in await filled.read(keys, "pool")


async def test_a_text_takes_the_place_of_the_one_that_stood_there(filled: Store) -> None:
    await filled.write(lambda tx: library.put(tx, replace(shelved(1, "Checkout is slow", "threads"), version=2)))
    assert await filled.read(keys, "payment") == []
    (found,) = await filled.read(library.find, asked("threads"), BOTH)
    assert (found.version, found.title, found.at, found.body) == (
        2, "Checkout is slow", NOW, "Checkout is slow\nthreads",
    )  # fmt: skip


async def test_tags_are_found_with_all_that_is_below_them(filled: Store) -> None:
    await filled.write(library.tag, 1, ["cause:network:switch", "action:rollback"], [], by="ana")
    await filled.write(library.tag, 1, ["cause:network:switch"], [], by="ben")
    await filled.write(library.tag, 2, ["cause:network"], [], by="ana")
    await filled.write(library.tag, 3, ["cause:networks", "cause_network"], [], by="ana")
    assert await filled.read(keys, "", "cause:network") == [2, 1]
    assert await filled.read(keys, "", "cause") == [3, 2, 1]
    assert await filled.read(keys, "", "cause:network:switch") == [1]
    assert await filled.read(keys, "", "cause:network", "action") == [1]
    assert await filled.read(keys, "pool", "cause:network:switch") == [1]
    assert await filled.read(keys, "mail", "cause:network:switch") == []
    assert await filled.read(keys, "switch") == [1], "a tag's words are found like words"
    assert await filled.read(library.all_tags, BOTH) == {
        "action": 1, "action:rollback": 1, "cause": 3, "cause:network": 2, "cause:network:switch": 1,
        "cause:networks": 1, "cause_network": 1,
    }  # fmt: skip
    await filled.write(library.tag, 1, [], ["cause:network:switch", "never:was"], by="ana")
    assert await filled.read(keys, "switch") == []
    assert await filled.read(library.tags_of, [1, 2]) == {1: ("action:rollback",), 2: ("cause:network",)}


async def test_tags_are_counted_of_the_texts_that_are_asked_for_only(filled: Store) -> None:
    await filled.write(lambda tx: library.put(tx, shelved(1, "A draft on pools", "pool", Standing.DRAFT)))
    await filled.write(library.tag, 1, ["cause:network"], [], by="ana")
    await filled.write(library.tag, 2, ["cause:secret"], [], by="ana")
    await filled.write(library.take_out, 2, Standing.PUBLISHED)
    one = {"cause": 1, "cause:network": 1}
    assert await filled.read(library.all_tags, [Standing.PUBLISHED]) == one
    assert await filled.read(library.all_tags, BOTH) == one, "one that is a draft and published is one"
    await filled.write(lambda tx: library.put(tx, shelved(2, "A draft on pools", "pool", Standing.DRAFT)))
    assert await filled.read(library.all_tags, [Standing.PUBLISHED]) == one
    assert await filled.read(library.all_tags, BOTH) == {"cause": 2, "cause:network": 1, "cause:secret": 1}
    assert await filled.read(library.all_tags, []) == {}


@pytest.mark.slow
async def test_of_many_texts_the_best_come_first_and_no_more_than_asked_for(opened: Opened, store: Store) -> None:
    def many(tx: Tx) -> None:
        for number in range(1, 701):
            subjects.insert_incident(tx, replace(INCIDENT, id=0, hold_id=None, correlation_key=f"k{number}"))
            title = "The pool is empty" if number == 7 else f"Incident {number}"
            library.put(tx, shelved(number, title, "the pool was full" + ", a pool" * (number in (8, 600))))

    opened.now = NOW + timedelta(hours=1)
    await store.write(many)
    found = await store.read(keys, "pool")
    assert (found[0], len(found)) == (7, library.MOST), "a title that has the word is ranked however old it is"
    assert found[1:4] == [600, 700, 699], "then those of the newest 200 that have it most often, then the newest"
    assert len(await store.read(library.find, asked("pool"), BOTH)) == library.MOST


async def test_the_order_is_the_same_on_both_engines(filled: Store) -> None:
    texts = {1: "cafés " * 3 + "x " * 90, 2: "café, x (CAFÉ)", 3: "cafeteria at the cafe", 4: "cafe one", 5: "cafe two"}

    def more(tx: Tx) -> None:
        for number, body in texts.items():
            if number > 3:
                subjects.insert_incident(tx, replace(INCIDENT, id=0, hold_id=None, correlation_key=f"k{number}"))
            library.put(tx, shelved(number, f"Incident {number}", body))

    await filled.write(more)
    assert await filled.read(keys, "cafe") == [2, 3, 5, 4, 1]
    assert await filled.read(keys, '"cafe"') == [2, 5, 4, 3]
    assert await filled.read(keys, "cafe x") == [1, 2]
    assert await filled.read(keys, "caf") == [2, 3, 5, 4, 1]


@pytest.mark.slow
@pytest.mark.needs("postgres")
async def test_a_text_from_before_words_were_counted_is_ranked_like_a_new_one(on_postgres: Opened) -> None:
    store = await on_postgres.open()
    await store.write(fill)
    await store.close()
    engine = make_engine(on_postgres.url, None)
    kept = sql("SELECT id, plain FROM library_words ORDER BY id")
    with engine.begin() as conn:
        before = conn.execute(kept).all()
        conn.execute(sql("ALTER TABLE library_words DROP COLUMN plain"))
        for newer in ("ix_library_words_title", "ix_hold_counted", "ix_incident_counted"):
            conn.execute(sql(f"DROP INDEX {newer}"))
        index = "ix_oncall_shift_schedule{}_start_wall"
        conn.execute(sql(f"ALTER INDEX {index.format('_layer')} RENAME TO {index.format('')}"))
        conn.execute(sql("UPDATE alembic_version SET version_num = '0025'"))
    store = await on_postgres.open()
    await store.close()
    with engine.begin() as conn:
        assert conn.execute(kept).all() == before
    assert before[0].plain == (
        "checkout fails the connection pool of the payment client was too small pay 5 did not start"
    )


async def test_a_text_of_any_length_is_put_in(filled: Store) -> None:
    flood = " ".join(f"word{number}" for number in range(40_000)) + " " + "x" * 200_000 + " pool" * 30_000
    await filled.write(lambda tx: library.put(tx, shelved(1, "x" * 5000, flood)))
    assert await filled.read(keys, "word77 word20000") == [1]


async def test_a_published_copy_stays_and_a_reader_counts_once(filled: Store) -> None:
    one = published.Copy(
        incident_id=1, version=1, title="Checkout fails", severity="sev1", service="checkout", markdown="# it",
        published_at=NOW,
    )  # fmt: skip
    with pytest.raises(NotFound, match="no postmortem of INC-1 is published"):
        await filled.read(published.copy, 1)
    await filled.write(published.add, one)
    await filled.write(published.add, replace(one, version=2, markdown="# it was"))
    assert await filled.read(published.copy, 1) == replace(one, version=2, markdown="# it was")
    assert await filled.read(published.copy, 1, 1) == one
    with pytest.raises(NotFound, match="published are 1, 2"):
        await filled.read(published.copy, 1, 3)
    for reader in ("a", "b", "a"):
        await filled.write(published.read_by, 1, 2, reader)
    assert await filled.read(published.readers, 1) == {2: 2}
    assert [(row.incident_id, row.version) for row in await filled.read(published.listed)] == [(1, 2), (1, 1)]
