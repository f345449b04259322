"""A hold: alerts that are watched for progress, and declared an incident when there is none in time.

Pure: each function takes a hold, what happened and `now`, and gives a `Turn`: the hold as it is now, and the sentences
for its timeline. Progress is an objective improvement on the best seen so far (a strict ratchet: the same improvement
never counts twice), or a human note, of which a few are believed in a row. An acknowledgement, a repeat, more alerts
and silence are not progress.
"""

from incidentd.holds.alerts import alerts_changed, resolves_doubted
from incidentd.holds.asking import ask_message
from incidentd.holds.clock import (
    asked_text,
    carry_over,
    clock_looked_at,
    declares_at,
    extend,
    next_due,
    open_hold,
    step_runs,
    time_passed,
)  # fmt: skip
from incidentd.holds.ending import ASKED_FIRST, answered, asks_first, declare_by_hand, merged, stand_down
from incidentd.holds.hold import OPEN, Hold, HoldState, Outcome, Turn
from incidentd.holds.joining import Joining, joined, joined_after, source_severity
from incidentd.holds.policy import IN_FORCE, DeclareOn, HoldPolicy, OnFlap, ProgressQuery, ShortWindow, usual_wait
from incidentd.holds.signals import (
    ack_missed,
    acknowledged,
    customer_reported,
    note_progress,
    playbook_finished,
    repeated,
    sampled,
)  # fmt: skip
from incidentd.holds.watch import Signal, Watch, watches_for

__all__ = [
    "ASKED_FIRST", "IN_FORCE", "OPEN", "DeclareOn", "Hold", "HoldPolicy", "HoldState", "Joining", "OnFlap", "Outcome",
    "ProgressQuery", "ShortWindow", "Signal", "Turn", "Watch", "ack_missed", "acknowledged", "alerts_changed",
    "answered", "ask_message", "asked_text", "asks_first", "carry_over", "clock_looked_at", "customer_reported",
    "declare_by_hand", "declares_at", "extend", "joined", "joined_after", "merged", "next_due", "note_progress",
    "open_hold", "playbook_finished", "repeated", "resolves_doubted", "sampled", "source_severity", "stand_down",
    "step_runs", "time_passed", "usual_wait", "watches_for",
]  # fmt: skip
