"""How schemas are held against values here: a `pattern` matches the whole of a text, in linear time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend

from incidentd.matchers import Regex


def _pattern(_validator: Validator, pattern: str, value: object, _schema: object) -> Iterator[ValidationError]:
    """Match whole values; Python's `$` would let a trailing line break pass."""
    if isinstance(value, str) and not _regex(pattern).matches(value):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


@cache
def _regex(pattern: str) -> Regex:
    return Regex(pattern)


VALIDATOR: Callable[..., Validator] = extend(Draft202012Validator, {"pattern": _pattern})  # type: ignore[no-untyped-call]  # the stubs leave it open
