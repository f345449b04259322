"""A store in SQLite with the schema in it and nothing else: copied, since migrating one takes several times longer."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from incidentd.store import migrate, sqlite


@functools.cache
def _template() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "template.db"
        sqlite.create_file(path)
        migrate.upgrade(sqlite.write_engine(path))
        return path.read_bytes()


def sqlite_url(path: Path) -> str:
    """Give the URL of a store at this path, which is put there when there is none yet."""
    if not path.exists():
        sqlite.create_file(path)
        path.write_bytes(_template())
    return f"sqlite:///{path}"
