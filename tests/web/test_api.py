"""The API: what people read and do over it, and how it says no."""

from __future__ import annotations

import io
from datetime import datetime, timedelta
from typing import Any

import pytest

from incidentd.oncall import Layer, Person, Roster, Schedule, Target
from incidentd.playbooks import Mode, Run, RunState
from incidentd.settings import Settings
from incidentd.store import things
from tests.drafts import put_draft
from tests.web.asking import Ask
from tests.web.small_house import NOW, SmallHouse, insert_hold, insert_page

CHECKOUT = {"title": "Checkout is down", "severity": "sev1", "reason": "customers call", "by": "ana"}


async def declared(ask: Ask) -> dict[str, Any]:
    answer = await ask("POST", "/api/v1/incidents", json=CHECKOUT)
    assert answer.status == 201
    made: dict[str, Any] = answer.json
    return made


async def test_an_incident_is_declared_noted_and_resolved_by_hand(ask: Ask) -> None:
    assert (await declared(ask))["id"] == "INC-1"
    assert (await ask("POST", "/api/v1/incidents/INC-1/note", json={"text": "rolling back", "by": "ben"})).status == 201
    item = await ask("POST", "/api/v1/incidents/1/action-items", json={"title": "Alert on it", "type": "detect"})
    assert (item.status, item.json["id"], item.json["type"]) == (201, "AI-1", "detect")
    assert (await ask("POST", "/api/v1/incidents/1/resolve", json={"note": "rolled back"})).json["status"] == "resolved"
    told = [entry["text"] for entry in (await ask("GET", "/api/v1/incidents/1/timeline")).json["timeline"]]
    assert "ben: rolling back" in told
    found = (await ask("GET", "/api/v1/incidents/inc-1")).json
    assert (found["status"], found["action_items"], found["commander"]) == ("resolved", ["AI-1"], "local")


async def test_resolving_twice_is_a_conflict_that_says_what_is_allowed(ask: Ask) -> None:
    await declared(ask)
    await ask("POST", "/api/v1/incidents/1/resolve")
    again = await ask("POST", "/api/v1/incidents/1/resolve")
    assert again.status == 409
    assert "allowed from here" in again.error


async def test_an_incident_is_moved_over_the_api_and_whoever_comes_second_is_told(ask: Ask) -> None:
    await declared(ask)
    path = "/api/v1/incidents/INC-1/"
    assert (await ask("POST", path + "identify", json={})).status == 400
    found = (await ask("POST", path + "identify", json={"cause": "a bad release", "by": "ana"})).json
    assert (found["status"], found["cause"]) == ("identified", "a bad release")
    assert found["allowed"] == ["investigating", "merged", "mitigated", "resolved", "stood_down"]
    move = {"note": "rolled back", "expected_version": found["version"], "by": "ana"}
    assert (await ask("POST", path + "mitigate", json=move)).json["status"] == "mitigated"
    late = await ask("POST", path + "stand-down", json={"code": "duplicate", "expected_version": found["version"]})
    assert (late.status, "Meanwhile: " in late.error, "Mitigated by ana: rolled back" in late.error) == (
        409,
        True,
        True,
    )

    raised = await ask("POST", path + "severity", json={"severity": "sev2", "reason": "one region"})
    assert [(one["was"], one["to"]) for one in raised.json["severity_changes"]] == [("sev1", "sev2")]
    times = {"impact_started_at": "2026-11-24T13:00:00+01:00"}
    assert (await ask("POST", path + "times", json={"times": times})).json["corrections"][0]["entered_by"] == "local"
    assert (await ask("POST", path + "times", json={"times": {"impact_started_at": "noon"}})).status == 400


async def test_incidents_are_merged_and_taken_apart_over_the_api(ask: Ask) -> None:
    await declared(ask)
    await declared(ask)
    assert (await ask("POST", "/api/v1/incidents/2/merge", json={})).status == 400
    assert (await ask("POST", "/api/v1/incidents/2/merge", json={"with": "INC-1"})).json["id"] == "INC-1"
    assert (await ask("GET", "/api/v1/incidents/2")).json["merged_into"] == "INC-1"
    assert (await ask("POST", "/api/v1/incidents/2/unmerge")).json["status"] == "investigating"
    made = await ask("POST", "/api/v1/incidents", json={**CHECKOUT, "drill": True})
    assert (made.json["drill"], made.json["title"]) == (True, "DRILL: Checkout is down")


async def test_a_page_is_acknowledged_once_and_by_one(ask: Ask) -> None:
    await declared(ask)
    acked = await ask("POST", "/api/v1/pages/PAGE-1/ack", json={"by": "ana"})
    assert (acked.json["state"], acked.json["acked_by"]) == ("acked", "ana")
    assert (await ask("POST", "/api/v1/pages/1/ack", json={"by": "ana"})).status == 200
    assert (await ask("POST", "/api/v1/pages/1/ack", json={"by": "ben"})).status == 409
    assert (await ask("GET", "/api/v1/pages/1")).json["acked_by"] == "ana"


async def test_a_page_is_taken_by_whoever_owns_it_from_here_and_taken_over(ask: Ask) -> None:
    await declared(ask)
    taken = await ask("POST", "/api/v1/pages/PAGE-1/take", json={"by": "eli"})
    assert (taken.status, taken.json["state"], taken.json["owner"]) == (200, "acked", "eli")
    over = (await ask("POST", "/api/v1/pages/1/take", json={"by": "fay"})).json
    assert (over["owner"], over["acked_by"]) == ("fay", "eli")
    told = [entry["text"] for entry in (await ask("GET", "/api/v1/incidents/1/timeline")).json["timeline"]]
    assert "PAGE-1 was taken by fay over from eli." in told

    assert (await ask("POST", "/api/v1/pages/9/take", json={"by": "eli"})).status == 404


async def test_help_is_noted_and_leaves_the_page_open(ask: Ask) -> None:
    await declared(ask)
    helped = await ask("POST", "/api/v1/pages/1/helping", json={"by": "eli", "text": "looking at the gateway"})
    assert (helped.status, helped.json["state"], helped.json["acked_by"]) == (200, "open", "")
    told = [entry["text"] for entry in (await ask("GET", "/api/v1/incidents/1/timeline")).json["timeline"]]
    assert "eli is helping with PAGE-1: looking at the gateway (it still waits for an answer)." in told
    await ask("POST", "/api/v1/incidents/1/resolve")
    late = await ask("POST", "/api/v1/pages/1/helping", json={"by": "eli"})
    assert (late.status, "there is nothing to help with" in late.error) == (409, True)


async def test_a_page_that_is_over_cannot_be_taken(ask: Ask) -> None:
    await declared(ask)
    await ask("POST", "/api/v1/incidents/1/resolve")
    late = await ask("POST", "/api/v1/pages/1/take", json={"by": "eli"})
    assert (late.status, "there is nothing to take" in late.error) == (409, True)


async def test_a_hold_is_noted_declared_and_remembers_what_it_became(house: SmallHouse, ask: Ask) -> None:
    await house.store.write(insert_hold)
    assert (await ask("POST", "/api/v1/holds/HOLD-1/note", json={"text": "draining"})).status == 201
    made = await ask("POST", "/api/v1/holds/HOLD-1/declare", json={"reason": "money"})
    assert (made.status, made.json["id"], made.json["hold"]) == (200, "INC-1", "HOLD-1")
    found = (await ask("GET", "/api/v1/holds/1")).json
    assert (found["state"], found["incident"]) == ("declared", "INC-1")
    again = await ask("POST", "/api/v1/holds/HOLD-1/declare")
    assert (again.status, "INC-1" in again.error) == (409, True)


async def test_a_hold_is_stood_down_only_with_a_reason(house: SmallHouse, ask: Ask) -> None:
    await house.store.write(insert_hold)
    refused = await ask("POST", "/api/v1/holds/1/stand-down")
    assert (refused.status, "reason" in refused.error) == (400, True)
    assert (await ask("POST", "/api/v1/holds/1/stand-down", json={"reason": "a test"})).json["outcome"] == "stood_down"


async def test_a_hold_is_extended_once_with_a_reason_and_somebodys_approval(house: SmallHouse, ask: Ask) -> None:
    await house.store.write(insert_hold)
    asked = {"length": "10m", "approver": "ben", "reason": "the disk is being copied", "by": "ana"}
    for wrong in ({"length": "soon"}, {"length": "5h"}, {"approver": "ana"}, {"approver": ""}, {"reason": ""}):
        assert (await ask("POST", "/api/v1/holds/1/extend", json={**asked, **wrong})).status == 400
    before = (await ask("GET", "/api/v1/holds/1")).json
    extended = await ask("POST", "/api/v1/holds/1/extend", json=asked)
    moved = [datetime.fromisoformat(one["cap_at"]) for one in (before, extended.json)]
    assert (moved[1] - moved[0], extended.json["extended_by"]) == (timedelta(minutes=10), "ana")
    assert (await ask("POST", "/api/v1/holds/1/extend", json=asked)).status == 409


async def test_a_customers_word_declares_a_hold(house: SmallHouse, ask: Ask) -> None:
    await house.store.write(insert_hold)
    await ask("POST", "/api/v1/holds/1/note", json={"text": "three tickets", "customer": True, "by": "ana"})
    assert (await ask("GET", "/api/v1/holds/1")).json["outcome"] == "declared_customer_visible"


async def test_the_document_is_markdown_or_json_as_asked(ask: Ask) -> None:
    await declared(ask)
    plain = await ask("GET", "/api/v1/incidents/1/document")
    assert plain.headers["Content-Type"] == "text/markdown; charset=utf-8"
    assert plain.text.startswith("# INC-1 Checkout is down")
    asked = await ask("GET", "/api/v1/incidents/1/document", headers={"Accept": "application/json"})
    assert asked.json == {"incident": "INC-1", "version": 2, "markdown": plain.text}


async def test_the_postmortem_is_given_once_there_is_one(house: SmallHouse, ask: Ask) -> None:
    await declared(ask)
    assert "has no postmortem" in (await ask("GET", "/api/v1/incidents/1/postmortem")).error
    due = NOW + timedelta(days=3)
    await house.store.write(put_draft, 1, owner="ana", due_at=due, markdown="# Why")
    assert (await ask("GET", "/api/v1/incidents/1/postmortem")).text == "# Why"
    asked = (await ask("GET", "/api/v1/incidents/1/postmortem", headers={"Accept": "application/json"})).json
    assert (asked["owner"], asked["due_at"]) == ("ana", "2026-11-27T14:07:00Z")
    assert (await ask("GET", "/api/v1/incidents/1")).json["postmortem"]["state"] == "draft"
    assert "there is no INC-7" in (await ask("GET", "/api/v1/incidents/7/postmortem")).error


async def test_a_run_shows_its_steps_and_keeps_its_registers(house: SmallHouse, ask: Ask) -> None:
    run = Run(
        id=0, subject="HOLD-1", playbook="restart", sha256="0" * 64, definition={"steps": []}, state=RunState.PROPOSED,
        mode=Mode.APPROVE, target="w-3", inputs={"instance": "w-3"}, registers={"out": "secret"}, source="default",
        started_at=NOW,
    )  # fmt: skip
    made = await house.store.write(things.insert_run, run)
    await house.store.write(things.step_started, made, 0, "depth before")
    found = await ask("GET", "/api/v1/runs/RUN-1")
    assert found.json["steps"][0]["name"] == "depth before"
    assert found.json["mode"] == "approve"
    assert "secret" not in found.text
    assert [run["id"] for run in (await ask("GET", "/api/v1/runs?state=active&q=W-3")).json["runs"]] == ["RUN-1"]


async def test_who_is_on_call_is_told_for_each_schedule(house: SmallHouse, ask: Ask) -> None:
    people = {handle: Person(handle=handle, name=handle.title()) for handle in ("ana", "ben")}
    week = timedelta(days=7)
    layer = Layer(
        name="primary", people=("ana", "ben"), turn=week, handoff_weekday=0, handoff_time=NOW.time(),
        start=NOW.date() - timedelta(days=1),
    )  # fmt: skip
    shop = Schedule(name="shop", time_zone="UTC", layers=(layer,))
    nobody = Schedule(name="empty", time_zone="UTC", layers=(), fallback=Target(person="ben"))
    house.settings = Settings(roster=Roster(people=people, schedules={"shop": shop, "empty": nobody}))
    first, second = (await ask("GET", "/api/v1/oncall")).json["schedules"]
    assert (first["schedule"], first["person"], first["paged"]) == ("shop", "ana", [{"handle": "ana", "name": "Ana"}])
    assert (second["person"], second["until"], second["paged"][0]["handle"]) == ("", None, "ben")


async def test_the_status_says_what_runs(house: SmallHouse, ask: Ask) -> None:
    found = (await ask("GET", "/api/v1/status")).json
    assert (found["rules"], found["sources"][0]["name"], found["not_ready"]) == (1, "default", "")


async def test_addresses_stand_under_the_external_url(house: SmallHouse, ask: Ask) -> None:
    house.settings = Settings(external_url="https://ops.example.org/incidentd/")
    await house.store.write(insert_hold)
    found = (await ask("GET", "/api/v1/holds/1")).json
    assert found["url"] == "https://ops.example.org/incidentd/holds/HOLD-1"


# -- how it says no -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "prefix"),
    [("holds", "HOLD"), ("incidents", "INC"), ("pages", "PAGE"), ("runs", "RUN"), ("action-items", "AI")],
)
@pytest.mark.parametrize("text", ["7", "X-1", "1e3", "-1", "%D9%A1", "9" * 30, "1.0", "%00", "HOLDINC-1"])
async def test_what_is_not_there_is_not_found(ask: Ask, path: str, prefix: str, text: str) -> None:
    answer = await ask("GET", f"/api/v1/{path}/{text}")
    assert answer.status == 404
    assert prefix in answer.error


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "pages/7/ack"), ("POST", "incidents/7/note"), ("POST", "incidents/7/resolve"),
        ("POST", "incidents/7/action-items"), ("POST", "holds/7/note"), ("POST", "holds/7/declare"),
        ("POST", "holds/7/extend"),
        ("POST", "holds/7/stand-down"), ("POST", "runs/7/approve"), ("GET", "incidents/7/timeline"),
        ("GET", "holds/7/timeline"), ("GET", "incidents/7/document"), ("DELETE", "tokens/7"), ("DELETE", "tokens/x"),
    ],
)  # fmt: skip
async def test_what_is_not_there_cannot_be_changed(ask: Ask, method: str, path: str) -> None:
    fields = {"text": "x"} if path.endswith("note") else {"title": "x"} if path.endswith("items") else {}
    fields |= {"reason": "x"} if path.endswith("stand-down") else {}
    fields |= {"reason": "x", "length": "5m", "approver": "ben"} if path.endswith("extend") else {}
    assert (await ask(method, f"/api/v1/{path}", json=fields)).status == 404


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"[]", b"1", b"null", b"{", b'{"title": "x"}', b'{"severity": "sev1"}', b"\xff", b"[" * 100_000,
        b'{"title": 1, "severity": "sev1"}', b'{"title": "x", "severity": "sev9"}',
        b'{"title": "", "severity": "sev1"}', b'{"title": "  ", "severity": "sev1"}',
        b'{"title": "x", "severity": "sev1", "urgency": "now"}', b'{"title": "\\ud800", "severity": "sev1"}',
        b'{"title": "x", "severity": "sev1", "teams": ["nobody"]}', b'{"title": "x", "severity": "sev1", "page": "no"}',
        b'{"title": "%s", "severity": "sev1"}' % (b"x" * 201), b'{"title": NaN, "severity": "sev1"}',
        b'{"title": "x", "severity": "sev1", "by": "a\\nb"}', b'{"title": "x", "severity": "sev1", "teams": "a"}',
    ],
)  # fmt: skip
async def test_a_body_that_is_not_understood_is_refused_and_changes_nothing(ask: Ask, raw: bytes) -> None:
    answer = await ask("POST", "/api/v1/incidents", data=raw)
    assert answer.status == 400
    assert len(answer.error) < 500
    assert (await ask("GET", "/api/v1/incidents")).json["incidents"] == []


async def test_an_unknown_field_is_named_and_the_known_ones_are_listed(ask: Ask) -> None:
    answer = await ask("POST", "/api/v1/incidents", json={**CHECKOUT, "titel": "x"})
    assert "titel" in answer.error
    assert "title, severity, reason, service, teams, page, drill, by" in answer.error


async def test_a_request_that_is_too_large_or_packed_is_refused(ask: Ask) -> None:
    assert (await ask("POST", "/api/v1/incidents", data=io.BytesIO(b" " * (1024 * 1024 + 1)))).status == 413
    assert (await ask("POST", "/api/v1/incidents", data=b"{}", headers={"Content-Encoding": "br"})).status == 415


async def test_an_action_items_type_and_priority_are_known_ones(ask: Ask) -> None:
    await declared(ask)
    for wrong in ({"type": "fix"}, {"priority": "high"}, {"due": "tomorrow"}, {"due": "2026-02-30"}):
        answer = await ask("POST", "/api/v1/incidents/1/action-items", json={"title": "x", **wrong})
        assert answer.status == 400
    for never in ("0001-01-01", "1969-12-31", "9000-01-01", "9999-12-31"):
        answer = await ask("POST", "/api/v1/incidents/1/action-items", json={"title": "x", "due": never})
        assert (answer.status, "`due` is a day from 1970 to 8999" in answer.text) == (400, True), answer.text
    due = {"title": "x", "due": "2026-12-24"}
    assert (await ask("POST", "/api/v1/incidents/1/action-items", json=due)).json["due"] == "2026-12-24"


@pytest.mark.parametrize(
    "query",
    [
        "limit=0", "limit=1001", "limit=x", "limit=-1", "limit=1e2", "cursor=x", "cursor=e30", "cursor=%FF",
        "cursor=MTAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAw", "cursor=LTkyMjMzNzIwMzY4NTQ3NzU4MDk",
        "stat=open", "state=firing", "state=", "q=a&q=b", "filter=a%3D%22b%22", "limit=99999999999999999999",
    ],
)  # fmt: skip
async def test_a_list_refuses_what_it_does_not_know(ask: Ask, query: str) -> None:
    answer = await ask("GET", f"/api/v1/holds?{query}")
    assert answer.status == (200 if query == "state=" else 400), answer.text


@pytest.mark.parametrize("path", ["/api/v1", "/api/v1/", "/api/v2/alerts", "/api/v1/holds/", "/nothing"])
async def test_a_path_that_is_not_there_says_so_in_json_under_api(ask: Ask, path: str) -> None:
    answer = await ask("GET", path)
    assert answer.status == 404
    assert path == "/nothing" or answer.error == "there is nothing at this path"


async def test_hostile_words_come_back_as_they_went_in(ask: Ask) -> None:
    words = "'; DROP TABLE incident; -- {{ 7*7 }} <script> ${HOME} $(reboot) ../.. %s"
    made = await ask("POST", "/api/v1/incidents", json={**CHECKOUT, "title": words})
    assert made.json["title"] == words
    assert (await ask("GET", "/api/v1/incidents")).json["incidents"][0]["title"] == words


async def test_control_characters_in_a_note_are_shown_and_not_obeyed(ask: Ask) -> None:
    await declared(ask)
    await ask("POST", "/api/v1/incidents/1/note", json={"text": "a\x00b\x1b[31mc\nd"})
    told = (await ask("GET", "/api/v1/incidents/1/timeline")).json["timeline"][-1]["text"]
    assert told == "local: a\ufffdb\ufffd[31mc\nd"


async def test_get_changes_nothing(house: SmallHouse, ask: Ask) -> None:
    from incidentd.web import ROUTES

    hold = await house.store.write(insert_hold)
    await house.store.write(insert_page, hold.key)
    await declared(ask)
    before = (await ask("GET", "/api/v1/incidents/1/timeline")).text + (await ask("GET", "/api/v1/holds/1")).text
    for route in ROUTES:
        if route.method == "GET":
            await ask("GET", route.path.replace("{id}", "1").replace("{token}", "x"))
    after = (await ask("GET", "/api/v1/incidents/1/timeline")).text + (await ask("GET", "/api/v1/holds/1")).text
    assert before == after
