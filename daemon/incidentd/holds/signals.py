"""What people, playbooks, queries and pages say of a hold: some of it is progress, some of it declares."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from incidentd.durations import about
from incidentd.holds.ending import end, ignored
from incidentd.holds.hold import OPEN, Hold, HoldState, Outcome, Turn
from incidentd.holds.policy import DeclareOn
from incidentd.holds.watch import look
from incidentd.text import clock, count, plain
from incidentd.timeline import Draft


def progress(hold: Hold, what: str, now: datetime, *, signal: str, best: int | None = None) -> Turn:
    """Let the wait begin anew, for an objective improvement; notes are believed again."""
    hold = replace(_waits_anew(hold, now), best=hold.best if best is None else best, notes_used=0)
    text = f"Progress: {what}. Declares at {clock(hold.deadline_at)} unless there is more."
    return Turn(hold, (Draft("hold.progress", text, {"firing": hold.firing, "signal": signal}),))


def _waits_anew(hold: Hold, now: datetime) -> Hold:
    """Let the wait begin anew; more time that people gave it is never taken back by that."""
    deadline = max(hold.deadline_at, min(now + hold.policy.no_progress_after, hold.cap_at))
    return replace(
        hold, progress_at=now, firing_then=hold.firing, ignored=(), busy_until=None, deadline_at=deadline,
        spent=timedelta(0),
    )  # fmt: skip


def acknowledged(hold: Hold, *, by: str, now: datetime) -> Turn:
    """Take that somebody answered a page: that proves that a person looked, not that it got better."""
    if hold.state not in OPEN:
        return Turn(hold)
    text = f"The acknowledgement by {by} is not progress; the wait goes on."
    return ignored(replace(hold, touched=True), text, signal="ack", words=f"ack by {by} at {clock(now)}")


def repeated(hold: Hold, now: datetime) -> Turn:
    """Take that Alertmanager told the same again. It is said once in each wait, and counted every time."""
    if hold.state is not HoldState.HOLDING or any("repeat" in words for words in hold.ignored):
        return Turn(hold)
    text = "Alertmanager tells the same again. A repeat is not progress; more of them are only counted."
    return ignored(hold, text, signal="repeat", words=f"a repeat at {clock(now)}", kind="hold.repeated")


def note_progress(hold: Hold, *, by: str, text: str, now: datetime) -> Turn:
    """Take a person's note. The first few in a row restart the wait; more of them wait for something measurable."""
    if hold.state not in OPEN:
        return Turn(hold, (Draft("note", f"{by}: {text}"),))
    hold = replace(hold, touched=True)
    said = Turn(hold, (Draft("note", f"{by}: {text}"),))
    if hold.state is not HoldState.HOLDING:
        return said
    if hold.notes_used >= hold.policy.human_notes:
        used = count(hold.notes_used, "note")
        why = f"The note does not restart the wait: {used} in a row did, and nothing measurable followed."
        return said.then(ignored(hold, why, signal="comment", words=f"another note by {by} at {clock(now)}"))
    hold = replace(_waits_anew(hold, now), notes_used=hold.notes_used + 1)
    why = f"The note by {by} counts as progress; declares at {clock(hold.deadline_at)} unless there is more."
    return said.then(Turn(hold, (Draft("hold.progress", why, {"signal": "human_note"}),)))


def customer_reported(hold: Hold, *, by: str, text: str, now: datetime) -> Turn:
    """Take that a customer notices it, as a person says: an incident, unless the rule leaves that out."""
    said = Turn(replace(hold, touched=True, customer_visible=True), (Draft("note", f"{by}: {text}"),))
    if hold.state not in OPEN:
        return Turn(hold, said.drafts)
    if DeclareOn.CUSTOMER_VISIBLE not in hold.policy.declare_on:
        why = "A customer notices it, which the rule leaves out of what declares."
        return said.then(ignored(said.hold, why, signal="customer"))
    why = f"Declared: a customer notices it, says {by}: {plain(text)}"
    return said.then(end(said.hold, Outcome.DECLARED_CUSTOMER_VISIBLE, why, now))


def playbook_finished(
    hold: Hold, *, playbook: str, verified: bool, why: str, now: datetime, blamed: bool = True
) -> Turn:  # fmt: skip
    """Take the end of a playbook: a verified one is progress, a failed one was the reason to hold and declares.

    One that is not blamed proved nothing either way, and the wait goes on.
    """
    if hold.state not in OPEN:
        return Turn(hold)
    hold = replace(hold, busy_until=None)
    if verified:
        hold = replace(hold, remediated=True)
        if hold.state is not HoldState.HOLDING:
            return Turn(hold)
        return progress(hold, f"playbook {playbook} was verified", now, signal="playbook_verified")
    words = f"playbook {playbook} ended at {clock(now)}"
    if not blamed:
        text = f"Playbook {playbook} ended, and nothing says that it helped: not progress."
        return ignored(hold, text, signal="playbook", words=words)
    if DeclareOn.PLAYBOOK_FAILED not in hold.policy.declare_on:
        text = f"Playbook {playbook} did not help, which the rule leaves out of what declares."
        return ignored(hold, text, signal="playbook", words=words)
    return end(hold, Outcome.DECLARED_PLAYBOOK_FAILED, f"Declared: playbook {playbook} did not help: {why}", now)


def ack_missed(hold: Hold, *, within: timedelta, now: datetime) -> Turn:
    """Take a page that nobody answered within its response time."""
    if hold.state is not HoldState.HOLDING:
        return Turn(hold)
    if DeclareOn.ACK_MISSED not in hold.policy.declare_on:
        text = f"Nobody answered the page within {about(within)}, which the rule leaves out of what declares."
        return ignored(hold, text, signal="ack_missed")
    text = f"Declared: nobody answered the page within {about(within)}."
    return end(hold, Outcome.DECLARED_ACK_MISSED, text, now)


def sampled(hold: Hold, number: int, value: float | None, *, why: str, now: datetime) -> Turn:
    """Take what a query gave; `why` says why it gave no number."""
    if hold.state is not HoldState.HOLDING or number >= len(hold.watches):
        return Turn(hold)
    seen = look(hold.watches[number], value, why, settling=now < hold.settled_at)
    watches = (*hold.watches[:number], seen.watch, *hold.watches[number + 1 :])
    hold = replace(hold, watches=watches)
    if seen.progress:
        return progress(hold, seen.progress, now, signal=seen.watch.signal.value)
    if seen.ignored:
        return ignored(hold, seen.ignored, signal=seen.watch.signal.value)
    return Turn(hold)
