"""Tags: free words in a hierarchy, `cause:network:switch`, which nobody has to agree on beforehand."""

from __future__ import annotations

import re

from incidentd.errors import BadRequest
from incidentd.text import plain

MOST_TAGS = 20
"""Tags of one postmortem."""
_TAG = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}(?::[a-z0-9][a-z0-9._-]{0,39}){0,4}")


def tag_of(text: str) -> str:
    """Read a tag as people type it. Raises BadRequest, saying how one looks."""
    tag = text.strip().casefold()
    if not _TAG.fullmatch(tag):
        raise BadRequest(
            f"{plain(text, 60)!r} is no tag: write up to five words with colons between them, like "
            "`cause:network:switch`; a word has letters of a to z, digits, `.`, `_` and `-`, and at most 40 of them"
        )
    return tag


def under(tag: str, asked: str) -> bool:
    """Say whether a tag is the one that is asked for, or below it."""
    return tag == asked or tag.startswith(f"{asked}:")
