"""Postmortems from before a change of how they are kept lose nothing by it, drafts and published ones."""

from __future__ import annotations

from importlib import import_module

from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import insert, text

from incidentd.engine import commands, postmortems, publishing
from incidentd.postmortem import Postmortem, State, draft, quick_review
from incidentd.settings import Settings
from incidentd.store import Store, Tx, published, subjects
from incidentd.store import postmortems as stored
from incidentd.store.published import Copy
from incidentd.store.tables import instant, micros, postmortem_comment, postmortem_edition, postmortem_section
from incidentd.timeline import Actor
from tests.store.conftest import NOW
from tests.unit import incident_facts as story

ANA = Actor(name="ana", via="api")
FULL, QUICK = draft(story.STORY, owner="ana", due=None), quick_review(story.bare(), owner="ana")


def _as_before(tx: Tx) -> None:
    """Make the tables what they were, with two rows of then in them."""
    for table in (postmortem_section, postmortem_comment, postmortem_edition):
        tx.conn.execute(text(f"DROP TABLE {table.name}"))
    for column in ("version", "body"):
        tx.conn.execute(text(f"ALTER TABLE postmortem DROP COLUMN {column}"))
    for number, state, words in ((1, "draft", FULL), (2, "published", QUICK)):
        row = {"of": number, "state": state, "at": micros(NOW), "words": words}
        insert = (
            "INSERT INTO postmortem (incident_id, state, owner, due_at, drafted_at, markdown) "
            "VALUES (:of, :state, 'ana', :at, :at, :words)"
        )
        tx.conn.execute(text(insert), row)


def _migrated(tx: Tx) -> None:
    with Operations.context(MigrationContext.configure(tx.conn)):
        import_module("incidentd.store.migrations.versions.0023_postmortems_are_written_together").upgrade()


async def test_old_drafts_are_taken_over_with_their_words_and_written_in(store: Store) -> None:
    settings = Settings()
    for _ in range(2):
        await store.write(commands.declare_incident, settings, actor=ANA, title="Down", severity="sev1")
    await store.write(_as_before)
    await store.write(_migrated)

    full, quick = [await store.read(stored.get, number) for number in (1, 2)]
    assert (full.state, full.owner, full.due_at, full.markdown, full.quick) == (
        State.DRAFT, "ana", instant(micros(NOW)), FULL, False,
    )  # fmt: skip
    assert (quick.state, quick.markdown, quick.quick, quick.version) == (State.PUBLISHED, QUICK, True, 1)

    await store.write(postmortems.edit, settings, 1, "lucky", text="It was night.", actor=ANA, expected_version=1)
    first, second = await store.read(lambda tx: stored.versions(tx, stored.get(tx, 1)))
    assert (first.by, first.text, second.text) == (
        "incidentd", "_What would have made it worse, and did not happen?_", "It was night.",
    )  # fmt: skip
    assert "### Where we got lucky\n\nIt was night." in (await store.read(stored.get, 1)).markdown


def _three_editions(tx: Tx) -> None:
    """Put in editions as they were kept: with a copy of the same text, of another one, and without a copy."""
    it = stored.add(tx, Postmortem(incident_id=1, owner="ana", drafted_at=NOW))
    for version, words, copied in ((1, "# one", "# one"), (2, "# two", "# 2"), (3, "# three", None)):
        row = {"postmortem_id": it.id, "version": version, "at": NOW, "by": "ana", "reason": "", "markdown": words}
        tx.conn.execute(insert(postmortem_edition), row)
        if copied is not None:
            published.add(tx, Copy(
                incident_id=1, version=version, title="Down", severity="sev1", service="", markdown=copied,
                published_at=NOW,
            ))  # fmt: skip


def _once(tx: Tx) -> None:
    with Operations.context(MigrationContext.configure(tx.conn)):
        import_module("incidentd.store.migrations.versions.0027_a_published_text_is_kept_once").upgrade()


async def test_a_text_that_was_kept_twice_is_kept_once_and_none_is_lost(store: Store) -> None:
    await store.write(commands.declare_incident, Settings(), actor=ANA, title="Down", severity="sev1")
    await store.write(_three_editions)
    await store.write(_once)
    kept = text("SELECT markdown FROM postmortem_edition ORDER BY version")
    assert await store.read(lambda tx: list(tx.conn.execute(kept).scalars())) == ["", "# two", "# three"]
    read = await store.read(lambda tx: stored.editions(tx, stored.get(tx, 1)))
    assert [(one.version, one.markdown) for one in read] == [(1, "# one"), (2, "# two"), (3, "# three")]


async def test_what_is_published_now_is_kept_once(store: Store) -> None:
    await store.write(commands.declare_incident, Settings(), actor=ANA, title="Down", severity="sev1")

    def publish(tx: Tx) -> None:
        it = stored.add(tx, Postmortem(incident_id=1, owner="ana", drafted_at=NOW, markdown="# it", edition=1))
        stored.publish(tx, it, by="ana", reason="because")
        publishing.published(tx, Settings(), subjects.get_incident(tx, 1), 1, it.markdown, tx.now)

    await store.write(publish)
    kept = text("SELECT markdown FROM postmortem_edition")
    assert await store.read(lambda tx: list(tx.conn.execute(kept).scalars())) == [""]
    (one,) = await store.read(lambda tx: stored.editions(tx, stored.get(tx, 1)))
    assert (one.version, one.by, one.reason, one.markdown) == (1, "ana", "because", "# it")
