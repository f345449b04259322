"""Writes the table and the diagram of docs/lifecycle.md from the table of moves itself: `make docs`."""

from __future__ import annotations

import re
from pathlib import Path

from incidentd.incidents import TABLE, diagram

PAGE = Path(__file__).parents[2] / "docs" / "lifecycle.md"
_PARTS = re.compile(r"(<!-- made: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def table() -> str:
    """Write the table of moves."""
    head = "| From | To | When | Who | What must hold | What it brings about |\n|---|---|---|---|---|---|\n"
    rows = (
        f"| `{row.source}` | `{row.to}` | {row.trigger} | {', '.join(row.who)} | {row.holds or '-'} | {row.effect} |\n"
        for row in TABLE
    )
    return head + "".join(rows)


def page() -> str:
    """Give the page as it should be: written by hand but for the parts that are made."""
    made = {"diagram": f"```mermaid\n{diagram()}\n```\n", "table": table()}
    return _PARTS.sub(lambda part: part[1] + made[part[2]] + part[3], PAGE.read_text())


if __name__ == "__main__":
    PAGE.write_text(page())
    print(f"wrote {PAGE}")
