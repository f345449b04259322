"""How a playbook stands, beside what its file says: switched off by somebody, promoted or demoted by its own runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from incidentd.playbooks import Mode, Playbook, RunState
from incidentd.text import count, plain

ALL = ""
"""What the switch of every playbook at once is kept under."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """A kill switch that is off: nothing begins, and nothing goes on, until somebody switches it on."""

    playbook: str
    """ALL for every one."""
    by: str
    via: str
    reason: str
    at: datetime

    def said(self) -> str:
        """Say who switched off what, and why."""
        what = plain(self.playbook, 80) if self.playbook else "every playbook"
        return f"{plain(self.by, 80)} switched {what} off: {plain(self.reason, 300)}"


def off(switches: Mapping[str, Switch], playbook: str) -> str:
    """Say who switched a playbook off, by its own switch or by that of all, and why; '' when it is on."""
    switch = switches.get(ALL) or switches.get(playbook)
    return switch.said() if switch else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the runs of one version of a playbook earned it or cost it."""

    playbook: str
    sha256: str
    """The version; another one begins with the mode of its file, and without a count."""
    mode: Mode
    """How far it may go by itself now."""
    verified: int = 0
    """Its runs that were verified, without one in between that failed its verification."""
    at: datetime
    """When any of it changed last."""
    why: str = ""
    """Why the mode is not that of the file; '' when it is."""


def short(sha256: str) -> str:
    """Name a version in a few characters."""
    return sha256[:12]


def begun(playbook: Playbook, known: Standing | None, now: datetime) -> Standing:
    """Give how this version of a playbook stands; one that nothing is known of stands as its file says."""
    if known is not None and known.sha256 == playbook.sha256:
        return known
    return Standing(playbook=playbook.name, sha256=playbook.sha256, mode=playbook.mode, at=now)


def after(playbook: Playbook, standing: Standing, key: str, ended: RunState, now: datetime) -> Standing:
    """Take in how a run ended: enough verified ones promote, one that failed its verification demotes to approval."""
    match ended:
        case RunState.VERIFIED:
            standing = replace(standing, verified=standing.verified + 1, at=now)
            wanted = playbook.promote
            if wanted is None or standing.verified < wanted.after or not is_weaker(standing.mode, wanted.to):
                return standing
            why = (
                f"promoted from {standing.mode} to {wanted.to}: {count(standing.verified, 'run')} verified, with {key}"
            )
            return replace(standing, mode=wanted.to, why=why)
        case RunState.VERIFY_FAILED:
            standing = replace(standing, verified=0, at=now)
            if standing.mode is not Mode.AUTO:
                return standing
            why = f"demoted from auto to approve: {key} failed its verification"
            return replace(standing, mode=Mode.APPROVE, why=why)
        case _:
            return standing  # it says nothing of whether the playbook helps


_WEAKEST_FIRST = (Mode.OFF, Mode.SUGGEST, Mode.APPROVE, Mode.AUTO)


def is_weaker(one: Mode, other: Mode) -> bool:
    """Say whether a mode goes less far by itself than another."""
    return _WEAKEST_FIRST.index(one) < _WEAKEST_FIRST.index(other)


def weaker(*modes: Mode) -> Mode:
    """Give the mode that goes the least far."""
    return min(modes, key=_WEAKEST_FIRST.index)
