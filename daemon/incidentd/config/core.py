"""The configuration's own document: where to listen, sources, labels, severities, channels, Jira, automation."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from incidentd.actionitems import JiraSettings
from incidentd.config import values
from incidentd.config.names import Names, severity_names
from incidentd.config.parts import Part
from incidentd.config.report import Report
from incidentd.config.secrets import Secrets
from incidentd.config.tree import Tree
from incidentd.durations import parse_duration
from incidentd.errors import Location
from incidentd.oncall import Channel, ChannelKind
from incidentd.playbooks import Mode
from incidentd.redaction import Secret
from incidentd.rules import SEVERITIES, URGENCIES, LabelMap, Severity, Urgency
from incidentd.settings import DEFAULT_SOURCE, Automation, PrometheusSettings, Source


def not_acted_on(report: Report, at: Location, what: str) -> None:
    """Warn of a key that is accepted and does nothing yet."""
    report.doubt(at, f"{what} is accepted, but this version does not act on it yet")


def core_settings(config: Part, names: Names, secrets: Secrets) -> dict[str, Any]:
    """Read the fields that stand in the configuration's own document; what is not there keeps its default."""
    readers: dict[str, Callable[[Any], object]] = {
        "listen": values.listen_address,
        "external_url": values.web_address,
        "store": values.store,
        "secret_key_file": secrets.folder.joinpath,
        "labels": _labels,
        "automation": _automation,
    }
    found = {key: read(config.value[key]) for key, read in readers.items() if key in config}
    if "jira" in config:
        found["jira"] = _jira(config["jira"], names.tree, secrets)
    if "retention" in config:
        not_acted_on(secrets.report, config.at_key("retention"), "`retention`")
    return {
        **found,
        "sources": _sources(config, secrets),
        "channels": _channels(config, secrets),
        "severities": _severities(config, names),
        "urgencies": _urgencies(config),
    }


def _labels(written: dict[str, list[str]]) -> LabelMap:
    return LabelMap(names={**LabelMap().names, **{meaning: tuple(labels) for meaning, labels in written.items()}})


def _sources(config: Part, secrets: Secrets) -> dict[str, Source]:
    sources = {DEFAULT_SOURCE: Source(name=DEFAULT_SOURCE)}
    seen: dict[str, Location] = {}
    for part in config.entries("sources"):
        name = part["name"]
        first = seen.setdefault(name.value, name.at)
        if first is not name.at:
            secrets.report.wrong(
                name.at, f"there are two sources `{name.value}`", f"the other one is at {first}; rename one"
            )
        sources[name.value] = _source(part, secrets)
    return sources


def _source(part: Part, secrets: Secrets) -> Source:
    for key in ("alertmanager", "watchdog"):
        if key in part:
            not_acted_on(secrets.report, part.at_key(key), f"`{key}`")
    alertmanager = part.get("alertmanager", {"urls": []})
    if "alertmanager" in part:
        _signing_in(part["alertmanager"], secrets)  # its secrets are secrets, although nothing is asked yet
    return Source(
        name=part.value["name"],
        alertmanager_urls=tuple(values.web_address(url) for url in alertmanager["urls"]),
        prometheus=_prometheus(part["prometheus"], secrets) if "prometheus" in part else None,
        tokens=secrets.several(part, "token"),
    )


def _prometheus(part: Part, secrets: Secrets) -> PrometheusSettings:
    literal = {name: Secret(value) for name, value in part.get("headers", {}).items()}
    for name in literal:
        if name.lower() in ("authorization", "cookie", "proxy-authorization"):
            secrets.report.wrong(
                part["headers"].at_key(name), f"`{name}` is a secret and may not stand here",
                "use `http_config` with `authorization` or `basic_auth`",
            )  # fmt: skip
    return PrometheusSettings(
        url=values.web_address(part.value["url"]), headers={**literal, **_signing_in(part, secrets)}
    )


def _signing_in(part: Part, secrets: Secrets) -> dict[str, Secret]:
    """Read Prometheus' `http_config` into the header that it comes to."""
    if not part.get("http_config"):
        return {}
    config = part["http_config"]
    if "basic_auth" in config:
        basic = config["basic_auth"]
        pair = f"{basic.value['username']}:{secrets.one(basic, 'password').reveal()}"
        secret = Secret("Basic " + base64.b64encode(pair.encode()).decode())
    elif "authorization" in config:
        authorization = config["authorization"]
        kind = authorization.get("type", "Bearer")
        secret = Secret(f"{kind} {secrets.one(authorization, 'credentials').reveal()}")
    else:
        secret = Secret(f"Bearer {secrets.one(config, 'bearer_token').reveal()}")
    secrets.remember(secret)
    return {"Authorization": secret}


def _channels(config: Part, secrets: Secrets) -> dict[str, Channel]:
    found = {}
    for name, part in config.items("channels"):
        has_address = "url_file" in part or "url_env" in part  # all but those of kind `log` have one
        url = secrets.one(part, "url") if has_address else Secret("")
        found[name] = Channel(name=name, kind=ChannelKind(part.value["kind"]), url=url)
    return found


def _severities(config: Part, names: Names) -> dict[str, Severity]:
    written = dict(config.items("severities"))
    found: dict[str, Severity] = {}
    for rank, name in enumerate(severity_names(names.tree), start=1):
        base = SEVERITIES.get(name)
        part = written.get(name)
        if part is None:
            part = Part({}, config.at, config.at)
        elif "urgency" in part:
            names.refer("urgency", part["urgency"])
        if base is None:
            for key in ("means", "urgency"):
                if key not in part:
                    names.report.wrong(part.key_at, f"the new severity `{name}` has no `{key}`", f"write `{key}:`")
        found[name] = _severity(name, rank, part, base or Severity(name=name, rank=rank, means="", urgency=""))
    return found


def _severity(name: str, rank: int, part: Part, base: Severity) -> Severity:
    return Severity(
        name=name,
        rank=rank,
        means=part.get("means", base.means),
        urgency=part.get("urgency", base.urgency),
        postmortem=part.get("postmortem", base.postmortem),
        postmortem_within=parse_duration(part.value["due"]) if "due" in part else base.postmortem_within,
    )


def _urgencies(config: Part) -> dict[str, Urgency]:
    written = {
        name: Urgency(name=name, respond_within=parse_duration(part.value["respond_within"]))
        for name, part in config.items("urgencies")
    }
    return {**URGENCIES, **written}


def _jira(part: Part, tree: Tree, secrets: Secrets) -> JiraSettings:
    return JiraSettings(
        url=values.web_address(part.value["url"]),
        token=secrets.one(part, "token"),
        user=part.get("user", ""),
        project=part.value["project"],
        issue_type=part.get("issue_type", "Task"),
        fields=part.get("fields", {}),
        epic=part.get("epic", ""),
        projects={name: team.value["jira"]["project"] for name, team in tree.of("teams", "teams") if "jira" in team},
    )


def _automation(written: dict[str, str]) -> Automation:
    built_in = Automation()
    return Automation(
        mode=Mode(written.get("mode", built_in.mode)),
        overall=values.limit(written["overall"]) if "overall" in written else built_in.overall,
    )
