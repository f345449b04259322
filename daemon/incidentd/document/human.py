"""The sections of the document that are made of what people put down."""

from __future__ import annotations

import re
from datetime import timedelta

from incidentd.document.facts import IncidentFacts
from incidentd.document.spans import within
from incidentd.document.words import MOST_ROWS, day_and_time, link, prose, said, table, took
from incidentd.incidents import ACTIVE
from incidentd.records import (
    Change,
    Choice,
    Criterion,
    CriterionState,
    Decision,
    Records,
    Section,
    SectionName,
    Task,
    TaskState,
)
from incidentd.text import instant

_OLD = timedelta(hours=1)
_ADDRESS = re.compile(r"https?://\S+")


def written(facts: IncidentFacts, name: SectionName) -> str:
    """Give a section in its writer's words, and who wrote it when; '' while nobody did."""
    for one in facts.records.sections:
        if one.name is name and one.text:
            version = f", version {one.version}" if one.version > 1 else ""
            return f"{prose(one.text)}\n\nWritten by {said(one.by)}, {instant(one.at)}{version}{_age(facts, one)}."
    return ""


def _age(facts: IncidentFacts, one: Section) -> str:
    """Say how much older than the last that happened what somebody wrote is, where it may be true no more."""
    last = max((entry.at for entry in facts.entries), default=one.at)
    old = facts.incident.status in ACTIVE and last - one.at >= _OLD
    return f"; that was {took(one.at, last)} before the newest entry below" if old else ""


def addresses(facts: IncidentFacts) -> str:
    """Give where people talk and look, for the document's head; '' while nobody said."""
    found = []
    for name in (SectionName.CHANNEL, SectionName.CALL, SectionName.DASHBOARD, SectionName.STATUS_PAGE):
        if text := facts.records.text_of(name):
            found.append(f"{name.heading} {evidence(within(text, facts.span))}")
    return " | ".join(found)


def task_rows(records: Records) -> list[tuple[str, ...]]:
    """List the tasks, those that are open first."""
    ordered = sorted(records.tasks, key=lambda task: (task.state is not TaskState.OPEN, task.due_at, task.number))
    return [
        (f"{task.key} {said(task.text)}", said(task.owner), instant(task.given_at), instant(task.due_at), _state(task))
        for task in ordered
    ]


def _state(task: Task) -> str:
    if task.state is not TaskState.OPEN:
        return f"{task.state.value}: {said(task.result)}" if task.result else task.state.value
    taken = "not acknowledged" if task.acked_at is None else "at work"
    return f"{taken}, its time is over" if task.reminded_at is not None else taken


def hypotheses_table(records: Records) -> str:
    """List the hypotheses with their states."""
    return table(
        ("#", "Hypothesis", "State", "Confidence", "Evidence", "Owner"),
        (
            (
                it.key, said(it.text), it.state.value, it.confidence.value, evidence(it.evidence),
                said(it.owner) or "nobody",
            )
            for it in records.hypotheses
        ),
        most=MOST_ROWS,
    )  # fmt: skip


def evidence(text: str) -> str:
    """Write what speaks for something: a link that can be followed when it is one, else words."""
    return link("open", text) if _ADDRESS.fullmatch(text) else said(text)


def changes_table(records: Records) -> str:
    """List the changes made to production, those that are still in place first."""
    ordered = sorted(records.changes, key=lambda it: (not it.in_place, it.number))
    return table(
        ("#", "Time (UTC)", "What", "By", "Reversible how", "Reverted?"),
        (
            (
                it.key, day_and_time(it.made_at), _what(it), said(it.made_by), said(it.undo) or "not known yet",
                _reverted(it),
            )
            for it in ordered
        ),
        most=MOST_ROWS,
    )  # fmt: skip


def _what(it: Change) -> str:
    return f"{said(it.what)} ({said(it.run)}, put down by itself)" if it.run else said(it.what)


def _reverted(it: Change) -> str:
    if it.undone_at is None:
        return "**still in place**"
    return f"{said(it.outcome)} ({said(it.undone_by)}, {instant(it.undone_at)})"


def criteria_list(records: Records) -> str:
    """List the exit criteria, ticked when they are met or waived."""
    return "\n".join(f"- [{_tick(it)}] {it.key} {said(it.text)}{_settled(it)}" for it in records.criteria)


def _tick(it: Criterion) -> str:
    return " " if it.state is CriterionState.OPEN else "x"


def _settled(it: Criterion) -> str:
    if it.state is CriterionState.OPEN:
        return ""
    reason = f": {said(it.reason)}" if it.reason else ""
    return f" ({it.state.value} by {said(it.settled_by)}, {instant(it.settled_at)}{reason})"


def decisions_table(records: Records) -> str:
    """List what was decided, and what is proposed."""
    return table(
        ("#", "Time (UTC)", "Decision", "By", "Options not taken", "Objections"),
        (
            (
                it.key, day_and_time(it.made_at), f"{said(it.text)}{_standing(it)}", said(it.decided_by),
                said(it.options), "; ".join(f"{said(one.by)}: {said(one.text)}" for one in it.objections),
            )
            for it in records.decisions
        ),
        most=MOST_ROWS,
    )  # fmt: skip


def _standing(it: Decision) -> str:
    match it.state:
        case Choice.DECIDED:
            return ""
        case Choice.WITHDRAWN:
            return " (withdrawn)"
        case Choice.PROPOSED:
            waits = "; somebody objected" if it.objections else f" until {instant(it.waits_until)}"
            return f" (proposed{waits})"
