"""The findings of a postmortem over the API."""

from __future__ import annotations

from dataclasses import replace

from incidentd.engine import commands
from incidentd.oncall import Person
from incidentd.timeline import Actor
from tests.drafts import put_draft
from tests.engine.world import roster
from tests.web.asking import Ask
from tests.web.small_house import SmallHouse

PATH = "/api/v1/incidents/INC-1/postmortem/findings"
BAD = "# Quick review: INC-1\n\nOn-call did not look. Hal missed it. The Oslo team failed to answer.\n"


async def test_findings_are_given_once_there_is_a_postmortem(house: SmallHouse, ask: Ask) -> None:
    people = roster("hal")
    named = {"hal": Person(handle="hal", name="Hal Nine")}
    house.settings = replace(house.settings, roster=replace(people, people=named))
    assert "there is no INC-1" in (await ask("GET", PATH)).error
    hal = Actor(name="hal", via="api")
    await house.store.write(commands.declare_incident, house.settings, actor=hal, title="Down", severity="sev1")
    missing = await ask("GET", PATH)
    assert (missing.status, "has no postmortem" in missing.error) == (404, True)

    await house.store.write(put_draft, 1, owner="hal", markdown=BAD)
    found = (await ask("GET", PATH)).json
    assert (found["incident"], found["state"], found["passes"]) == ("INC-1", "draft", False)
    assert found["counts"] == {"person-as-cause": 3}
    assert [(it["line"], it["column"], it["words"]) for it in found["findings"]] == [
        (3, 1, "On-call did not"), (3, 23, "Hal missed"), (3, 47, "team failed"),
    ]  # fmt: skip
    assert set(found["findings"][0]) == {"rule", "level", "line", "column", "words", "reason", "instead"}
