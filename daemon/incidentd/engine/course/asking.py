"""The question that whoever was paged for a hold is asked before it declares."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from incidentd import escalation
from incidentd.engine import joined, paging
from incidentd.settings import Settings
from incidentd.store import Tx, things


def ask(tx: Tx, settings: Settings, *, subject: str, teams: Sequence[str], round_of: datetime) -> None:
    """Ask whoever was paged for a hold before it declares: whoever answered, else all; if nobody was, the teams' rooms.

    `round_of` names the wait that is about to end: it is asked about once. The words are written when it is sent.
    A question is no call: it goes by the kinds of channels that the page has used so far, and rings no telephone first.
    """
    pages = [joined.caller_of(tx, page) for page in things.pages_of(tx, subject)]
    answered = {page.held_by: page for page in pages if page.held_by}
    people = answered or {handle: page for page in pages for handle in page.paged}
    whom = [
        (handle, channel.name)
        for handle, page in people.items()
        if (person := settings.roster.people.get(handle))
        for channel in escalation.channels_for(person, escalation.kinds_so_far(page))
    ]
    if not pages:
        rooms = (team.channel for name in teams if (team := settings.roster.teams.get(name)))
        whom = [("", room) for room in rooms if room in settings.channels]
    for handle, channel in whom:
        payload = {"person": handle, "channel": channel, "purpose": "page"}
        key = f"{subject}/ask/{round_of.isoformat()}/{channel}"
        paging.put(tx, subject=subject, kind="ask", key=key, payload=payload)
