"""The commands about roles against a running daemon."""

from dataclasses import replace

import pytest

from incidentd.oncall import Team
from tests.cli.conftest import Type
from tests.engine.world import policy, roster
from tests.web.small_house import SmallHouse


@pytest.fixture(autouse=True)
def with_people(house: SmallHouse) -> None:
    people = replace(roster("ana", "ben", "cho"), teams={"shop": Team(name="shop", people=("ben",), escalation="shop")})
    house.settings = replace(house.settings, roster=people, escalations=policy("shop", (0, "ben")))


async def test_roles_are_typed(typed: Type) -> None:
    assert (await typed("declare", "--title", "Down", "--severity", "sev1", "--by", "ana")).exit_code == 0
    asked = await typed("assign", "INC-1", "ol", "ben", "--by", "ana")
    assert asked.output == "ben is asked; ana answers for ol of INC-1 until they accept\n"
    shown = await typed("roles", "INC-1")
    assert "Operations Lead: ana (not delegated)" in shown.output
    assert "OFFER-2: ben is asked for ol since " in shown.output
    accepted = await typed("accept", "INC-1", "--by", "ben")
    assert "Operations Lead: ben, since " in accepted.output
    took = await typed("take-command", "INC-1", "--by", "cho")
    assert took.output == "ana is asked; unless they say no you are ic of INC-1 in two minutes\n"
    assert (await typed("decline", "INC-1", "--by", "ana", "--because", "no")).exit_code == 0
    assert (await typed("release-role", "INC-1", "ol", "--by", "ben")).output == "ana is ol of INC-1\n"


async def test_people_are_called_and_let_go(typed: Type) -> None:
    assert (await typed("declare", "--title", "Down", "--severity", "sev1", "--by", "ana")).exit_code == 0
    paged = await typed("page-team", "INC-1", "shop", "--for", "see why", "--by", "ana")
    assert paged.output.endswith("calls shop; paged so far: ben\n")
    assert (await typed("join", "INC-1", "--by", "cho")).output == "you work on INC-1\n"
    assert "ben (shop): paged " in (await typed("roles", "INC-1")).output
    assert (await typed("let-go", "INC-1", "cho", "--by", "ana")).output == "cho is let go of INC-1\n"
    assert (await typed("assign", "INC-1", "boss", "ana")).exit_code == 2
