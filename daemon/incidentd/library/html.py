"""A postmortem as HTML that does nothing: no script, nothing fetched from elsewhere, whatever its Markdown holds.

The Markdown is read by markdown-it-py with raw HTML off, so a tag in it is text. What comes out is looked at once more:
where there is any tag or attribute that this page does not use itself, the text is shown as it was written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from html import escape
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

LONGEST = 200_000
"""Characters of Markdown that are made HTML of; a longer text is shown as it was written."""
_DEEPEST = 20

_ALLOWED: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(
        ("p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "li", "blockquote", "pre", "em", "strong", "s", "hr",
         "br", "table", "thead", "tbody", "tr", "th", "td"), frozenset()),
    "a": frozenset({"href", "rel"}), "img": frozenset({"src", "alt"}), "ol": frozenset({"start"}),
    "code": frozenset({"class"}),
}  # fmt: skip
_CLASS = re.compile(r"language-[\w+#.-]{1,40}")
_HEAD = re.compile(r"\A---[ \t]*\n.*?\n---[ \t]*(?:\n|\Z)", re.DOTALL)
_HERE = re.compile(r"[A-Za-z0-9#?&=._~/%-]{1,500}")
_PICTURE = re.compile(r"[A-Za-z0-9./_-]{1,200}")

Picture = Callable[[str], str]
"""Gives the address of a picture beside the page, for that which the Markdown names; '' for one that is not ours."""


def no_picture(_: str) -> str:
    """Show no picture: each becomes a link."""
    return ""


def html(markdown: str, picture: Picture = no_picture) -> str:
    """Write a postmortem's Markdown, without its head, as HTML for the middle of a page."""
    text = _HEAD.sub("", markdown.encode("utf-8", "replace").decode("utf-8").replace("\r\n", "\n"))
    if len(text) > LONGEST:
        return as_written(text)
    try:
        made = _parser().render(text, {"picture": picture})
    except RecursionError:
        return as_written(text)
    return made if is_harmless(made) else as_written(text)


def as_written(text: str) -> str:
    """Show a text as it was written."""
    return f"<pre>{escape(text)}</pre>\n"


def is_harmless(made: str) -> bool:
    """Say whether HTML has nothing in it but what this module writes."""
    look = _Look()
    look.feed(made)
    look.close()
    return not look.odd


def _parser() -> MarkdownIt:
    parser = MarkdownIt("js-default", {"html": False, "linkify": False, "typographer": False, "maxNesting": _DEEPEST})
    parser.validateLink = _may_lead  # type: ignore[method-assign]
    parser.add_render_rule("image", _image)
    parser.add_render_rule("link_open", _link)
    for cell in ("th_open", "td_open"):
        parser.add_render_rule(cell, _cell)
    return parser


def _may_lead(url: str) -> bool:
    """Say whether a link may lead there: to a page of the web, an address of mail, or a place of this page."""
    try:
        where = urlsplit(url)
    except ValueError:
        return False
    if where.scheme in ("http", "https"):
        return bool(where.hostname)
    return where.scheme == "mailto" or (not url.startswith("//") and _HERE.fullmatch(url) is not None)


def _link(
    renderer: RendererHTML, tokens: Sequence[Token], at: int, options: Any, _env: MutableMapping[str, Any]
) -> str:  # fmt: skip
    token = tokens[at]
    token.attrs = {"href": str(token.attrs.get("href", "")), "rel": "noopener noreferrer nofollow"}
    return renderer.renderToken(tokens, at, options, _env)


def _cell(
    renderer: RendererHTML, tokens: Sequence[Token], at: int, options: Any, _env: MutableMapping[str, Any]
) -> str:  # fmt: skip
    tokens[at].attrs = {}  # how it is aligned is an inline style, which the page's own policy forbids
    return renderer.renderToken(tokens, at, options, _env)


def _image(
    _renderer: RendererHTML, tokens: Sequence[Token], at: int, _options: Any, env: MutableMapping[str, Any]
) -> str:  # fmt: skip
    """Show a picture of ours, and of any other a link: nothing is fetched from elsewhere."""
    named, alt = str(tokens[at].attrs.get("src", "")), tokens[at].content
    ours = env["picture"](named)
    if ours and _PICTURE.fullmatch(ours):
        return f'<img src="{escape(ours)}" alt="{escape(alt)}">'
    if not _may_lead(named):
        return escape(alt)
    return f'<a href="{escape(named)}" rel="noopener noreferrer nofollow">{escape(alt or named)}</a>'


class _Look(HTMLParser):
    """Reads HTML and notes whether anything odd is in it."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.odd = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at a tag and its attributes."""
        allowed = _ALLOWED.get(tag)
        if allowed is None:
            self.odd = True
            return
        for name, value in attrs:
            self.odd = self.odd or name not in allowed or not _is_fine(name, value or "")

    def handle_comment(self, data: str) -> None:
        """Note a comment: nothing here writes one."""
        self.odd = True

    def handle_decl(self, decl: str) -> None:
        """Note a declaration."""
        self.odd = True

    def handle_pi(self, data: str) -> None:
        """Note an instruction."""
        self.odd = True

    def unknown_decl(self, data: str) -> None:
        """Note what is none of these."""
        self.odd = True


def _is_fine(name: str, value: str) -> bool:
    match name:
        case "href":
            return _may_lead(value)
        case "src":
            return _PICTURE.fullmatch(value) is not None
        case "start":
            return value.isdigit()
        case "class":
            return _CLASS.fullmatch(value) is not None
        case _:
            return True
