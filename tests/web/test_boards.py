"""The boards as pages: what is due first, each role's business, hostile words, nothing that changes anything."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from incidentd.engine import commands, lifecycle, updates
from incidentd.oncall import Team
from incidentd.rules import Decide, SeverityRule
from incidentd.settings import Settings
from incidentd.store import Tx, chain, subjects
from incidentd.timeline import Actor, Draft
from incidentd.updates import Audience, AudiencePlan, Cadence, UpdateSettings
from incidentd.web import make_app
from tests.engine.world import make_world, policy, roster
from tests.web.asking import Ask, asking, served
from tests.web.small_house import NOW, SETUP, SmallHouse, bearer

ANA = Actor(name="ana", via="api")
BROWSER = {"Accept": "text/html,application/xhtml+xml"}
HOSTILE = "<img src=x onerror=alert(1)> {{ 7*7 }} \u202egnp.exe"
ROOT = "/api/v1/incidents/INC-1"
EVERY = {"sev1": Cadence(first=timedelta(minutes=15), then=timedelta(minutes=30), long=timedelta(hours=1))}


async def shown(ask: Ask, role: str) -> str:
    """Give a board as somebody reads it: the words, without the tags."""
    answer = await ask("GET", f"/incidents/INC-1/board/{role}", headers=BROWSER)
    assert answer.status == 200
    return " ".join(re.sub(r"<[^>]*>", " ", answer.text).split())


@pytest.fixture
async def busy(house: SmallHouse, ask: Ask) -> SmallHouse:
    """Declare an incident in which everything was put down once, twenty minutes ago."""
    await ask("POST", "/api/v1/incidents", json={"title": "Checkout fails", "severity": "sev1"})
    for path, body in (
        ("hypotheses", {"text": "the pool is full", "owner": "ben"}),
        ("decisions", {"text": "fail over", "wait": "5m", "by": "ana"}),
        ("decisions/D1/object", {"text": "month end runs there", "by": "cho"}),
        ("tasks", {"text": "look at the pool", "owner": "ben", "box": "10m", "by": "ana"}),
        ("tasks", {"text": "restart one", "owner": "dia", "box": "30m", "by": "ana"}),
        ("tasks/T2/done", {"result": "it came back for a minute", "by": "dia"}),
        ("changes", {"what": "rate limit off", "undo": "set it to 100", "by": "ben"}),
        ("exit-criteria", {"text": "errors below 0.1%"}),
        ("sections/summary", {"text": "Half of the payments fail.", "by": "ana"}),
    ):
        assert (await ask("POST", f"{ROOT}/{path}", json=body)).status in (200, 201), path
    house.at = NOW + timedelta(minutes=20)
    return house


async def test_what_is_due_next_comes_first_with_how_long_there_is_still(busy: SmallHouse, ask: Ask) -> None:
    board = await shown(ask, "ic")
    assert "INC-1 : Checkout fails declared, for 20m;" in board
    due = board.partition("Due next")[2].partition("Roles")[0]
    assert re.findall(r"(in \S+|\S+ late|no time) (\S+) ", due)== [
        ("15m late", "PAGE-1"), ("10m late", "T1"), ("in 40m", "INC-1"), ("no time", "D1"),
        ("no time", "X1"), ("no time", "ic"),
    ]  # fmt: skip
    assert "ben, by 14:17:00 UTC" in due
    assert "no time D1 fail over" in due


async def test_each_role_sees_its_own_business(busy: SmallHouse, ask: Ask) -> None:
    ic, ol, cl = [await shown(ask, role) for role in ("ic", "OL", "cl")]
    for words in (
        "vacant Incident Commander nobody answers for it", "PAGE-1", "cho objects: month end runs",
        "open H1 the pool is full", "open X1 errors below 0.1%", "blocks closing C1 rate limit off",
        "closed C1 is still in place: rate limit off", "no hypothesis is marked supported (H1 is open)",
        "Nobody is promised an update.",
    ):  # fmt: skip
        assert words in ic
    for words in (
        "Firing now: 0 of 0 alerts", "10m late T1 ben: look at the pool 10m from ana",
        "did not say yet that they have it",
        "to undo: set it to 100", "done T2 dia: restart one", "it came back for a minute", "H1 the pool is full",
    ):  # fmt: skip
        assert words in ol
    for words in ("No update is owed.", "Summary Half of the payments fail. ana,", "H1 the pool is full"):
        assert words in cl
    assert "Exit criteria" not in ol + cl


async def test_a_promise_that_is_overdue_is_marked_and_its_draft_says_what_is_to_fill_in(
    busy: SmallHouse, ask: Ask
) -> None:
    busy.settings = Settings(updates=UpdateSettings(audiences={Audience.EXTERNAL: AudiencePlan(cadences=EVERY)}))

    def promise(tx: Tx) -> None:
        updates.begin(tx, busy.settings, subjects.get_incident(tx, 1))

    await busy.store.write(promise)
    board = await shown(ask, "cl")
    assert "5m late external by 14:22:00 UTC told nothing yet" in board
    assert "external , investigating" in board
    assert "[say: who is affected, and how]: fill this in, or take it out" in board
    assert "5m late external update to external, as promised" in board.partition("Promised updates")[0]
    due = (await ask("GET", f"{ROOT}/board?role=cl")).json["due"]
    assert [(one["id"], one["at"]) for one in due if one["kind"] == "update"] == [("external", "2026-11-24T14:22:00Z")]


async def test_the_commander_sees_who_is_there_and_what_can_be_typed(busy: SmallHouse, ask: Ask) -> None:
    busy.settings = replace(
        busy.settings, roster=replace(roster("ana", "ben", "cho"), teams={"shop": Team(name="shop", people=("ben",))}),
        escalations=policy("shop", (0, "ben")),
    )  # fmt: skip
    assert (
        await ask("POST", f"{ROOT}/page-team", json={"team": "shop", "asked": "see why", "by": "ana"})
    ).status == 201
    assert (await ask("POST", f"{ROOT}/join", json={"by": "cho"})).status == 201
    board = await shown(ask, "ic")
    here = board.partition("People")[2].partition("Pages that nobody answered")[0]
    assert here.index("called ben of shop paged") < here.index("here cho here since")
    assert "not here yet; to see why" in here
    can = board.partition("What you can do")[2].partition("People")[0]
    for command in (
        "incidentd investigate INC-1", "incidentd merge INC-1 --into INC-N", "incidentd stand-down INC-1 --code",
        "incidentd severity INC-1 sev1", "incidentd assign INC-1 ol PERSON", "incidentd handover INC-1 ic PERSON",
        "incidentd page-team INC-1 TEAM",
    ):  # fmt: skip
        assert command in can
    assert "incidentd resolve" not in can  # that is no move of what was only declared
    assert (await ask("POST", f"{ROOT}/exit-criteria/X1/waive", json={"reason": "none", "by": "ana"})).status == 200
    assert (await ask("POST", f"{ROOT}/resolve", json={"by": "ana"})).status == 200
    over = (await shown(ask, "ic")).partition("What you can do")[2].partition("People")[0]
    assert ("incidentd reopen INC-1" in over, "incidentd handover" in over) == (True, False)


async def test_the_operations_lead_sees_where_to_look_how_it_goes_and_what_helped_before(tmp_path: Path) -> None:
    rule = SeverityRule(name="lag", match=(), decide=Decide.DECLARE, severity="sev3", urgency="urgent")
    w = await make_world(tmp_path, Settings(rules=(rule,), escalations=policy("default", (0, "ana"))))
    await w.send(w.firing())
    await w.do(lifecycle.resolve, 1, actor=ANA, note="the consumer was restarted")
    await w.send(w.resolved())
    await w.at(200)
    await w.send(w.firing() | {"annotations": {"runbook_url": "https://runbooks.example.org/queue"}})
    more = [w.firing(pod=str(number)) for number in (1, 2)]
    await w.send(*(it | {"annotations": {"runbook_url": "javascript:alert(1)"}} for it in more))
    await w.send(*(w.resolved(since=200, pod=str(number)) for number in (1, 2)))
    fits = Draft("run.proposed", "Playbook restart fits: `incidentd playbook run restart`.")
    await w.store.write(chain.append, "INC-2", SETUP, [fits])
    house = SmallHouse(store=w.store, metrics=w.metrics, settings=w.settings, at=w.now)
    async with served(make_app(house)) as url, asking(url) as ask:
        answer = await ask("GET", "/incidents/INC-2/board/ol", headers=BROWSER)
    await w.store.close()
    board = " ".join(re.sub(r"<[^>]*>", " ", answer.text).split())
    assert "Firing now: 1 of 3 alerts" in board
    assert "█▃ better: 3 at the worst, 1 at best" in board
    assert 'Runbook: <a href="https://runbooks.example.org/queue">QueueLag</a>' in answer.text
    assert "javascript:" not in answer.text
    assert "INC-1 QueueLag" in board
    assert "what fixed it: the consumer was restarted" in board
    assert "Playbooks that fit Playbook restart fits: `incidentd playbook run restart`." in board


async def test_who_commands_who_tells_people_and_the_page_of_a_hold_see_what_fixed_it_before(tmp_path: Path) -> None:
    rule = SeverityRule(name="lag", match=(), decide=Decide.HOLD, severity="sev3", urgency="urgent")
    w = await make_world(tmp_path, Settings(rules=(rule,), escalations=policy("default", (0, "ana"))))
    await w.send(w.firing())
    await w.do(commands.declare_hold, 1, actor=ANA)
    await w.do(lifecycle.resolve, 1, actor=ANA, note="the consumer <b>restarted</b>")
    await w.send(w.resolved())
    await w.at(200)
    await w.send(w.firing())
    house = SmallHouse(store=w.store, metrics=w.metrics, settings=w.settings, at=w.now)
    line = "INC-1 of 2026-11-24: the consumer <b>restarted</b>"
    async with served(make_app(house)) as url, asking(url) as ask:
        first, second = [(await ask("GET", f"/holds/HOLD-{number}", headers=BROWSER)).text for number in (1, 2)]
        told = [(await ask("GET", f"/api/v1/holds/HOLD-{number}")).json["before"] for number in (1, 2)]
        await ask("POST", "/api/v1/holds/2/declare")
        boards = {
            role: (await ask("GET", f"/incidents/INC-2/board/{role}", headers=BROWSER)).text
            for role in ("ic", "cl", "ol")
        }
        said = (await ask("GET", "/api/v1/incidents/INC-2/board?role=ic")).json["before"]
    await w.store.close()
    assert "<dt>Before</dt>" not in first, "what it became itself was not before it"
    assert '<dt>Before</dt><dd><a href="../incidents/INC-1">INC-1</a> of <time>2026-11-24</time>' in second
    assert ": the consumer &lt;b&gt;restarted&lt;/b&gt;" in second
    assert (told, said) == (["", line], line)
    for role in ("ic", "cl"):
        assert 'Before: <a href="../../../incidents/INC-1">INC-1</a> of <time>2026-11-24</time>' in boards[role]
    assert "Before:" not in boards["ol"], "that one has all that are alike"


async def test_hostile_words_are_only_words_on_every_board(house: SmallHouse, ask: Ask) -> None:
    await ask("POST", "/api/v1/incidents", json={"title": HOSTILE, "severity": "sev1", "reason": HOSTILE})
    for path, body in (
        ("hypotheses", {"text": HOSTILE, "evidence": HOSTILE}),
        ("decisions", {"text": HOSTILE, "options": HOSTILE, "wait": "5m"}),
        ("decisions/D1/object", {"text": HOSTILE}),
        ("tasks", {"text": HOSTILE, "owner": "ben", "box": "10m"}),
        ("changes", {"what": HOSTILE, "undo": HOSTILE}),
        ("exit-criteria", {"text": HOSTILE}),
        ("sections/summary", {"text": HOSTILE}),
    ):
        assert (await ask("POST", f"{ROOT}/{path}", json=body)).status in (200, 201), path
    for role in ("ic", "ol", "cl"):
        text = (await ask("GET", f"/incidents/1/board/{role}", headers=BROWSER)).text
        assert "<img" not in text
        assert "\u202e" not in text
        assert "49" not in text


async def test_a_board_needs_no_script_no_form_and_no_address_of_its_own_house(busy: SmallHouse, ask: Ask) -> None:
    for role in ("ic", "ol", "cl"):
        answer = await ask("GET", f"/incidents/INC-1/board/{role}", headers=BROWSER)
        assert not re.search(r"<(?:script|form|button|iframe)\b|\son\w+=|style=", answer.text)
        addresses = re.findall(r'(?:href|src)="([^"]*)"', answer.text)
        assert {"ic", "ol", "cl", "../../../incidents/INC-1", "../../../static/style.css"} <= set(addresses)
        assert not [address for address in addresses if address.startswith(("/", "http"))]
        assert answer.text.count('aria-current="page"') == 1
    for page, link in (("/", "incidents/INC-1/board/ic"), ("/incidents/INC-1", "../incidents/INC-1/board/ol")):
        assert f'href="{link}"' in (await ask("GET", page, headers=BROWSER)).text


async def test_looking_at_a_board_changes_nothing(busy: SmallHouse, ask: Ask) -> None:
    before = (await ask("GET", f"{ROOT}/timeline")).body, (await ask("GET", ROOT)).body
    for role in ("ic", "ol", "cl"):
        await shown(ask, role)
        assert (await ask("POST", f"/incidents/INC-1/board/{role}")).status == 405
    assert before == ((await ask("GET", f"{ROOT}/timeline")).body, (await ask("GET", ROOT)).body)


async def test_who_may_not_read_sees_no_board_and_what_is_not_there_is_said(house: SmallHouse, ask: Ask) -> None:
    admin, viewer, ingest = [await house.token(scope) for scope in ("admin", "viewer", "ingest:default")]
    await ask("POST", "/api/v1/incidents", json={"title": "Slow", "severity": "sev3"}, headers=bearer(admin))
    answers = [
        (await ask("GET", path, headers={**BROWSER, **proof})).status
        for proof in ({}, bearer(ingest), bearer(viewer))
        for path in ("/incidents/1/board/ic", "/incidents/1/board/boss", "/incidents/7/board/ic")
    ]
    assert answers == [401, 401, 401, 403, 403, 403, 200, 404, 404]


async def test_what_came_along_with_a_merged_incident_says_where_it_was(busy: SmallHouse, ask: Ask) -> None:
    await ask("POST", "/api/v1/incidents", json={"title": "All is slow", "severity": "sev1"})
    assert (await ask("POST", f"{ROOT}/merge", json={"into": "INC-2", "by": "ana"})).status == 200
    answer = await ask("GET", "/incidents/INC-2/board/ol", headers=BROWSER)
    for words in ("(INC-1 T1)", "(INC-1 C1)", "(INC-1 H1)"):
        assert words in answer.text
    assert (await ask("GET", "/api/v1/incidents/INC-2/records")).json["tasks"][0]["origin"] == "INC-1 T1"


async def test_a_drill_says_so(ask: Ask) -> None:
    await ask("POST", "/api/v1/incidents", json={"title": "Exercise", "severity": "sev3", "drill": True})
    assert "This is a drill." in await shown(ask, "ic")
