"""The moves of an incident as the process has them, typed off by hand: who may make each, and that there are no others.

What is expected here is read nowhere from the table that it judges. Nine states, 25 moves; each of the 56 other pairs
is refused whoever asks, with what is allowed instead.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest

from incidentd.errors import BadRequest, Conflict, NotAllowed
from incidentd.incidents import ACTIVE, SYSTEM, TABLE, Incident, Known, StandDown, Standing, Status, move
from incidentd.roles import Assignment, Role
from tests.unit.test_incidents import INCIDENT, MINUTE, NOW

STATES = (
    "declared", "investigating", "identified", "mitigated", "resolved", "postmortem", "closed", "stood_down", "merged",
)  # fmt: skip
MOVES = """
    declared       investigating  responder, system
    declared       merged         IC of either, on-call
    declared       mitigated      system
    declared       stood_down     IC, on-call while there is no IC
    investigating  identified     OL, IC
    investigating  merged         IC of either, on-call
    investigating  mitigated      OL, IC, system
    investigating  resolved       IC
    investigating  stood_down     IC, on-call while there is no IC
    identified     investigating  OL, IC
    identified     merged         IC of either, on-call
    identified     mitigated      OL, IC, system
    identified     resolved       IC
    identified     stood_down     IC, on-call while there is no IC
    mitigated      investigating  responder, system
    mitigated      merged         IC of either, on-call
    mitigated      resolved       IC, OL when no IC, system for sev3 and sev4
    mitigated      stood_down     IC, on-call while there is no IC
    resolved       closed         IC, manager
    resolved       investigating  responder, system
    resolved       postmortem     system
    postmortem     closed         system
    postmortem     investigating  responder, system
    stood_down     investigating  responder, system
    merged         investigating  IC of survivor
"""
"""What follows what, and who may. An alert takes up again by itself what has a postmortem by now, too: what is resolved
has one at once, and is taken up for an hour."""

ROWS = {(words[0], words[1]): words[2] for words in (line.split(maxsplit=2) for line in MOVES.split("\n") if line)}
PAIRS = list(product(STATES, STATES))

IC = Standing(name="ana")
OL = Standing(name="ben")
IC_OF_THE_OTHER = Standing(name="cho", commands_other=True)
ON_CALL = Standing(name="eli", on_call=True)
RESPONDER = Standing(name="fay")
MANAGER = Standing(name="dia", manager=True)
EVERYBODY = (IC, OL, IC_OF_THE_OTHER, ON_CALL, RESPONDER, MANAGER, SYSTEM)

WELL = Known(
    rank=3, cause="the disk is full", code=StandDown.FALSE_POSITIVE, waived="seen before", published=True,
    postmortem_required=True,
)  # fmt: skip
"""Nothing is missing: only who asks is left to decide."""
COMMANDED = INCIDENT
LED = replace(INCIDENT, roles=(Assignment(role=Role.OPERATIONS_LEAD, person="ben", since=NOW),))
"""Nobody commands, ben leads operations."""
NOBODYS = replace(INCIDENT, roles=())

MAY_WITH_A_COMMANDER = {
    "responder, system": {"ana", "ben", "cho", "eli", "fay", "dia", "incidentd"},
    "IC of either, on-call": {"ana", "cho", "eli", "dia"},
    "system": {"incidentd"},
    "IC, on-call while there is no IC": {"ana", "dia"},
    "OL, IC": {"ana", "ben", "dia"},
    "OL, IC, system": {"ana", "ben", "dia", "incidentd"},
    "IC": {"ana", "dia"},
    "IC, OL when no IC, system for sev3 and sev4": {"ana", "dia", "incidentd"},
    "IC, manager": {"ana", "dia"},
    "IC of survivor": {"cho", "dia"},
}
"""Who of EVERYBODY may, while ana commands and ben leads operations. A manager may whatever a person may."""
MAY_WITHOUT = {
    "responder, system": {"ana", "ben", "cho", "eli", "fay", "dia", "incidentd"},
    "IC of either, on-call": {"cho", "eli", "dia"},
    "system": {"incidentd"},
    "IC, on-call while there is no IC": {"eli", "dia"},
    "OL, IC": {"ben", "eli", "dia"},
    "OL, IC, system": {"ben", "eli", "dia", "incidentd"},
    "IC": {"eli", "dia"},
    "IC, OL when no IC, system for sev3 and sev4": {"ben", "eli", "dia", "incidentd"},
    "IC, manager": {"eli", "dia"},
    "IC of survivor": {"cho", "dia"},
}
"""Who may while nobody commands and ben leads operations: whoever is on call stands in for the commander."""


def at(status: str, incident: Incident) -> Incident:
    active = status in ("declared", "investigating", "identified", "mitigated")
    return replace(incident, status=Status(status), ended_at=None if active else NOW)


def who_may(incident: Incident, to: str) -> set[str]:
    """Try it as each of them."""
    found = set()
    for who in EVERYBODY:
        try:
            moved = move(incident, Status(to), NOW, who=who, known=WELL)
        except NotAllowed:
            continue
        assert moved.status == to
        found.add(who.name)
    return found


def test_the_states_and_moves_are_those_of_the_process() -> None:
    assert sorted(STATES) == sorted(Status)
    assert len(ROWS) == 25
    assert {(row.source.value, row.to.value) for row in TABLE} == set(ROWS)
    assert {it.value for it in ACTIVE} == {"declared", "investigating", "identified", "mitigated"}


@pytest.mark.parametrize("pair", ROWS, ids="-".join)
def test_whom_the_process_names_may_make_a_move_and_nobody_else(pair: tuple[str, str]) -> None:
    source, to = pair
    assert who_may(at(source, COMMANDED), to) == MAY_WITH_A_COMMANDER[ROWS[pair]]
    assert who_may(at(source, LED), to) == MAY_WITHOUT[ROWS[pair]]


@pytest.mark.parametrize("pair", [pair for pair in PAIRS if pair not in ROWS], ids="-".join)
def test_no_other_move_is_made_by_anybody_and_the_refusal_names_those_that_are_allowed(pair: tuple[str, str]) -> None:
    source, to = pair
    allowed = {there for here, there in ROWS if here == source}
    for incident, who in product((COMMANDED, LED, NOBODYS), EVERYBODY):
        with pytest.raises(Conflict) as said:
            move(at(source, incident), Status(to), NOW, who=who, known=WELL)
        head, _, listed = str(said.value).removesuffix(")").partition(" (allowed from here: ")
        assert head == f"INC-12 is {source}; it cannot become {to}"
        assert set(listed.split(", ")) == (allowed or {"none"})


@pytest.mark.parametrize("rank", [1, 2, 3, 4])
def test_the_system_resolves_sev3_and_sev4_and_never_what_is_worse(rank: int) -> None:
    known = replace(WELL, rank=rank)
    if rank > 2:
        assert move(at("mitigated", COMMANDED), Status.RESOLVED, NOW, known=known).status is Status.RESOLVED
    else:
        with pytest.raises(Conflict, match="only a person resolves it"):
            move(at("mitigated", COMMANDED), Status.RESOLVED, NOW, known=known)
    for source in ("declared", "investigating", "identified"):  # and nothing at once
        with pytest.raises((Conflict, NotAllowed)):
            move(at(source, COMMANDED), Status.RESOLVED, NOW, known=known)


@pytest.mark.parametrize("source", ["declared", "investigating", "identified", "mitigated"])
def test_nobody_stands_down_without_a_reason_code_not_even_a_manager(source: str) -> None:
    for who in (IC, MANAGER):
        with pytest.raises(BadRequest, match="false_positive, no_customer_impact, self_recovered, duplicate"):
            move(at(source, COMMANDED), Status.STOOD_DOWN, NOW, who=who, known=replace(WELL, code=None))
    for code in StandDown:
        down = move(at(source, COMMANDED), Status.STOOD_DOWN, NOW, who=IC, known=replace(WELL, code=code))
        assert (down.stand_down, down.ended_at) == (code, NOW)
        assert all(one.until is not None for one in down.roles), "roles are released"


@pytest.mark.parametrize("rank", [1, 2, 3, 4])
def test_a_waiver_has_a_reason_and_of_what_is_serious_only_a_manager_gives_it(rank: int) -> None:
    resolved = at("resolved", COMMANDED)
    for who in (IC, MANAGER):
        with pytest.raises(Conflict, match="waiver needs a reason"):
            move(resolved, Status.CLOSED, NOW, who=who, known=replace(WELL, rank=rank, waived=""))
    known = replace(WELL, rank=rank)
    assert move(resolved, Status.CLOSED, NOW, who=MANAGER, known=known).status is Status.CLOSED
    if rank > 2:
        assert move(resolved, Status.CLOSED, NOW, who=IC, known=known).status is Status.CLOSED
    else:
        with pytest.raises(NotAllowed, match="manager"):
            move(resolved, Status.CLOSED, NOW, who=IC, known=known)
    left = replace(known, in_place=("limit raised",))
    with pytest.raises(Conflict, match="limit raised"):
        move(resolved, Status.CLOSED, NOW, who=MANAGER, known=left)


@pytest.mark.parametrize(
    ("source", "who", "longest"),
    [
        ("resolved", SYSTEM, 60 * MINUTE), ("resolved", RESPONDER, 24 * 60 * MINUTE),
        ("postmortem", SYSTEM, 60 * MINUTE), ("postmortem", RESPONDER, 24 * 60 * MINUTE),
        ("stood_down", SYSTEM, 24 * 60 * MINUTE), ("stood_down", RESPONDER, 24 * 60 * MINUTE),
        ("merged", IC_OF_THE_OTHER, 24 * 60 * MINUTE),
    ],
)  # fmt: skip
def test_what_is_over_is_taken_up_within_its_window(source: str, who: Standing, longest: timedelta) -> None:
    last = NOW + longest
    assert move(at(source, COMMANDED), Status.INVESTIGATING, last, who=who).status is Status.INVESTIGATING
    with pytest.raises(Conflict, match="Declare a new incident"):
        move(at(source, COMMANDED), Status.INVESTIGATING, last + MINUTE / 60, who=who)


def test_a_move_grows_the_version_by_one_and_a_refusal_leaves_everything_as_it_is() -> None:
    for source, to in ROWS:
        incident = at(source, COMMANDED)
        before = repr(incident)
        who = next(one for one in EVERYBODY if one.name in MAY_WITH_A_COMMANDER[ROWS[source, to]])
        assert move(incident, Status(to), NOW, who=who, known=WELL).version == incident.version + 1
        assert repr(incident) == before
