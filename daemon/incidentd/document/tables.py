"""The tables that the document and the postmortem share: alerts, runs, pages, messages, action items."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from incidentd.actionitems import ActionItem
from incidentd.document.facts import IncidentFacts, ordered
from incidentd.document.spans import within
from incidentd.document.words import LONG, link, said, table, took
from incidentd.durations import about
from incidentd.pages import Page, PageState
from incidentd.playbooks import RunState
from incidentd.roles import Assignment, Participant
from incidentd.text import instant, near
from incidentd.timeline import Entry

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


def alerts_table(facts: IncidentFacts, *, most: int | None = None) -> str:
    """List the alerts, the earliest first."""
    return table(
        ("Alert", "Status", "Began", "Ended", "Source"),
        (
            (
                said(a.title), said(a.status), instant(a.starts_at), instant(a.ends_at),
                link("open", within(a.link, facts.span)) if a.link else "",
            )
            for a in sorted(facts.alerts, key=lambda a: a.starts_at)
        ),
        most=most,
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
    day = facts.incident.declared_at
    steps = [f"- {near(e.at, day)}: {said(e.text, LONG)}" for e in ordered(facts) if e.kind.startswith("run.")]
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


def people(facts: IncidentFacts) -> str:
    """List who was called and who came, with their roles and what they were asked for; below, the pages."""
    known = table(
        ("Person", "Team", "Roles (UTC)", "Asked to", "Paged", "Answered", "Joined", "Released"),
        (
            (
                said(one.person), said(one.team) or "-", _roles_of(facts, one), said(one.asked) or "-",
                *(instant(at) if at else "-" for at in (one.paged_at, one.acked_at, one.joined_at, one.released_at)),
            )
            for one in facts.people
        ),
    )  # fmt: skip
    return "\n\n".join(part for part in (known, pages_table(facts)) if part)


def _roles_of(facts: IncidentFacts, one: Participant) -> str:
    """Name the roles that somebody had, and from when to when."""
    held = (it for it in facts.incident.roles if it.person == one.person)
    return ", ".join(f"{it.role.title} {_span_of(it, facts.incident.declared_at)}" for it in held) or "-"


def _span_of(it: Assignment, day: datetime) -> str:
    since, until = (near(at, day).removesuffix(" UTC") for at in (it.since, it.until))
    return f"since {since}" if it.until is None else f"{since} to {until}"


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


def graphs_shown(facts: IncidentFacts) -> str:
    """Show what was measured, as it was drawn last."""
    return "\n\n".join(
        f"![Graph {it.number}]({it.link})  \n{said(it.title)}; drawn {instant(it.at)}" for it in facts.graphs
    )


def source_link(entry: Entry) -> str:
    """Give the link that an entry brought along, if it is one that may be shown."""
    url = entry.data.get("link")
    return link("open", url) if isinstance(url, str) and url else ""
