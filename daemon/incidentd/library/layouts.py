"""How a postmortem is laid out: Markdown with places for what is drafted, which a team may write its own of.

A place for a section is a line of its own, `{{ timeline }}`; short values may stand anywhere. What is put in is put in
once and never read as a template again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from incidentd.templates import BadTemplate, Template, compile_template
from incidentd.text import plain

SECTIONS: Mapping[str, str] = {
    "head": "the machine-readable head; it comes first",
    "people": "the table of dates and people",
    "executive_summary": "the prompt for one sentence, with a suggestion",
    "problem_summary": "the table of how long, how many and how much",
    "technical_issue": "the prompt for what happened, and why it was declared",
    "factors": "the list of trigger and contributing factors",
    "action_items": "the table of action items, filed and proposed",
    "went_well": "a prompt", "could_be_improved": "a prompt", "lucky": "a prompt",
    "feedback": "the questions about our practice with suggested answers",
    "timeline": "the timeline, oldest first",
    "supporting": "alerts, graphs, automation, messages, similar incidents, glossary, external message",
}  # fmt: skip
"""What has a line of its own, and what it is."""
VALUES: Mapping[str, str] = {
    "title": "the incident's title", "incident": "`INC-12`", "severity": "`sev1`", "service": "its service",
    "owner": "who owns the postmortem",
}  # fmt: skip
"""What may stand anywhere."""
_ALONE = re.compile(r"[ \t]*\{\{\s*([a-z_]+)\s*\}\}[ \t]*")


class BadLayout(ValueError):
    """A layout that cannot be read: `line` and `column` count from 1, the message says what is wrong there."""

    def __init__(self, line: int, column: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


@dataclass(frozen=True, slots=True)
class Layout:
    """A layout that was read. Make one with `read_layout`."""

    _lines: tuple[str | Template, ...]
    """A section's name, or a template of a line."""

    def fill(self, sections: Mapping[str, str], values: Mapping[str, str]) -> str:
        """Put everything in its place."""
        return "\n".join(sections[one] if isinstance(one, str) else one.render(values) for one in self._lines)


def read_layout(text: str) -> Layout:
    """Read a layout. Raises BadLayout with the place of the first mistake."""
    return Layout(tuple(_line(number, line) for number, line in enumerate(text.strip("\n").split("\n"), start=1)))


def _line(number: int, text: str) -> str | Template:
    alone = _ALONE.fullmatch(text)
    if alone and alone[1] in SECTIONS:
        return alone[1]
    column = max(text.find("{"), 0) + 1
    try:
        template = compile_template(text.rstrip())
    except BadTemplate as error:
        raise BadLayout(number, column, str(error)) from None
    for name in sorted(template.variables()):
        column = text.find(name) + 1
        if name in SECTIONS:
            raise BadLayout(number, column, f"`{name}` is a section: write {{{{ {name} }}}} on a line of its own")
        if name not in VALUES:
            known = ", ".join([*SECTIONS, *VALUES])
            raise BadLayout(number, column, f"there is no `{plain(name, 40)}` in a postmortem; there are {known}")
    return template


STANDARD = read_layout("""\
{{ head }}

# {{ title }}

## Date and people

{{ people }}

## Executive summary

{{ executive_summary }}

## Problem summary

{{ problem_summary }}

### Technical issue

{{ technical_issue }}

### Root cause and contributing factors

{{ factors }}

## Action items

{{ action_items }}

## Lessons learned

### What went well

{{ went_well }}

### What could be improved

{{ could_be_improved }}

### Where we got lucky

{{ lucky }}

## Feedback on our practice

{{ feedback }}

## Timeline (UTC, from before the trigger, oldest first)

{{ timeline }}

## Supporting information, glossary, external message

{{ supporting }}
""")
"""The layout that incidentd has by itself: of the SRE Workbook's kind."""
