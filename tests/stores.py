"""A store in SQLite with the schema in it and nothing else: copied, since migrating one takes several times longer."""

from __future__ import annotations

from pathlib import Path

from incidentd.store import memory, sqlite


def sqlite_url(path: Path) -> str:
    """Give the URL of a store at this path, which is put there when there is none yet."""
    if not path.exists():
        sqlite.create_file(path)
        path.write_bytes(memory.empty())
    return f"sqlite:///{path}"
