"""Where a run goes from a step: to the next one, into a rescue, through what is always done, or out of the steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of a playbook's steps and what stands by for it. All are positions in the one row of its steps."""

    start: int
    """Where what is tried begins."""
    rescue: int
    """Where it ends, and what is done when it fails begins."""
    always: int
    """Where that ends, and what is done in any case begins."""
    end: int
    """Behind the last one."""
    name: str = ""

    def __contains__(self, position: int) -> bool:
        return self.start <= position < self.end

    def part_end(self, position: int) -> int:
        """Say where the part ends that a position is in."""
        return next(end for end in (self.rescue, self.always, self.end) if position < end)

    def part(self, position: int) -> str:
        """Name the part that a position is in: block, rescue or always."""
        return "block" if position < self.rescue else "rescue" if position < self.always else "always"


@dataclass(frozen=True, slots=True)
class Onward:
    """Where a run goes."""

    position: int
    """The step that is next, one behind the last when all are done; of steps that failed, where they did."""
    pending: Mapping[str, str]
    """By block, the failure that goes on when what is always done has been done."""
    failure: str = ""
    """Why the steps failed as a whole; nothing stood by."""
    decided: str = ""
    """When that was a person's decision, the mark that it came with."""


def onward(
    blocks: Sequence[Block], position: int, pending: Mapping[str, str], failure: str, decided: str = ""
) -> Onward:
    """Say where a run goes from the step at a position, which failed for this reason, or went well ('').

    `decided` marks a failure that is a person's decision: what went wrong is rescued, what somebody decided is not.
    What is always done is done all the same, and the mark comes out with the failure.
    """
    pending = dict(pending)
    after = position + 1
    inner_first = sorted(enumerate(blocks), key=lambda one: one[1].end - one[1].start)
    for number, block in ((number, block) for number, block in inner_first if position in block):
        if not failure and after < block.part_end(after - 1):
            return Onward(after, pending)
        if failure and not decided and after <= block.rescue < block.always:
            return Onward(block.rescue, pending)
        if after <= block.always < block.end:
            pending |= {str(number): failure} if failure else {}
            pending |= {_decision(number): decided} if decided else {}
            return Onward(block.always, pending)
        if after > block.always:  # what is always done has ended, or failed itself
            waiting, decided = pending.pop(str(number), ""), pending.pop(_decision(number), decided)
            failure = f"{waiting}; and then {failure}" if decided and waiting and failure else failure or waiting
        after = block.end
    return Onward(position if failure else after, pending, failure, decided)


def _decision(number: int) -> str:
    """Name the place in `pending` of a block's decision."""
    return f"{number} decided"
