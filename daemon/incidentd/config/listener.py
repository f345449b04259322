"""The file of `--web.config.file`, in the format that Prometheus's own programs have for it: TLS, and headers."""

from __future__ import annotations

import os
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from incidentd.config import shape, words, yaml12
from incidentd.config.parts import Part
from incidentd.config.report import Report, shown
from incidentd.config.tree import printable, raw_of
from incidentd.errors import Location
from incidentd.settings import ClientAuth, MinVersion, WebSettings, WebTls
from incidentd.tls import Unusable, expires_at, server_context


def web_settings(path: Path, report: Report) -> WebSettings:
    """Read what is said of our own listener; mistakes are in the report. Paths start from the file's folder."""
    part = _document(path, report)
    if part is None:
        return WebSettings()
    http = part.get("http_server_config") or {}
    return WebSettings(
        tls=_tls(part["tls_server_config"], path.parent, report) if "tls_server_config" in part else None,
        headers=http.get("headers", {}),
    )


def _document(path: Path, report: Report) -> Part | None:
    name = printable(str(path))
    try:
        raw = raw_of(path)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        report.wrong(Location(name, 1), f"`{shown(name, 500)}` cannot be read", reason.lower())
        return None
    nodes = yaml12.read(raw, name, report)
    if nodes is None:
        return None
    if len(nodes) != 1:
        at, what = (nodes[1].at, "holds a second document") if nodes else (Location(name, 1), "is empty")
        report.wrong(at, f"the file {what}", "write one document, with `tls_server_config`")
        return None
    value = shape.value_of(nodes[0], shape.schema_of(shape.WEB))
    part = Part(value, nodes[0].at, nodes[0].at, nodes[0])
    errors = shape.errors_of(shape.WEB, value)
    words.tell(errors, part, report)
    return None if errors else part


def _tls(part: Part, folder: Path, report: Report) -> WebTls | None:
    files = {
        key: Path(os.path.normpath(folder / part.value[key]))
        for key in ("cert_file", "key_file", "client_ca_file")
        if key in part
    }
    missing = [key for key, path in files.items() if not path.is_file()]
    for key in missing:
        report.wrong(part[key].at, f"the file {shown(files[key], 500)} of `{key}` is not there", "give its path")
    if missing:
        return None
    tls = WebTls(
        cert_file=files["cert_file"], key_file=files["key_file"], client_ca_file=files.get("client_ca_file"),
        client_auth=ClientAuth(part.get("client_auth_type", ClientAuth.NONE)),
        min_version=MinVersion(part.get("min_version", MinVersion.TLS12)),
    )  # fmt: skip
    try:
        server_context(tls)
        contents = sha256(b"".join(sha256(path.read_bytes()).digest() for path in files.values())).hexdigest()
        return replace(tls, contents=contents, expires_at=expires_at(tls.cert_file))
    except Unusable as error:
        hint = "write PEM files; the key must be the certificate's, and without a passphrase"
        report.wrong(part[error.key].at, str(error), hint)
    except OSError as error:
        report.wrong(part.key_at, f"a file cannot be read: {error.strerror}")
    return None
