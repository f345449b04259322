"""The piece of a text that shows why it was found; as plain words, for whoever shows it to make harmless."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from incidentd.library.asking import Asked, Term
from incidentd.text import plain

LENGTH = 240
"""Characters that are shown."""
_BEFORE = 80
_LOOKED_AT = 60
"""Places that are compared, shared by the words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snippet:
    """A piece of a text in parts, in their order: each with whether it is what was looked for."""

    parts: tuple[tuple[str, bool], ...]

    @property
    def text(self) -> str:
        """The whole piece."""
        return "".join(text for text, _ in self.parts)


def snippet(body: str, asked: Asked) -> Snippet:
    """Cut out the place where most of what was asked for stands together; the beginning when none of it does."""
    found = _places(body, asked)
    begin = _begin(body, [start for start, _ in found])
    end = min(len(body), begin + LENGTH)
    if end < len(body):
        end = body.rfind(" ", begin, end) if " " in body[begin:end] else end
    parts: list[tuple[str, bool]] = [("… ", False)] if begin else []
    at = begin
    for start, stop in found:
        if start >= at and stop <= end:
            parts += [(_shown(body[at:start]), False), (_shown(body[start:stop]), True)]
            at = stop
    parts += [(_shown(body[at:end]), False), *([(" …", False)] if end < len(body) else [])]
    return Snippet(parts=tuple(part for part in parts if part[0]))


def _shown(text: str) -> str:
    return plain(text, LENGTH * 2)


def _places(body: str, asked: Asked) -> list[tuple[int, int]]:
    """Find where the words stand, from and to; those with accents that were typed without are found, but not shown."""
    small = body.lower()
    if len(small) != len(body):  # a letter became two
        small = body
    each = _LOOKED_AT // max(len(asked.terms), 1)
    return sorted(place for term in asked.terms for place in islice(_places_of(small, term), each))


def _places_of(small: str, term: Term) -> Iterator[tuple[int, int]]:
    pattern = re.compile(
        r"[\W_]{1,5}".join(re.escape(word) for word in term.words) + (r"\w{0,60}" if term.begins else r"(?!\w)")
    )
    at = -1
    while (at := small.find(term.words[0], at + 1)) >= 0:
        if (at == 0 or not small[at - 1].isalnum()) and (found := pattern.match(small, at)):
            yield at, found.end()


def _begin(body: str, starts: list[int]) -> int:
    if not starts:
        return 0
    many = [bisect_left(starts, it + LENGTH - _BEFORE) - at for at, it in enumerate(starts)]
    best = starts[many.index(max(many))]
    if best <= _BEFORE:
        return 0
    return body.find(" ", best - _BEFORE, best) + 1 or best
