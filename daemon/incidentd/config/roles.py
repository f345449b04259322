"""The `roles` of the configuration: who is asked to take which role, and who is paged when nobody does."""

from __future__ import annotations

from incidentd.config.names import DEFAULT_POLICY, Names
from incidentd.config.parts import Part
from incidentd.durations import parse_duration
from incidentd.oncall import Target
from incidentd.roles import ANSWERS_WITHIN, Role, named
from incidentd.settings import RoleSettings, RoleSource

_WITHIN = "accept_within"


def roles(part: Part, names: Names) -> RoleSettings:
    """Read how roles are filled."""
    sources: dict[Role, RoleSource] = {}
    for name in part.value:
        if name != _WITHIN:
            sources[named(name)] = _source(part[name], names)
    within = parse_duration(part.value[_WITHIN]) if _WITHIN in part else ANSWERS_WITHIN
    return RoleSettings(sources=sources, accept_within=within)


def _source(part: Part, names: Names) -> RoleSource:
    names.refer_all("schedule", part, "on_call")
    names.refer_all("team", part, "team")
    names.refer_all("person", part, "person")
    names.refer_all("escalation", part, "escalation", DEFAULT_POLICY)
    ask = Target(on_call=part.get("on_call", ""), team=part.get("team", ""), person=part.get("person", ""))
    return RoleSource(ask=ask, escalation=part.get("escalation", ""))
