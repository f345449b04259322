"""The `updates` of the configuration: who is told of incidents, by which channels, how often, and who lets it go."""

from __future__ import annotations

from typing import Any

from incidentd.config.names import Names
from incidentd.config.parts import Part
from incidentd.durations import format_duration, parse_duration
from incidentd.updates import CADENCES, Audience, AudiencePlan, Cadence, UpdateSettings


def updates(part: Part, names: Names) -> UpdateSettings:
    """Read who is told of incidents."""
    audiences = {Audience(name): _audience(Audience(name), one, names) for name, one in part.items("audiences")}
    return UpdateSettings(audiences=audiences, services=dict(part.get("services", {})))


def _audience(audience: Audience, part: Part, names: Names) -> AudiencePlan:
    names.refer_all("channel", part, "channels")
    cadences = dict(CADENCES[audience])
    for severity, one in part.items("cadence"):
        names.refer("severity", Part(severity, one.key_at, one.key_at))
        cadences[severity] = _cadence(one, names)
    return AudiencePlan(
        channels=tuple(part.get("channels", ())), cadences=cadences,
        approval=part.get("approval", audience is Audience.EXTERNAL),
        first_by_itself=part.get("first_by_itself", False), strict=part.get("strict", False),
    )  # fmt: skip


def _cadence(part: Part, names: Names) -> Cadence:
    read: dict[str, Any] = {key: parse_duration(text) for key, text in part.value.items()}
    made = Cadence(**{"long": read["then"], **read})
    if made.long < made.then:
        names.report.wrong(
            part.at_key("long"),
            f"`long` ({format_duration(made.long)}) is shorter than `then` ({format_duration(made.then)})",
            "an incident that takes long is told of less often; make it longer, or leave it out",
        )
    return made
