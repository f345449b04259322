"""The pages about the API and access name exactly what there is."""

from __future__ import annotations

import re
from pathlib import Path

from incidentd.access import Right, allows, may_ingest
from incidentd.web import ROUTES

DOCS = Path(__file__).parents[2] / "docs"


def test_the_api_page_has_every_route_and_no_other() -> None:
    page = (DOCS / "api.md").read_text()
    named = set(re.findall(r"`((?:GET|POST|PUT|DELETE) /\S*)`", page))
    there = {f"{route.method} {route.path.rstrip('/') or '/'}" for route in ROUTES}
    assert named == there


def test_the_access_page_says_what_each_scope_brings() -> None:
    rows = re.findall(r"^\| `([^`]+)` \|(.*)\|$", (DOCS / "access.md").read_text(), re.MULTILINE)
    assert [scope for scope, _ in rows] == ["viewer", "responder", "commander", "operator", "admin", "ingest:SOURCE"]
    for scope, cells in rows:
        *rights, ingest = [bool(cell.strip()) for cell in cells.split("|")]
        held = [allows([scope], r) for r in (Right.READ, Right.RESPOND, Right.COMMAND, Right.OPERATE, Right.ADMIN)]
        assert rights == held, scope
        assert ingest == may_ingest([scope], "SOURCE"), scope
