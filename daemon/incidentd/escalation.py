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
from zoneinfo import ZoneInfo

from incidentd.oncall import (
    FOREVER,
    LOG_CHANNEL,
    Channel,
    ChannelKind,
    Person,
    Roster,
    Shadow,
    Target,
    fallback_people,
    first_instant,
    on_call,
    previous,
    resolve,
    shadows,
)
from incidentd.pages import Chain, Exhausted, Level, Occasion, Page, PageState

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
    copy: bool = False
    """For somebody who shadows: it asks for nothing, and an answer to it would not count."""
    after: timedelta = timedelta(0)
    """How long after the step it goes out: whoever learns in reverse is called first."""


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
    elapsed = now - page.counts_from
    latest: dict[Target, Step] = {}
    number = page.step
    while (step := step_at(page.chain, page.respond_within, number)).at <= elapsed:
        step = _latest_repeat(page, step, elapsed)
        missed = latest.pop(step.target, step)
        latest[step.target] = _together(missed, step)
        number = step.number + 1
    return tuple(latest.values()), page.counts_from + step.at


def breach_at(page: Page) -> datetime:
    """Say when the response time of a page is over."""
    return page.counts_from + page.respond_within


def sent_as(page: Page, number: int) -> Step:
    """Give the step that a message belongs to, by the number that is in its key."""
    return step_at(page.chain, page.respond_within, max(number - page.base, 0))


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
            then = choose(opening, roster, earlier, page.counts_from + opening.at)
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
    earlier = roster.people.get(previous(schedule, at, passing=already_paged, known=roster.people))
    if earlier is not None:
        return (earlier,)
    fallback = fallback_people(step.target, roster, at)
    return tuple(person for person in fallback if person.handle not in already_paged) or found


def channels_for(person: Person, kinds: tuple[ChannelKind, ...]) -> tuple[Channel, ...]:
    """Pick a person's channels of these kinds; whoever has none of them is reached on every channel there is."""
    return tuple(channel for channel in person.channels if channel.kind in kinds) or person.channels


def kinds_so_far(page: Page) -> tuple[ChannelKind, ...]:
    """Say by which kinds of channels a page called people up to now; empty means by every channel there is."""
    taken = _planned(page.chain, page.respond_within)[: page.step]
    if len(taken) < page.step or not all(step.kinds for step in taken):
        return ()
    return tuple(dict.fromkeys(kind for step in taken for kind in step.kinds))


def recipients(page: Page, step: Step, roster: Roster, now: datetime) -> tuple[Recipient, ...]:
    """List the channels that a step's message goes to; what reaches nobody goes to the log, where it can be seen.

    Whoever shadows has copies on the same kinds of channels; in reverse, they are called first, and those on call
    follow. Ask before the page is moved on to the step after it.
    """
    found = _asked(page, step, roster, now)
    people = {recipient.person for recipient in found}
    learning = [one for one in learners(step.target, roster, now) if one.person not in people]
    first = [one for one in learning if one.reverse and roster.people[one.person].channels]
    if first:
        delay = max(one.delay for one in first)
        found = tuple(replace(it, after=delay) for it in found)
    called = [it for one in first for it in _to(page, step, roster.people[one.person])]
    copies = [
        replace(it, copy=True)
        for one in learning
        if not one.reverse
        for it in _to(page, step, roster.people[one.person])
    ]  # fmt: skip
    return (*called, *found, *copies)


def learners(target: Target, roster: Roster, at: datetime) -> tuple[Shadow, ...]:
    """Say who learns beside the people of a target: beside those who are on call, and nobody else."""
    schedule = roster.schedules.get(target.on_call) if target.on_call and not target.previous else None
    return () if schedule is None else shadows(schedule, at, roster.people)


def reading_along(page: Page, roster: Roster, at: datetime) -> frozenset[str]:
    """Name those who only have copies of a page, so that an answer of theirs does not count."""
    targets = [level.page for level in page.chain.levels]
    found = {one.person for target in targets for one in learners(target, roster, at) if not one.reverse}
    return frozenset(found - {*page.paged, page.owner, page.acked_by})


def _to(page: Page, step: Step, person: Person) -> list[Recipient]:
    prefix = f"{page.key}/{page.base + step.number}"
    return [
        Recipient(person=person.handle, channel=channel.name, key=f"{prefix}/{channel.name}")
        for channel in channels_for(person, step.kinds)
    ]


def _asked(page: Page, step: Step, roster: Roster, now: datetime) -> tuple[Recipient, ...]:
    prefix = f"{page.key}/{page.base + step.number}"
    if step.target.channel:
        return (Recipient(person="", channel=step.target.channel, key=f"{prefix}/{step.target.channel}"),)
    found: dict[str, Recipient] = {}
    for person in whom(page, step, roster, now):
        found |= {it.key: it for it in _to(page, step, person)}
        if not person.channels:
            key = f"{prefix}/{person.handle}/{LOG_CHANNEL}"
            found[key] = Recipient(person=person.handle, channel=LOG_CHANNEL, key=key)
    return tuple(found.values()) or (Recipient(person="", channel=LOG_CHANNEL, key=f"{prefix}/{LOG_CHANNEL}"),)


def is_unstaffed(step: Step, roster: Roster, at: datetime) -> bool:
    """Say whether a step turns to a rotation that names nobody who is known, and that has no fallback either."""
    target = step.target
    if not target.on_call:
        return False
    schedule = roster.schedules.get(target.on_call)
    if schedule is None:
        return True
    # whoever left is passed over, as where people are found: the file may name somebody else by now
    named = (
        previous(schedule, at, known=roster.people) if target.previous else on_call(schedule, at, roster.people).person
    )
    return not named and not fallback_people(target, roster, at)


def next_reachable(page: Page, roster: Roster, now: datetime) -> Step | None:
    """Find where to go on at once when those of the steps so far cannot be reached: the next step that reaches anybody.

    None beyond the chain's first time through: there is nobody new then, and trying again at once would be a flood.
    """
    for step in _planned(page.chain, page.respond_within)[page.step :]:
        if step.loop > 1:
            return None
        if is_unstaffed(step, roster, now):
            continue
        there = _asked(replace(page, step=step.number), step, roster, now)
        if any(it.channel != LOG_CHANNEL and it.channel not in page.unreachable for it in there):
            return step
    return None


def after_lapse(chain: Chain, person: str) -> Chain:
    """Say how a page goes on whose answer expired: first whoever had it, and from there as the chain has it."""
    again = Level(after=timedelta(0), page=Target(person=person))
    return replace(chain, levels=(again, *(level for level in chain.levels if level.after > timedelta(0))))


def rings_a_room(chain: Chain) -> bool:
    """Say whether it turns to a place where anybody may read it, so that nobody can say who was asked."""
    return any(level.page.channel for level in chain.levels)


def begins_at(chain: Chain, now: datetime) -> datetime:
    """Say when a page that starts now goes out: at once, or at the end of the quiet hours that somebody chose."""
    quiet = chain.quiet_hours
    if quiet is None:
        return now
    zone = ZoneInfo(quiet.time_zone)
    local = now.astimezone(zone)
    over_midnight = quiet.end <= quiet.start
    inside = (
        local.time() >= quiet.start or local.time() < quiet.end
        if over_midnight
        else quiet.start <= local.time() < quiet.end
    )
    if not inside:
        return now
    tomorrow = over_midnight and local.time() >= quiet.start
    return max(now, first_instant(local.date() + timedelta(days=int(tomorrow)), quiet.end, zone))


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
