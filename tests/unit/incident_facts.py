"""One incident's story, as the store would give it: held, declared, answered late, handed over, healed, resolved."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from incidentd.actionitems import ActionItem, ItemState, ItemType
from incidentd.document import AlertLine, IncidentFacts
from incidentd.incidents import Incident, Status, Trigger
from incidentd.pages import Chain, Page, PageState
from incidentd.playbooks import Mode, Run, RunState
from incidentd.records import (
    Belief,
    Change,
    Choice,
    Confidence,
    Criterion,
    CriterionState,
    Decision,
    Hypothesis,
    Objection,
    Records,
    Section,
    SectionName,
    Task,
    TaskState,
)
from incidentd.roles import Assignment, Role
from incidentd.timeline import ALERTMANAGER, INCIDENTD, Actor, Draft, Entry, link

DAY = datetime(2026, 11, 24, tzinfo=UTC)
ANA, BEN = Actor(name="ana", via="api"), Actor(name="ben", via="link", key="page-9")
PLAYBOOK = Actor(name="drain-queue", via="playbook")


def at(clock: str) -> datetime:
    hours, minutes = clock.split(":")
    return DAY + timedelta(hours=int(hours), minutes=int(minutes))


def chain(subject: str, told: list[tuple[str, Actor, str, str, dict[str, Any]]]) -> tuple[Entry, ...]:
    entries: list[Entry] = []
    for seq, (clock, actor, kind, text, data) in enumerate(told, start=1):
        prev = entries[-1].hash if entries else ""
        draft = Draft(kind, text, data)
        entries.append(link(draft, subject=subject, seq=seq, at=at(clock), actor=actor, prev_hash=prev))
    return tuple(entries)


HOLD = chain(
    "HOLD-7",
    [
        ("14:00", ALERTMANAGER, "hold.opened", "Holding: declares at 14:30:00 UTC unless there is progress.", {}),
        ("14:10", ALERTMANAGER, "hold.progress", "Progress: 2 alerts firing, 3 at the best before.", {}),
        (
            "14:12",
            PLAYBOOK,
            "run.step",
            "RUN-3 restart-worker: exit 0 after 1.2s",
            {"link": "http://prom.example/graph"},
        ),
        ("14:20", PLAYBOOK, "run.failed", "RUN-3 failed: its verification did not hold.", {}),
        ("14:40", INCIDENTD, "hold.declared", "Declared: no progress for 30m; 2 firing at the best, 2 firing now.", {}),
    ],
)
OWN = chain(
    "INC-12",
    [
        ("14:40", INCIDENTD, "incident.declared", "Declared sev2: no progress for 30m.", {}),
        ("14:40", INCIDENTD, "page.sent", "PAGE-9 to ana/mail: accepted.", {}),
        ("14:45", INCIDENTD, "page.escalated", "PAGE-9: nobody answered for 5m, ben is paged.", {}),
        ("14:47", BEN, "page.acked", "ben has it.", {}),
        ("14:50", BEN, "note", "ben: the queue has no limit\nTODO: put a limit on the mail queue", {}),
        ("15:05", ANA, "role.assigned", "ana is Incident Commander.", {}),
        ("15:20", ALERTMANAGER, "alert.resolved", "All alerts are resolved.", {}),
        ("15:30", ANA, "incident.resolved", "Resolved by ana: drained by hand.", {}),
    ],
)
INCIDENT = Incident(
    id=12, title="Mail queue grows", status=Status.RESOLVED, severity="sev2", declared_severity="sev2",
    peak_severity="sev2", urgency="business_critical", trigger=Trigger.HOLD, reason="No progress for 30m",
    rule="queue-lag", source="prod", correlation_key="QueueLag/mail/prod", hold_id=7, service="mail",
    teams=("platform", "payments"), page_policy="platform", impact_started_at=at("13:58"), detected_at=at("14:00"),
    declared_at=at("14:40"), declared_by="time", acknowledged_at=at("14:47"), mitigated_at=at("15:20"),
    resolved_at=at("15:30"), resolution="Drained by hand.",
    roles=(
        Assignment(role=Role.INCIDENT_COMMANDER, person="ben", since=at("14:47"), until=at("15:05"), because="rest"),
        Assignment(role=Role.INCIDENT_COMMANDER, person="ana", since=at("15:05")),
        Assignment(role=Role.OPERATIONS_LEAD, person="ben", since=at("15:05")),
    ),
)  # fmt: skip
PAGE = Page(
    id=9, subject="INC-12", policy="platform", urgency="business_critical", respond_within=timedelta(minutes=5),
    state=PageState.ACKED, title="Mail queue grows", started_at=at("14:40"), chain=Chain(levels=()), breached=True,
    acked_at=at("14:47"), acked_by="ben", paged=("ana", "ben"),
)  # fmt: skip
RUN = Run(
    id=3, subject="HOLD-7", playbook="drain-queue", sha256="00", definition={}, state=RunState.VERIFY_FAILED,
    mode=Mode.AUTO, target="mail/worker-1", inputs={}, registers={}, source="prod", started_at=at("14:12"),
    finished_at=at("14:20"), reason="the queue did not shrink",
)  # fmt: skip
ITEM = ActionItem(
    id=4, uuid="0000-0004", subject="INC-12", title="Alert on the queue's growth, not its size", type=ItemType.DETECT,
    priority="P1", owner="cho", due=date(2026, 12, 24), state=ItemState.FILED, severity="sev2", created_at=at("15:31"),
    jira_key="OPS-41", jira_url="https://jira.example.org/browse/OPS-41",
)  # fmt: skip
RECORDS = Records(
    sections=(
        Section(
            number=1, version=2, by="cho", at=at("15:10"), name=SectionName.SUMMARY,
            text="Mail is an hour late.\n- nothing is lost\nTODO: tell the shops next time\n\nWe drain it by hand.",
        ),
        Section(number=2, by="cho", at=at("15:00"), name=SectionName.IMPACT, text="4,000 customers wait for mail."),
        Section(number=3, by="cho", at=at("15:00"), name=SectionName.CHANNEL, text="#inc-12"),
        Section(
            number=5, by="cho", at=at("15:00"), name=SectionName.DASHBOARD, text="https://grafana.example.org/d/mail"
        ),
    ),
    hypotheses=(
        Hypothesis(
            number=1, version=2, by="ben", at=at("15:02"), text="a worker holds the lock", state=Belief.SUPPORTED,
            confidence=Confidence.HIGH, owner="ben", evidence="https://grafana.example.org/d/locks",
        ),
        Hypothesis(number=2, by="ana", at=at("15:03"), text="the disk is full", state=Belief.REFUTED, evidence="40%"),
    ),
    decisions=(
        Decision(
            number=1, version=2, by="ana", at=at("15:09"), text="drain by hand", decided_by="ana", made_at=at("15:04"),
            options="wait for the restart", objections=(Objection(by="dia", text="slow", at=at("15:06")),),
            waits_until=at("15:09"),
        ),
        Decision(
            number=2, by="ben", at=at("15:12"), text="stop the newsletter", state=Choice.PROPOSED, decided_by="ben",
            made_at=at("15:12"), waits_until=at("15:17"),
        ),
    ),
    tasks=(
        Task(
            number=1, version=3, by="ben", at=at("15:15"), text="count what waits", owner="ben",
            box=timedelta(minutes=10), given_by="ana", given_at=at("15:05"), due_at=at("15:15"), state=TaskState.DONE,
            acked_at=at("15:06"), ended_at=at("15:15"), result="none is left",
        ),
        Task(
            number=2, version=2, by="time", at=at("15:25"), text="put the limit back", owner="dia",
            box=timedelta(minutes=10), given_by="ana", given_at=at("15:15"), due_at=at("15:25"),
            reminded_at=at("15:25"),
        ),
    ),
    changes=(
        Change(
            number=1, version=2, by="ben", at=at("15:28"), what="rate limit off", made_by="ben", made_at=at("15:08"),
            undo="limit 100", undone_by="ben", undone_at=at("15:28"), outcome="undone",
        ),
        Change(
            number=2, by="drain-queue", at=at("14:20"), what="drain-queue on mail/worker-1", made_by="drain-queue",
            made_at=at("14:12"), run="RUN-3",
        ),
    ),
    criteria=(
        Criterion(
            number=1, version=2, by="ana", at=at("15:27"), text="queue below 100 for 5 min", state=CriterionState.MET,
            settled_by="ana", settled_at=at("15:27"),
        ),
        Criterion(
            number=2, version=2, by="ana", at=at("15:29"), text="shops told", state=CriterionState.WAIVED,
            settled_by="ana", settled_at=at("15:29"), reason="it is night there",
        ),
        Criterion(number=3, by="ana", at=at("15:29"), text="limit is back"),
    ),
)  # fmt: skip
STORY = IncidentFacts(
    incident=INCIDENT,
    entries=HOLD + OWN,
    alerts=(
        AlertLine(
            title='QueueLag{queue="mail"}', status="resolved", starts_at=at("13:58"), ends_at=at("15:20"),
            link="http://prom.example/graph?g0.expr=lag&g0.tab=1",
        ),
        AlertLine(title="WorkerStuck", status="resolved", starts_at=at("14:05"), ends_at=at("15:18")),
    ),
    pages=(PAGE,),
    runs=(RUN,),
    items=(ITEM,),
    records=RECORDS,
    severity_means="many customers are degraded, or sev1 is likely if nothing is done",
    external_url="https://incidentd.example.org",
    head_hash=OWN[-1].hash,
)  # fmt: skip


def live(**changes: Any) -> IncidentFacts:
    """The same incident while it goes on; `changes` are the incident's."""
    going_on: dict[str, Any] = {
        "status": Status.INVESTIGATING, "mitigated_at": None, "resolved_at": None, "resolution": "",
    }  # fmt: skip
    return replace(STORY, incident=replace(INCIDENT, **(going_on | changes)))


def bare() -> IncidentFacts:
    """An incident of which nothing is known but that somebody declared it a moment ago."""
    declared: dict[str, Any] = {
        "status": Status.DECLARED, "trigger": Trigger.MANUAL, "declared_by": "ana", "acknowledged_at": None,
        "roles": (), "service": "", "teams": (), "hold_id": None, "rule": "", "reason": "Customers call",
    }  # fmt: skip
    return IncidentFacts(incident=live(**declared).incident)


def hostile(value: str) -> IncidentFacts:
    """The story with a stranger's value wherever a stranger can put one."""
    odd = Actor(name=value, via="alertmanager")
    entries = tuple(
        replace(entry, actor=odd, text=f"{value}\nTODO: {value}", data={"link": value}) for entry in STORY.entries
    )
    people = tuple(replace(one, person=value, because=value) for one in INCIDENT.roles)
    incident = replace(
        INCIDENT, title=value, service=value, teams=(value, value), reason=value, resolution=value, rule=value,
        declared_by=value, severity=value, declared_severity=value, peak_severity=value, roles=people,
    )  # fmt: skip
    return replace(
        STORY,
        incident=incident,
        entries=entries,
        alerts=tuple(replace(one, title=value, status=value, link=value) for one in STORY.alerts),
        pages=(replace(PAGE, policy=value, acked_by=value, paged=(value, value)),),
        runs=(replace(RUN, playbook=value, target=value, reason=value),),
        items=(replace(ITEM, title=value, owner=value, priority=value, jira_url=value, jira_key=value),),
        records=hostile_records(value),
        severity_means=value,
    )


def hostile_records(value: str) -> Records:
    """The records with a stranger's value wherever somebody can type one."""
    odd: dict[str, Any] = {"by": value, "text": value}
    against = (Objection(by=value, text=value, at=at("15:06")),)
    return Records(
        sections=tuple(
            Section(number=name.number, at=at("15:00"), name=name, by=value, text=f"{value}\n\n{value}\n{value}")
            for name in SectionName
        ),
        hypotheses=tuple(replace(it, **odd, owner=value, evidence=value) for it in RECORDS.hypotheses),
        decisions=tuple(
            replace(it, **odd, decided_by=value, options=value, objections=against) for it in RECORDS.decisions
        ),
        tasks=tuple(replace(it, **odd, owner=value, result=value) for it in RECORDS.tasks),
        changes=tuple(
            replace(it, by=value, what=value, made_by=value, undo=value, outcome=value, undone_by=value, run=value)
            for it in RECORDS.changes
        ),
        criteria=tuple(replace(it, **odd, reason=value, settled_by=value) for it in RECORDS.criteria),
    )
