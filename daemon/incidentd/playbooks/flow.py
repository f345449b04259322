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

    def __contains__(self, position: int) -> bool:
        return self.start <= position < self.end

    def part_end(self, position: int) -> int:
        """Say where the part ends that a position is in."""
        return next(end for end in (self.rescue, self.always, self.end) if position < end)


@dataclass(frozen=True, slots=True)
class Onward:
    """Where a run goes."""

    position: int
    """The step that is next, one behind the last when all are done; of steps that failed, where they did."""
    pending: Mapping[str, str]
    """By block, the failure that goes on when what is always done has been done."""
    failure: str = ""
    """Why the steps failed as a whole; nothing stood by."""


def onward(blocks: Sequence[Block], position: int, pending: Mapping[str, str], failure: str) -> Onward:
    """Say where a run goes from the step at a position, which failed for this reason, or went well ('')."""
    pending = dict(pending)
    after = position + 1
    inner_first = sorted(enumerate(blocks), key=lambda one: one[1].end - one[1].start)
    for number, block in ((number, block) for number, block in inner_first if position in block):
        if not failure and after < block.part_end(after - 1):
            return Onward(after, pending)
        if failure and after <= block.rescue < block.always:
            return Onward(block.rescue, pending)
        if after <= block.always < block.end:
            if failure:
                pending[str(number)] = failure
            return Onward(block.always, pending)
        if after > block.always:  # what is always done has ended, or failed itself
            waiting = pending.pop(str(number), "")
            failure = failure or waiting
        after = block.end
    return Onward(position if failure else after, pending, failure)
