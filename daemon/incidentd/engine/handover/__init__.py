"""Handovers as units of work: drafted, offered, answered or not, and what follows from each.

drafting    what the message says, and the words that people add      answering   accept, decline, withdraw, time is up
offering    the gate, and the offer                                   telling     the messages about it
candidates  whom to ask
"""

from __future__ import annotations

from incidentd.engine.handover.answering import accept, decline, refuse_answered, time_came, watch_ended, withdraw
from incidentd.engine.handover.candidates import candidates
from incidentd.engine.handover.drafting import prepared, say
from incidentd.engine.handover.linked import CHOICES, page_of, pressed
from incidentd.engine.handover.offering import offer, open_roles
from incidentd.engine.handover.showing import handover_shape, shown
from incidentd.engine.handover.telling import WATCH, known, message
from incidentd.store.role_handovers import KIND

__all__ = [
    "CHOICES", "KIND", "WATCH", "accept", "candidates", "decline", "handover_shape", "known", "message", "offer",
    "open_roles", "page_of", "prepared", "pressed", "refuse_answered", "say", "shown", "time_came", "watch_ended",
    "withdraw",
]  # fmt: skip
