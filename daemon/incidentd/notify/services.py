"""Apprise's services, made from a channel's URL and tamed: what is ours to decide is taken from them."""

from __future__ import annotations

import logging
import threading
from datetime import timedelta
from typing import Any

from apprise import Apprise, AppriseAsset, NotifyFormat, OverflowMode

from incidentd.notify.answers import listen
from incidentd.oncall import Channel, ChannelKind

_CONNECT_SECONDS = 3.0
# Apprise loads its plugins at the first use and writes class attributes then; one thread at a time may do that.
_building = threading.Lock()


def build(channel: Channel, timeout: timedelta) -> Apprise | None:
    """Make an Apprise object of one service; None when the URL is not understood."""
    with _building:
        fence()
        # without a time limit of its own, Apprise calls the service right here, not in a pool that all channels share
        asset = AppriseAsset(service_timeout=0, secure_logging=True, async_mode=False)
        service = Apprise.instantiate(channel.url.reveal(), asset=asset)
        if service is None:
            return None
        _tame(service, channel.kind, timeout.total_seconds())
        apprise = Apprise(asset=asset)
        apprise.add(service)
        listen(service)
        return apprise


def fence() -> None:
    """Keep what Apprise and its libraries log to ourselves: URLs with tokens, whole payloads, answers."""
    log = logging.getLogger("apprise")
    log.propagate = False
    if not log.handlers:
        log.addHandler(logging.NullHandler())  # else warnings go to stderr
    log.setLevel(logging.DEBUG)  # mail servers' codes are only told at this level
    for name in ("urllib3", "requests_oauthlib", "oauthlib", "slixmpp"):
        logging.getLogger(name).setLevel(logging.ERROR)


def _tame(service: Any, kind: ChannelKind, seconds: float) -> None:
    """Take from a service what is ours to decide, or would be a surprise."""
    service.request_rate_per_sec = 0  # it sleeps by the wall clock, for an hour when that is set back
    service.redirects = False
    service.retry = 0  # tries are the outbox's
    service.optional = False  # or a failure would count as success
    # Below our own deadline, so that a silent server gives the thread back. For mail, `connect` limits every answer.
    limit = 0.8 * seconds
    connect = limit if hasattr(service, "smtp_host") else min(_CONNECT_SECONDS, limit)
    service.socket_connect_timeout = min(float(service.socket_connect_timeout), connect)
    service.socket_read_timeout = min(float(service.socket_read_timeout), limit)
    formats = service.notify_format
    if NotifyFormat.TEXT in (formats if isinstance(formats, tuple) else (formats,)):
        service.notify_format = NotifyFormat.TEXT
    if service.overflow_mode is OverflowMode.UPSTREAM:
        short = kind in (ChannelKind.SMS, ChannelKind.CALL)
        service.overflow_mode = OverflowMode.TRUNCATE if short else OverflowMode.SPLIT


def keeps_transaction(service: Any) -> bool:
    """Say whether a service sends a second message under the id of the first, so that the server drops it."""
    return type(service).__name__ == "NotifyMatrix" and not service.user
