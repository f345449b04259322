"""The incident document, the words that it is written in, and the facts that it and the postmortem are made of."""

from __future__ import annotations

from incidentd.document.alike import Alike, alike, alike_table, helped
from incidentd.document.facts import AlertLine, GraphLine, IncidentFacts, Pointer, Todo, ordered, todos
from incidentd.document.messages import events, messages_table
from incidentd.document.page import render
from incidentd.document.past import as_of, records_of_version
from incidentd.document.spans import Span, query_link, span_of, within
from incidentd.document.tables import (
    VERDICTS,
    alerts_table,
    answer,
    automation,
    graphs_shown,
    items_table,
    pages_table,
    source_link,
)
from incidentd.document.words import LONG, NOTHING, finished, link, person_in, said, sentence, table, took

__all__ = [
    "LONG", "NOTHING", "VERDICTS", "AlertLine", "Alike", "GraphLine", "IncidentFacts", "Pointer", "Span", "Todo",
    "alerts_table", "alike", "alike_table", "answer", "as_of", "automation", "events", "finished", "graphs_shown",
    "helped", "items_table", "link", "messages_table", "ordered", "pages_table", "person_in", "query_link",
    "records_of_version", "render", "said", "sentence", "source_link", "span_of", "table", "todos", "took", "within",
]  # fmt: skip
