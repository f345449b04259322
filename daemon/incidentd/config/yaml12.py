"""YAML as the operator's files may use it: YAML 1.2's meaning of plain words, and every value with its place.

PyYAML's C parser gives events; this module makes nodes of them. Aliases, anchors, tags, merge keys, directives and
duplicate keys are refused, and so is what is too large or too deep: whoever can write a file may not stop the daemon.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from incidentd.config.report import Report, shown
from incidentd.errors import Location

LARGEST = 1024 * 1024
"""Bytes of one file."""
DEEPEST = 30
MOST_NODES = 50_000

_NULL = re.compile(r"~|null|Null|NULL|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]{1,300}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,5})?")
_NOT_IN_YAML = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

# libyaml's words, and what usually is behind them
_USUAL = {
    "found character that cannot start any token": "tabs cannot indent; a text that begins with @, ` or % needs quotes",
    "mapping values are not allowed in this context": "a text with `: ` in it needs quotes; keys begin in one column",
    "found unexpected end of stream": "a closing quote or bracket is missing",
}
_USUAL_OTHER = "look at the indentation, quotes and brackets of this line and the one before"


@dataclass(frozen=True, slots=True)
class Scalar:
    """One word or text as it is written."""

    at: Location
    text: str
    plain: bool
    """Without quotes: only then it may be a number, true, false or nothing."""

    def number(self) -> int | float | None:
        """Give the number that it is; None if it is none. Raises ValueError for one that is not finite."""
        if not self.plain:
            return None
        if _INT.fullmatch(self.text):
            return int(self.text)
        if _FLOAT.fullmatch(self.text):
            number = float(self.text)
            if not math.isfinite(number):
                raise ValueError("this number is too large")
            return number
        return None

    def value(self) -> str | int | float | bool | None:
        """Give what YAML 1.2's core schema reads in it, except that only decimal numbers are numbers."""
        if self.plain and _NULL.fullmatch(self.text):
            return None
        if self.plain and _BOOL.fullmatch(self.text):
            return self.text.lower() == "true"
        number = self.number()
        return self.text if number is None else number


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    at: Location
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys and values, in the order of the file."""

    at: Location
    entries: dict[str, Node]
    keys: dict[str, Location]


Node = Scalar | Sequence | Mapping


class _GiveUp(Exception):
    """The rest of the file cannot be read; the reason is in the report."""


def read(raw: bytes, file: str, report: Report) -> list[Node] | None:
    """Read the documents of a file; None, with the reasons in the report, when it holds a mistake of YAML's own."""
    before = len(report.problems)
    text = _decoded(raw, file, report)
    if text is None:
        return None
    documents: list[Node] = []
    try:
        documents += _Composer(text, file, report).documents()
    except _GiveUp:
        pass
    except yaml.MarkedYAMLError as error:
        message = error.problem or "unreadable"
        report.wrong(_where(error, text, file), f"this is not YAML: {message}", _USUAL.get(message, _USUAL_OTHER))
    except yaml.YAMLError as error:
        report.wrong(Location(file, 1), f"this is not YAML: {shown(str(error), 200)}")
    return documents if len(report.problems) == before else None


def _where(error: yaml.MarkedYAMLError, text: str, file: str) -> Location:
    """Say where a mistake is: what is never closed is wrong where it opens, not behind the end of the file."""
    end = len(text.rstrip())
    for mark in (error.problem_mark, error.context_mark):
        if mark is not None and mark.index < end:
            return Location(file, mark.line + 1, mark.column + 1)
    return _place(text, max(end - 1, 0), file)


def _place(text: str, index: int, file: str) -> Location:
    return Location(file, text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index))


def _decoded(raw: bytes, file: str, report: Report) -> str | None:
    if len(raw) > LARGEST:
        report.wrong(Location(file, 1), f"the file is larger than {LARGEST // 1024} KiB", "split it into several files")
        return None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        report.wrong(Location(file, line), "the file is not UTF-8", "save it as UTF-8")
        return None
    if odd := _NOT_IN_YAML.search(text):
        code = f"U+{ord(odd[0]):04X}"
        report.wrong(_place(text, odd.start(), file), f"the character {code} may not stand in YAML", "take it out")
        return None
    return text


class _Composer:
    """Makes nodes of the parser's events."""

    def __init__(self, text: str, file: str, report: Report) -> None:
        self._events: Iterator[yaml.Event] = yaml.parse(text, Loader=yaml.CSafeLoader)
        self._file = file
        self._report = report
        self._nodes = 0

    def documents(self) -> Iterator[Node]:
        """Give each document that is not empty."""
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                self._no_directives(event)
                node = self._node(next(self._events), 1)
                if not (isinstance(node, Scalar) and node.value() is None):
                    yield node

    def _no_directives(self, event: yaml.DocumentStartEvent) -> None:
        if event.version or event.tags:
            self._report.wrong(
                self._place(event), "`%` directives are not read", "take them out: every file is read as YAML 1.2"
            )

    def _node(self, event: yaml.Event, depth: int) -> Node:
        at = self._place(event)
        self._nodes += 1
        if self._nodes > MOST_NODES:
            self._report.wrong(at, f"the file holds more than {MOST_NODES} values", "split it into several files")
            raise _GiveUp
        if depth > DEEPEST:
            self._report.wrong(at, f"this is nested more than {DEEPEST} deep", "no file needs that")
            raise _GiveUp
        self._only_plain_yaml(event, at)
        match event:
            case yaml.SequenceStartEvent():
                return Sequence(at, tuple(self._items(depth + 1)))
            case yaml.MappingStartEvent():
                return self._mapping(at, depth + 1)
            case _:
                return self._scalar(event, at)

    def _place(self, event: yaml.Event) -> Location:
        mark = event.start_mark
        return Location(self._file, mark.line + 1, mark.column + 1) if mark else Location(self._file, 1)

    def _only_plain_yaml(self, event: yaml.Event, at: Location) -> None:
        match event:
            case yaml.AliasEvent(anchor=name):
                self._report.wrong(at, f"the alias `*{shown(name)}` is not allowed", "write the value out")
            case yaml.NodeEvent(anchor=str() as name):
                self._report.wrong(at, f"the anchor `&{shown(name)}` is not allowed", "take it out")
            case yaml.ScalarEvent(tag=str() as tag) | yaml.CollectionStartEvent(tag=str() as tag):
                tag = shown(tag.replace("tag:yaml.org,2002:", "!!"))
                self._report.wrong(at, f"the tag `{tag}` is not allowed", "take it out, or quote the text")
            case _:
                pass

    def _scalar(self, event: yaml.Event, at: Location) -> Scalar:
        if not isinstance(event, yaml.ScalarEvent):
            return Scalar(at, "", plain=True)  # an alias, which was refused above
        scalar = Scalar(at, event.value, plain=event.style is None or event.style == "")
        if _CONTROL.search(scalar.text):
            self._report.wrong(at, "a control character may not stand in a text", "take it out")
        try:
            scalar.number()
        except ValueError as error:
            self._report.wrong(at, str(error), "write it in quotes if it is a text")
            return Scalar(at, "0", plain=True)
        return scalar

    def _items(self, depth: int) -> Iterator[Node]:
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            yield self._node(event, depth)

    def _mapping(self, at: Location, depth: int) -> Mapping:
        mapping = Mapping(at, {}, {})
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._node(event, depth)
            value = self._node(next(self._events), depth)
            if not isinstance(key, Scalar) or not key.text:
                hint = "write `key: value`; a value that begins with `{{` needs quotes round it"
                self._report.wrong(key.at, "a key must be one word or text", hint)
            elif key.text == "<<" and key.plain:
                self._report.wrong(key.at, "the merge key `<<` is not allowed", "write the values out")
            elif key.text in mapping.entries:
                first = mapping.keys[key.text].line
                self._report.wrong(
                    key.at,
                    f"the key `{shown(key.text)}` is here twice, first on line {first}",
                    "keep one of the two",
                )
            else:
                mapping.entries[key.text] = value
                mapping.keys[key.text] = key.at
        return mapping
