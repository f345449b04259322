"""All checks of a postmortem together: what they found, in the order of the text, and whether the gate is open."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable

from incidentd.postmortem import items
from incidentd.postmortem.findings import Finding, Level
from incidentd.postmortem.language import language
from incidentd.postmortem.markup import Page
from incidentd.postmortem.sections import sections

MOST_FINDINGS = 500
"""Findings that one check gives: somebody who is told more reads none."""

_PEOPLE_ROWS = ("owner", "authors", "incident commander", "operations lead", "communications lead", "responders",
                "paged", "reviewers")  # fmt: skip
_HANDLE = re.compile(r"[\w.@-]{1,64}(?: [A-Z][\w'-]{1,40})?")
_NO_NAMES = frozenset(["nobody", "not", "delegated", "since", "until", "then", "utc", "and"])


def check(text: str, people: Collection[str] = ()) -> list[Finding]:
    """Check a postmortem's text: language, action items and sections; the findings are in the order of the text.

    `people` are the handles and names of the incident; those whom the text names in its table of people are added.
    At most `MOST_FINDINGS` are given, the heaviest first to stay.
    """
    page = Page(text)
    found = [*language(page, {*people, *named_in(page)}), *items.of_page(page), *sections(page)]
    kept = sorted(found, key=lambda it: -it.level.weight)[:MOST_FINDINGS]
    return sorted(kept, key=lambda it: (it.line, it.column, -it.level.weight, it.rule))


def passes(findings: Iterable[Finding]) -> bool:
    """Say whether a draft may go to its review: no finding is an error."""
    return not any(it.level is Level.ERROR for it in findings)


def counts(findings: Iterable[Finding]) -> dict[str, int]:
    """Count findings by rule, never by author."""
    return dict(Counter(it.rule for it in findings))


def named_in(page: Page) -> set[str]:
    """Find the people whom the table of people names."""
    section = page.section("Date and people")
    found: set[str] = set()
    for _, row in page.rows(section) if section else ():
        if len(row.cells) > 1 and row.cells[0].casefold() in _PEOPLE_ROWS and not row.cells[1].startswith("_"):
            for part in re.split(r"[,;]", re.sub(r"\([^()]*\)", ",", row.cells[1])):
                if name := _HANDLE.match(part.replace("\\", "").strip().removeprefix("then ")):
                    found.add(name[0])
    return {name for name in found if name.casefold() not in _NO_NAMES and not name.isdigit()}
