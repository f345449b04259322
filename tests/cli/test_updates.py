"""`update`, `updates`, `approve-update` and `cadence` against a running daemon."""

from dataclasses import replace
from pathlib import Path

import pytest

from incidentd.updates import CADENCES, Audience, AudiencePlan, UpdateSettings
from tests.cli.conftest import Type
from tests.engine.world import roster
from tests.web.small_house import SmallHouse

PLANS = {name: AudiencePlan(cadences=CADENCES[name], approval=name is Audience.EXTERNAL) for name in Audience}


@pytest.fixture(autouse=True)
def with_audiences(house: SmallHouse) -> None:
    house.settings = replace(house.settings, updates=UpdateSettings(audiences=PLANS), roster=roster("ana"))


async def test_updates_are_drafted_sent_skipped_and_listed(typed: Type, tmp_path: Path) -> None:
    declared = await typed("declare", "--title", "Checkout is down", "--severity", "sev1", "--by", "ana")
    assert declared.exit_code == 0
    draft = await typed("update", "INC-1", "--draft", "--audience", "external")
    assert "we detected a problem with one of our services. [say: who is affected, and how]." in draft.output
    refused = await typed("update", "INC-1", "--by", "ana")
    assert (refused.exit_code, "fill this in" in refused.output) == (1, True)

    (tmp_path / "text").write_text("Cause unknown; an outage.")
    sent = await typed("update", "INC-1", "--audience", "external", "--text", str(tmp_path / "text"), "--by", "ana")
    assert sent.output.startswith("UPD-1 is sent to external; the next one is promised by ")
    assert "look at 1:19: outage: say what does not work" in sent.output
    skipped = await typed("update", "INC-1", "--skip", "nothing new", "--next", "10m", "--by", "ana")
    assert skipped.output.startswith("internal is not told this time; the next one is promised by ")
    listed = await typed("updates", "INC-1")
    assert "external  sent  ana: Cause unknown; an outage." in listed.output
    assert (await typed("approve-update", "UPD-1", "--by", "ana")).exit_code == 1
    faster = await typed("cadence", "INC-1", "--every", "5m", "--reason", "asked for", "--by", "ana")
    assert faster.output.startswith("internal: the next update is due at ")


@pytest.mark.parametrize(
    "words",
    [("update", "INC-1", "--draft", "--skip", "x"), ("update", "INC-1", "--audience", "all"), ("cadence", "INC-1")],
)
async def test_words_that_do_not_go_together_are_refused(typed: Type, words: tuple[str, ...]) -> None:
    assert (await typed(*words)).exit_code == 2
