"""The pages of a directory of published postmortems: whole files that need nothing beside them but their graphs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from html import escape

from incidentd.text import instant, markdown, plain

# what a browser may do with the file, wherever it lies
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; base-uri 'none'; form-action 'none'"
_STYLE = """
body { font: 1rem/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1rem; overflow-wrap: anywhere }
table { border-collapse: collapse } th, td { border: 1px solid #999; padding: .2rem .5rem; text-align: left }
td, th { vertical-align: top } pre { white-space: pre-wrap } img { max-width: 100% }
"""
_TITLE = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A published copy, as an index names it."""

    key: str
    """Of its incident."""
    version: int
    title: str
    severity: str
    service: str
    at: datetime
    tags: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        """How its files are called, without what they end in."""
        return f"{self.key}.v{self.version}"


def page(line: Line, body: str) -> str:
    """Write the page of one copy round its harmless body."""
    about = f"{line.key}, version {line.version}, published {instant(line.at)}"
    return _whole(f"{line.key} {plain(line.title, _TITLE)}", f'<p><a href="index.html">all</a> · {about}</p>\n{body}')


def index_html(lines: Iterable[Line]) -> str:
    """Write the index as HTML: of each incident its newest copy, and those before it."""
    items = "".join(
        f'<li><a href="{newest.file}.html">{newest.key} {escape(plain(newest.title, _TITLE))}</a>'
        f" · {escape(plain(_about(newest), _TITLE))}{_before_html(older)}</li>\n"
        for newest, older in _of_each(lines)
    )
    return _whole("Postmortems", f"<h1>Postmortems</h1>\n<ul>\n{items}</ul>\n")


def index_markdown(lines: Iterable[Line]) -> str:
    """Write the index as Markdown."""
    items = "".join(
        f"- [{newest.key} {markdown(newest.title, _TITLE)}]({newest.file}.md), {markdown(_about(newest), _TITLE)}"
        + "".join(f"; [version {one.version}]({one.file}.md)" for one in older)
        + "\n"
        for newest, older in _of_each(lines)
    )
    return f"# Postmortems\n\n{items}"


def _about(line: Line) -> str:
    said = [line.severity, line.service, instant(line.at), *line.tags]
    return " · ".join(one for one in said if one)


def _before_html(older: Iterable[Line]) -> str:
    return "".join(f' · <a href="{one.file}.html">version {one.version}</a>' for one in older)


def _of_each(lines: Iterable[Line]) -> list[tuple[Line, list[Line]]]:
    """Put the copies of each incident together, the newest first."""
    found: dict[str, list[Line]] = {}
    for line in sorted(lines, key=lambda it: (it.at, it.version), reverse=True):
        found.setdefault(line.key, []).append(line)
    return [(copies[0], copies[1:]) for copies in found.values()]


def _whole(title: str, body: str) -> str:
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n{body}</body>\n</html>\n"
    )
