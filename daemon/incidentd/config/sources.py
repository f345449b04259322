"""Sources: each monitoring world's Alertmanager, Prometheus, watchdog, and what its deliveries must present."""

from __future__ import annotations

from dataclasses import replace

from incidentd.config import values
from incidentd.config.matching import matchers
from incidentd.config.parts import Part
from incidentd.config.report import Report
from incidentd.config.secrets import Secrets
from incidentd.config.speaking import http_config, is_secret_header
from incidentd.durations import parse_duration
from incidentd.errors import Location
from incidentd.redaction import Secret
from incidentd.settings import (
    DEFAULT_SOURCE,
    AlertmanagerSettings,
    ClientAuth,
    ClientCertificate,
    PrometheusSettings,
    Signing,
    Source,
    Watchdog,
    WebSettings,
)


def sources(config: Part, secrets: Secrets) -> dict[str, Source]:
    """Read every source; one called `default` is always there."""
    found = {DEFAULT_SOURCE: Source(name=DEFAULT_SOURCE)}
    seen: dict[str, Location] = {}
    for part in config.entries("sources"):
        name = part["name"]
        first = seen.setdefault(name.value, name.at)
        if first is not name.at:
            secrets.report.wrong(
                name.at, f"there are two sources `{name.value}`", f"the other one is at {first}; rename one"
            )
        found[name.value] = _source(part, secrets)
    return found


def _source(part: Part, secrets: Secrets) -> Source:
    return Source(
        name=part.value["name"],
        alertmanager=_alertmanager(part["alertmanager"], secrets) if "alertmanager" in part else None,
        prometheus=_prometheus(part["prometheus"], secrets) if "prometheus" in part else None,
        watchdog=_watchdog(part["watchdog"], secrets) if "watchdog" in part else None,
        group_interval=parse_duration(part.value["group_interval"]) if "group_interval" in part else None,
        tokens=secrets.several(part, "token"),
        client_certificate=_client_certificate(part["client_certificate"]) if "client_certificate" in part else None,
        signing=_signing(part["hmac"], secrets) if "hmac" in part else None,
    )


def doubt_certificates(config: Part, web: WebSettings, report: Report) -> None:
    """Warn of sources that want a certificate of their clients while the listener asks nobody for one."""
    if web.tls is not None and web.tls.client_auth is not ClientAuth.NONE:
        return
    for part in config.entries("sources"):
        if "client_certificate" in part:
            report.doubt(
                part.at_key("client_certificate"), "nobody is asked for a client certificate, so none can be presented",
                "write `client_auth_type` and `client_ca_file` into the file of --web.config.file",
            )  # fmt: skip


def _client_certificate(part: Part) -> ClientCertificate:
    return ClientCertificate(
        subject_alt_names=tuple(part.get("subject_alt_names", ())), common_names=tuple(part.get("common_names", ()))
    )


def _signing(part: Part, secrets: Secrets) -> Signing:
    signing = Signing(secrets=secrets.several(part, "secret"))
    header, timestamp = part.get("header", signing.header), part.get("timestamp_header", "")
    if header.lower() == timestamp.lower():
        secrets.report.wrong(
            part["timestamp_header"].at, f"`{header}` carries the signature and cannot carry the time as well",
            "name another header",
        )  # fmt: skip
    return replace(signing, header=header, timestamp_header=timestamp)


def _alertmanager(part: Part, secrets: Secrets) -> AlertmanagerSettings:
    urls = tuple(values.web_address(url) for url in part.value["urls"])
    for number, url in enumerate(urls):
        if url in urls[:number]:
            secrets.report.wrong(part["urls"][number].at, f"the peer {url} is here twice", "name each peer once")
    return AlertmanagerSettings(urls=urls, http=http_config(part, secrets))


def _prometheus(part: Part, secrets: Secrets) -> PrometheusSettings:
    headers = {name: Secret(value) for name, value in part.get("headers", {}).items()}
    for name in headers:
        if is_secret_header(name):
            secrets.report.wrong(
                part["headers"].at_key(name), f"`{name}` is a secret and may not stand here",
                "use `http_config` with `authorization` or `basic_auth`",
            )  # fmt: skip
    return PrometheusSettings(
        url=values.web_address(part.value["url"]), headers=headers, http=http_config(part, secrets)
    )


def _watchdog(part: Part, secrets: Secrets) -> Watchdog:
    return Watchdog(match=matchers(part, secrets.report), late_after=parse_duration(part.value["late_after"]))
