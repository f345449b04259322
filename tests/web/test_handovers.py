"""Handovers over HTTP: drafted, refused with what is missing, offered, answered by API and by link."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from incidentd.engine import commands
from incidentd.store import chain, subjects
from incidentd.timeline import Actor
from tests.engine.world import roster
from tests.web.asking import Ask
from tests.web.small_house import SmallHouse, form_of, link_to

WORDS = {
    "now": "40 shops <b>cannot</b> pay", "trend": "worse", "hypotheses": "none yet", "decisions": "none",
    "risks": "the night batch", "escalate_if": "more than 100 shops",
}  # fmt: skip
ROOT = "/api/v1/incidents/INC-1/handovers"


async def declared(house: SmallHouse) -> None:
    house.settings = replace(house.settings, roster=roster("ana", "ben", "dia"), external_url="https://inc.example.org")
    ana = Actor(name="ana", via="api")
    await house.store.write(
        commands.declare_incident, house.settings, actor=ana, title="Checkout is down", severity="sev1"
    )


async def test_what_was_typed_is_kept_when_the_gate_refuses(house: SmallHouse, ask: Ask) -> None:
    await declared(house)
    half = {name: WORDS[name] for name in ("now", "trend", "hypotheses")}
    refused = await ask("POST", ROOT, json={"role": "ic", "to": "dia", "by": "ana", **half})
    assert refused.status == 409
    assert refused.json["error"].startswith("INC-1 cannot be handed over yet: DECISIONS WAITING is empty: --decisions")
    assert "--now" not in refused.json["error"]
    draft = await ask("GET", f"{ROOT}/draft?role=ic,cl&to=dia")
    assert [it["line"] for it in draft.json["missing"]] == ["decisions", "risks", "escalate_if"]
    assert "NOW: impact 40 shops <b>cannot</b> pay; trend worse" in draft.json["text"]
    assert "&lt;b&gt;cannot" in draft.json["markdown"]
    rest = {name: WORDS[name] for name in ("decisions", "risks", "escalate_if")}
    kept = await ask("POST", ROOT, json={"by": "ana", **rest})
    assert (kept.status, kept.json["missing"]) == (200, [])
    made = await ask("POST", ROOT, json={"role": "ic,cl", "to": "dia", "by": "ana"})
    assert (made.status, made.json["id"], made.json["roles"]) == (201, "HO-1", ["ic", "cl"])
    due = (await ask("GET", "/api/v1/incidents/INC-1/board?role=ic")).json["due"]
    (mine,) = [it for it in due if it["id"] == "HO-1"]
    assert (mine["who"], mine["what"]) == (
        "dia", "Incident Commander and Communications Lead, from ana: accept or decline"
    )  # fmt: skip
    for wrong, status in (({"role": "boss", "to": "ben"}, 400), ({"role": "ol", "to": "zoe"}, 400)):
        assert (await ask("POST", ROOT, json={"by": "ana", **wrong})).status == status
    assert (await ask("POST", ROOT, json={"trend": "fine", "by": "ana"})).status == 400


async def test_the_link_shows_the_message_and_two_buttons_and_acts_once(house: SmallHouse, ask: Ask) -> None:
    await declared(house)
    await ask("POST", ROOT, json={"role": "ic", "to": "dia", "by": "ana", **WORDS})
    link = link_to("handover", "HO-1", person="dia")
    shown = [await ask("GET", link) for _ in range(3)][-1]
    assert shown.status == 200
    for words in (
        "Checkout is down",
        "40 shops &lt;b&gt;cannot&lt;/b&gt; pay",
        "RISKS NEXT 2 h",
        "I accept",
        "I decline",
    ):
        assert words in shown.text
    assert (await house.store.read(subjects.get_incident, 1)).commander == "ana"
    assert (await ask("POST", link, **form_of(link, answer="perhaps"))).status == 400
    wrong = link_to("handover", "HO-1", person="ben", nonce="m" * 22)
    assert (await ask("POST", wrong, **form_of(wrong, answer="I accept"))).status == 409
    answers = await asyncio.gather(*(ask("POST", link, **form_of(link, answer="I accept")) for _ in range(10)))
    assert sum("You are Incident Commander" in it.text for it in answers) == 1
    assert (await house.store.read(subjects.get_incident, 1)).commander == "dia"
    entries = await house.store.read(chain.entries, "INC-1")
    (done,) = [it for it in entries if it.kind == "handover.accepted"]
    assert (done.actor.name, done.actor.via) == ("dia", "link")
    again = await ask("GET", link)
    assert "HO-1 is accepted already by dia" in again.text


async def test_all_roles_go_in_one_go_and_what_is_refused_says_why(house: SmallHouse, ask: Ask) -> None:
    await declared(house)
    await declared(house)
    await ask("POST", ROOT, json={"by": "ana", **WORDS})
    done = await ask("POST", "/api/v1/handovers", json={"to": "dia", "by": "ana"})
    assert done.status == 201
    assert [(it["id"], it["incident"], it["roles"]) for it in done.json["offered"]] == [("HO-1", "INC-1", ["ic"])]
    (refused,) = done.json["refused"]
    assert refused["incident"] == "INC-2"
    assert "NOW is empty" in refused["error"]
    nothing = await ask("POST", "/api/v1/handovers", json={"to": "dia", "by": "ben"})
    assert (nothing.status, nothing.json["error"]) == (409, "ben has no role in an incident that goes on")
    assert (await ask("POST", "/api/v1/handovers/HO-1/decline", json={"by": "dia", "reason": "no"})).status == 200
    again = await ask("POST", "/api/v1/handovers/HO-1/accept", json={"by": "dia"})
    assert (again.status, again.json["error"]) == (409, "HO-1 is declined already by dia at 14:07:00 UTC: no")
    listed = await ask("GET", ROOT)
    assert [(it["id"], it["state"]) for it in listed.json["handovers"]] == [("HO-1", "declined")]
    assert (await ask("POST", "/api/v1/handovers/HO-9/withdraw", json={"by": "ana"})).status == 404
