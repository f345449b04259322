"""The words of a question about a role: in the message, and on the page of its link."""

from __future__ import annotations

from dataclasses import dataclass

from incidentd.engine.roles.asking import answerer, takes_command
from incidentd.incidents import Incident
from incidentd.roles import Offer, OfferState
from incidentd.roles import holder as own_holder
from incidentd.store import Tx, subjects
from incidentd.store import roles as stored
from incidentd.store.jobs import Job
from incidentd.text import clock, plain

YES_TAKE, NO_TAKE = "I take it", "I cannot"
YES_LET, NO_LET = "I let go", "I stay"


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferMessage:
    """What is known for a message that asks about a role."""

    incident: Incident
    offer: Offer


def offer_message(tx: Tx, job: Job) -> OfferMessage | None:
    """Read what a question has to say now; None when it needs no answer any more."""
    offer = stored.get_offer(tx, int(job.payload["offer"]))
    incident = subjects.get_incident(tx, offer.incident_id)
    if offer.state is not OfferState.ASKED or answerer(incident, offer) != job.payload["person"]:
        return None
    return OfferMessage(incident=incident, offer=offer)


def message(known: OfferMessage, url: str) -> tuple[str, str]:
    """Write the title and the body of a question."""
    incident, offer = known.incident, known.offer
    what = plain(incident.title, 120)
    why = f"\nWhy: {offer.because}." if offer.because else ""
    if takes_command(offer):
        title = f"{offer.person} asks to be {offer.role.title} of {incident.key}"
        body = f"{incident.severity}: {what}{why}\nIt changes soon unless you say that you stay."
        how = f"incidentd accept {incident.key} lets go, incidentd decline {incident.key} stays"
    else:
        lead = own_holder(offer.role, incident.roles) or incident.commander
        title = f"Will you be {offer.role.title} of {incident.key}? {incident.severity}: {what}"
        by = f" by {offer.by}" if offer.by else ""
        meanwhile = f"{lead} answers for it until you accept." if lead else "Nobody has it yet."
        body = f"You are asked{by}, at {clock(offer.asked_at)}.{why}\n{meanwhile}"
        how = f"incidentd accept {incident.key}, or incidentd decline {incident.key}"
    return title, f"{body}\n{how}\n\n{url}/incidents/{incident.key}"


def offered(tx: Tx, offer_id: int) -> OfferMessage:
    """Read a question with its incident. Raises NotFound."""
    offer = stored.get_offer(tx, offer_id)
    return OfferMessage(incident=subjects.get_incident(tx, offer.incident_id), offer=offer)


def choices(offer: Offer) -> tuple[str, str]:
    """Give the two answers, yes first."""
    return (YES_LET, NO_LET) if takes_command(offer) else (YES_TAKE, NO_TAKE)


def is_over(known: OfferMessage) -> tuple[str, str] | None:
    """Say what became of a question, as a title and a sentence; None while it waits for an answer."""
    offer, incident = known.offer, known.incident
    if offer.state is OfferState.ASKED:
        return None
    became = {
        OfferState.TAKEN: "was accepted", OfferState.DECLINED: "was declined",
        OfferState.TIMED_OUT: "was not answered in time",
    }.get(offer.state, "is not asked any more")  # fmt: skip
    lead = own_holder(offer.role, incident.roles) or "nobody"
    return "It is over", f"The question {became}; {lead} is {offer.role.title} of {incident.key}."
