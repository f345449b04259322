"""The console: pages for a browser that show what happens and nothing that would run."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from incidentd.oncall import Person, Roster
from incidentd.playbooks.refusals import Refusal
from incidentd.settings import Settings
from incidentd.store import Tx, refusals
from tests.web.asking import Ask
from tests.web.small_house import SmallHouse, bearer, insert_hold, insert_page

HOSTILE = "<img src=x onerror=alert(1)> {{ 7*7 }} \u202egnp.exe"
BROWSER = {"Accept": "text/html,application/xhtml+xml"}


async def test_an_empty_house_says_that_all_is_calm(ask: Ask) -> None:
    answer = await ask("GET", "/", headers=BROWSER)
    assert answer.status == 200
    for word in ("No incident is open", "Nothing is held", "Every page was answered"):
        assert word in answer.text


async def test_the_first_page_shows_what_is_happening(house: SmallHouse, ask: Ask) -> None:
    hold = await house.store.write(insert_hold)
    await house.store.write(insert_page, hold.key)
    await ask("POST", "/api/v1/incidents", json={"title": "Checkout is down", "severity": "sev1", "reason": "no money"})
    shown = (await ask("GET", "/", headers=BROWSER)).text
    for word in (
        "<title>incidentd: 1 incident, 1 hold</title>", "INC-1", "Checkout is down", "no money", "HOLD-1",
        "QueueLagHigh", "rule queue-lag holds this", "2026-11-24 14:37:00 UTC", "PAGE-1", "ana",
    ):  # fmt: skip
        assert word in shown


async def test_a_hold_tells_its_story_and_an_incident_shows_its_document(house: SmallHouse, ask: Ask) -> None:
    await house.store.write(insert_hold)
    assert "Holding: declares unless there is progress." in (await ask("GET", "/holds/HOLD-1", headers=BROWSER)).text
    await ask("POST", "/api/v1/holds/1/declare")
    assert 'href="../incidents/INC-1"' in (await ask("GET", "/holds/1", headers=BROWSER)).text
    assert "# INC-1 QueueLagHigh" in (await ask("GET", "/incidents/INC-1", headers=BROWSER)).text


async def test_a_reader_sees_times_by_their_own_clock_beside_utc(house: SmallHouse, ask: Ask) -> None:
    people = {
        "ana": Person(handle="ana", name="Ana", time_zone="Europe/Madrid"),
        "ben": Person(handle="ben", name="Ben"),
    }
    house.settings = replace(house.settings, roster=Roster(people=people))
    ana, ben = [bearer(await house.token("viewer", "responder", name=name)) for name in people]
    await house.store.write(insert_hold)
    await ask("POST", "/api/v1/holds/1/declare", headers=ana)
    for path in ("/incidents/1", "/incidents/1/board/cl", "/holds/1", "/"):
        hers, his = [(await ask("GET", path, headers={**BROWSER, **who})).text for who in (ana, ben)]
        assert "14:07:00 UTC (15:07 CET)" in hers, path
        assert "by your clock, of Europe/Madrid" in hers
        assert "14:07:00 UTC" in his
        assert "CET" not in his
    document = (await ask("GET", "/incidents/1", headers={**BROWSER, **ana})).text
    assert "Declared 2026-11-24 14:07:00 UTC (15:07 CET) by ana" in document
    assert "| 2026-11-24 14:07:00 (15:07 CET) | ana" in document
    assert "CET" not in (await ask("GET", "/api/v1/incidents/1/document", headers=ana)).text, "files are in UTC"


async def test_hostile_words_are_only_words_on_every_page(house: SmallHouse, ask: Ask) -> None:
    hold = await house.store.write(insert_hold, title=HOSTILE, reason=HOSTILE, rule=HOSTILE)
    await house.store.write(insert_page, hold.key, title=HOSTILE)
    await ask("POST", "/api/v1/holds/1/note", json={"text": HOSTILE, "by": "<b>ana</b>"})
    await ask("POST", "/api/v1/incidents", json={"title": HOSTILE, "severity": "sev1", "reason": HOSTILE})
    for path in ("/", "/holds/1", "/incidents/1"):
        shown = (await ask("GET", path, headers=BROWSER)).text
        assert "<img" not in shown
        assert "<b>" not in shown
        assert "49" not in re.sub(r"[0-9a-f]{64}", "", shown)


async def test_a_summary_page_lists_what_it_calls_for_and_a_hold_names_the_one_that_it_joined(
    house: SmallHouse, ask: Ask
) -> None:
    hold = await house.store.write(insert_hold, title=HOSTILE)
    await house.store.write(insert_page, "SUM-1", title=HOSTILE)
    await house.store.write(insert_page, hold.key, title=HOSTILE, joined=1)
    await house.store.write(_refuse)
    shown = (await ask("GET", "/pages/PAGE-1", headers=BROWSER)).text
    for word in ("restart", "canary", 'href="../holds/HOLD-1"', "PAGE-2 is open", "incidentd ack PAGE-1"):
        assert word in shown
    assert "<img" not in shown
    assert 'href="../pages/PAGE-1"' in (await ask("GET", "/pages/2", headers=BROWSER)).text
    assert 'href="../pages/PAGE-1"' in (await ask("GET", "/holds/1", headers=BROWSER)).text
    now = (await ask("GET", "/", headers=BROWSER)).text
    assert 'href="pages/PAGE-1"' in now
    assert "PAGE-2" not in now
    assert (await ask("GET", "/pages/PAGE-3", headers=BROWSER)).status == 404


def _refuse(tx: Tx) -> None:
    about = {"playbook": "restart", "guard": "canary", "reason": HOSTILE, "target": HOSTILE, "subject": "HOLD-1"}
    refusals.add(tx, Refusal(**about, policy="default", urgency="urgent", at=tx.now))
    refusals.tell_with(tx, "default", "urgent", 1, tx.now)


async def test_pages_work_under_whatever_prefix_a_proxy_puts_before_them(house: SmallHouse, ask: Ask) -> None:
    house.settings = Settings(external_url="https://ops.example.org/incidentd")
    await house.store.write(insert_hold)
    for path in ("/", "/holds/1"):
        addresses = re.findall(r'(?:href|src|action)="([^"]*)"', (await ask("GET", path, headers=BROWSER)).text)
        assert addresses
        assert not [address for address in addresses if address.startswith(("/", "http"))]


async def test_the_style_sheet_knows_light_and_dark(ask: Ask) -> None:
    answer = await ask("GET", "/static/style.css")
    assert answer.headers["Content-Type"] == "text/css; charset=utf-8"
    assert answer.headers["Cache-Control"] == "max-age=3600"
    assert "prefers-color-scheme: dark" in answer.text
    assert "@import" not in answer.text
    assert "url(" not in answer.text


@pytest.mark.parametrize("path", ["/", "/holds/1", "/incidents/1"])
async def test_a_browser_without_a_token_is_told_so_in_plain_words(house: SmallHouse, ask: Ask, path: str) -> None:
    await house.token("admin")
    answer = await ask("GET", path, headers=BROWSER)
    assert answer.status == 401
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "Who are you?" in answer.text
    assert "this needs a token" in answer.text


@pytest.mark.parametrize("path", ["/holds/7", "/incidents/X", "/nothing", "/static/../secret", "/static/other.css"])
async def test_what_is_not_there_is_a_page_that_says_so(ask: Ask, path: str) -> None:
    answer = await ask("GET", path, headers=BROWSER)
    assert answer.status == 404
    assert "There is nothing here" in answer.text


async def test_a_house_that_is_not_ready_says_why_on_its_first_page(house: SmallHouse, ask: Ask) -> None:
    house.why = "stopping"
    assert "Not ready: stopping" in (await ask("GET", "/", headers=BROWSER)).text


async def test_every_answer_carries_the_headers_of_a_careful_server(ask: Ask) -> None:
    for path in ("/", "/nothing", "/api/v1/holds", "/static/style.css", "/-/healthy", "/metrics", "/a/x"):
        headers = (await ask("GET", path, headers=BROWSER)).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'self';")
