"""A year of a company that never was: what is to be found in it is planted, with near misses just below each threshold.

Everything is written by the store's own functions, each thing at its own time. The seed decides only what must not
matter: the minutes, and the order in which things of one day happen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from random import Random

from incidentd.actionitems import ActionItem, ItemState, ItemType
from incidentd.alerts import Alert, AlertGroup, AlertStatus, fingerprint_of
from incidentd.holds import Hold, HoldState, Outcome
from incidentd.incidents import Incident, StandDown, Status, Trigger
from incidentd.oncall import to_publish
from incidentd.pages import Chain, Ending, Page, PageState, Verdict
from incidentd.playbooks import Mode, Run, RunState
from incidentd.records import Change
from incidentd.roles import Assignment, Role
from incidentd.settings import Settings
from incidentd.store import Tx, chain, inbox, records, rota, subjects, things
from incidentd.store.practice import ITEM_DONE
from incidentd.timeline import Actor, Draft

NOW = datetime(2026, 11, 24, 14, 0, tzinfo=UTC)
SINCE = NOW - timedelta(days=365)
BEGINS = NOW - timedelta(days=364)
ALERTS, INCIDENTS = 2000, 120
RUNBOOK = {"runbook_url": "https://runbooks.example.org/it"}
_SEED = 20261124
_NOON = 12
AT_ONCE, ONE_MINUTE, HALF_AN_HOUR = timedelta(0), timedelta(minutes=1), timedelta(minutes=30)
MENDED = timedelta(minutes=90)


def minutes(number: float) -> timedelta:
    """So many minutes."""
    return timedelta(minutes=number)


def day(number: int, hour: float = _NOON) -> datetime:
    """The time of a day of the year, counted from its begin."""
    return BEGINS.replace(hour=0) + timedelta(days=number, hours=hour)


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """One thing that went wrong, and what came of it. All times are from when its alert fired."""

    alertname: str
    at: datetime
    lasts: timedelta = HALF_AN_HOUR
    service: str = "shop"
    instance: str = "w-1"
    annotations: dict[str, str] = field(default_factory=lambda: dict(RUNBOOK))
    team: str = ""
    rule: str = "gone-since"
    """A rule that is in the files no longer, unless the trouble is about tuning one."""
    decision: str = "hold"
    held: bool = True
    outcome: Outcome = Outcome.HUMAN_RESOLVED
    paged: bool = True
    to: tuple[str, ...] = ("eli",)
    acked: timedelta | None = AT_ONCE
    ending: Ending | None = None
    verdict: Verdict | None = None
    deeds: tuple[str, ...] = ()
    declared: timedelta | None = None
    """When it was declared; None: it never was an incident."""
    grows: timedelta | None = None
    """When two more alerts joined."""


class Year:
    """Writes what happened."""

    def __init__(self, tx: Tx, settings: Settings) -> None:
        self.tx = tx
        self.settings = settings
        self.random = Random(_SEED)  # noqa: S311 - seeded, so that what failed once fails again
        self.alerts = 0
        self.incidents = 0

    def shifts(self) -> None:
        """Publish who was on call."""
        self.tx.now = SINCE
        for name, schedule in self.settings.roster.schedules.items():
            rota.publish(self.tx, name, to_publish(schedule, SINCE, NOW + timedelta(days=7)))

    # -- alerts ------------------------------------------------------------------------------------------------------

    def fires(self, it: Trouble, instance: str, at: datetime, until: datetime | None) -> tuple[str, str]:
        """Let an alert fire, and end; it is decided as the trouble says."""
        labels = {"alertname": it.alertname, "service": it.service, "instance": instance}
        labels |= {"team": it.team} if it.team else {}
        one = Alert(
            fingerprint=fingerprint_of(labels), status=AlertStatus.FIRING, labels=labels, annotations=it.annotations,
            starts_at=at, ends_at=None, generator_url="",
        )  # fmt: skip
        self._deliver(one, at)
        if until is not None:
            self._deliver(replace(one, status=AlertStatus.RESOLVED, ends_at=until), until)
        inbox.note_decision(
            self.tx, "prod", [one.fingerprint], decision=it.decision, rule=it.rule, reason="", subject=""
        )
        self.alerts += 1
        return "prod", one.fingerprint

    def _deliver(self, one: Alert, at: datetime) -> None:
        self.tx.now = at
        name = f"{{}}:{{alertname={one.labels['alertname']}}}"
        group = AlertGroup(receiver="incidentd", group_key=name, truncated=0, alerts=(one,), rejected=())
        inbox.unpack(self.tx, [inbox.Delivery(id=0, source="prod", at=at, group=group)], lambda _: "warning")

    # -- what comes of them --------------------------------------------------------------------------------------------

    def trouble(self, it: Trouble, incident: Incident | None = None) -> Incident | None:
        """Let something go wrong; `incident` says what it is as an incident, when it was declared."""
        end = it.at + it.lasts
        keys = [self.fires(it, it.instance, it.at, end)]
        if it.grows is not None:
            keys += [self.fires(it, f"{it.instance}-{n}", it.at + it.grows, end) for n in (1, 2)]
        self.tx.now = it.at
        hold = self._hold(it, keys) if it.held else None
        made = None
        if incident is not None:
            declared = it.at + (it.declared or timedelta(0))
            made = self.declares(replace(incident, hold_id=hold.id if hold else None, declared_at=declared), keys)
        subject = made.key if made else hold.key if hold else ""
        if it.paged and subject:
            self.pages(it, subject)
        for number, text in enumerate(it.deeds):
            self.tx.now = it.at + minutes(5 + number)
            chain.append(self.tx, subject, Actor(name="eli", via="cli"), [Draft("note", f"eli: {text}")])
        return made

    def _hold(self, it: Trouble, keys: Sequence[tuple[str, str]]) -> Hold:
        policy = next((rule.hold for rule in self.settings.rules if rule.name == it.rule), None)
        end = it.at + (it.declared if it.declared is not None else it.lasts)
        state = HoldState.DECLARED if it.declared is not None else HoldState.CLOSED
        outcome = Outcome.DECLARED_NO_PROGRESS if it.declared is not None else it.outcome
        quiet = policy or self.settings.rules[-1].hold
        new = subjects.insert_hold(self.tx, Hold(
            id=0, source="prod", rule=it.rule, correlation_key=f"{it.alertname} {it.at.isoformat()}",
            title=it.alertname, severity="sev3", urgency="urgent", service=it.service, impact_started_at=it.at,
            policy=quiet, state=state, opened_at=it.at, deadline_at=end, cap_at=end, firing=0, peak=1, best=1,
            progress_at=it.at, outcome=outcome, ended_at=end if it.declared is not None else end + quiet.quiet,
            quiet_since=None if it.declared is not None else end,
        ))  # fmt: skip
        subjects.join(self.tx, new.key, [(*key, False) for key in keys], new=True)
        return new

    def declares(self, it: Incident, keys: Sequence[tuple[str, str]] = ()) -> Incident:
        """Let there be an incident."""
        self.tx.now = it.declared_at
        made = subjects.insert_incident(self.tx, it)
        subjects.join(self.tx, made.key, [(*key, False) for key in keys], new=True)
        self.incidents += not it.drill
        return made

    def pages(self, it: Trouble, subject: str, drill: bool = False) -> Page:
        """Let people be called."""
        acked = it.at + it.acked if it.acked is not None else None
        state = PageState.ACKED if acked else PageState.RESOLVED
        ending = it.ending or (None if acked else Ending.RESOLVED_BEFORE_ACK)
        return things.insert_page(self.tx, Page(
            id=0, subject=subject, policy="default", urgency="urgent", respond_within=minutes(30), state=state,
            title=it.alertname, started_at=it.at, chain=Chain(levels=()), acked_at=acked,
            acked_by=it.to[0] if acked and it.to else "", paged=it.to, ending=ending, verdict=it.verdict, drill=drill,
        ))  # fmt: skip

    def run(self, playbook: str, at: datetime, state: RunState = RunState.VERIFIED) -> Run:
        """Let a playbook run."""
        self.tx.now = at
        return things.insert_run(self.tx, Run(
            id=0, subject="", playbook=playbook, sha256="", definition={}, state=state, mode=Mode.SUGGEST,
            target=f"{playbook} {at.isoformat()}", inputs={}, registers={}, source="prod", started_at=at,
            finished_at=at + minutes(1),
        ))  # fmt: skip

    def item(
        self, incident: Incident, *, due: date | None = None, done: datetime | None = None,
        type_: ItemType = ItemType.PREVENT, state: ItemState = ItemState.OPEN,
    ) -> ActionItem:  # fmt: skip
        """Let something be promised after an incident, and be done."""
        self.tx.now = incident.declared_at + timedelta(days=1)
        made = things.insert_item(self.tx, ActionItem(
            id=0, uuid=f"item-{incident.key}", subject=incident.key, title="Make it not happen again", type=type_,
            priority="P1", due=due, state=ItemState.DONE if done else state, created_at=self.tx.now,
        ))  # fmt: skip
        if done is not None:
            self.tx.now = done
            said = Draft(ITEM_DONE, f"{made.key} is done.", {"item": made.key})
            chain.append(self.tx, incident.key, Actor(name="jira", via="jira"), [said])
        return made

    def by_hand(self, incident: Incident, what: str, at: datetime) -> None:
        """Let somebody put down a change to production."""
        self.tx.now = at
        records.save(self.tx, incident.id, Change(number=1, by="eli", at=at, what=what, made_by="eli", made_at=at), "")


def incident(
    it: Trouble, *, severity: str = "sev3", began: timedelta = AT_ONCE, acknowledged: timedelta = ONE_MINUTE,
    mitigated: timedelta = MENDED, cause: str = "", resolution: str = "", trigger: Trigger = Trigger.HOLD,
    stand_down: StandDown | None = None,
) -> Incident:  # fmt: skip
    """Make an incident of a trouble. `began` is how long before the alert it hurt; other times are from declaring."""
    declared = it.at + (it.declared or timedelta(0))
    mended = declared + mitigated
    commander = Assignment(
        role=Role.INCIDENT_COMMANDER,
        person="eli",
        since=declared + acknowledged + minutes(1),
        until=mended + minutes(5),
    )
    return Incident(
        id=0, title=it.alertname, status=Status.STOOD_DOWN if stand_down else Status.CLOSED, severity=severity,
        declared_severity=severity, peak_severity=severity, urgency="urgent", trigger=trigger, reason="", rule=it.rule,
        source="prod", correlation_key="", service=it.service, impact_started_at=it.at - began, detected_at=it.at,
        declared_at=declared, declared_by="incidentd", acknowledged_at=declared + acknowledged, mitigated_at=mended,
        resolved_at=mended + minutes(5), ended_at=mended + minutes(5), cause=cause, resolution=resolution,
        stand_down=stand_down, roles=(commander,),
    )  # fmt: skip
