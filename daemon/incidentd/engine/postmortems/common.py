"""What all commands about postmortems share: reading one with its text as it is now, keeping it, telling people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from incidentd import postmortem
from incidentd.engine import paging, shelving
from incidentd.errors import Conflict
from incidentd.handoff import channels_for
from incidentd.incidents import Incident, Status
from incidentd.postmortem import KEYS, OUT, Piece, Postmortem
from incidentd.postmortem.facts import IN_KEYS, OWN
from incidentd.postmortem.pieces import HEAD, refreshed, with_head, with_people, with_text
from incidentd.settings import Settings
from incidentd.store import Tx, chain, facts, jobs, postmortems, subjects
from incidentd.store.postmortems import Written
from incidentd.text import plain
from incidentd.timeline import INCIDENTD, Actor, Draft

KIND = "postmortem"
"""The kind of the deadlines that remind of a postmortem's date."""
COPIES = "postmortem_copies"
"""The kind of the deadlines at which reviewers are given what there is, before the meeting."""
REVIEW = "postmortem_review"
"""The kind of the deadlines at which reviewers have had it long enough."""
_TOLD_OF_CHANGES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A postmortem that somebody works on, with its pieces as they are now and what of them people wrote."""

    incident: Incident
    it: Postmortem
    pieces: tuple[Piece, ...]
    written: Mapping[str, Written]

    def version_of(self, name: str) -> int:
        """Say which version of a piece stands; the draft's own is the first."""
        return self.written[name].version if name in self.written else 1


def opened(tx: Tx, settings: Settings, incident_id: int, *, expected_version: int | None = None) -> Opened:
    """Read a postmortem for a change; what incidentd writes is written anew while it is not published.

    Raises NotFound, and Conflict when it is not as its caller saw it.
    """
    incident = subjects.get_incident(tx, incident_id)
    it = postmortems.get(tx, incident_id)
    if expected_version is not None and expected_version != it.version:
        done = [one for one in chain.entries(tx, incident.key) if one.kind.startswith(OWN)]
        meanwhile = " ".join(f"{one.actor.name}: {plain(one.text, 200)}" for one in done[-_TOLD_OF_CHANGES:])
        raise Conflict(
            f"the postmortem of {incident.key} was changed meanwhile: you saw version {expected_version}, it is "
            f"{it.version} and {it.state} now. {meanwhile}".rstrip()
        )
    written = postmortems.newest(tx, it)
    return Opened(incident=incident, it=it, pieces=pieces_of(tx, settings, incident, it, written), written=written)


def pieces_of(
    tx: Tx, settings: Settings, incident: Incident, it: Postmortem, written: Mapping[str, Written]
) -> tuple[Piece, ...]:  # fmt: skip
    """Give the pieces as they are now: what was published as it stands, else a fresh draft with what people wrote."""
    before = postmortem.split(it.markdown) if it.markdown else ()
    known = postmortem.facts_for(facts.incident_facts(tx, settings, incident.id))
    if it.state in OUT or (before and not known.entries):  # what was recorded may be pruned by now
        return with_text(before, {name: one.text for name, one in written.items()}) if it.state not in OUT else before
    if is_short(incident, it):
        text = postmortem.quick_review(known, owner=it.owner)
    else:
        layout = settings.postmortems.layout_of(incident.peak_severity, incident.teams)
        text = postmortem.draft(known, owner=it.owner, due=it.due_at, layout=layout)
    texts = {name: one.text for name, one in written.items()}
    pieces = refreshed(postmortem.split(text), texts, before)
    authors = sorted({one.by for one in written.values() if one.by != INCIDENTD.name})
    return with_state(with_people(pieces, authors=authors, reviewers=it.reviewers), it, texts)


def is_short(incident: Incident, it: Postmortem) -> bool:
    """Say whether it is the five lines about what was stood down."""
    return incident.status is Status.STOOD_DOWN and not it.required


def with_state(pieces: tuple[Piece, ...], it: Postmortem, texts: Mapping[str, str]) -> tuple[Piece, ...]:
    """Write into the head how it stands, and what people said of the head's own keys."""
    keys = {key: texts[key] for key in KEYS if key in texts}
    return with_head(pieces, {"status": it.state.value, **keys})


def changed_text(known: Opened, name: str, text: str) -> tuple[Piece, ...]:
    """Give the pieces with one of them in other words."""
    if name in KEYS:
        return with_head(known.pieces, {name: text})
    return with_text(known.pieces, {name: text})


def keep(
    tx: Tx, known: Opened, it: Postmortem, actor: Actor, *drafts: Draft, pieces: tuple[Piece, ...] | None = None
) -> Postmortem:  # fmt: skip
    """Store a postmortem as it is now, its text included, and say on the timeline what was done."""
    pieces = known.pieces if pieces is None else pieces
    if pieces and pieces[0].name == HEAD:
        pieces = with_head(pieces, {"status": it.state.value})
    kept = replace(it, markdown=postmortem.joined(pieces))
    if kept.version == known.it.version:
        kept = replace(kept, version=kept.version + 1)
    postmortems.save(tx, kept)
    if kept.state not in OUT:
        shelving.draft(tx, known.incident, kept.markdown)
    chain.append(tx, known.incident.key, actor, drafts)
    return kept


def tell(
    tx: Tx, settings: Settings, incident: Incident, people: Iterable[str], *, title: str, body: str, key: str
) -> tuple[str, ...]:  # fmt: skip
    """Put a message about a postmortem to people into the outbox, each message once; give whom it reaches."""
    told = []
    text = f"{body}\n\n{settings.external_url}/postmortems/{incident.key}"
    for handle in dict.fromkeys(people):
        person = settings.roster.people.get(handle)
        if person is None or (incident.drill and not person.drills):
            continue
        told.append(handle)
        for channel in channels_for(person):
            paging.tell(
                tx, subject=incident.key, channel=channel.name, purpose="update", title=title, body=text,
                key=f"{incident.key}{IN_KEYS}{key}/{channel.name}",
            )  # fmt: skip
    return tuple(told)


def clock_key(incident: Incident) -> str:
    """Name the deadline of a postmortem's reminders."""
    return f"{incident.key}{IN_KEYS}clock"


def copies_key(incident: Incident) -> str:
    """Name the deadline at which the reviewers get what there is."""
    return f"{incident.key}{IN_KEYS}copies"


def review_key(incident: Incident) -> str:
    """Name the deadline at which the reviewers have had it long enough."""
    return f"{incident.key}{IN_KEYS}review"


def stop(tx: Tx, incident: Incident) -> None:
    """Remind of it no more."""
    for key in (clock_key(incident), copies_key(incident), review_key(incident)):
        jobs.cancel(tx, key)
