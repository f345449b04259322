"""Drafts that were made before people wrote in them here keep their text, and are written in from then on."""

from __future__ import annotations

from importlib import import_module

from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import text

from incidentd.engine import commands, postmortems
from incidentd.postmortem import State, draft, quick_review
from incidentd.settings import Settings
from incidentd.store import Store, Tx
from incidentd.store import postmortems as stored
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
