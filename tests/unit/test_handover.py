"""The message of a handover: every line in its order, what keeps it from being offered, and strangers' words in it."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from incidentd import handover
from incidentd.errors import BadRequest
from incidentd.handover import Facts, HumanLine, Measured, as_markdown, as_text, draft, gaps
from incidentd.records import Records, Section, SectionName
from incidentd.roles import Role
from incidentd.updates import Audience, Promise
from tests.unit.incident_facts import RECORDS, RUN, at, hostile, live
from tests.unit.markdown_checks import HOSTILE, check

NOW = at("15:30")
WORDS = {
    SectionName.IMPACT: "40 shops cannot print labels", SectionName.HYPOTHESES: "ben reads the lock table",
    SectionName.DECISIONS: "stop the importer by 16:00, dia decides",
    SectionName.RISKS: "the night batch starts at 16:30",
    SectionName.ESCALATE_IF: "the queue passes 5000", SectionName.CALL: "room 7",
    SectionName.DASHBOARD: "https://grafana.example.org/d/mail",
}  # fmt: skip


def typed(**more: Any) -> tuple[Section, ...]:
    return tuple(
        Section(number=name.number, by="ana", at=at("15:10"), name=name, text=text, **more)
        for name, text in WORDS.items()
    )


FACTS = Facts(
    incident=live().incident,
    roles=(Role.INCIDENT_COMMANDER, Role.COMMUNICATIONS_LEAD),
    sender="ana",
    receiver="dia",
    records=replace(RECORDS, sections=typed()),
    measured=(Measured(name="alerts firing", value=3, best=2), Measured(name="queue-lag", value=812.5, best=640)),
    runs=(RUN,),
    promises={
        Audience.INTERNAL: Promise(incident_id=12, audience=Audience.INTERNAL, due_at=at("15:45")),
        Audience.EXTERNAL: Promise(incident_id=12, audience=Audience.EXTERNAL, due_at=at("15:25")),
    },
    holders={Role.INCIDENT_COMMANDER: "ana", Role.OPERATIONS_LEAD: "ben", Role.COMMUNICATIONS_LEAD: "ana"},
    on_the_way=("eli",),
    can_go=("fay", "cho"),
    external_url="https://incidentd.example.org",
    graphs=(("progress of queue-lag", "https://incidentd.example.org/incidents/INC-12/graphs/4.svg"),),
)


def test_the_message_has_every_line_in_its_order() -> None:
    assert as_text(draft(FACTS, NOW)).split("\n") == [
        "HANDOVER INC-12 Mail queue grows — Incident Commander and Communications Lead: ana -> dia"
        "    SEV2, investigating, 50m",
        "NOW: impact 40 shops cannot print labels; trend worse "
        "(alerts firing 3 vs best 2; queue-lag 812.5 vs best 640)",
        "CHANGED IN PRODUCTION AND STILL IN PLACE: "
        "C2 drain-queue on mail/worker-1, by drain-queue, to undo: not known yet",
        "TRIED AND OUTCOME:",
        "- drain-queue on mail/worker-1 -> ran, and its verification failed (the queue did not shrink)",
        "- T1 count what waits (ben) -> done: none is left",
        "- C1 rate limit off -> undone",
        "HYPOTHESES:",
        "- H1 a worker holds the lock — supported, confidence high",
        "- H2 the disk is full — refuted, confidence low",
        "- ben reads the lock table",
        "RUNNING: T2 put the limit back — dia — due 15:25:00 UTC, overdue, not acknowledged",
        "DECISIONS WAITING:",
        "- D2 stop the newsletter by 15:17:00 UTC, ben decides",
        "- stop the importer by 16:00, dia decides",
        "NEXT UPDATE PROMISED: internal 15:45:00 UTC, external 15:25:00 UTC (overdue)",
        "RISKS NEXT 2 h: the night batch starts at 16:30; escalate if the queue passes 5000",
        "PEOPLE: IC ana OL ben CL ana; on the way: eli; can be released: fay, cho",
        "WHERE:",
        "- call room 7",
        "- dashboard https://grafana.example.org/d/mail",
        "- document https://incidentd.example.org/incidents/INC-12",
        "- graph: progress of queue-lag https://incidentd.example.org/incidents/INC-12/graphs/4.svg",
    ]


def test_what_is_not_known_is_said_so_and_never_left_out() -> None:
    bare = Facts(incident=live().incident, roles=(Role.INCIDENT_COMMANDER,), sender="ana")
    names = [line.partition(":")[0] for line in as_text(draft(bare, NOW)).split("\n")[1:]]
    assert names == [
        "NOW", "CHANGED IN PRODUCTION AND STILL IN PLACE", "TRIED AND OUTCOME", "HYPOTHESES", "RUNNING",
        "DECISIONS WAITING", "NEXT UPDATE PROMISED", "RISKS NEXT 2 h", "PEOPLE", "WHERE",
    ]  # fmt: skip
    assert "NEXT UPDATE PROMISED: internal nothing promised, external nothing promised" in as_text(draft(bare, NOW))


def test_every_human_line_that_is_missing_is_named_with_how_it_is_filled() -> None:
    bare = replace(FACTS, records=Records(), measured=())
    assert [gap.line for gap in gaps(bare, NOW)] == list(HumanLine)
    assert gaps(FACTS, NOW) == ()
    for line in set(HumanLine) - {HumanLine.TREND}:
        without = tuple(one for one in typed() if one.name is not line.section)
        kept = replace(RECORDS, sections=without, hypotheses=(), decisions=())
        assert {gap.line for gap in gaps(replace(FACTS, records=kept), NOW)} >= {line}
    said = handover.refusal(bare, gaps(bare, NOW))
    for option in ("--now", "--trend", "--hypotheses", "--decisions", "--risks", "--escalate-if"):
        assert f"{option} '" in said
    assert "incidentd handover INC-12 ic,cl dia --now '...'" in said


def test_what_was_said_half_an_hour_ago_is_said_anew() -> None:
    assert gaps(FACTS, at("15:40")) == ()
    old = gaps(FACTS, at("15:43"))
    # hypothesis H2 is of 15:03, proposal D2 of 15:12
    assert [gap.line for gap in old] == [
        HumanLine.NOW, HumanLine.HYPOTHESES, HumanLine.DECISIONS, HumanLine.RISKS, HumanLine.ESCALATE_IF
    ]  # fmt: skip
    assert "was said 33m ago, say it anew" in old[0].why


@pytest.mark.parametrize(
    ("value", "best", "higher", "trend"),
    [
        (2, 3, False, "better"), (3, 3, False, "same"), (0, 0, False, "same"), (4, 3, False, "worse"),
        (105, 100, False, "same"), (4, 3, True, "better"), (2, 3, True, "worse"), (-2, -1, False, "better"),
    ],
)  # fmt: skip
def test_the_trend_is_read_from_the_figure(value: float, best: float, higher: bool, trend: str) -> None:
    assert Measured(name="x", value=value, best=best, higher=higher).trend == trend


def test_a_person_knows_the_trend_better_for_half_an_hour() -> None:
    said = Section(number=7, by="ana", at=at("15:10"), name=SectionName.TREND, text="better")
    facts = replace(FACTS, records=replace(RECORDS, sections=(*typed(), said)))
    assert "trend better (alerts firing 3 vs best 2" in as_text(draft(facts, NOW))
    assert "trend worse (alerts firing 3 vs best 2" in as_text(draft(facts, at("15:41")))
    assert handover.trend_of(" Worse ") == "worse"
    with pytest.raises(BadRequest, match="one of better, same, worse"):
        handover.trend_of("so so")


@pytest.mark.parametrize("value", [*HOSTILE, "a\nHYPOTHESES: x\x1b[2J"])
def test_strangers_words_stay_words(value: str) -> None:
    story = hostile(value)
    people = dict.fromkeys(FACTS.holders, value)
    facts = replace(
        FACTS, incident=story.incident, records=story.records, runs=story.runs, sender=value, receiver=value,
        holders=people, on_the_way=(value,), can_go=(value,), graphs=((value, value),), channels=(value,),
        measured=(Measured(name=value, value=1, best=2),),
    )  # fmt: skip
    message = draft(facts, NOW)
    text = as_text(message)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", text)
    assert len([line for line in text.split("\n") if line.startswith("HYPOTHESES")]) == 1
    check(as_markdown(message))


def test_a_flood_is_cut_and_counted() -> None:
    many = tuple(replace(RECORDS.hypotheses[0], number=number) for number in range(1, 41))
    text = as_text(draft(replace(FACTS, records=replace(RECORDS, hypotheses=many)), NOW))
    assert "- 20 before these, see the document" in text
    assert "H40" in text
    assert "H20 " not in text


def test_an_accepted_one_leaves_its_sender_as_observer_for_a_quarter_of_an_hour() -> None:
    one = handover.Handover(
        id=3, incident_id=12, roles=FACTS.roles, sender="ana", receiver="dia", message=draft(FACTS, NOW),
        offered_by="ana", offered_at=NOW, answer_by=NOW + timedelta(minutes=10),
    )  # fmt: skip
    assert (one.key, one.observer_until) == ("HO-3", None)
    done = replace(one, state=handover.State.ACCEPTED, ended_at=NOW)
    assert done.observer_until == at("15:45")
    assert re.fullmatch("Incident Commander and Communications Lead", handover.titles(one.roles))
