"""What a draft is made of: an incident's facts without what its own postmortem put on the timeline."""

from __future__ import annotations

import re
from dataclasses import replace

from incidentd.document import IncidentFacts
from incidentd.postmortem.markup import Page
from incidentd.timeline import Entry

OWN = "postmortem."
"""How the kinds of the entries begin that tell of a postmortem."""
IN_KEYS = "/postmortem/"
"""What stands in the keys of the messages about a postmortem."""
_NOBODY = re.compile(r"(?:none|nobody|nothing|zero|no\b|0\b)", re.IGNORECASE)


def facts_for(facts: IncidentFacts) -> IncidentFacts:
    """Leave out what tells of the postmortem itself: it is no part of what happened."""
    kept = tuple(it for it in facts.entries if not _is_own(it))
    own = [it for it in kept if it.subject == facts.incident.key]
    last = max(own, key=lambda it: it.seq).hash if own else facts.head_hash
    return replace(facts, entries=kept, head_hash=last)


def _is_own(entry: Entry) -> bool:
    return entry.kind.startswith(OWN) or IN_KEYS in str(entry.data.get("key", ""))


def users_affected(text: str) -> bool:
    """Say whether users were affected, as the postmortem's own table says; they were when it does not say."""
    page = Page(text)
    section = page.section("Problem summary")
    rows = list(page.rows(section)) if section else []
    said = next((row.cells[1] for _, row in rows if row.cells[0].startswith("User impact") and len(row.cells) > 1), "")
    return not _NOBODY.match(said)


def data_lost(text: str) -> bool:
    """Say whether data was lost, as the postmortem's own table says; it was not when that is open."""
    page = Page(text)
    section = page.section("Problem summary")
    rows = list(page.rows(section)) if section else []
    said = next((row.cells[1] for _, row in rows if row.cells[0].startswith("Data loss") and len(row.cells) > 1), "")
    return bool(said) and not said.startswith(("_", "-")) and not _NOBODY.match(said)
