"""Which chain a page follows, and by which clocks: from the policies and urgencies of the files."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from incidentd.oncall import Target
from incidentd.pages import Chain, EscalationPolicy, Level
from incidentd.rules import Urgency
from incidentd.settings import Settings

_EVERYBODY = Chain(levels=(Level(after=timedelta(0), page=Target(team="*")),))
_TEAM = "team:"
_NEVER_QUIET = "business_critical"


def of_team(settings: Settings, name: str) -> str:
    """Name the policy by which a team is paged: its own, else one that calls all of its people."""
    team = settings.roster.teams.get(name)
    return (team.escalation if team else "") or f"{_TEAM}{name}"


def chain_of(settings: Settings, policy: str, urgency: str) -> Chain:
    """Find the chain to follow. A policy that a reload took away pages everybody rather than nobody."""
    found = settings.escalations.get(policy)
    team = policy.removeprefix(_TEAM)
    if found is None and policy.startswith(_TEAM) and team in settings.roster.teams:
        return Chain(levels=(Level(after=timedelta(0), page=Target(team=team)),))
    found = found or settings.escalations.get("default")
    if found is None:
        return _EVERYBODY
    return found.chains.get(urgency) or _borrowed(settings, found, urgency)


def _borrowed(settings: Settings, policy: EscalationPolicy, urgency: str) -> Chain:
    """Give the first chain of a policy that has none of this urgency.

    Its quiet hours were chosen for what may wait as long as its own urgency: no page waits in them that may not.
    """
    own, chain = next(iter(policy.chains.items()), ("", _EVERYBODY))
    may_wait = urgency != _NEVER_QUIET and clocks_of(settings, urgency)[0] >= clocks_of(settings, own)[0]
    return chain if may_wait else replace(chain, quiet_hours=None)


def clocks_of(settings: Settings, urgency: str) -> tuple[timedelta, timedelta]:
    """Say how soon a page of an urgency is to be answered, and how long an answer holds that nothing follows."""
    known = settings.urgencies.get(urgency) or Urgency(name=urgency, respond_within=timedelta(minutes=30))
    return known.respond_within, known.answer_holds_for
