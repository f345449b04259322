"""The page of postmortems: its tables are those of the rules, its words those of the draft and the command."""

from __future__ import annotations

import re

from incidentd.postmortem import MOST_FINDINGS, RULES
from incidentd.postmortem.rules import Part
from tests.docs import postmortems_page

TEXT = postmortems_page.PAGE.read_text()


def test_the_tables_of_rules_are_those_of_the_code() -> None:
    assert postmortems_page.page() == TEXT, "run `make docs`"
    assert re.findall(r"<!-- made: ([a-z ]+) -->", TEXT) == ["places", *Part]
    assert [name for name in re.findall(r"^\| `([a-z-]+)` \| (?:error|warning|info) \|", TEXT, re.MULTILINE)] == sorted(
        RULES, key=lambda name: list(Part).index(RULES[name].part)
    )


def test_the_page_names_the_bound_and_the_levels_that_there_are() -> None:
    assert f"at most {MOST_FINDINGS} are given" in TEXT
