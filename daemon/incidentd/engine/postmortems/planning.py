"""Whose a postmortem is, who reviews it, when it is due and talked about: one unit of work."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from incidentd.engine.postmortems import clock
from incidentd.engine.postmortems.common import Opened, keep, opened
from incidentd.engine.postmortems.drafting import refreshed
from incidentd.engine.records.common import person, told
from incidentd.engine.reviewing import people_of
from incidentd.errors import BadRequest, Conflict
from incidentd.postmortem import OUT, Postmortem
from incidentd.settings import Settings
from incidentd.store import Tx
from incidentd.text import instant, plain
from incidentd.timeline import Actor, Draft

MOST_REVIEWERS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What somebody wants to be otherwise; '' and None leave what is there."""

    owner: str = ""
    facilitator: str = ""
    reviewers: tuple[str, ...] = ()
    """Added to those that there are."""
    without: tuple[str, ...] = ()
    """Reviewers who are none any more."""
    due_at: datetime | None = None
    meeting_at: datetime | None = None
    meeting_held: bool = False


def assign(
    tx: Tx, settings: Settings, incident_id: int, plan: Plan, *, actor: Actor, expected_version: int | None = None
) -> Postmortem:  # fmt: skip
    """Say whose a postmortem is, who facilitates and reviews it, when it is due, when its meeting is or was.

    Raises NotFound, BadRequest for what cannot be, and Conflict when it is published or changed meanwhile.
    """
    known = opened(tx, settings, incident_id, expected_version=expected_version)
    if known.it.state in OUT:
        raise Conflict(f"the postmortem of {known.incident.key} is {known.it.state}; there is nothing left to plan")
    it, said = _planned(tx, settings, known, plan)
    if not said:
        raise Conflict(f"nothing of the postmortem of {known.incident.key} would be otherwise than it is")
    known = refreshed(tx, settings, known, it)
    text = f"{told(actor.name)} plans the postmortem: {'; '.join(said)}."
    kept = keep(tx, known, it, actor, Draft("postmortem.planned", text))
    clock.start(tx, known.incident, kept)
    clock.plan_copies(tx, settings, known.incident, kept)
    return kept


def _planned(tx: Tx, settings: Settings, known: Opened, plan: Plan) -> tuple[Postmortem, list[str]]:
    before = known.it
    it = replace(
        before,
        owner=person(settings, plan.owner, "the owner") if plan.owner else before.owner,
        facilitator=_facilitator(tx, settings, known, plan.facilitator) or before.facilitator,
        reviewers=_reviewers(settings, before, plan), due_at=_due(tx, plan.due_at) or before.due_at,
        meeting_at=_meeting(tx, settings, before, plan.meeting_at) or before.meeting_at,
        met_at=tx.now if plan.meeting_held and before.met_at is None else before.met_at,
    )  # fmt: skip
    if it.owner and it.owner in it.reviewers:
        raise BadRequest(f"{it.owner} owns it; a review is by others")
    pairs = (
        ("it is {}'s", it.owner, before.owner),
        ("{} facilitates", it.facilitator, before.facilitator),
        ("reviewed by {}", ", ".join(it.reviewers) or "nobody", ", ".join(before.reviewers) or "nobody"),
        ("due {}", instant(it.due_at), instant(before.due_at)),
        ("talked about at {}", instant(it.meeting_at), instant(before.meeting_at)),
        ("the meeting was held at {}", instant(it.met_at), instant(before.met_at)),
    )
    return it, [words.format(plain(now, 300)) for words, now, was in pairs if now != was]


def _facilitator(tx: Tx, settings: Settings, known: Opened, handle: str) -> str:
    if not handle:
        return ""
    handle = person(settings, handle, "the facilitator")
    if handle in people_of(tx, settings, known.incident):
        raise BadRequest(
            f"{handle} had a part in {known.incident.key}; whoever facilitates had none, so that they can ask"
        )
    return handle


def _reviewers(settings: Settings, it: Postmortem, plan: Plan) -> tuple[str, ...]:
    gone = {one.strip().removeprefix("@") for one in plan.without}
    if unknown := gone.difference(it.reviewers):
        raise BadRequest(f"{plain(', '.join(sorted(unknown)), 200)} does not review it")
    added = [person(settings, one, "the reviewer") for one in plan.reviewers]
    found = tuple(one for one in dict.fromkeys([*it.reviewers, *added]) if one not in gone)
    if len(found) > MOST_REVIEWERS:
        raise BadRequest(f"it has {len(found)} reviewers; the most is {MOST_REVIEWERS}")
    return found


def _due(tx: Tx, at: datetime | None) -> datetime | None:
    if at is not None and at <= tx.now:
        raise BadRequest(f"the date is to come; {instant(at)} is over")
    return at


def _meeting(tx: Tx, settings: Settings, it: Postmortem, at: datetime | None) -> datetime | None:
    """Check the time of the meeting: reviewers have a copy long enough before."""
    if at is None:
        return None
    earliest = (it.submitted_at or tx.now) + settings.postmortems.review_for
    if at < earliest or at <= tx.now:
        raise BadRequest(
            f"reviewers have it long enough before the meeting: choose a time from {instant(max(earliest, tx.now))} on"
        )
    return at


def names(people: Iterable[str]) -> tuple[str, ...]:
    """Read names as they are typed, several with commas between them."""
    return tuple(one.strip() for given in people for one in given.split(",") if one.strip())
