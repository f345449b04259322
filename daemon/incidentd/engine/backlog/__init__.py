"""Action items as units of work: put down, decided, carried to Jira, followed until they are done, and then looked at.

commands         what people ask for            collecting       ideas out of timelines and postmortems
filing           on their way to Jira           syncing          what Jira says of them
acting           the jobs of that way           following        reminders, the weekly digest, their effect
"""

from __future__ import annotations

from incidentd.engine.backlog.acting import Carrying, Filed, Tickets
from incidentd.engine.backlog.common import EFFECT, REMIND
from incidentd.engine.backlog.following import DIGEST, begin, digest, looks_at_effect, promised_before, reminds

__all__ = [
    "DIGEST", "EFFECT", "REMIND", "Carrying", "Filed", "Tickets", "begin", "digest", "looks_at_effect",
    "promised_before", "reminds",
]  # fmt: skip
