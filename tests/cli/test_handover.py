"""`handover`, `handovers`, `accept`, `decline` and `withdraw` against a running daemon."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.cli.conftest import Type
from tests.engine.world import roster
from tests.web.small_house import SmallHouse

WORDS = (
    "--now", "40 shops cannot pay", "--trend", "worse", "--hypotheses", "none yet", "--decisions", "none",
    "--risks", "the night batch", "--escalate-if", "more than 100 shops",
)  # fmt: skip


@pytest.fixture(autouse=True)
def with_people(house: SmallHouse) -> None:
    house.settings = replace(house.settings, roster=roster("ana", "ben", "dia"))


async def test_a_role_is_drafted_offered_taken_back_declined_and_accepted(typed: Type) -> None:
    await typed("declare", "--title", "Checkout is down", "--severity", "sev1", "--by", "ana")
    draft = await typed("handover", "INC-1", "--now", "40 shops cannot pay", "--by", "ana")
    assert "NOW: impact 40 shops cannot pay" in draft.output
    assert "missing: the trend is empty: --trend 'better, same or worse'" in draft.output
    refused = await typed("handover", "INC-1", "ic", "dia", "--by", "ana")
    assert (refused.exit_code, "RISKS NEXT 2 h is empty: --risks" in refused.output) == (1, True)
    offered = await typed("handover", "INC-1", "ic,cl", "dia", *WORDS, "--by", "ana")
    assert offered.output.startswith("HO-1: ic, cl of INC-1 is offered to dia, who answers by ")
    taken = await typed("withdraw", "HO-1", "--because", "not yet", "--by", "ana")
    assert taken.output == "HO-1 is taken back\n"
    assert (await typed("handover", "--all", "--to", "ben", "--by", "ana")).output.startswith("HO-2: ic of INC-1")
    said_no = await typed("decline", "HO-2", "--because", "I drive", "--by", "ben")
    assert said_no.output == "HO-2 is declined; ana is told\n"
    await typed("handover", "INC-1", "ic", "dia", "--by", "ana")
    assert (await typed("accept", "HO-3", "--by", "dia")).output == "ic of INC-1 is yours\n"
    listed = (await typed("handovers", "INC-1")).output.split("\n")
    assert [line.split("  ", 2)[0] for line in listed if line] == ["HO-3", "HO-2", "HO-1"]
    assert listed[1].endswith("ic  ana -> ben  declined: I drive")


@pytest.mark.parametrize(
    "words",
    [
        ("handover",), ("handover", "--all"), ("handover", "--all", "--to", "dia", "--now", "x"),
        ("handover", "INC-1", "--to", "dia"), ("handover", "INC-1", "ic", "dia", "--trend", "fine"), ("accept",),
    ],
)  # fmt: skip
async def test_words_that_do_not_go_together_are_refused(typed: Type, words: tuple[str, ...]) -> None:
    assert (await typed(*words)).exit_code == 2
