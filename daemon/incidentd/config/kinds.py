"""The kinds of steps that installed packages bring, found by entry point and proved before any playbook uses one."""

from __future__ import annotations

import inspect
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError

from incidentd.config.whole import VALIDATOR
from incidentd.matchers import Regex
from incidentd.playbooks.kinds import GROUP, Door, StepKind
from incidentd.text import plain

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_STEPS = frozenset({"steps", "rollback", "block", "rescue", "always"})
"""Keys of a playbook under which steps stand."""
_TEMPLATED = frozenset({"pattern", "enum", "const", "format", "minLength", "maxLength"})


@dataclass(frozen=True, slots=True)
class Installed:
    """What was found in this process."""

    kinds: Mapping[str, StepKind]
    broken: Mapping[str, str]
    """Why a kind cannot be used, by the name of its entry point."""
    left_out: tuple[str, ...] = ()
    """Sentences about kinds with a name that incidentd gives to something else; nothing needs them."""
    packages: Mapping[str, str] = field(default_factory=dict)
    """Which package brings a kind."""


@cache
def installed() -> Installed:
    """Find what is installed. A package that cannot be loaded is named in `broken`, and breaks nothing else."""
    kinds: dict[str, StepKind] = {}
    broken: dict[str, str] = {}
    packages: dict[str, str] = {}
    found = sorted(set(entry_points(group=GROUP)), key=lambda point: point.name)
    often = Counter(point.name for point in found)
    taken = [point for point in found if point.name in _reserved()]
    for point in [one for one in found if one not in taken]:
        reason = "another package brings a kind of this name" if often[point.name] > 1 else ""
        kind = None if reason else _loaded(point)
        if isinstance(kind, StepKind):
            reason = next(faults(kind, point.name), "")
            if not reason:
                kinds[point.name] = kind
                packages[point.name] = _package(point)
                continue
        broken[point.name] = f"{_package(point)}: {plain(reason or str(kind), 300)}"
    left_out = (f"`{plain(it.name, 40)}` of {_package(it)}: a step has this key already" for it in taken)
    return Installed(kinds, broken, tuple(left_out), packages)


@cache
def _reserved() -> frozenset[str]:
    path = Path(__file__).parent / "schemas" / "playbook.json"
    return frozenset(json.loads(path.read_text(encoding="utf-8"))["$defs"]["step"]["properties"])


def _package(point: EntryPoint) -> str:
    return f"the package {plain(point.dist.name, 60)} {plain(point.dist.version, 30)}" if point.dist else "its package"


def _loaded(point: EntryPoint) -> object:
    """Give the kind, or why there is none."""
    try:
        kind = point.load()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a stranger's module does at its import
        return f"{point.value} cannot be loaded: {type(error).__name__}: {error}"
    return kind if isinstance(kind, StepKind) else f"{point.value} is no StepKind"


def faults(kind: StepKind, name: str) -> Iterator[str]:
    """Find what is wrong with a kind that an entry point of this name leads to."""
    if kind.name != name or not _NAME.fullmatch(name):
        yield f"its kind is called {kind.name!r} and its entry point {name!r}; both need the same name of small letters"
    if not inspect.iscoroutinefunction(kind.run) and not inspect.iscoroutinefunction(getattr(kind.run, "__call__", 0)):  # noqa: B004 - whether calling it has to be awaited
        yield "its `run` is no async function"
    if not {*kind.doors} <= {*Door}:
        yield f"it asks for a door that there is not; there are {', '.join(Door)}"
    if not all(isinstance(one, str) and one.isidentifier() and one != "ok" for one in kind.registers):
        yield "what it registers needs names of letters, digits and `_`, other than `ok`"
    try:
        Draft202012Validator.check_schema(dict(kind.schema))
    except (SchemaError, TypeError, ValueError) as error:
        yield f"its schema is no JSON Schema: {getattr(error, 'message', error)}"
    else:
        yield from _odd(kind.schema)


def _odd(schema: Any) -> Iterator[str]:
    """Find what JSON Schema allows and is not taken here."""
    match schema:
        case Mapping():
            if not {"$ref", "$dynamicRef"}.isdisjoint(schema):
                yield "its schema may not hold `$ref`: write what it refers to in its place"
            try:
                Regex(schema["pattern"] if isinstance(schema.get("pattern"), str) else "")
            except ValueError as error:
                yield f"a pattern of its schema: {error}"
            for one in schema.values():
                yield from _odd(one)
        case list() | tuple():
            for one in schema:
                yield from _odd(one)
        case _:
            pass


def extended(schema: dict[str, Any]) -> dict[str, Any]:
    """Add the installed kinds to the schema of playbooks; what is under the key of a broken one is not looked at."""
    found = installed()
    step = schema["$defs"]["step"]
    new = {**{name: {} for name in found.broken}, **{name: dict(kind.schema) for name, kind in found.kinds.items()}}
    if not new:
        return schema
    one_of = step["allOf"][0]
    said = one_of["errorMessage"].replace(" and `playbook`", f", `playbook` and {', '.join(f'`{one}`' for one in new)}")
    ways = [*one_of["oneOf"], *({"required": [name]} for name in new)]
    more = {**step, "properties": {**step["properties"], **new}}
    more["allOf"] = [{**one_of, "oneOf": ways, "errorMessage": said}, *step["allOf"][1:]]
    return {**schema, "$defs": {**schema["$defs"], "step": more}}


def is_filled_in_later(path: tuple[str | int, ...], keyword: str, value: object) -> bool:
    """Say whether a text of an installed kind breaks a rule only because it is not filled in yet."""
    return _lacks_a_value(keyword, value) and not installed().kinds.keys().isdisjoint(path)


def _lacks_a_value(keyword: str, value: object) -> bool:
    return keyword in _TEMPLATED and isinstance(value, str) and "{{" in value


def is_of_a_lost_step(path: tuple[str | int, ...], keyword: str, value: object) -> bool:
    """Say whether what breaks the schema in a frozen playbook is only a step of an installed kind.

    Its kind is not installed any more, or its package takes less than it did: `lost` says which.
    """
    match path:
        case (*_, str(of), int()) if of in _STEPS:
            is_of_no_kind = isinstance(value, Mapping) and any(key not in _reserved() for key in value)
            return is_of_no_kind and keyword in ("additionalProperties", "oneOf")
        case _:
            inside = zip(path, path[1:], path[2:], strict=False)
            return any(of in _STEPS and isinstance(at, int) and key in installed().kinds for of, at, key in inside)


def lost_kind(step: Mapping[str, Any]) -> str:
    """Say which kind of step that is not installed any more this one is of."""
    return next(key for key in step if key not in _reserved())


def lost(name: str, args: Any) -> str:
    """Say why a step of this kind, as it stands in a frozen playbook, cannot be done any more; '' when it can."""
    found = installed()
    if name in found.broken:
        return f"`{name}` cannot be used here; {found.broken[name]}"
    if name not in found.kinds:
        return f"no package that is installed brings the kind of step `{plain(name, 40)}`"
    errors = VALIDATOR(dict(found.kinds[name].schema)).iter_errors(args)
    error = next((it for it in errors if not _lacks_a_value(str(it.validator), it.instance)), None)
    return f"{found.packages[name]} does not take it as it is written: {_said(name, error)}" if error else ""


def refused(kind: StepKind, args: Any) -> str:
    """Say what is wrong with the filled in arguments of a step; '' when nothing is."""
    error = next(iter(VALIDATOR(dict(kind.schema)).iter_errors(args)), None)
    return _said(kind.name, error) if error else ""


def _said(name: str, error: ValidationError) -> str:
    where = "".join(f" of {one!r}" for one in reversed(error.absolute_path))
    return plain(f"the value{where} is not what `{name}` takes: {error.message}", 300)
