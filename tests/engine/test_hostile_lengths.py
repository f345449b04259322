"""Strings of strangers that are too long for an index of PostgreSQL, and do not become short by packing them."""

from __future__ import annotations

import json
import secrets
from dataclasses import replace

from sqlalchemy import select

from incidentd.holds import HoldState
from incidentd.incidents import Status
from incidentd.playbooks import Mode
from incidentd.rules import CATCH_ALL, Decide, LabelMap
from incidentd.settings import Automation
from incidentd.store import Tx, reconciling, things
from incidentd.store.tables import action_item, alert_group, inbox
from incidentd.triage import correlation_key
from tests.engine.test_automation import RULE, playbook
from tests.engine.test_reconciling import SETTINGS
from tests.engine.world import Making

BY_URL = replace(CATCH_ALL, correlate_by=("alertname", "url"))
HELD = replace(SETTINGS, rules=(BY_URL,), sources={})


async def test_an_alert_that_is_correlated_by_a_long_label_is_held_and_declared_like_any_other(world: Making) -> None:
    w = await world(HELD)
    long, other = (f"https://{secrets.token_urlsafe(4000)}" for _ in range(2))
    await w.send(w.firing("Slow", url=long))
    await w.send(w.firing("Slow", url=long, pod="2"))
    await w.send(w.firing("Slow", url=long[:-1] + "!"), w.firing("Slow", url=other))

    assert [(await w.hold(n)).firing for n in (1, 2, 3)] == [2, 1, 1]
    assert json.loads((await w.hold()).correlation_key)[0] == CATCH_ALL.name
    await w.at(40)
    assert [(await w.hold(n)).state for n in (1, 2, 3)] == [HoldState.DECLARED] * 3
    assert [(await w.incident(n)).status for n in (1, 2, 3)] == [Status.DECLARED] * 3


def test_a_key_shows_the_values_whole_unless_they_are_too_long_for_an_index() -> None:
    labels = {"alertname": "Slow", "url": "x" * 1000}
    assert correlation_key(BY_URL, labels, LabelMap()) == json.dumps([BY_URL.name, "Slow", "x" * 1000])

    keys = {correlation_key(BY_URL, labels | {"url": "\N{PILE OF POO}" * 2000 + end}, LabelMap()) for end in "ab"}
    assert len(keys) == 2
    assert all(len(key.encode()) < 1500 for key in keys)
    assert all(json.loads(key)[:2] == [BY_URL.name, "Slow"] for key in keys)


async def test_a_ticket_of_a_long_label_is_filed_once(world: Making) -> None:
    w = await world(replace(HELD, rules=(replace(BY_URL, decide=Decide.TICKET),)))
    long = secrets.token_urlsafe(4000)
    await w.send(w.firing("Slow", url=long))
    await w.send(w.firing("Slow", url=long, pod="2"))

    assert len(await w.store.read(keys_of_tickets)) == 1


async def test_a_playbook_that_would_act_on_what_a_long_label_names_is_refused(world: Making) -> None:
    book = replace(playbook(), target="{{ labels.url }}")
    settings = replace(
        SETTINGS, rules=(replace(RULE, correlate_by=("alertname",)),), sources={}, playbooks={book.name: book},
        automation=Automation(mode=Mode.AUTO),
    )  # fmt: skip
    w = await world(settings)
    await w.send(w.firing("WorkerStuck", instance="w-3", url=secrets.token_urlsafe(4000)))

    assert (await w.hold()).state is HoldState.HOLDING
    assert "run.refused" in await w.kinds("HOLD-1")
    assert await w.store.read(things.runs_of, "HOLD-1") == []


async def test_a_body_of_a_long_receiver_is_unpacked_and_keeps_nothing_behind_it_waiting(world: Making) -> None:
    w = await world(HELD)
    receiver = secrets.token_urlsafe(4000)
    for name in (receiver, receiver, receiver[:-1] + "!", "incidentd"):
        body = {"receiver": name, "groupKey": secrets.token_urlsafe(4000), "alerts": [w.firing("Slow", url="x")]}
        await w.deliver("default", json.dumps(body).encode())

    assert (await w.hold()).firing == 1
    assert await w.store.read(waiting) == []
    assert await w.store.read(groups) == 4
    known = await w.store.read(reconciling.receivers, "default")
    assert len(known) == 3
    assert "incidentd" in known


def waiting(tx: Tx) -> list[int]:
    return list(tx.conn.execute(select(inbox.c.id).where(inbox.c.done.is_(False))).scalars())


def groups(tx: Tx) -> int:
    return len(tx.conn.execute(select(alert_group.c.id)).all())


def keys_of_tickets(tx: Tx) -> list[str]:
    return list(tx.conn.execute(select(action_item.c.correlation_key)).scalars())
