"""What the API and the console read: queries on a snapshot that give JSON-ready values.

Times are RFC 3339, durations as Prometheus writes them, ids speakable (`INC-12`). Lists come in pages with a cursor
that stays right while new things arrive.
"""

from __future__ import annotations

from incidentd.store.views.alerts import alerts
from incidentd.store.views.counts import state_counts
from incidentd.store.views.lists import action_items, holds, incidents, pages, quarantine, runs, timeline
from incidentd.store.views.paging import Ask, Listed
from incidentd.store.views.shapes import shape
from incidentd.store.views.single import (
    action_item,
    hold,
    incident,
    overview,
    page,
    page_with_subject,
    postmortem,
    run,
    speakable,
)

__all__ = [
    "Ask", "Listed", "action_item", "action_items", "alerts", "hold", "holds", "incident", "incidents", "overview",
    "page", "page_with_subject", "pages", "postmortem", "quarantine", "run", "runs", "shape", "speakable",
    "state_counts", "timeline",
]  # fmt: skip
