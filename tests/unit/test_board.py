"""The working surfaces: what is due next, in one list sorted by time, and what each role sees."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from incidentd.board import Board, Due, Known, Surface, board, due
from incidentd.incidents import Status
from incidentd.pages import PageState
from incidentd.playbooks import RunState
from incidentd.records import Choice, Criterion, Records
from incidentd.roles import Assignment, Role
from tests.unit import incident_facts as story

NOW = story.at("15:20")
KNOWN = Known(
    incident=story.live().incident,
    records=story.RECORDS,
    pages=(replace(story.PAGE, state=PageState.OPEN, acked_at=None, acked_by="", started_at=story.at("15:18")),),
    runs=(replace(story.RUN, state=RunState.VERIFYING, ends_at=story.at("15:22"), finished_at=None),),
    firing=1,
    alerts=2,
    others=(Due(at=story.at("15:21"), kind="update", id="internal", what="promised update", who="cho"),),
)


def seen(whose: Surface, known: Known = KNOWN) -> Board:
    return board(known, whose, NOW)


def test_what_is_due_next_is_one_list_sorted_by_time_and_what_has_no_time_comes_last() -> None:
    due = seen(Surface.IC).due
    assert [(one.kind, one.id, one.at and f"{one.at:%H:%M}", one.overdue) for one in due] == [
        ("decision", "D2", "15:17", True),
        ("update", "internal", "15:21", False),
        ("run", "RUN-3", "15:22", False),
        ("page", "PAGE-9", "15:23", False),
        ("task", "T2", "15:25", False),
        ("summary", "INC-12", "16:10", False),
        ("criterion", "X3", None, False),
    ]
    assert {one.kind: one.who for one in due}["summary"] == "ana", "the commander holds what is not delegated"


def test_a_run_that_waits_for_approval_is_due_of_whoever_leads_the_operations() -> None:
    waits = replace(story.RUN, state=RunState.PROPOSED, ends_at=None, finished_at=None)
    [one] = [it for it in seen(Surface.OL, replace(KNOWN, runs=(waits,))).due if it.kind == "run"]
    assert (one.at, one.who) == (None, "ben")
    assert one.what == f"let {waits.playbook} run on {waits.target}, or stop it"


def test_each_role_sees_its_own_business() -> None:
    ic, ol, cl = (seen(whose) for whose in Surface)
    assert (ic.holder, ol.holder, cl.holder) == ("ana", "ben", "ana")
    assert ic.vacant == ("cl",)
    assert [page.key for page in ic.unanswered] == ["PAGE-9"]
    assert ([one.key for one in ic.decisions], len(ic.criteria), ic.tasks) == (["D2"], 3, ())
    assert (ol.firing, ol.alerts, [run.key for run in ol.runs]) == (1, 2, ["RUN-3"])
    assert ([one.key for one in ol.tasks], [one.key for one in ol.changes]) == (["T2"], ["C2"])
    assert (cl.sections, cl.changes, cl.unanswered) == (story.RECORDS.sections, (), ())
    assert ic.age == timedelta(minutes=40)


def test_an_objection_takes_the_time_from_a_proposal_and_a_young_incident_owes_its_first_summary() -> None:
    objected = replace(story.RECORDS.decisions[0], state=Choice.PROPOSED)
    known = Known(incident=story.live(roles=()).incident, records=Records(decisions=(objected,)))
    summary, decision = seen(Surface.CL, known).due
    assert (summary.kind, summary.at, summary.overdue, summary.who) == ("summary", story.at("14:55"), True, "")
    assert (decision.at, decision.who) == (None, "ana")
    assert seen(Surface.CL, known).vacant == ()
    assert seen(Surface.IC, known).vacant == ("ic", "ol", "cl")


def test_nothing_is_due_once_it_is_over() -> None:
    over = replace(KNOWN, incident=replace(KNOWN.incident, status=Status.RESOLVED))
    assert seen(Surface.IC, over).due == ()
    criteria = (Criterion(number=1, by="ana", at=NOW, text="x"),)
    assert board(replace(over, records=Records(criteria=criteria)), Surface.IC, NOW).criteria == criteria
    assert {surface.role for surface in Surface} <= set(Role)


def test_a_new_communications_lead_owes_a_summary_soon() -> None:
    known = Known(incident=story.live().incident, records=story.RECORDS)
    cl = Assignment(role=Role.COMMUNICATIONS_LEAD, person="fay", since=story.at("15:20"))
    taken = replace(known, incident=replace(known.incident, roles=(*known.incident.roles, cl)))

    def summary(it: Known) -> datetime | None:
        return next(one.at for one in due(it, story.at("15:30")) if one.kind == "summary")

    assert summary(known) == story.at("16:10")
    assert summary(taken) == story.at("15:35")
