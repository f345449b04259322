"""Writes the table of rules of docs/postmortems.md from the rules themselves: `make docs`."""

from __future__ import annotations

import re
from pathlib import Path

from incidentd.library.layouts import SECTIONS, VALUES
from incidentd.postmortem import RULES
from incidentd.postmortem.rules import Part

PAGE = Path(__file__).parents[2] / "docs" / "postmortems.md"
_PARTS = re.compile(r"(<!-- made: ([a-z ]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def table(part: Part) -> str:
    """Write the rules of a part."""
    head = "| Rule | Level | What it finds | Why, and what to do |\n|---|---|---|---|\n"
    rows = (
        f"| `{rule.name}` | {rule.level.value} | {rule.finds} | {rule.reason} {rule.instead} |\n"
        for rule in RULES.values()
        if rule.part is part
    )
    return head + "".join(rows)


def places() -> str:
    """Write what a layout may name."""
    rows = (
        f"| `{name}` | {means} | {where} |\n"
        for where, names in (("a line of its own", SECTIONS), ("anywhere", VALUES))
        for name, means in names.items()
    )
    return "| Place | What is put there | Where |\n|---|---|---|\n" + "".join(rows)


def page() -> str:
    """Give the page as it should be: written by hand but for the tables."""
    return _PARTS.sub(
        lambda found: found[1] + (places() if found[2] == "places" else table(Part(found[2]))) + found[3],
        PAGE.read_text(),
    )


if __name__ == "__main__":
    PAGE.write_text(page())
    print(f"wrote {PAGE}")
