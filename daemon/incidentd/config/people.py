"""People, teams and escalation policies: from documents to values; schedules are a module of their own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from incidentd.config import schedules, values
from incidentd.config.core import rate_of
from incidentd.config.names import DEFAULT_POLICY, EVERYBODY, Names
from incidentd.config.parts import Part
from incidentd.config.report import Report
from incidentd.config.secrets import Secrets
from incidentd.config.tree import Tree
from incidentd.durations import parse_duration
from incidentd.oncall import Channel, ChannelKind, Person, Roster, Schedule, Target, Team
from incidentd.pages import Chain, EscalationPolicy, Exhausted, Level, QuietHours
from incidentd.rules import Urgency

# process: whoever pages everybody repeats it every 5 minutes when money is lost, else every 15
_MOST_BETWEEN = timedelta(minutes=15)
_LOOPS = 3
_PUSH, _SMS, _CALL = ChannelKind.PUSH, ChannelKind.SMS, ChannelKind.CALL
_CHAT, _MAIL = ChannelKind.CHAT, ChannelKind.MAIL
# process: the default chains; channels one after the other, and a call every minute where five are allowed
_CALLS_EACH_FIFTH = (
    (0, 5, (_PUSH, _CHAT, _MAIL)), (1, 5, (_SMS,)), (2, 5, (_CALL,)), (3, 5, (_CALL,)), (4, 5, (_CALL,)),
)  # fmt: skip
_CALLS_EACH_THIRD = ((0, 3, (_PUSH, _CHAT)), (1, 3, (_SMS,)), (2, 3, (_CALL,)))
_NEVER_QUIET = "business_critical"
_BACKLOG = "ticket"
"""The urgency that pages nobody."""


def roster(tree: Tree, names: Names, secrets: Secrets) -> Roster:
    """Read everybody who can be paged, and when."""
    people = {handle: _person(handle, part, names, secrets) for handle, part in tree.of("people", "people")}
    sites = schedules.sites(tree, people)
    return Roster(
        people=people,
        teams={name: _team(name, part, names) for name, part in tree.of("teams", "teams")},
        schedules={
            name: schedules.schedule(
                name, part, names, fallback=_target(part["fallback"], names) if "fallback" in part else None,
                sites=sites,
            )
            for name, part in tree.of("schedules", "schedules")
        },
    )  # fmt: skip


def escalations(tree: Tree, names: Names) -> dict[str, EscalationPolicy]:
    """Read the escalation policies as they are written."""
    return {name: _policy(name, part, names) for name, part in tree.of("escalations", "escalations")}


def default_policy(everybody: Roster, urgencies: Mapping[str, Urgency]) -> EscalationPolicy:
    """Make the policy that exists without being written, about the first schedule and its team (docs/escalation.md)."""
    return EscalationPolicy(
        name=DEFAULT_POLICY,
        chains={name: _default_chain(urgency, everybody) for name, urgency in urgencies.items() if name != _BACKLOG},
    )


def _default_chain(urgency: Urgency, known: Roster) -> Chain:
    """Stretch one of the two tables of the process to the response time: 5 minutes, or 30."""
    within = urgency.respond_within
    exhausted = Exhausted(page=Target(team=EVERYBODY), every=min(within, _MOST_BETWEEN))
    schedule = next(iter(known.schedules.values()), None)
    if schedule is None:
        return Chain(levels=(Level(after=timedelta(0), page=Target(team=EVERYBODY)),), exhausted=exhausted)
    team = _team_of(schedule, known)
    everyone = Target(team=team.name if team else EVERYBODY)
    lead = Target(person=team.lead) if team is not None and team.lead in known.people else everyone
    short = within <= _MOST_BETWEEN
    first = _CALLS_EACH_FIFTH if short else _CALLS_EACH_THIRD
    by = tuple((within * part / parts, kinds) for part, parts, kinds in first)
    levels = (
        Level(after=timedelta(0), page=Target(on_call=schedule.name), by=by),
        Level(after=within, page=Target(on_call=schedule.name, previous=True)),
        Level(after=within * 2 if short else within * 3 / 2, page=everyone if short else lead),
    )
    return Chain(levels=levels, loops=_LOOPS, exhausted=exhausted)


def _team_of(schedule: Schedule, known: Roster) -> Team | None:
    """Find the team of a schedule: its fallback, else the one of the same name."""
    named = schedule.fallback.team if schedule.fallback else ""
    return known.teams.get(named) or known.teams.get(schedule.name)


def _person(handle: str, part: Part, names: Names, secrets: Secrets) -> Person:
    names.refer_all("site", part, "site")
    fallback = part.get("fallback_channel", "")
    if fallback and fallback not in part.get("channels", {}):
        names.refer("channel", part["fallback_channel"])
    channels = tuple(
        Channel(
            name=f"{handle}/{kind}",
            kind=ChannelKind(kind),
            url=secrets.one(channel, "url"),
            rate=rate_of(channel),
            at=channel.at,
        )
        for kind, channel in part.items("channels")
    )
    return Person(
        handle=handle,
        name=part.value["name"],
        time_zone=part.get("time_zone", "UTC"),
        role=part.get("role", "responder"),
        jira=part.get("jira", ""),
        site=part.get("site", ""),
        channels=channels,
        fallback_channel=f"{handle}/{fallback}" if fallback in part.get("channels", {}) else fallback,
        drills=part.get("drills", False),
    )


def _team(name: str, part: Part, names: Names) -> Team:
    names.refer_all("person", part, "people")
    names.refer_all("person", part, "lead")
    names.refer_all("escalation", part, "escalation", DEFAULT_POLICY)
    names.refer_all("channel", part, "channel")
    return Team(
        name=name,
        people=tuple(part.value["people"]),
        lead=part.get("lead", ""),
        escalation=part.get("escalation", ""),
        channel=part.get("channel", ""),
        jira_project=part.get("jira", {}).get("project", ""),
    )


def _policy(name: str, part: Part, names: Names) -> EscalationPolicy:
    chains: dict[str, Chain] = {}
    for urgency in part.value:
        chain = part[urgency]
        names.refer("urgency", Part(urgency, chain.key_at, chain.key_at))
        chains[urgency] = _chain(chain, urgency, names)
    return EscalationPolicy(name=name, chains=chains)


def _chain(part: Part, urgency: str, names: Names) -> Chain:
    levels = tuple(_level(level, names) for level in part.entries("levels"))
    _rising(part, levels, names.report)
    exhausted = None
    if "exhausted" in part:
        target = _target(part["exhausted"]["page"], names)
        exhausted = Exhausted(page=target, every=parse_duration(part.value["exhausted"]["every"]))
    quiet = _quiet_hours(part["quiet_hours"], urgency, names) if "quiet_hours" in part else None
    return Chain(levels=levels, loops=int(part.get("loops", 1)), exhausted=exhausted, quiet_hours=quiet)


def _quiet_hours(part: Part, urgency: str, names: Names) -> QuietHours:
    start, end = values.clock(part.value["from"]), values.clock(part.value["until"])
    if urgency == _NEVER_QUIET:
        names.report.wrong(part.key_at, f"{urgency} pages have no quiet hours", "take `quiet_hours` out here")
    if start == end:
        names.report.wrong(part["until"].at, "these quiet hours never end", "`until` must differ from `from`")
    return QuietHours(start=start, end=end, time_zone=part.value["time_zone"])


def _rising(part: Part, levels: tuple[Level, ...], report: Report) -> None:
    for level, before, after in zip(list(part.entries("levels"))[1:], levels, levels[1:], strict=False):
        if after.after <= before.after:
            report.wrong(
                level["after"].at,
                "this level does not begin after the one before it",
                "put the levels in order of `after`",
            )


def _level(part: Part, names: Names) -> Level:
    by = [
        (parse_duration(offset), tuple(ChannelKind(k) for k in kinds)) for offset, kinds in part.get("by", {}).items()
    ]
    return Level(after=parse_duration(part.value["after"]), page=_target(part["page"], names), by=tuple(sorted(by)))


def _target(part: Part, names: Names) -> Target:
    names.refer_all("schedule", part, "on_call")
    names.refer_all("team", part, "team", EVERYBODY)
    names.refer_all("person", part, "person")
    names.refer_all("channel", part, "channel")
    return Target(
        on_call=part.get("on_call", ""),
        previous="turn" in part,
        team=part.get("team", ""),
        person=part.get("person", ""),
        channel=part.get("channel", ""),
    )
