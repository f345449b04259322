"""Published shifts, overrides and swaps: what the store knows of who is on call, and a roster with it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, bindparam, delete, func, select, update

from incidentd.errors import NotFound
from incidentd.oncall import HORIZON, Override, Published, Roster, on_call, uncovered, wall_of
from incidentd.pages import Page
from incidentd.store import locks
from incidentd.store.base import Read, Tx, both, load, new_id
from incidentd.store.tables import oncall_override, oncall_shift, page

PAST = timedelta(days=15)
"""How far back the roster of now reaches: a turn of a week, and the one before; further back the layers are asked."""

LOOK_AHEAD = HORIZON
"""How far ahead the metrics look for time that nobody covers."""


class OverrideState(StrEnum):
    """What became of an override."""

    PROPOSED = "proposed"
    """Half of a swap that the other person has not accepted; it changes nothing."""
    ACTIVE = "active"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredOverride:
    """An override with its history."""

    id: int
    schedule: str
    person: str
    start: datetime
    end: datetime
    because: str
    state: OverrideState
    swap: str
    """The name that both halves of a swap have, `SWAP-5`; '' for one alone."""
    made_by: str
    made_at: datetime

    @property
    def key(self) -> str:
        """Name it."""
        return f"OVR-{self.id}"

    def as_override(self) -> Override:
        """Give what the resolver needs of it."""
        return Override(
            person=self.person, start=self.start, end=self.end, because=self.because, id=self.id, by=self.made_by
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredShift:
    """A published shift, and the times on the wall that it was published for."""

    id: int
    schedule: str
    shift: Published
    start_wall: str
    end_wall: str


_ACTIVE = (
    select(oncall_override)
    .where(oncall_override.c.state == "active", oncall_override.c.end_at > bindparam("after"))
    .order_by(oncall_override.c.id)
)
_OVERRIDES = (
    select(oncall_override).where(oncall_override.c.end_at > bindparam("after")).order_by(oncall_override.c.id)
)  # fmt: skip
_OVERRIDE = Read(select(oncall_override).where(oncall_override.c.id == bindparam("b_id")))
_SWAP = Read(
    select(oncall_override).where(oncall_override.c.swap == bindparam("name")).order_by(oncall_override.c.id)
)  # fmt: skip
_SET_STATE = update(oncall_override).where(oncall_override.c.id == bindparam("b_id")).values(state=bindparam("new"))
_SET_END = update(oncall_override).where(oncall_override.c.id == bindparam("b_id")).values(end_at=bindparam("end"))
_SET_SWAP = update(oncall_override).where(oncall_override.c.id == bindparam("b_id")).values(swap=bindparam("name"))
_SHIFTS = (
    select(oncall_shift)
    .where(oncall_shift.c.end_at > bindparam("after"), oncall_shift.c.start_at < bindparam("before"))
    .order_by(oncall_shift.c.start_at, oncall_shift.c.id)
)
_PAGED = (
    select(page.c.body)
    .where(page.c.started_at >= bindparam("after"), page.c.started_at < bindparam("before"))
    .order_by(page.c.started_at, page.c.id)
)
_LAST = select(func.max(oncall_shift.c.end_at)).where(oncall_shift.c.schedule == bindparam("of"))
_PUBLISH = both(
    lambda insert: insert(oncall_shift).on_conflict_do_nothing(index_elements=["schedule", "layer", "start_wall"])
)  # fmt: skip
_SET_TIMES = (
    update(oncall_shift)
    .where(oncall_shift.c.id == bindparam("b_id"))
    .values(start_at=bindparam("start"), end_at=bindparam("end"))
)
_FORGET = delete(oncall_shift).where(
    oncall_shift.c.schedule == bindparam("of"), oncall_shift.c.start_at >= bindparam("at")
)
_CUT = (
    update(oncall_shift)
    .where(oncall_shift.c.schedule == bindparam("of"), oncall_shift.c.end_at > bindparam("at"))
    .values(end_at=bindparam("to"), end_wall=bindparam("wall"))
)


def current(tx: Tx, roster: Roster) -> Roster:
    """Give the roster with what the store knows of now, of the turns before and of every override ahead.

    Whoever finds people inside a unit of work finds them in this one.
    """
    return between(tx, roster, tx.now - PAST, tx.now + timedelta(days=1))


def between(tx: Tx, roster: Roster, start: datetime, end: datetime) -> Roster:
    """Give the roster with every override that ends after `start`, and the published shifts of that time."""
    if not roster.schedules:
        return roster
    shifts: dict[str, list[Published]] = defaultdict(list)
    for row in tx.execute(_SHIFTS, {"after": start, "before": end}):
        shifts[row.schedule].append(_published(row))
    overrides: dict[str, list[Override]] = defaultdict(list)
    for row in tx.execute(_ACTIVE, {"after": start}):
        overrides[row.schedule].append(_override(row).as_override())
    schedules = {
        name: replace(
            schedule, published=tuple(shifts[name]), overrides=(*schedule.overrides, *overrides[name])
        )
        for name, schedule in roster.schedules.items()
    }  # fmt: skip
    return replace(roster, schedules=schedules)


def coverage(tx: Tx, roster: Roster) -> tuple[dict[str, bool], dict[str, float]]:
    """Say of each schedule whether somebody is on call now, and how many seconds of the look-ahead nobody is."""
    until = tx.now + LOOK_AHEAD
    there = between(tx, roster, tx.now, until)
    staffed, gaps = {}, {}
    for name, schedule in there.schedules.items():
        staffed[name] = bool(on_call(schedule, tx.now, roster.people).person)
        gaps[name] = uncovered(schedule, tx.now, until, roster.people).total_seconds()
    return staffed, gaps


# -- published shifts ------------------------------------------------------------------------------------------------


def shifts_ending_after(tx: Tx, at: datetime) -> list[StoredShift]:
    """List the published shifts that are not over."""
    far = at + timedelta(days=3650)
    return [
        StoredShift(
            id=row.id, schedule=row.schedule, shift=_published(row), start_wall=row.start_wall, end_wall=row.end_wall
        )
        for row in tx.execute(_SHIFTS, {"after": at, "before": far})
    ]


def published_until(tx: Tx, schedule: str) -> datetime | None:
    """Say up to when the shifts of a schedule are published; None when none ever was."""
    locks.job(tx, f"oncall:{schedule}")
    found: datetime | None = tx.conn.execute(_LAST, {"of": schedule}).scalar()
    return found


def publish(tx: Tx, schedule: str, shifts: Iterable[Published]) -> int:
    """Store shifts that were not published before; say how many."""
    rows = [
        {
            "schedule": schedule, "layer": one.layer, "person": one.person, "start_at": one.start, "end_at": one.end,
            "start_wall": wall_of(one.start, one.time_zone), "end_wall": wall_of(one.end, one.time_zone),
            "time_zone": one.time_zone, "published_at": tx.now,
        }
        for one in shifts
    ]  # fmt: skip
    if rows:
        tx.conn.execute(_PUBLISH[tx.conn.dialect.name], rows)
    return len(rows)


def set_times(tx: Tx, stored: StoredShift, shift: Published) -> None:
    """Move a shift to other instants: the rules of its zone changed."""
    tx.conn.execute(_SET_TIMES, {"b_id": stored.id, "start": shift.start, "end": shift.end})


def unpublish(tx: Tx, schedule: str, at: datetime) -> None:
    """Forget the shifts of a schedule that begin from here on, and end the one that runs."""
    tx.conn.execute(_FORGET, {"of": schedule, "at": at})
    tx.conn.execute(_CUT, {"of": schedule, "at": at, "to": at, "wall": wall_of(at, "UTC")})


# -- overrides and swaps ---------------------------------------------------------------------------------------------


def alone(tx: Tx) -> None:
    """Let nobody else make, accept or withdraw overrides until the end of the transaction."""
    locks.job(tx, "oncall:overrides")


def add_override(
    tx: Tx, *, schedule: str, person: str, start: datetime, end: datetime, because: str, by: str, swap: str = "",
    state: OverrideState = OverrideState.ACTIVE,
) -> StoredOverride:  # fmt: skip
    """Store a new override and give it with its id."""
    row = {
        "schedule": schedule, "person": person, "start_at": start, "end_at": end, "because": because,
        "state": state.value, "swap": swap, "made_by": by, "made_at": tx.now,
    }  # fmt: skip
    made = new_id(tx, oncall_override, row)
    return get_override(tx, made)


def name_swap(tx: Tx, halves: Sequence[StoredOverride]) -> str:
    """Give two overrides the name of a swap."""
    name = f"SWAP-{halves[0].id}"
    tx.conn.execute(_SET_SWAP, [{"b_id": half.id, "name": name} for half in halves])
    return name


def get_override(tx: Tx, override_id: int) -> StoredOverride:
    """Read an override. Raises NotFound."""
    row = tx.conn.execute(_OVERRIDE.of(tx), {"b_id": override_id}).one_or_none()
    if row is None:
        raise NotFound(f"there is no OVR-{override_id}")
    return _override(row)


def get_swap(tx: Tx, name: str) -> list[StoredOverride]:
    """Read both halves of a swap. Raises NotFound."""
    found = [_override(row) for row in tx.conn.execute(_SWAP.of(tx), {"name": name})]
    if not found:
        raise NotFound(f"there is no {name}")
    return found


def proposed(tx: Tx, schedule: str) -> dict[str, list[StoredOverride]]:
    """Give the swaps of a schedule that wait for an answer by their names, each with those halves that are not over."""
    found: dict[str, list[StoredOverride]] = defaultdict(list)
    for one in overrides_ending_after(tx, tx.now):
        if one.schedule == schedule and one.state is OverrideState.PROPOSED:
            found[one.swap].append(one)
    return found


def set_state(tx: Tx, overrides: Iterable[StoredOverride], state: OverrideState) -> list[StoredOverride]:
    """Store what became of overrides, and give them as they are now."""
    overrides = list(overrides)
    tx.conn.execute(_SET_STATE, [{"b_id": one.id, "new": state.value} for one in overrides])
    return [replace(one, state=state) for one in overrides]


def end_now(tx: Tx, running: StoredOverride) -> StoredOverride:
    """End an override that runs, and give it as it is now."""
    tx.conn.execute(_SET_END, {"b_id": running.id, "end": tx.now})
    return replace(running, end=tx.now)


def overrides_ending_after(tx: Tx, at: datetime) -> list[StoredOverride]:
    """List overrides that are not over, in the order in which they were made, whatever became of them."""
    return [_override(row) for row in tx.conn.execute(_OVERRIDES, {"after": at})]


def pages_by_person(tx: Tx, start: datetime, end: datetime) -> Counter[str]:
    """Count for each person the pages of that time that came to them."""
    bodies = tx.conn.execute(_PAGED, {"after": start, "before": end}).scalars()
    return Counter(person for body in bodies for person in body.get("paged", ()))


def pages_of_time(tx: Tx, start: datetime, end: datetime) -> list[Page]:
    """List the pages that began in that time, oldest first."""
    return [load(body, Page) for body in tx.conn.execute(_PAGED, {"after": start, "before": end}).scalars()]


def _published(row: Row[Any]) -> Published:
    return Published(
        person=row.person, start=row.start_at, end=row.end_at, layer=row.layer, time_zone=row.time_zone
    )  # fmt: skip


def _override(row: Row[Any]) -> StoredOverride:
    return StoredOverride(
        id=row.id, schedule=row.schedule, person=row.person, start=row.start_at, end=row.end_at, because=row.because,
        state=OverrideState(row.state), swap=row.swap, made_by=row.made_by, made_at=row.made_at,
    )  # fmt: skip
