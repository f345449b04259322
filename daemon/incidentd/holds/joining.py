"""What an alert that joins a hold brings with it: another service or team, a customer, another severity."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from incidentd.holds.ending import end, ignored
from incidentd.holds.hold import Hold, HoldState, Outcome, Turn
from incidentd.holds.policy import DeclareOn, OnFlap
from incidentd.holds.signals import progress
from incidentd.text import clock, plain
from incidentd.timeline import Draft


@dataclass(frozen=True, slots=True, kw_only=True)
class Joining:
    """What is known of the alerts that join a hold."""

    rule: str
    severity: str
    rank: int
    """Of the severity; 1 is the worst."""
    urgency: str
    wait: timedelta
    """How long their own rule would wait for progress; nothing when it declares at once."""
    page: str = ""
    teams: tuple[str, ...] = ()
    """Whom their rule brings in."""
    services: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    """The teams that their labels name."""
    customer: str = ""
    """What says that a customer sees it; '' when nothing does."""


def joined(hold: Hold, it: Joining, now: datetime) -> Turn:
    """Take alerts that joined: a higher severity, another service or team, or a customer's view of it may declare."""
    if hold.state is not HoldState.HOLDING:
        return Turn(hold)
    before = hold
    hold = replace(
        hold, mixed=hold.mixed or it.rule != hold.rule, services=_union(hold.services, it.services),
        owners=_union(hold.owners, it.owners), customer_visible=hold.customer_visible or bool(it.customer),
    )  # fmt: skip
    turn = _raised(hold, it, now) if 0 < it.rank < hold.rank else Turn(hold)
    if turn.hold.state is HoldState.HOLDING:
        turn = turn.then(_spread(turn.hold, before, it, now))
    if turn.hold.state is HoldState.HOLDING and it.customer and not before.customer_visible:
        turn = turn.then(_seen(turn.hold, it.customer, now))
    return turn


def joined_after(turn: Turn, it: Joining, now: datetime) -> Turn:
    """Take alerts that joined with a change of the count, also when that change ended the hold by itself.

    What they bring is not lost then: what declares goes before that end, what is worse is declared as that, and what is
    worse than all that its rule files is not filed with it.
    """
    if turn.instead is None:
        return turn.then(joined(turn.hold, it, now))
    ended, later = turn.hold, joined(turn.instead, it, now)
    said = Turn(turn.instead, turn.drafts[:-1])
    filed = ended.outcome is Outcome.TICKETED
    if later.hold.state is not HoldState.HOLDING or (filed and later.hold.rank < turn.instead.rank):
        return said.then(later)
    hold = replace(
        later.hold, state=ended.state, outcome=ended.outcome, ended_at=ended.ended_at, spent=ended.spent, wants=None,
        wants_why="", busy_until=None,
    )  # fmt: skip
    return said.then(later).then(Turn(hold, turn.drafts[-1:], later.hold))


def _raised(hold: Hold, it: Joining, now: datetime) -> Turn:
    was = hold.severity
    hold = replace(
        hold, severity=it.severity, rank=it.rank, urgency=it.urgency, page_policy=it.page or hold.page_policy,
        teams=_union(hold.teams, it.teams), policy=replace(hold.policy, on_flap=OnFlap.DECLARE),
    )  # fmt: skip
    what = f"{it.severity} by rule {it.rule}, it was {was}"
    if DeclareOn.SEVERITY_RAISED not in hold.policy.declare_on:
        return ignored(hold, f"Severity raised: {what}. The rule leaves that out of what declares.", signal="severity")
    if it.wait <= timedelta(0):
        text = f"Declared: severity raised; {what}, and that allows no waiting."
        return end(hold, Outcome.DECLARED_SEVERITY_RAISED, text, now)
    shorter = max(hold.policy.no_progress_after - it.wait, timedelta(0))
    hold = replace(
        hold, deadline_at=min(hold.deadline_at, now + it.wait), spent=hold.spent + shorter,
        policy=replace(hold.policy, no_progress_after=hold.policy.no_progress_after - shorter),
    )  # fmt: skip
    text = f"Severity raised: {what}. Declares at {clock(hold.deadline_at)} unless there is progress."
    return Turn(hold, (Draft("hold.raised", text, {"severity": it.severity}),))


def _spread(hold: Hold, before: Hold, it: Joining, now: datetime) -> Turn:
    for kind, known, new in (("service", before.services, it.services), ("team", before.owners, it.owners)):
        fresh = [name for name in new if name not in known]
        if not known or not fresh:
            continue
        what = f"{kind} {plain(fresh[0], 60)} joined, it was {plain(', '.join(known), 120)}"
        if DeclareOn.SPREAD not in hold.policy.declare_on:
            return ignored(hold, f"Spread: {what}. The rule leaves that out of what declares.", signal="spread")
        return end(hold, Outcome.DECLARED_SPREAD, f"Declared: it spreads; {what}.", now)
    return Turn(hold)


def _seen(hold: Hold, by: str, now: datetime) -> Turn:
    if DeclareOn.CUSTOMER_VISIBLE not in hold.policy.declare_on:
        text = f"Customers see it ({plain(by, 120)}), which the rule leaves out of what declares."
        return ignored(hold, text, signal="customer")
    return end(hold, Outcome.DECLARED_CUSTOMER_VISIBLE, f"Declared: customers see it; {plain(by, 120)}.", now)


def source_severity(hold: Hold, *, severity: str, rank: int, now: datetime) -> Turn:
    """Take the highest severity that the source still has for what is held; lower than ever before is progress.

    The severity of the hold itself never falls.
    """
    if hold.state is not HoldState.HOLDING or rank <= 0:
        return Turn(hold)
    lowest = hold.source_rank or hold.rank
    if rank <= lowest:
        return Turn(replace(hold, source_rank=lowest))
    hold = replace(hold, source_rank=rank)
    return progress(hold, f"the source lowered the severity to {severity}", now, signal="severity_lowered")


def _union(known: tuple[str, ...], new: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*known, *(name for name in new if name)]))[:50]
