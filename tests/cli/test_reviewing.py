"""The commands of a postmortem's way: each does what it says, and says what it did."""

from __future__ import annotations

import json

import pytest

from incidentd.engine import learning
from tests.cli.conftest import Type
from tests.engine.postmortem_story import WORDS
from tests.web.small_house import SmallHouse


@pytest.fixture
async def over(house: SmallHouse, typed: Type) -> SmallHouse:
    """Have INC-1 resolved, and its postmortem drafted."""
    assert (await typed("declare", "--title", "Down", "--severity", "sev1", "--by", "hal")).exit_code == 0
    assert (await typed("resolve", "INC-1", "--by", "hal")).exit_code == 0
    await house.store.write(learning.draft, house.settings, "INC-1")
    return house


async def said(typed: Type, *words: str, stdin: bytes = b"") -> str:
    done = await typed("postmortem", *words, stdin=stdin)
    assert done.exit_code == 0, done.output
    return done.stdout.strip()


async def test_the_way_of_a_postmortem_on_a_terminal(over: SmallHouse, typed: Type) -> None:
    for name, text in WORDS.items():
        stdin = text.encode() if text.startswith("-") else b""
        shown = await said(typed, "edit", "INC-1", name, "-" if stdin else text, "--by", "hal", stdin=stdin)
        assert shown == f"{name} of the postmortem of INC-1 is version 2"
    planned = await said(typed, "assign", "INC-1", "--reviewer", "cho", "--reviewer", "eli", "--facilitator", "fay")
    assert planned.startswith("the postmortem of INC-1 is draft")
    assert await said(typed, "submit", "INC-1", "--by", "hal") == (
        "the postmortem of INC-1 is in_review; 8 missing for reviewed"
    )
    assert await said(typed, "comment", "INC-1", "causes", "Is that all?", "--by", "cho") == (
        "comment 1 on causes of INC-1 is open"
    )
    shown = await said(typed, "state", "INC-1")
    assert "the postmortem of INC-1 is in_review, version " in shown
    assert "owner: hal; due: 2026-11-27T" in shown
    assert "required, since it was sev1" in shown
    assert "comment 1 on causes by cho: Is that all?" in shown
    assert "not reviewed yet: comments: comment 1 of cho on causes is open" in shown
    assert "resolved" in await said(typed, "resolve-comment", "INC-1", "1", "--answer", "yes")
    returned = await said(typed, "return", "INC-1", "--reason", "a cause is missing", "--by", "cho")
    assert returned.startswith("the postmortem of INC-1 is draft")
    await said(typed, "submit", "INC-1", "--by", "hal")
    await said(typed, "assign", "INC-1", "--meeting-held")
    await said(typed, "approve", "INC-1", "--checked", "all", "--by", "cho")
    assert "is reviewed" in await said(typed, "approve", "INC-1", "--note", "good", "--by", "eli")
    out = await said(typed, "publish", "INC-1", "--except", "priority", "--reason", "it cannot recur", "--by", "cho")
    assert out == "the postmortem of INC-1 is published; 1 missing for closed"
    fixed = await said(typed, "edit", "INC-1", "lucky", "It was Sunday.", "--reason", "the day", "--by", "hal")
    assert fixed == "lucky of the postmortem of INC-1 is version 3"
    assert "INC-1" in await said(typed, "list", "--state", "published", "--state", "draft")
    assert await said(typed, "close", "INC-1", "--external", "none") == "the postmortem of INC-1 is closed"
    assert await said(typed, "list") == "There is no postmortem."


async def test_what_is_refused_is_said_and_fails(over: SmallHouse, typed: Type) -> None:
    done = await typed("postmortem", "submit", "INC-1")
    assert (done.exit_code, "cannot become in_review yet" in done.stderr) == (1, True)
    late = await typed("postmortem", "edit", "INC-1", "lucky", "x", "--expected-version", "0")
    assert (late.exit_code, "changed meanwhile" in late.stderr) == (1, True)
    odd = await typed("postmortem", "state", "INC-1", "reviewed", "--reason", "x")
    assert (odd.exit_code, "it cannot become reviewed" in odd.stderr) == (1, True)
    assert (await typed("postmortem", "return", "INC-1")).exit_code == 2


async def test_json_is_for_scripts_and_asking_is_for_everybody(over: SmallHouse, typed: Type) -> None:
    state = json.loads(await said(typed, "state", "INC-1", "--json"))
    assert (state["incident"], state["next"], state["versions"]["summary"]) == ("INC-1", "in_review", 1)
    assert json.loads(await said(typed, "list", "--json"))["postmortems"][0]["incident"] == "INC-1"
    asked = await said(typed, "request", "INC-1", "it was close", "--because", "data_loss", "--by", "fay")
    assert asked == "the postmortem of INC-1 is draft, hal owns it"
    await typed("declare", "--title", "Odd", "--severity", "sev3")
    assert await said(typed, "request", "INC-2", "why") == "noted: a postmortem of INC-2 is drafted when it is over"
