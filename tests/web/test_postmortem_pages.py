"""Postmortems over the API and as pages: written, commented on, approved; hostile words; forms of other pages."""

from __future__ import annotations

import re
from typing import Any

import pytest

from incidentd.engine import commands, learning
from incidentd.store import postmortems as stored
from incidentd.timeline import Actor
from tests.engine.postmortem_story import WORDS
from tests.web.asking import Answer, Ask
from tests.web.small_house import SmallHouse, bearer

ROOT = "/api/v1/incidents/INC-1/postmortem"
PAGE = "/postmortems/INC-1"
BROWSER = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}
HOSTILE = "<script>alert(1)</script> {{ 7*7 }} \u202egnp.exe"


@pytest.fixture
async def over(house: SmallHouse, ask: Ask) -> SmallHouse:
    """Have INC-1 resolved, and its postmortem drafted."""
    hal = Actor(name="hal", via="api")
    await house.store.write(commands.declare_incident, house.settings, actor=hal, title="Down", severity="sev1")
    assert (await ask("POST", "/api/v1/incidents/1/resolve", json={"by": "hal"})).status == 200
    await house.store.write(learning.draft, house.settings, "INC-1")
    return house


async def post(ask: Ask, path: str, **fields: Any) -> Answer:
    return await ask("POST", f"{ROOT}/{path}", json=fields)


async def filled(ask: Ask) -> None:
    for name, text in WORDS.items():
        assert (await post(ask, f"sections/{name}", text=text, by="ana")).status == 200
    plan = {"owner": "ana", "facilitator": "fay", "reviewers": ["cho", "eli, dia"], "due": "2027-01-01", "by": "ana"}
    done = await post(ask, "assign", **plan)
    assert (done.status, done.json["reviewers"], done.json["due_at"]) == (
        200, ["cho", "eli", "dia"], "2027-01-01T00:00:00Z",
    )  # fmt: skip


async def test_the_whole_way_over_the_api(over: SmallHouse, ask: Ask) -> None:
    refused = await post(ask, "submit", by="ana")
    assert (refused.status, "cannot become in_review yet" in refused.error) == (409, True)
    await filled(ask)
    sections = {it["name"]: it for it in (await ask("GET", f"{ROOT}/sections")).json["sections"]}
    assert (sections["summary"]["version"], sections["summary"]["by"], sections["timeline"]["ours"]) == (2, "ana", True)
    versions = (await ask("GET", f"{ROOT}/sections/summary/history")).json["versions"]
    assert [it["by"] for it in versions] == ["incidentd", "ana"]
    stale = await post(ask, "sections/summary", text="x", by="ben", expected_version=1)
    assert (stale.status, "ana writes summary of the postmortem" in stale.error) == (409, True)

    made = await post(ask, "comments", section="causes", text="Is that all?", by="cho")
    assert (made.status, made.json["number"]) == (201, 1)
    assert (await post(ask, "submit", by="ana")).json["state"] == "in_review"
    assert (await post(ask, "comments/1/resolve", answer="yes", by="ana")).json["open"] is False
    assert (await post(ask, "approve", checked=["all"], by="cho")).json["approvals"][0]["by"] == "cho"
    assert (await post(ask, "assign", meeting_held=True, by="ana")).status == 200
    done = (await post(ask, "approve", by="eli")).json
    assert (done["state"], {it["gate"] for it in done["missing"]}) == ("reviewed", {"priority"})
    out = await post(ask, "publish", excepted=["priority"], reason="it cannot come again", by="cho")
    assert (out.status, out.json["state"], out.json["edition"]) == (200, "published", 1)
    kept = (await ask("GET", f"{ROOT}/versions/1")).json
    assert (kept["by"], kept["markdown"]) == ("cho", (await ask("GET", ROOT)).text)
    assert (await ask("GET", f"{ROOT}/versions/2")).status == 404
    assert (await ask("GET", f"{ROOT}/versions/x")).status == 404
    closed = await post(ask, "close", external="https://status.example.org/1", by="cho")
    assert closed.json["state"] == "closed"


async def test_what_cannot_be_understood_is_said(over: SmallHouse, ask: Ask) -> None:
    for path, fields, why in (
        ("assign", {"due": "tomorrow"}, "`due` is a time such as 2026-12-24 14:00 (UTC), not 'tomorrow'"),
        ("assign", {"due": "9999-12-31T23:59:59-05:00"}, "`due` is a time from 1970 to 8999"),
        ("assign", {"meeting": "0001-01-01T00:00:00+05:00"}, "`meeting` is a time from 1970 to 8999"),
        ("publish", {"excepted": ["luck"]}, "there is no gate 'luck'; there are owner, text"),
        ("request", {"reason": " "}, "the reason is empty"),
        ("sections/summary", {}, "`text`"),
        ("comments", {"section": "causes"}, "`text`"),
        ("return", {"nothing": 1}, "nothing"),
    ):
        answer = await post(ask, path, **fields)
        assert (answer.status, why in answer.error) == (400, True), answer.error
    assert (await post(ask, "comments/x/resolve")).status == 404
    assert "there is no state 'x'" in (await ask("GET", "/api/v1/postmortems?state=x")).error
    assert "no parameter" in (await ask("GET", "/api/v1/postmortems?q=x")).error
    assert (await post(ask, "reviewed", by="ana")).status == 409


async def test_anybody_may_ask_for_one_while_it_goes_on(house: SmallHouse, ask: Ask) -> None:
    await ask("POST", "/api/v1/incidents", json={"title": "Odd", "severity": "sev3"})
    asked = await post(ask, "request", reason="it was close", because="data_loss", by="fay")
    assert (asked.status, asked.json["state"]) == (202, None)
    await ask("POST", "/api/v1/incidents/1/resolve", json={})
    again = await post(ask, "request", reason="now", by="fay")
    assert (again.status, again.json["state"]) == (201, "draft")


async def test_they_are_listed_with_what_is_late(over: SmallHouse, ask: Ask) -> None:
    [one] = (await ask("GET", "/api/v1/postmortems")).json["postmortems"]
    assert (one["incident"], one["state"], one["owner"], one["overdue"]) == ("INC-1", "draft", "hal", False)
    assert (await ask("GET", "/api/v1/postmortems?state=closed")).json["postmortems"] == []
    over.at = over.at.replace(year=2027)
    assert (await ask("GET", "/api/v1/postmortems?state=draft")).json["postmortems"][0]["overdue"] is True
    page = await ask("GET", "/postmortems", headers=BROWSER)
    assert 'href="postmortems/INC-1"' in page.text
    assert "late" in page.text


# -- pages -----------------------------------------------------------------------------------------------------------


def form_of(text: str) -> str:
    """Read the token of a page's forms."""
    found = re.search(r'name="form" value="([^"]+)"', text)
    assert found is not None
    return found[1]


async def shown(ask: Ask, **headers: str) -> str:
    answer = await ask("GET", PAGE, headers={**BROWSER, **headers})
    assert answer.status == 200
    return answer.text


async def sent(ask: Ask, form: str, headers: dict[str, str] | None = None, **fields: Any) -> Answer:
    return await ask("POST", PAGE, data={"form": form, **fields}, headers=headers or BROWSER)


async def test_a_page_shows_what_is_missing_and_its_forms_do_what_the_commands_do(over: SmallHouse, ask: Ask) -> None:
    text = await shown(ask)
    assert "Missing for in review" in text
    form = form_of(text)
    done = await sent(ask, form, do="edit", section="lucky", text="It was\r\nnight.", version="1")
    assert (done.status, "lucky is version 2 now." in done.text) == (200, True)
    assert "It was\nnight." in (await ask("GET", ROOT)).text
    done = await sent(ask, form, do="comment", section="causes", text="Is that all?")
    assert "Your comment is number 1." in done.text
    done = await sent(ask, form, do="resolve", number="1", text="two more")
    assert "Comment 1 is resolved." in done.text
    await filled(ask)
    done = await sent(ask, form, do="submit")
    assert "It is in review." in done.text
    done = await sent(ask, form, do="approve", checked=["data", "plan"][0], text="good")
    assert "You approved it; it is in review." in done.text
    done = await sent(ask, form, do="reviewed")
    assert (done.status, "cannot become reviewed yet" in done.text) == (409, True)
    done = await sent(ask, form, do="return", text="a cause is missing")
    assert "It is draft." in done.text


async def test_who_comes_second_keeps_what_they_typed(over: SmallHouse, ask: Ask) -> None:
    form = form_of(await shown(ask))
    await sent(ask, form, do="edit", section="lucky", text="mine", version="1")
    lost = await sent(ask, form, do="edit", section="lucky", text="theirs <b>", version="1")
    assert lost.status == 409
    assert "changed meanwhile (version 2)" in lost.text
    assert "theirs &lt;b&gt;" in lost.text


async def test_strangers_words_stay_words(over: SmallHouse, ask: Ask) -> None:
    form = form_of(await shown(ask))
    await sent(ask, form, do="edit", section="lucky", text=HOSTILE, version="1")
    await sent(ask, form, do="comment", section="lucky", text=f"</textarea>{HOSTILE}")
    for text in (await shown(ask), (await ask("GET", "/postmortems", headers=BROWSER)).text):
        assert "<script" not in text
        assert "</textarea>&lt;" not in text
        assert "\u202e" not in text or "textarea" in text  # what is edited is given as it is, escaped
        assert "49" not in re.sub(r"<[^>]*>", " ", text).split()


async def test_a_form_of_another_page_person_or_site_does_nothing(over: SmallHouse, ask: Ask) -> None:
    form = form_of(await shown(ask))
    for wrong in ("", "x", form[:-1], "é"):
        assert (await sent(ask, wrong, do="edit", section="lucky", text="x")).status == 403
    cross = await sent(ask, form, {"Sec-Fetch-Site": "cross-site"}, do="edit", section="lucky", text="x")
    assert cross.status == 403
    token = await over.token("responder", name="ana")
    other = await sent(ask, form, {**BROWSER, **bearer(token)}, do="edit", section="lucky", text="x")
    assert other.status == 403
    own = form_of(await shown(ask, **bearer(token)))
    done = await sent(ask, own, {**BROWSER, **bearer(token)}, do="edit", section="lucky", text="x")
    assert done.status == 200
    [_, last] = await over.store.read(lambda tx: stored.versions(tx, stored.get(tx, 1)))
    assert last.by == "ana"


async def test_what_a_form_may_not_ask_for_is_said(over: SmallHouse, ask: Ask) -> None:
    form = form_of(await shown(ask))
    assert (await sent(ask, form, do="publish")).status == 400
    assert (await sent(ask, form, do="edit", section="timeline", text="x")).status == 400
    assert (await sent(ask, form, do="edit", section="poem", text="x")).status == 404
    assert (await sent(ask, form, do="resolve", number="9")).status == 404
    many = "&".join(f"a{n}=1" for n in range(50))
    assert (await ask("POST", PAGE, data=many.encode(), headers=BROWSER)).status == 400
    assert (await ask("GET", "/postmortems/INC-9", headers=BROWSER)).status == 404
