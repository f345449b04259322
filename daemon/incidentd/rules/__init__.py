"""Severity rules: which alerts deserve what. The first rule that matches wins; the last one matches everything."""

from __future__ import annotations

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
    "RuleIndex", "Severity", "SeverityRule", "Spread", "Urgency"
]  # fmt: skip
