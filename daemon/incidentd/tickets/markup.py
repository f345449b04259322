"""Markdown, as people write it, turned into Jira's wiki markup; whatever is no markup of ours is made inert.

Read are headings, paragraphs, lists, quotations, code, tables, rules, and within a line code, links, bold, italic and
struck text. Every other character that Jira's renderer would obey is escaped, so no text can reach its macros.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from incidentd.text import plain

# Only what a link needs: no braces, brackets or bars (macros, links, tables), no user part before an @.
_URL = re.compile(r"(https?://[A-Za-z0-9.:/_~%?=&#+,;$-]+)")
# What Jira's renderer takes a backslash before; a hyphen or underscore inside a word is no markup and stays readable.
_MARKUP = re.compile(r"(?<![A-Za-z0-9])[-_]|[-_](?![A-Za-z0-9])|[#*+?^~|%{}\[\]()!@]")
# A backslash before anything but a letter, digit or blank would undo the escape that follows it.
_BACKSLASH = re.compile(r"\\(?![A-Za-z0-9 ])")
_BLOCK = re.compile(r"^(\s*)(h[1-6]|bq)\.", re.IGNORECASE)

_HEADING = re.compile(r" {0,3}(#{1,6})[ \t]+(.*?)[ \t]*#*[ \t]*$")
_FENCE = re.compile(r" {0,3}(```+|~~~+)")
_RULE = re.compile(r" {0,3}(?:(?:-[ \t]*){3,}|(?:\*[ \t]*){3,}|(?:_[ \t]*){3,})$")
_ITEM = re.compile(r"([ \t]*)([-*+]|[0-9]{1,9}[.)])[ \t]+(.*)$")
_QUOTE = re.compile(r" {0,3}> ?(.*)$")
_ROW = re.compile(r" {0,3}\|.*\|[ \t]*$")
_UNDER_HEAD = re.compile(r" {0,3}\|(?:[ \t]*:?-{1,50}:?[ \t]*\|)+[ \t]*$")
_BAR = re.compile(r"(?<!\\)\|")
# Each repetition is bounded, so that no text takes long.
_INLINE = re.compile(
    r"\\(?P<escaped>[\\`*_{}\[\]<>()#+.!|~-])"
    r"|(?P<ticks>`{1,3})(?P<code>[^`\n]{1,300})(?P=ticks)"
    r"|\[(?P<words>[^\[\]\n]{1,300})\]\((?P<url>https?://[A-Za-z0-9.:/_~%?=&#+,;$-]{1,1000})\)"
    r"|\*\*(?P<bold>[^\s*](?:[^*\n]{0,298}[^\s*])?)\*\*"
    r"|\*(?P<italic>[^\s*](?:[^*\n]{0,298}[^\s*])?)\*"
    r"|(?<![A-Za-z0-9_])_(?P<slanted>[^\s_](?:[^_\n]{0,298}[^\s_])?)_(?![A-Za-z0-9_])"
    r"|~~(?P<struck>[^\s~](?:[^~\n]{0,298}[^\s~])?)~~"
)
_END_OF_CODE = re.compile(r"\{(?=\s*(?:noformat|code))", re.IGNORECASE)
_DEEPEST = 6
_CODE = "{noformat}"


def well_formed(value: str) -> str:
    """Take out lone surrogates, which JSON may bring in and no UTF-8 can carry out."""
    return value.encode("utf-8", "replace").decode("utf-8")


def inert(line: str) -> str:
    """Make one line of a stranger's inert; its http and https links stay links."""
    # split() with one group alternates: text, link, text, link, ...
    parts = _URL.split(line)
    parts[::2] = (_MARKUP.sub(r"\\\g<0>", _BACKSLASH.sub("\N{REVERSE SOLIDUS OPERATOR}", part)) for part in parts[::2])
    # a heading or a quote is made by the start of the line alone
    return _BLOCK.sub("\\1\\2\N{ZERO WIDTH SPACE}.", "".join(parts))


def from_markdown(text: str, limit: int) -> str:
    """Turn Markdown into wiki markup of at most so many characters; what is cut ends with a mark."""
    lines = [plain(line, limit) for line in well_formed(text).splitlines()]
    made: list[str] = []
    left = limit
    for line in _blocks(lines):
        left -= len(line) + 1
        if left < len(_CODE) + 2:
            made += [_CODE] * (made.count(_CODE) % 2) + ["…"]
            break
        made.append(line)
    return "\n".join(made).strip("\n")


def _blocks(lines: list[str]) -> Iterator[str]:
    at = 0
    while at < len(lines):
        if fence := _FENCE.match(lines[at]):
            end = _end_of_fence(lines, at, fence[1])
            yield from (
                _CODE,
                *(_END_OF_CODE.sub("{\N{ZERO WIDTH SPACE}", line) for line in lines[at + 1 : end]),
                _CODE,
            )
            at = end + 1
        elif _ROW.match(lines[at]):
            end = next((n for n in range(at, len(lines)) if not _ROW.match(lines[n])), len(lines))
            yield from _table(lines[at:end])
            at = end
        else:
            yield _block(lines[at])
            at += 1


def _end_of_fence(lines: list[str], at: int, fence: str) -> int:
    return next((n for n in range(at + 1, len(lines)) if lines[n].strip().startswith(fence)), len(lines))


def _block(line: str) -> str:
    """Turn one line that is no code and no row of a table."""
    if _RULE.match(line):
        return "----"
    if heading := _HEADING.match(line):
        return f"h{len(heading[1])}. {_inline(heading[2])}"
    if item := _ITEM.match(line):
        depth = min(len(item[1].expandtabs(4)) // 2 + 1, _DEEPEST)
        return f"{('*' if item[2] in '-*+' else '#') * depth} {_inline(item[3])}"
    if quote := _QUOTE.match(line):
        return f"bq. {_inline(quote[1])}" if quote[1].strip() else ""
    return _inline(line)


def _table(rows: list[str]) -> Iterator[str]:
    has_head = len(rows) > 1 and bool(_UNDER_HEAD.match(rows[1]))
    for number, row in enumerate(rows):
        if has_head and number == 1:
            continue
        bar = "||" if has_head and number == 0 else "|"
        cells = (_inline(cell.strip().replace("\\|", "|")) or " " for cell in _BAR.split(row.strip())[1:-1])
        yield f"{bar}{bar.join(cells)}{bar}"


def _inline(text: str) -> str:
    made, at = [], 0
    for found in _INLINE.finditer(text):
        made += [_text(text[at : found.start()]), _span(found)]
        at = found.end()
    return _glued([*made, _text(text[at:])])


def _glued(parts: list[str]) -> str:
    # the start of a line may have become one by leaving markup out
    return _BLOCK.sub("\\1\\2\N{ZERO WIDTH SPACE}.", "".join(parts))


def _text(text: str) -> str:
    return inert(text) if text else ""


def _span(found: re.Match[str]) -> str:
    it = {name: value for name, value in found.groupdict().items() if value is not None}
    if "escaped" in it:
        return _text(it["escaped"])
    if "code" in it:
        return "{{" + _text(it["code"].strip()) + "}}" if it["code"].strip() else _text(found[0])
    if "url" in it:
        return f"[{_text(it['words'])}|{it['url']}]"
    mark, words = next(
        (mark, it[name])
        for name, mark in (("bold", "*"), ("italic", "_"), ("slanted", "_"), ("struck", "-"))
        if name in it
    )
    return f"{mark}{_text(words)}{mark}"
