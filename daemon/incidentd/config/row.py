"""The steps of a playbook in one row: blocks, calls and repetitions laid out, so that a place in it names a step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from incidentd.config.kinds import installed, lost, lost_kind
from incidentd.config.parts import Part
from incidentd.durations import parse_duration
from incidentd.playbooks import Each, Input, InputKind, Scope, Step, When
from incidentd.playbooks.flow import Block

KINDS = (
    "command", "http", "promql", "alertmanager", "ticket", "approve", "note", "notify", "wait", "block", "playbook"
)  # fmt: skip
LONGEST = 500
"""Steps that a row may have; what is longer was not meant so."""
_TRIES_UNTIL = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where in the playbook a step stands."""

    before: str = ""
    """What its name begins with."""
    after: str = ""
    when: tuple[When, ...] = ()
    scope: Scope | None = None
    each: Each | None = None
    calls: tuple[str, ...] = ()


@dataclass(slots=True)
class Row:
    """A row while it is laid out. It believes what it is given; what is wrong in it is said elsewhere."""

    library: Mapping[str, Part]
    """The playbooks that may be called."""
    steps: list[Step] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    called: dict[str, Any] = field(default_factory=dict)
    """The documents of those that are called."""

    def lay(self, whole: Part, key: str, place: _Place | None = None) -> None:
        """Add the steps under a key."""
        for part in whole.entries(key):
            self._add(part, place or _Place())

    def _add(self, part: Part, place: _Place) -> None:
        own = (When(text=text, scope=place.scope, each=place.each) for text in texts(part, "when"))
        if "for_each" not in part or place.each is not None:
            self._once(part, replace(place, when=(*place.when, *own)))
            return
        wanted = part.value["for_each"]
        items = wanted.get("items") or [wanted.get("lines", "")]
        most = wanted.get("most", len(items))
        for number in range(most):
            each = Each(
                items=tuple(items), number=number, most=most, pattern=wanted.get("pattern", ""), scope=place.scope
            )
            own = (When(text=text, scope=place.scope, each=each) for text in texts(part, "when"))
            self._once(part, replace(place, each=each, after=f" ({number + 1})", when=(*place.when, *own)))

    def _once(self, part: Part, place: _Place) -> None:
        match kind_of(part):
            case _ if len(self.steps) > LONGEST:
                pass
            case "block":
                self._block(part, place)
            case "playbook":
                self._call(part, place)
            case kind:
                self.steps.append(_step(part, kind, place))

    def _block(self, part: Part, place: _Place) -> None:
        start = len(self.steps)
        self.lay(part, "block", place)
        rescue = len(self.steps)
        self.lay(part, "rescue", place)
        always = len(self.steps)
        self.lay(part, "always", place)
        name = f"{place.before}{part.value['name']}{place.after}"
        self.blocks.append(Block(start, rescue, always, len(self.steps), name))

    def _call(self, part: Part, place: _Place) -> None:
        name, given = part.value["playbook"]["name"], part.value["playbook"].get("inputs", {})
        if name not in self.library or name in place.calls:
            return
        called = self.library[name]
        self.called[name] = called.value
        path = f"{place.before}{part.value['name']}{place.after}"
        scope = Scope(path=path, inputs=given, wanted=inputs_of(called), outer=place.scope, each=place.each)
        inside = _Place(before=f"{path} / ", when=place.when, scope=scope, calls=(*place.calls, name))
        self.lay(called, "steps", inside)


def _step(part: Part, kind: str, place: _Place) -> Step:
    step = replace(step_of(part, f"{place.before}{part.value['name']}{place.after}", kind), when=place.when)
    return replace(step, scope=place.scope, each=place.each)


def step_of(part: Part, name: str, kind: str) -> Step:
    """Make a step, or the one of a verification, as it stands in the file."""
    args = part.value[kind]
    built_in = Step(name=name, kind=kind, args=args)
    until = texts(part, "until")
    timeout = parse_duration(part.value["timeout"]) if "timeout" in part else built_in.timeout
    return Step(
        name=name,
        kind=kind,
        args=args,
        register=part.get("register", ""),
        timeout=parse_duration(args) if kind == "wait" else timeout,
        retries=int(part.get("retries", _TRIES_UNTIL if until else 0)),
        delay=parse_duration(part.value["delay"]) if "delay" in part else built_in.delay,
        idempotent=part.get("idempotent", False),
        ignore_errors=part.get("ignore_errors", False),
        until=until,
        reads=kind in installed().kinds and installed().kinds[kind].reads,
        lost="" if kind in KINDS else lost(kind, args),
    )


def kind_of(part: Part) -> str:
    """Say what a step is done by."""
    found = installed()
    here = next((kind for kind in (*KINDS, *found.kinds, *found.broken) if kind in part), "")
    return here or lost_kind(part.value)


def texts(part: Part, key: str) -> tuple[str, ...]:
    """Give the conditions under a key, of which one alone needs no list."""
    written = part.get(key, [])
    return (written,) if isinstance(written, str) else tuple(written)


def inputs_of(part: Part) -> dict[str, Input]:
    """Read the inputs of a playbook."""
    return {
        name: Input(
            source=one.get("from", ""), pattern=one.value["pattern"], kind=InputKind(one.get("type", InputKind.TEXT)),
            default=one.get("default", ""),
        )
        for name, one in part.items("inputs")
    }  # fmt: skip
