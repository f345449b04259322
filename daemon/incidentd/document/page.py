"""The incident document: one page of Markdown that says how an incident stands, made anew from what is recorded.

Nothing is ever typed into it, so nothing typed is ever overwritten. What strangers wrote (labels, annotations, notes)
is escaped; times are UTC.
"""

from __future__ import annotations

import re

from incidentd.document import human
from incidentd.document.alike import alike_table
from incidentd.document.facts import IncidentFacts, todos
from incidentd.document.head import header
from incidentd.document.messages import UPDATE, events, messages_table, update_in_short
from incidentd.document.tables import (
    VERDICTS,
    alerts_table,
    answer,
    automation,
    graphs_shown,
    items_table,
    people,
    source_link,
)
from incidentd.document.words import (
    LONG,
    MOST_ROWS,
    NOTHING,
    NOTHING_AT_ALL,
    day_and_time,
    finished,
    link,
    said,
    sentence,
    table,
    took,
)
from incidentd.incidents import ACTIVE, Status
from incidentd.pages import PageState
from incidentd.playbooks import FINISHED, Run
from incidentd.playbooks.waiting import waiting
from incidentd.records import SectionName
from incidentd.text import count, instant, near
from incidentd.timeline import INCIDENTD, Actor, Entry

_UNWRITTEN = (
    "Nobody has written yet who is affected and how many, since when, what it costs, whether data are lost, and which "
    "workaround there is."
)
_NEVER_WRITTEN = "Who was affected, and how, nobody has written."


def render(facts: IncidentFacts) -> str:
    """Write the document as Markdown, the most important first; the timeline is newest first while it is live."""
    live = facts.incident.status in ACTIVE
    nothing = NOTHING if live else NOTHING_AT_ALL
    sections = [
        ("Summary", _summary(facts)),
        ("Impact now" if live else "Impact", _impact(facts)),
        ("Current actions" if live else "Actions", _current_actions(facts)),
        ("Hypotheses", human.hypotheses_table(facts.records)),
        ("Changes made to production", human.changes_table(facts.records)),
        ("Exit criteria", human.criteria_list(facts.records)),
        ("Decisions", human.decisions_table(facts.records)),
        ("Alerts", alerts_table(facts, most=MOST_ROWS)),
        *([("Graphs", graphs_shown(facts))] if facts.graphs else []),
        *([("Where to look", _pointers(facts))] if facts.pointers else []),
        *([("Similar past incidents", alike_table(facts.alike))] if facts.alike else []),
        ("Automation", automation(facts)),
        ("People paged and joined", people(facts)),
        ("Communication log", messages_table(facts, most=MOST_ROWS)),
        ("TODO for later", _todo_list(facts)),
        *([("Action items", items_table(facts.items))] if facts.items else []),
        ("Timeline", _timeline(facts, newest_first=live)),
    ]
    parts = [header(facts), *(f"## {title}\n\n{body or nothing}" for title, body in sections), _end(facts)]
    return finished(parts)


def _summary(facts: IncidentFacts) -> str:
    incident = facts.incident
    sentences = [_alerts_in_words(facts)]
    moments = {
        "acknowledged": incident.acknowledged_at,
        "mitigated": incident.mitigated_at,
        "resolved": incident.resolved_at,
    }
    after = [f"{word} after {took(incident.declared_at, at)}" for word, at in moments.items() if at]
    sentences.append(f"It was {', '.join(after)}." if after else "Nobody has acknowledged it yet.")
    if incident.cause:  # one that was refuted stands in the timeline alone
        sentences.append(f"What contributed: {sentence(incident.cause)}")
    if incident.resolution:
        sentences.append(f"Resolution: {sentence(incident.resolution)}")
    made = " ".join(sentence for sentence in sentences if sentence)
    words = human.written(facts, SectionName.SUMMARY)
    return f"{words}\n\n{made}" if words else made


def _alerts_in_words(facts: IncidentFacts) -> str:
    firing = sum(alert.status == "firing" for alert in facts.alerts)
    return f"It has {count(len(facts.alerts), 'alert')}, {firing or 'none'} of them firing." if facts.alerts else ""


def _impact(facts: IncidentFacts) -> str:
    incident = facts.incident
    means = f"{said(incident.severity)} means: {said(facts.severity_means)}." if facts.severity_means else ""
    over = incident.mitigated_at or incident.resolved_at
    if incident.status in ACTIVE and incident.status is not Status.MITIGATED:
        now = f"Going on since {instant(incident.impact_started_at)} (estimated)."
    elif incident.status is Status.MERGED and over is None:
        it = incident.merge
        home = f"INC-{it.into} since {instant(it.at)}" if it else "another incident"  # it was taken out again later
        now = f"Part of {home}; whether the impact goes on stands there."
    else:
        lasted = took(incident.impact_started_at, over)
        now = f"Over{f' since {instant(over)}; it lasted {lasted}' if lasted else ''}."
    if words := human.written(facts, SectionName.IMPACT):
        made = f"{means} {now}".strip()
        # what was written while it went on reads as if it still did, so its end comes first
        return f"{words}\n\n{made}" if now.startswith("Going on") else f"{made}\n\n{words}"
    return f"{means} {now} {_UNWRITTEN if now.startswith('Going on') else _NEVER_WRITTEN}".strip()


def _current_actions(facts: IncidentFacts) -> str:
    running = [
        (f"{run.key} {said(run.playbook)}", "playbook", instant(run.started_at), *_due(run))
        for run in facts.runs
        if run.state not in FINISHED
    ]
    called = [
        (
            f"Answer {page.key}", said(", ".join(page.paged)) or "nobody yet", instant(page.started_at),
            instant(page.started_at + page.respond_within), answer(page),
        )
        for page in facts.pages
        if page.state is PageState.OPEN
    ]  # fmt: skip
    return table(
        ("Action", "Owner", "Started", "Due", "State"),
        [*called, *running, *human.task_rows(facts.records)],
        most=MOST_ROWS,
    )


def _due(run: Run) -> tuple[str, str]:
    """Say until when a run has time, and how it stands: what waits for people says for whom."""
    it = waiting(run)
    if it is None or it.until is None:
        return instant(run.ends_at), VERDICTS[run.state]
    return instant(it.until), f"waits for an answer: {said(it.who)}"


def _pointers(facts: IncidentFacts) -> str:
    return table(("Kind", "Of", "Link"), ((it.kind, said(it.what), link("open", it.url)) for it in facts.pointers))


def _todo_list(facts: IncidentFacts) -> str:
    return "\n".join(
        f"- {near(todo.at, facts.incident.declared_at)}, {said(todo.by)}: {said(todo.text, LONG)}"
        for todo in todos(facts)
    )


def _timeline(facts: IncidentFacts, *, newest_first: bool) -> str:
    entries = events(facts)  # of the messages the communication log tells
    return table(
        ("Time (UTC)", "Who", "What", "Link"),
        (
            (day_and_time(e.at), _who(e.actor), said(_what(facts, e), LONG), source_link(e))
            for e in (reversed(entries) if newest_first else entries)
        ),
        most=MOST_ROWS,
        newest_last=not newest_first,
    )


def _who(actor: Actor) -> str:
    """Name who did it and by which means, where that says more than the name."""
    means = f" ({said(actor.via)})" if actor.via not in (actor.name, INCIDENTD.via) else ""
    return f"{said(actor.name)}{means}"


def _what(facts: IncidentFacts, entry: Entry) -> str:
    """Say what happened; in short where the whole stands elsewhere in the document."""
    reason = facts.incident.reason
    match entry.kind:
        case "incident.declared" if reason and entry.text.startswith(reason):
            after = entry.text.removeprefix(reason).strip()
            return (
                f"Declared {facts.incident.declared_severity}, for the reason at the top.{f' {after}' if after else ''}"
            )
        case "hold.declared" if entry.text == reason:
            return f"{entry.subject} is declared, for the reason at the top."
        case kind if kind == UPDATE and "audience" in entry.data:
            return update_in_short(entry)
        case _:
            return " / ".join(line.strip() for line in entry.text.split("\n") if line.strip())


def _end(facts: IncidentFacts) -> str:
    recorded = count(len(facts.entries), "recorded event")
    head = f"; the last one is `{re.sub('[^0-9a-f]', '', facts.head_hash)}`" if facts.head_hash else ""
    return f"Made from {recorded}{head}. End of document."
