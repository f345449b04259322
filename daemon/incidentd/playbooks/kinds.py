"""Kinds of steps that installed packages bring: what such a package gives (`StepKind`), and what it is handed.

A package names each of its kinds by an entry point of the group `incidentd.steps`, under the kind's name.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any

from incidentd.playbooks import StepResult

GROUP = "incidentd.steps"


class Door(StrEnum):
    """What a kind may ask for, so as to reach the outside as the kinds of incidentd do."""

    HTTP = "http"
    """An `aiohttp.ClientSession` without cookies and proxies, which stays open."""
    PROMQL = "promql"
    """`await promql(query)`: the one number that the Prometheus of the run's source gives, or None."""
    COMMAND = "command"
    """`await command([program, argument, ...])`: a StepResult with `exit`, `stdout`, `stderr`; ended in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCall:
    """One try of one step."""

    args: Mapping[str, Any]
    """What stands under the kind's key in the playbook, with every text filled in, and as its schema wants it."""
    timeout: timedelta
    """Of the whole try; after it, it is cancelled."""
    deadline: float
    """The same as an instant of the running loop's `time()`, in seconds."""
    run: str
    target: str
    key: str
    """Names this step of this run; the same at each try and after a crash: the idempotency key for what it asks."""
    doors: Mapping[str, Any] = field(default_factory=dict)
    """Those that the kind asks for, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepKind:
    """A kind of step."""

    name: str
    """The key in a playbook: small letters, digits and `_`."""
    schema: Mapping[str, Any]
    """A JSON Schema of what stands under that key, without `$ref`. Texts are templates; a text with `{{` in it is held
    against patterns, lengths and choices when it is filled in."""
    run: Callable[[StepCall], Awaitable[StepResult]]
    """Does one try, and never blocks the loop. It raises `errors.TemporaryError` (with `maybe_done` where nobody knows)
    and `errors.PermanentError`; anything else is a fault of the package, and the step may be half done."""
    reads: bool = False
    """It changes nothing outside, so it may be done again at any time."""
    registers: tuple[str, ...] = ()
    """The names in `StepResult.value`, each a text, a number, true or false, or None."""
    doors: frozenset[Door] = frozenset()
