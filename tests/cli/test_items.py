"""Action items, typed."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.cli.conftest import Type
from tests.engine.world import roster
from tests.web.small_house import SmallHouse


@pytest.fixture(autouse=True)
async def declared(house: SmallHouse, typed: Type) -> None:
    house.settings = replace(house.settings, roster=roster("ana", "ben"))
    await typed("declare", "--title", "Mail waits", "--severity", "sev1", "--by", "ana")


async def test_an_item_is_proposed_decided_changed_and_ended_from_the_command_line(typed: Type) -> None:
    async def says(*words: str, acts: bool = True) -> str:
        done = await typed("item", *words, *(("--by", "ana") if acts else ()))
        assert done.exit_code == 0, done.output + done.stderr
        return done.output.strip()

    made = await says("propose", "INC-1", "Reject mails over 10 MB", "--priority", "P1", "--owner", "@ben")
    assert made == "AI-1 is proposed, ben has it: Reject mails over 10 MB"
    assert await says("list", acts=False) == "There is none."
    decided = await says("decide", "AI-1", "--why", "it hurts", "--type", "prevent")
    assert decided == "AI-1 is open, ben has it until 2026-12-09: Reject mails over 10 MB"
    edited = await says("edit", "1", "--due", "2026-12-01", "--end-state", "no mail waits", "--expected-version", "2")
    assert edited == "AI-1 is open, ben has it until 2026-12-01: Reject mails over 10 MB"
    assert (await says("start", "AI-1")).startswith("AI-1 is in progress, ben has it")
    listed = await says("list", acts=False)
    assert listed.splitlines()[1].split()[:5] == ["AI-1", "P1", "in_progress", "ben", "2026-12-01"]
    assert await says("done", "AI-1", "--evidence", "http://g") == "AI-1 is done, ben has it: Reject mails over 10 MB"
    assert (await says("reopen", "AI-1")).startswith("AI-1 is open")
    assert (await says("decline", "AI-1", "not worth it")).startswith("AI-1 is declined")
    assert "not worth it" in await says("show", "AI-1", acts=False)


async def test_what_is_edited_to_nothing_is_emptied(typed: Type) -> None:
    words = ("Reject mails", "--owner", "ben", "--team", "mail", "--description", "All of them")
    await typed("item", "propose", "INC-1", *words, "--by", "ana")
    done = await typed("item", "edit", "AI-1", "--owner", "", "--title", "Reject large mails", "--by", "ana")
    assert (done.exit_code, done.output) == (0, "AI-1 is proposed: Reject large mails\n"), done.stderr
    await typed("item", "edit", "AI-1", "--team", "", "--description", "", "--by", "ana")
    found = json.loads((await typed("item", "show", "AI-1", "--json")).output)
    assert (found["owner"], found["team"], found["description"], found["version"]) == ("", "", "", 3)
    nameless = await typed("item", "edit", "AI-1", "--title", "", "--by", "ana")
    assert (nameless.exit_code, nameless.stderr) == (1, "Error: the title is empty\n")


async def test_todos_are_collected_and_what_is_refused_says_why(typed: Type) -> None:
    await typed("note", "INC-1", "TODO: Improve the queue", "--by", "ana")
    made = await typed("item", "collect", "INC-1", "--from", "todo", "--by", "ana")
    again = await typed("item", "collect", "INC-1", "--by", "ana")
    early = await typed("item", "decide", "AI-1", "--owner", "ana")
    advised = await typed("item", "decide", "AI-1", "--owner", "ana", "--why", "now", "--by", "ana")
    kept = await typed("item", "retry", "AI-1", "--by", "ana")
    asked = await typed("item", "show", "AI-1", "--json")

    assert made.output == "AI-1 is proposed: Improve the queue\n"
    assert again.output == "There is nothing that is not proposed yet.\n"
    assert early.exit_code == 1
    assert "let it soak for two working days" in early.stderr
    assert "look at it: " in advised.output
    assert kept.exit_code == 1
    assert "there is no `jira` in the configuration" in kept.stderr
    assert json.loads(asked.output)["source"] == "todo"
