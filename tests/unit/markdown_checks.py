"""What must hold of any Markdown that we make, whatever strangers wrote into it."""

from __future__ import annotations

import re

HOSTILE = (
    "|", "a | b || c", "\\|", "\\\\|", "a\nb", "a\r\n\r\n# heading", "\n\n---\n", "a\u2028| b", "a\x0bb\x0cc\x85d",
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "&lt;b&gt;", "[x](javascript:alert(1))",
    "![x](http://evil.example/x.png)", "`code` ~~gone~~ **bold** __b__", "```", "$(id)", "{{ 7*7 }}",
    "@everyone #all", "javascript:alert(1)", "http://evil.example/(a)|b\"'<x>", "https://evil.example/\n| x |",
    "http://[::1", "data:text/html,x", "\u202egnp.exe", "\ud800", "x\x00\x1b[31m", "TODO: | x", "  TODO:",
    "x" * 5000, "", " ", "---", "'\": [}{]#&*!%", "\ufffe\uffff",
)  # fmt: skip

_BAR = re.compile(r"(?<!\\)(?:\\\\)*\|")
_LINK = re.compile(r"(?<!\\)\]\((.*?)\)")
_TAG = re.compile(r"(?<!\\)<[A-Za-z/!]")


def tables(markdown: str) -> list[list[str]]:
    """The tables of a page, each as its lines."""
    found: list[list[str]] = []
    before = ""
    for line in markdown.split("\n"):
        if line.startswith("| "):
            found.append([]) if not before.startswith("|") else None
            found[-1].append(line)
        elif line.startswith("|"):
            found[-1].append(line)
        before = line
    return found


def check(markdown: str) -> None:
    """Every table keeps its shape, no tag is alive, every link is http or https, and UTF-8 can carry it."""
    markdown.encode("utf-8")
    assert len(markdown.splitlines()) == markdown.count("\n")
    for lines in tables(markdown):
        assert re.fullmatch(r"\|( --- \|)+", lines[1])
        assert len({len(_BAR.findall(line)) for line in lines}) == 1, lines
        assert all(line.endswith(" |") for line in lines)
    assert not _TAG.search(markdown)
    assert all(re.fullmatch(r"https?://[^\s|<>()]+", url) for url in _LINK.findall(markdown))
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", markdown)


def headings(markdown: str) -> list[str]:
    """The headings of a page, in order."""
    return [line for line in markdown.split("\n") if re.match(r"#{1,6} ", line)]
