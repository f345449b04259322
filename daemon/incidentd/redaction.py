"""Secrets: values that never show themselves, and the wall that takes them out of whatever leaves."""

from __future__ import annotations

from collections.abc import Iterable

_SHOWN = "***"
_SHORTEST = 6  # shorter values would blank out ordinary words


class Secret:
    """A secret value. It prints as `***`; only `reveal()` gives it away, at the door that needs it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Give the value itself."""
        return self._value

    def __repr__(self) -> str:
        return _SHOWN

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __bool__(self) -> bool:
        return bool(self._value)


class Redactor:
    """Takes known secret values out of text; redaction is by value, so it does not matter in which field one hides."""

    def __init__(self) -> None:
        self._values: tuple[str, ...] = ()

    def know(self, secrets: Iterable[Secret]) -> None:
        """Learn secrets; those known before stay known, since a rotated one may still be in flight."""
        values = {*self._values, *(secret.reveal() for secret in secrets)}
        # the longest first, so that a secret inside another one cannot leave the other's rest behind
        self._values = tuple(sorted((v for v in values if len(v) >= _SHORTEST), key=len, reverse=True))

    def __call__(self, text: str) -> str:
        """Give the text without any known secret in it."""
        for value in self._values:
            if value in text:
                text = text.replace(value, _SHOWN)
        return text
