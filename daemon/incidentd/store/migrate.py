"""Bring the schema up to date at start; refuse one that a newer incidentd made."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

from incidentd.errors import StoreUnavailable

_SCRIPTS = Path(__file__).parent / "migrations"


def upgrade(engine: Engine) -> None:
    """Run the migrations that are missing. When none is, nothing at all is executed.

    Raises StoreUnavailable when the schema is newer than this program.
    """
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    scripts = ScriptDirectory.from_config(config)
    known = {script.revision for script in scripts.walk_revisions()}
    try:
        with engine.connect() as conn, conn.begin():
            current = MigrationContext.configure(conn).get_current_revision()
            if current == scripts.get_current_head():
                return
            if current is not None and current not in known:
                raise StoreUnavailable(
                    f"the store's schema ({current}) is newer than this incidentd; "
                    "start the version that made it, or a newer one"
                )
            config.attributes["connection"] = conn
            command.upgrade(config, "head")
    finally:
        engine.dispose()
