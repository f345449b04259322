"""Ideas out of what people wrote: TODOs of the incident, rows of the postmortem's tables, each proposed once."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from uuid import NAMESPACE_URL, uuid5

from incidentd.actionitems import PRIORITIES, ActionItem, ItemSource, ItemType
from incidentd.actionitems.moves import Changes
from incidentd.document import todos
from incidentd.durations import in_reach
from incidentd.engine.backlog.commands import MOST, proposed
from incidentd.engine.worded import LONGEST_TITLE
from incidentd.errors import BadRequest, NotFound
from incidentd.postmortem.markup import Page
from incidentd.settings import Settings
from incidentd.store import Tx, facts, items, merged, subjects, views
from incidentd.text import plain
from incidentd.timeline import Actor

_EMPTY = frozenset({"", "-", "?", "tbd", "none", "n/a", "todo", "_?_"})
_KNOWN = re.compile(r"AI-[0-9]{1,15}|[A-Z][A-Z0-9_]{1,60}-[0-9]{1,12}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_ESCAPE = re.compile(r"\\([\\`*_{}\[\]<>()#+!|~$&@])")
_FROM_POSTMORTEM = frozenset({ItemSource.POSTMORTEM, ItemSource.FEEDBACK, ItemSource.QUICK_REVIEW})


@dataclass(frozen=True, slots=True, kw_only=True)
class Idea:
    """What somebody wrote that wants to become an item."""

    title: str
    source: ItemSource
    priority: str = ""
    type: str = ""
    owner: str = ""
    due: str = ""
    end_state: str = ""
    of: str = ""
    """The incident that it was written to, where that is part of the one that is collected from."""


def collect(
    tx: Tx, settings: Settings, incident_id: int, *, actor: Actor, source: ItemSource | None = None
) -> list[ActionItem]:  # fmt: skip
    """Propose what stands in the incident and its postmortem and is no item yet; each is proposed once for ever.

    `source` takes those of one kind only. Raises NotFound, and BadRequest for a source that nothing is taken from.
    """
    if source in (ItemSource.PERSON, ItemSource.RULE):
        raise BadRequest(f"nothing is collected from {source}; leave it out, or name todo, postmortem or feedback")
    incident = subjects.get_incident(tx, incident_id)
    made: list[ActionItem] = []
    there = merged.items_of(tx, incident)
    parts = merged.parts(tx, incident)
    titles = {item.title.casefold() for item in there}
    for idea in _ideas(tx, settings, incident_id):
        title = plain(idea.title, LONGEST_TITLE)
        if source not in (None, idea.source) or title.casefold() in titles or len(there) + len(made) >= MOST:
            continue
        names = [f"{key}/{title}" for key in (incident.key, *parts)]  # wherever it was proposed before
        if any(items.by_uuid(tx, str(uuid5(NAMESPACE_URL, name))) is not None for name in names):
            continue
        titles.add(title.casefold())
        # what was written to a part is that one's, also once it is taken out again
        about = subjects.get_incident(tx, int(idea.of.removeprefix("INC-"))) if idea.of in parts else incident
        changes = _changes(settings, idea)
        made.append(
            proposed(
                tx, settings, about, title=title, source=idea.source, name=f"{about.key}/{title}", actor=actor,
                changes=changes,
            )
        )  # fmt: skip
    return made


def _ideas(tx: Tx, settings: Settings, incident_id: int) -> Iterator[Idea]:
    for todo in todos(facts.incident_facts(tx, settings, incident_id)):
        if todo.text:
            yield Idea(title=todo.text, source=ItemSource.NOTED, of=todo.of)
    try:
        written = views.postmortem(tx, incident_id)
    except NotFound:
        return
    yield from of_postmortem(written["markdown"])


def of_postmortem(text: str) -> Iterator[Idea]:
    """Give the rows of a postmortem's tables that are no items yet: of its action items, and of its feedback.

    A quick review has no such tables; the lines of its list that name an action are ideas, too.
    """
    page = Page(text)
    for title, source in (("Action items", ItemSource.POSTMORTEM), ("Feedback", ItemSource.FEEDBACK)):
        section = page.section(title)
        for header, row in page.rows(section) if section is not None else ():
            heads = [head.casefold().partition(" ")[0] for head in header.cells]
            cells = {head: _bare(cell) for head, cell in zip(heads, row.cells, strict=False)}
            action = cells.get("action", "")
            if action.casefold() in _EMPTY or _KNOWN.fullmatch(cells.get("#", "")) or _KNOWN.fullmatch(action):
                continue
            if cells.get("jira", "").casefold().startswith("proposed: a todo"):
                continue  # the draft wrote it there, and it is taken from where it was said
            if source is ItemSource.FEEDBACK:
                yield Idea(title=action, source=source)
            else:
                yield Idea(
                    title=action, source=source, priority=cells.get("priority", ""), type=cells.get("type", ""),
                    owner=cells.get("owner", ""), due=cells.get("due", ""), end_state=cells.get("end", ""),
                )  # fmt: skip


def _changes(settings: Settings, idea: Idea) -> Changes:
    """Take over what is as it should be; the rest is said when it is decided."""
    changes = Changes()
    if idea.priority in PRIORITIES:
        changes["priority"] = idea.priority
    if idea.type in set(ItemType):
        changes["type"] = ItemType(idea.type)
    owner = idea.owner.removeprefix("@")
    if owner in settings.roster.people:
        changes["owner"] = owner
    if found := _DAY.search(idea.due):
        with contextlib.suppress(ValueError):  # a day that no calendar has is no day
            day = date.fromisoformat(found[0])
            if in_reach(day):
                changes["due"] = day
    if idea.end_state.casefold() not in _EMPTY:
        changes["end_state"] = idea.end_state
    return changes


def _bare(cell: str) -> str:
    """Take Markdown's escapes out of a cell."""
    return _ESCAPE.sub(r"\1", cell).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").strip()
