"""`channel` against a running daemon."""

from dataclasses import replace

import pytest

from incidentd.oncall import Channel, ChannelKind
from incidentd.redaction import Secret
from tests.cli.conftest import Type
from tests.engine.world import roster
from tests.web.small_house import SmallHouse


async def test_a_channel_is_added_listed_and_removed(typed: Type, house: SmallHouse) -> None:
    room = Channel(name="ops", kind=ChannelKind.CHAT, url=Secret("json://127.0.0.1:9/ops"))
    house.settings = replace(house.settings, channels={"ops": room}, roster=roster("ana"))
    await typed("declare", "--title", "Checkout is down", "--severity", "sev1", "--by", "ana")
    assert (await typed("channel", "INC-1", "list")).output == "No channel follows INC-1.\n"
    assert (await typed("channel", "INC-1", "add", "ops", "--by", "ana")).output == "ops follows INC-1 from here on\n"
    listed = (await typed("channel", "INC-1", "list")).output.splitlines()
    assert listed[1].split() == ["ops", "follows", "ana", "0"]
    assert '"told_to": 0' in (await typed("channel", "INC-1", "list", "--json")).output
    assert (await typed("channel", "INC-1", "remove", "ops", "--by", "ana")).output == "ops follows INC-1 no more\n"
    assert "removed" in (await typed("channel", "INC-1", "list")).output
    refused = await typed("channel", "INC-1", "add", "opps", "--by", "ana")
    assert (refused.exit_code, "there are: ops" in refused.output) == (1, True)


@pytest.mark.parametrize("words", [("INC-1", "add"), ("INC-1", "list", "ops"), ("INC-1", "paint", "ops"), ("INC-1",)])
async def test_words_that_do_not_go_together_are_refused(typed: Type, words: tuple[str, ...]) -> None:
    assert (await typed("channel", *words)).exit_code == 2
