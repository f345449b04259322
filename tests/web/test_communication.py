"""The API of the channels in which an incident is followed, over HTTP."""

from dataclasses import replace

import pytest

from incidentd.engine import commands
from incidentd.oncall import Channel, ChannelKind
from incidentd.redaction import Secret
from incidentd.timeline import Actor
from tests.engine.world import roster
from tests.web.asking import Ask
from tests.web.small_house import SmallHouse

ROOM = Channel(name="ops", kind=ChannelKind.CHAT, url=Secret("json://127.0.0.1:9/ops"))
PATH = "/api/v1/incidents/INC-1/channels"


@pytest.fixture(autouse=True)
async def declared(house: SmallHouse) -> None:
    house.settings = replace(house.settings, channels={"ops": ROOM}, roster=roster("ana"))
    ana = Actor(name="ana", via="api")
    await house.store.write(
        commands.declare_incident, house.settings, actor=ana, title="Checkout is down", severity="sev1"
    )


async def test_a_channel_is_added_listed_and_removed(ask: Ask) -> None:
    added = await ask("POST", PATH, json={"channel": "ops", "by": "ana"})
    assert (added.status, added.json["channel"], added.json["added_by"]) == (201, "ops", "ana")
    listed = await ask("GET", PATH)
    (it,) = listed.json["channels"]
    assert it == {"channel": "ops", "added_by": "ana", "is_on": True, "told_to": 0, "under_way": False}
    assert "Secret" not in listed.text
    removed = await ask("POST", f"{PATH}/remove", json={"channel": "ops", "by": "ana"})
    assert (removed.status, removed.json["is_on"]) == (200, False)
    timeline = (await ask("GET", "/api/v1/incidents/INC-1/timeline")).json
    assert "ops follows this no more, says ana." in str(timeline)


async def test_what_cannot_be_is_refused_in_words(ask: Ask) -> None:
    wrong = await ask("POST", PATH, json={"channel": "opps", "by": "ana"})
    assert (wrong.status, "there are: ops" in wrong.json["error"]) == (400, True)
    assert (await ask("POST", f"{PATH}/remove", json={"channel": "ops", "by": "ana"})).status == 404
    assert (await ask("GET", "/api/v1/incidents/INC-9/channels")).status == 404
    assert (await ask("POST", PATH, json={"by": "ana"})).status == 400
    assert (await ask("POST", PATH, json={"channel": "ops", "more": 1})).status == 400
