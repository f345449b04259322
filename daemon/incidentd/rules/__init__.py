"""Severity rules: which alerts deserve what. The first rule that matches wins; the last one matches everything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from incidentd.rules.conditions import (
    BurnRate,
    Condition,
    CustomerReport,
    MoneyLost,
    Pair,
    Query,
    Related,
    Spread,
)
from incidentd.rules.facts import Facts, Measured, Neighbours, OpenAlert
from incidentd.rules.index import RuleIndex
from incidentd.rules.maintenance import Maintenance
from incidentd.rules.rule import CATCH_ALL, FromLabel, Grade, SeverityRule
from incidentd.rules.words import SEVERITIES, URGENCIES, Decide, LabelMap, Severity, Urgency

__all__ = [
    "CATCH_ALL", "SEVERITIES", "URGENCIES", "BurnRate", "Condition", "CustomerReport", "Decide", "Facts", "FromLabel",
    "Grade", "LabelMap", "Maintenance", "Measured", "MoneyLost", "Neighbours", "OpenAlert", "Pair", "Query", "Related",
    "RuleIndex", "Severity", "SeverityRule", "Spread", "Urgency", "first_match",
]  # fmt: skip


def first_match(rules: Iterable[SeverityRule], labels: Mapping[str, str]) -> SeverityRule | None:
    """Find the first rule whose matchers all match, whatever it asks of live data."""
    return next((rule for rule in rules if rule.matches(labels)), None)
