"""The outbox as units of work: what a message about a page has to say, and what became of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from incidentd import escalation, holds
from incidentd.engine import paging
from incidentd.holds import Hold, HoldState
from incidentd.incidents import Incident
from incidentd.oncall import Target
from incidentd.pages import Facts, Occasion, Page, PageState
from incidentd.playbooks import FINISHED
from incidentd.settings import Settings
from incidentd.store import Tx, chain, inbox, jobs, subjects, things
from incidentd.store.jobs import Job
from incidentd.timeline import INCIDENTD, Draft

_NEEDS_AN_ANSWER = frozenset({Occasion.FIRST, Occasion.ESCALATION, Occasion.AGAIN, Occasion.DECLARED})
_LINKED = (("Runbook", "runbook_url"), ("Dashboard", "dashboard_url"), ("Dashboard", "dashboard"))


@dataclass(frozen=True, slots=True, kw_only=True)
class PageMessage:
    """What is known for a message about a page."""

    page: Page
    occasion: Occasion
    facts: Facts
    target: Target | None
    links: tuple[tuple[str, str], ...]

    def with_links(self, links: Iterable[tuple[str, str]]) -> Facts:
        """Give the facts with these links."""
        return replace(self.facts, links=tuple(links))


def page_message(tx: Tx, settings: Settings, job: Job) -> PageMessage | None:
    """Read what a message about a page has to say now; None when it asks for an answer that nobody needs any more."""
    page = things.get_page(tx, int(job.payload["page"]))
    occasion = Occasion(job.payload["occasion"])
    if occasion in _NEEDS_AN_ANSWER and page.state is not PageState.OPEN:
        return None
    about = _subject(tx, page.subject)
    known = settings.severities.get(about.severity)
    facts = Facts(
        severity=about.severity, means=known.means if known else "", since=about.impact_started_at,
        because=about.reason, tried=_tried(tx, page.subject), declares_at=_declares_at(about),
    )  # fmt: skip
    step = escalation.sent_as(page, int(job.payload["step"]))
    target = step.target if occasion in _NEEDS_AN_ANSWER else None
    return PageMessage(page=page, occasion=occasion, facts=facts, target=target, links=_links(tx, about))


def _declares_at(about: Hold | Incident) -> datetime | None:
    if isinstance(about, Hold) and about.state is HoldState.HOLDING:
        return holds.declares_at(about)
    return None


def held(tx: Tx, job: Job) -> Hold:
    """Read the hold that people are asked about."""
    return subjects.get_hold(tx, int(job.subject.removeprefix("HOLD-")))


def _subject(tx: Tx, subject: str) -> Hold | Incident:
    kind, _, number = subject.partition("-")
    return subjects.get_incident(tx, int(number)) if kind == "INC" else subjects.get_hold(tx, int(number))


def _tried(tx: Tx, subject: str) -> tuple[str, ...]:
    runs = things.runs_of(tx, subject)
    incident = subjects.get_incident(tx, int(subject.removeprefix("INC-"))) if subject.startswith("INC-") else None
    if incident is not None and incident.hold_id is not None:
        runs = [*things.runs_of(tx, f"HOLD-{incident.hold_id}"), *runs]
    return tuple(
        f"playbook {run.playbook} ({run.key}): {run.state.replace('_', ' ')}"
        + (f", {run.reason}" if run.reason else "")
        for run in runs
        if run.state in FINISHED or run.state == "running"
    )


def _links(tx: Tx, about: Hold | Incident) -> tuple[tuple[str, str], ...]:
    members = subjects.members(tx, about.key)[:1]
    if not members:
        return ()
    rows = inbox.alerts_of(tx, members[0].source, [members[0].fingerprint])
    found = [(name, row.annotations[key]) for row in rows for name, key in _LINKED if row.annotations.get(key)]
    return (*found, *(("Alert", row.generator_url) for row in rows if row.generator_url))


def sent(tx: Tx, job: Job, *, channel: str, repeat: bool) -> bool:
    """Note that a message was taken; False when the lease was lost."""
    if not jobs.complete(tx, job):
        return False
    again = ", perhaps for the second time" if repeat else ""
    text = f"Sent to {channel}{again}."
    if "page" in job.payload:
        text = f"PAGE-{job.payload['page']}: {text[0].lower()}{text[1:]}"
    chain.append(tx, job.subject, INCIDENTD, [Draft("page.sent", text, {"key": job.ukey, "channel": channel})])
    return True


def given_up(tx: Tx, settings: Settings, job: Job, *, channel: str, why: str) -> bool:
    """Say aloud that a message could not be delivered. When none of its step could, the page goes on at once."""
    if not jobs.bury(tx, job, why):
        return False
    text = f"Could not reach {channel}: {why}"
    chain.append(tx, job.subject, INCIDENTD, [Draft("page.failed", text, {"key": job.ukey, "channel": channel})])
    if "page" in job.payload:
        paging.delivery_failed(tx, settings, job, channel=channel)
    return True
