"""Every error that crosses a room's wall.

    IncidentdError
    |-- BodyRefused         a webhook body that is no alert group at all            -> 400
    |-- BadRequest          an API request that cannot be understood                -> 400
    |-- NotAllowed          a caller without the right                              -> 401, 403
    |-- NotFound            nothing has that name                                   -> 404
    |-- Conflict            the thing is not in a state that allows it              -> 409
    |-- StoreUnavailable    the store cannot answer now                             -> 503
    |-- ConfigError         the operator's files hold mistakes (all of them listed) -> exit 2
    |-- TemporaryError      a door says: try again later
    `-- PermanentError      a door says: trying again will not help

A door raises TemporaryError and PermanentError, nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class IncidentdError(Exception):
    """Anything that incidentd says about itself or its input."""


class BodyRefused(IncidentdError):
    """The body is not an alert group: not JSON, not an object, or without a list of alerts."""


class BadRequest(IncidentdError):
    """The request cannot be understood."""


class NotAllowed(IncidentdError):
    """The caller may not do this."""

    def __init__(self, message: str, *, authenticated: bool = False) -> None:
        super().__init__(message)
        self.authenticated = authenticated


class NotFound(IncidentdError):
    """There is nothing with that name."""


class Conflict(IncidentdError):
    """The thing is not in a state that allows this."""


class StoreUnavailable(IncidentdError):
    """The store cannot answer now."""


class TemporaryError(IncidentdError):
    """It did not work now and may work later; `retry_after` is the other side's wish, when it had one.

    `maybe_done` says that the other side may have taken the request although no answer came. `tried` is False when the
    door itself let it wait and asked nobody; such a try counts for nothing.
    """

    def __init__(
        self, message: str, *, retry_after: timedelta | None = None, maybe_done: bool = False, tried: bool = True
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.maybe_done = maybe_done
        self.tried = tried


class PermanentError(IncidentdError):
    """It did not work and trying again will not help; somebody has to change something."""


@dataclass(frozen=True, slots=True)
class Location:
    """A place in one of the operator's files; lines and columns count from 1."""

    file: str
    line: int
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in the operator's files: where, what is wrong, and what to do about it."""

    at: Location
    message: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.at}: {self.message}" + (f" ({self.hint})" if self.hint else "")


class ConfigError(IncidentdError):
    """The operator's files hold mistakes; `problems` lists all of them."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)
