"""The message of a handover, drafted from the incident's document: each line in its order, current state first."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from incidentd.document.tables import VERDICTS
from incidentd.durations import about
from incidentd.handover.facts import Facts, Measured
from incidentd.handover.gate import fresh, section
from incidentd.handover.kinds import HumanLine, Item, Line, Message, titles
from incidentd.playbooks import FINISHED, Run, RunState
from incidentd.records import Choice, Decision, SectionName, Task, TaskState
from incidentd.roles import Role
from incidentd.templates import format_number
from incidentd.text import near
from incidentd.updates import Audience, Promise

_MOST = 20
"""Items of one line; how many older ones there are is said."""
_JUST_NOW = timedelta(minutes=2)
_PEOPLE = (Role.INCIDENT_COMMANDER, Role.OPERATIONS_LEAD, Role.COMMUNICATIONS_LEAD)
_TOLD = (Audience.INTERNAL, Audience.EXTERNAL)
_PLACES = (SectionName.CHANNEL, SectionName.CALL, SectionName.DASHBOARD, SectionName.STATUS_PAGE)


def draft(facts: Facts, now: datetime) -> Message:
    """Write the message as things stand."""
    incident = facts.incident
    head = f"HANDOVER {incident.key} {incident.title} — {titles(facts.roles)}: {facts.sender} -> {facts.receiver}"
    state = f"{incident.peak_severity.upper()}, {incident.status}, {about(now - incident.declared_at)}"
    lines = (
        Line(name="NOW", human=True, items=_now(facts, now)),
        Line(name="CHANGED IN PRODUCTION AND STILL IN PLACE", items=_changes(facts)),
        Line(name="TRIED AND OUTCOME", items=_tried(facts, now)),
        Line(name="HYPOTHESES", human=True, items=_hypotheses(facts)),
        Line(name="RUNNING", items=_running(facts, now)),
        Line(name="DECISIONS WAITING", human=True, items=_decisions(facts, now)),
        Line(name="NEXT UPDATE PROMISED", items=(Item(text=_promised(facts, now)),)),
        Line(name="RISKS NEXT 2 h", human=True, items=_risks(facts)),
        Line(name="PEOPLE", items=(Item(text=_people(facts)),)),
        Line(name="WHERE", items=_where(facts)),
    )
    return Message(head=head, state=state, lines=lines)


def _typed(facts: Facts, line: HumanLine) -> str:
    found = section(facts.records, line)
    return " ".join(found.text.split()) if found else ""


def _now(facts: Facts, now: datetime) -> tuple[Item, ...]:
    impact = _typed(facts, HumanLine.NOW)
    said = fresh(facts.records, HumanLine.TREND, now)
    trend = said or (facts.measured[0].trend if facts.measured else "")
    figures = "; ".join(_figure(it, now) for it in facts.measured)
    parts = [
        f"impact {impact}" if impact else "",
        f"trend {trend}{f' ({figures})' if figures else ''}" if trend else "",
    ]
    text = "; ".join(filter(None, parts))
    return (Item(text=text),) if text else ()


def _figure(it: Measured, now: datetime) -> str:
    old = f" at {near(it.at, now)}" if it.at is not None and now - it.at > _JUST_NOW else ""
    return f"{it.name} {format_number(it.value)}{old} vs best {format_number(it.best)}"


def _changes(facts: Facts) -> tuple[Item, ...]:
    return _newest(
        Item(text=f"{it.key} {it.what}, by {it.made_by}, to undo: {it.undo or 'not known yet'}")
        for it in facts.records.changes
        if it.in_place
    )


def _tried(facts: Facts, now: datetime) -> tuple[Item, ...]:
    """Give what was done and what came of it, oldest first."""
    found: list[tuple[datetime, str]] = []
    for run in facts.runs:
        if run.state in FINISHED and run.state is not RunState.REFUSED:
            why = f" ({run.reason})" if run.reason else ""
            found.append((run.finished_at or now, f"{run.playbook} on {run.target} -> {VERDICTS[run.state]}{why}"))
    for task in facts.records.tasks:
        if task.state is not TaskState.OPEN:
            came = f"{task.state.value}{f': {task.result}' if task.result else ''}"
            found.append((task.ended_at or now, f"{task.key} {task.text} ({task.owner}) -> {came}"))
    for change in facts.records.changes:
        if change.undone_at is not None:
            found.append((change.undone_at, f"{change.key} {change.what} -> {change.outcome or 'undone'}"))
    return _newest(Item(text=text) for _, text in sorted(found, key=lambda one: one[0]))


def _hypotheses(facts: Facts) -> tuple[Item, ...]:
    kept = _newest(
        Item(text=f"{it.key} {it.text} — {it.state}, confidence {it.confidence}") for it in facts.records.hypotheses
    )
    typed = _typed(facts, HumanLine.HYPOTHESES)
    return (*kept, *((Item(text=typed),) if typed else ()))


def _running(facts: Facts, now: datetime) -> tuple[Item, ...]:
    tasks = sorted((it for it in facts.records.tasks if it.state is TaskState.OPEN), key=lambda it: it.due_at)
    runs = [it for it in facts.runs if it.state not in FINISHED]
    return _newest([*(_task(it, now) for it in tasks), *(_run(it, now) for it in runs)])


def _task(it: Task, now: datetime) -> Item:
    late = ", overdue" if it.due_at < now else ""
    taken = "" if it.acked_at else ", not acknowledged"
    return Item(text=f"{it.key} {it.text} — {it.owner} — due {near(it.due_at, now)}{late}{taken}")


def _run(it: Run, now: datetime) -> Item:
    ends = f" — due {near(it.ends_at, now)}" if it.ends_at else ""
    return Item(text=f"{it.key} {it.playbook} on {it.target} — {VERDICTS[it.state]}{ends}")


def _decisions(facts: Facts, now: datetime) -> tuple[Item, ...]:
    kept = _newest(_decision(it, now) for it in facts.records.decisions if it.state is Choice.PROPOSED)
    typed = _typed(facts, HumanLine.DECISIONS)
    return (*kept, *((Item(text=typed),) if typed else ()))


def _decision(it: Decision, now: datetime) -> Item:
    by = f" by {near(it.waits_until, now)}" if it.waits_until and not it.objections else ""
    against = ", against an objection" if it.objections else ""
    return Item(text=f"{it.key} {it.text}{by}, {it.decided_by} decides{against}")


def _promised(facts: Facts, now: datetime) -> str:
    return ", ".join(f"{audience} {_by(facts.promises.get(audience), now)}" for audience in _TOLD)


def _by(promise: Promise | None, now: datetime) -> str:
    if promise is None or promise.due_at is None:
        return "nothing promised"
    return f"{near(promise.due_at, now)}{' (overdue)' if promise.is_overdue(now) else ''}"


def _risks(facts: Facts) -> tuple[Item, ...]:
    risks, trigger = _typed(facts, HumanLine.RISKS), _typed(facts, HumanLine.ESCALATE_IF)
    text = "; ".join(filter(None, [risks, f"escalate if {trigger}" if trigger else ""]))
    return (Item(text=text),) if text else ()


def _people(facts: Facts) -> str:
    holders = " ".join(f"{role.short.upper()} {facts.holders.get(role) or 'nobody'}" for role in _PEOPLE)
    groups = {"on the way": facts.on_the_way, "can be released": facts.can_go, "observing": facts.observers}
    others = [
        f"{name}: {', '.join(people) or 'nobody'}" for name, people in groups.items() if people or name != "observing"
    ]
    return "; ".join([holders, *others])


def _where(facts: Facts) -> tuple[Item, ...]:
    base, records = facts.external_url, facts.records
    document = [Item(text="document", url=f"{base}/incidents/{facts.incident.key}")] if base else []
    rooms = [Item(text=f"channel {', '.join(facts.channels)}")] if facts.channels else []
    places = [
        Item(text=name.heading.lower(), url=text) if text.startswith(("http://", "https://"))
        else Item(text=f"{name.heading.lower()} {text}")
        for name in _PLACES
        if (text := records.text_of(name))
    ]  # fmt: skip
    graphs = [Item(text=f"graph: {title}", url=url) for title, url in facts.graphs]
    return tuple([*rooms, *places, *document, *graphs])


def _newest(items: Iterable[Item]) -> tuple[Item, ...]:
    """Keep the last ones, and count those before them."""
    found = tuple(items)
    left_out = len(found) - _MOST
    return found if left_out <= 0 else (Item(text=f"{left_out} before these, see the document"), *found[-_MOST:])
