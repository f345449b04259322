"""What people put down during an incident, typed and over the API."""

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
    await typed("declare", "--title", "Checkout fails", "--severity", "sev3", "--by", "ana")


async def test_an_incident_is_written_about_from_the_command_line(typed: Type) -> None:
    async def says(*words: str) -> str:
        done = await typed(*words, "--by", "ben")
        assert done.exit_code == 0, done.output + done.stderr
        return done.output.strip()

    assert await says("write", "INC-1", "summary", "Half of it fails.") == "the summary of INC-1 is version 1"
    assert await says("write", "1", "status-page", "https://status.example") == "the status_page of INC-1 is version 1"
    assert await says("hypothesis", "add", "INC-1", "the pool is full", "--owner", "@ana") == "H1 of INC-1 is open"
    marked = await says(
        "hypothesis", "mark", "INC-1", "h1", "refuted", "--confidence", "high", "--evidence", "http://x"
    )
    assert marked == "H1 of INC-1 is refuted, confidence high"
    proposed = await says("decision", "add", "INC-1", "fail over", "--wait", "5m", "--not-taken", "wait")
    assert proposed == "D1 of INC-1 is proposed until 2026-11-24T14:12:00Z"
    assert await says("decision", "object", "INC-1", "D1", "month end") == "your objection to D1 of INC-1 is noted"
    assert await says("decision", "withdraw", "INC-1", "D1") == "D1 of INC-1: withdrawn"
    given = await says("task", "give", "INC-1", "@ben", "check web latency", "10m")
    assert given == "T1 of INC-1 is ben's until 2026-11-24T14:17:00Z"
    assert (
        await says("task", "assign", "INC-1", "T1", "ana", "20m") == "T1 of INC-1 is ana's until 2026-11-24T14:27:00Z"
    )
    assert await says("task", "done", "INC-1", "T1", "--result", "4 s") == "T1 of INC-1: done"
    assert await says("change", "add", "INC-1", "flag off", "--made-by", "ana") == "C1 of INC-1 is in place"
    assert await says("change", "explain", "INC-1", "C1", "--undo", "flag on") == "C1 of INC-1: in place"
    assert await says("change", "accept", "INC-1", "C1", "--reason", "better so") == "C1 of INC-1: stays: better so"
    assert await says("change", "add", "INC-1", "limit 10") == "C2 of INC-1 is in place"
    assert await says("criterion", "add", "INC-1", "SLO met for 30 min") == "X1 of INC-1 is open"
    assert await says("criterion", "add", "INC-1", "customers told") == "X2 of INC-1 is open"
    assert await says("criterion", "waive", "INC-1", "X2", "--reason", "none saw it") == "X2 of INC-1: waived"

    board = (await typed("board", "INC-1", "OL")).output
    assert board.startswith("INC-1 sev3, declared; ol: ana")
    assert "C2 is still in place: limit 10" in board
    assert "- 2026-11-24T14:22:00Z INC-1 ana keep the summary" not in board, "it was written at 14:07"
    assert "2026-11-24T18:07:00Z INC-1 ana keep the summary of the document true" in " ".join(board.split())

    listed = (await typed("records", "INC-1")).output
    assert "C2 changes in place ben limit 10" in " ".join(listed.split())
    assert "not identified yet: no hypothesis is marked supported (H1 is refuted)" in listed
    assert "not resolved yet: X1 is neither met nor waived: SLO met for 30 min" in listed
    assert "not closed yet: C2 is still in place: limit 10" in listed
    assert "ben gives T1 to ana, after ben, back in 20m" in (await typed("records", "1", "--history", "t1")).output
    shown = (await typed("incidents", "INC-1")).output
    assert "| C2 | 2026-11-24 14:07:00 | limit 10 | ben | not known yet | **still in place** |" in shown
    assert "Half of it fails." in shown


async def test_who_comes_second_is_told_what_changed_and_may_look_again(typed: Type) -> None:
    await typed("write", "INC-1", "summary", "-", "--by", "ana", stdin=b"First.\nSecond line.")
    await typed("write", "INC-1", "summary", "By ben.", "--expected-version", "1", "--by", "ben")
    late = await typed("write", "INC-1", "summary", "Late.", "--expected-version", "1", "--by", "ana")
    assert late.exit_code == 1
    assert "was changed meanwhile (version 2): 14:07:00 UTC: ben writes the summary: By ben." in late.stderr
    emptied = await typed("write", "INC-1", "summary", "", "--json", "--by", "ana")
    assert json.loads(emptied.output)["text"] == ""


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("task", "give", "INC-1", "", "check", "10m"), "name one person"),
        (("task", "give", "INC-1", "ben", "check", "ten"), "`box`"),
        (("task", "give", "INC-1", "zoe", "check", "10m"), "nobody called 'zoe'"),
        (("task", "ack", "INC-1", "H1"), "ids of a task look like T3"),
        (("criterion", "waive", "INC-1", "X1"), "INC-1 has no X1"),
        (("write", "INC-1", "weather", "fine"), "there are summary, impact, channel"),
        (("write", "INC-1", "call", "two\nlines" * 600), "the most is 1000"),
        (("records", "INC-2"), "there is no INC-2"),
        (("records", "INC-1", "--history", "T9"), "INC-1 has no 'T9'"),
    ],
)
async def test_what_cannot_be_done_is_said_in_one_sentence(typed: Type, words: tuple[str, ...], why: str) -> None:
    done = await typed(*words)
    assert done.exit_code == 1
    assert why in done.stderr


async def test_waiving_and_overruling_take_the_right_to_command(house: SmallHouse, typed: Type) -> None:
    token = await house.token("responder", name="ben")
    as_ben = {"INCIDENTD_TOKEN": token}
    assert (await typed("criterion", "add", "INC-1", "x", **as_ben)).exit_code == 0
    assert (await typed("change", "add", "INC-1", "x", **as_ben)).exit_code == 0
    for words in (("criterion", "waive", "INC-1", "X1"), ("change", "accept", "INC-1", "C1")):
        refused = await typed(*words, "--reason", "y", **as_ben)
        assert refused.exit_code == 1
        assert "may not" in refused.stderr


async def test_the_context_says_that_there_is_nothing(typed: Type) -> None:
    shown = (await typed("context", "INC-1")).output.splitlines()
    assert shown == [
        "No alert of it names a runbook, a dashboard or a query.",
        "No past incident is like it.",
        "Alertmanager does not say what is silenced.",
    ]
    assert json.loads((await typed("context", "INC-1", "--json")).output)["links"] == []
    assert (await typed("context", "INC-9")).exit_code == 1
