"""Guards: may this playbook run on this target now? The first guard that says no is the reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from incidentd.durations import about
from incidentd.playbooks import Limit, Mode, Playbook
from incidentd.settings import Automation
from incidentd.text import count, plain

# An alert that is back this soon after a run that was believed, and after two runs, is not healed by a third.
LOOP = timedelta(minutes=30)
_LOOP_RUNS = 2
_WEAKEST_FIRST = (Mode.OFF, Mode.SUGGEST, Mode.APPROVE, Mode.AUTO)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the guards look at. The times are starts of runs, as far back as `horizon` says."""

    playbook: Playbook
    automation: Automation
    target: str
    starts_at: datetime
    """When the alert that asks for the run began."""
    still_firing: bool
    running_on_target: bool
    """Some run, of whichever playbook, is on this target now."""
    recent_on_target: tuple[datetime, ...] = ()
    """Of this playbook on this target."""
    recent_total: tuple[datetime, ...] = ()
    """Of this playbook on any target."""
    recent_overall: tuple[datetime, ...] = ()
    """Of any playbook."""
    last_verified_on_target: datetime | None = None
    """When a run of this playbook on this target was last verified."""
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether the run may begin; when not, which guard said so and why, in one sentence for people."""

    allowed: bool
    guard: str = ""
    reason: str


def effective_mode(playbook: Playbook, ceiling: Mode) -> Mode:
    """Give the weaker of the playbook's own mode and the configuration's."""
    return min(playbook.mode, ceiling, key=_WEAKEST_FIRST.index)


def horizon(playbook: Playbook, automation: Automation) -> timedelta:
    """Say how far back the facts have to reach for every guard to see what it counts."""
    limits = playbook.limits
    return max(limits.per_target.window, limits.total.window, automation.overall.window, 2 * LOOP)


def check(facts: Facts) -> Verdict:
    """Ask every guard; the first that refuses decides."""
    for guard, reason in (
        ("mode", _mode(facts)),
        ("still_firing", _still_firing(facts)),
        ("alert_age", _alert_age(facts)),
        ("one_at_a_time", _one_at_a_time(facts)),
        ("loop", _loop(facts)),
        ("per_target", _per_target(facts)),
        ("total", _total(facts)),
        ("overall", _overall(facts)),
    ):
        if reason:
            return Verdict(allowed=False, guard=guard, reason=reason)
    return Verdict(allowed=True, reason=f"every guard lets {facts.playbook.name} run on {_target(facts)}")


def _mode(facts: Facts) -> str:
    if effective_mode(facts.playbook, facts.automation.mode) is not Mode.OFF:
        return ""
    if facts.automation.mode is Mode.OFF:
        return "automation is off in the configuration (automation.mode), so no playbook runs"
    return f"{facts.playbook.name} is off: its file says so (mode)"


def _still_firing(facts: Facts) -> str:
    return "" if facts.still_firing else f"the alert does not fire any more, so {facts.playbook.name} has nothing to do"


def _alert_age(facts: Facts) -> str:
    age, most = facts.now - facts.starts_at, facts.playbook.limits.alert_age
    if age <= most:
        return ""
    began = f"the alert began {about(age)} ago"
    return f"{began}; {facts.playbook.name} acts on alerts up to {about(most)} old (limits.alert_age)"


def _one_at_a_time(facts: Facts) -> str:
    return f"another run is on {_target(facts)} now, and only one may be" if facts.running_on_target else ""


def _loop(facts: Facts) -> str:
    verified = facts.last_verified_on_target
    if verified is None or facts.now - verified >= LOOP:
        return ""
    if _within(facts.recent_on_target, 2 * LOOP, facts.now) < _LOOP_RUNS:
        return ""
    return (
        f"the alert is back {about(facts.now - verified)} after {facts.playbook.name} was believed to have healed "
        f"{_target(facts)}, and not for the first time: a person has to look"
    )


def _per_target(facts: Facts) -> str:
    subject = f"on {_target(facts)}, {facts.playbook.name} began"
    return _limit(facts.playbook.limits.per_target, facts.recent_on_target, facts.now, subject, "limits.per_target")


def _total(facts: Facts) -> str:
    subject = f"{facts.playbook.name} began"
    return _limit(facts.playbook.limits.total, facts.recent_total, facts.now, subject, "limits.total")


def _overall(facts: Facts) -> str:
    subject = "all playbooks together began"
    return _limit(facts.automation.overall, facts.recent_overall, facts.now, subject, "automation.overall")


def _limit(limit: Limit, starts: tuple[datetime, ...], now: datetime, subject: str, key: str) -> str:
    done = _within(starts, limit.window, now)
    if done < limit.runs:
        return ""
    return f"{subject} {count(done, 'run')} within {about(limit.window)}; {key} allows {limit.runs}"


def _within(starts: tuple[datetime, ...], window: timedelta, now: datetime) -> int:
    # a start after `now` counts too: clocks of replicas differ a little, and a guard that doubts refuses
    return sum(now - start < window for start in starts)


def _target(facts: Facts) -> str:
    return plain(facts.target, 60)
