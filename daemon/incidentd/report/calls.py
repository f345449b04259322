"""Pages with everything that belongs to them: which alert called, what people did, and how it ended."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from incidentd.holds import Hold
from incidentd.incidents import Incident
from incidentd.pages import NO_ERRAND, Ending, Page
from incidentd.playbooks import Run, RunState
from incidentd.report.history import AlertKey, Deed, History, KnownAlert
from incidentd.report.limits import SLEEP_FROM, SLEEP_UNTIL
from incidentd.settings import Settings

T = TypeVar("T", Deed, Run)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A page, and what came of it."""

    page: Page
    alert: KnownAlert
    """The first alert of what it is about."""
    alerts: int
    hold: Hold | None
    incident: Incident | None
    deeds: tuple[Deed, ...]
    runs: tuple[Run, ...]
    asleep: bool
    """It came while whoever was called sleeps."""

    @property
    def alertname(self) -> str:
        """The alert's name."""
        return self.alert.labels.get("alertname", "")

    @property
    def ended_at(self) -> datetime | None:
        """When what it is about was over, as far as it hurt; None while it is not."""
        if self.incident is not None:
            return self.incident.mitigated_at or self.incident.resolved_at or self.incident.ended_at
        if self.hold is not None and self.hold.ended_at is not None:
            return self.hold.quiet_since or self.hold.ended_at
        return None

    @property
    def hands_on(self) -> timedelta | None:
        """How long somebody had it, from the answer to the end; None when nobody did, or it is not over."""
        if self.page.acked_at is None or self.ended_at is None:
            return None
        return max(self.ended_at - self.page.acked_at, timedelta(0))

    @property
    def acted(self) -> bool:
        """Whether it made anybody or anything do something."""
        return bool(self.deeds) or self.incident is not None or self.healed

    @property
    def healed(self) -> bool:
        """Whether a playbook was verified on it."""
        return any(run.state is RunState.VERIFIED for run in self.runs)

    @property
    def over_by_itself(self) -> bool:
        """Whether it was over before anybody answered, and nothing was done about it."""
        return self.page.ending is Ending.RESOLVED_BEFORE_ACK and not self.acted


def calls(history: History, settings: Settings) -> tuple[Call, ...]:
    """Gather every page that an alert called for, in the order in which they began."""
    facts = _Facts(history)
    return tuple(
        call for page in sorted(history.pages, key=lambda page: page.started_at)
        if not page.is_summary and page.errand == NO_ERRAND and (call := facts.call(page, settings)) is not None
    )  # fmt: skip


def by_alertname(found: Iterable[Call]) -> dict[str, list[Call]]:
    """Sort pages by the name of the alert that called."""
    sorted_: dict[str, list[Call]] = defaultdict(list)
    for call in found:
        if call.alertname:
            sorted_[call.alertname].append(call)
    return dict(sorted(sorted_.items()))


def zone_of(settings: Settings, people: Sequence[str]) -> ZoneInfo:
    """Give the zone of the first of these people that the files know; UTC when they know nobody."""
    known = next((person for one in people if (person := settings.roster.people.get(one))), None)
    return ZoneInfo(known.time_zone if known else "UTC")


def is_sleep(at: datetime, zone: ZoneInfo) -> bool:
    """Say whether people sleep at that time."""
    hour = at.astimezone(zone).hour
    return hour >= SLEEP_FROM or hour < SLEEP_UNTIL


def team_of(call: Call, settings: Settings) -> str:
    """Name the team that an alert is of, by its label or by its incident or hold; '' when nothing says it."""
    named = settings.labels.value("team", call.alert.labels)
    teams = (call.incident.teams if call.incident else ()) + (call.hold.teams if call.hold else ())
    return named or next(iter(teams), "")


class _Facts:
    """Finds what belongs to a page."""

    def __init__(self, history: History) -> None:
        self._alerts: Mapping[AlertKey, KnownAlert] = history.alerts
        self._members = history.members
        self._holds = {hold.key: hold for hold in history.holds}
        self._incidents = {one.key: one for one in history.incidents}
        self._of_hold = {one.hold_id: one for one in history.incidents if one.hold_id is not None}
        self._deeds = _by_subject(history.deeds)
        self._runs = _by_subject(history.runs)

    def call(self, page: Page, settings: Settings) -> Call | None:
        """Gather what belongs to a page; None when no alert called for it."""
        hold, incident = self._holds.get(page.subject), self._incidents.get(page.subject)
        if incident is None and hold is not None:
            incident = self._of_hold.get(hold.id)
        if hold is None and incident is not None and incident.hold_id is not None:
            hold = self._holds.get(f"HOLD-{incident.hold_id}")
        subjects = list(dict.fromkeys([page.subject, *(one.key for one in (hold, incident) if one is not None)]))
        members = next((its for one in subjects if (its := self._members.get(one))), ())
        alert = next((known for key in members if (known := self._alerts.get(key))), None)
        if alert is None:
            return None
        return Call(
            page=page, alert=alert, alerts=len(members), hold=hold, incident=incident,
            deeds=tuple(sorted((it for one in subjects for it in self._deeds.get(one, ())), key=lambda it: it.at)),
            runs=tuple(run for one in subjects for run in self._runs.get(one, ())),
            asleep=is_sleep(page.started_at, zone_of(settings, page.paged)),
        )  # fmt: skip


def _by_subject(found: Iterable[T]) -> dict[str, list[T]]:
    sorted_: dict[str, list[T]] = defaultdict(list)
    for one in found:
        sorted_[one.subject].append(one)
    return sorted_
