"""What somebody looks for: words that a text has to have, each as the beginning of one, and phrases in quotes.

Whatever is typed means something: what is no word is passed over, and a quote that is never closed ends at the end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from incidentd.library.words import words

LONGEST = 1000
"""Characters of a question that are read."""
MOST_TERMS = 16
_PART = re.compile(r'"([^"]*)"?|([^\s"]+)')


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """Words that follow on one another, as `pay 5` of `pay-5`."""

    words: tuple[str, ...]
    begins: bool
    """The last of them is only how a word begins; False for what stood in quotes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What somebody looks for: all of these."""

    terms: tuple[Term, ...] = ()
    tags: tuple[str, ...] = ()
    """Each with what is below it."""

    @property
    def needed(self) -> tuple[Term, ...]:
        """The terms without those that a text has anyway when it has another, as `po` when it has `pool`."""
        return tuple(one for one in self.terms if not any(_follows(one, other) for other in self.terms))


def asked(text: str, tags: tuple[str, ...] = ()) -> Asked:
    """Read what somebody typed; never raises for any text."""
    terms: list[Term] = []
    for quoted, bare in _PART.findall(text[:LONGEST]):
        found = words(quoted or bare)
        if found:
            terms.append(Term(words=tuple(found[:MOST_TERMS]), begins=not quoted))
    return Asked(terms=tuple(dict.fromkeys(terms))[:MOST_TERMS], tags=tags)


def _follows(one: Term, other: Term) -> bool:
    beginning = one != other and one.begins and len(one.words) == 1
    return beginning and any(word.startswith(one.words[0]) for word in other.words)
