"""What was once received, read out of a store that a daemon may be running on; nothing is written, nor can be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import DBAPIError

from incidentd.alerts import Change
from incidentd.errors import StoreUnavailable
from incidentd.redaction import Secret
from incidentd.store import sqlite
from incidentd.store.session import told
from incidentd.store.tables import alert, alert_event, inbox

_RESOLVED = frozenset({Change.RESOLVED, Change.UNSEEN, Change.GONE})
_FIRING = frozenset({Change.FIRED, Change.REFIRED, Change.ECHO, Change.FOUND, Change.CONFIRMED})


@dataclass(frozen=True, slots=True)
class Received:
    """A webhook body, and when it came."""

    at: datetime
    source: str
    body: bytes


def received(url: str, *, password: Secret | None = None) -> list[Received]:
    """Read every delivery that a store still knows of, the oldest first.

    Bodies are kept for as long as `retention.inbox` says; of the time before that, the changes of alerts are made
    bodies again. Raises StoreUnavailable.
    """
    engine = _engine(url, password)
    try:
        with engine.connect() as conn:
            bodies = [Received(row.at, row.source, row.body) for row in conn.execute(_bodies())]
            first = min((it.at for it in bodies), default=None)
            return sorted([*_changes(conn, first), *bodies], key=lambda it: it.at)
    except DBAPIError as error:
        raise StoreUnavailable(f"the store cannot be read: {told(error)}") from None
    finally:
        engine.dispose()


def _engine(url: str, password: Secret | None) -> Engine:
    if url.startswith("sqlite:"):
        path = sqlite.path_of(url)
        if not Path(path).is_file():
            raise StoreUnavailable(f"there is no store at {path}; --store or --config.file says where it is")
        return sqlite.read_engine(path)
    try:
        from incidentd.store import postgres  # noqa: PLC0415 - its driver is an extra
    except ImportError as error:
        raise StoreUnavailable(
            f"the driver for PostgreSQL is not here ({error}); install it with: pip install 'incidentd[postgres]'"
        ) from error
    return postgres.make_engine(url, password, read_only=True)


def _bodies() -> Any:
    return select(inbox.c.at, inbox.c.source, inbox.c.body).order_by(inbox.c.id)


def _changes(conn: Connection, before: datetime | None) -> Iterator[Received]:
    """Make bodies of the changes of alerts before an instant; of those that no delivery told of, too."""
    until = before or conn.execute(select(func.max(alert_event.c.at))).scalar()
    if until is None:
        return
    joined = alert_event.join(
        alert, (alert.c.source == alert_event.c.source) & (alert.c.fingerprint == alert_event.c.fingerprint)
    )
    wanted = (
        select(alert_event, alert.c.labels, alert.c.annotations)
        .select_from(joined)
        .where(alert_event.c.at < until if before else alert_event.c.at <= until)
        .order_by(alert_event.c.id)
    )
    for row in conn.execute(wanted):
        if (status := _status(row)) is not None:
            yield Received(row.at, row.source, _body(row, status))


def _status(row: Any) -> str | None:
    change = Change(row.change)
    if change in _RESOLVED or (change is Change.CORRECTED and row.ends_at is not None):
        return "resolved"
    return "firing" if change in _FIRING or change is Change.CORRECTED else None


def _body(row: Any, status: str) -> bytes:
    one = {
        "status": status, "labels": row.labels, "annotations": row.annotations, "fingerprint": row.fingerprint,
        "startsAt": row.starts_at.isoformat(),
        "endsAt": (row.ends_at or row.at).isoformat() if status == "resolved" else "0001-01-01T00:00:00Z",
    }  # fmt: skip
    return json.dumps({"version": "4", "receiver": "history", "groupKey": "{}:{}", "alerts": [one]}).encode()
