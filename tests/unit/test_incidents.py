"""The table of an incident's moves: every row, every refused pair, who may, what must hold, and its clocks."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from incidentd import incidents
from incidentd.errors import BadRequest, Conflict, IncidentdError, NotAllowed
from incidentd.incidents import (
    ACTIVE,
    MOVES,
    SYSTEM,
    TABLE,
    Incident,
    Known,
    StandDown,
    Standing,
    Status,
    Transition,
    Trigger,
    Who,
    move,
)
from incidentd.roles import Assignment, Role

NOW = datetime(2026, 11, 24, 14, 0, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
RANKS = {"sev1": 1, "sev2": 2, "sev3": 3, "sev4": 4}
ANA, BEN, CHO = (Standing(name=name) for name in ("ana", "ben", "cho"))
MANAGER = Standing(name="dia", manager=True)
ON_CALL = Standing(name="eli", on_call=True)

INCIDENT = Incident(
    id=12, title="Checkout is down", status=Status.DECLARED, severity="sev3", declared_severity="sev3",
    peak_severity="sev3", urgency="urgent", trigger=Trigger.MANUAL, reason="Declared by ana.",
    impact_started_at=NOW - 30 * MINUTE, detected_at=NOW - 20 * MINUTE, declared_at=NOW - 10 * MINUTE,
    declared_by="ana",
    roles=(
        Assignment(role=Role.INCIDENT_COMMANDER, person="ana", since=NOW),
        Assignment(role=Role.OPERATIONS_LEAD, person="ben", since=NOW),
    ),
)  # fmt: skip
WELL = Known(
    rank=3, cause="the disk is full", code=StandDown.FALSE_POSITIVE, waived="seen before", published=True,
    postmortem_required=True,
)  # fmt: skip
HEADLESS = replace(INCIDENT, roles=())


def at(status: Status, incident: Incident = INCIDENT) -> Incident:
    return replace(incident, status=status, ended_at=None if status in ACTIVE else NOW)


def name(row: Transition) -> str:
    return f"{row.source}-{row.to}"


def somebody_who_may(row: Transition) -> Standing:
    return SYSTEM if Who.SYSTEM in row.who else replace(ANA, commands_other=True)


def test_the_table_has_25_moves_and_every_state_is_reached() -> None:
    assert len(TABLE) == len(MOVES) == 25
    assert {row.to for row in TABLE} | {Status.DECLARED} == set(Status)
    assert {row.source for row in TABLE} == set(Status) - {Status.CLOSED}


@pytest.mark.parametrize("row", TABLE, ids=name)
def test_a_row_lets_those_move_whom_it_names_and_nobody_else(row: Transition) -> None:
    incident = at(row.source)
    moved = move(incident, row.to, NOW, who=somebody_who_may(row), known=WELL)
    assert (moved.status, moved.version) == (row.to, incident.version + 1)

    other = Standing(name="fay")
    if Who.RESPONDER not in row.who:
        with pytest.raises(NotAllowed, match="fay may not"):
            move(incident, row.to, NOW, who=other, known=WELL)
    if row.who == (Who.SYSTEM,):
        with pytest.raises(NotAllowed):
            move(incident, row.to, NOW, who=MANAGER, known=WELL)
    else:
        assert move(incident, row.to, NOW, who=MANAGER, known=WELL).status is row.to
        nobody_configured = replace(other, counts=False)
        assert move(incident, row.to, NOW, who=nobody_configured, known=WELL).status is row.to
    if Who.SYSTEM not in row.who:
        with pytest.raises(NotAllowed):
            move(incident, row.to, NOW, known=WELL)


def test_every_pair_that_the_table_does_not_list_is_refused_with_what_is_allowed() -> None:
    refused = [pair for pair in product(Status, Status) if pair not in MOVES]
    assert len(refused) == 81 - 25
    for source, to in refused:
        with pytest.raises(Conflict) as said:
            move(at(source), to, NOW, who=MANAGER, known=WELL)
        listed = ", ".join(row.to for row in TABLE if row.source is source) or "none"
        assert str(said.value) == f"INC-12 is {source}; it cannot become {to} (allowed from here: {listed})"


@pytest.mark.parametrize(
    ("source", "to", "incident", "who", "may"),
    [
        (Status.INVESTIGATING, Status.IDENTIFIED, INCIDENT, BEN, True),
        (Status.INVESTIGATING, Status.IDENTIFIED, INCIDENT, ANA, True),
        (Status.INVESTIGATING, Status.RESOLVED, INCIDENT, BEN, False),
        (Status.MITIGATED, Status.RESOLVED, INCIDENT, BEN, False),
        (Status.INVESTIGATING, Status.STOOD_DOWN, INCIDENT, ON_CALL, False),
        (Status.INVESTIGATING, Status.STOOD_DOWN, HEADLESS, ON_CALL, True),
        (Status.INVESTIGATING, Status.MERGED, INCIDENT, ON_CALL, True),
        (Status.INVESTIGATING, Status.MERGED, INCIDENT, replace(CHO, commands_other=True), True),
        (Status.MERGED, Status.INVESTIGATING, INCIDENT, ANA, False),  # the survivor's commander gives back
        (Status.RESOLVED, Status.CLOSED, INCIDENT, ANA, True),
    ],
)
def test_standing_in_the_incident_decides(
    source: Status, to: Status, incident: Incident, who: Standing, may: bool
) -> None:
    if may:
        assert move(at(source, incident), to, NOW, who=who, known=WELL).status is to
    else:
        with pytest.raises(NotAllowed):
            move(at(source, incident), to, NOW, who=who, known=WELL)


@pytest.mark.parametrize(
    ("pair", "who", "known", "error", "says"),
    [
        ((Status.INVESTIGATING, Status.IDENTIFIED), ANA, replace(WELL, cause=""), BadRequest, "what contributed"),
        ((Status.DECLARED, Status.STOOD_DOWN), ANA, replace(WELL, code=None), BadRequest, "false_positive"),
        ((Status.MITIGATED, Status.RESOLVED), SYSTEM, replace(WELL, rank=2), Conflict, "only a person"),
        (
            (Status.MITIGATED, Status.RESOLVED), ANA, replace(WELL, waived="", open_criteria=("queue empty",)),
            Conflict, "queue empty",
        ),
        ((Status.RESOLVED, Status.CLOSED), ANA, replace(WELL, waived=""), Conflict, "waiver needs a reason"),
        ((Status.RESOLVED, Status.CLOSED), ANA, replace(WELL, rank=2), NotAllowed, "manager only"),
        ((Status.RESOLVED, Status.CLOSED), ANA, replace(WELL, in_place=("limit raised",)), Conflict, "limit raised"),
        ((Status.RESOLVED, Status.POSTMORTEM), SYSTEM, replace(WELL, postmortem_required=False), Conflict, "needs no"),
        ((Status.POSTMORTEM, Status.CLOSED), SYSTEM, replace(WELL, published=False), Conflict, "not published"),
        ((Status.POSTMORTEM, Status.CLOSED), SYSTEM, replace(WELL, unfiled=("AI-3",)), Conflict, "AI-3"),
    ],
)  # fmt: skip
def test_a_guard_says_what_is_missing(
    pair: tuple[Status, Status], who: Standing, known: Known, error: type[IncidentdError], says: str
) -> None:
    source, to = pair
    with pytest.raises(error, match=says):
        move(at(source), to, NOW, who=who, known=known)


@pytest.mark.parametrize(
    ("source", "who", "after", "may"),
    [
        (Status.RESOLVED, SYSTEM, 60 * MINUTE, True),
        (Status.RESOLVED, SYSTEM, 61 * MINUTE, False),
        (Status.POSTMORTEM, ANA, 24 * HOUR, True),
        (Status.POSTMORTEM, ANA, 25 * HOUR, False),
        (Status.STOOD_DOWN, SYSTEM, 24 * HOUR, True),
        (Status.STOOD_DOWN, ANA, 25 * HOUR, False),
        (Status.MERGED, MANAGER, 25 * HOUR, False),
    ],
)
def test_what_is_over_comes_back_within_its_window_only(
    source: Status, who: Standing, after: timedelta, may: bool
) -> None:
    incident = at(source)
    assert incidents.reopens_alone(incident, NOW + after) is (may and who == SYSTEM)
    if may:
        back = move(incident, Status.INVESTIGATING, NOW + after, who=who)
        assert (back.reopened, back.ended_at, back.resolved_at) == (1, None, None)
    else:
        with pytest.raises(Conflict, match="Declare a new incident"):
            move(incident, Status.INVESTIGATING, NOW + after, who=who)


def test_moves_stamp_their_clocks_and_the_way_back_clears_them() -> None:
    seen = move(INCIDENT, Status.INVESTIGATING, NOW)
    named = move(seen, Status.IDENTIFIED, NOW + MINUTE, who=ANA, known=WELL)
    stopped = move(named, Status.MITIGATED, NOW + 2 * MINUTE)
    over = move(stopped, Status.RESOLVED, NOW + 3 * MINUTE, who=ANA, known=WELL)
    assert (over.acknowledged_at, over.identified_at) == (NOW, NOW + MINUTE)
    assert (over.mitigated_at, over.resolved_at, over.ended_at) == (NOW + 2 * MINUTE, *[NOW + 3 * MINUTE] * 2)
    assert over.cause == "the disk is full"

    refuted = move(named, Status.INVESTIGATING, NOW + 2 * MINUTE, who=BEN)
    assert (refuted.identified_at, refuted.cause) == (None, "")
    at_once = move(seen, Status.RESOLVED, NOW + MINUTE, who=ANA, known=WELL)
    assert at_once.mitigated_at == at_once.resolved_at == NOW + MINUTE
    down = move(seen, Status.STOOD_DOWN, NOW + MINUTE, who=ANA, known=WELL)
    assert (down.commander, down.stand_down) == ("", StandDown.FALSE_POSITIVE)


def test_a_correction_keeps_what_was_recorded_and_the_order_of_instants() -> None:
    seen = move(INCIDENT, Status.INVESTIGATING, NOW)
    earlier = NOW - 2 * HOUR
    fixed = incidents.correct(seen, {"impact_started_at": earlier}, by="ana", now=NOW)
    assert fixed.impact_started_at == earlier
    [entry] = fixed.corrections
    assert (entry.recorded, entry.entered_by, entry.entered_at) == (INCIDENT.impact_started_at, "ana", NOW)

    both = {"detected_at": NOW - HOUR, "impact_started_at": NOW - 61 * MINUTE}
    assert len(incidents.correct(seen, both, by="ana", now=NOW).corrections) == 2
    for times, error in (
        ({"detected_at": NOW - 40 * MINUTE}, Conflict),  # before the impact
        ({"impact_started_at": NOW + MINUTE}, BadRequest),
        ({"mitigated_at": NOW}, Conflict),  # nothing recorded it
        ({"version": NOW}, BadRequest),
    ):
        with pytest.raises(error):
            incidents.correct(seen, times, by="ana", now=NOW)


def test_severity_falls_by_its_commander_and_with_a_reason_and_the_peak_stays() -> None:
    worse = incidents.change_severity(INCIDENT, "sev1", RANKS, NOW, who=SYSTEM, reason="")
    assert (worse.severity, worse.peak_severity) == ("sev1", "sev1")
    better = incidents.change_severity(worse, "sev2", RANKS, NOW, who=ANA, reason="one region only")
    assert (better.severity, better.peak_severity, better.declared_severity) == ("sev2", "sev1", "sev3")
    assert [(one.was, one.to) for one in better.severity_changes] == [("sev3", "sev1"), ("sev1", "sev2")]

    for who, reason, error in ((SYSTEM, "x", Conflict), (BEN, "x", NotAllowed), (ANA, "", BadRequest)):
        with pytest.raises(error):
            incidents.change_severity(worse, "sev4", RANKS, NOW, who=who, reason=reason)
    with pytest.raises(Conflict, match="already"):
        incidents.change_severity(worse, "sev1", RANKS, NOW, who=ANA, reason="x")
    with pytest.raises(Conflict, match="no more"):
        incidents.change_severity(at(Status.RESOLVED), "sev1", RANKS, NOW, who=ANA, reason="x")
    assert incidents.say_final(at(Status.RESOLVED), "sev4", who=ANA).final_severity == "sev4"


def test_the_more_severe_survives_a_merge_and_else_the_older() -> None:
    young = replace(INCIDENT, id=13, declared_at=NOW)
    assert incidents.survivor_of(young, INCIDENT, RANKS) == (INCIDENT, young)
    severe = replace(young, severity="sev1")
    assert incidents.survivor_of(INCIDENT, severe, RANKS) == (severe, INCIDENT)


def test_a_merge_is_refused_that_goes_nowhere() -> None:
    other = replace(INCIDENT, id=13)
    for into, root in (
        (INCIDENT, INCIDENT),  # itself
        (other, INCIDENT),  # it is part of this one already
        (other, at(Status.RESOLVED, other)),
        (other, replace(other, drill=True)),
    ):
        with pytest.raises(Conflict):
            incidents.refuse_merge(INCIDENT, into, root=root)
    incidents.refuse_merge(INCIDENT, other, root=other)


def test_whoever_comes_second_is_told_what_changed_meanwhile() -> None:
    incidents.refuse_other_version(INCIDENT, None, "")
    incidents.refuse_other_version(INCIDENT, 1, "")
    with pytest.raises(Conflict, match=r"you saw version 3, it is 1 .*Meanwhile: ben: mitigated"):
        incidents.refuse_other_version(INCIDENT, 3, "ben: mitigated.")
