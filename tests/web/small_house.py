"""A small house behind the front door: a real store in a folder of the test's own, and a clock that stands still."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from incidentd import links
from incidentd.handoff import Silence
from incidentd.holds import Hold, HoldPolicy, HoldState
from incidentd.metrics import Metrics
from incidentd.pages import Chain, Page, PageState
from incidentd.settings import Settings
from incidentd.store import Store, Tx, access, chain, subjects, things
from incidentd.timeline import Actor, Draft

NOW = datetime(2026, 11, 24, 14, 7, tzinfo=UTC)
KEY = bytes(range(32))
SETUP = Actor(name="setup", via="file")


@dataclass(kw_only=True)
class SmallHouse:
    """What the front door needs, and nothing behind it."""

    store: Store
    metrics: Metrics
    settings: Settings = field(default_factory=Settings)
    link_keys: Mapping[str, bytes] = field(default_factory=lambda: {links.kid_of(KEY): KEY})
    why: str = ""
    overload: str = ""
    at: datetime = NOW
    reloads: int = 0
    illness: str = ""
    silenced: list[Silence] | None = None
    trouble: Exception | None = None

    def now(self) -> datetime:
        return self.at

    def not_ready(self) -> str:
        return self.why

    def unwell(self) -> str:
        return self.illness

    async def silences(self) -> list[Silence] | None:
        return self.silenced

    def overloaded(self) -> str:
        return self.overload

    async def reload(self) -> None:
        self.reloads += 1
        if self.trouble is not None:
            raise self.trouble

    async def token(self, *scopes: str, name: str = "") -> str:
        """Make a token with these scopes, and give its secret."""
        return await make_token(self.store, *scopes, name=name)


async def make_token(store: Store, *scopes: str, name: str = "") -> str:
    from incidentd.access import new_token, token_hash

    secret = new_token(json.dumps([name, *scopes]).encode().ljust(32, b".")[:32])
    await store.write(
        access.make_token, name=name or "+".join(scopes), scopes=scopes, hash=token_hash(secret), actor=SETUP
    )
    return secret


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def body(*names: str, status: str = "firing", **more: Any) -> bytes:
    """Write a webhook body with one alert a name."""
    alerts = [
        {
            "status": status, "labels": {"alertname": name, "env": "prod"}, "annotations": {"summary": f"{name} is up"},
            "startsAt": "2026-11-24T14:00:00Z", "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "",
        }
        for name in names
    ]  # fmt: skip
    return json.dumps({"receiver": "incidentd", "groupKey": "{}:{}", "alerts": alerts, **more}).encode()


def insert_hold(tx: Tx, /, title: str = "QueueLagHigh", key: str = "queue", **more: Any) -> Hold:
    """Put a hold into the store, with the first entry of its timeline."""
    end = tx.now + timedelta(minutes=30)
    fields: dict[str, Any] = {
        "source": "default", "rule": "queue-lag", "correlation_key": key, "title": title, "severity": "sev3",
        "urgency": "urgent", "policy": HoldPolicy(), "state": HoldState.HOLDING, "opened_at": tx.now,
        "deadline_at": end, "cap_at": end, "firing": 2, "peak": 3, "best": 2, "progress_at": tx.now,
        "reason": "rule queue-lag holds this", "impact_started_at": tx.now,
    }  # fmt: skip
    hold = subjects.insert_hold(tx, Hold(id=0, **{**fields, **more}))
    chain.append(tx, hold.key, SETUP, [Draft("hold.opened", "Holding: declares unless there is progress.")])
    return hold


def insert_page(tx: Tx, /, subject: str, title: str = "[sev3] QueueLagHigh", *, joined: int = 0) -> Page:
    """Put an open page into the store."""
    page = Page(
        id=0, subject=subject, policy="default", urgency="urgent", respond_within=timedelta(minutes=30),
        state=PageState.OPEN, title=title, started_at=tx.now, chain=Chain(levels=()), paged=("ana",),
        joined=joined,
    )  # fmt: skip
    return things.insert_page(tx, page)


def link_for(page: Page, *, person: str = "ana", nonce: str = "n" * 22, expires: datetime | None = None) -> str:
    """Write the path of the link that acknowledges a page."""
    return link_to("ack", page.key, person=person, nonce=nonce, expires=expires)


def link_to(
    action: str, subject: str, *, person: str = "ana", nonce: str = "n" * 22, expires: datetime | None = None
) -> str:
    """Write the path of a link."""
    until = expires or NOW + timedelta(hours=24)
    token = links.make(KEY, action=action, subject=subject, person=person, nonce=nonce, expires=until)
    return f"/a/{token}"


def form_of(link: str, **fields: str) -> dict[str, Any]:
    """Give how the form of a link's page is sent, as a browser does it."""
    token = link.removeprefix("/a/")
    try:
        form = links.form_token({links.kid_of(KEY): KEY}, token)
    except links.BadLink:
        form = "x"
    headers = {"Sec-Fetch-Site": "same-origin", "Origin": "null"}
    return {"headers": headers, "data": {"form": form, **fields}}
