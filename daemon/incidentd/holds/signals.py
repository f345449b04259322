"""What people, playbooks and pages say of a hold: some of it is progress, some of it declares."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from incidentd.durations import about
from incidentd.holds.ending import end
from incidentd.holds.hold import OPEN, Hold, HoldState, Outcome, Turn
from incidentd.holds.policy import DeclareOn
from incidentd.text import clock, count
from incidentd.timeline import Draft


def progress(hold: Hold, what: str, now: datetime, *, best: int | None = None) -> Turn:
    """Let the wait begin anew, for an objective improvement; notes are believed again."""
    hold = replace(
        hold, best=hold.best if best is None else best, notes_used=0, progress_at=now,
        deadline_at=min(now + hold.policy.no_progress_after, hold.cap_at),
    )  # fmt: skip
    text = f"Progress: {what}. Declares at {clock(hold.deadline_at)} unless there is more."
    return Turn(hold, (Draft("hold.progress", text, {"firing": hold.firing}),))


def note_progress(hold: Hold, *, by: str, text: str, now: datetime) -> Turn:
    """Take a person's note. The first few in a row restart the wait; more of them wait for something measurable."""
    if hold.state not in OPEN:
        return Turn(hold, (Draft("note", f"{by}: {text}"),))
    hold = replace(hold, touched=True)
    said = Draft("note", f"{by}: {text}")
    if hold.state is not HoldState.HOLDING:
        return Turn(hold, (said,))
    if hold.notes_used >= hold.policy.human_notes:
        used = count(hold.notes_used, "note")
        why = f"The note does not restart the wait: {used} in a row did, and nothing measurable followed."
        return Turn(hold, (said, Draft("hold.ignored", why, {"signal": "human_note"})))
    hold = replace(
        hold, notes_used=hold.notes_used + 1, progress_at=now,
        deadline_at=max(hold.deadline_at, min(now + hold.policy.no_progress_after, hold.cap_at)),
    )  # fmt: skip
    why = f"The note by {by} counts as progress; declares at {clock(hold.deadline_at)} unless there is more."
    return Turn(hold, (said, Draft("hold.progress", why, {"signal": "human_note"})))


def playbook_finished(hold: Hold, *, playbook: str, verified: bool, why: str, now: datetime) -> Turn:
    """Take the end of a playbook: a verified one is progress, a failed one was the reason to hold and declares."""
    if hold.state not in OPEN:
        return Turn(hold)
    if verified:
        hold = replace(hold, remediated=True)
        if hold.state is not HoldState.HOLDING:
            return Turn(hold)
        return progress(hold, f"playbook {playbook} was verified", now)
    if DeclareOn.PLAYBOOK_FAILED not in hold.policy.declare_on:
        return Turn(hold, (Draft("hold.ignored", f"Playbook {playbook} did not help, which the rule leaves out."),))
    return end(hold, Outcome.DECLARED_PLAYBOOK_FAILED, f"Declared: playbook {playbook} did not help: {why}", now)


def ack_missed(hold: Hold, *, within: timedelta, now: datetime) -> Turn:
    """Take a page that nobody answered within its response time."""
    if hold.state is not HoldState.HOLDING or DeclareOn.ACK_MISSED not in hold.policy.declare_on:
        return Turn(hold)
    text = f"Declared: nobody answered the page within {about(within)}."
    return end(hold, Outcome.DECLARED_ACK_MISSED, text, now)
