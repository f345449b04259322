"""Action links: looking changes nothing, the button acts once, and nothing else opens the door."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from incidentd import links
from incidentd.holds import Hold
from incidentd.pages import Page, PageState
from incidentd.store import chain, things
from tests.web.asking import Answer, Ask
from tests.web.small_house import KEY, NOW, SmallHouse, form_of, insert_hold, insert_page, link_for


@pytest.fixture
async def held(house: SmallHouse) -> Hold:
    return await house.store.write(insert_hold)


@pytest.fixture
async def page(house: SmallHouse, held: Hold) -> Page:
    return await house.store.write(insert_page, held.key)


async def press(ask: Ask, link: str, **fields: str) -> Answer:
    """Press the button of a link's page."""
    return await ask("POST", link, **form_of(link, **fields))


async def acks(house: SmallHouse) -> list[tuple[str, str]]:
    entries = await house.store.read(chain.entries, "HOLD-1")
    return [(entry.actor.name, entry.actor.via) for entry in entries if entry.kind == "page.acked"]


async def test_looking_a_hundred_times_changes_nothing(house: SmallHouse, ask: Ask, page: Page) -> None:
    for number in range(100):
        how = {"headers": {"Purpose": "prefetch"}} if number % 2 else {}
        assert (await ask("HEAD" if number % 3 else "GET", link_for(page), **how)).status == 200
    assert (await house.store.read(things.get_page, page.id)).state is PageState.OPEN
    assert not await acks(house)
    assert (await ask("OPTIONS", link_for(page))).status == 405


async def test_the_page_says_what_it_is_about_and_has_one_button(ask: Ask, page: Page) -> None:
    answer = await ask("GET", link_for(page))
    for word in ("[sev3] QueueLagHigh", "PAGE-1", "HOLD-1", "sev3", "2026-11-24 14:07:00 UTC", "ana", "I have it"):
        assert word in answer.text
    assert answer.text.count("<button") == answer.text.count("<form") == 1


async def test_the_button_gives_the_page_to_whom_the_link_was_sent(house: SmallHouse, ask: Ask, page: Page) -> None:
    answer = await press(ask, link_for(page))
    assert answer.status == 200
    assert "You have it" in answer.text
    assert (await house.store.read(things.get_page, page.id)).acked_by == "ana"
    assert await acks(house) == [("ana", "link")]


async def test_fifty_presses_at_once_act_once(house: SmallHouse, ask: Ask, page: Page) -> None:
    answers = await asyncio.gather(*(press(ask, link_for(page)) for _ in range(50)))
    assert {answer.status for answer in answers} == {200}
    assert await acks(house) == [("ana", "link")]


async def test_the_second_person_hears_who_has_it(house: SmallHouse, ask: Ask, page: Page) -> None:
    await press(ask, link_for(page))
    bens = link_for(page, person="ben", nonce="m" * 22)
    looked, pressed = await ask("GET", bens), await press(ask, bens)
    assert (looked.status, pressed.status) == (200, 409)
    for answer in (looked, pressed):
        assert "ana has it" in answer.text
        assert "<button" not in answer.text
    assert await acks(house) == [("ana", "link")]


async def test_the_same_person_pressing_again_hears_that_all_is_well(ask: Ask, page: Page) -> None:
    await press(ask, link_for(page))
    for nonce in ("n" * 22, "another" * 3):
        again = await press(ask, link_for(page, nonce=nonce))
        assert again.status == 200


async def test_every_changed_letter_is_refused(house: SmallHouse, ask: Ask, page: Page) -> None:
    good = link_for(page)
    for place in range(len("/a/"), len(good)):
        bad = good[:place] + ("A" if good[place] != "A" else "B") + good[place + 1 :]
        assert (await press(ask, bad)).status == 403, bad
    for bad in (good + "=", good[:-1], good + ".", "/a/x", good.replace("v1.", "v2.")):
        assert (await press(ask, bad)).status == 403, bad
    assert (await house.store.read(things.get_page, page.id)).state is PageState.OPEN


async def test_a_link_of_another_key_or_for_another_thing_is_refused(house: SmallHouse, ask: Ask, page: Page) -> None:
    how = {"subject": page.key, "person": "ana", "nonce": "n" * 22, "expires": NOW + timedelta(hours=1)}
    strange = links.make(bytes(32), action="ack", **how)  # type: ignore[arg-type]  # the fields above
    other = links.make(KEY, action="fire-the-missiles", **how)  # type: ignore[arg-type]  # the fields above
    for token in (strange, other):
        assert (await press(ask, f"/a/{token}")).status == 403
    assert house.metrics.registry.get_sample_value("incidentd_auth_failures_total") == 2


async def test_an_expired_link_is_over(house: SmallHouse, ask: Ask, page: Page) -> None:
    link = link_for(page, expires=NOW + timedelta(hours=1))
    house.at = NOW + timedelta(hours=1)
    for answer in (await ask("GET", link), await press(ask, link)):
        assert answer.status == 410
        assert "expired" in answer.text
    assert not await acks(house)


async def test_a_page_that_ended_offers_nothing_to_take(house: SmallHouse, ask: Ask, page: Page) -> None:
    from dataclasses import replace

    await house.store.write(things.save_page, replace(page, state=PageState.RESOLVED, closed_at=NOW))
    looked, pressed = await ask("GET", link_for(page)), await press(ask, link_for(page))
    assert (looked.status, pressed.status) == (200, 409)
    assert "It is over" in looked.text


async def test_a_link_to_a_page_that_is_gone_is_not_found(ask: Ask, page: Page) -> None:
    from dataclasses import replace

    gone = link_for(replace(page, id=77))
    for answer in (await ask("GET", gone), await press(ask, gone)):
        assert answer.status == 404


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}])
async def test_another_sites_form_does_not_press_it(
    house: SmallHouse, ask: Ask, page: Page, headers: dict[str, str]
) -> None:
    assert (await ask("POST", link_for(page), **form_of(link_for(page)) | {"headers": headers})).status == 403
    assert not await acks(house)


async def test_an_old_browser_that_says_only_null_may_press_it(ask: Ask, page: Page) -> None:
    how = form_of(link_for(page)) | {"headers": {"Origin": "null"}}
    assert (await ask("POST", link_for(page), **how)).status == 200


async def test_a_link_page_gives_nothing_away_and_runs_nothing(ask: Ask, page: Page) -> None:
    for answer in (await ask("GET", link_for(page)), await ask("GET", "/a/x"), await ask("POST", link_for(page))):
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        for rule in ("default-src 'none'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"):
            assert rule in answer.headers["Content-Security-Policy"]
        assert "<script" not in answer.text
        assert "style=" not in answer.text


async def test_a_hostile_title_is_only_text(house: SmallHouse, ask: Ask, held: Hold) -> None:
    page = await house.store.write(insert_page, held.key, title="<script>alert(1)</script>{{ 7 * 7 }}\u202e\"'\x00")
    answer = await ask("GET", link_for(page))
    assert "<script>alert" not in answer.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;{{ 7 * 7 }}" in answer.text
    assert "\u202e" not in answer.text


async def test_a_link_needs_no_token_where_tokens_are_needed(house: SmallHouse, ask: Ask, page: Page) -> None:
    await house.token("admin")
    assert (await press(ask, link_for(page))).status == 200
