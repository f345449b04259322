"""The configuration's own document: where to listen, sources, labels, severities, channels, Jira, automation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from incidentd.actionitems import JiraSettings
from incidentd.config import reporting, texts, values
from incidentd.config.communicating import communication
from incidentd.config.names import Names, severity_names
from incidentd.config.parts import Part
from incidentd.config.postmortems import postmortems
from incidentd.config.roles import roles
from incidentd.config.secrets import Secrets
from incidentd.config.sources import sources
from incidentd.config.telling import updates
from incidentd.config.tree import Tree
from incidentd.durations import parse_duration
from incidentd.oncall import Channel, ChannelKind, Rate
from incidentd.playbooks import Mode
from incidentd.redaction import Secret
from incidentd.rules import SEVERITIES, URGENCIES, Decide, LabelMap, Severity, Urgency
from incidentd.settings import Automation, DocumentSettings, GraphSettings, HeartbeatSettings, Retention


def core_settings(config: Part, names: Names, secrets: Secrets) -> dict[str, Any]:
    """Read the fields that stand in the configuration's own document; what is not there keeps its default."""
    readers: dict[str, Callable[[Any], object]] = {
        "listen": values.listen_address,
        "external_url": values.web_address,
        "store": values.store,
        "secret_key_file": secrets.folder.joinpath,
        "labels": _labels,
        "automation": _automation,
        "retention": _retention,
    }
    found = {key: read(config.value[key]) for key, read in readers.items() if key in config}
    if "store_password_file" in config or "store_password_env" in config:
        found["store_password"] = secrets.one(config, "store_password")
    if "fallback_channel" in config:
        names.refer("channel", config["fallback_channel"])
        found["fallback_channel"] = config.value["fallback_channel"]
    sections: dict[str, Callable[[Part], object]] = {
        "document": lambda part: _document(part, secrets),
        "graphs": lambda part: GraphSettings(attach=part.get("attach", GraphSettings().attach)),
        "postmortems": lambda part: postmortems(part, names, secrets.folder),
        "templates": lambda part: texts.templates(part, names.tree.folder, names.report),
        "jira": lambda part: _jira(part, names.tree, secrets),
        "heartbeat": lambda part: _heartbeat(part, names, secrets),
        "updates": lambda part: updates(part, names),
        "roles": lambda part: roles(part, names),
        "report": lambda part: reporting.report(part, names),
        "communication": lambda part: communication(part, names),
    }
    found |= {key: read(config[key]) for key, read in sections.items() if key in config}
    return {
        **found,
        "sources": sources(config, secrets),
        "channels": _channels(config, secrets),
        "severities": _severities(config, names),
        "urgencies": _urgencies(config),
    }


def _labels(written: dict[str, list[str]]) -> LabelMap:
    return LabelMap(names={**LabelMap().names, **{meaning: tuple(labels) for meaning, labels in written.items()}})


def _document(part: Part, secrets: Secrets) -> DocumentSettings:
    return DocumentSettings(export=secrets.folder.joinpath(part.value["export"]) if "export" in part else None)


def _channels(config: Part, secrets: Secrets) -> dict[str, Channel]:
    found = {}
    for name, part in config.items("channels"):
        has_address = "url_file" in part or "url_env" in part  # all but those of kind `log` have one
        url = secrets.one(part, "url") if has_address else Secret("")
        found[name] = Channel(name=name, kind=ChannelKind(part.value["kind"]), url=url, rate=rate_of(part), at=part.at)
    return found


def rate_of(part: Part) -> Rate | None:
    """Read how much a channel is sent at most."""
    if "limit" not in part:
        return None
    limit = values.limit(part.value["limit"])
    return Rate(most=limit.runs, window=limit.window)


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
        decide=Decide(part.get("decide", base.decide)),
        postmortem=part.get("postmortem", base.postmortem),
        postmortem_within=parse_duration(part.value["due"]) if "due" in part else base.postmortem_within,
        postmortem_business_days=None if "due" in part else base.postmortem_business_days,
    )


def _urgencies(config: Part) -> dict[str, Urgency]:
    written = {
        name: Urgency(
            name=name, respond_within=parse_duration(part.value["respond_within"]),
            renotify=parse_duration(part.value["renotify"]) if "renotify" in part else None,
        )
        for name, part in config.items("urgencies")
    }  # fmt: skip
    return {**URGENCIES, **written}


def _jira(part: Part, tree: Tree, secrets: Secrets) -> JiraSettings:
    hooked = "webhook_secret_file" in part or "webhook_secret_env" in part
    return JiraSettings(
        url=values.web_address(part.value["url"]),
        token=secrets.one(part, "token"),
        user=part.get("user", ""),
        project=part.value["project"],
        issue_type=part.get("issue_type", "Task"),
        issue_types=part.get("issue_types", {}),
        priorities=part.get("priorities", {}),
        service_field=part.get("service_field", ""),
        webhook_secret=secrets.one(part, "webhook_secret") if hooked else None,
        fields=part.get("fields", {}),
        epic=part.get("epic", ""),
        projects={name: team.value["jira"]["project"] for name, team in tree.of("teams", "teams") if "jira" in team},
    )


def _heartbeat(part: Part, names: Names, secrets: Secrets) -> HeartbeatSettings:
    names.refer_all("channel", part, "channel")
    url = secrets.one(part, "url") if "url_file" in part or "url_env" in part else None
    every = parse_duration(part.value["every"]) if "every" in part else HeartbeatSettings().every
    return HeartbeatSettings(url=url, every=every, channel=part.get("channel", ""))


def _automation(written: dict[str, Any]) -> Automation:
    built_in = Automation()
    return Automation(
        mode=Mode(written.get("mode", built_in.mode)),
        overall=values.limit(written["overall"]) if "overall" in written else built_in.overall,
        protected=tuple(written.get("protected", ())),
    )


def _retention(written: dict[str, str]) -> Retention:
    return Retention(**{name: parse_duration(age) for name, age in written.items()})
