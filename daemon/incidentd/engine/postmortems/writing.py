"""What people write into postmortems as units of work: pieces, and comments on them."""

from __future__ import annotations

from dataclasses import replace

from incidentd import postmortem
from incidentd.engine import publishing
from incidentd.engine.postmortems.common import Opened, changed_text, keep, opened
from incidentd.engine.records.common import ended, told
from incidentd.engine.reviewing import people_of
from incidentd.engine.worded import LONGEST_TEXT, checked
from incidentd.errors import BadRequest, Conflict, NotFound
from incidentd.postmortem import KEYS, OUT, Comment, Level, State, fitting, key_of
from incidentd.postmortem.pieces import find, said_in_head
from incidentd.settings import Settings
from incidentd.store import Tx, postmortems
from incidentd.store.postmortems import Written
from incidentd.text import clock, count
from incidentd.timeline import INCIDENTD, Actor, Draft

MOST_COMMENTS = 500
_OPEN_TO_COMMENTS = frozenset({State.DRAFT, State.IN_REVIEW})


def edit(
    tx: Tx, settings: Settings, incident_id: int, name: str, *, text: str, actor: Actor,
    expected_version: int | None = None, reason: str = "",
) -> Written:  # fmt: skip
    """Write a piece of a postmortem; what stood there stays in its history.

    `expected_version` is the version that the writer saw. What is published is only corrected, with a `reason`.
    Raises NotFound, BadRequest for a text that does not fit there, and Conflict when others changed it meanwhile.
    """
    known = opened(tx, settings, incident_id)
    name, before = _piece(known, name)
    _refuse_stale(tx, known, name, expected_version)
    text, reason = fitting(name, text), _reason(known, name, reason)
    if text == before:
        raise Conflict(f"{name} of the postmortem of {known.incident.key} says that already")
    version = known.version_of(name) + 1
    if version == 2:
        _write(tx, known, Written(
            name=name, version=1, at=known.it.drafted_at or tx.now, by=INCIDENTD.name, said="the draft", text=before,
        ))  # fmt: skip
    done = f"corrects {name} of the published postmortem ({reason})" if reason else f"writes {name} of the postmortem"
    said = f"{told(actor.name)} {done}: {ended(text)}"
    new = Written(name=name, version=version, at=tx.now, by=actor.name, said=said, text=text)
    _write(tx, known, new)
    _kept(tx, settings, known, new, actor=actor, reason=reason)
    return new


def _piece(known: Opened, name: str) -> tuple[str, str]:
    """Find what is meant: the name of the piece or of the head's key, and what stands there."""
    key = key_of(name)
    if key and known.pieces[0].name == "head":
        return key, said_in_head(known.pieces, key)
    found = find(known.pieces, name)
    if found.by_itself:
        raise BadRequest(
            f"incidentd writes {found.name} itself, from what is recorded; put what came before it into `before`, "
            "and what happened on the timeline with a note"
        )
    return found.name, found.text


def _refuse_stale(tx: Tx, known: Opened, name: str, expected: int | None) -> None:
    version = known.version_of(name)
    if expected is None or expected == version:
        return
    where = f"{name} of the postmortem of {known.incident.key}"
    if expected > version:
        raise Conflict(f"{where} has only {count(version, 'version')}; look again")
    later = [one for one in postmortems.versions(tx, known.it) if one.name == name and one.version > expected]
    meanwhile = " ".join(f"{clock(one.at)}: {one.said}" for one in later[-5:])
    raise Conflict(f"{where} was changed meanwhile (version {version}): {meanwhile}")


def _reason(known: Opened, name: str, reason: str) -> str:
    if known.it.state is State.REVIEWED:
        raise Conflict(
            f"the postmortem of {known.incident.key} is reviewed; return it to change its text: "
            f"incidentd postmortem return {known.incident.key} --reason '...'"
        )
    if known.it.state not in OUT:
        return ""
    if not reason.strip():
        raise BadRequest(
            f"the postmortem of {known.incident.key} is published; a correction of {name} says why: --reason '...'"
        )
    return told(checked(reason, "the reason", LONGEST_TEXT))


def _write(tx: Tx, known: Opened, new: Written) -> None:
    postmortems.write(tx, known.it, new)


def _kept(tx: Tx, settings: Settings, known: Opened, new: Written, *, actor: Actor, reason: str) -> None:
    written = {**known.written, new.name: new}
    after = replace(known, written=written)
    it = replace(known.it, version=known.it.version + 1)
    data = {"section": new.name, "version": new.version}
    done = f"corrects {new.name} of the published postmortem: {ended(reason)}"
    said = done if reason else f"writes {new.name} of the postmortem, version {new.version}."
    kind = "postmortem.corrected" if reason else "postmortem.written"
    drafts = [Draft(kind, f"{told(actor.name)} {said}", data)]
    if known.it.state is State.IN_REVIEW and known.it.approvals:
        it = replace(it, approvals=())
        gone = ", ".join(dict.fromkeys(one.by for one in known.it.approvals))
        drafts.append(Draft("postmortem.unapproved", f"What {gone} approved was another text, so it counts no more."))
    pieces = changed_text(known, new.name, new.text)
    if not reason:
        keep(tx, after, it, actor, *drafts, pieces=pieces)
        return
    it = keep(tx, after, replace(it, edition=it.edition + 1), actor, *drafts, pieces=pieces)
    found = postmortem.check(it.markdown, people_of(tx, settings, known.incident))
    if wrong := [one for one in found if one.level is Level.ERROR]:
        raise BadRequest("this correction cannot be published:\n" + "\n".join(f"- {one}" for one in wrong[:20]))
    postmortems.publish(tx, it, by=actor.name, reason=reason)
    publishing.published(tx, settings, known.incident, it.edition, it.markdown, tx.now)


def comment(
    tx: Tx, settings: Settings, incident_id: int, *, section: str, text: str, actor: Actor
) -> Comment:  # fmt: skip
    """Say something about a piece of a postmortem; it is open until somebody says what became of it.

    Raises NotFound, BadRequest, and Conflict when it is reviewed or published.
    """
    known = opened(tx, settings, incident_id)
    name = key_of(section) or find(known.pieces, section).name
    text = checked(text, "the comment", LONGEST_TEXT)
    if known.it.state not in _OPEN_TO_COMMENTS:
        raise Conflict(
            f"the postmortem of {known.incident.key} is {known.it.state}; return it, or correct what is published"
        )
    if len(postmortems.comments(tx, known.it)) >= MOST_COMMENTS:
        raise Conflict(f"the postmortem of {known.incident.key} has {MOST_COMMENTS} comments already; that is the most")
    made = postmortems.add_comment(
        tx, known.it, Comment(number=0, section=name, by=actor.name, at=tx.now, text=text)
    )  # fmt: skip
    said = f"{told(actor.name)} comments on {name} of the postmortem ({made.number}): {ended(text)}"
    keep(tx, known, known.it, actor, Draft("postmortem.commented", said, {"comment": made.number}))
    return made


def resolve_comment(
    tx: Tx, settings: Settings, incident_id: int, number: int, *, actor: Actor, answer: str = ""
) -> Comment:  # fmt: skip
    """Say what became of a comment. Raises NotFound, and Conflict when that was said before."""
    known = opened(tx, settings, incident_id)
    before = next((one for one in postmortems.comments(tx, known.it) if one.number == number), None)
    if before is None:
        raise NotFound(f"the postmortem of {known.incident.key} has no comment {number}")
    if not before.open:
        raise Conflict(
            f"comment {number} was resolved by {before.resolved_by} at {clock(before.resolved_at or tx.now)}"
        )
    answer = checked(answer, "the answer", LONGEST_TEXT) if answer.strip() else ""
    done = replace(before, resolved_by=actor.name, resolved_at=tx.now, answer=answer)
    postmortems.save_comment(tx, known.it, done)
    why = f": {ended(answer)}" if answer else "."
    said = f"{told(actor.name)} resolves comment {number} on {before.section} of the postmortem{why}"
    keep(tx, known, known.it, actor, Draft("postmortem.resolved_comment", said, {"comment": number}))
    return done


def version_shapes(known: Opened) -> dict[str, int]:
    """Give the version of each piece that people may write."""
    names = [it.name for it in known.pieces if not it.by_itself]
    keys = list(KEYS) if known.pieces and known.pieces[0].name == "head" else []
    return {name: known.version_of(name) for name in (*names, *keys)}
