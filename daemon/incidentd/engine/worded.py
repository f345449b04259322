"""What people type, checked before anything is done with it."""

from __future__ import annotations

from incidentd.errors import BadRequest, NotFound
from incidentd.text import plain

LONGEST_TEXT = 10_000
LONGEST_TITLE = 200


def checked(text: str, what: str, limit: int) -> str:
    """Give a text without the white space around it. Raises BadRequest for an empty one, or one that is too long."""
    text = text.strip()
    if not text:
        raise BadRequest(f"{what} is empty")
    if len(text) > limit:
        raise BadRequest(f"{what} has {len(text)} characters; the most is {limit}")
    return text


def number_of(subject: str) -> int:
    """Give the number of `HOLD-7` or `INC-12`. Raises NotFound for anything else."""
    number = subject.partition("-")[2]
    if not number.isascii() or not number.isdigit() or len(number) > 15:
        raise NotFound(f"there is no {plain(subject, 40)}")
    return int(number)
