"""The incident document: one page of Markdown that says how an incident stands, made anew from what is recorded.

Nothing is ever typed into it, so nothing typed is ever overwritten. What strangers wrote (labels, annotations, notes)
is escaped; times are UTC.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote, urlsplit

from incidentd.actionitems import ActionItem
from incidentd.durations import about
from incidentd.incidents import ACTIVE, Incident, Status
from incidentd.pages import Page, PageState
from incidentd.playbooks import FINISHED, Run, RunState
from incidentd.roles import Assignment, Role, effective_holder
from incidentd.text import clock, count, instant, markdown
from incidentd.timeline import Entry

NOTHING = "Nothing recorded yet."
LONG = 2000
"""Characters of a note or a message that are shown."""

# a note's first line may begin with its author's name
_TODO = re.compile(r"^[ \t]*(?:[\w.@-]{1,64}:[ \t]+)?TODO:[ \t]*(\S.*)$", re.MULTILINE)
_BREAKS = re.compile("[\u2028\u2029]")
_MESSAGES = ("page.sent", "page.escalated", "update.")

VERDICTS = {
    RunState.PROPOSED: "waits for approval",
    RunState.RUNNING: "running",
    RunState.VERIFYING: "being verified",
    RunState.VERIFIED: "helped: verified",
    RunState.FAILED: "failed",
    RunState.VERIFY_FAILED: "ran, and its verification failed",
    RunState.INTERRUPTED: "interrupted: somebody has to look",
    RunState.DONE: "ran to its end, never verified",
    RunState.REFUSED: "refused by a guard",
    RunState.STOPPED: "stopped by somebody: what was begun may be half done",
}
"""What a run came to; only a verification that held counts as a success."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertLine:
    """An alert of the incident, as one line."""

    title: str
    status: str
    starts_at: datetime
    ends_at: datetime | None = None
    link: str = ""
    """Where it can be looked at; shown when it is an http or https address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentFacts:
    """Everything that the document and the postmortem are made of."""

    incident: Incident
    entries: tuple[Entry, ...] = ()
    """Its timeline and, when it was held before, the hold's, each in the order of its chain."""
    alerts: tuple[AlertLine, ...] = ()
    pages: tuple[Page, ...] = ()
    runs: tuple[Run, ...] = ()
    items: tuple[ActionItem, ...] = ()
    severity_means: str = ""
    external_url: str = ""
    head_hash: str = ""
    """The hash of the timeline's last entry, printed at the end so that a copy cut short shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Todo:
    """Something that somebody wants done later, said in a note."""

    at: datetime
    by: str
    text: str


def render(facts: IncidentFacts) -> str:
    """Write the document as Markdown, the most important first; the timeline is newest first while it is live."""
    live = facts.incident.status in ACTIVE
    sections = [
        ("Summary", _summary(facts)),
        ("Impact now", _impact(facts)),
        ("Current actions", _current_actions(facts)),
        ("Alerts", alerts_table(facts)),
        ("Automation", automation(facts)),
        ("People paged and joined", pages_table(facts)),
        ("Communication log", messages_table(facts)),
        ("TODO for later", _todo_list(facts)),
        *([("Action items", items_table(facts.items))] if facts.items else []),
        ("Timeline", _timeline(facts, newest_first=live)),
    ]
    parts = [_header(facts), *(f"## {title}\n\n{body or NOTHING}" for title, body in sections), _end(facts)]
    return finished(parts)


def finished(parts: Iterable[str]) -> str:
    """Join the parts of a page; lone surrogates, which no UTF-8 can carry, become question marks."""
    return ("\n\n".join(parts) + "\n").encode("utf-8", "replace").decode("utf-8")


def said(value: str, limit: int = 500) -> str:
    """Make a stranger's value inert and one line, for a table's cell or the middle of a sentence."""
    return markdown(_BREAKS.sub(" ", value), limit).strip()


def sentence(value: str) -> str:
    """Make a stranger's value inert and end it as a sentence ends."""
    return said(value, LONG).rstrip(".") + "."


def link(label: str, url: str) -> str:
    """Make a link of an http or https address; of anything else only the label is left. The label is our own word."""
    try:
        split = urlsplit(url)
    except ValueError:
        return label
    if split.scheme not in ("http", "https") or not split.hostname or re.search(r"[\x00-\x20\x7f]", url):
        return label
    safe = quote(url.encode("utf-8", "replace"), safe="%/:?#@!$&*+,;=~-._").replace("&", "&amp;")
    return f"[{label}]({safe})"


def table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Make a table of cells that are Markdown already; '' when there are no rows."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([f"| {' | '.join(header)} |", "|" + " --- |" * len(header), *lines]) if lines else ""


def ordered(facts: IncidentFacts) -> list[Entry]:
    """Give the timeline, oldest first; what happened at one instant stays in the order in which it came."""
    return sorted(facts.entries, key=lambda entry: entry.at)


def todos(facts: IncidentFacts) -> list[Todo]:
    """Find what was asked for in notes, by lines that begin with `TODO:`."""
    return [
        Todo(at=entry.at, by=entry.actor.name, text=text.strip())
        for entry in ordered(facts)
        if entry.kind == "note"
        for text in _TODO.findall(entry.text)
    ]


def took(start: datetime | None, end: datetime | None) -> str:
    """Say how long it took from one instant to another; '' while one of them has not come.

    An end before the start, as when a hold's page was answered before the hold was declared, took no time.
    """
    return about(max(end - start, timedelta(0))) if start and end else ""


def person_in(role: Assignment) -> str:
    """Say who had a role, and from when to when."""
    until = f" until {instant(role.until)}" if role.until else ""
    because = f", {said(role.because)}" if role.because else ""
    return f"{said(role.person)} (since {instant(role.since)}{until}{because})"


def alerts_table(facts: IncidentFacts) -> str:
    """List the alerts, the earliest first."""
    return table(
        ("Alert", "Status", "Began", "Ended", "Source"),
        (
            (
                said(a.title), said(a.status), instant(a.starts_at), instant(a.ends_at),
                link("open", a.link) if a.link else "",
            )
            for a in sorted(facts.alerts, key=lambda a: a.starts_at)
        ),
    )  # fmt: skip


def automation(facts: IncidentFacts) -> str:
    """List the playbook runs with their verdicts, and below them each step as it was recorded."""
    runs = table(
        ("Run", "Playbook", "Target", "Mode", "Verdict", "Started", "Took", "Why"),
        (
            (
                run.key, said(run.playbook), said(run.target), run.mode.value, VERDICTS[run.state],
                instant(run.started_at), took(run.started_at, run.finished_at), said(run.reason),
            )
            for run in sorted(facts.runs, key=lambda run: run.id)
        ),
    )  # fmt: skip
    steps = [f"- {clock(e.at)}: {said(e.text, LONG)}" for e in ordered(facts) if e.kind.startswith("run.")]
    return "\n\n".join(part for part in (runs, "\n".join(steps)) if part)


def pages_table(facts: IncidentFacts) -> str:
    """List the pages: who was called, and whether somebody answered in time."""
    return table(
        ("Page", "Policy", "Respond within", "Paged", "Started", "Answer"),
        (
            (
                page.key, said(page.policy), about(page.respond_within), said(", ".join(page.paged)) or "nobody yet",
                instant(page.started_at), answer(page),
            )
            for page in sorted(facts.pages, key=lambda page: page.id)
        ),
    )  # fmt: skip


def answer(page: Page) -> str:
    """Say who answered a page, after how long, and whether that was in time."""
    if page.acked_at is not None:
        late = page.breached or page.acked_at - page.counts_from > page.respond_within
        return f"{said(page.acked_by) or 'somebody'} after {took(page.started_at, page.acked_at)}" + (
            ", late" if late else ""
        )
    if page.state is PageState.OPEN:
        return "nobody yet, late" if page.breached else "nobody yet"
    return "ended before anybody answered"


def messages_table(facts: IncidentFacts) -> str:
    """List what was sent to people, the earliest first."""
    return table(
        ("Time (UTC)", "Kind", "Message"),
        (
            (_when(entry.at), said(entry.kind), said(entry.text, LONG))
            for entry in ordered(facts)
            if entry.kind.startswith(_MESSAGES)
        ),
    )


def items_table(items: Iterable[ActionItem], more: Iterable[tuple[str, ...]] = ()) -> str:
    """List action items, then rows that are none yet."""
    rows = [
        (
            item.key, said(item.title), item.type.value, said(item.priority), said(item.owner), str(item.due or ""),
            link(said(item.jira_key), item.jira_url) if item.jira_key else item.state.value,
        )
        for item in sorted(items, key=lambda item: item.id)
    ]  # fmt: skip
    return table(
        ("#", "Action (verb first, verifiable end)", "Type", "Priority", "Owner (one)", "Due", "Jira"), [*rows, *more]
    )


def _header(facts: IncidentFacts) -> str:
    incident = facts.incident
    state = {
        Status.DECLARED: incident.declared_at, Status.INVESTIGATING: incident.acknowledged_at,
        Status.IDENTIFIED: incident.identified_at, Status.MITIGATED: incident.mitigated_at,
        Status.RESOLVED: incident.resolved_at,
    }.get(incident.status)  # fmt: skip
    since = f" since {instant(state)}" if state else ""
    severities = f"(declared {said(incident.declared_severity)}, peak {said(incident.peak_severity)})"
    lines = [
        f"Severity {said(incident.severity)} {severities} | State {incident.status.value}{since}"
        f" | Declared {instant(incident.declared_at)} by {said(incident.declared_by)} ({said(incident.reason)})",
        f"Impact started {instant(incident.impact_started_at)} (est.) | Detected {instant(incident.detected_at)}"
        f" | Acknowledged {instant(incident.acknowledged_at)} | Mitigated {instant(incident.mitigated_at)}"
        f" | Resolved {instant(incident.resolved_at)}",
        " | ".join(_holder(role, incident) for role in Role),
        f"Service {said(incident.service) or '-'} | Teams {said(', '.join(incident.teams)) or '-'}{_where(facts)}",
    ]
    return f"# {incident.key} {said(incident.title)}\n\n" + "  \n".join(lines)


def _where(facts: IncidentFacts) -> str:
    url = f"{facts.external_url}/incidents/{facts.incident.key}"
    return f" | {link('Look at it', url)}" if facts.external_url else ""


def _holder(role: Role, incident: Incident) -> str:
    for assignment in incident.roles:
        if assignment.role is role and assignment.until is None:
            return f"{role.title} {person_in(assignment)}"
    holder = effective_holder(role, incident.roles)
    return f"{role.title} {said(holder)} (not delegated)" if holder else f"{role.title} nobody yet"


def _summary(facts: IncidentFacts) -> str:
    incident = facts.incident
    firing = sum(alert.status == "firing" for alert in facts.alerts)
    sentences = [
        f"Declared {said(incident.declared_severity)} at {instant(incident.declared_at)}: {sentence(incident.reason)}",
        f"It has {count(len(facts.alerts), 'alert')}, {firing} of them firing." if facts.alerts else "",
    ]
    moments = {
        "acknowledged": incident.acknowledged_at,
        "mitigated": incident.mitigated_at,
        "resolved": incident.resolved_at,
    }
    after = [f"{word} after {took(incident.declared_at, at)}" for word, at in moments.items() if at]
    sentences.append(f"It was {', '.join(after)}." if after else "Nobody has acknowledged it yet.")
    if incident.resolution:
        sentences.append(f"Resolution: {sentence(incident.resolution)}")
    return " ".join(sentence for sentence in sentences if sentence)


def _impact(facts: IncidentFacts) -> str:
    incident = facts.incident
    means = f"{said(incident.severity)} means: {said(facts.severity_means)}." if facts.severity_means else ""
    if incident.status in ACTIVE and incident.status is not Status.MITIGATED:
        now = f"Going on since {instant(incident.impact_started_at)} (estimated)."
    else:
        over = incident.mitigated_at or incident.resolved_at
        lasted = took(incident.impact_started_at, over)
        now = f"Over{f' since {instant(over)}; it lasted {lasted}' if lasted else ''}."
    return f"{means} {now} Numbers: nothing recorded yet.".strip()


def _current_actions(facts: IncidentFacts) -> str:
    running = [
        (
            f"{run.key} {said(run.playbook)}",
            "playbook",
            instant(run.started_at),
            instant(run.ends_at),
            VERDICTS[run.state],
        )
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
    return table(("Action", "Owner", "Started", "Due", "State"), [*called, *running])


def _todo_list(facts: IncidentFacts) -> str:
    return "\n".join(f"- {clock(todo.at)}, {said(todo.by)}: {said(todo.text, LONG)}" for todo in todos(facts))


def _timeline(facts: IncidentFacts, *, newest_first: bool) -> str:
    entries = ordered(facts)
    return table(
        ("Time (UTC)", "Who", "What", "Link"),
        (
            (_when(e.at), f"{said(e.actor.name)} ({said(e.actor.via)})", said(e.text, LONG), source_link(e))
            for e in (reversed(entries) if newest_first else entries)
        ),
    )


def source_link(entry: Entry) -> str:
    """Give the link that an entry brought along, if it is one that may be shown."""
    url = entry.data.get("link")
    return link("open", url) if isinstance(url, str) and url else ""


def _when(at: datetime) -> str:
    return instant(at).removesuffix(" UTC")


def _end(facts: IncidentFacts) -> str:
    recorded = count(len(facts.entries), "recorded event")
    head = f"; the last one is `{re.sub('[^0-9a-f]', '', facts.head_hash)}`" if facts.head_hash else ""
    return f"Made from {recorded}{head}. End of document."
