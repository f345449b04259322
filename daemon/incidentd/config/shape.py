"""The shape of each kind of document: JSON Schemas, which editors use too, and the words for what breaks them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import FormatChecker
from jsonschema.protocols import Validator

from incidentd.config import kinds, values
from incidentd.config.whole import VALIDATOR
from incidentd.config.yaml12 import Mapping, Node, Scalar, Sequence
from incidentd.durations import parse_duration
from incidentd.matchers import Regex, parse_matcher
from incidentd.playbooks.numbers import parse_condition
from incidentd.playbooks.when import parse_test
from incidentd.templates import compile_template

SCHEMAS_DIR = Path(__file__).parent / "schemas"
"""One JSON Schema for each kind; the first line of a file can point an editor at it."""
KINDS = (
    "config", "rules", "playbook", "people", "teams", "schedules", "escalations", "maintenance", "rules_test",
    "playbook_test",
)  # fmt: skip

ANY = "incidentd"
"""The schema of a document of any kind."""
WEB = "web"
"""The schema of the file of `--web.config.file`, whose documents have no kind."""

FORMATS: dict[str, Callable[[str], object]] = {
    "prometheus-duration": parse_duration,
    "positive-duration": values.positive_duration,
    "turn": values.turn,
    "handoff": values.handoff,
    "day": values.day,
    "wall-time": values.wall_time,
    "clock": values.clock,
    "holiday": values.holiday,
    "horizon": values.horizon,
    "timezone": values.time_zone,
    "limit": values.limit,
    "percentage": values.percentage,
    "objective": values.objective,
    "web-address": values.web_address,
    "listen-address": values.listen_address,
    "store": values.store,
    "matcher": parse_matcher,
    "template": compile_template,
    "regex": Regex,
    "condition": parse_condition,
    "step-condition": parse_test,
}

_DEEPEST = 3
"""How often a part of a schema may stand in itself: steps in a block in a block."""
_TOO_DEEP: dict[str, Any] = {
    "not": {}, "errorMessage": "blocks stand in blocks two deep at most; make a playbook of it, and call that",
}  # fmt: skip


def value_of(node: Node, schema: dict[str, Any]) -> Any:
    """Give the plain value of a node. Where the schema wants text, a number stays as it is written: 1.10 is `1.10`."""
    match node:
        case Scalar(text=text):
            value = node.value()
            wants_text = "string" in _types(schema) and not isinstance(value, bool) and value is not None
            return text if wants_text else value
        case Sequence(items=items):
            return [value_of(item, schema.get("items", {})) for item in items]
        case Mapping(entries=entries):
            named, others = schema.get("properties", {}), schema.get("additionalProperties") or {}
            return {name: value_of(entry, named.get(name, others)) for name, entry in entries.items()}


@dataclass(frozen=True, slots=True)
class Broken:
    """One thing in a document that breaks the schema."""

    path: tuple[str | int, ...]
    keyword: str
    """The schema's keyword that is broken."""
    bound: Any
    """What stands under that keyword."""
    value: Any
    schema: dict[str, Any]
    is_key: bool
    """The value is itself a key of what stands at the path."""
    reason: str
    """What a reader of values says; for `required`, the key that is missing."""


def errors_of(kind: str, value: Any) -> list[Broken]:
    """Hold a document against the schema of its kind and give everything that breaks it."""
    found = (_broken(error) for error in _validator(kind).iter_errors(value))
    return [it for it in found if not kinds.is_filled_in_later(it.path, it.keyword, it.value)]


def _broken(error: Any) -> Broken:
    reason = str(error.cause or "")
    if error.validator == "required":  # one error for each key, which stands only in the message
        reason = next(key for key in error.validator_value if error.message.startswith(repr(key)))
    return Broken(
        path=tuple(error.absolute_path), keyword=error.validator, bound=error.validator_value, value=error.instance,
        schema=error.schema, is_key="propertyNames" in error.relative_schema_path, reason=reason,
    )  # fmt: skip


@cache
def schema_of(kind: str) -> dict[str, Any]:
    """Read the schema of a kind, with every reference replaced by what it refers to."""
    schema: dict[str, Any] = _whole(_file(f"{kind}.json"), f"{kind}.json")
    return schema


@cache
def _file(name: str) -> Any:
    read = json.loads((SCHEMAS_DIR / name).read_text(encoding="utf-8"))
    return kinds.extended(read) if name == "playbook.json" else read


def _whole(schema: Any, file: str, inside: tuple[str, ...] = ()) -> Any:
    if isinstance(schema, list):
        return [_whole(entry, file, inside) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    whole = {key: _whole(entry, file, inside) for key, entry in schema.items() if key not in ("$ref", "$defs")}
    reference = schema.get("$ref", "")
    if not reference:
        return whole
    if inside.count(reference) == _DEEPEST:
        return _TOO_DEEP
    target, _, name = reference.partition("#/$defs/")
    found = _file(target or file)
    return {**_whole(found["$defs"][name] if name else found, target or file, (*inside, reference)), **whole}


@cache
def _validator(kind: str) -> Validator:
    checker = FormatChecker(formats=())
    for name, reader in FORMATS.items():
        checker.checks(name, raises=ValueError)(_only_text(reader))
    return VALIDATOR(schema_of(kind), format_checker=checker)


def _only_text(reader: Callable[[str], object]) -> Callable[[object], bool]:
    def check(value: object) -> bool:
        if isinstance(value, str):  # another type is the business of the keyword `type`
            reader(value)
        return True

    return check


def _types(schema: dict[str, Any]) -> list[str]:
    types = schema.get("type", [])
    return [types] if isinstance(types, str) else types
