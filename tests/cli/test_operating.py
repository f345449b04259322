"""`playbook` against a running daemon: switches, runs, and how playbooks stand."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from incidentd.playbooks import Mode, Run, RunState, StepResult, StepState
from incidentd.playbooks.questions import Question
from incidentd.playbooks.standing import ALL
from incidentd.rules import CATCH_ALL
from incidentd.settings import Automation
from incidentd.store import switching, things
from tests.cli.conftest import Type
from tests.engine.test_automation import playbook, settings
from tests.web.asking import Ask
from tests.web.small_house import NOW, SmallHouse, insert_hold

BOOK = playbook()
STILL_OFF = (
    "Error: restart-worker is not switched off by itself: it does not run because ben switched every playbook off: "
    "all is wrong; `incidentd playbook enable --all` lets all run again\n"
)


@pytest.fixture(autouse=True)
def with_a_playbook(house: SmallHouse) -> None:
    house.settings = replace(house.settings, playbooks={BOOK.name: BOOK}, automation=settings(BOOK).automation)


async def test_a_playbook_is_switched_off_and_on_by_somebody_for_a_reason(house: SmallHouse, typed: Type) -> None:
    done = await typed("playbook", "disable", BOOK.name, "--reason", "it is wrong", "--by", "ben")
    assert done.output == "restart-worker is switched off, until somebody enables it; no run was under way\n"
    listed = await typed("playbook", "list")
    assert "restart-worker  auto  off" in listed.output
    assert "ben switched restart-worker off: it is wrong" in listed.output
    shown = (await typed("playbook", "show", BOOK.name)).output
    assert "mode:        off (its file says auto; ben switched restart-worker off: it is wrong)" in shown
    assert (await typed("playbook", "enable", BOOK.name, "--by", "ben")).exit_code == 0

    done = await typed("playbook", "disable", "--all", "--reason", "all is wrong", "--by", "ben")
    assert done.output == "every playbook is switched off, until somebody enables it; no run was under way\n"
    assert (await house.store.read(switching.switches))[ALL].by == "ben"
    none = await typed("playbook", "enable", BOOK.name, "--by", "ben")
    assert (none.exit_code, none.stderr) == (1, STILL_OFF)
    assert (await typed("playbook", "disable", BOOK.name, "--reason", "x", "--by", "ana")).exit_code == 0
    again = (await typed("playbook", "enable", BOOK.name, "--by", "ana")).output
    still = "it still does not run: ben switched every playbook off: all is wrong"
    assert again == f"restart-worker is switched on again; {still}\n"
    assert (await typed("playbook", "enable", "--all")).output == "every playbook is switched on again\n"
    assert "every playbook is not switched off\n" in (await typed("playbook", "enable", "--all")).stderr


@pytest.mark.parametrize(
    "words",
    [
        ("disable", "--reason", "x"),
        ("disable", "a", "--all", "--reason", "x"),
        ("disable", "--all"),
        ("enable",),
        ("stop", "RUN-1"),
    ],
)
async def test_a_switch_says_what_it_lacks(typed: Type, words: tuple[str, ...]) -> None:
    assert (await typed("playbook", *words)).exit_code == 2


async def test_runs_are_listed_and_shown(typed: Type) -> None:
    assert (await typed("playbook", "runs")).output == "No playbook is at work.\n"
    shown = await typed("playbook", "show", "RUN-7")
    assert shown.exit_code == 1
    assert "there is no RUN-7" in shown.stderr
    assert "there is no RUN-7" in (await typed("playbook", "stop", "RUN-7", "--reason", "x")).stderr


async def test_a_playbook_is_run_and_its_run_is_stopped(house: SmallHouse, typed: Type) -> None:
    await house.store.write(insert_hold)
    words = ("playbook", "run", BOOK.name, "instance=w-3", "--by", "ana")
    assert (await typed(*words)).exit_code == 2, "it says what it is for"
    assert (await typed(*words, "--for", "HOLD-1")).output == "RUN-1 runs restart-worker on w-3 for HOLD-1\n"
    assert "restart-worker  w-3" in (await typed("playbook", "runs")).output
    done = await typed("playbook", "stop", "RUN-1", "--reason", "by hand", "--by", "ana")
    assert done.output.startswith("RUN-1 is stopped: ana stopped it: by hand; it was between two steps")


async def test_a_playbook_is_shown_as_a_person_reads_it(house: SmallHouse, typed: Type) -> None:
    steps = [
        {"name": "look", "command": ["find"], "register": "old"},
        {
            "name": "remove", "command": ["rm", "--", "{{ item }}"], "when": "old.ok",
            "for_each": {"lines": "{{ old.stdout }}", "pattern": "[a-z]+", "most": 20},
        },
        {"name": "some", "command": ["rm", "--", "{{ item }}"], "for_each": {"items": ["a", "b"]}},
        {
            "name": "clear", "block": [{"name": "try", "command": ["rm"]}],
            "rescue": [{"name": "mend", "note": "Mended."}], "always": [{"name": "tidy", "note": "Tidied."}],
        },
    ]  # fmt: skip
    more = {"match": ['alertname="WorkerStuck"'], "fleet": 40, "promote": {"after": 5, "to": "auto"}}
    book = playbook(steps=steps, mode="approve", rollback=[{"name": "undo", "note": "Undone."}], **more)
    rule = replace(CATCH_ALL, playbook=book.name)
    house.settings = replace(
        house.settings, playbooks={book.name: book}, rules=(rule,), automation=Automation(mode=Mode.SUGGEST)
    )
    done = Run(
        id=0, subject="HOLD-1", playbook=book.name, sha256=book.sha256, definition=book.source, mode=Mode.APPROVE,
        state=RunState.FAILED, target="w-\x1b3", inputs={}, registers={}, source="", started_at=NOW, reason="exit 1",
    )  # fmt: skip
    await house.store.write(things.insert_run, done)
    await house.store.write(things.insert_run, replace(done, playbook=book.name + "-2"))
    shown = (await typed("playbook", "show", book.name)).output
    for line in (
        "restart-worker: Restart a worker\n",
        f"  file:        worker.yaml:1:1 (version {book.sha256[:12]})\n",
        "  mode:        suggest (its file says approve; automation.mode of the configuration is suggest)\n",
        "  verified:    0 runs in a row; 5 in a row make it auto\n",
        '  brought in:  alerts with alertname="WorkerStuck"\n               the rules everything-else\n',
        "  inputs:      instance from labels.instance: text that matches [a-z0-9-]{1,40}\n",
        "  acts on:     {{ inputs.instance }}; risk low\n",
        "  limits:      runs: 2 in 30m on a target, 3 in 10m on all, 20 in 1h of all playbooks\n",
        "fleet of 40: begins on 10 % within 1h, and leaves it to people when 30 % alert\n",
        "  steps:       1. look (command)\n               2. remove (command), for each of 20 at most, when old.ok\n",
        "               3. some (command), for each of 2 at most\n",
        "               `clear`:\n                  4. try (command)\n",
        "               only if a step of `clear` fails:\n                  5. mend (note)\n",
        "               at the end of `clear`, whatever happens:\n                  6. tidy (note)\n",
        "  verify:      promql that holds for 2m within 5m, looked at every 15s\n",
        "  rollback:    1. undo (note)\n",
        "  if it fails: declare\n",
        "  last runs:   RUN-1 2026-11-24 14:07:00 UTC on w-\N{REPLACEMENT CHARACTER}3, for HOLD-1: failed (exit 1)\n",
    ):
        assert line in shown, line
    assert "RUN-2" not in shown
    found = json.loads((await typed("playbook", "show", book.name, "--json")).output)
    assert (found["limits"]["total"], found["rules"], found["steps"][1]["at_most"]) == (
        "3 in 10m", ["everything-else"], 20,
    )  # fmt: skip
    assert [one["within"] for one in found["steps"]][2:5] == [
        [], [{"block": "clear", "part": "block"}], [{"block": "clear", "part": "rescue"}],
    ]  # fmt: skip

    risky = playbook(risk="high")
    house.settings = replace(house.settings, playbooks={risky.name: risky}, automation=Automation(mode=Mode.AUTO))
    shown = (await typed("playbook", "show", risky.name)).output
    assert "  mode:        approve (its file says auto; it is of high risk, so it asks a person)\n" in shown


async def test_a_run_that_waits_for_people_says_for_whom_and_until_when(
    house: SmallHouse, typed: Type, ask: Ask
) -> None:
    run = Run(
        id=0, subject="HOLD-1", playbook=BOOK.name, sha256=BOOK.sha256, definition=BOOK.source, mode=Mode.APPROVE,
        state=RunState.PROPOSED, target="w-3", inputs={"instance": "w-3"}, registers={}, source="", started_at=NOW,
    )  # fmt: skip
    proposed = await house.store.write(things.insert_run, run)
    question = Question(
        key="steps/1", text="Drain <b>w-4</b>?", choices=("yes", "no"), teams=("platform",),
        expires_at=NOW + timedelta(minutes=30),
    )  # fmt: skip
    asking = replace(run, state=RunState.RUNNING, target="w-4", question=question)
    asks = await house.store.write(things.insert_run, asking)
    result = StepResult(ok=True, summary="exit 0 after 0.1s")
    await house.store.write(
        lambda tx: things.step_ended(tx, asks, 0, name="look", state=StepState.OK, result=result, began=NOW)
    )
    until = "team platform until 2026-11-24 14:37:00 UTC"
    listed = (await typed("runs")).output
    assert "waiting for an answer  restart-worker  w-4" in listed
    assert listed.splitlines()[1].endswith(until)
    assert listed.splitlines()[2].endswith("whoever may approve runs")

    shown = (await typed("playbook", "show", asks.key)).output
    assert shown == (await typed("runs", asks.key)).output
    assert "  state:       waiting for an answer\n" in shown
    assert f"  waits for:   an answer, by {until}: Drain <b>w-4</b>?\n" in shown
    assert "`incidentd approve RUN-2 ANSWER`, where ANSWER is yes or no\n" in shown
    assert "  steps:       2026-11-24 14:07:00 UTC  ok          look: exit 0 after 0.1s\n" in shown
    waits = (await typed("playbook", "show", proposed.key)).output
    assert "  proposed:    2026-11-24 14:07:00 UTC\n" in waits
    assert "`incidentd approve RUN-1` lets it begin, `incidentd playbook stop RUN-1 --reason ...` refuses it" in waits

    (found,) = (await ask("GET", "/api/v1/runs?state=active&q=w-4")).json["runs"]
    assert (found["state"], found["state_text"]) == ("running", "waiting for an answer")
    assert found["waiting_for"] == {
        "what": "answer", "who": "team platform", "until": "2026-11-24T14:37:00Z", "question": "Drain <b>w-4</b>?",
        "answers": ["yes", "no"],
    }  # fmt: skip
    page = (await ask("GET", "/")).text
    assert '<span class="badge wait">waiting for an answer</span> RUN-2' in page
    assert "Drain &lt;b&gt;w-4&lt;/b&gt;?" in page
    assert "waits for team platform until <time>2026-11-24 14:37:00 UTC</time>" in page

    await house.store.write(things.save_run, replace(asks, question=replace(question, closed=True)))
    assert "waiting for an answer" not in (await typed("runs")).output
