"""Signed deliveries: the HMAC over a body that a source's sender made with the secret that both know."""

from __future__ import annotations

from datetime import datetime

from aiohttp import web

from incidentd.access import SIGNATURE_AGE, same_signature
from incidentd.errors import NotAllowed
from incidentd.settings import Signing

SIGNING: web.RequestKey[Signing] = web.RequestKey("signing", Signing)
"""How the body of a request must be signed: as it was configured when the request came, whatever is reloaded since."""


def refuse_unsigned(request: web.Request, source: str, signing: Signing) -> None:
    """Refuse a delivery that brings no signature, before its body is read. Raises NotAllowed."""
    for name in filter(None, (signing.header, signing.timestamp_header)):
        if len(request.headers.getall(name, [])) != 1:
            raise NotAllowed(f"the source {source!r} takes signed deliveries only: send one header {name}")
    request[SIGNING] = signing


def check_signature(request: web.Request, body: bytes, now: datetime) -> None:
    """Check who signed a body, where its source wants that; NotAllowed is raised for one that nobody here signed."""
    signing = request.get(SIGNING)
    if signing is None:
        return
    headers = request.headers
    signed = body
    if signing.timestamp_header:
        sent = headers.get(signing.timestamp_header, "").strip()
        if not (sent.isascii() and sent.isdigit() and len(sent) <= 12):
            raise NotAllowed(f"{signing.timestamp_header} is the time of sending in whole seconds since 1970")
        if abs(now.timestamp() - int(sent)) > SIGNATURE_AGE.total_seconds():
            raise NotAllowed(f"{signing.timestamp_header} is too far from the time here; set the sender's clock")
        signed = sent.encode() + b":" + body
    given = headers.get(signing.header, "").strip().removeprefix("sha256=")
    # every one is compared, so that the time taken says nothing about which came close
    if not any([same_signature(secret.reveal(), signed, given) for secret in signing.secrets]):
        raise NotAllowed(f"the signature in {signing.header} is not that of this body with a secret of its source")
