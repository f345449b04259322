"""Guards: may this playbook run on this target now? The first guard that says no is the reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from incidentd.durations import about
from incidentd.matchers import Regex
from incidentd.playbooks import Limit, Mode, Playbook, Run, RunState
from incidentd.playbooks.standing import weaker
from incidentd.settings import Automation
from incidentd.text import count, plain

# An alert that is back this soon after a run that was believed, and after two runs, is not healed by a third.
LOOP = timedelta(minutes=30)
_LOOP_RUNS = 2
# A playbook whose runs end like this twice in a row does not know what it does.
_FAILED_IN_A_ROW = 2
STOPPED_FOR = timedelta(hours=24)
"""How long a playbook stays stopped by itself; a change of its file lets it run before."""
CANARY = timedelta(hours=1)
"""How long one target that was healed speaks for the others."""
FLEET_WINDOW = timedelta(hours=1)
"""In which the targets are counted that make up a share of the fleet."""
INCIDENT = "incident"
"""The guard that is no refusal: whoever leads the incident is asked instead."""
_AT_ACT = ("mode", "protected", "still_firing", "alert_age", "alerting", "domain", "share")
"""What is asked once more of a run that began: what may have changed in the world, and nothing that counts runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the guards look at. The times are starts of runs, of all that began or ended since `horizon`."""

    playbook: Playbook
    """With the mode in which it stands."""
    automation: Automation
    switched_off: str = ""
    """Who switched it off, and why; '' when nobody did."""
    why_mode: str = ""
    """Why its mode is not the one of its file; '' when it is."""
    target: str
    starts_at: datetime
    """When the alert that asks for the run began."""
    seen_at: datetime | None = None
    """Of a run that is under way, up to when it went on as planned; None before its first step."""
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
    last_ended_on_target: datetime | None = None
    """When any run on this target last ended."""
    last_verified: datetime | None = None
    """When a run of this version, on any target, was last verified; None when one failed its verification since."""
    under_way: tuple[tuple[str, str], ...] = ()
    """Of the runs of this playbook on other targets that are under way, each one's target and failure domain."""
    failed_in_a_row: int = 0
    """How many of the last runs of this very version of the playbook, without a break, failed their verification."""
    lately: int = 0
    """How many other targets this playbook began on within FLEET_WINDOW."""
    alerting: int = 0
    """How many alerts of the same name as the one that asks fire now, of the same source; no more are counted than
    it takes to refuse."""
    domain: str = ""
    """The failure domain of the target: a zone, a cluster; '' when the playbook names none."""
    incident: str = ""
    """The other incident that is active about the service of the alert; '' when there is none, or it was not looked for
    since it does not matter."""
    service: str = ""
    """The service that it is about."""
    approved: bool = False
    """A person has looked at it and said yes."""
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether the run may begin; when not, which guard said so and why, in one sentence for people."""

    allowed: bool
    guard: str = ""
    reason: str


def effective_mode(playbook: Playbook, ceiling: Mode) -> Mode:
    """Give the weaker of the playbook's own mode and the configuration's; what is of high risk asks a person."""
    return weaker(playbook.mode, ceiling, Mode.APPROVE if playbook.risk == "high" else Mode.AUTO)


def failed_in_a_row(runs: Sequence[Run]) -> int:
    """Count the runs at the end, oldest first, that failed their verification; what decided nothing is passed over."""
    failed = 0
    for run in reversed(runs):
        if run.state is RunState.VERIFIED:
            break
        failed += run.state is RunState.VERIFY_FAILED
    return failed


def horizon(playbook: Playbook, automation: Automation) -> timedelta:
    """Say how far back the facts have to reach for every guard to see what it counts."""
    limits = playbook.limits
    return max(
        limits.per_target.window, limits.total.window, limits.cool_down, automation.overall.window, 2 * LOOP,
        STOPPED_FOR, FLEET_WINDOW,
    )  # fmt: skip


def check(facts: Facts) -> Verdict:
    """Ask every guard; the first that refuses decides."""
    refusal = next((verdict for verdict in every(facts) if not verdict.allowed), None)
    return refusal or Verdict(
        allowed=True, reason=f"every guard lets {facts.playbook.name} run on {_target(facts)}"
    )  # fmt: skip


def check_again(facts: Facts) -> Verdict:
    """Ask once more, right before a step, what may have changed since the run was let begin."""
    refused = (verdict for verdict in every(facts) if verdict.guard in _AT_ACT and not verdict.allowed)
    return next(refused, Verdict(allowed=True, reason="nothing changed"))


def most_alerting(playbook: Playbook) -> int:
    """Say how many alerts of the same name may fire; with more, it is not one target that is broken."""
    return max(1, playbook.fleet * playbook.limits.alerting // 100)


def every(facts: Facts) -> tuple[Verdict, ...]:
    """Give what each guard says, those first that are about more than this run."""
    return tuple(
        Verdict(allowed=not reason, guard=guard, reason=reason or "nothing speaks against it")
        for guard, ask in _GUARDS.items()
        for reason in (ask(facts),)
    )


def _switch(facts: Facts) -> str:
    return facts.switched_off


def _mode(facts: Facts) -> str:
    if effective_mode(facts.playbook, facts.automation.mode) is not Mode.OFF:
        return ""
    if facts.automation.mode is Mode.OFF:
        return "automation is off in the configuration (automation.mode), so no playbook runs"
    return f"{facts.playbook.name} is off: its file says so (mode)"


def _still_firing(facts: Facts) -> str:
    return "" if facts.still_firing else f"the alert does not fire any more, so {facts.playbook.name} has nothing to do"


def _alert_age(facts: Facts) -> str:
    since = max(facts.starts_at, facts.seen_at or facts.starts_at)
    age, most = facts.now - since, facts.playbook.limits.alert_age
    if age <= most:
        return ""
    if since > facts.starts_at:
        return (
            f"the run stood still for {about(age)}; {facts.playbook.name} acts on what was seen up to {about(most)} "
            f"before (limits.alert_age)"
        )
    began = f"the alert began {about(age)} ago"
    return f"{began}; {facts.playbook.name} acts on alerts up to {about(most)} old (limits.alert_age)"


def _one_at_a_time(facts: Facts) -> str:
    return f"another run is on {_target(facts)} now, and only one may be" if facts.running_on_target else ""


def _approval(facts: Facts) -> str:
    if facts.approved or effective_mode(facts.playbook, facts.automation.mode) in (Mode.AUTO, Mode.OFF):
        return ""
    mode = facts.why_mode or "its mode wants it (mode, automation.mode)"
    why = "it is of high risk" if facts.playbook.risk == "high" else mode
    return f"{facts.playbook.name} needs a person's approval: {why}"


def _protected(facts: Facts) -> str:
    pattern = next((one for one in facts.automation.protected if Regex(one).matches(facts.target)), None)
    if pattern is None:
        return ""
    return f"{_target(facts)} is protected: no playbook may act on {pattern!r} (automation.protected)"


def _stopped(facts: Facts) -> str:
    if facts.failed_in_a_row < _FAILED_IN_A_ROW:
        return ""
    return (
        f"the last {count(facts.failed_in_a_row, 'run')} of {facts.playbook.name} did not help, so it is stopped: "
        f"a person has to look, and change its file; after {about(STOPPED_FOR)} it may try again"
    )


def _alerting(facts: Facts) -> str:
    """Where everything looks broken, something else is: one cause, or the eye that looks."""
    most = most_alerting(facts.playbook)
    if not facts.playbook.fleet or facts.alerting <= most:
        return ""
    return (
        f"more than {count(most, 'alert')} of this name fire, of a fleet of {facts.playbook.fleet}: where so much "
        f"looks broken at once the cause is elsewhere, and a person has to look (limits.alerting)"
    )


def _share(facts: Facts) -> str:
    book = facts.playbook
    most = max(1, book.fleet * book.limits.share // 100)
    if not book.fleet or facts.lately < most:
        return ""
    return (
        f"{book.name} began on {count(facts.lately, 'other target')} within {about(FLEET_WINDOW)}, of a fleet of "
        f"{book.fleet}; limits.share allows {most}"
    )


def _canary(facts: Facts) -> str:
    """One target first, and the others when it was healed: what is wrong with the playbook is wrong once."""
    if not facts.under_way or (facts.last_verified is not None and facts.now - facts.last_verified < CANARY):
        return ""
    first = plain(facts.under_way[0][0], 60)
    return f"{facts.playbook.name} is tried on {first} first, and on others when that was verified"


def _domain(facts: Facts) -> str:
    """One failure domain at a time: what takes a zone down leaves the others."""
    other = next((domain for _, domain in facts.under_way if domain != facts.domain), None)
    if not facts.domain or other is None:
        return ""
    where = plain(other, 60) or "another domain"
    return f"{facts.playbook.name} is at work in {where}, and acts in one domain at a time (domain)"


def _cool_down(facts: Facts) -> str:
    ended, wait = facts.last_ended_on_target, facts.playbook.limits.cool_down
    if ended is None or facts.now - ended >= wait:
        return ""
    ago = about(max(facts.now - ended, timedelta(0)))
    return f"a run on {_target(facts)} ended {ago} ago, and {about(wait)} have to pass (limits.cool_down)"


def _incident(facts: Facts) -> str:
    """People are at work there: whoever leads them says what changes production meanwhile."""
    if facts.approved or facts.playbook.safe_during_incident or not facts.incident:
        return ""
    return (
        f"{facts.incident} is active on {plain(facts.service, 60)}: whoever leads its operations has to let "
        f"{facts.playbook.name} run (safe_during_incident)"
    )


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


_GUARDS: Mapping[str, Callable[[Facts], str]] = {
    "switch": _switch,
    "mode": _mode,
    "approval": _approval,
    "protected": _protected,
    "still_firing": _still_firing,
    "alert_age": _alert_age,
    "one_at_a_time": _one_at_a_time,
    "alerting": _alerting,
    "loop": _loop,
    "stopped": _stopped,
    "canary": _canary,
    "domain": _domain,
    "share": _share,
    "per_target": _per_target,
    "total": _total,
    "overall": _overall,
    "cool_down": _cool_down,
    INCIDENT: _incident,  # the last one, so that whoever is asked may say yes to something that may run
}
GUARDS = tuple(_GUARDS)
"""Their names, in the order in which they are asked."""
