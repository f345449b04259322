"""The steps of a playbook as a reader sees them: what `for_each` repeats is one line, not one for each repetition."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from incidentd.playbooks import Step, scopes
from incidentd.playbooks.flow import Block

_HEADINGS = {
    "block": "`{}`:",
    "rescue": "only if a step of `{}` fails:",
    "always": "at the end of `{}`, whatever happens:",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Within:
    """A part of a block that a step stands in."""

    block: str
    """The name of the block."""
    part: str
    """block: what is tried; rescue: only when that fails; always: in any case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A step in an outline."""

    name: str
    kind: str
    when: tuple[str, ...]
    """Conditions that all have to hold, its own and those of what it stands in."""
    at_most: int
    """How often it may be done, by `for_each`; 1 when it is not repeated."""
    within: tuple[Within, ...]
    """The parts of blocks that it stands in, from the outside in."""


def outline(steps: Sequence[Step], blocks: Sequence[Block]) -> tuple[Line, ...]:
    """Give a line for each step that is written."""
    return tuple(
        _line(step, within(blocks, position))
        for position, step in enumerate(steps)
        if all(each.number == 0 for each in scopes.repetitions(step))
    )


def _line(step: Step, parts: tuple[Within, ...]) -> Line:
    each = next(scopes.repetitions(step), None)
    return Line(
        name=step.name.replace(" (1)", "") if each else step.name, kind=step.kind,
        when=tuple(one.text for one in step.when), at_most=each.most if each else 1,
        within=tuple(Within(block=one.block.replace(" (1)", ""), part=one.part) for one in parts) if each else parts,
    )  # fmt: skip


def within(blocks: Sequence[Block], position: int) -> tuple[Within, ...]:
    """Give the parts of blocks that a position in their row stands in, from the outside in."""
    inside = (block for block in reversed(blocks) if position in block)  # an inner one stands before its outer one
    return tuple(Within(block=block.name, part=block.part(position)) for block in inside)


def headings(before: Sequence[Within], here: Sequence[Within]) -> Iterator[tuple[int, str]]:
    """Give what has to be said before a step that follows another one: how deep it stands, and the words."""
    same = next((at for at, (one, other) in enumerate(zip(before, here, strict=False)) if one != other), None)
    for depth in range(min(len(before), len(here)) if same is None else same, len(here)):
        yield depth, _HEADINGS[here[depth].part].format(here[depth].block)
