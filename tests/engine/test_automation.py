"""Playbook runs through the engine: guards, verification, crashes, and what a hold makes of it."""

import json

import pytest

from incidentd import config
from incidentd.engine import automation, byhand, commands
from incidentd.errors import Conflict, Location
from incidentd.holds import HoldPolicy, HoldState, Outcome
from incidentd.matchers import parse_matcher
from incidentd.playbooks import Mode, Playbook, Run, RunState, StepResult
from incidentd.rules import CATCH_ALL, Decide, SeverityRule
from incidentd.settings import Automation, Settings
from incidentd.store import jobs, switching, things
from incidentd.timeline import Actor
from tests.engine.world import Making, World, minutes, policy, roster

ANA = Actor(name="ana", via="api")
DOCUMENT = {
    "kind": "playbook", "name": "restart-worker", "title": "Restart a worker", "mode": "auto",
    "inputs": {"instance": {"from": "labels.instance", "pattern": "[a-z0-9-]{1,40}"}},
    "target": "{{ inputs.instance }}", "risk": "low", "manual_minutes": 12,
    "steps": [
        {"name": "restart", "command": ["restart", "{{ inputs.instance }}"], "idempotent": False},
        {"name": "answers", "http": {"url": "http://{{ inputs.instance }}:8080/healthz"}},
    ],
    "verify": {"promql": {"query": "up", "is": "> 0"}, "for": "2m", "within": "5m"},
    "on_failure": "declare",
}  # fmt: skip


def playbook(**changes: object) -> Playbook:
    return config.playbook_from({**DOCUMENT, **changes}, Location("worker.yaml", 1))


RULE = SeverityRule(
    name="worker", match=(parse_matcher('alertname="WorkerStuck"'),), decide=Decide.HOLD, severity="sev3",
    urgency="urgent", page="platform", playbook="restart-worker",
    hold=HoldPolicy(no_progress_after=minutes(20), quiet=minutes(1)),
)  # fmt: skip


def settings(book: Playbook, mode: Mode = Mode.AUTO) -> Settings:
    return Settings(
        external_url="http://incidentd.example.org", rules=(RULE, CATCH_ALL), playbooks={book.name: book},
        roster=roster("ana", "ben"), escalations=policy("platform", (0, "ana"), (30, "ben")),
        automation=Automation(mode=mode),
    )  # fmt: skip


async def run_of(w: World, number: int = 1) -> Run:
    return await w.store.read(things.get_run, number)


async def test_a_verified_playbook_heals_without_waking_anybody(world: Making) -> None:
    w = await world(settings(playbook()))
    await w.send(w.firing("WorkerStuck", instance="w-3"))
    assert (await run_of(w)).state is RunState.VERIFYING
    await w.at(1)
    await w.send(w.resolved("WorkerStuck", instance="w-3"))
    await w.at(4)

    assert (await run_of(w)).state is RunState.VERIFIED
    assert (await w.hold()).outcome is Outcome.AUTO_REMEDIATED or (await w.hold()).state is HoldState.CLOSED
    assert w.post.sent == []
    assert w.hands.done[:2] == ["restart", "answers"]


async def test_a_playbook_that_does_not_help_declares_and_pages(world: Making) -> None:
    w = await world(settings(playbook()))
    w.hands.answers["verify"] = StepResult(ok=False, summary="0")
    await w.send(w.firing("WorkerStuck", instance="w-3"))
    assert w.post.sent == []
    await w.at(5)

    assert (await run_of(w)).state is RunState.VERIFY_FAILED
    assert (await w.hold()).outcome is Outcome.DECLARED_PLAYBOOK_FAILED
    assert len(w.post.to("ana/mail")) == 1


async def test_a_step_that_fails_ends_the_run_and_declares(world: Making) -> None:
    w = await world(settings(playbook()))
    w.hands.answers["restart"] = StepResult(ok=False, summary="exit 1")
    await w.send(w.firing("WorkerStuck", instance="w-3"))

    assert (await run_of(w)).state is RunState.FAILED
    assert w.hands.done == ["restart"]
    assert (await w.incident()).hold_id == 1


async def test_an_input_that_does_not_match_its_pattern_runs_nothing_and_pages(world: Making) -> None:
    w = await world(settings(playbook()))
    await w.send(w.firing("WorkerStuck", instance="w-3; rm -rf /"))

    assert w.hands.done == []
    assert "run.refused" in await w.kinds("HOLD-1")
    assert len(w.post.to("ana/mail")) == 1


async def test_a_half_run_step_that_is_not_idempotent_is_interrupted_and_a_person_is_asked(world: Making) -> None:
    w = await world(settings(playbook()))

    async def begin_and_die() -> None:
        await w.engine.decide_one()
        claimed = await w.store.write(jobs.claim, jobs.PLAYBOOK, me="dead", lease=minutes(1), most=1)
        await w.store.write(automation.step_due, w.settings, claimed[0])

    await w.store.append("default", json.dumps({"alerts": [w.firing("WorkerStuck", instance="w-3")]}).encode())
    await w.engine.unpack()
    await begin_and_die()
    await w.store.write(jobs.release_all)
    await w.settle()

    assert (await run_of(w)).state is RunState.INTERRUPTED
    assert w.hands.done == []
    assert len(w.post.to("ana/mail")) == 1


async def test_a_run_that_waits_for_approval_begins_when_it_is_given(world: Making) -> None:
    w = await world(settings(playbook(), mode=Mode.APPROVE))
    await w.send(w.firing("WorkerStuck", instance="w-3"))
    assert (await run_of(w)).state is RunState.PROPOSED
    assert len(w.post.to("ana/mail")) == 1

    await w.do(commands.approve_run, 1, actor=ANA)
    assert w.hands.done[:2] == ["restart", "answers"]


async def test_one_run_at_a_time_works_on_a_target(world: Making) -> None:
    w = await world(settings(playbook()))
    await w.send(w.firing("WorkerStuck", instance="w-3", service="a"))
    await w.send(w.firing("WorkerStuck", instance="w-3", service="b"))

    assert w.hands.done.count("restart") == 1
    assert any("may not run" in text for text in await w.story("HOLD-2"))


async def test_a_run_keeps_the_playbook_that_it_began_with(world: Making) -> None:
    w = await world(settings(playbook(), mode=Mode.APPROVE))
    await w.send(w.firing("WorkerStuck", instance="w-3"))
    w.settings = settings(playbook(steps=[{"name": "something else", "command": ["true"]}]), mode=Mode.APPROVE)
    await w.do(commands.approve_run, 1, actor=ANA)

    assert "restart" in w.hands.done


async def test_a_lost_lease_writes_nothing(world: Making) -> None:
    w = await world(settings(playbook(), mode=Mode.APPROVE))
    await w.send(w.firing("WorkerStuck", instance="w-3"))
    await w.store.write(commands.approve_run, w.settings, 1, actor=ANA)
    old = (await w.store.write(jobs.claim, jobs.PLAYBOOK, me="slow", lease=minutes(1), most=1))[0]
    due = await w.store.write(automation.step_due, w.settings, old)
    w.clock[0] += minutes(2)
    await w.store.write(jobs.claim, jobs.PLAYBOOK, me="other", lease=minutes(1), most=1)

    assert due is not None
    written = await w.store.write(automation.step_done, w.settings, old, due, StepResult(ok=True, summary="late"))
    assert written is False
    assert (await run_of(w)).cursor == 0


async def test_a_note_stands_on_the_timeline_and_a_message_goes_out_once(world: Making) -> None:
    steps = [
        {"name": "say", "note": "Restarting {{ inputs.instance }}."},
        {"name": "tell", "notify": {"channel": "room", "title": "Restarting {{ inputs.instance }}", "body": "Soon."}},
    ]
    w = await world(settings(playbook(steps=steps)))
    await w.send(w.firing("WorkerStuck", instance="w-3"))
    await w.at(1)

    assert "RUN-1: say: Restarting w-3." in await w.story("HOLD-1")
    assert w.post.to("room") == ["Restarting w-3"]
    assert w.hands.done[:1] == ["verify"]


async def test_a_wait_takes_its_time_and_a_restart_does_not_begin_it_anew(world: Making) -> None:
    steps = [{"name": "settle", "wait": "10m"}, {"name": "go", "command": ["true"]}]
    w = await world(settings(playbook(steps=steps)))
    await w.send(w.firing("WorkerStuck", instance="w-3"))
    await w.at(5)
    await w.store.write(jobs.release_all)
    await w.settle()
    assert w.hands.done == []
    await w.at(9.9)
    assert w.hands.done == []
    await w.at(10)
    assert w.hands.done[:1] == ["go"]


async def test_a_step_whose_condition_does_not_hold_is_said_to_be_left_out(world: Making) -> None:
    steps = [
        {"name": "look", "command": ["true"], "register": "seen"},
        {"name": "act", "command": ["true"], "when": "seen.exit == 1"},
    ]
    w = await world(settings(playbook(steps=steps)))
    w.hands.answers["look"] = StepResult(ok=True, summary="exit 0", value={"exit": 0})
    await w.send(w.firing("WorkerStuck", instance="w-3"))

    assert w.hands.done[:2] == ["look", "verify"]
    assert "RUN-1: act: skipped: `seen.exit == 1` does not hold" in await w.story("HOLD-1")


async def test_a_crash_inside_a_block_asks_a_person_and_rescues_nothing(world: Making) -> None:
    block = [{"name": "act", "command": ["true"]}]
    steps = [{"name": "all", "block": block, "rescue": [{"name": "mend", "command": ["true"]}]}]
    w = await world(settings(playbook(steps=steps)))
    await w.store.append("default", json.dumps({"alerts": [w.firing("WorkerStuck", instance="w-3")]}).encode())
    await w.engine.unpack()
    await w.engine.decide_one()
    claimed = await w.store.write(jobs.claim, jobs.PLAYBOOK, me="dead", lease=minutes(1), most=1)
    await w.store.write(automation.step_due, w.settings, claimed[0])
    await w.store.write(jobs.release_all)
    await w.settle()

    assert (await run_of(w)).state is RunState.INTERRUPTED
    assert w.hands.done == []


async def test_the_first_target_is_healed_before_another_is_tried(world: Making) -> None:
    w = await world(settings(playbook()))
    await w.send(w.firing("WorkerStuck", instance="w-1"), group="a")
    await w.send(w.firing("WorkerStuck", instance="w-2", service="b"), group="b")
    assert w.hands.done.count("restart") == 1
    assert any("is tried on w-1 first" in text for text in await w.story("HOLD-2"))

    await w.at(4)
    await w.send(w.firing("WorkerStuck", instance="w-3", service="c"), group="c")
    assert w.hands.done.count("restart") == 2


@pytest.mark.slow
async def test_a_playbook_that_did_not_help_twice_is_stopped_until_its_file_changes(world: Making) -> None:
    w = await world(settings(playbook()))
    w.hands.answers["verify"] = StepResult(ok=False, summary="0")
    for number in (1, 2, 3):
        await w.at(number * 15)
        await w.send(w.firing("WorkerStuck", instance=f"w-{number}", service=str(number)), group=str(number))
        if number == 2:
            assert (await run_of(w, 2)).state is RunState.PROPOSED, "one that did not help asks a person"
            await w.do(commands.approve_run, 2, actor=ANA)
            await w.at(number * 15 + 6)
    assert w.hands.done.count("restart") == 2
    with pytest.raises(Conflict, match="did not help, so it is stopped"):
        await w.do(commands.approve_run, 3, actor=ANA)

    w.settings = settings(playbook(title="Restart it otherwise"))
    await w.send(w.firing("WorkerStuck", instance="w-4", service="4"), group="4")
    assert w.hands.done.count("restart") == 3


async def test_what_is_of_high_risk_waits_for_approval_in_auto_too(world: Making) -> None:
    w = await world(settings(playbook(risk="high")))
    await w.send(w.firing("WorkerStuck", instance="w-3"))
    assert (await run_of(w)).state is RunState.PROPOSED
    await w.do(commands.approve_run, 1, actor=ANA)
    assert w.hands.done[:1] == ["restart"]


async def test_runs_are_in_one_failure_domain_at_a_time(world: Making) -> None:
    w = await world(settings(playbook(domain="{{ labels.zone }}")))
    await w.send(w.firing("WorkerStuck", instance="w-1", zone="a"), group="a")
    await w.at(4)
    for instance, zone in (("w-2", "a"), ("w-3", "b")):
        await w.send(w.firing("WorkerStuck", instance=instance, zone=zone, service=instance), group=instance)
    assert w.hands.done.count("restart") == 2
    assert any("is at work in a, and acts in one domain" in text for text in await w.story("HOLD-3"))


async def test_a_run_that_is_approved_when_its_alert_is_over_does_not_begin(world: Making) -> None:
    w = await world(settings(playbook(), mode=Mode.APPROVE))
    await w.send(w.firing("WorkerStuck", instance="w-3"))
    await w.send(w.resolved("WorkerStuck", instance="w-3"))
    with pytest.raises(Conflict, match="the alert does not fire any more"):
        await w.do(commands.approve_run, 1, actor=ANA)


async def test_a_run_whose_first_step_comes_too_late_is_refused_and_pages(world: Making) -> None:
    w = await world(settings(playbook()))
    await w.store.append("default", json.dumps({"alerts": [w.firing("WorkerStuck", instance="w-3")]}).encode())
    await w.engine.unpack()
    await w.engine.decide_one()
    assert w.post.sent == []
    w.clock[0] += minutes(11)  # it was down
    await w.settle()

    run = await run_of(w)
    assert (run.state, w.hands.done) == (RunState.REFUSED, [])
    assert run.reason.startswith("before its first step, the alert began 11m ago")
    assert len(w.post.to("ana/mail")) == 1
    assert (await w.hold()).state is HoldState.HOLDING, "nothing was tried, so nothing failed"


async def test_what_one_version_earned_is_not_given_to_the_next(world: Making) -> None:
    w = await world(settings(playbook()))
    w.hands.answers["verify"] = StepResult(ok=False, summary="0")
    await w.send(w.firing("WorkerStuck", instance="w-1", service="1"), group="1")
    await w.at(15)
    assert any("is demoted from auto to approve: RUN-1" in text for text in await w.story("HOLD-1"))
    (first,) = await w.store.read(switching.standings)
    assert (first.sha256, first.mode) == (playbook().sha256, Mode.APPROVE)

    w.settings = settings(playbook(title="Restart it otherwise"))
    del w.hands.answers["verify"]
    await w.send(w.firing("WorkerStuck", instance="w-2", service="2"), group="2")
    await w.at(25)
    assert (await run_of(w, 2)).state is RunState.VERIFIED
    stands, still = await w.store.read(switching.standings)
    assert (stands.mode, stands.verified, stands.why) == (Mode.AUTO, 1, "")
    assert still == first

    w.settings = settings(playbook())
    await w.send(w.firing("WorkerStuck", instance="w-3", service="3"), group="3")
    assert (await run_of(w, 3)).state is RunState.PROPOSED


@pytest.mark.slow
async def test_a_run_of_a_version_that_the_files_have_no_more_costs_only_that_version_its_mode(world: Making) -> None:
    w = await world(settings(playbook()))
    w.hands.answers["verify"] = StepResult(ok=False, summary="0")
    await w.send(w.firing("WorkerStuck", instance="w-1"))
    w.settings = settings(playbook(title="Restart it otherwise"))
    await w.at(5)
    (stands,) = await w.store.read(switching.standings)
    assert (stands.sha256, stands.mode) == (playbook().sha256, Mode.APPROVE)


async def test_a_person_runs_what_only_suggests_itself_and_the_hold_hears_that_it_helped(world: Making) -> None:
    w = await world(settings(playbook(mode="suggest")))
    await w.send(w.firing("WorkerStuck", instance="w-3"))
    await w.at(15)  # the alert is too old for a playbook by itself, and a person may still know better
    made = await w.do(byhand.run, "restart-worker", subject="HOLD-01", labels={"instance": "w-3"}, actor=ANA)
    assert w.hands.done[:2] == ["restart", "answers"]
    await w.at(19)
    assert (await run_of(w, made.id)).state is RunState.VERIFIED
    assert any("playbook restart-worker was verified" in text for text in await w.story("HOLD-1"))

    w.settings = settings(playbook(mode="off"))
    with pytest.raises(Conflict, match="its file says so"):
        await w.do(byhand.run, "restart-worker", subject="HOLD-1", labels={"instance": "w-4"}, actor=ANA)
    await w.do(commands.stand_down_hold, 1, actor=ANA, reason="a test")
    with pytest.raises(Conflict, match="HOLD-1 is over"):
        await w.do(byhand.run, "restart-worker", subject="HOLD-1", labels={"instance": "w-4"}, actor=ANA)


async def test_a_hold_has_one_run_and_names_the_targets_that_are_left_alone(world: Making) -> None:
    w = await world(settings(playbook()))
    await w.send(*(w.firing("WorkerStuck", instance=f"w-{n}") for n in range(3, 6)))
    await w.send(w.firing("WorkerStuck", instance="no; name"), w.firing("WorkerStuck", instance="w-9"), group="2")
    left = [entry.text for entry in await w.entries("HOLD-1") if entry.kind == "run.left_alone"]
    assert left == [
        "Playbook restart-worker leaves w-4, w-5 alone: a hold or incident has one run of it, and that is RUN-1, on "
        "w-3. Look at them by hand, or run it there: `incidentd playbook run restart-worker LABEL=VALUE ... "
        "--for HOLD-1`.",
        "Playbook restart-worker leaves w-9 alone: a hold or incident has one run of it, and that is RUN-1, on "
        "w-3. Look at them by hand, or run it there: `incidentd playbook run restart-worker LABEL=VALUE ... "
        "--for HOLD-1`.",
    ]
    assert w.hands.done[:2] == ["restart", "answers"]


TWO_INPUTS = {name: {"from": f"labels.{name}", "pattern": "[a-z0-9-]+"} for name in ("instance", "no")}


async def test_of_a_storm_some_targets_are_named_and_where_nothing_runs_nobody_is_told_twice(world: Making) -> None:
    w = await world(settings(playbook(inputs=TWO_INPUTS)))
    first = w.firing("WorkerStuck", instance="w-0")
    await w.send(first, *(w.firing("WorkerStuck", instance=f"w-{n}", no="x") for n in range(1, 80)))
    await w.send(w.firing("WorkerStuck", instance="w-99", no="x"), group="2")
    (left,) = [entry.text for entry in await w.entries("HOLD-1") if entry.kind == "run.left_alone"]
    assert " and others alone: a hold or incident has one run of it, and it was tried for the first alert" in left
