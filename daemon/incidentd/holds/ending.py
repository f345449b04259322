"""How a hold ends: declared or closed, by a person or by itself; and what is asked before it declares by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from incidentd.durations import about
from incidentd.holds.hold import OPEN, Hold, HoldState, Outcome, Turn
from incidentd.holds.policy import FEWEST_GROWING
from incidentd.text import clock, count, plain
from incidentd.timeline import Draft

ASKED_FIRST = frozenset(
    {
        Outcome.DECLARED_NO_PROGRESS, Outcome.DECLARED_HARD_CAP, Outcome.DECLARED_FLAPPING, Outcome.DECLARED_GROWING,
        Outcome.DECLARED_SPREAD, Outcome.DECLARED_CUSTOMER_VISIBLE, Outcome.DECLARED_PLAYBOOK_FAILED,
        Outcome.DECLARED_ACK_MISSED,
    }
)  # fmt: skip
"""Before each of these Alertmanager is asked whether it still fires. What a person declares is declared, and so is what
has become so severe that its rule allows no waiting."""
_REMEMBERED = 3


def declare_by_hand(hold: Hold, *, by: str, reason: str, now: datetime) -> Turn:
    """Declare it now, because somebody says so."""
    why = f": {plain(reason)}" if reason else ""
    return end(hold, Outcome.DECLARED_MANUAL, f"Declared by {by}{why}", now)


def stand_down(hold: Hold, *, by: str, reason: str, now: datetime) -> Turn:
    """End it without an incident, because somebody says so and says why."""
    return end(hold, Outcome.STOOD_DOWN, f"Stood down by {by}: {plain(reason)}", now)


def merged(hold: Hold, *, into: str, now: datetime) -> Turn:
    """End it because its alerts belong to an incident that was declared meanwhile."""
    return end(hold, Outcome.MERGED, f"Part of {into} now.", now)


def closed(hold: Hold, now: datetime) -> Turn:
    """Close it after enough quiet, and say who or what healed it."""
    quiet = about(now - hold.quiet_since) if hold.quiet_since else "0s"
    if hold.remediated:
        return end(hold, Outcome.AUTO_REMEDIATED, f"Closed: a playbook healed it, and it was quiet for {quiet}.", now)
    if hold.touched:
        return end(hold, Outcome.HUMAN_RESOLVED, f"Closed: resolved while people worked on it, quiet for {quiet}.", now)
    if hold.slept:
        return end(hold, Outcome.SNOOZED_OUT, f"Closed: resolved while it was silenced, quiet for {quiet}.", now)
    return end(hold, Outcome.SELF_RESOLVED, f"Closed: resolved by itself, quiet for {quiet}.", now)


def end(hold: Hold, outcome: Outcome, text: str, now: datetime) -> Turn:
    """End it, and keep for a successor how much of its patience was used up."""
    before = hold
    state = HoldState.DECLARED if outcome.value.startswith("declared") else HoldState.CLOSED
    still = hold.quiet_since or hold.snoozed_since or now
    patience = hold.policy.no_progress_after + hold.spent
    spent = min(max(patience - (hold.deadline_at - still), timedelta(0)), patience)
    if outcome is Outcome.TICKETED:
        spent = timedelta(0)  # that it flaps is the backlog's now; the next hold has all its patience
    hold = replace(
        hold, state=state, outcome=outcome, ended_at=now, spent=spent, wants=None, wants_why="", busy_until=None
    )  # fmt: skip
    if state is HoldState.DECLARED and hold.policy.at:
        text += f" Rule {hold.rule} ({hold.policy.at})."
    if hold.unverified:
        text = text if "Not verified" in text else f"{text} Not verified."
    return Turn(hold, (Draft(f"hold.{state.value}", text, _facts(hold, outcome)),), before)


def declared_text(hold: Hold, head: str) -> str:
    """Sum up why it declares: what did not happen, what fired then and now, and what was seen and is no progress."""
    then = hold.peak if hold.firing_then is None else hold.firing_then
    text = f"Declared: {head}; {then} firing at {clock(hold.progress_at)}, {hold.firing} firing now"
    if hold.ignored:
        text += f"; {', '.join(hold.ignored)} {'is' if len(hold.ignored) == 1 else 'are'} not progress"
    return text + "."


def ignored(hold: Hold, text: str, *, signal: str, words: str = "", kind: str = "hold.ignored") -> Turn:
    """Say that something happened and is not progress; `words` are kept for the sentence that declares it."""
    if words:
        hold = replace(hold, ignored=(*hold.ignored, words)[-_REMEMBERED:])
    return Turn(hold, (Draft(kind, text, {"signal": signal, "firing": hold.firing}),))


# -- what is asked before ---------------------------------------------------------------------------------------------


def asks_first(turn: Turn) -> Turn | None:
    """Put off a declaration until Alertmanager was asked; None when this one is not put off."""
    hold, why = turn.instead, turn.drafts[-1].text if turn.drafts else ""
    if hold is None or turn.hold.outcome not in ASKED_FIRST:
        return None
    if hold.wants is not None:
        return Turn(hold, turn.drafts[:-1])
    word = turn.hold.outcome.value.removeprefix("declared_").replace("_", " ")
    said = Draft("hold.asks", f"Would be declared ({word}): Alertmanager is asked first whether it still fires.")
    return Turn(replace(hold, wants=turn.hold.outcome, wants_why=why), (*turn.drafts[:-1], said))


def answered(hold: Hold, now: datetime, *, unverified: str = "") -> Turn:
    """Declare what was put off, now that Alertmanager was asked, or not any more; nothing when nothing was put off.

    `unverified` says why it gave no answer: then it declares all the same, and says so.
    """
    if hold.state not in OPEN or hold.wants is None:
        return Turn(hold)
    wanted, why = hold.wants, hold.wants_why
    hold = replace(hold, wants=None, wants_why="")
    if hold.state is HoldState.HOLDING and _still(hold, wanted):
        if unverified:
            hold, why = replace(hold, unverified=True), f"{why} Not verified: {unverified}."
        return end(hold, wanted, why.replace(f" Rule {hold.rule} ({hold.policy.at}).", ""), now)
    word = wanted.value.removeprefix("declared_").replace("_", " ")
    found = "nothing of it fires" if not hold.firing else f"{count(hold.firing, 'alert')} of it firing"
    asleep = ", silenced" if hold.state is HoldState.SNOOZED else ""
    return Turn(hold, (Draft("hold.refuted", f"Not declared ({word}): Alertmanager has {found}{asleep}."),))


def _still(hold: Hold, wanted: Outcome) -> bool:
    return wanted is not Outcome.DECLARED_GROWING or is_growing(hold)


def is_growing(hold: Hold) -> bool:
    """Say whether so many more fire than when it settled that it is a rapidly growing issue."""
    return hold.firing >= max(hold.policy.growth * hold.peak, FEWEST_GROWING)


def _facts(hold: Hold, outcome: Outcome) -> dict[str, object]:
    facts: dict[str, object] = {"outcome": outcome.value, "firing": hold.firing}
    return facts | ({"unverified": True} if hold.unverified else {})
