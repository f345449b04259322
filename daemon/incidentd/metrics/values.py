"""What labels of metrics may say, where that is a closed set, and the bounds of histograms."""

from __future__ import annotations

# Closed sets: all that a label may say.
DECISIONS = ("declare", "hold", "ticket", "record")
HOLD_STATES = ("holding", "recovering", "snoozed")
HOLD_OUTCOMES = (
    "declared_no_progress", "declared_hard_cap", "declared_flapping", "declared_growing", "declared_spread",
    "declared_severity_raised", "declared_customer_visible", "declared_playbook_failed", "declared_ack_missed",
    "declared_manual", "self_resolved", "auto_remediated", "human_resolved", "snoozed_out", "ticketed", "stood_down",
    "merged",
)  # fmt: skip
INCIDENT_STATES = ("declared", "investigating", "identified", "mitigated")
ROLES = ("ic", "ol", "cl")
AUDIENCES = ("responders", "internal", "executives", "external")
HANDED_OVER = (*ROLES, "deputy", "scribe", "planning")
HANDOVERS = ("accepted", "declined", "timed_out", "withdrawn", "void")
TRIGGERS = ("rule", "hold", "manual")
DETECTIONS = ("alert", "customer", "employee", "partner")
"""Who noticed an incident first."""
RUN_MODES = ("approve", "auto")
RUN_RESULTS = ("verified", "done", "failed", "verify_failed", "interrupted", "refused", "stopped")
POSTMORTEM_STATES = ("draft", "in_review", "reviewed", "published", "closed")
LANGUAGE_RULES = (
    "person-as-cause", "judgement", "human-error", "blame", "people-fix", "counterfactual", "failed-to", "who-why",
    "animated", "single-cause", "outage",
)  # fmt: skip
ITEM_STATES = ("proposed", "open", "filed", "in_progress", "stuck", "done", "declined")
ITEM_TYPES = ("prevent", "mitigate", "detect", "repair", "investigate", "process", "automate")
PRIORITIES = ("P0", "P1", "P2", "P3")
PURPOSES = ("page", "escalation", "update", "resolved", "ticket", "trouble", "timeline")
PROMISES = ("store", "inbox", "deadline", "page", "message", "playbook", "dispatcher")
CONTACTS = ("confirmed", "stale", "changed", "unconfirmed")
HANDLED = ("playbook", "people", "itself")
"""Who dealt with an alert: a verified run; whoever answered; nobody, it went away."""
ANSWERS = ("ok", "failed", "refused")
"""What came of a question: an answer; none now; none until somebody changes something."""
VERDICTS = ("found", "gone", "suppressed", "confirmed", "refired", "refuted")
TRIES = ("ok", "failed", "given_up")
"""One try at a door: done; failed and tried again later; failed and given up."""

# Buckets in seconds, each with the targets that people ask about as bounds of their own (5 and 30 minutes above all).
REQUEST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
RESPONSE = (30, 60, 120, 180, 300, 600, 900, 1800, 3600, 7200, 14400)
LAG = (0.1, 0.5, 1, 5, 15, 30, 60, 300, 900, 3600, 14400)
WORK = (1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600)
DAYS = (3600, 14400, 43200, 86400, 172800, 259200, 432000, 604800, 1209600, 2592000)
CLOSURE = tuple(days * 86400 for days in (1, 3, 7, 15, 30, 60, 90, 180, 365))
INTERRUPTIONS = (0, 1, 2, 3, 4, 6, 8, 12, 20, 40)
"""Incidents of a shift; two are its budget."""
COURSE = (60, 300, 900, 1800, 3600, 7200, 14400, 28800, 86400, 259200)
