"""The operator's files as one checked set of values. `config` makes it; everybody else only reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from incidentd.actionitems import JiraSettings
from incidentd.errors import Problem
from incidentd.oncall import Channel, Roster
from incidentd.pages import EscalationPolicy
from incidentd.playbooks import Limit, Mode, Playbook
from incidentd.redaction import Secret
from incidentd.rules import CATCH_ALL, SEVERITIES, URGENCIES, LabelMap, Severity, SeverityRule, Urgency

DEFAULT_SOURCE = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class PrometheusSettings:
    """How to ask one Prometheus."""

    url: str
    headers: Mapping[str, Secret] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One monitoring world: an Alertmanager (or several peers of one) with its Prometheus."""

    name: str
    alertmanager_urls: tuple[str, ...] = ()
    prometheus: PrometheusSettings | None = None
    tokens: tuple[Secret, ...] = ()
    """What a delivery of this source may present; several while one is rotated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Automation:
    """What playbooks may do at all."""

    mode: Mode = Mode.APPROVE
    overall: Limit = field(default_factory=lambda: Limit(runs=20, window=timedelta(hours=1)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that the operator's files say, checked; without any file, what incidentd does by itself."""

    listen: str = "127.0.0.1:9720"
    external_url: str = ""
    """Without a trailing slash; '' means http:// and the listen address."""
    store: str = "sqlite:///incidentd.db"
    secret_key_file: Path | None = None
    sources: Mapping[str, Source] = field(default_factory=lambda: {DEFAULT_SOURCE: Source(name=DEFAULT_SOURCE)})
    labels: LabelMap = field(default_factory=LabelMap)
    severities: Mapping[str, Severity] = field(default_factory=lambda: dict(SEVERITIES))
    urgencies: Mapping[str, Urgency] = field(default_factory=lambda: dict(URGENCIES))
    channels: Mapping[str, Channel] = field(default_factory=dict)
    """Shared ones by name; a person's are in the roster. Empty: notifications go to the log."""
    jira: JiraSettings | None = None
    automation: Automation = field(default_factory=Automation)
    rules: tuple[SeverityRule, ...] = (CATCH_ALL,)
    playbooks: Mapping[str, Playbook] = field(default_factory=dict)
    roster: Roster = field(default_factory=Roster)
    escalations: Mapping[str, EscalationPolicy] = field(default_factory=dict)
    warnings: tuple[Problem, ...] = ()
    """What is allowed, but probably not meant."""
    files: tuple[Path, ...] = ()
    secrets: tuple[Secret, ...] = ()
    """Every secret that was read, for the redaction of whatever leaves."""

    def all_channels(self) -> dict[str, Channel]:
        """Give every channel by name, the shared ones and each person's."""
        own = {channel.name: channel for person in self.roster.people.values() for channel in person.channels}
        return {**own, **self.channels}
