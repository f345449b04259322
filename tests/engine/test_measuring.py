"""What is counted once a hold, an incident or a shift is over: toil, automation, runbooks, interruptions."""

from __future__ import annotations

from dataclasses import replace

from incidentd.engine import commands, handoff, lifecycle
from incidentd.holds import HoldState
from incidentd.incidents import Status
from incidentd.matchers import parse_matcher
from incidentd.pages import PageState
from incidentd.playbooks import Mode
from incidentd.rules import Decide, SeverityRule
from incidentd.settings import Settings
from incidentd.store import things
from incidentd.timeline import Actor
from tests.engine.test_automation import playbook, settings
from tests.engine.test_handoff import EDGE, SCHEDULE
from tests.engine.test_handoff import settings as on_call
from tests.engine.test_holds_and_incidents import SETTINGS
from tests.engine.world import Making, World, minutes, policy

ANA = Actor(name="ana", via="api")
DOWN = SeverityRule(
    name="down", match=(parse_matcher('alertname="Down"'),), decide=Decide.DECLARE, severity="sev2", urgency="urgent",
    page="default",
)  # fmt: skip


def counted(w: World, name: str, **labels: str) -> float:
    return w.metrics.registry.get_sample_value(f"incidentd_{name}", labels) or 0


def declares(**more: object) -> Settings:
    return replace(SETTINGS, rules=(DOWN, *SETTINGS.rules), **more)  # type: ignore[arg-type]


def alert(w: World, **annotations: str) -> dict[str, object]:
    return w.firing("Down") | {"annotations": annotations}


async def test_time_of_people_is_counted_from_the_answer_until_it_hurts_no_more(world: Making) -> None:
    w = await world(declares())
    await w.send(alert(w))
    await w.at(2)
    await w.do(commands.ack_page, 1, by="ana", actor=ANA)
    await w.at(12)
    await w.do(lifecycle.mitigate, 1, actor=ANA, note="rolled back")
    await w.at(60)
    await w.do(lifecycle.resolve, 1, actor=ANA, note="rolled back")
    assert counted(w, "toil_spent_seconds_total", alertname="Down", automatable="no") == 600
    assert counted(w, "pages_without_runbook_total", alertname="Down") == 1
    assert counted(w, "alerts_automatable_total", alertname="Down", handled="people") == 0


async def test_an_incident_that_is_taken_up_again_counts_its_second_part_alone(world: Making) -> None:
    w = await world(declares())
    await w.send(alert(w, automatable="true", runbook_url="https://runbooks.example.org/down"))
    await w.do(commands.ack_page, 1, by="ana", actor=ANA)
    await w.at(10)
    await w.do(lifecycle.resolve, 1, actor=ANA, note="rolled back")
    await w.at(20)
    await w.do(lifecycle.reopen, 1, actor=ANA, reason="it is back")
    await w.at(21)
    await w.do(commands.ack_page, 2, by="ana", actor=ANA)
    await w.at(26)
    await w.do(lifecycle.resolve, 1, actor=ANA, note="really")
    assert counted(w, "toil_spent_seconds_total", alertname="Down", automatable="yes") == 600 + 300
    assert counted(w, "alerts_automatable_total", alertname="Down", handled="people") == 2
    assert counted(w, "pages_without_runbook_total", alertname="Down") == 0


async def test_what_a_playbook_did_the_first_time_is_not_counted_for_the_second(world: Making) -> None:
    rule = replace(DOWN, match=(parse_matcher('alertname="WorkerStuck"'),), playbook="restart-worker")
    w = await world(replace(settings(playbook()), rules=(rule,)))
    await w.send(w.firing("WorkerStuck", instance="w-1"))
    await w.at(4)
    await w.send(w.resolved("WorkerStuck", instance="w-1"))
    await w.at(20)
    await w.do(lifecycle.resolve, 1, actor=ANA, note="it was restarted", admin=True)
    how = {"alertname": "WorkerStuck", "handled": "playbook"}
    assert counted(w, "alerts_automatable_total", **how) == 1
    await w.at(30)
    await w.do(lifecycle.reopen, 1, actor=ANA, reason="it is back", admin=True)
    for page in await w.store.read(things.pages_of, "INC-1"):
        if page.state is PageState.OPEN:
            await w.do(commands.ack_page, page.id, by="ana", actor=ANA)
    await w.at(40)
    await w.do(lifecycle.resolve, 1, actor=ANA, note="by hand", admin=True)
    assert counted(w, "alerts_automatable_total", **how) == 1
    assert counted(w, "alerts_automatable_total", alertname="WorkerStuck", handled="people") == 1
    assert counted(w, "incident_time_to_detect_seconds_count", severity="sev2") == 1


async def test_what_comes_back_and_goes_again_alone_was_answered_by_nobody(world: Making) -> None:
    w = await world(declares())
    await w.send(alert(w, automatable="true"))
    await w.at(3)
    await w.send(w.resolved("Down"))
    await w.at(20)
    assert (await w.incident()).status is Status.MITIGATED
    await w.send(alert(w, automatable="true"))
    assert (await w.incident()).status is Status.INVESTIGATING
    assert (await w.incident()).acknowledged_at is None
    await w.send(w.resolved("Down", since=20) | {"annotations": {"automatable": "true"}})
    await w.at(40)
    await w.do(lifecycle.resolve, 1, actor=ANA, note="gone", admin=True)
    assert counted(w, "alerts_automatable_total", alertname="Down", handled="people") == 0
    assert counted(w, "alerts_automatable_total", alertname="Down", handled="itself") == 1


async def test_what_nobody_touched_went_away_by_itself_and_what_was_stood_down_did_not(world: Making) -> None:
    w = await world(settings(playbook(), Mode.OFF))
    await w.send(w.firing("WorkerStuck", instance="w-1"))
    await w.at(5)
    await w.send(w.resolved("WorkerStuck", instance="w-1"))
    await w.at(10)
    assert (await w.hold()).state is HoldState.CLOSED
    await w.send(w.firing("WorkerStuck", instance="w-2"))
    await w.do(commands.stand_down_hold, 2, actor=ANA, reason="a test")
    assert counted(w, "alerts_automatable_total", alertname="WorkerStuck", handled="people") == 1
    assert counted(w, "alerts_automatable_total", alertname="WorkerStuck", handled="itself") == 1


async def test_a_drill_is_in_no_figure(world: Making) -> None:
    w = await world(declares())
    await w.do(commands.declare_incident, actor=ANA, title="A drill", severity="sev2", drill=True)
    await w.do(lifecycle.resolve, 1, actor=ANA, note="over")
    assert counted(w, "incident_time_to_detect_seconds_count", severity="sev2") == 0


async def test_detection_is_measured_when_an_incident_is_resolved(world: Making) -> None:
    w = await world(declares())
    await w.send(w.firing("Down", since=-7))
    assert counted(w, "incident_time_to_detect_seconds_count", severity="sev2") == 0
    await w.do(lifecycle.resolve, 1, actor=ANA, note="rolled back")
    assert counted(w, "incident_time_to_detect_seconds_sum", severity="sev2") == 420


async def test_what_fires_again_after_a_playbook_helped_counts_against_it(world: Making) -> None:
    w = await world(settings(playbook()))
    await w.send(w.firing("WorkerStuck", instance="w-3"))
    await w.at(4)
    await w.send(w.resolved("WorkerStuck", instance="w-3"))
    await w.at(4.5)
    await w.send(w.firing("WorkerStuck", instance="w-3"))
    assert counted(w, "playbook_regressions_total", playbook="restart-worker") == 1
    await w.at(5)
    await w.send(w.resolved("WorkerStuck", since=4.5, instance="w-3"))
    await w.at(10)
    assert (await w.hold()).state is HoldState.CLOSED
    assert counted(w, "alerts_automatable_total", alertname="WorkerStuck", handled="playbook") == 1
    await w.at(40)
    await w.send(w.firing("WorkerStuck", instance="w-3"))
    assert counted(w, "playbook_regressions_total", playbook="restart-worker") == 2


async def test_what_fires_again_much_later_is_no_fault_of_the_playbook(world: Making) -> None:
    w = await world(settings(playbook()))
    await w.send(w.firing("WorkerStuck", instance="w-3"))
    await w.at(4)
    await w.send(w.resolved("WorkerStuck", instance="w-3"))
    await w.at(90)
    await w.send(w.firing("WorkerStuck", instance="w-3"))
    assert counted(w, "playbook_regressions_total", playbook="restart-worker") == 0


async def test_a_shift_counts_what_it_was_paged_for_once_each_when_it_is_handed_over(world: Making) -> None:
    leaving = handoff.change_at(SCHEDULE, EDGE).leaving
    each = replace(DOWN, correlate_by=("host",))
    w = await world(replace(on_call(), rules=(each,), escalations=policy("default", (0, leaving))))
    w.clock[0] = EDGE - minutes(20)
    await w.engine.begin()
    for number, host in enumerate(("a", "b", "c"), start=1):
        await w.send(w.firing("Down", host=host))
        await w.do(lifecycle.resolve, number, actor=ANA, note="over")
        w.clock[0] += minutes(5)
    assert counted(w, "oncall_shift_incidents_count", team="main") == 0
    await w.until(EDGE)
    assert counted(w, "oncall_shift_incidents_count", team="main") == 1
    assert counted(w, "oncall_shift_incidents_sum", team="main") == 3
    assert counted(w, "oncall_shifts_over_budget_total", team="main") == 1


async def test_a_quiet_shift_counts_as_one_of_nothing(world: Making) -> None:
    w = await world(on_call())
    w.clock[0] = EDGE - minutes(20)
    await w.engine.begin()
    await w.until(EDGE)
    assert counted(w, "oncall_shift_incidents_bucket", team="main", le="0.0") == 1
    assert counted(w, "oncall_shifts_over_budget_total", team="main") == 0
