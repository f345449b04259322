"""`playbook check` and `playbook plan`: what they say, and that they do nothing."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest
from click.testing import CliRunner, Result

from incidentd.cli import main
from incidentd.guards import GUARDS
from tests.programs import path_of

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "deploy" / "example" / "incidentd.yaml"


def said(*words: str) -> Result:
    return CliRunner().invoke(main, ["playbook", *words])


@pytest.fixture
def nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever starts a program or opens a connection fails."""

    def never(*_: object, **__: object) -> NoReturn:
        raise AssertionError("a plan does nothing")

    for what, name in (
        (socket.socket, "connect"), (socket, "getaddrinfo"), (subprocess, "Popen"),
        (asyncio, "create_subprocess_exec"),
    ):  # fmt: skip
        monkeypatch.setattr(what, name, never)


@pytest.mark.usefixtures("nothing_is_done")
def test_a_plan_names_every_command_target_and_guard_and_does_nothing() -> None:
    done = said("plan", "restart-stuck-worker", "instance=w-3", "--config.file", str(EXAMPLE))
    assert done.exit_code == 0, done.output
    for words in (
        "target:  w-3\n", "mode:    ", "one_at_a_time", "cool_down", "systemctl --host w-3 restart worker.service",
        "GET http://w-3:8080/healthz",
        'verify, for 2m within 10m: promql rate(jobs_done_total{instance="w-3"}[1m]) > 0',
        "a person is asked", "when it fails: declare",
    ):  # fmt: skip
        assert words in done.output, words


@pytest.mark.usefixtures("nothing_is_done")
def test_a_plan_shows_the_ticket_that_it_would_file_and_asks_no_jira() -> None:
    done = said("plan", "silence-and-ticket", "alertname=DiskSlow", "job=backup", "--config.file", str(EXAMPLE))
    assert done.exit_code == 0, done.output
    for words in (
        "file: ticket DiskSlow of backup is noisy: mend or remove it (timeout 1m, up to 4 tries)",
        'quiet: silence, until the run ends, {alertname="DiskSlow", job="backup"} for 2h',
        "refuses  mode", "silence-and-ticket is off",
    ):  # fmt: skip
        assert words in done.output, (words, done.output)
    assert "a person is asked" not in done.output


@pytest.mark.usefixtures("nothing_is_done")
@pytest.mark.parametrize("value", ["w-3; reboot", "-w", "$(id)", "{{ 7 }}", "w\x1b[31m"])
def test_a_plan_for_an_alert_that_it_does_not_take_says_why(value: str) -> None:
    done = said("plan", "restart-stuck-worker", f"instance={value}", "--config.file", str(EXAMPLE))
    assert done.exit_code == 1
    assert "does not take this alert: the input `instance`" in done.output
    assert "\x1b" not in done.output


def test_a_plan_of_a_playbook_that_is_not_there_lists_those_that_are() -> None:
    done = said("plan", "nothing", "--config.file", str(EXAMPLE))
    assert done.exit_code == 2
    assert "there is collect-diagnostics, drain-queue-consumer, free-build-disk, renew-certificate, " in done.output


CAPTURED = """
{"version": "4", "receiver": "incidentd", "groupKey": "{}:{}", "alerts": [
  {"status": "firing", "labels": {"alertname": "WorkerStuck", "instance": "w-3"},
   "startsAt": "2026-11-24T14:00:00Z", "endsAt": "0001-01-01T00:00:00Z"},
  {"status": "resolved", "labels": {"alertname": "WorkerStuck", "instance": "w-4"},
   "startsAt": "2026-11-24T13:00:00Z", "endsAt": "2026-11-24T13:55:00Z"},
  {"status": "firing", "labels": {"alertname": "WorkerStuck"}, "startsAt": "2026-11-24T14:00:00Z"}
]}
"""


@pytest.fixture
def captured(tmp_path: Path) -> str:
    (tmp_path / "body.json").write_text(CAPTURED)
    return str(tmp_path / "body.json")


@pytest.mark.usefixtures("nothing_is_done")
def test_a_captured_body_is_planned_alert_by_alert_as_of_when_it_came(captured: str) -> None:
    done = said("plan", "restart-stuck-worker", "--alert", captured, "--config.file", str(EXAMPLE))
    assert done.exit_code == 0, done.output
    assert "guards, at 2026-11-24 14:00:00 UTC, on a target where nothing ran before:" in done.output
    assert done.output.count("(a plan: nothing is done") == 2
    assert "restart-stuck-worker does not take this alert: the input `instance` has no value" in done.stderr


@pytest.mark.usefixtures("nothing_is_done")
def test_scripts_read_the_same_plan(captured: str) -> None:
    done = said("plan", "restart-stuck-worker", "--alert", captured, "--json", "--config.file", str(EXAMPLE))
    first, second, third = json.loads(done.stdout)["plans"]
    assert (first["taken"], first["may_run"], first["target"]) == (True, True, "w-3")
    assert [one["name"] for one in first["steps"]] == ["depth before", "restart", "answers again"]
    assert (first["steps"][1]["may_repeat"], first["verify"]["kind"]) == (False, "promql")
    assert [one["guard"] for one in first["guards"]] == list(GUARDS)
    assert {one["guard"] for one in second["guards"] if not one["allowed"]} == {"still_firing", "alert_age"}
    assert not second["may_run"]
    assert (third["taken"], "has no value" in third["reason"]) == (False, True)


@pytest.mark.parametrize(
    ("words", "said_so"),
    [
        (("instance=w-3", "--alert", "{file}"), "the labels of an alert or --alert, not both"),
        (("--alert", "{file}.not"), "cannot read"),
        (("--alert", str(EXAMPLE)), "holds no webhook body"),
    ],
)
def test_an_alert_that_cannot_be_read_is_said(captured: str, words: tuple[str, ...], said_so: str) -> None:
    given = [word.format(file=captured) for word in words]
    done = said("plan", "restart-stuck-worker", *given, "--config.file", str(EXAMPLE))
    assert (done.exit_code, said_so in done.output) == (2, True), done.output


@pytest.mark.slow
@pytest.mark.needs("strace")
def test_the_kernel_is_asked_to_start_nothing_and_to_connect_to_nothing(captured: str, tmp_path: Path) -> None:
    for name in ("restart-stuck-worker", "collect-diagnostics"):
        log = tmp_path / f"{name}.strace"
        watched = [
            path_of("strace"), "--follow-forks", "--trace=%network,execve,execveat,fork,vfork", f"--output={log}",
            sys.executable, "-m", "incidentd", "playbook", "plan", name, "--alert", captured,
            "--config.file", str(EXAMPLE),
        ]  # fmt: skip
        done = subprocess.run(watched, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
        calls = [line.split(" ", 1)[1].strip() for line in log.read_text().splitlines()]
        began = [call for call in calls if call.startswith(("exec", "fork", "vfork"))]
        assert len(began) == 1, began  # the command itself
        # a name server is asked by `connect` and `sendto` as well; what a library tries of its own socket goes nowhere
        assert not [call for call in calls if call.startswith(("connect", "send", "bind", "listen", "accept"))], calls


def test_what_comes_from_an_earlier_step_is_shown_as_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "incidentd.yaml").write_text(
        "kind: config\nautomation: {protected: ['db-.*']}\n---\n"
        "kind: playbook\nname: x\ntitle: X\nmode: approve\ntarget: db-1\nsteps:\n"
        "  - {name: find, command: [find, /var/tmp], register: found}\n"
        "  - name: remove\n    for_each: {lines: '{{ found.stdout }}', pattern: '/var/tmp/.+', most: 2}\n"
        "    command: [rm, --, '{{ item }}']\n    when: found.ok\n"
        "  - {name: settle, wait: 30s}\n"
    )
    done = said("plan", "x", "--config.file", str(tmp_path / "incidentd.yaml"))
    assert done.exit_code == 0, done.output
    assert "refuses  protected" in done.output
    assert "2  remove: command rm -- '{{ item }}' [filled in from what earlier steps give]" in done.output
    assert "for each line, of which there may be 2\n" in done.output
    assert "3  settle: wait 30s" in done.output
    assert "only when found.ok" in done.output
    assert "verify: nothing does" in done.output


QUESTIONS = """
kind: config
---
kind: people
people: {ana: {name: Ana}, ben: {name: Ben}, cho: {name: Cho}}
---
kind: teams
teams: {platform: {people: [ana, ben]}}
---
kind: playbook
name: drain
title: Drain a host
mode: approve
match: ['alertname="HostSick"']
inputs: {host: {from: labels.instance, pattern: "[a-z0-9-]+"}}
target: "{{ inputs.host }}"
steps:
  - {name: ask, approve: {question: "Drain {{ inputs.host }}?", who: {teams: [platform]}, expires: 30m}}
  - {name: how, approve: {question: "How?", choices: [soft, hard], default: soft, expires: 5m}, register: said}
  - name: which
    approve:
      {question: "Which of {{ inputs.host }}, {{ said.answer }}?", who: {people: [cho]}, pattern: "[a-z]+", expires: 1h}
  - {name: tell, note: "Draining {{ inputs.host }}, {{ said.answer }}."}
  - {name: do, command: [drain, --how, "{{ said.answer }}", --, "{{ inputs.host }}"]}
  - {name: say, note: "Draining {{ inputs.host }}."}
"""


@pytest.mark.usefixtures("nothing_is_done")
def test_a_plan_says_what_is_asked_of_whom_and_what_comes_of_no_answer(tmp_path: Path) -> None:
    (tmp_path / "incidentd.yaml").write_text(QUESTIONS)
    words = ("plan", "drain", "alertname=HostSick", "instance=w-3", "--config.file", str(tmp_path / "incidentd.yaml"))
    done = said(*words)
    for line in (
        "ask: ask team platform (ana, ben): Drain w-3?\n       to answer: yes or no; after no the run fails; "
        "without an answer within 30m the run fails\n",
        "how: ask whoever may approve runs: How?\n       to answer: soft or hard; without an answer within 5m it goes "
        "on with 'soft'\n",
        "which: ask cho: Which of w-3, {{ said.answer }}? [filled in from what earlier steps give]\n       to answer: "
        "words that match '[a-z]+' as a whole; without an answer within 1h the run fails\n",
        "tell: note Draining w-3, {{ said.answer }}. [filled in from what earlier steps give]\n",
        "do: command drain --how '{{ said.answer }}' -- w-3 [filled in from what earlier steps give] (timeout 1m)\n",
        "say: note Draining w-3.\n",
    ):
        assert line in done.output, line
    assert "does not match" not in done.output
    asked = json.loads(said(*words, "--json").output)["plans"][0]["steps"][0]["question"]
    assert (asked["text"], asked["people"], asked["expires"]) == ("Drain w-3?", ["ana", "ben"], "30m")


BLOCKS = """
kind: config
---
kind: playbook
name: clear
title: Clear a disk
mode: approve
target: w-3
steps:
  - name: clear
    block:
      - {name: may I, approve: {question: "Clear it?", expires: 10m}}
      - name: rest
        for_each: {lines: "a", pattern: "[a-z]", most: 3}
        block:
          - {name: remove, command: [rm, "{{ item }}"]}
    rescue:
      - {name: say so, note: It stayed.}
    always:
      - {name: settle, wait: 30s}
  - {name: end, note: Done.}
rollback:
  - {name: back, block: [{name: refill, note: Full.}], always: [{name: told, note: Told.}]}
"""


@pytest.mark.usefixtures("nothing_is_done")
def test_a_plan_shows_what_is_done_only_when_something_fails_and_what_is_always_done_as_that(tmp_path: Path) -> None:
    (tmp_path / "incidentd.yaml").write_text(BLOCKS)
    words = ("plan", "clear", "alertname=DiskFull", "--config.file", str(tmp_path / "incidentd.yaml"))
    shown = said(*words).output
    for lines in (
        "steps:\n       `clear`:\n        1  may I: ask whoever may approve runs: Clear it?\n",
        "           to answer: yes or no; after no the run fails, and no rescue is done; without an answer within 10m "
        "the run fails, and no rescue is done\n",
        "           `rest`:\n            2  remove: command rm",
        "       only if a step of `clear` fails:\n        3  say so: note It stayed.\n",
        "       at the end of `clear`, whatever happens:\n        4  settle: wait 30s\n    5  end: note Done.\n",
        "fails:\n       `back`:\n        1  refill: note Full.\n       at the end of `back`, whatever happens:\n"
        "        2  told: note Told.\n",
    ):
        assert lines in shown, shown
    (found,) = json.loads(said(*words, "--json").output)["plans"]
    assert found["steps"][-2]["within"] == [{"block": "clear", "part": "always"}]
    assert found["steps"][-1]["within"] == []


@pytest.mark.usefixtures("nothing_is_done")
def test_a_plan_for_an_alert_that_brings_nothing_in_says_so_and_goes_on(tmp_path: Path) -> None:
    (tmp_path / "incidentd.yaml").write_text(QUESTIONS)
    words = ("plan", "drain", "alertname=HostDown", "instance=w-3", "--config.file", str(tmp_path / "incidentd.yaml"))
    done = said(*words)
    assert done.exit_code == 0
    why = "this alert does not match: label alertname is 'HostDown', wanted alertname=\"HostSick\""
    assert why in done.output
    assert "Drain w-3?" in done.output
    found = json.loads(said(*words, "--json").output)["plans"][0]
    assert (found["taken"], found["matches"], found["mismatch"]) == (True, False, why)


def test_check_of_playbooks_doubts_what_check_doubts(tmp_path: Path) -> None:
    file = tmp_path / "incidentd.yaml"
    file.write_text(
        "kind: config\nchannels: {room: {kind: chat, url_env: ROOM}}\n---\n"
        "kind: playbook\nname: x\ntitle: X\nmode: suggest\ntarget: x\nsteps:\n"
        "  - {name: quiet, alertmanager: {silence: ['a=\"b\"'], for: 5m}}\n"
        'verify: {promql: {query: up, is: "> 0"}, within: 5m}\n'
    )
    last = ""
    for env in ({"ROOM": "json://127.0.0.1:9"}, {"ROOM": "nothing://127.0.0.1:9"}):
        both = [CliRunner().invoke(main, [*words, str(file)], env=env) for words in (["check"], ["playbook", "check"])]
        ours, theirs = [[it for it in done.stderr.splitlines() if "has no cases" not in it] for done in both]
        assert ours == theirs
        assert both[0].exit_code == both[1].exit_code
        last = ours[0]
    assert "the address of the channel `room` is none" in last


def test_check_proves_playbooks_and_doubts_those_without_cases(tmp_path: Path) -> None:
    done = said("check", str(EXAMPLE))
    assert (done.exit_code, "warning" in done.output) == (0, False), done.output
    assert "good: 7 playbooks, 45 cases" in done.output

    book = "kind: playbook\nname: x\ntitle: X\nmode: suggest\ntarget: x\nsteps: [{name: a, note: b}]\n"
    (tmp_path / "x.yaml").write_text(book)
    done = said("check", str(tmp_path / "x.yaml"))
    assert "x has no cases" in done.output
    (tmp_path / "x.yaml").write_text(book.replace("note: b", "note: '{{ b }}'"))
    done = said("check", str(tmp_path / "x.yaml"))
    assert (done.exit_code, "`b` is not known here" in done.output) == (2, True)
