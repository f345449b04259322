"""The operator's files as one checked set of values. `config` makes it; everybody else only reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from enum import StrEnum
from pathlib import Path

from incidentd.actionitems import JiraSettings
from incidentd.communication import CommunicationSettings
from incidentd.errors import Problem
from incidentd.matchers import Matcher
from incidentd.messages import TEMPLATES, MessageTemplate, Style
from incidentd.oncall import RINGING, Channel, ChannelKind, Roster, Target
from incidentd.pages import EscalationPolicy
from incidentd.playbooks import Limit, Mode, Playbook
from incidentd.playbooks.cases import Case
from incidentd.redaction import Secret
from incidentd.roles import ANSWERS_WITHIN, Role
from incidentd.rules import (
    CATCH_ALL,
    SEVERITIES,
    URGENCIES,
    LabelMap,
    Maintenance,
    RuleIndex,
    Severity,
    SeverityRule,
    Urgency,
)
from incidentd.settings.learning import OwnLayout as OwnLayout
from incidentd.settings.learning import PostmortemSettings as PostmortemSettings
from incidentd.stories import Story
from incidentd.updates import UpdateSettings

DEFAULT_SOURCE = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuth2:
    """How to get an access token: OAuth 2.0's client credentials."""

    client_id: str
    client_secret: Secret
    token_url: str
    scopes: tuple[str, ...] = ()
    params: Mapping[str, str] = field(default_factory=dict)
    """Sent along when asking for a token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """What TLS to a server is proved with. The files are read anew when they change."""

    ca_file: Path | None = None
    """Trusted instead of the system's authorities."""
    cert_file: Path | None = None
    key_file: Path | None = None
    server_name: str = ""
    """The name that the server's certificate must have, when it is not the address's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpConfig:
    """How to speak to a server, as Prometheus's `http_config` has it."""

    headers: Mapping[str, Secret] = field(default_factory=dict)
    """Sent with each request; what signs in is among them."""
    oauth2: OAuth2 | None = None
    tls: Tls | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PrometheusSettings:
    """How to ask one Prometheus."""

    url: str
    headers: Mapping[str, Secret] = field(default_factory=dict)
    """For tenants."""
    http: HttpConfig = field(default_factory=HttpConfig)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertmanagerSettings:
    """How to ask one Alertmanager: the peers of one cluster, of which any may answer."""

    urls: tuple[str, ...]
    http: HttpConfig = field(default_factory=HttpConfig)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watchdog:
    """The alert that always fires, and by its absence says that nothing can be heard."""

    match: tuple[Matcher, ...]
    late_after: timedelta
    """Blind when no delivery had it for this long."""

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Say whether these are the labels of the watchdog."""
        return all(matcher.matches(labels) for matcher in self.match)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCertificate:
    """Which verified client certificates are a source's: any that has one of these names."""

    subject_alt_names: tuple[str, ...] = ()
    """DNS names, addresses, URIs or mail addresses, each whole: nothing stands for anything else."""
    common_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing:
    """How the deliveries of a source are signed: HMAC-SHA256 over the body, in hexadecimal, as Grafana does."""

    secrets: tuple[Secret, ...]
    """Each of them is good; several while one is rotated."""
    header: str = "X-Grafana-Alerting-Signature"
    timestamp_header: str = ""
    """When set, `SECONDS:BODY` is signed, and this header brings the seconds since 1970."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One monitoring world: an Alertmanager (or several peers of one) with its Prometheus."""

    name: str
    alertmanager: AlertmanagerSettings | None = None
    """None: it is never asked, and every delivery is believed as it comes."""
    prometheus: PrometheusSettings | None = None
    watchdog: Watchdog | None = None
    group_interval: timedelta | None = None
    """Of the routes that lead here, when the operator says it: how late Alertmanager tells of changes."""
    tokens: tuple[Secret, ...] = ()
    """What a delivery of this source may present; several while one is rotated."""
    client_certificate: ClientCertificate | None = None
    """What a delivery may present instead of a token."""
    signing: Signing | None = None
    """Set: only bodies that are signed are taken, beside a token or a certificate where these are configured."""

    @property
    def has_own_proof(self) -> bool:
        """Say whether deliveries must prove where they come from, even while this machine needs no token."""
        return bool(self.tokens or self.client_certificate or self.signing)


class ClientAuth(StrEnum):
    """Whether a caller of our listener must present a certificate. One that is presented is always verified."""

    NONE = "NoClientCert"
    IF_GIVEN = "VerifyClientCertIfGiven"
    REQUIRED = "RequireAndVerifyClientCert"


class MinVersion(StrEnum):
    """The oldest version of TLS that is spoken."""

    TLS12 = "TLS12"
    TLS13 = "TLS13"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebTls:
    """What our own listener proves itself with. Two are equal when their files held the same, too."""

    cert_file: Path
    key_file: Path
    client_auth: ClientAuth = ClientAuth.NONE
    client_ca_file: Path | None = None
    """Whose signature makes a client's certificate a good one."""
    min_version: MinVersion = MinVersion.TLS12
    contents: str = field(default="", repr=False)
    """The SHA-256 of what the files held when they were read."""
    expires_at: datetime | None = None
    """When the certificate ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSettings:
    """What `--web.config.file` says of our own listener."""

    tls: WebTls | None = None
    """None: plain HTTP."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Put on every answer."""

    @property
    def scheme(self) -> str:
        """Give the scheme of our own addresses."""
        return "https" if self.tls else "http"


@dataclass(frozen=True, slots=True, kw_only=True)
class Automation:
    """What playbooks may do at all."""

    mode: Mode = Mode.APPROVE
    overall: Limit = field(default_factory=lambda: Limit(runs=20, window=timedelta(hours=1)))
    protected: tuple[str, ...] = ()
    """RE2 patterns of whole targets that no playbook may act on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long what is over is kept. What is open, a postmortem and an action item are kept whatever their age."""

    closed: timedelta = timedelta(days=400)
    """Holds and incidents since the last entry of their timeline: a year, and time to compare it with the next."""
    alerts: timedelta = timedelta(days=90)
    """Resolved alerts since they were last heard of, and the history of every alert."""
    inbox: timedelta = timedelta(days=7)
    """Bodies as they came, after they were unpacked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeartbeatSettings:
    """How others learn that incidentd itself is in trouble."""

    url: Secret | None = None
    """Of a dead man's switch, pinged while every promise is kept; None: nobody is pinged."""
    every: timedelta = timedelta(minutes=1)
    channel: str = ""
    """Which shared channel is told straight when promises are not kept; '' is the log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSettings:
    """Who is sent the report on practice once a week, and when."""

    channels: tuple[str, ...] = ()
    """Names of shared channels; without any, nobody is sent it."""
    weekday: int = 0
    """0 is Monday."""
    at: time = time(8)
    """By the clock of `time_zone`."""
    time_zone: str = "UTC"
    since: timedelta = timedelta(days=7)
    """How far back it looks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentSettings:
    """What becomes of the documents of incidents."""

    export: Path | None = None
    """The directory that each document is written to when it changes; None: they stay in the store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphSettings:
    """What becomes of the graphs of holds and incidents."""

    attach: bool = True
    """Whether they go with messages to chats and mailboxes, as pictures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleSource:
    """Who is asked to take a role as an incident is declared, and who is paged when they do not."""

    ask: Target
    escalation: str = ""
    """The policy that is paged; '' is the team's own, else that of the incident's page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleSettings:
    """How the roles of incidents are filled."""

    sources: Mapping[Role, RoleSource] = field(default_factory=dict)
    accept_within: timedelta = ANSWERS_WITHIN
    """How long somebody has to accept a role."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that the operator's files say, checked; without any file, what incidentd does by itself."""

    listen: str = "127.0.0.1:9720"
    web: WebSettings = field(default_factory=WebSettings)
    external_url: str = ""
    """Without a trailing slash; '' means http:// or https:// and the listen address."""
    store: str = "sqlite:///incidentd.db"
    store_password: Secret | None = None
    """Of PostgreSQL; None leaves it to what its client library finds (a `.pgpass` file, peer authentication)."""
    secret_key_file: Path | None = None
    sources: Mapping[str, Source] = field(default_factory=lambda: {DEFAULT_SOURCE: Source(name=DEFAULT_SOURCE)})
    labels: LabelMap = field(default_factory=LabelMap)
    severities: Mapping[str, Severity] = field(default_factory=lambda: dict(SEVERITIES))
    urgencies: Mapping[str, Urgency] = field(default_factory=lambda: dict(URGENCIES))
    channels: Mapping[str, Channel] = field(default_factory=dict)
    """Shared ones by name; a person's are in the roster. Empty: notifications go to the log."""
    fallback_channel: str = ""
    """Where a page goes that its channel does not take, unless the person says otherwise; '' for none of its own."""
    templates: Mapping[Style, MessageTemplate] = field(default_factory=lambda: dict(TEMPLATES))
    """How messages about pages are written."""
    jira: JiraSettings | None = None
    automation: Automation = field(default_factory=Automation)
    retention: Retention = field(default_factory=Retention)
    heartbeat: HeartbeatSettings = field(default_factory=HeartbeatSettings)
    updates: UpdateSettings = field(default_factory=UpdateSettings)
    """Who is told of incidents, and how often at least."""
    roles: RoleSettings = field(default_factory=RoleSettings)
    communication: CommunicationSettings = field(default_factory=CommunicationSettings)
    """In which channels incidents are followed, entry by entry."""
    document: DocumentSettings = field(default_factory=DocumentSettings)
    graphs: GraphSettings = field(default_factory=GraphSettings)
    postmortems: PostmortemSettings = field(default_factory=PostmortemSettings)
    report: ReportSettings = field(default_factory=ReportSettings)
    """Who is sent what there is to improve."""
    rules: tuple[SeverityRule, ...] = (CATCH_ALL,)
    maintenance: tuple[Maintenance, ...] = ()
    playbooks: Mapping[str, Playbook] = field(default_factory=dict)
    roster: Roster = field(default_factory=Roster)
    escalations: Mapping[str, EscalationPolicy] = field(default_factory=dict)
    stories: tuple[Story, ...] = ()
    cases: tuple[Case, ...] = ()
    """What the rules are tried with; the daemon itself has no use for them."""
    warnings: tuple[Problem, ...] = ()
    """What is allowed, but probably not meant."""
    files: tuple[Path, ...] = ()
    secrets: tuple[Secret, ...] = ()
    """Every secret that was read, for the redaction of whatever leaves."""
    rule_index: RuleIndex = field(init=False, repr=False, compare=False)
    """The rules, found by what an alert says."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "rule_index", RuleIndex(self.rules))

    def all_channels(self) -> dict[str, Channel]:
        """Give every channel by name, the shared ones and each person's."""
        own = {channel.name: channel for person in self.roster.people.values() for channel in person.channels}
        return {**own, **self.channels}

    def is_own(self, channel: str) -> bool:
        """Say whether a channel is a person's own, not one that people share."""
        return channel not in self.channels and channel.partition("/")[0] in self.roster.people

    def rings(self, channel: str) -> bool:
        """Say whether a channel is a person's own and makes a telephone ring."""
        return self.is_own(channel) and self.kind_of(channel) in RINGING

    def kind_of(self, channel: str) -> ChannelKind:
        """Give the kind of a channel; the log's for one that the files do not know any more."""
        person = self.roster.people.get(channel.partition("/")[0])
        own = {one.name: one for one in person.channels} if person else {}
        known = self.channels.get(channel) or own.get(channel)
        return ChannelKind.LOG if known is None else known.kind


def schedules_paged(escalations: Mapping[str, EscalationPolicy]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """List for each chain of the policies its name and the schedules that it pages, level after level."""
    return tuple(
        (policy.name, tuple(level.page.on_call for level in chain.levels if level.page.on_call))
        for policy in escalations.values()
        for chain in policy.chains.values()
    )
