"""The roles of incidents as units of work: who has them, who is asked to, and how they change hands."""

from __future__ import annotations

from incidentd.engine.roles.acting import (
    Done,
    accept,
    acknowledged,
    assign,
    decline,
    join,
    let_go,
    over,
    page_team,
    step_back,
    take_command,
)
from incidentd.engine.roles.asking import accept as accept_offer
from incidentd.engine.roles.asking import ask, call_again, hand_over, time_came
from incidentd.engine.roles.asking import decline as decline_offer
from incidentd.engine.roles.callout import CALLOUT, expect
from incidentd.engine.roles.callout import time_came as call_out
from incidentd.engine.roles.commanding import has_command, has_pages
from incidentd.engine.roles.filling import bring, fill
from incidentd.engine.roles.holding import change, first, holder, release, taken_by
from incidentd.engine.roles.people import again, came, came_along, present, went_back
from incidentd.engine.roles.questions import OfferMessage, choices, is_over, message, offer_message, offered
from incidentd.engine.roles.vacancy import VACANT, attend
from incidentd.engine.roles.vacancy import time_came as vacant
from incidentd.engine.roles.worrying import TIRED, look, watch
from incidentd.engine.roles.worrying import time_came as tired
from incidentd.roles import OFFERED

__all__ = [
    "CALLOUT", "OFFERED", "TIRED", "VACANT", "Done", "OfferMessage", "accept", "accept_offer", "acknowledged", "again",
    "ask", "assign", "attend", "bring", "call_again", "call_out", "came", "came_along", "change", "choices", "decline",
    "decline_offer", "expect", "fill", "first", "hand_over", "has_command", "has_pages", "holder", "is_over", "join",
    "let_go", "look", "message", "offer_message", "offered", "over", "page_team", "present", "release", "step_back",
    "take_command", "taken_by", "time_came", "tired", "vacant", "watch", "went_back",
]  # fmt: skip
