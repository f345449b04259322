"""Which of some texts that have all words are the best: those in which the words stand often, for how long they are.

It is the part of BM25 that looks at one text alone. How rare a word is in the library changes little among texts that
all have it, and to find out costs the reading of the whole index.
"""

from __future__ import annotations

from collections.abc import Mapping

from incidentd.library.asking import Asked, Term

COUNTED = 40_000
"""Characters of a text in which words are counted: some twenty pages."""
_TERMS = 5
"""Of a longer question, so many words or phrases are counted; texts are found by all of them."""
# the usual figures of BM25: a word's tenth time says little that its fifth did not, and length counts for most
_ENOUGH = 1.2
_LENGTH = 0.75


def best_first(texts: Mapping[int, str], asked: Asked) -> list[int]:
    """Sort the numbers of texts, the best first; of equal ones those with a higher number, which are newer.

    A text is its words as `words` gives them, with one blank between them.
    """
    mean = sum(map(len, texts.values())) / max(len(texts), 1) or 1.0
    needles = [_needle(term) for term in asked.terms[:_TERMS]]
    scores = {number: _score(f" {text} ", needles, len(text) / mean) for number, text in texts.items()}
    return sorted(texts, key=lambda number: (-scores[number], -number))


def _needle(term: Term) -> str:
    return f" {' '.join(term.words)}{'' if term.begins else ' '}"


def _score(text: str, needles: list[str], length: float) -> float:
    """Give more for each word that stands there more often; `length` is in mean lengths."""
    slow = _ENOUGH * (1 - _LENGTH + _LENGTH * length)
    counts = [text.count(needle) for needle in needles]
    return sum(count / (count + slow) for count in counts)
