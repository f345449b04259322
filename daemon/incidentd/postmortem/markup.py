"""A postmortem's Markdown, read as far as the checks need it: sections, tables, and what of it is people's prose.

Every pattern that goes over the whole text is RE2's, so that no text, however it is made, takes long.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import re2

from incidentd.postmortem.prompts import PROMPTS, QUESTIONS, RECORDED

HIDDEN = "\0"
"""Stands in the prose for each character that is none: neither a word nor a blank, so nothing matches across it."""

_HEADING = re.compile(r" {0,3}(#{1,6})[ \t]+(\S.*)$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_LIST = re.compile(r"[ \t]*(?:[-*+]|[0-9]{1,9}[.)])[ \t]")
_BAR = re.compile(r"(?<!\\)\|")
_TOOLS = ("alerts", "automation", "messages sent")
_OPENINGS = re.compile('<!--|`+|["\u201c\u00ab]|\\]\\(|https?://')
_CLOSED_BY = {'"': '"', "\u201c": "\u201d", "\u00ab": "\u00bb"}
_ADDRESS = re.compile(r"[^\s|<>]{0,500}")
_TARGET = re.compile(r"[^()\s]{0,500}\)")
_LONGEST = 400
"""Characters of a quotation or of code inside a line; what is longer is read as prose."""


def compiled(pattern: str) -> Any:
    """Compile a pattern of RE2 that minds no case."""
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    return re2.compile(pattern, options)  # type: ignore[no-untyped-call]  # it has no types


_OWN_WORDS = compiled("|".join(re.escape(one) for one in (*PROMPTS, *QUESTIONS)))
_PROMPT = compiled("|".join(re.escape(one) for one in PROMPTS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A heading and what stands below it, up to the next heading of any level."""

    title: str
    level: int
    number: int
    """Its heading's line, counted from 0."""
    lines: tuple[int, ...]
    """The lines below it, counted from 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of a table below its header."""

    line: int
    """Counted from 0."""
    cells: tuple[str, ...]
    columns: tuple[int, ...]
    """Where each cell begins, counted from 0."""


class Page:
    """A postmortem's text, read once for all checks."""

    def __init__(self, text: str) -> None:
        """Take a text as it is; halves of characters become question marks, one for one."""
        self.text = text.encode("utf-8", "replace").decode("utf-8")
        self.lines = self.text.split("\n")
        self._starts = [0]
        for line in self.lines:
            self._starts.append(self._starts[-1] + len(line) + 1)

    def place(self, offset: int) -> tuple[int, int]:
        """Give the line and the column of an offset, both counted from 1."""
        line = bisect_right(self._starts, offset, hi=len(self.lines)) - 1
        return line + 1, offset - self._starts[line] + 1

    def start(self, line: int) -> int:
        """Give the offset at which a line begins, counted from 0."""
        return self._starts[line]

    @cached_property
    def head(self) -> dict[str, int] | None:
        """The keys of the machine-readable head, each with its line counted from 0; None when there is no head."""
        if self.lines[0].rstrip() != "---":
            return None
        keys: dict[str, int] = {}
        for number, line in enumerate(self.lines[1:], start=1):
            if line.rstrip() == "---":
                return keys
            if found := re.match(r"([a-z_]{1,40}):(?:[ \t]|$)", line):
                keys.setdefault(found[1], number)
        return None

    @cached_property
    def _head_ends(self) -> int:
        """The line after the head, counted from 0."""
        if self.head is None:
            return 0
        return next(number for number, line in enumerate(self.lines) if number and line.rstrip() == "---") + 1

    @cached_property
    def _blocks(self) -> list[bool]:
        """Say of each line whether it is no prose at all: head, code, quotation."""
        hidden = [number < self._head_ends for number in range(len(self.lines))]
        fence, in_list, blank_before, in_code = "", False, True, False
        for number in range(self._head_ends, len(self.lines)):
            line = self.lines[number]
            if fence:
                hidden[number] = True
                closing = line.strip()
                if closing and set(closing) == {fence[0]} and len(closing) >= len(fence):
                    fence = ""
                blank_before = False
                continue
            if opening := _FENCE.match(line):
                fence, hidden[number] = opening[1], True
                continue
            indented = line.startswith(("    ", "\t"))
            in_code = bool(line.strip()) and indented and not in_list and (blank_before or in_code)
            hidden[number] = in_code or line.lstrip(" ").startswith(">")
            if line.strip() and not indented:
                in_list = bool(_LIST.match(line)) or (in_list and line.startswith(" "))
            blank_before = not line.strip()
        return hidden

    @cached_property
    def sections(self) -> list[Section]:
        """The sections in their order; what stands before the first heading is in none."""
        heads: list[tuple[int, int, str]] = []
        for number, line in enumerate(self.lines):
            if not self._blocks[number] and (found := _HEADING.match(line)):
                heads.append((number, len(found[1]), found[2].rstrip("# \t\r")))
        ends = [*(number for number, _, _ in heads), len(self.lines)][1:]
        return [
            Section(title=title, level=level, number=number, lines=tuple(range(number + 1, end)))
            for (number, level, title), end in zip(heads, ends, strict=True)
        ]

    def section(self, title: str) -> Section | None:
        """Find the first section whose title begins so, whatever its case."""
        return next((it for it in self.sections if it.title.casefold().startswith(title.casefold())), None)

    def rows(self, section: Section) -> Iterator[tuple[Row, Row]]:
        """Give the rows of a section's tables, each with its table's header."""
        header: Row | None = None
        for number in section.lines:
            line = self.lines[number]
            if self._blocks[number] or not line.lstrip().startswith("|"):
                header = None
                continue
            row = _row(number, line)
            if header is None:
                header = row
            elif not all(set(cell) <= set("-: ") for cell in row.cells):
                yield header, row

    def body(self, section: Section) -> str:
        """Give what is written in a section, without prompts and comments."""
        text = "\n".join(self.lines[number] for number in section.lines)
        return without_comments(str(_PROMPT.sub("", text))).strip()

    def prompts(self) -> Iterator[tuple[int, str]]:
        """Give the draft's prompts that stand there still, each with its offset."""
        shown = self._without_blocks()
        for found in _PROMPT.finditer(shown):
            yield found.start(), found.group()

    @cached_property
    def prose(self) -> str:
        """What people wrote, as long as the text: all else is hidden, blanks and apostrophes are the usual ones."""
        text = self._without_blocks(tools=True).replace("\u00a0", " ").replace("\u2019", "'").replace("\u2018", "'")
        text = str(_OWN_WORDS.sub(lambda it: _hidden(it.group()), text))
        pieces, at = [], 0
        for begin, end in _asides(text):
            pieces += [text[at:begin], _hidden(text[begin:end])]
            at = end
        return "".join([*pieces, text[at:]])

    def _without_blocks(self, *, tools: bool = False) -> str:
        hidden = self._tools() if tools else set()
        return "\n".join(
            HIDDEN * len(line) if self._blocks[number] or number in hidden else line
            for number, line in enumerate(self.lines)
        )

    def _tools(self) -> set[int]:
        """Find the lines that programs wrote: what incidentd recorded, and the tables of alerts, runs and messages."""
        found: set[int] = set()
        for section in self.sections:
            name = section.title.casefold()
            if section.level > 2 and name in _TOOLS:
                found.update(section.lines)
            elif name.startswith("timeline"):
                found.update(row.line for _, row in self.rows(section) if row.cells[-1].casefold().startswith(RECORDED))
        return found


def _row(number: int, line: str) -> Row:
    """Read a row of a table."""
    bars = [found.start() for found in _BAR.finditer(line)]
    if bars[-1] != len(line.rstrip()) - 1 or len(bars) == 1:
        bars.append(len(line))
    spans = [(begin + 1, end) for begin, end in pairwise(bars)]
    cells, columns = [], []
    for begin, end in spans:
        raw = line[begin:end]
        cells.append(raw.strip())
        columns.append(begin + len(raw) - len(raw.lstrip()) if raw.strip() else begin)
    return Row(line=number, cells=tuple(cells), columns=tuple(columns))


def _hidden(text: str) -> str:
    return "\n".join(HIDDEN * len(part) for part in text.split("\n"))


def without_comments(text: str) -> str:
    """Take the comments out of a text; one that is never closed stays."""
    pieces, at = [], 0
    while (begin := text.find("<!--", at)) >= 0 and (end := text.find("-->", begin)) >= 0:
        pieces.append(text[at:begin])
        at = end + 3
    return "".join([*pieces, text[at:]])


def _asides(text: str) -> Iterator[tuple[int, int]]:
    """Give where inline code, comments, quotations and addresses begin and end, in their order and apart."""
    at, comments = 0, True
    for opening in _OPENINGS.finditer(text):
        if opening.start() < at or (opening[0] == "<!--" and not comments):
            continue
        end = _aside_ends(text, opening)
        comments = comments and (opening[0] != "<!--" or end > 0)
        if end > 0:
            yield opening.start(), end
            at = end


def _aside_ends(text: str, opening: re.Match[str]) -> int:
    """Say where an aside ends that begins here; 0 when it does not end, or too far away."""
    mark, begin = opening[0], opening.end()
    if mark == "<!--":
        return text.find("-->", begin) + 3 if text.find("-->", begin) >= 0 else 0
    if mark in ("](", "http://", "https://"):
        found = (_TARGET if mark == "](" else _ADDRESS).match(text, begin)
        return found.end() if found else 0
    closing = _CLOSED_BY.get(mark, mark)
    end = text.find(closing, begin, begin + _LONGEST)
    return end + len(closing) if end >= 0 and "\n\n" not in text[begin:end] else 0
