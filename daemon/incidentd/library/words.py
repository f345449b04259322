"""The words of a text: the same ones for whichever database looks for them, and text without its Markdown.

A word is a run of letters and digits, in small letters and without accents: `Größe` is `große`'s `grosse`, and `pay-5`
is two words. Nothing else of what people type ever reaches a database's own language of queries.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

LONGEST_WORD = 60
"""Characters of a word that count; what is longer is a hash or a token, and its beginning finds it."""
MOST_WORDS = 30_000
"""Words of one text that are looked for: some hundred pages."""
_READ = 400_000

_WORD = re.compile(r"[^\W_]+")
_HEAD = re.compile(r"\A---[ \t]*\n.*?\n---[ \t]*(?:\n|\Z)", re.DOTALL)
_RULE = re.compile(r"^[ \t]*\|?[ \t]*:?-{3,}[-:| \t]*$", re.MULTILINE)
_FENCE = re.compile(r"^ {0,3}(?:`{3,}|~{3,}).*$", re.MULTILINE)
_LEADING = re.compile(r"^[ \t]{0,20}(?:#{1,6}[ \t]+|>[ \t]?|[-*+][ \t]+|\|[ \t]*)", re.MULTILINE)
_LINK = re.compile(r"!?\[([^\[\]\n]{0,500})\]\([^()\s]{0,2000}\)")
_ESCAPED = re.compile(r"\\([\\`*_{}\[\]<>()#+!|~$&@\-=:.])")
_BAR = re.compile(r"[ \t]*(?<!\\)\|[ \t]*")
_BLANKS = re.compile(r"[ \t]{2,}")
_LINES = re.compile(r"\n{2,}")


def words(text: str) -> list[str]:
    """Give the words of a text, in their order."""
    return list(_words(text[:_READ]))


def _words(text: str) -> Iterator[str]:
    whole = unicodedata.normalize("NFKD", text.casefold()).casefold()
    bare = "".join(one for one in whole if not unicodedata.combining(one)) if not whole.isascii() else whole
    for number, found in enumerate(_WORD.finditer(bare)):
        if number == MOST_WORDS:
            return
        yield found[0][:LONGEST_WORD]


def readable(markdown: str) -> str:
    """Give a postmortem's text without its head and its marks, as somebody reads it: nothing in it is Markdown."""
    whole = markdown[:_READ].replace("\r\n", "\n").replace("\0", "\N{REPLACEMENT CHARACTER}")
    text = _HEAD.sub("", whole.encode("utf-8", "replace").decode("utf-8"))
    text = _FENCE.sub("", _RULE.sub("", text))
    text = _LINK.sub(r"\1", _LEADING.sub("", text))
    text = _ESCAPED.sub(r"\1", _BAR.sub(" · ", text).replace("**", "").replace("`", ""))
    text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    lines = (line.strip(" \t·") for line in _BLANKS.sub(" ", text).split("\n"))
    return _LINES.sub("\n", "\n".join(lines)).strip()
