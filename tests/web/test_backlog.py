"""The backlog over HTTP: proposed, decided, changed, ended; its pages; and what Jira tells."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import replace

import pytest

from incidentd.actionitems import ActionItem, ItemState, JiraSettings
from incidentd.engine import commands
from incidentd.engine.backlog import commands as backlog
from incidentd.oncall import Team
from incidentd.redaction import Secret
from incidentd.store import Tx, jobs, things
from incidentd.timeline import Actor
from tests.engine.world import roster
from tests.web.asking import Ask
from tests.web.small_house import NOW, SmallHouse

ITEM = "/api/v1/action-items/AI-1"
ADDED = "/api/v1/incidents/INC-1/action-items"
JIRA = JiraSettings(
    url="http://jira", token=Secret("t0ken-of-the-test"), project="OPS", webhook_secret=Secret("hook-of-the-test")
)  # fmt: skip
HOOK = "/api/v1/jira/webhook"


@pytest.fixture(autouse=True)
async def declared(house: SmallHouse) -> None:
    house.settings = replace(house.settings, roster=roster("ana", "ben"))
    await house.store.write(
        commands.declare_incident, house.settings, actor=Actor(name="ana", via="api"), title="Mail waits",
        severity="sev3",
    )  # fmt: skip


async def proposed(ask: Ask, **fields: str) -> None:
    body = {"title": "Reject mails over 10 MB", "by": "ana", **fields}
    made = await ask("POST", "/api/v1/incidents/INC-1/action-items/proposals", json=body)
    assert (made.status, made.json["id"], made.json["state"]) == (201, "AI-1", "proposed")


async def test_an_item_goes_from_an_idea_to_done(ask: Ask) -> None:
    await proposed(ask, priority="P1", type="prevent", source="postmortem")
    early = await ask("POST", f"{ITEM}/decide", json={"owner": "ben"})
    assert (early.status, "let it soak" in early.error) == (400, True)
    made = await ask("POST", f"{ITEM}/decide", json={"owner": "ben", "why": "it hurts", "due": "2026-12-01"})
    assert (made.status, made.json["state"], made.json["due"], made.json["source"]) == (
        200, "open", "2026-12-01", "postmortem",
    )  # fmt: skip
    assert made.json["findings"] == []
    changed = await ask("POST", f"{ITEM}/edit", json={"end_state": "no mail waits", "expected_version": 2})
    assert (changed.status, changed.json["version"]) == (200, 3)
    assert (await ask("POST", f"{ITEM}/edit", json={"priority": "P0", "expected_version": 2})).status == 409
    assert (await ask("POST", f"{ITEM}/start")).json["state"] == "in_progress"
    ended = await ask("POST", f"{ITEM}/done", json={"evidence": "http://g/1"})
    assert (ended.json["state"], ended.json["evidence"]) == ("done", "http://g/1")
    assert (await ask("POST", f"{ITEM}/reopen")).json["state"] == "open"
    assert (await ask("POST", f"{ITEM}/decline", json={})).status == 400
    assert (await ask("POST", f"{ITEM}/decline", json={"reason": "not worth it"})).json["state"] == "declined"


async def test_advice_comes_with_a_decision(ask: Ask) -> None:
    await proposed(ask, title="Improve the queue")
    made = await ask("POST", f"{ITEM}/decide", json={"owner": "ben", "why": "now"})

    assert [it["rule"] for it in made.json["findings"]] == ["vague-verb", "no-end-state"]


@pytest.mark.parametrize(
    ("path", "body", "status", "why"),
    [
        ("edit", {}, 400, "say what is to be changed: title, description"),
        ("edit", {"colour": "red"}, 400, "unknown field"),
        ("edit", {"type": "wish"}, 400, "there is no type 'wish'; there are prevent"),
        ("edit", {"due": "soon"}, 400, "due"),
        ("edit", {"due": "9999-12-31"}, 400, "`due` is a day from 1970 to 8999"),
        ("decide", {"owner": "ana", "why": "x", "due": "0001-01-01"}, 400, "`due` is a day from 1970 to 8999"),
        ("retry", {}, 409, "AI-1 is proposed"),
        ("start", {}, 409, "only what is open"),
        ("done", {}, 409, "only proposed"),
        ("reopen", {}, 409, "only what is over"),
    ],
)
async def test_what_cannot_be_is_refused(ask: Ask, path: str, body: dict[str, str], status: int, why: str) -> None:
    await proposed(ask)
    answer = await ask("POST", f"{ITEM}/{path}", json=body)

    assert (answer.status, why in answer.error) == (status, True), answer.text


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"owner": "anna"}, "there is nobody called 'anna'"),
        ({"owner": "ana, ben"}, "there is nobody called 'ana, ben'"),
        ({"owner": "a" * 101}, "`owner` has 101 characters; the most is 100"),
        ({"team": "pya"}, "there is no team 'pya'"),
        ({"title": "  "}, "the title"),
    ],
)
async def test_an_item_is_added_with_what_is_there_only(
    house: SmallHouse, ask: Ask, fields: dict[str, str], why: str
) -> None:
    house.settings = replace(
        house.settings, roster=replace(house.settings.roster, teams={"pay": Team(name="pay", people=("ana",))})
    )
    answer = await ask("POST", ADDED, json={"title": "Bound the queue", **fields})
    assert (answer.status, why in answer.error) == (400, True), answer.text
    made = await ask("POST", ADDED, json={"title": "Bound the queue", "owner": "@ana", "team": "pay"})
    assert (made.status, made.json["id"], made.json["owner"], made.json["team"]) == (201, "AI-1", "ana", "pay")


async def test_an_item_that_is_added_has_one_owner_also_where_people_are_not_known(house: SmallHouse, ask: Ask) -> None:
    house.settings = replace(house.settings, roster=roster())
    answer = await ask("POST", ADDED, json={"title": "Bound the queue", "owner": "ana and ben"})
    assert (answer.status, answer.error) == (400, "the owner is one person, not 'ana and ben'")
    made = await ask("POST", ADDED, json={"title": "Bound the queue", "owner": "ana"})
    assert (made.status, made.json["owner"]) == (201, "ana")


async def test_an_incident_has_so_many_items_and_no_more(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog, "MOST", 2)
    said = [await ask("POST", ADDED, json={"title": "Bound the queue"}) for _ in range(3)]
    assert [answer.status for answer in said] == [201, 201, 409]
    assert said[2].error == "INC-1 has 2 action items; that is the most"


async def test_nothing_is_there_under_other_names(ask: Ask) -> None:
    assert (await ask("POST", "/api/v1/action-items/AI-9/done")).status == 404
    assert (await ask("POST", "/api/v1/action-items/INC-1/done")).status == 404
    answer = await ask("POST", "/api/v1/incidents/INC-1/action-items/proposals", json={"title": "x", "source": "rule"})
    assert answer.status == 400
    assert (await ask("POST", "/api/v1/incidents/INC-1/action-items/collect", json={"source": "x"})).status == 400


async def test_ideas_are_collected(house: SmallHouse, ask: Ask) -> None:
    actor = Actor(name="ana", via="api")
    await house.store.write(commands.add_note, house.settings, "INC-1", actor=actor, text="TODO: Add a limit")
    made = await ask("POST", "/api/v1/incidents/INC-1/action-items/collect", json={"source": "todo"})
    again = await ask("POST", "/api/v1/incidents/INC-1/action-items/collect")

    assert [it["title"] for it in made.json["action_items"]] == ["Add a limit"]
    assert again.json == {"action_items": []}


async def test_the_pages_show_hostile_words_as_words(house: SmallHouse, ask: Ask) -> None:
    await proposed(ask, title="<script>alert(1)</script>", priority="P0")
    await ask("POST", f"{ITEM}/decide", json={"owner": "ana", "why": "now", "end_state": "<b>\n*x*"})
    house.at = house.at.replace(year=2028)
    board, one = await ask("GET", "/action-items"), await ask("GET", "/action-items/AI-1")

    for shown in (board, one):
        assert shown.status == 200
        assert "&lt;script&gt;" in shown.text
        assert "<script>" not in shown.text
    assert "overdue since <time>" in board.text
    assert "&lt;b&gt;\n*x*" in one.text
    listed = await ask("GET", "/api/v1/action-items?state=active")
    assert [it["id"] for it in listed.json["action_items"]] == ["AI-1"]
    assert (await ask("GET", "/api/v1/action-items?state=over")).json["action_items"] == []


async def test_an_empty_backlog_has_a_page(ask: Ask) -> None:
    shown = await ask("GET", "/action-items")

    assert "Nothing that was promised is open." in shown.text


def in_jira(tx: Tx) -> ActionItem:
    return things.insert_item(
        tx, ActionItem(id=0, uuid="u-1", subject="INC-1", title="T", state=ItemState.FILED, jira_key="OPS-1",
                       created_at=NOW),
    )  # fmt: skip


def signed(body: bytes, secret: str = "hook-of-the-test") -> dict[str, str]:
    return {"X-Hub-Signature": f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"}


async def test_a_signed_webhook_has_the_issue_looked_at_and_believes_nothing_else(house: SmallHouse, ask: Ask) -> None:
    house.settings = replace(house.settings, jira=JIRA)
    await house.store.write(in_jira)
    status = {"statusCategory": {"key": "done"}}
    body = json.dumps({"webhookEvent": "x", "issue": {"key": "OPS-1", "fields": {"status": status}}}).encode()
    taken = await ask("POST", HOOK, data=body, headers=signed(body))
    other = json.dumps({"issue": {"key": "OPS-2", "fields": {"labels": ["incidentd-ai-u-2", 7]}}}).encode()
    none = await ask("POST", HOOK, data=other, headers=signed(other))

    assert (taken.status, taken.json) == (202, {"looked_at": True})
    assert (none.status, none.json) == (200, {"looked_at": False})
    assert len(await house.store.read(jobs.due_ids, jobs.JIRA, 9)) == 1
    assert (await house.store.read(things.get_item, 1)).state is ItemState.FILED


@pytest.mark.parametrize("wrong", [{}, {"X-Hub-Signature": "sha256=00"}, {"X-Hub-Signature": ""}])
async def test_a_webhook_that_nobody_here_signed_is_refused(
    house: SmallHouse, ask: Ask, wrong: dict[str, str]
) -> None:  # fmt: skip
    house.settings = replace(house.settings, jira=JIRA)
    body = b'{"issue": {"key": "OPS-1"}}'
    refused = await ask("POST", HOOK, data=body, headers=wrong)
    forged = await ask("POST", HOOK, data=body, headers=signed(body, "other"))

    assert (refused.status, forged.status) == (401, 401)
    assert "hook-of-the-test" not in refused.text + forged.text


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"issue": 1}', b'{"issue": {"key": 7}}', b"{" * 5000])
async def test_a_webhook_that_is_none_is_refused(house: SmallHouse, ask: Ask, body: bytes) -> None:
    house.settings = replace(house.settings, jira=JIRA)
    answer = await ask("POST", HOOK, data=body, headers=signed(body))

    assert answer.status == 400


async def test_without_a_secret_no_webhook_is_taken(house: SmallHouse, ask: Ask) -> None:
    for settings in (None, replace(JIRA, webhook_secret=None)):
        house.settings = replace(house.settings, jira=settings)
        answer = await ask("POST", HOOK, data=b"{}", headers=signed(b"{}"))
        assert (answer.status, "jira.webhook_secret_file" in answer.error) == (404, True)
