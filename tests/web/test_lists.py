"""Lists: order, paging, filters, and what an alert looks like."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import insert

from incidentd.holds import HoldState
from incidentd.store import Tx
from incidentd.store import tables as t
from incidentd.store.views import paging
from tests.web.asking import Ask
from tests.web.small_house import NOW, SmallHouse, insert_hold


def insert_alert(tx: Tx, /, fingerprint: str, **labels: str) -> None:
    """Put a known alert into the store; `status` says how it stands."""
    status = labels.pop("status", "firing")
    row = {
        "source": labels.pop("source", "default"), "fingerprint": fingerprint, "status": status, "starts_at": NOW,
        "ends_at": None if status == "firing" else NOW, "labels": labels, "annotations": {"summary": "Änderung"},
        "generator_url": "", "seen_at": NOW, "changed_at": NOW, "version": 1, "change": "fired", "undecided": False,
        "decision": "hold", "rule": "everything-else", "reason": "nobody knows it", "subject": "HOLD-1",
    }  # fmt: skip
    tx.conn.execute(insert(t.alert), row)


def insert_group(tx: Tx, /, receiver: str, *fingerprints: str, source: str = "default") -> None:
    group = {
        "source": source, "receiver": receiver, "group_key_hash": receiver, "group_key": "{}:{}", "truncated": 0,
        "seen_at": NOW,
    }  # fmt: skip
    made = tx.conn.execute(insert(t.alert_group).returning(t.alert_group.c.id), group).scalar_one()
    rows = [{"group_id": made, "fingerprint": fingerprint, "present": True} for fingerprint in fingerprints]
    tx.conn.execute(insert(t.group_member), rows)


@pytest.fixture
async def many(house: SmallHouse) -> None:
    for number in range(25):
        await house.store.write(insert_hold, title=f"Hold {number:02}", key=str(number))


async def walk(ask: Ask, path: str, name: str) -> list[list[Any]]:
    pages, cursor = [], ""
    while True:
        answer = await ask("GET", path + (f"&cursor={cursor}" if cursor else ""))
        assert answer.status == 200, answer.text
        pages.append(answer.json[name])
        if answer.json["next"] is None:
            return pages
        cursor = answer.json["next"]


@pytest.mark.usefixtures("many")
async def test_the_newest_come_first_and_every_one_comes_once(ask: Ask) -> None:
    pages = await walk(ask, "/api/v1/holds?limit=10", "holds")
    assert [len(page) for page in pages] == [10, 10, 5]
    assert [hold["id"] for page in pages for hold in page] == [f"HOLD-{number}" for number in range(25, 0, -1)]


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize("limit", [5, 25])
async def test_the_last_page_says_that_it_is_the_last(ask: Ask, limit: int) -> None:
    pages = await walk(ask, f"/api/v1/holds?limit={limit}", "holds")
    assert [len(page) for page in pages] == [limit] * (25 // limit)


@pytest.mark.usefixtures("many")
async def test_what_arrives_meanwhile_neither_repeats_nor_hides_anything(house: SmallHouse, ask: Ask) -> None:
    first = (await ask("GET", "/api/v1/holds?limit=10")).json
    await house.store.write(insert_hold, title="New", key="new")
    second = (await ask("GET", f"/api/v1/holds?limit=10&cursor={first['next']}")).json
    assert [hold["id"] for hold in second["holds"]] == [f"HOLD-{number}" for number in range(15, 5, -1)]


@pytest.mark.usefixtures("many")
async def test_words_are_found_in_any_case_over_all_pages(ask: Ask) -> None:
    pages = await walk(ask, "/api/v1/holds?limit=2&q=" + quote("hOLD 1"), "holds")
    assert [hold["title"] for page in pages for hold in page] == [f"Hold {number}" for number in range(19, 9, -1)]


@pytest.mark.usefixtures("many")
async def test_a_search_looks_at_a_bounded_number_of_rows_and_can_go_on(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "LOOKED_AT", 10)
    pages = await walk(ask, "/api/v1/holds?q=" + quote("Hold 00"), "holds")
    assert [len(page) for page in pages] == [0, 0, 1]


async def test_open_and_closed_are_told_apart(house: SmallHouse, ask: Ask) -> None:
    await house.store.write(insert_hold, key="a")
    await house.store.write(insert_hold, key="b", state=HoldState.CLOSED, ended_at=NOW)
    for state, wanted in (("open", ["HOLD-1"]), ("holding", ["HOLD-1"]), ("closed", ["HOLD-2"]), ("declared", [])):
        found = (await ask("GET", f"/api/v1/holds?state={state}")).json["holds"]
        assert [hold["id"] for hold in found] == wanted
    assert "holding, recovering, snoozed, declared, closed, open" in (await ask("GET", "/api/v1/holds?state=x")).error


@pytest.mark.parametrize("path", ["holds", "incidents", "pages", "runs", "action-items", "alerts", "quarantine"])
async def test_an_empty_list_is_an_empty_list(ask: Ask, path: str) -> None:
    assert (await ask("GET", f"/api/v1/{path}")).json == {path.replace("-", "_"): [], "next": None}


async def test_an_alert_has_its_fields_and_its_groups(house: SmallHouse, ask: Ask) -> None:
    await house.store.write(insert_alert, "f1", alertname="QueueLagHigh", env="prod")
    await house.store.write(insert_group, "ops", "f1")
    await house.store.write(insert_group, "dev", "f1")
    await house.store.write(insert_group, "ops-of-another-world", "f1", source="staging")
    (found,) = (await ask("GET", "/api/v1/alerts")).json["alerts"]
    wanted = {
        "fingerprint": "f1", "status": "firing", "labels": {"alertname": "QueueLagHigh", "env": "prod"},
        "annotations": {"summary": "Änderung"}, "starts_at": "2026-11-24T14:07:00Z", "ends_at": None,
        "source": "default", "decision": "hold", "rule": "everything-else", "reason": "nobody knows it",
        "subject": "HOLD-1", "decided": True,
        "groups": [
            {"receiver": "ops", "group_key": "{}:{}", "present": True},
            {"receiver": "dev", "group_key": "{}:{}", "present": True},
        ],
    }  # fmt: skip
    assert wanted.items() <= found.items()


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("", "abcd"), ("state=firing", "abd"), ("state=resolved", "c"), ("state=suppressed", ""), ("state=unknown", ""),
        ('filter=env="prod"', "ac"), ('filter=env=~"pr.*"&filter=alertname!="Up"', "c"), ('filter=env=""', "d"),
        ("q=down", "c"), ("q=änderung", "abcd"), ("q=ENV", "abc"), ('q=up&filter=env!="dev"', "ad"),
        ('state=firing&filter=alertname="Down"', ""), ("filter=severity!~crit.*", "abcd"),
    ],
)  # fmt: skip
async def test_alerts_are_found_by_state_matchers_and_text(
    house: SmallHouse, ask: Ask, query: str, wanted: str
) -> None:
    await house.store.write(insert_alert, "a", alertname="Up", env="prod")
    await house.store.write(insert_alert, "b", alertname="Up", env="dev")
    await house.store.write(insert_alert, "c", alertname="Down", env="prod", status="resolved")
    await house.store.write(insert_alert, "d", alertname="Up")
    path = "/api/v1/alerts?" + quote(query, safe="=&")
    pages = [page for page in await walk(ask, path + "&limit=1", "alerts") if page]
    assert "".join(alert["fingerprint"] for page in pages for alert in page) == wanted


async def test_alerts_of_several_sources_are_walked_in_order(house: SmallHouse, ask: Ask) -> None:
    for source in ("b", "a", "c"):
        for fingerprint in ("2", "1"):
            await house.store.write(insert_alert, fingerprint, source=source)
    pages = await walk(ask, "/api/v1/alerts?limit=1", "alerts")
    found = [(alert["source"], alert["fingerprint"]) for page in pages for alert in page]
    assert found == [(source, fingerprint) for source in "abc" for fingerprint in "12"]


@pytest.mark.parametrize("matcher", ["", "nonsense", 'a="b', "a=~(", '{a="b"}'])
async def test_a_filter_that_is_no_matcher_is_refused_with_what_to_do(ask: Ask, matcher: str) -> None:
    answer = await ask("GET", "/api/v1/alerts?filter=" + quote(matcher))
    assert answer.status == 400
    assert answer.error.startswith("filter: ")


async def test_quarantine_shows_what_was_set_aside_and_why(house: SmallHouse, ask: Ask) -> None:
    def put(tx: Tx) -> None:
        row = {"source": "default", "at": datetime(2026, 1, 1, tzinfo=UTC), "reason": "not a time", "excerpt": "<x>"}
        tx.conn.execute(insert(t.quarantine), row)

    await house.store.write(put)
    (found,) = (await ask("GET", "/api/v1/quarantine?q=TIME")).json["quarantine"]
    assert (found["reason"], found["excerpt"], found["at"]) == ("not a time", "<x>", "2026-01-01T00:00:00Z")
    assert (await ask("GET", "/api/v1/quarantine?q=nothing")).json["quarantine"] == []
    assert (await ask("GET", "/api/v1/quarantine?state=x")).status == 400


async def test_a_timeline_is_walked_from_its_beginning(house: SmallHouse, ask: Ask) -> None:
    await house.store.write(insert_hold)
    for number in range(5):
        await ask("POST", "/api/v1/holds/1/note", json={"text": f"note {number}"})
    pages = await walk(ask, "/api/v1/holds/1/timeline?limit=4", "timeline")
    seqs = [entry["seq"] for page in pages for entry in page]
    assert seqs == list(range(1, len(seqs) + 1))
    found = await walk(ask, "/api/v1/holds/1/timeline?q=note+3", "timeline")
    assert any(entry["text"] == "local: note 3" for page in found for entry in page)
