"""The API of roles, over HTTP, and the link of the question."""

from dataclasses import replace

from incidentd.engine import commands
from incidentd.oncall import Team
from incidentd.timeline import Actor
from tests.engine.world import policy, roster
from tests.web.asking import Ask
from tests.web.small_house import SmallHouse

ROOT = "/api/v1/incidents/INC-1"


async def declared(house: SmallHouse) -> None:
    people = replace(roster("ana", "ben", "cho"), teams={"shop": Team(name="shop", people=("ben",), escalation="shop")})
    house.settings = replace(house.settings, roster=people, escalations=policy("shop", (0, "ben")))
    ana = Actor(name="ana", via="api")
    await house.store.write(
        commands.declare_incident, house.settings, actor=ana, title="Checkout is down", severity="sev1"
    )


async def test_roles_are_offered_accepted_asked_for_and_given_back(house: SmallHouse, ask: Ask) -> None:
    await declared(house)
    asked = await ask("POST", f"{ROOT}/roles", json={"role": "OL", "person": "ben", "by": "ana", "because": "shop"})
    assert (asked.status, asked.json["asked"]["person"], asked.json["asked"]["state"]) == (202, "ben", "asked")
    wrong = await ask("POST", f"{ROOT}/roles/accept", json={"by": "cho"})
    assert (wrong.status, wrong.json["error"]) == (409, "nothing of INC-1 waits for an answer of cho")
    done = await ask("POST", f"{ROOT}/roles/accept", json={"by": "ben", "role": "ol"})
    assert {it["role"]: it["holder"] for it in done.json["roles"]} == {"ic": "ana", "ol": "ben", "cl": "ana"}
    wants = await ask("POST", f"{ROOT}/take-command", json={"by": "cho"})
    assert wants.status == 202
    board = await ask("GET", f"{ROOT}/board?role=ic")
    waits = [it for it in board.json["due"] if it["kind"] == "role"]
    assert [(it["id"], it["who"]) for it in waits] == [(wants.json["asked"]["id"], "ana")]
    assert (await ask("POST", f"{ROOT}/roles/decline", json={"by": "ana", "because": "nearly"})).status == 200
    back = await ask("POST", f"{ROOT}/roles/release", json={"role": "ol", "by": "ben"})
    assert [it["holder"] for it in back.json["roles"]] == ["ana"] * 3
    assert [it["state"] for it in back.json["offers"]] == ["taken", "declined"]


async def test_people_are_called_come_and_go(house: SmallHouse, ask: Ask) -> None:
    await declared(house)
    page = await ask("POST", f"{ROOT}/page-team", json={"team": "shop", "asked": "see why", "by": "ana"})
    assert (page.status, page.json["paged"]) == (201, ["ben"])
    assert (await ask("POST", f"{ROOT}/join", json={"by": "cho"})).status == 201
    gone = await ask("POST", f"{ROOT}/let-go", json={"person": "cho", "by": "ana"})
    people = {it["person"]: it for it in gone.json["people"]}
    assert (people["cho"]["released_by"], people["ben"]["asked"], people["ben"]["joined_at"]) == (
        "ana",
        "see why",
        None,
    )
    document = await ask("GET", f"{ROOT}/document")
    assert "| ben | shop | - | see why |" in document.text


async def test_what_cannot_be_is_refused_with_what_can(house: SmallHouse, ask: Ask) -> None:
    await declared(house)
    wrong = await ask("POST", f"{ROOT}/roles", json={"role": "boss", "person": "ben", "by": "ana"})
    assert (wrong.status, wrong.json["error"]) == (
        400,
        "there is no role 'boss'; there are ic, ol, cl, deputy, scribe, planning",
    )
    nobody = await ask("POST", f"{ROOT}/roles", json={"role": "ol", "person": "zoe", "by": "ana"})
    assert (nobody.status, nobody.json["error"]) == (404, "there is no 'zoe' among the people")
    may = await ask("POST", f"{ROOT}/roles", json={"role": "ol", "person": "ben", "by": "cho"})
    assert (may.status, "ana may" in may.json["error"]) == (403, True)
    team = await ask("POST", f"{ROOT}/page-team", json={"team": "x", "asked": "y", "by": "ana"})
    assert team.status == 404
    assert (await ask("GET", "/api/v1/incidents/INC-9/roles")).status == 404
