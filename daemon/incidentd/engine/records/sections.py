"""The document's own words, and the hypotheses about the cause."""

from __future__ import annotations

from urllib.parse import urlsplit

from incidentd.engine.records.common import KEY, current, ended, keep, line, more, person, refuse_stale, told, writable
from incidentd.engine.worded import LONGEST_TEXT, checked
from incidentd.errors import BadRequest, Conflict
from incidentd.handover import trend_of
from incidentd.records import Belief, Confidence, Hypothesis, Section, SectionName, moves
from incidentd.settings import Settings
from incidentd.store import Tx, records
from incidentd.timeline import Actor, Draft

_PROSE = frozenset({SectionName.SUMMARY, SectionName.IMPACT})
_ADDRESSES = frozenset({SectionName.DASHBOARD, SectionName.STATUS_PAGE})


def write_section(
    tx: Tx, settings: Settings, incident_id: int, name: SectionName, *, text: str, actor: Actor,
    expected_version: int | None = None,
) -> Section:  # fmt: skip
    """Write a part of the document; what stood there stays in its history, and an empty text empties it.

    `expected_version` is the version that the writer saw, 0 when there was none.
    Raises NotFound, BadRequest for a text that does not fit there, and Conflict when others changed it meanwhile.
    """
    incident = writable(tx, incident_id)
    text = fitting(name, text)
    found = records.find(tx, incident_id, Section, name.number)
    if found is None:
        if expected_version:
            raise Conflict(f"nobody has written the {name.heading.lower()} of {incident.key} yet; look again")
        found = Section(number=name.number, version=0, by="", at=tx.now, name=name, text="")
    refuse_stale(tx, incident, found, expected_version)
    if found.text == text:
        raise Conflict(f"the {name.heading.lower()} of {incident.key} says that already")
    said = f"writes {name.called}: {ended(text)}" if text else f"empties {name.called}."
    new = moves.rewritten(found, text, by=actor.name, now=tx.now)
    return keep(tx, incident, new, actor, Draft("section.written", f"{told(actor.name)} {said}"))


def fitting(name: SectionName, text: str) -> str:
    """Check a text for its part of the document; '' is one that is empty. Raises BadRequest."""
    if not text.strip():
        return ""
    if name in _PROSE:
        return checked(text, f"the {name.heading.lower()}", LONGEST_TEXT)
    text = line(text, f"the {name.heading.lower()}")
    if name is SectionName.TREND:
        return trend_of(text)
    if name in _ADDRESSES and not _is_address(text):
        raise BadRequest(f"the {name.heading.lower()} is an address that begins with http:// or https://")
    return text


def _is_address(text: str) -> bool:
    try:
        where = urlsplit(text)
    except ValueError:
        return False
    return where.scheme in ("http", "https") and bool(where.hostname)


def add_hypothesis(
    tx: Tx, settings: Settings, incident_id: int, *, text: str, actor: Actor, owner: str = "",
    confidence: Confidence = Confidence.LOW, evidence: str = "",
) -> Hypothesis:  # fmt: skip
    """Write down what may be the cause. Raises NotFound, BadRequest, and Conflict when the incident is final."""
    incident = writable(tx, incident_id)
    new = Hypothesis(
        number=0, by=actor.name, at=tx.now, text=line(text, "the hypothesis"), confidence=confidence,
        owner=person(settings, owner, "the owner") if owner else "", evidence=more(evidence, "the evidence"),
    )  # fmt: skip
    looks = f"; {new.owner} looks into it" if new.owner else ""
    said = f"Hypothesis {KEY} by {told(actor.name)}, confidence {confidence}{looks}: {ended(new.text)}"
    return keep(tx, incident, new, actor, Draft("hypothesis.opened", said))


def judge_hypothesis(
    tx: Tx, settings: Settings, incident_id: int, number: int, *, actor: Actor, state: Belief | None = None,
    confidence: Confidence | None = None, owner: str | None = None, evidence: str | None = None,
    expected_version: int | None = None,
) -> Hypothesis:  # fmt: skip
    """Say anew how a hypothesis stands: its state, how sure its owner is, who that is, what speaks for it.

    Raises NotFound, BadRequest, and Conflict when others changed it meanwhile or nothing would change.
    """
    incident = writable(tx, incident_id)
    before = current(tx, incident, Hypothesis, number, expected_version)
    new = moves.judged(
        before, by=actor.name, now=tx.now, state=state, confidence=confidence,
        owner=person(settings, owner, "the owner") if owner else owner,
        evidence=None if evidence is None else more(evidence, "the evidence"),
    )  # fmt: skip
    what = f"is {new.state}" if new.state is not before.state else f"stays {new.state}"
    owned = f", {new.owner or 'nobody'} looks into it" if new.owner != before.owner else ""
    shown = f"; evidence: {told(new.evidence)}" if new.evidence != before.evidence and new.evidence else ""
    said = f"{told(actor.name)}: hypothesis {KEY} {what}, confidence {new.confidence}{owned}{shown} ({told(new.text)})."
    return keep(tx, incident, new, actor, Draft(f"hypothesis.{new.state}", said))
