"""The `communication` of the configuration: in which channels incidents are followed, and what is posted there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from incidentd.communication import FIELDS, GROUPS, CommunicationSettings, Route, can_take
from incidentd.config.matching import matchers
from incidentd.config.names import Names
from incidentd.config.parts import Part
from incidentd.config.report import instead, shown
from incidentd.durations import parse_duration
from incidentd.rules import CATCH_ALL

_HOMES = {"team": "teams", "rule": "rules"}
_BUILT_IN = {"rule": [CATCH_ALL.name]}


def communication(part: Part, names: Names) -> CommunicationSettings:
    """Read where incidents are followed."""
    default = CommunicationSettings()
    for entry in part.entries("entries"):
        group = str(entry.value).partition(".")[0]
        if group not in GROUPS:
            hint = instead(group, sorted(GROUPS))
            names.report.wrong(entry.at, f"no entry of a timeline is of the kind `{shown(entry.value)}`", hint)
    return CommunicationSettings(
        routes=tuple(_route(one, names) for one in part.entries("routes")),
        entries=tuple(part.get("entries", default.entries)),
        interval=parse_duration(part.value["interval"]) if "interval" in part else default.interval,
        lines=part.get("lines", default.lines), holds=part.get("holds", default.holds),
    )  # fmt: skip


def _route(part: Part, names: Names) -> Route:
    names.refer_all("channel", part, "channels")
    route = Route(channels=tuple(part.get("channels", ())), match=matchers(part, names.report))
    at = list(part.entries("match"))
    unknown = [(one, matcher.name) for one, matcher in zip(at, route.match, strict=True) if matcher.name not in FIELDS]
    for one, name in unknown:
        hint = instead(name, FIELDS)
        names.report.wrong(one.at, f"an incident has no `{shown(name)}` that a route could ask for", hint)
    for field, values in () if unknown else _values(names).items():
        if not can_take(route.match, field, values):
            first = next(one for one, matcher in zip(at, route.match, strict=True) if matcher.name == field)
            hint = instead("", [value for value in values if value]) or f"there is no {field} at all"
            # an alert may bring the name of a team that the files do not know
            say = names.report.doubt if field == "team" else names.report.wrong
            say(first.at, f"this route can never match: no {field} is like that", hint)
    return route


def _values(names: Names) -> Mapping[str, Sequence[str]]:
    """Give what each field may be, of those of which the files say it; '' is one that is not there."""
    found = {"severity": list(names.given["severity"]), "drill": ["true", "false"]}
    for noun, home in _HOMES.items():
        if home not in names.tree.broken:  # what seems to be missing may be in what could not be read
            found[noun] = ["", *names.given[noun], *_BUILT_IN.get(noun, ())]
    return found
