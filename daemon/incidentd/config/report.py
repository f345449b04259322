"""Mistakes and doubts, collected while the files are read, so that all of them are said at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from incidentd.errors import ConfigError, Location, Problem
from incidentd.text import plain


@dataclass(slots=True)
class Report:
    """What was found so far. Say `raise_if_wrong` where going on would make no sense."""

    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def wrong(self, at: Location, message: str, hint: str = "") -> None:
        """Note a mistake: what is wrong, and what to do about it."""
        self.problems.append(Problem(at, message, hint))

    def doubt(self, at: Location, message: str, hint: str = "") -> None:
        """Note what is allowed, but probably not meant."""
        self.warnings.append(Problem(at, message, hint))

    def raise_if_wrong(self, files: Sequence[str]) -> None:
        """Raise ConfigError with every mistake, in the order of the files and their lines, if there is any."""
        if self.problems:
            raise ConfigError(in_order(self.problems, files))


def in_order(problems: Iterable[Problem], files: Sequence[str]) -> list[Problem]:
    """Sort problems as they stand in the files; `files` is the order of reading."""
    place = {file: number for number, file in enumerate(files)}
    key = lambda problem: (place.get(problem.at.file, len(place)), problem.at.line, problem.at.column)  # noqa: E731
    return sorted(dict.fromkeys(problems), key=key)


def closest(word: str, known: Iterable[str]) -> str:
    """Give the known word that this one was probably meant to be; '' when none is near."""
    return next(iter(difflib.get_close_matches(word[:64], list(known), n=1, cutoff=0.7)), "")


def instead(word: str, known: Iterable[str]) -> str:
    """Say what could be written in a word's place: the closest known one, or all of them."""
    known = list(known)
    near = closest(word, known)
    if near:
        return f"did you mean `{near}`?"
    shown = ", ".join(f"`{one}`" for one in known[:15]) + (", ..." if len(known) > 15 else "")
    return f"known here: {shown}" if known else ""


def shown(value: object, limit: int = 60) -> str:
    """Show a value of a file in a message: one harmless line, cut at `limit` characters with a mark."""
    return plain("nothing" if value is None else str(value), limit)
