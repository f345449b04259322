"""Whether an action item is one that gets done: one owner, a day, a priority, and an end that anybody can see."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from incidentd.actionitems import PEOPLE_FIX, PRIORITIES, SEVERAL_OWNERS, ActionItem, ItemState
from incidentd.postmortem.findings import Finding, Level
from incidentd.postmortem.markup import Page, Row
from incidentd.postmortem.rules import RULES

MOST_ITEMS = 10
"""Action items of one postmortem: of more, the last are not done."""

_DAY = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")
_VAGUE = re.compile(
    r"^(?:improve|better|investigate|look into|ensure|make sure|review|monitor|consider|enhance|check|explore|discuss"
    r"|think about|revisit|optimi[sz]e|clean up|be aware)\b|\bbetter\b",
    re.IGNORECASE,
)
_NO_VERB = re.compile(
    r"^(?:the|a|an|we|our|it|there|more|no|this|that|these|those|all|some|somebody|someone|they|in|on|for|with|of)\b",
    re.IGNORECASE,
)
_END = re.compile(
    r"\d|\b(?:when|whenever|until|unless|if|before|after|within|every|each|once|so that|no longer|at least|at most"
    r"|instead of|rather than|fails?|refuses?|rejects?|blocks?|passes|fires?|pages?|in ci|by default"
    r"|without|only|per (?:second|minute|hour|day|host|tenant|user|request))\b|[%<>]",
    re.IGNORECASE,
)
_EMPTY = frozenset({"", "-", "?", "tbd", "nobody", "none", "n/a", "todo"})
_READ = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What a check has to know of an action item."""

    title: str
    owner: str = ""
    priority: str = ""
    due: str = ""
    """A day as YYYY-MM-DD; '' while there is none."""
    end_state: str = ""
    """How anybody can see that it is done, beside what its title says of it."""
    decided: bool = True
    """False while it is only proposed: then who does it, when and how soon may be open still."""

    @classmethod
    def of(cls, item: ActionItem) -> Proposal:
        """Take over what an action item says of itself."""
        return cls(
            title=item.title, owner=item.owner, priority=item.priority, due=str(item.due or ""),
            end_state=item.description, decided=item.state is not ItemState.PROPOSED,
        )  # fmt: skip


def quality(item: Proposal, places: dict[str, tuple[int, int]] | None = None) -> Iterator[Finding]:
    """Find what keeps an item from being done; `places` says where its title, owner, priority and due stand."""
    where = places or {}
    open_level = None if item.decided else Level.WARNING
    for name, column, words in _lacks(item):
        yield RULES[name].at(where.get(column, (1, 1)), words, level=open_level)
    title = where.get("title", (1, 1))
    text = f"{item.title[:_READ]}\n{item.end_state[:_READ]}"
    if found := PEOPLE_FIX.search(text):
        yield RULES["people-fix"].at(title, found.group())
    for name in _doubts(item.title.strip()[:_READ], text):
        yield RULES[name].at(title, item.title)


def _lacks(item: Proposal) -> Iterator[tuple[str, str, str]]:
    """Say which of owner, day and priority is missing: the rule, the column and the words there."""
    owner, due = item.owner.strip()[:_READ], item.due.strip()
    if owner.casefold() in _EMPTY:
        yield "no-owner", "owner", owner
    elif SEVERAL_OWNERS.search(owner):
        yield "several-owners", "owner", owner
    if not _DAY.search(due):
        yield "no-due", "due", due
    if item.priority.strip() not in PRIORITIES:
        yield "no-priority", "priority", item.priority.strip()


def _doubts(title: str, text: str) -> Iterator[str]:
    if _VAGUE.search(title):
        yield "vague-verb"
    elif _NO_VERB.search(title):
        yield "verb-first"
    if not _END.search(text):
        yield "no-end-state"


def of_page(page: Page) -> Iterator[Finding]:
    """Check the action items that a postmortem's table lists; what asks people to change is the language's to find."""
    section = page.section("Action items")
    if section is None:
        return
    number = 0
    for header, row in page.rows(section):
        columns = {_meaning(name): at for at, name in enumerate(header.cells)}
        if "title" not in columns:
            continue
        cells = {name: row.cells[at] for name, at in columns.items() if name and at < len(row.cells)}
        places = {name: _place(row, at) for name, at in columns.items() if name}
        number += 1
        if number == MOST_ITEMS + 1:
            yield RULES["too-many-items"].at(places["title"])
        yield from (it for it in quality(_proposal(cells), places) if it.rule != "people-fix")


def _proposal(cells: dict[str, str]) -> Proposal:
    bare = {name: text.replace("\\", "") for name, text in cells.items()}
    return Proposal(
        title=bare.get("title", ""), owner=bare.get("owner", ""), priority=bare.get("priority", ""),
        due=bare.get("due", ""), end_state=bare.get("end", ""),
        decided=not bare.get("jira", "").casefold().startswith("proposed"),
    )  # fmt: skip


def _meaning(heading: str) -> str:
    """Say which column this is, by the first word of its heading; '' for one that is not looked at."""
    first = heading.casefold().partition(" ")[0]
    return {
        "action": "title", "owner": "owner", "priority": "priority", "due": "due", "jira": "jira", "end": "end",
    }.get(first, "")  # fmt: skip


def _place(row: Row, at: int) -> tuple[int, int]:
    return row.line + 1, (row.columns[at] if at < len(row.columns) else row.columns[0]) + 1
