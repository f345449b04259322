"""The message that asks people before a hold declares: what they can say, and until when."""

from __future__ import annotations

from datetime import datetime

from incidentd.holds.clock import asked_text, declares_at
from incidentd.holds.hold import Hold, HoldState
from incidentd.messages import TITLE_LIMIT, for_reader
from incidentd.oncall import Person
from incidentd.text import clock, plain


def ask_message(hold: Hold, *, person: Person | None, url: str, now: datetime) -> tuple[str, str] | None:
    """Write the title and the body for one reader, from what is true now; None when nothing is left to ask."""
    at = declares_at(hold)
    if hold.state is not HoldState.HOLDING or now >= at or (hold.asked_at or now) < hold.progress_at:
        return None
    front = f"[{hold.severity.upper()}] {hold.key} declares at {clock(at)}: "
    title = front + plain(hold.title, max(TITLE_LIMIT - len(front), 20))
    then = hold.peak if hold.firing_then is None else hold.firing_then
    lines = [
        f"What: {plain(hold.title)}",
        asked_text(hold, now),
        f"Declares: {for_reader(at, person)}, unless there is progress",
        f"At the latest: {for_reader(hold.cap_at, person)}",
        f"Firing: {hold.firing} now, {then} when this wait began",
        "Say what holds; without a word it declares:",
        f'  Progress:    incidentd progress {hold.key} "what was found, what is done, what comes next"',
        f'  Declare now: incidentd declare {hold.key} --reason "why"',
        f'  Stand down:  incidentd stand-down {hold.key} --reason "why this is no incident"',
        "",
        f"Details: {url}/holds/{hold.key}",
    ]
    return title, "\n".join(lines)
