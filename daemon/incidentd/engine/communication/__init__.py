"""Channels follow holds and incidents, as units of work: which do, what each was told, and what it is told next.

following   who follows, and the one message that tells what is new
asking      what people ask for: add a channel, remove one, list them
words       what a message says
status      how things stand, in one line
"""

from incidentd.engine.communication.asking import (
    add_channel,
    come_along,
    followed_in,
    go_back,
    listed,
    remove_channel,
)
from incidentd.engine.communication.following import (
    PURPOSE,
    begin,
    changed,
    given_up,
    resume,
    sent,
    time_came,
    to_resume,
    will_follow,
)
from incidentd.engine.communication.words import Posting, known, message

__all__ = [
    "PURPOSE", "Posting", "add_channel", "begin", "changed", "come_along", "followed_in", "given_up", "go_back",
    "known", "listed", "message", "remove_channel", "resume", "sent", "time_came", "to_resume", "will_follow",
]  # fmt: skip
