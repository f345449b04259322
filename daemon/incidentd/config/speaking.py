"""Prometheus's `http_config`: how a server is spoken to, from files that never hold a secret themselves."""

from __future__ import annotations

import base64
import os
import ssl
from pathlib import Path

from incidentd.config import values
from incidentd.config.parts import Part
from incidentd.config.report import shown
from incidentd.config.secrets import Secrets
from incidentd.redaction import Secret
from incidentd.settings import HttpConfig, OAuth2, Tls

_SECRET_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization"})
# set by whoever sends a request; Prometheus refuses them too
_RESERVED_HEADERS = frozenset({"host", "content-length", "content-type", "content-encoding", "transfer-encoding"})


def is_secret_header(name: str) -> bool:
    """Say whether what this header carries is a secret."""
    return name.lower() in _SECRET_HEADERS


def http_config(whole: Part, secrets: Secrets) -> HttpConfig:
    """Read the `http_config` of what is asked; without one it is spoken to plainly."""
    if not whole.get("http_config"):
        return HttpConfig()
    config = whole["http_config"]
    return HttpConfig(
        headers={**_headers(config, secrets), **_signing_in(config, secrets)},
        oauth2=_oauth2(config["oauth2"], secrets) if "oauth2" in config else None,
        tls=_tls(config["tls_config"], secrets) if "tls_config" in config else None,
    )


def _signing_in(config: Part, secrets: Secrets) -> dict[str, Secret]:
    """Give the header that a way to sign in comes to."""
    if "basic_auth" in config:
        basic = config["basic_auth"]
        pair = f"{basic.value['username']}:{secrets.one(basic, 'password').reveal()}"
        secret = Secret("Basic " + base64.b64encode(pair.encode()).decode())
    elif "authorization" in config:
        authorization = config["authorization"]
        kind = authorization.get("type", "Bearer")
        secret = Secret(f"{kind} {secrets.one(authorization, 'credentials').reveal()}")
    elif "bearer_token_file" in config:
        secret = Secret(f"Bearer {secrets.one(config, 'bearer_token').reveal()}")
    else:
        return {}
    secrets.remember(secret)
    return {"Authorization": secret}


def _headers(config: Part, secrets: Secrets) -> dict[str, Secret]:
    found = {}
    for name, part in config.items("http_headers"):
        if is_secret_header(name) or name.lower() in _RESERVED_HEADERS:
            what = "is a secret and may not stand here" if is_secret_header(name) else "is set by incidentd itself"
            hint = "use `authorization` or `basic_auth`" if is_secret_header(name) else "leave it out"
            secrets.report.wrong(config["http_headers"].at_key(name), f"`{name}` {what}", hint)
        read = [secrets.of_file(file) for file in part.entries("files")]
        found[name] = Secret(", ".join([*part.get("values", ()), *(secret.reveal() for secret in read)]))
    return found


def _oauth2(part: Part, secrets: Secrets) -> OAuth2:
    return OAuth2(
        client_id=part.value["client_id"],
        client_secret=secrets.one(part, "client_secret"),
        token_url=values.web_address(part.value["token_url"]),
        scopes=tuple(part.get("scopes", ())),
        params=part.get("endpoint_params", {}),
    )


def _tls(part: Part, secrets: Secrets) -> Tls:
    files = {
        key: Path(os.path.normpath(secrets.folder / part.value[key]))
        for key in ("ca_file", "cert_file", "key_file")
        if key in part
    }
    for key, path in files.items():
        if not path.is_file():
            secrets.report.wrong(part[key].at, f"the file {shown(path, 500)} of `{key}` is not there", "give its path")
    if all(path.is_file() for path in files.values()):
        _try(files, part, secrets)
    return Tls(**files, server_name=part.get("server_name", ""))


def _try(files: dict[str, Path], part: Part, secrets: Secrets) -> None:
    """See whether the files hold what they should."""
    key = next(iter(files), "")
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if "ca_file" in files:
            context.load_verify_locations(cafile=files["ca_file"])
        if "cert_file" in files:
            key = "cert_file"
            context.load_cert_chain(files["cert_file"], files["key_file"], password="")  # never ask the terminal
    except (ssl.SSLError, OSError, ValueError) as error:
        why = getattr(error, "reason", "") or type(error).__name__
        secrets.report.wrong(
            part[key].at, f"`{key}` cannot be used: {shown(str(why).replace('_', ' ').lower())}", "write PEM files"
        )
