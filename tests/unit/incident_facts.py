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
        severity_means=value,
    )
