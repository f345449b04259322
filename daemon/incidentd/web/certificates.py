"""Client certificates: what a delivery proves by the connection that it comes over."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from incidentd.settings import ClientCertificate


def is_certified(request: web.Request, wanted: ClientCertificate | None) -> bool:
    """Say whether the caller presented one of the wanted certificates.

    What the TLS layer gives was verified by it, or the connection would not stand; a header never counts.
    """
    if wanted is None:
        return False
    certificate: dict[str, Any] | None = request.get_extra_info("peercert")
    return bool(certificate) and _has_name(certificate or {}, wanted)


def _has_name(certificate: dict[str, Any], wanted: ClientCertificate) -> bool:
    alternative = [(kind, name) for kind, name in certificate.get("subjectAltName", ()) if isinstance(name, str)]
    common = [value for part in certificate.get("subject", ()) for key, value in part if key == "commonName"]
    if any(name in wanted.common_names for name in common):
        return True
    return any(
        _folded(kind, name) == _folded(kind, one) for kind, name in alternative for one in wanted.subject_alt_names
    )


def _folded(kind: str, name: str) -> str:
    """Names of hosts and IPv6 addresses mean the same in either case; URIs and mail addresses need not."""
    return name.lower() if kind in ("DNS", "IP Address") else name
