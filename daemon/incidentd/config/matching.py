"""The matchers under `match`, wherever a file has them."""

from __future__ import annotations

from incidentd.config.parts import Part
from incidentd.config.report import Report
from incidentd.matchers import Matcher, doubt, parse_matcher


def matchers(whole: Part, report: Report) -> tuple[Matcher, ...]:
    """Read the matchers under `match`, and warn of those that are probably not meant so."""
    found = []
    for part in whole.entries("match"):
        matcher = parse_matcher(part.value)
        if reason := doubt(matcher):
            report.doubt(part.at, reason)
        found.append(matcher)
    return tuple(found)
