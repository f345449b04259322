"""Questions that runs ask: asked once, waited for without a task, answered by one person or by time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from incidentd.engine import automation, commands
from incidentd.errors import BadRequest, Conflict, NotAllowed
from incidentd.playbooks import RunState
from incidentd.store import jobs, things
from incidentd.timeline import Actor
from tests.engine.test_automation import ANA, playbook, run_of, settings
from tests.engine.world import Making, World

BEN = Actor(name="ben", via="api")
ELI = Actor(name="eli", via="api")
ACT = {"name": "act", "command": ["true"]}


def asking(**args: Any) -> dict[str, Any]:
    question = {"question": "Restart {{ inputs.instance }}?", "who": {"people": ["ana", "ben"]}, "expires": "10m"}
    given = {key: value for key, value in {**question, **args}.items() if value is not None}
    return {"name": "may it", "approve": given, "register": "said"}


async def begun(world: Making, *steps: dict[str, Any]) -> World:
    w = await world(settings(playbook(steps=[*steps])))
    await w.send(w.firing("WorkerStuck", instance="w-3"))
    return w


async def test_a_run_waits_for_an_answer_over_a_restart_and_asks_once(world: Making) -> None:
    w = await begun(world, asking(), ACT)
    await w.at(5)
    await w.store.write(jobs.release_all)
    await w.settle()
    assert w.hands.done == []
    assert w.post.to("ana/mail") == w.post.to("ben/mail") == ["RUN-1 asks: Restart w-3?"]
    body = w.post.sent[0].body
    assert "waits for 10m more" in body
    assert "`incidentd approve RUN-1 ...`: yes or no." in body
    assert "http://incidentd.example.org/a/v1." in body

    with pytest.raises(Conflict, match=r"RUN-1 began already, and asks: Restart w-3\? Answer in words: yes or no"):
        await w.do(commands.approve_run, 1, actor=ANA)
    await w.do(commands.approve_run, 1, actor=ANA, answer="yes")
    assert w.hands.done[:1] == ["act"]
    assert (await run_of(w)).registers["said"] == {"answer": "yes", "by": "ana", "ok": True}
    story = await w.story("HOLD-1")
    assert "RUN-1: ana answered `yes` to: Restart w-3?" in story
    assert any(text.startswith("RUN-1 asks ana, ben: Restart w-3? Without an answer by 2") for text in story)
    assert [entry.actor.name for entry in await w.entries("HOLD-1") if entry.kind == "run.answered"] == ["ana"]


async def test_no_fails_the_step_and_of_two_answers_the_first_counts(world: Making) -> None:
    w = await begun(world, asking(), ACT)
    both = await asyncio.gather(
        *(w.store.write(commands.approve_run, w.settings, 1, actor=who, answer="no") for who in (ANA, BEN)),
        return_exceptions=True,
    )
    assert [type(one) for one in both if isinstance(one, Exception)] == [Conflict]
    assert "was first, and answered `no`" in str(next(one for one in both if isinstance(one, Exception)))
    await w.settle()
    run = await run_of(w)
    assert (run.state, w.hands.done) == (RunState.FAILED, [])
    assert run.reason.startswith("the step `may it` failed: `no` by ")


async def test_whoever_is_not_asked_may_not_answer_and_nonsense_is_refused(world: Making) -> None:
    w = await begun(world, asking(choices=["one", "all"]), {"name": "act", "command": ["x", "{{ said.answer }}"]})
    with pytest.raises(NotAllowed, match="asks ana, ben, and eli is not among them; the name of the token counts"):
        await w.do(commands.approve_run, 1, actor=ELI, answer="one")
    for answer in (" ", "yes", "One", "; reboot"):
        with pytest.raises(BadRequest, match="is one of one, all"):
            await w.do(commands.approve_run, 1, actor=BEN, answer=answer)
    await w.do(commands.approve_run, 1, actor=BEN, answer="all")
    assert w.hands.done[:1] == ["act"]


async def test_an_answer_in_words_has_to_match_its_pattern(world: Making) -> None:
    w = await begun(world, asking(pattern="[0-9]{1,3}|--all"), ACT)
    for answer in (" ", "1000", "--all", "3; reboot", "3\n4"):
        with pytest.raises(BadRequest, match="as a whole"):
            await w.do(commands.approve_run, 1, actor=ANA, answer=answer)
    await w.do(commands.approve_run, 1, actor=ANA, answer=" 3\n")
    assert (await run_of(w)).registers["said"]["answer"] == "3"


async def test_when_nobody_answers_in_time_the_step_fails_and_later_is_too_late(world: Making) -> None:
    w = await begun(world, asking(), ACT)
    await w.at(10)
    run = await run_of(w)
    assert (run.state, w.hands.done) == (RunState.FAILED, [])
    assert "nobody answered in time" in run.reason
    with pytest.raises(Conflict):
        await w.do(commands.approve_run, 1, actor=ANA)


async def test_with_a_default_the_run_goes_on_at_the_deadline_and_says_so(world: Making) -> None:
    w = await begun(world, asking(choices=["one", "all"], default="one"), ACT)
    await w.at(9.9)
    assert w.hands.done == []
    await w.at(10)
    assert w.hands.done[:1] == ["act"]
    assert (await run_of(w)).registers["said"] == {"answer": "one", "by": "", "ok": True}
    assert any("nobody answered in time, so it goes on with `one`" in text for text in await w.story("HOLD-1"))


async def test_an_answer_between_the_deadline_and_what_follows_from_it_is_too_late(world: Making) -> None:
    w = await begun(world, asking(default="yes"), ACT)
    w.clock[0] += (await run_of(w)).question.expires_at - w.now  # type: ignore[union-attr]
    job = (await w.store.write(jobs.claim, jobs.PLAYBOOK, me="x", lease=w.now - w.start, most=1))[0]
    due = await w.store.write(automation.step_due, w.settings, job)
    assert due is not None
    with pytest.raises(Conflict, match="nobody answered in time"):
        await w.do(commands.approve_run, 1, actor=ANA, answer="no")
    assert due.given is not None
    assert await w.store.write(automation.step_done, w.settings, job, due, due.given)
    assert (await run_of(w)).cursor == 1


async def test_an_answer_meant_for_an_earlier_question_answers_no_later_one(world: Making) -> None:
    w = await begun(world, asking(), {**asking(question="Really?"), "name": "sure", "register": "sure"}, ACT)
    await w.do(automation.take_answer, 1, answer="yes", actor=ANA, key="steps/0")
    with pytest.raises(Conflict, match="waits for no such answer"):
        await w.do(automation.take_answer, 1, answer="yes", actor=ANA, key="steps/0")
    await w.do(automation.take_answer, 1, answer="yes", actor=ANA, key="steps/1")
    assert w.hands.done[:1] == ["act"]


async def test_a_question_to_nobody_by_name_has_whoever_is_on_call_paged_and_asked(world: Making) -> None:
    step = asking(expires="1h")
    del step["approve"]["who"]
    w = await begun(world, {"name": "wait", "wait": "1m"}, step, ACT)
    await w.at(0.9)
    assert w.post.sent == []
    await w.at(2)
    assert w.post.to("ana/mail") == ["RUN-1 asks: Restart w-3?", "[SEV3] WorkerStuck (HOLD-1)"]
    assert len(await w.store.read(things.pages_of, "HOLD-1")) == 1
    assert w.post.to("ben/mail") == []
    await w.at(32)
    page = next(n for n in w.post.sent if n.channel == "ben/mail")
    assert "Answer RUN-1 (Restart w-3?): http://incidentd.example.org/a/v1." in page.body
    await w.do(commands.approve_run, 1, actor=ELI, answer="yes")
    assert w.hands.done[:1] == ["act"]


def without_channels(w: World, *handles: str) -> None:
    people = {
        name: replace(one, channels=()) if name in handles else one for name, one in w.settings.roster.people.items()
    }
    w.settings = replace(w.settings, roster=replace(w.settings.roster, people=people))


async def test_whoever_has_no_channel_is_asked_in_the_log_and_the_timeline_says_so(world: Making) -> None:
    w = await world(settings(playbook(steps=[asking(), ACT])))
    without_channels(w, "ben")
    await w.send(w.firing("WorkerStuck", instance="w-3"))
    assert w.post.to("ana/mail") == w.post.to("log") == ["RUN-1 asks: Restart w-3?"]
    assert "/a/v1." not in next(n for n in w.post.sent if n.channel == "log").body, "a link in a log is for everybody"
    said = (
        "RUN-1: ben has no channel, so it was sent to the others alone; the question stands in the log, and "
        "`incidentd approve RUN-1 ...` answers it."
    )
    story = await w.story("HOLD-1")
    assert said in story
    assert "Sent to log: RUN-1 asks: Restart w-3?" in story


async def test_a_question_to_people_without_any_channel_goes_to_the_log_once_for_each(world: Making) -> None:
    w = await world(settings(playbook(steps=[asking(), ACT])))
    without_channels(w, "ana", "ben")
    await w.send(w.firing("WorkerStuck", instance="w-3"))
    assert w.post.to("log") == ["RUN-1 asks: Restart w-3?"] * 2
    assert any("nobody of those who are asked has a channel (ana, ben)" in text for text in await w.story("HOLD-1"))
    await w.do(commands.approve_run, 1, actor=BEN, answer="yes")
    assert w.hands.done[:1] == ["act"]


async def test_a_hold_declares_in_time_although_its_run_waits_for_an_answer(world: Making) -> None:
    w = await begun(world, asking(expires="2h"), ACT)
    await w.at(21)
    assert (await w.incident()).hold_id == 1
    with pytest.raises(Conflict, match=r"RUN-1 began already, and asks: Restart w-3\? Answer in words: yes or no"):
        await w.do(commands.approve_run, 1, actor=ANA)
    await w.do(commands.approve_run, 1, actor=ANA, answer="yes")
    assert w.hands.done[:1] == ["act"]


@pytest.mark.parametrize("end", [commands.declare_hold, commands.stand_down_hold])
async def test_a_question_after_its_hold_is_over_pages_nobody_for_the_hold(
    world: Making, end: Callable[..., object]
) -> None:
    w = await begun(world, {"name": "settle", "wait": "3m"}, asking(who=None), ACT)
    await w.do(end, 1, actor=ANA, reason="seen enough")
    await w.at(5)

    assert await w.store.read(things.pages_of, "HOLD-1") == []
    asked = [n.channel for n in w.post.sent if n.title.startswith("RUN-1 asks")]
    assert asked == (["ana/mail"] if end is commands.declare_hold else ["log"])
