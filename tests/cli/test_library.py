"""`postmortem search`, `tag` and `tags`: what was learned before, on the command line."""

from __future__ import annotations

import json

from tests.cli.conftest import Type
from tests.web.small_house import SmallHouse
from tests.web.test_library import declared, publish


async def test_what_was_learned_before_is_found(house: SmallHouse, typed: Type) -> None:
    await publish(house, await declared(house))
    assert (await typed("postmortem", "search", "pool", "nowhere")).stdout == "No postmortem has all of these.\n"
    assert (await typed("postmortem", "tag", "INC-1", "cause:network:switch", "action:rollback")).stdout == (
        "INC-1 has action:rollback, cause:network:switch\n"
    )
    found = await typed("postmortem", "search", "connection", "pool", "--tag", "cause:network")
    assert found.stdout.splitlines()[0] == (
        "INC-1  Checkout fails  (sev1, published 2026-11-24, action:rollback, cause:network:switch)"
    )
    assert "The connection pool was" in found.stdout
    as_json = json.loads((await typed("postmortem", "search", "pool", "--json")).stdout)
    assert [it["incident"] for it in as_json["postmortems"]] == ["INC-1"]
    assert "TAG" in (await typed("postmortem", "tags")).stdout
    assert json.loads((await typed("postmortem", "tags", "--json")).stdout)["tags"][0]["tag"] == "action"
    removed = await typed("postmortem", "tag", "INC-1", "action:rollback", "--remove")
    assert removed.stdout == "INC-1 has cause:network:switch\n"


async def test_a_phrase_a_draft_and_mistakes(house: SmallHouse, typed: Type) -> None:
    await publish(house, await declared(house))
    assert "INC-1" in (await typed("postmortem", "search", '"connection pool"')).stdout
    assert "No postmortem" in (await typed("postmortem", "search", '"pool connection"', "--drafts")).stdout
    none = await typed("postmortem", "tag", "INC-1")
    assert (none.exit_code, "at least one tag" in none.output) == (2, True)
    odd = await typed("postmortem", "tag", "INC-1", "a b")
    assert (odd.exit_code, "is no tag" in odd.output) == (1, True)
    assert (await typed("postmortem", "tags")).stdout == "No postmortem has a tag.\n"
