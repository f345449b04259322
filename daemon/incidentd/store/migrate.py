"""Bring the schema up to date at start; refuse one that a newer incidentd made."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from incidentd.errors import StoreUnavailable

_SCRIPTS = Path(__file__).parent / "migrations"
_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtextextended('migrations', 0))")


def upgrade(engine: Engine) -> None:
    """Run the migrations that are missing. When none is, nothing at all is executed.

    Of several replicas that start at once one migrates, and the others wait and find nothing left to do.
    Raises StoreUnavailable when the schema is newer than this program.
    """
    try:
        with engine.connect() as conn:
            with conn.begin():
                if _is_current(conn):
                    return
            with conn.begin():
                if engine.dialect.name == "postgresql":
                    conn.execute(_ONE_AT_A_TIME)
                    if _is_current(conn):
                        return
                config = _config()
                config.attributes["connection"] = conn
                command.upgrade(config, "head")
    finally:
        engine.dispose()


@cache
def revisions() -> tuple[str, ...]:
    """Name the schemas that this program knows, the newest first; read once, since they are code."""
    return tuple(script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions())


def revision_of(conn: Connection) -> str | None:
    """Name the schema of a store; None when it has none."""
    return MigrationContext.configure(conn).get_current_revision()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    return config


def _is_current(conn: Connection) -> bool:
    current = revision_of(conn)
    if current is not None and current not in revisions():
        raise StoreUnavailable(
            f"the store's schema ({current}) is newer than this incidentd; "
            "start the version that made it, or a newer one"
        )
    return current == revisions()[0]
