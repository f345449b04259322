"""Whom to page next, and when: an escalation chain unrolled into numbered steps.

A chain's levels, loops and last resort are one endless row of steps, each with its distance from the page's start. A
page remembers only the number of its next step, so a restart, a second replica or a day of downtime changes nothing
about what comes next. Every deadline is the page's start (UTC) plus a distance, never wall-clock arithmetic.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import count

from incidentd.oncall import (
    FOREVER,
    LOG_CHANNEL,
    Channel,
    ChannelKind,
    Person,
    Roster,
    Target,
    fallback_people,
    previous,
    resolve,
)
from incidentd.pages import Chain, Exhausted, Occasion, Page, PageState

LAST_RESORT = Exhausted(page=Target(team="*"), every=timedelta(minutes=15))
"""What happens after the last loop of a chain that does not say: everybody, every fifteen minutes."""
MOST_LOOPS = 100
"""More loops than this are not unrolled; the last resort takes over. At ten minutes a loop that is most of a day."""
_SHORTEST = timedelta(minutes=1)
"""No loop and no repeat is shorter, whatever a file says: a page is not a flood."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that happens in an escalation."""

    number: int
    at: timedelta
    """Since the page started."""
    level: int
    """1 is the first; one more than the chain has is the last resort."""
    loop: int
    """1 is the first time through; for the last resort it counts its repeats."""
    target: Target
    kinds: tuple[ChannelKind, ...]
    """The channel kinds to use; empty means every channel."""
    is_escalation: bool
    """The page turns to another level with this step; otherwise it goes on with the one that it had."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """One channel that a step's message goes to."""

    person: str
    """The handle of the person behind it; '' for a channel that is a target itself."""
    channel: str
    key: str
    """`PAGE-9/1/ana/mail`: the same for every try of this message, and for no other message."""


def steps(chain: Chain, respond_within: timedelta) -> Iterator[Step]:
    """Go through an escalation from its start, endlessly; read only as much as is needed."""
    return (step_at(chain, respond_within, number) for number in count())


def step_at(chain: Chain, respond_within: timedelta, number: int) -> Step:
    """Give one step of an escalation by its number, however late it is, at the same small cost."""
    planned = _planned(chain, respond_within)
    if number < len(planned):
        return planned[number]
    repeat = number - len(planned)
    return Step(
        number=number, at=_end(chain, respond_within) + repeat * _every(chain), level=len(chain.levels) + 1,
        loop=repeat + 1, target=(chain.exhausted or LAST_RESORT).page, kinds=(),
        is_escalation=repeat == 0 and number > 0,
    )  # fmt: skip


def due(page: Page, now: datetime) -> tuple[tuple[Step, ...], datetime]:
    """Say which steps of an open page are due, in order, and when the next one after them is.

    The last one given carries the highest number; the page's next step is the one after it. After a downtime, the
    steps that were missed fall together into the latest one of each target, with the channels of all of them: people
    hear of a late page once on each channel, never once for every step that was missed.
    """
    if page.state is not PageState.OPEN:
        return (), FOREVER
    elapsed = now - page.started_at
    latest: dict[Target, Step] = {}
    number = page.step
    while (step := step_at(page.chain, page.respond_within, number)).at <= elapsed:
        step = _latest_repeat(page, step, elapsed)
        missed = latest.pop(step.target, step)
        latest[step.target] = _together(missed, step)
        number = step.number + 1
    return tuple(latest.values()), page.started_at + step.at


def breach_at(page: Page) -> datetime:
    """Say when the response time of a page is over."""
    return page.started_at + page.respond_within


def occasion_of(page: Page, step: Step) -> Occasion:
    """Say what a step's message is about; ask before the page is moved on to the step after it."""
    if not page.paged:
        return Occasion.FIRST
    return Occasion.ESCALATION if step.is_escalation else Occasion.AGAIN


def whom(page: Page, step: Step, roster: Roster, now: datetime) -> tuple[Person, ...]:
    """Find the people of a step; ask before the page is moved on to the step after it.

    A level keeps the people whom it paged when it was first reached, so a handoff in the middle of a page takes it
    from nobody; a level that is reached only now finds the people of now. Never nobody, unless the roster is empty or
    the target is a channel.
    """
    if step.level > len(page.chain.levels):
        return resolve(step.target, roster, now)
    earlier: list[str] = []
    found: tuple[Person, ...] = ()
    for opening in _openings(page.chain, page.respond_within)[: step.level]:
        found = choose(opening, roster, earlier, now)
        if opening.number < page.step:
            then = choose(opening, roster, earlier, page.started_at + opening.at)
            # a step that was late found its people later than planned; whoever was paged keeps the level
            found = then if all(person.handle in page.paged for person in then) else found
        earlier += [person.handle for person in found]
    return found


def choose(step: Step, roster: Roster, already_paged: Collection[str], at: datetime) -> tuple[Person, ...]:
    """Find the people of a step; when it opens a level, not one who was paged already but the next distinct person.

    The next one is looked for in the turns before, then in the schedule's fallback; if there is nobody else, it is the
    same person again rather than nobody. A level that names several people pages all of them, paged before or not.
    """
    found = resolve(step.target, roster, at)
    opens_level = step.is_escalation and step.loop == 1
    if not opens_level or len(found) != 1 or found[0].handle not in already_paged:
        return found
    schedule = roster.schedules.get(step.target.on_call)
    if schedule is None:
        return found
    earlier = roster.people.get(previous(schedule, at, passing=already_paged))
    if earlier is not None:
        return (earlier,)
    fallback = fallback_people(step.target, roster, at)
    return tuple(person for person in fallback if person.handle not in already_paged) or found


def channels_for(person: Person, kinds: tuple[ChannelKind, ...]) -> tuple[Channel, ...]:
    """Pick a person's channels of these kinds; whoever has none of them is reached on every channel there is."""
    return tuple(channel for channel in person.channels if channel.kind in kinds) or person.channels


def recipients(page: Page, step: Step, roster: Roster, now: datetime) -> tuple[Recipient, ...]:
    """List the channels that a step's message goes to; what reaches nobody goes to the log, where it can be seen.

    Ask before the page is moved on to the step after it.
    """
    prefix = f"{page.key}/{step.number}"
    if step.target.channel:
        return (Recipient(person="", channel=step.target.channel, key=f"{prefix}/{step.target.channel}"),)
    found: dict[str, Recipient] = {}
    for person in whom(page, step, roster, now):
        for channel in channels_for(person, step.kinds):
            key = f"{prefix}/{channel.name}"
            found[key] = Recipient(person=person.handle, channel=channel.name, key=key)
        if not person.channels:
            key = f"{prefix}/{person.handle}/{LOG_CHANNEL}"
            found[key] = Recipient(person=person.handle, channel=LOG_CHANNEL, key=key)
    return tuple(found.values()) or (Recipient(person="", channel=LOG_CHANNEL, key=f"{prefix}/{LOG_CHANNEL}"),)


def _latest_repeat(page: Page, step: Step, elapsed: timedelta) -> Step:
    """Skip to the last repeat of the last resort that is due, in one go however many were missed."""
    if step.level <= len(page.chain.levels):
        return step
    missed = (elapsed - step.at) // _every(page.chain)
    return _together(step, step_at(page.chain, page.respond_within, step.number + missed))


def _together(missed: Step, step: Step) -> Step:
    """Let a step carry the channels of one that was missed."""
    kinds = tuple(dict.fromkeys(missed.kinds + step.kinds)) if missed.kinds and step.kinds else ()
    return replace(step, kinds=kinds, is_escalation=missed.is_escalation or step.is_escalation)


def _every(chain: Chain) -> timedelta:
    return max((chain.exhausted or LAST_RESORT).every, _SHORTEST)


def _period(chain: Chain, respond_within: timedelta) -> timedelta:
    """Say how long one loop takes: up to the last level, and then as long as from the level before to it."""
    starts = [level.after for level in chain.levels]
    gap = starts[-1] - starts[-2] if len(starts) > 1 else respond_within
    return max(starts[-1] + (gap if gap > timedelta(0) else respond_within), _SHORTEST)


@lru_cache(maxsize=256)
def _planned(chain: Chain, respond_within: timedelta) -> tuple[Step, ...]:
    """Unroll the loops of a chain into one row, in order of time; a chain never changes, so this is worth keeping."""
    if not chain.levels:
        return ()
    period = _period(chain, respond_within)
    rows = sorted(
        (loop * period + level.after + offset, loop + 1, place, part, kinds)
        for loop in range(max(1, min(chain.loops, MOST_LOOPS)))
        for place, level in enumerate(chain.levels, start=1)
        for part, (offset, kinds) in enumerate(sorted(level.by) or [(timedelta(0), ())])
    )
    planned: list[Step] = []
    current = rows[0][2]
    for number, (at, loop, place, part, kinds) in enumerate(rows):
        turns = part == 0 and place != current
        current = place if turns else current
        planned.append(
            Step(
                number=number, at=at, level=place, loop=loop, target=chain.levels[place - 1].page, kinds=kinds,
                is_escalation=turns,
            )
        )  # fmt: skip
    return tuple(planned)


def _end(chain: Chain, respond_within: timedelta) -> timedelta:
    """Say when the last resort begins: after the last loop, and after every step of it."""
    planned = _planned(chain, respond_within)
    if not planned:
        return timedelta(0)
    return max(planned[-1].at, max(1, min(chain.loops, MOST_LOOPS)) * _period(chain, respond_within))


def _openings(chain: Chain, respond_within: timedelta) -> list[Step]:
    """Give the first step of each level in the first loop, by level."""
    first: dict[int, Step] = {}
    for step in _planned(chain, respond_within):
        if step.loop == 1:
            first.setdefault(step.level, step)
    return [first[level] for level in sorted(first)]
