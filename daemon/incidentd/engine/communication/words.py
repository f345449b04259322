"""The words of what is posted: entries of a timeline, a line each, and to whoever is new what it is all about."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from incidentd.document import Alike, Pointer
from incidentd.engine.communication.following import DECLARED, is_over, read
from incidentd.engine.communication.status import is_turn, state_of, status_line
from incidentd.holds import Hold
from incidentd.incidents import Incident
from incidentd.messages import STYLES, Style, is_web_link
from incidentd.settings import Settings
from incidentd.store import Tx, chain, facts, followers, graphs, updates
from incidentd.store.around import similar
from incidentd.store.jobs import Job, lane_of
from incidentd.text import near, plain
from incidentd.timeline import Entry
from incidentd.updates import Promise

_LINE = 300
"""Characters of an entry; the whole of it is in the document."""
_WHY = 500
"""Characters of why it was declared or is held, to whoever is told the first time."""
_SHORT, _SHORT_LINES = 120, 3
"""The same for channels that carry little, and how many entries those get."""
_OF_A_KIND, _ALIKE = 2, 3
"""How many links of a kind, and how many past incidents, a first message has; the document has them all."""
_EVERY = 2**31 - 1
_BEGINS = frozenset({DECLARED, "hold.opened"})
"""The kinds of the entries that say why it was declared or is held."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """What is known for a message to a channel."""

    about: Incident | Hold
    entries: tuple[Entry, ...]
    first: bool
    """The channel was told nothing before."""
    means: str
    """What the severity means, in words."""
    was: str = ""
    """The hold that it was, of which the channel was told until now."""
    turned: bool = True
    """It stands otherwise than when the channel was told last."""
    promises: tuple[Promise, ...] = ()
    """What audiences are owed that the files name."""
    pointers: tuple[Pointer, ...] = ()
    graphs: tuple[tuple[int, str], ...] = ()
    """Number and title."""
    alike: tuple[Alike, ...] = ()


def known(tx: Tx, settings: Settings, job: Job) -> Posting | None:
    """Read what a message has to say; None when what it is about is gone."""
    about = read(tx, job.subject)
    if about is None:
        return None
    after = int(job.payload["after"])
    was, held = ("", ()) if after else _before(tx, about, lane_of(job))
    new = chain.between(tx, job.subject, after, int(job.payload["to"]))
    severity = settings.severities.get(about.severity)
    told = bool(after or was)
    return Posting(
        about=about, entries=tuple(it for it in (*held, *new) if settings.communication.posts(it.kind)),
        first=not after, was=was, means=severity.means if severity else "",
        turned=any(is_turn(it.kind) for it in new), promises=_promises(tx, settings, about),
        pointers=() if told else _pointers(tx, settings, about),
        graphs=() if after else tuple((it.number, it.title) for it in graphs.of(tx, about.key)),
        alike=similar(tx, about)[:_ALIKE] if isinstance(about, Incident) and not after else (),
    )  # fmt: skip


def _before(tx: Tx, about: Incident | Hold, channel: str) -> tuple[str, tuple[Entry, ...]]:
    """Give the hold of which a channel was told until it became this incident, and what it was not told yet.

    Why it was declared the incident says itself.
    """
    if isinstance(about, Hold) or about.hold_id is None:
        return "", ()
    hold = f"HOLD-{about.hold_id}"
    told = followers.of(tx, hold).get(channel)
    if told is None:
        return "", ()
    left = (it for it in chain.between(tx, hold, told.seq, _EVERY) if it.kind != "hold.declared")
    return hold if told.seq else "", tuple(left)


def _promises(tx: Tx, settings: Settings, about: Incident | Hold) -> tuple[Promise, ...]:
    if isinstance(about, Hold):
        return ()
    return tuple(it for it in updates.promises(tx, about.id).values() if it.audience in settings.updates.audiences)


def _pointers(tx: Tx, settings: Settings, about: Incident | Hold) -> tuple[Pointer, ...]:
    seen: dict[str, list[Pointer]] = {}
    for one in facts.pointers_of(tx, settings, about):
        seen.setdefault(one.kind, []).append(one)
    return tuple(one for of_kind in seen.values() for one in of_kind[:_OF_A_KIND])


def message(it: Posting, settings: Settings, job: Job, now: datetime) -> tuple[str, str]:
    """Write a message to a channel: its title and its body, every stranger's value harmless."""
    about, short = it.about, STYLES[settings.kind_of(lane_of(job))] is Style.SHORT
    most, longest = (_SHORT_LINES, _SHORT) if short else (settings.communication.lines, _LINE)
    shown = it.entries[-most:]
    here = _url(settings, about.key)
    lines = []
    if it.turned and not is_over(about):
        lines.append(status_line(about, it.promises, now))
    if it.first and not short:
        lines += [*_introduction(it, settings, why=not any(one.kind in _BEGINS for one in shown)), ""]
    if len(it.entries) > len(shown):
        lines.append(f"{_earlier(len(it.entries) - len(shown))}: {here}")
    for one in shown:
        length = _WHY if it.first and one.kind in _BEGINS and not short else longest
        lines.append(f"{near(one.at, now)} {plain(one.text, length)}{_with_link(settings, about, one)}")
    if is_over(about):
        lines.append(f"{about.key} is {state_of(about)}; no more of it is posted here, unless it begins again: {here}")
    elif not it.first or short:
        lines.append(here)
    was = f" (until now {it.was})" if it.was else ""
    title = f"[{plain(about.severity, 20).upper()}] {about.key}{was} {state_of(about)}: {plain(about.title, 150)}"
    return title, "\n".join(lines)


def _introduction(it: Posting, settings: Settings, *, why: bool) -> Iterator[str]:
    """Say what it is all about; of what goes on from a hold only what is new."""
    about, here = it.about, _url(settings, it.about.key)
    if it.means and not it.was:
        yield f"{plain(about.severity, 20)}: {plain(it.means, 200)}"
    if why:
        yield plain(about.reason, _WHY)
    yield f"Document: {here}"
    yield from (f"{one.kind}: {one.url}" for one in it.pointers if is_web_link(one.url))
    yield from (f"Graph {number} ({plain(title, 100)}): {here}/graphs/{number}" for number, title in it.graphs)
    yield from (_like(one, settings) for one in it.alike)


def _like(one: Alike, settings: Settings) -> str:
    """Name a past incident, and what fixed it."""
    it = one.incident
    cause = f"cause: {plain(it.cause, 150)}; " if it.cause else ""
    helped = f"; playbooks that helped: {plain(', '.join(one.helped), 100)}" if one.helped else ""
    fixed = plain(one.fixed_by, 150) or "nobody said"
    when = f"{it.declared_at:%Y-%m-%d}"
    return f"Like {it.key} of {when}: {cause}what fixed it: {fixed}{helped} {_url(settings, it.key)}"


def _with_link(settings: Settings, about: Incident | Hold, entry: Entry) -> str:
    """Say where to look for what an entry names."""
    match entry.kind:
        case "graph.drawn":
            return f" {_url(settings, about.key)}/graphs/{entry.data['graph']}"
        case "incident.took_in":
            return f" {_url(settings, str(entry.data['merged']))}"
        case "incident.merged" if isinstance(about, Incident) and about.merge is not None:
            return f" {_url(settings, f'INC-{about.merge.into}')}"
        case _:
            return ""


def _earlier(number: int) -> str:
    return "1 earlier entry" if number == 1 else f"{number} earlier entries"


def _url(settings: Settings, key: str) -> str:
    return f"{settings.external_url}/{'incidents' if key.startswith('INC-') else 'holds'}/{key}"
