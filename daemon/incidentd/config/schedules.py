"""Schedules: from documents to values, and what can be proved of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise

from incidentd import oncall
from incidentd.config import values
from incidentd.config.names import Names
from incidentd.config.parts import Part
from incidentd.config.report import Report, shown
from incidentd.config.tree import Tree
from incidentd.durations import format_duration, parse_duration
from incidentd.oncall import Holiday, Hours, Layer, Override, Person, Roster, Schedule, Shadow, Site, Target

FEWEST = 6
"""Fewer people than this in a rotation are on call for more than a week in six (process B.4)."""
_WEEK = timedelta(days=7)
_YEAR = timedelta(days=366)
_EVERY_DAY = tuple(range(7))


def sites(tree: Tree, people: Mapping[str, Person]) -> dict[str, Site]:
    """Read the holidays of each site, and give the site of each person who has one, by handle."""
    known = {
        name: Site(
            name=name, time_zone=part.value["time_zone"],
            holidays=tuple(_holiday(day) for day in part.entries("days")),
        )
        for name, part in tree.of("schedules", "holidays")
    }  # fmt: skip
    return {handle: known[person.site] for handle, person in people.items() if person.site in known}


def _holiday(part: Part) -> Holiday:
    year, month, day = values.holiday(part.value["day"])
    midnight = "00:00"
    return Holiday(
        name=part.value["name"], year=year, month=month, day=day, start=values.clock(part.get("from", midnight)),
        end=values.clock(part.get("until", midnight)),
    )  # fmt: skip


def schedule(
    name: str, part: Part, names: Names, *, fallback: Target | None, sites: Mapping[str, Site]
) -> Schedule:  # fmt: skip
    """Read a schedule."""
    zone = part.value["time_zone"]
    names.refer_all("person", part, "cover")
    layers = tuple(_layer(layer, names) for layer in part.entries("layers"))
    _named_once(part, names.report)
    return Schedule(
        name=name,
        time_zone=zone,
        layers=layers,
        overrides=tuple(_override(override, zone, names) for override in part.entries("overrides")),
        fallback=fallback,
        cover=tuple(part.get("cover", ())),
        sites=sites,
        shadows=tuple(_shadow(shadow, zone, names) for shadow in part.entries("shadows")),
        horizon=values.horizon(part.get("horizon", "4w")),
        rollout_immediate=part.get("rollout") == "immediate",
    )


def _named_once(part: Part, report: Report) -> None:
    """Check that a layer's name is its own: published shifts say by it whose turn they are."""
    seen: set[str] = set()
    for layer in part.entries("layers"):
        if layer.value["name"] in seen:
            report.wrong(layer["name"].at, f"there are two layers `{shown(layer.value['name'])}`", "rename one")
        seen.add(layer.value["name"])


def _layer(part: Part, names: Names) -> Layer:
    names.refer_all("person", part, "people")
    turn = values.turn(part.value["turn"])
    weekday, at = values.handoff(part.value["handoff"])
    handoff = part["handoff"]
    if weekday is None and turn % _WEEK == timedelta(0):
        names.report.wrong(
            handoff.at, "a turn of whole weeks needs a weekday to hand over on", f"write monday {handoff.value}"
        )
    if weekday is not None and turn % _WEEK:
        names.report.wrong(
            handoff.at, f"a turn of {part.value['turn']} does not end on the same weekday each time",
            f"write {at:%H:%M} alone, or a turn of whole weeks",
        )  # fmt: skip
    return Layer(
        name=part.value["name"],
        people=tuple(part.value["people"]),
        turn=turn,
        handoff_weekday=weekday,
        handoff_time=at,
        start=values.day(part.value["from"]),
        time_zone=part.get("time_zone", ""),
        hours=tuple(_hours(hours, names.report) for hours in part.entries("hours")),
    )


def _hours(part: Part, report: Report) -> Hours:
    start, end = values.clock(part.value["from"]), values.clock(part.value["until"])
    if start == end != time(0):
        report.wrong(part["until"].at, "these hours end when they begin", "for the whole day write 00:00 and 00:00")
    days = tuple(values.WEEKDAYS.index(day) for day in part.get("days", ()))
    return Hours(days=days or _EVERY_DAY, start=start, end=end)


def _override(part: Part, zone: str, names: Names) -> Override:
    names.refer_all("person", part, "person")
    start, end = _span(part, zone, "this override", names.report)
    return Override(person=part.value["person"], start=start, end=end, because=part.get("because", ""))


def _shadow(part: Part, zone: str, names: Names) -> Shadow:
    names.refer_all("person", part, "person")
    names.refer_all("person", part, "of")
    start, end = _span(part, zone, "this time", names.report)
    return Shadow(
        person=part.value["person"], start=start, end=end, of=part.get("of", ""), reverse=part.get("reverse", False),
        delay=parse_duration(part.get("delay", "2m")),
    )  # fmt: skip


def _span(part: Part, zone: str, what: str, report: Report) -> tuple[datetime, datetime]:
    start, end = values.beginning(part.value["from"], zone), values.ending(part.value["until"], zone)
    if end <= start:
        report.wrong(part["until"].at, f"{what} ends before it begins", "`until` must be later than `from`")
    return start, end


# -- what can be proved ----------------------------------------------------------------------------------------------


def prove(
    tree: Tree, roster: Roster, paged: Sequence[tuple[str, Sequence[str]]], report: Report, now: datetime | None
) -> None:  # fmt: skip
    """Check that somebody is always on call, that enough people take turns, and that they can be reached.

    `paged` is the schedules that each chain of a policy pages. What is over by `now` is not looked at.
    """
    for name, part in tree.of("schedules", "schedules"):
        _covered(roster.schedules[name], part, report, now)
        _enough(part, report)
        _overlapping(roster.schedules[name], part, report)
        _twice(roster, name, part, paged, report)
    for handle, part in tree.of("people", "people"):
        if not roster.people[handle].channels and roster.people[handle].role != "viewer":
            report.doubt(
                part.key_at, f"`{handle}` has no channel, so a page to them goes to the log alone",
                "write `channels:` with an address, or `role: viewer` for somebody who is never paged",
            )  # fmt: skip


def _covered(schedule: Schedule, part: Part, report: Report, now: datetime | None) -> None:
    """Look for time without anybody in the coming year, from when all layers have begun."""
    if schedule.fallback is not None or any(not layer.hours for layer in schedule.layers):
        return
    # a first turn begins within a week of the day that is written, whatever the zone
    begun = datetime.combine(max(layer.start for layer in schedule.layers), time(0), UTC) + timedelta(days=9)
    begun = max(begun, now) if now else begun
    plain = replace(schedule, overrides=(), sites={})
    gaps = oncall.gaps(plain, begun, begun + _YEAR)
    if gaps:
        total = format_duration(sum((gap.end - gap.start for gap in gaps), timedelta(0)))
        zone = schedule.time_zone
        first, last = (oncall.wall_of(at, zone)[:16].replace("T", " ") for at in (gaps[0].start, gaps[0].end))
        report.wrong(
            part["layers"].key_at,
            f"nobody is on call for {total} of a year, {len(gaps)} times; the first is {first} to {last} ({zone})",
            "add a layer for those hours, or say with `fallback:` who answers then",
        )


def _enough(part: Part, report: Report) -> None:
    for layer in part.entries("layers"):
        there = len(set(layer.value["people"]))
        if there < FEWEST:
            who = "one person is" if there == 1 else f"{there} people are"
            report.doubt(
                layer["people"].at, f"only {who} in the rotation `{layer.value['name']}`: each is on call too often",
                f"{FEWEST} or more take turns in a rotation that can be kept up",
            )  # fmt: skip


def _overlapping(schedule: Schedule, part: Part, report: Report) -> None:
    numbered = sorted(enumerate(schedule.overrides), key=lambda one: one[1].start)
    for (first, before), (second, after) in pairwise(numbered):
        if after.start < before.end:
            later, earlier = (part["overrides"][number].at for number in (max(first, second), min(first, second)))
            report.doubt(
                later, f"this override overlaps the one at {earlier}, and wins it", "let one end where the other begins"
            )


def _twice(
    roster: Roster, name: str, part: Part, paged: Sequence[tuple[str, Sequence[str]]], report: Report
) -> None:  # fmt: skip
    """Refuse overrides that make one person the first and the second who is paged."""
    for number, override in enumerate(roster.schedules[name].overrides):
        for policy, other in oncall.partners(paged, name):
            there = roster.schedules.get(other)
            if there and oncall.with_pager(there, override.person, override.start, override.end):
                report.wrong(
                    part["overrides"][number].at,
                    f"`{override.person}` has the pager of `{other}` at that time, which `{policy}` pages as well",
                    "name somebody else in one of the two",
                )
