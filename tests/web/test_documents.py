"""The document at the API and on the command line: its versions, and each as it stood."""

from __future__ import annotations

import json

import pytest

from incidentd.engine import commands, records
from incidentd.records import SectionName
from incidentd.timeline import Actor
from tests.cli.conftest import Type, typed
from tests.web.asking import Ask
from tests.web.small_house import SmallHouse

__all__ = ["typed"]

ANA = Actor(name="ana", via="api")
PATH = "/api/v1/incidents/INC-1/document"
EVIL = "late <script>alert(1)</script> | \u202e"


async def written(house: SmallHouse) -> None:
    await house.store.write(
        commands.declare_incident, house.settings, actor=ANA, title="Mail is slow", severity="sev2", page="default"
    )
    for text in (EVIL, "All mail is late."):
        await house.store.write(records.write_section, house.settings, 1, SectionName.SUMMARY, text=text, actor=ANA)


async def test_versions_are_listed_and_each_can_be_read(house: SmallHouse, ask: Ask) -> None:
    await written(house)
    listed = (await ask("GET", f"{PATH}/versions", params={"q": "summary"})).json["versions"]
    first, second = [it["version"] for it in listed]
    assert listed[1]["said"] == "ana writes the summary: All mail is late."
    assert listed[1]["by"] == "ana"
    now = await ask("GET", PATH, headers={"Accept": "application/json"})
    assert now.json["version"] == second
    then = (await ask("GET", f"{PATH}?version={first}")).text
    assert f"**This is version {first} of {second}: as it stood at 2026-11-24 14:07:00 UTC.**" in then
    assert "late &lt;script&gt;" in then
    assert "All mail is late" not in then


@pytest.mark.parametrize(
    ("query", "status"),
    [("version=0", 404), ("version=999", 404), ("version=x", 400), ("version=1&version=2", 400), ("at=1", 400)],
)
async def test_what_is_no_version_is_said_so(house: SmallHouse, ask: Ask, query: str, status: int) -> None:
    await written(house)
    assert (await ask("GET", f"{PATH}?{query}")).status == status
    assert (await ask("GET", "/api/v1/incidents/INC-9/document/versions")).status == 404
    assert (await ask("GET", f"{PATH}/versions?state=open")).status == 400


async def test_the_command_prints_them(house: SmallHouse, typed: Type) -> None:
    await written(house)
    listed = (await typed("document", "INC-1", "--versions", "--q", "summary")).output.splitlines()
    assert listed[0].split() == ["VERSION", "AT", "BY", "WHAT"]
    number = listed[1].split()[0]
    assert "\u202e" not in listed[1]
    assert "**This is version" in (await typed("document", "INC-1", "--version", number)).output
    assert "All mail is late." in (await typed("document", "INC-1")).output
    assert json.loads((await typed("document", "INC-1", "--version", number, "--json")).output)["version"] == int(
        number
    )
    assert (await typed("document", "INC-1", "--version", "99")).exit_code == 1
    assert (await typed("document", "INC-1", "--version", "1", "--versions")).exit_code == 2
