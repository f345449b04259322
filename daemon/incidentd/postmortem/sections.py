"""Whether a draft is filled in: the mandatory sections, one sentence for those in a hurry, numbers, sources."""

from __future__ import annotations

import re
from collections.abc import Iterator

from incidentd.postmortem.findings import Finding, Level
from incidentd.postmortem.markup import Page, Section
from incidentd.postmortem.prompts import HINTS, OBSERVED, RECORDED, SUGGESTION
from incidentd.postmortem.rules import RULES

KEYS = (
    "incident", "title", "status", "severity", "peak", "service", "faulty_service", "teams", "impact_started",
    "detected", "declared", "acknowledged", "identified", "mitigated", "resolved", "detection", "alert", "trigger",
    "cause_class", "repeat_of", "automation",
)  # fmt: skip
"""The keys of the machine-readable head."""
MANDATORY = (
    "Date and people", "Executive summary", "Problem summary", "Technical issue",
    "Root cause and contributing factors", "Action items", "Lessons learned", "What went well",
    "What could be improved", "Where we got lucky", "Feedback on our practice", "Timeline",
)  # fmt: skip
"""The sections that have to be there and filled in, by how their titles begin."""
MOST_WORDS = 40
_READ = 2000

_ONLY_HEADINGS = ("Lessons learned",)
"""What consists of its sections below."""
_NUMBERS = ("% affected", "User impact", "Revenue impact")
_ESTIMATE = re.compile(r"estimate:\s*\S", re.IGNORECASE)
_NONE = re.compile(r"(?:none|nobody|nothing|zero|no\b)", re.IGNORECASE)
_SENTENCE_ENDS = re.compile(r"[.!?]+[\"')\]]*\s+(?=[A-Z0-9\"'(\[])")
_ABBREVIATION = re.compile(r"\b(?:e\.g|i\.e|approx|ca|vs|no|min|max|incl)\.\s*$", re.IGNORECASE)
_FACTORS = re.compile(r"^\s*[-*]\s+Contributing factors:[ \t]*(.*)$", re.IGNORECASE)
_ONLY_ONE = re.compile(r"\b(?:because|only|single|since)\b", re.IGNORECASE)
_SOURCE = re.compile(rf"^(?:{OBSERVED}|{RECORDED})\b|https?://|\]\(", re.IGNORECASE)
"""Where an event can be looked up: a link, or the word for whoever saw or recorded it."""


def sections(page: Page) -> list[Finding]:
    """Find what keeps a draft from being filled in; a quick review is only looked at for prompts."""
    found = [_unfilled(page, offset, words) for offset, words in page.prompts()]
    if not is_quick_review(page):
        found += [*_head(page), *_mandatory(page), *_summary(page), *_numbers(page), *_factors(page), *_sources(page)]
    return sorted(found, key=lambda it: (it.line, it.column, it.rule))


def _unfilled(page: Page, offset: int, words: str) -> Finding:
    return RULES["unfilled"].at(page.place(offset), words, level=Level.WARNING if words in HINTS else None)


def is_quick_review(page: Page) -> bool:
    """Say whether this is the five lines about what was stood down."""
    return bool(page.sections) and page.sections[0].title.startswith("Quick review")


def _head(page: Page) -> Iterator[Finding]:
    if page.head is None:
        yield RULES["head"].at((1, 1), why="The machine-readable head is missing.")
        return
    for key in KEYS:
        if key not in page.head:
            yield RULES["head"].at((1, 1), why=f"The machine-readable head lacks `{key}`.")


def _mandatory(page: Page) -> Iterator[Finding]:
    for title in MANDATORY:
        section = page.section(title)
        if section is None:
            yield RULES["missing-section"].at((len(page.lines), 1), why=f"The section `{title}` is missing.")
        elif title not in _ONLY_HEADINGS and not page.body(section) and not _asks(page, section):
            yield RULES["unfilled"].at((section.number + 1, 1), why=f"The section `{title}` is empty.")


def _asks(page: Page, section: Section) -> bool:
    """Say whether a prompt stands there, which is said already; a comment asks for nothing."""
    return any(page.place(offset)[0] - 1 in section.lines for offset, _ in page.prompts())


def _summary(page: Page) -> Iterator[Finding]:
    section = page.section("Executive summary")
    body = page.body(section) if section else ""
    if section is None or not body:
        return
    first = next((n for n in section.lines if page.lines[n].strip()), section.number)
    if body.startswith(SUGGESTION):
        why = "This is the draft's suggestion."
        yield RULES["executive-summary"].at((first + 1, 1), SUGGESTION, why=why)
        return
    number, words = len(_sentences(body[:_READ])), len(body.split())
    if number > 1 or words > MOST_WORDS:
        yield RULES["executive-summary"].at((first + 1, 1), body, why=f"It has {number} sentences and {words} words.")


def _sentences(text: str) -> list[str]:
    """Split a text into its sentences; a point after a well-known abbreviation ends none."""
    found, begin = [], 0
    for end in _SENTENCE_ENDS.finditer(text):
        if not _ABBREVIATION.search(text[max(begin, end.end() - 12) : end.end()]):
            found.append(text[begin : end.end()])
            begin = end.end()
    return [*found, text[begin:]]


def _numbers(page: Page) -> Iterator[Finding]:
    section = page.section("Problem summary")
    rows = list(page.rows(section)) if section else []
    prompts = {page.place(offset) for offset, _ in page.prompts()}
    for name in _NUMBERS:
        row = next((row for _, row in rows if row.cells[0].casefold().startswith(name.casefold())), None)
        if section is not None and row is None:
            yield RULES["impact-numbers"].at((section.number + 1, 1), why=f"The row `{name}` is missing.")
        if row is None or len(row.cells) < 2:
            continue
        said, place = row.cells[1], (row.line + 1, row.columns[1] + 1)
        if place in prompts:  # it is said already that this is not filled in
            continue
        if not (re.search(r"\d", said) or _ESTIMATE.match(said) or _NONE.match(said)):
            yield RULES["impact-numbers"].at(place, said, why=f"`{name}` has no number.")


def _factors(page: Page) -> Iterator[Finding]:
    section = page.section("Root cause and contributing factors")
    lines = list(section.lines) if section else []
    for place, number in enumerate(lines):
        if found := _FACTORS.match(page.lines[number]):
            below = _sub_list(page, lines[place + 1 :])
            named = [one for one in found[1].split(";") if one.strip()] + below
            if not found[1].strip().startswith("_") and len(named) < 2 and not _ONLY_ONE.search(found[1]):
                yield RULES["factors"].at((number + 1, 1), page.lines[number])
            return


def _sub_list(page: Page, lines: list[int]) -> list[str]:
    found = []
    for number in lines:
        if not page.lines[number].startswith((" ", "\t")):
            break
        if re.match(r"\s+(?:[-*]|\d{1,3}[.)])\s+\S", page.lines[number]):
            found.append(page.lines[number])
    return found


def _sources(page: Page) -> Iterator[Finding]:
    section = page.section("Timeline")
    for header, row in page.rows(section) if section else ():
        if len(row.cells) < len(header.cells) or not _SOURCE.search(row.cells[-1]):
            yield RULES["timeline-source"].at((row.line + 1, row.columns[-1] + 1), " ".join(row.cells[:2]))
