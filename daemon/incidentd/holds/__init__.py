"""A hold: alerts that are watched for progress, and declared an incident when there is none in time.

Pure: each function takes a hold, what happened and `now`, and gives a `Turn`: the hold as it is now, and the sentences
for its timeline. Progress is an objective improvement on the best seen so far (a strict ratchet: the same improvement
never counts twice), or a human note, of which a few are believed in a row. An acknowledgement, a repeat, more alerts
and silence are not progress.
"""

from incidentd.holds.alerts import alerts_changed, resolves_doubted
from incidentd.holds.clock import carry_over, next_due, open_hold, time_passed
from incidentd.holds.ending import declare_by_hand, merged, stand_down
from incidentd.holds.hold import OPEN, Hold, HoldState, Outcome, Turn
from incidentd.holds.policy import IN_FORCE, DeclareOn, HoldPolicy
from incidentd.holds.signals import ack_missed, note_progress, playbook_finished

__all__ = [
    "IN_FORCE", "OPEN", "DeclareOn", "Hold", "HoldPolicy", "HoldState", "Outcome", "Turn", "ack_missed",
    "alerts_changed", "carry_over", "declare_by_hand", "merged", "next_due", "note_progress", "open_hold",
    "playbook_finished", "resolves_doubted", "stand_down", "time_passed",
]  # fmt: skip
