"""The API of updates, over HTTP."""

from dataclasses import replace

from incidentd.engine import commands
from incidentd.settings import Settings
from incidentd.timeline import Actor
from incidentd.updates import CADENCES, Audience, AudiencePlan, UpdateSettings
from tests.engine.world import roster
from tests.web.asking import Ask
from tests.web.small_house import SmallHouse

PLAN = AudiencePlan(cadences=CADENCES[Audience.EXTERNAL], approval=True)


async def test_an_update_waits_goes_out_and_shows_on_the_status_alone(house: SmallHouse, ask: Ask) -> None:
    settings = UpdateSettings(audiences={Audience.EXTERNAL: PLAN})
    house.settings = replace(house.settings, updates=settings, roster=roster("ana", "cho"))
    await _declared(house, house.settings)
    draft = await ask("GET", "/api/v1/incidents/INC-1/updates/draft?audience=external")
    assert (draft.status, draft.json["phase"], draft.json["findings"][0]["rule"]) == (200, "investigating", "unfilled")

    text = "We do not know the cause yet. web-01 is slow."
    sent = await ask(
        "POST", "/api/v1/incidents/INC-1/updates", json={"audience": "external", "text": text, "by": "cho"}
    )
    assert sent.status == 409
    sent = await ask(
        "POST", "/api/v1/incidents/INC-1/updates", json={"audience": "external", "text": text, "by": "ana"}
    )
    assert (sent.status, sent.json["id"], sent.json["state"]) == (201, "UPD-1", "sent")
    assert [it["words"] for it in sent.json["findings"]] == ["web-01"]
    again = await ask("POST", "/api/v1/updates/UPD-1/approve", json={"by": "ana"})
    assert (again.status, again.json["error"]) == (
        409,
        "UPD-1 does not wait any more: it is sent by ana at 14:07:00 UTC",
    )

    status = await ask("GET", "/api/v1/status-page")
    (incident,) = status.json["incidents"]
    assert sorted(incident) == ["id", "next_update_by", "status", "updated_at", "updates"]
    assert incident["updates"][0]["text"].startswith(text)
    same = await ask("GET", "/api/v1/status-page", headers={"If-None-Match": status.headers["ETag"]})
    assert (same.status, same.text) == (304, "")
    listed = await ask("GET", "/api/v1/incidents/INC-1/updates")
    assert [it["audience"] for it in listed.json["audiences"]] == ["external"]
    skipped = await ask(
        "POST", "/api/v1/incidents/INC-1/updates/skip", json={"audience": "external", "reason": "no news", "by": "ana"}
    )
    assert (skipped.status, skipped.json["state"]) == (201, "skipped")
    wrong = await ask("POST", "/api/v1/incidents/INC-1/updates", json={"audience": "all", "text": "x"})
    assert (wrong.status, "there is no audience 'all'" in wrong.json["error"]) == (400, True)
    cadence = {"audience": "external", "every": "soon", "reason": "x", "by": "ana"}
    wrong = await ask("POST", "/api/v1/incidents/INC-1/updates/cadence", json=cadence)
    assert (wrong.status, wrong.json["error"].startswith("`every`: 'soon' is not a duration")) == (400, True)


async def _declared(house: SmallHouse, settings: Settings) -> None:
    ana = Actor(name="ana", via="api")
    await house.store.write(commands.declare_incident, settings, actor=ana, title="Checkout is down", severity="sev1")
