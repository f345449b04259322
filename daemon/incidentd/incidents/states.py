"""The states of an incident, and which of them are active."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """The states of an incident."""

    DECLARED = "declared"
    INVESTIGATING = "investigating"
    IDENTIFIED = "identified"
    MITIGATED = "mitigated"
    RESOLVED = "resolved"
    POSTMORTEM = "postmortem"
    CLOSED = "closed"
    STOOD_DOWN = "stood_down"
    MERGED = "merged"


ACTIVE = frozenset({Status.DECLARED, Status.INVESTIGATING, Status.IDENTIFIED, Status.MITIGATED})
"""Somebody has to do something about it still."""


class StandDown(StrEnum):
    """Why an incident was none; one of these is named whenever one is stood down."""

    FALSE_POSITIVE = "false_positive"
    NO_CUSTOMER_IMPACT = "no_customer_impact"
    SELF_RECOVERED = "self_recovered"
    DUPLICATE = "duplicate"
    EXPECTED_CHANGE = "expected_change"
    TEST_OR_DRILL = "test_or_drill"
    THIRD_PARTY_ONLY = "third_party_only"
