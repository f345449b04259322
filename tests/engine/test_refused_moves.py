"""Every command on an incident in every state: it does what the process says, or is refused and nothing changes.

What is expected is typed off from the process, state by state, and read nowhere from the table of moves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from incidentd.engine import commands, lifecycle, merging, roles
from incidentd.errors import Conflict
from incidentd.incidents import Status
from incidentd.roles import Role
from incidentd.store import Tx, chain, jobs
from tests.engine.test_lifecycle import ANA, FAY, PEOPLE
from tests.engine.world import Making, World

ALLOWED = {
    "declared": "investigating, merged, mitigated, stood_down",
    "investigating": "identified, merged, mitigated, resolved, stood_down",
    "identified": "investigating, merged, mitigated, resolved, stood_down",
    "mitigated": "investigating, merged, resolved, stood_down",
    "resolved": "closed, investigating, postmortem",
    "postmortem": "closed, investigating",
    "closed": "none",
    "stood_down": "investigating",
    "merged": "investigating",
}
COMMANDS: Mapping[str, tuple[Any, dict[str, Any]]] = {
    "investigate": (lifecycle.investigate, {}),
    "identify": (lifecycle.identify, {"cause": "the disk is full"}),
    "mitigate": (lifecycle.mitigate, {}),
    "resolve": (lifecycle.resolve, {}),
    "stand-down": (lifecycle.stand_down, {"code": "duplicate"}),
    "close": (lifecycle.close, {}),
    "reopen": (lifecycle.reopen, {"reason": "not over"}),
    "unmerge": (merging.unmerge, {}),
    "merge": (merging.merge, {"into": 2}),
}
BECOMES = {
    # whoever moves on what was only declared has it, first
    "declared": {
        "investigate": "investigating", "identify": "identified", "mitigate": "mitigated", "resolve": "resolved",
        "stand-down": "stood_down", "merge": "merged",
    },
    "investigating": {
        "identify": "identified", "mitigate": "mitigated", "resolve": "resolved", "stand-down": "stood_down",
        "merge": "merged",
    },
    "identified": {
        "investigate": "investigating", "mitigate": "mitigated", "resolve": "resolved", "stand-down": "stood_down",
        "merge": "merged",
    },
    "mitigated": {
        "investigate": "investigating", "resolve": "resolved", "stand-down": "stood_down", "merge": "merged",
    },
    "resolved": {"close": "closed", "reopen": "investigating"},
    "postmortem": {"reopen": "investigating"},
    "closed": {},
    "stood_down": {"reopen": "investigating"},
    "merged": {"unmerge": "investigating"},
}  # fmt: skip
"""What the commander's command makes of it; what is not here is refused. A postmortem closes once it is published."""
NO_ROLES = {"closed", "stood_down", "merged"}


async def brought_to(world: Making, status: str) -> World:
    """Declare INC-1, of ana, and INC-2, of fay; and bring INC-1 to a state by the moves of people."""
    w = await world(PEOPLE)
    severity = "sev1" if status == "postmortem" else "sev3"
    await w.do(commands.declare_incident, actor=ANA, title="It is slow", severity=severity)
    await w.do(commands.declare_incident, actor=FAY, title="The disk is full", severity="sev3")
    ways = {
        "declared": (), "investigating": ("investigate",), "identified": ("investigate", "identify"),
        "mitigated": ("investigate", "mitigate"), "resolved": ("resolve",), "postmortem": ("resolve",),
        "closed": ("resolve", "close"), "stood_down": ("stand-down",), "merged": ("merge",),
    }  # fmt: skip
    for word in ways[status]:
        command, how = COMMANDS[word]
        await w.do(command, 1, actor=ANA, **how)
    assert (await w.incident()).status == status
    return w


async def seen(w: World) -> Any:
    """Give all that a refusal must leave alone: both incidents, the timelines, what is to be done, what was sent."""
    return (
        await w.incident(1), await w.incident(2), await w.store.read(chain.heads), await w.store.read(_waiting),
        len(w.post.sent),
    )  # fmt: skip


def _waiting(tx: Tx) -> list[int]:
    return sorted(number for queue in jobs.QUEUES for number in jobs.due_ids(tx, queue, 1000))


@pytest.mark.parametrize("status", list(BECOMES))
async def test_what_the_process_does_not_list_is_refused_with_what_is_allowed_and_changes_nothing(
    world: Making, status: str
) -> None:
    w = await brought_to(world, status)
    before = await seen(w)
    for word in COMMANDS.keys() - BECOMES[status].keys():
        command, how = COMMANDS[word]
        actor = FAY if word == "unmerge" else ANA  # who commands the survivor
        with pytest.raises(Conflict) as said:
            await w.do(command, 1, actor=actor, **how)
        if status == "postmortem" and word == "close":
            assert str(said.value) == "the postmortem of INC-1 is not published yet"
        else:
            assert str(said.value).startswith(f"INC-1 is {status}; ")
            listed = str(said.value).partition("(allowed from here: ")[2].removesuffix(")")
            assert sorted(listed.split(", ")) == sorted(ALLOWED[status].split(", ")), word
        assert await seen(w) == before, word
    if status in NO_ROLES:
        with pytest.raises(Conflict, match="has no roles any more"):
            await w.do(roles.assign, 1, Role.OPERATIONS_LEAD, "ana", actor=ANA)
        assert await seen(w) == before


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("status", "word"), [(status, word) for status, words in BECOMES.items() for word in words])
async def test_what_the_process_lists_is_done(world: Making, status: str, word: str) -> None:
    w = await brought_to(world, status)
    version = (await w.incident()).version
    command, how = COMMANDS[word]
    await w.do(command, 1, actor=FAY if word == "unmerge" else ANA, **how)
    after = await w.incident()
    assert after.status == BECOMES[status][word]
    assert after.version > version
    if after.status is Status.INVESTIGATING and status in NO_ROLES | {"resolved", "postmortem"}:
        assert after.ended_at is None
