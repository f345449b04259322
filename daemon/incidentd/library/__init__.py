"""The library of postmortems: what is found in them, by which words and tags, and how what was found is shown."""

from __future__ import annotations

from incidentd.library.asking import Asked, Term, asked
from incidentd.library.layouts import STANDARD, BadLayout, Layout, read_layout
from incidentd.library.ranking import COUNTED, best_first
from incidentd.library.shelf import Found, Shelved, Standing
from incidentd.library.snippets import Snippet, snippet
from incidentd.library.tags import MOST_TAGS, tag_of, under
from incidentd.library.words import readable, words

__all__ = [
    "COUNTED", "MOST_TAGS", "STANDARD", "Asked", "BadLayout", "Found", "Layout", "Shelved", "Snippet", "Standing",
    "Term", "asked", "best_first", "read_layout", "readable", "snippet", "tag_of", "under", "words",
]  # fmt: skip
