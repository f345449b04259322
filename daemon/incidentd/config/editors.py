"""The schemas as editors want them: each whole in itself, so that one file can be copied anywhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from incidentd.config.shape import ANY, KINDS, WEB, schema_of

NAMES = (*KINDS, ANY, WEB)


def whole(name: str) -> dict[str, Any]:
    """Give the schema of a kind, or of any kind of document, without a reference to another file."""
    return schema_of(name)


def write(folder: Path) -> list[Path]:
    """Write every schema into a folder, which is made. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name in NAMES:
        path = folder / f"{name}.json"
        path.write_text(json.dumps(whole(name), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        written.append(path)
    return written
