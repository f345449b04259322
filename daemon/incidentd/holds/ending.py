"""How a hold ends: declared or closed, by a person or by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from incidentd.durations import about
from incidentd.holds.hold import Hold, HoldState, Outcome, Turn
from incidentd.text import plain
from incidentd.timeline import Draft


def declare_by_hand(hold: Hold, *, by: str, reason: str, now: datetime) -> Turn:
    """Declare it now, because somebody says so."""
    why = f": {plain(reason)}" if reason else ""
    return end(hold, Outcome.DECLARED_MANUAL, f"Declared by {by}{why}", now)


def stand_down(hold: Hold, *, by: str, reason: str, now: datetime) -> Turn:
    """End it without an incident, because somebody says so and says why."""
    return end(hold, Outcome.STOOD_DOWN, f"Stood down by {by}: {plain(reason)}", now)


def merged(hold: Hold, *, into: str, now: datetime) -> Turn:
    """End it because its alerts belong to an incident that was declared meanwhile."""
    return end(hold, Outcome.MERGED, f"Part of {into} now.", now)


def closed(hold: Hold, now: datetime) -> Turn:
    """Close it after enough quiet, and say who or what healed it."""
    quiet = about(now - hold.quiet_since) if hold.quiet_since else "0s"
    if hold.remediated:
        return end(hold, Outcome.AUTO_REMEDIATED, f"Closed: a playbook healed it, and it was quiet for {quiet}.", now)
    if hold.touched:
        return end(hold, Outcome.HUMAN_RESOLVED, f"Closed: resolved while people worked on it, quiet for {quiet}.", now)
    return end(hold, Outcome.SELF_RESOLVED, f"Closed: resolved by itself, quiet for {quiet}.", now)


def end(hold: Hold, outcome: Outcome, text: str, now: datetime) -> Turn:
    """End it, and keep for a successor how much of its patience was used up."""
    state = HoldState.DECLARED if outcome.value.startswith("declared") else HoldState.CLOSED
    still = hold.quiet_since or hold.snoozed_since or now
    spent = max(hold.policy.no_progress_after - (hold.deadline_at - still), timedelta(0))
    hold = replace(hold, state=state, outcome=outcome, ended_at=now, spent=min(spent, hold.policy.no_progress_after))
    return Turn(hold, (Draft(f"hold.{state.value}", text, _facts(hold, outcome)),))


def _facts(hold: Hold, outcome: Outcome) -> dict[str, object]:
    facts: dict[str, object] = {"outcome": outcome.value, "firing": hold.firing}
    return facts | ({"unverified": True} if hold.unverified else {})
