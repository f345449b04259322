"""Templates of whole messages: a title, an empty line, and a body whose lines come and go with their values.

A line whose values are all empty is left out, and a line that names a list is written once for each entry of it. So a
template needs no conditions and no loops, and stays as harmless as `templates` has it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from incidentd.templates import BadTemplate, Template, compile_template
from incidentd.text import plain

TITLE_LIMIT = 140
"""Characters of a title: what a phone shows on its lock screen, and an SMS still holds with a link."""

WORDS: Mapping[str, str] = {
    "severity": "`sev1`",
    "means": "what the severity means: `money is bleeding`",
    "how_bad": "both: `sev1: money is bleeding`",
    "lead": "what is new about the page, with a colon: `Still unanswered: `; empty at first; `Copy: ` for a shadow",
    "what": "the title of the hold or incident",
    "subject": "`HOLD-7` or `INC-12`",
    "page": "`PAGE-9`",
    "since": "when it began to hurt, in UTC and in the reader's zone",
    "ago": "how long that is: `12m`",
    "held": "when what is held becomes an incident; empty for an incident",
    "why": "why anybody is paged",
    "why_you": "why the reader is paged",
    "asked": "what is asked of the reader and until when: `Answer by: ...`",
    "paged": "who was paged before, from the second message on",
    "said": "what somebody said about it",
    "answer": "the address that answers the page; empty when there is nothing to answer",
    "details": "the address of the hold or incident",
    "tried": "what was done about it already; a list",
    "before": "the same thing the last time, and what fixed it: `INC-7 of 2026-10-02: consumers restarted`",
    "link.name": "the name of an address; `link` is a list",
    "link.url": "the address itself; a dashboard of Grafana or a query of Prometheus shows the time of the incident",
}
"""Every name that a message's template may use, and what it stands for."""
_LISTS = {"tried": "tried", "link.name": "link", "link.url": "link"}

Entry = Mapping[str, object]


class BadMessage(ValueError):
    """A template that cannot be read or filled: `line` counts from 1, the message says what is wrong in it."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """What a message says: one value a name, and the lists. All of it is harmless already for where it goes."""

    single: Mapping[str, str]
    lists: Mapping[str, tuple[Entry, ...]]
    """Each entry as the context of its line: `{"tried": ...}`, `{"link": {"name": ..., "url": ...}}`."""


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    template: Template
    of: str
    """The list that it is written for; ''."""

    def written(self, values: Values) -> Iterator[str]:
        for entry in values.lists[self.of] if self.of else ({},):
            context = {**values.single, **entry}
            names = self.template.variables()
            if names and not any(_found(name, context) for name in names):
                continue
            try:
                yield self.template.render(context)
            except BadTemplate as error:
                raise BadMessage(self.number, str(error)) from None


@dataclass(frozen=True, slots=True)
class MessageTemplate:
    """A template that was read. Make one with `read_message`."""

    _title: _Line
    _body: tuple[_Line, ...]

    def fill(self, values: Values) -> tuple[str, str]:
        """Write the title and the body. Raises BadMessage."""
        what = values.single["what"]
        title = self._titled(values, what)
        if len(title) > TITLE_LIMIT:  # what it is about gives way, and what stands around it stays
            room = TITLE_LIMIT - len(self._titled(values, ""))
            title = self._titled(values, plain(what, max(room, 1)))
        lines: list[str] = []
        for line in self._body:
            lines += line.written(values)
        kept = [line for place, line in enumerate(lines) if line.strip() or (place and lines[place - 1].strip())]
        return plain(title, TITLE_LIMIT), "\n".join(kept).strip("\n")

    def _titled(self, values: Values, what: str) -> str:
        return "".join(self._title.written(replace(values, single={**values.single, "what": what})))


def read_message(text: str) -> MessageTemplate:
    """Read a template: its first line is the title, then comes an empty line and the body. Raises BadMessage."""
    lines = text.rstrip().split("\n")
    if not lines[0].strip():
        raise BadMessage(1, "the first line is the title of the message, and it is empty")
    if len(lines) < 3 or lines[1].strip():
        raise BadMessage(2, "after the title come an empty line and the body")
    title = _line(1, lines[0])
    if title.of:
        raise BadMessage(1, f"`{title.of}` is a list, and the title is one line")
    return MessageTemplate(title, tuple(_line(number, line) for number, line in enumerate(lines[2:], start=3)))


def _line(number: int, text: str) -> _Line:
    try:
        template = compile_template(text.rstrip())
    except BadTemplate as error:
        raise BadMessage(number, str(error)) from None
    names = template.variables()
    for name in sorted(names):
        if name not in WORDS:
            raise BadMessage(number, f"there is no `{plain(name, 40)}` in a message; there are {', '.join(WORDS)}")
    lists = sorted({_LISTS[name] for name in names if name in _LISTS})
    if len(lists) > 1:
        raise BadMessage(number, f"`{lists[0]}` and `{lists[1]}` are both lists; write a line for each")
    return _Line(number, template, lists[0] if lists else "")


def _found(name: str, context: Mapping[str, object]) -> object:
    found: object = context
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found
