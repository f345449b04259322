"""The link of an offer: what its page shows, and what its two buttons do."""

from __future__ import annotations

from dataclasses import dataclass

from incidentd.engine.handover.answering import accept, decline, refuse_answered
from incidentd.errors import BadRequest, Conflict
from incidentd.handover import State, rows, titles
from incidentd.settings import Settings
from incidentd.store import Tx, role_handovers
from incidentd.text import instant, plain
from incidentd.timeline import Actor

CHOICES = ("I accept", "I decline")


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferPage:
    """What there is to see; `over` is why there is nothing to answer any more."""

    title: str
    about: tuple[tuple[str, str], ...]
    note: str
    over: tuple[str, str] | None


def page_of(tx: Tx, number: int, person: str) -> OfferPage:
    """Read what the page of an offer shows to somebody. Raises NotFound."""
    it = role_handovers.get(tx, number)
    sender, over = plain(it.sender, 100), None
    try:
        refuse_answered(it)
    except Conflict as error:
        over = "It is over", f"{error}."
    (head, state), *lines = rows(it.message)
    return OfferPage(
        title=head, about=(("State", state), *lines, ("Answer by", instant(it.answer_by)), ("You are", person)),
        note=f"Until you accept, {sender} answers for it; ask {sender} what is not clear before you do.",
        over=over,
    )  # fmt: skip


def pressed(tx: Tx, settings: Settings, number: int, answer: str, actor: Actor) -> tuple[str, str]:
    """Do what a button says; gives a title and a sentence. Raises BadRequest, and as `accept` does."""
    yes, no = CHOICES
    if answer not in CHOICES:
        raise BadRequest(f"press one of the two buttons: {yes}, {no}")
    done = (accept if answer == yes else decline)(tx, settings, number, actor=actor)
    match done.state:
        case State.ACCEPTED:
            return f"You are {titles(done.roles)}", f"INC-{done.incident_id} is yours; everybody is told."
        case State.DECLINED:
            return "You declined", f"{plain(done.sender, 100)} keeps it, and is told."
        case _:
            return "There is nothing to take over any more", f"{plain(done.reason, 300)}."
