"""What stands around an incident, at the API."""

from __future__ import annotations

import json

from incidentd.engine import commands, lifecycle
from incidentd.engine.loop import _unpacked
from incidentd.handoff import Silence
from incidentd.matchers import parse_matcher
from incidentd.settings import Settings
from incidentd.store import Tx, inbox, subjects
from incidentd.timeline import Actor
from tests.cli.conftest import Type, typed
from tests.web.asking import Ask
from tests.web.small_house import NOW, SmallHouse, insert_hold

__all__ = ["typed"]

ANA = Actor(name="ana", via="api")
EVIL = "javascript:alert(1)"
BROWSER = {"Accept": "text/html"}


async def alert(house: SmallHouse) -> str:
    one = {
        "status": "firing", "labels": {"alertname": "QueueLag", "queue": "mail"}, "startsAt": "2026-11-24T14:00:00Z",
        "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "http://p:9090/graph?g0.expr=lag+%3E+30&g0.tab=1",
        "annotations": {"runbook_url": "https://runbooks/x", "dashboard": "https://g/d/abc/q", "dashboard_url": EVIL},
    }  # fmt: skip
    body = {"version": "4", "receiver": "incidentd", "groupKey": "{}:{}", "alerts": [one]}
    await house.store.append("default", json.dumps(body).encode())
    deliveries = await house.store.read(inbox.next_deliveries)
    await house.store.write(_unpacked, house.settings, deliveries)
    [changed] = await house.store.read(inbox.undecided, 1)
    return changed.fingerprint


def declare(tx: Tx, settings: Settings, title: str, fingerprint: str) -> None:
    it = commands.declare_incident(tx, settings, actor=ANA, title=title, severity="sev2", page="default")
    subjects.join(tx, it.key, [("default", fingerprint, True)])


async def declared(house: SmallHouse) -> None:
    fingerprint = await alert(house)
    await house.store.write(declare, house.settings, "Mail is slow", fingerprint)
    await house.store.write(lifecycle.resolve, house.settings, 1, actor=ANA, note="consumers restarted", admin=True)
    await house.store.write(declare, house.settings, "Mail is late", fingerprint)


async def test_it_says_where_to_look_what_helped_before_and_what_is_silenced(house: SmallHouse, ask: Ask) -> None:
    await declared(house)
    ours, others = parse_matcher('alertname="QueueLag"'), parse_matcher('alertname="Other"')
    house.silenced = [
        Silence(matchers="{ours}", ends_at=NOW, by="ben", comment="deploy", id="s1", match=(ours,)),
        Silence(matchers="{others}", ends_at=NOW, by="ben", comment="x", id="s2", match=(others,)),
        Silence(matchers="{}", ends_at=NOW, by="ben", comment="nobody can say", id="s3"),
    ]
    found = (await ask("GET", "/api/v1/incidents/INC-2/context")).json
    assert [(it["kind"], it["what"]) for it in found["links"]] == [
        ("Runbook", "QueueLag"),
        ("Dashboard", "QueueLag"),
        ("Query", "QueueLag"),
    ]
    assert found["links"][1]["url"].startswith("https://g/d/abc/q?from=")
    assert found["links"][2]["url"].endswith("g0.expr=lag%20%3E%2030&g0.tab=1&g0.range_input=2h")
    [one] = found["similar"]
    assert (one["id"], one["alike_in"], one["fixed_by"]) == ("INC-1", ["1 alert in common"], "consumers restarted")
    assert [it["id"] for it in found["silences"]] == ["s1"]
    house.silenced = None
    assert (await ask("GET", "/api/v1/incidents/INC-2/context")).json["silences"] is None

    document = (await ask("GET", "/api/v1/incidents/INC-2/document")).text
    assert "| Runbook | QueueLag | [open](https://runbooks/x) |" in document
    assert "consumers restarted." in document
    assert "javascript" not in document


async def test_the_command_shows_the_same(house: SmallHouse, typed: Type) -> None:
    await declared(house)
    house.silenced = []
    shown = (await typed("context", "INC-2")).output.splitlines()
    assert "Runbook of QueueLag: https://runbooks/x" in shown
    assert "  what fixed it: consumers restarted" in shown
    assert shown[-1] == "None of its alerts is silenced."


async def test_an_incident_that_is_not_there_is_not_found(house: SmallHouse, ask: Ask) -> None:
    assert (await ask("GET", "/api/v1/incidents/INC-9/context")).status == 404


async def test_the_pages_and_the_board_of_the_operations_lead_show_the_same(house: SmallHouse, ask: Ask) -> None:
    await declared(house)
    ours = parse_matcher('alertname="QueueLag"')
    house.silenced = [Silence(matchers="{<b>ours}", ends_at=NOW, by="ben", comment="deploy", id="s1", match=(ours,))]
    for path in ("/incidents/INC-2", "/incidents/INC-2/board/ol"):
        text = (await ask("GET", path, headers=BROWSER)).text
        assert 'Runbook: <a href="https://runbooks/x">QueueLag</a>' in text
        assert 'Dashboard: <a href="https://g/d/abc/q?from=' in text
        assert "g0.tab=1&amp;g0.range_input=2h" in text
        assert "what fixed it: consumers restarted" in text
        assert "incidents/INC-1" in text
        assert "{&lt;b&gt;ours}" in text
        assert f'href="{EVIL}"' not in text
    house.silenced = None
    assert "Alertmanager does not say" in (await ask("GET", "/incidents/INC-2/board/ol", headers=BROWSER)).text
    assert "Where to look" not in (await ask("GET", "/incidents/INC-2/board/cl", headers=BROWSER)).text


async def test_the_page_of_a_hold_says_where_to_look_and_what_is_silenced(house: SmallHouse, ask: Ask) -> None:
    await house.store.write(held, await alert(house))
    house.silenced = []
    text = (await ask("GET", "/holds/HOLD-1", headers=BROWSER)).text
    assert 'Runbook: <a href="https://runbooks/x">QueueLag</a>' in text
    assert "None of its alerts is silenced." in text


def held(tx: Tx, fingerprint: str) -> None:
    it = insert_hold(tx)
    subjects.join(tx, it.key, [("default", fingerprint, True)])
