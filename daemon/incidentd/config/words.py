"""What breaks a schema, in words for people and at its place."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from incidentd.config.parts import Part
from incidentd.config.report import Report, closest, instead, shown
from incidentd.config.shape import Broken

_TYPES = {
    "object": "a mapping (`key: value`)",
    "array": "a list",
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "null",
}
_KINDS_OF_VALUE = {
    dict: "a mapping", list: "a list", str: "text", bool: "true or false", int: "a number", float: "a number",
}  # fmt: skip
# where a reader's sentence goes over from what is wrong to what to write
_ADVICE = re.compile(r"; |: (?=write )")


def tell(errors: Iterable[Broken], document: Part, report: Report) -> None:
    """Put each mistake into words; a mistake that only follows from another one at the same place is left out."""
    places: dict[tuple[str | int, ...], list[Broken]] = defaultdict(list)
    for error in errors:
        places[error.path].append(error)
    for path, found in places.items():
        part, name = _part(document, path), _name(path)
        for error in _causes(found):
            _Words(error, part, name, report).tell()


def _causes(found: list[Broken]) -> list[Broken]:
    """Leave out what follows: of a wrong type everything else, of a misspelled key that the right one is missing."""
    wrong_type = [error for error in found if error.keyword == "type"]
    if wrong_type:
        return wrong_type[:1]
    unknown = [error for error in found if error.keyword == "additionalProperties"]
    meant = {closest(key, _known(error)) for error in unknown for key in _unknown(error)}
    return [
        error
        for error in found
        if not (unknown and error.keyword in ("oneOf", "not", "dependentRequired"))
        and not (error.keyword == "required" and error.reason in meant)
    ]


def _known(error: Broken) -> list[str]:
    return list(error.schema.get("properties", {}))


def _unknown(error: Broken) -> list[str]:
    return [key for key in error.value if key not in _known(error)]


def _part(document: Part, path: tuple[str | int, ...]) -> Part:
    for key in path:
        document = document[key]
    return document


def _name(path: tuple[str | int, ...]) -> str:
    """Name what a path leads to: `decide`, entry 2 of `match`, this file's document."""
    match path:
        case ():
            return "this document"
        case (*_, str() as key):
            return f"`{shown(key)}`"
        case (*_, str() as key, int() as number):
            return f"entry {number + 1} of `{shown(key)}`"
        case _:
            return "this entry"


class _Words:
    """The words for one mistake."""

    def __init__(self, error: Broken, part: Part, name: str, report: Report) -> None:
        self._error = error
        self._part = part
        self._name = name
        self._report = report

    def tell(self) -> None:
        if self._error.is_key:
            self._wrong_key()
            return
        match self._error.keyword:
            case "additionalProperties":
                self._unknown_keys()
            case "required":
                self._missing()
            case "type":
                self._wrong_type()
            case "enum":
                self._not_one_of()
            case "format":
                self._from_reader()
            case "pattern":
                hint = self._error.schema.get("patternErrorMessage", f"it has to match {self._error.bound}")
                self._say(f"{self._name} is {shown(self._error.value)!r}", hint)
            case _:
                self._out_of_bounds()

    def _say(self, message: str, hint: str = "", *, key: bool = False) -> None:
        self._report.wrong(self._part.key_at if key else self._part.at, message, hint)

    def _unknown_keys(self) -> None:
        known = _known(self._error)
        for key in _unknown(self._error):
            at = self._part.at_key(key)
            ways = [f"`{key}{end}`" for end in ("_file", "_env") if f"{key}{end}" in known]
            if ways:
                self._report.wrong(at, f"`{key}` is a secret and may not stand here", f"use {' or '.join(ways)}")
            else:
                self._report.wrong(at, f"unknown key `{shown(key)}`", instead(key, known))

    def _missing(self) -> None:
        key = self._error.reason
        one_of = self._error.schema.get("properties", {}).get(key, {}).get("enum", ())
        choice = f", one of {', '.join(map(str, one_of))}" if len(one_of) > 1 else ""
        self._say(f"`{key}` is missing", f"add `{key}:`{choice}", key=True)

    def _wrong_type(self) -> None:
        bound, value = self._error.bound, self._error.value
        wanted = " or ".join(_TYPES[one] for one in ([bound] if isinstance(bound, str) else bound))
        if value is None:
            self._say(f"{self._name} is empty", f"write {wanted}, or leave it out", key=True)
        elif wanted == "text" and isinstance(value, bool):
            self._say(f"{self._name} must be text, not true or false", "put it in quotes")
        else:
            entries = "write `- ` before each entry, or [in, brackets]" if wanted == "a list" else ""
            given = shown(value) if isinstance(value, float) else _KINDS_OF_VALUE[type(value)]
            self._say(
                f"{self._name} must be {wanted}, not {given}", self._error.schema.get("typeErrorMessage", entries)
            )

    def _not_one_of(self) -> None:
        value, allowed = shown(self._error.value), [str(one) for one in self._error.bound]
        near = closest(value, allowed)
        choice = f"one of {', '.join(allowed)}" if len(allowed) > 1 else allowed[0]
        self._say(f"{self._name} is {value!r}; it must be {choice}", f"did you mean {near}?" if near else "")

    def _from_reader(self) -> None:
        message, *advice = _ADVICE.split(self._error.reason, maxsplit=1)
        self._say(f"{self._name}: {message}", "".join(advice))

    def _wrong_key(self) -> None:
        """A key that is itself a value: a name, a duration, a kind of channel."""
        error, at, key = self._error, self._part.at_key(self._error.value), shown(self._error.value)
        match error.keyword:
            case "format":
                message, *advice = _ADVICE.split(error.reason, maxsplit=1)
                self._report.wrong(at, f"the key `{key}`: {message}", "".join(advice))
            case "enum":
                self._report.wrong(at, f"unknown key `{key}`", instead(key, error.bound))
            case _:
                self._report.wrong(at, f"`{key}` is no name", error.schema.get("patternErrorMessage", ""))

    def _out_of_bounds(self) -> None:
        bound, value = self._error.bound, shown(self._error.value)
        match self._error.keyword:
            case "minItems" | "minLength" | "minProperties":
                self._say(f"{self._name} is empty", "write something into it, or leave it out", key=True)
            case "maxItems" | "maxLength" as keyword:
                unit = "entries" if keyword == "maxItems" else "characters"
                self._say(f"{self._name} has more than {bound} {unit}", "make it shorter", key=True)
            case "minimum":
                self._say(f"{self._name} is {value}, which is too small", f"write at least {bound}")
            case "maximum":
                self._say(f"{self._name} is {value}, which is too large", f"write at most {bound}")
            case _:  # the schema itself has the words
                otherwise = f"{self._name} does not fit: {self._error.keyword} {shown(bound)}"
                message, _, hint = str(self._error.schema.get("errorMessage", otherwise)).partition("; ")
                self._say(message, hint, key=True)
