"""Cases of playbooks: what they find, and what they say of a playbook that goes another way."""

from __future__ import annotations

import asyncio
import re
import sys
from datetime import timedelta
from pathlib import Path
from typing import NoReturn

import pytest
from click.testing import CliRunner

from incidentd import config
from incidentd.cli import main
from incidentd.errors import ConfigError, TemporaryError
from incidentd.playbooks import Step, StepResult
from incidentd.playbooks.cases import Gives
from incidentd.playbooks.errands import Errand
from incidentd.rehearsal.cases import try_case
from incidentd.rehearsal.telling import Told
from incidentd.runner import Call, Tools, command, web_request
from incidentd.runner.imagined import Imagined
from tests.doors.runners import Filer, Silencer, Source, running

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "deploy" / "example" / "incidentd.yaml"
BOOK = """
kind: config
---
kind: playbook
name: tidy
title: Tidy
mode: approve
target: x
inputs: {host: {from: labels.instance, pattern: "[a-z0-9-]+"}}
steps:
  - {name: look, promql: {query: 'depth{host="{{ inputs.host }}"}'}, register: depth, until: depth.value < 10}
  - name: ask
    approve: {question: "Clean {{ inputs.host }}?", choices: [all, some], default: some, expires: 10m}
    when: depth.value > 8
    register: said
  - {name: quiet, alertmanager: {silence: ['instance="{{ inputs.host }}"'], for: 30m}, when: depth.value > 7}
  - {name: tell, note: "It is {{ depth.value }}.", when: depth.value > 3}
  - name: act
    block: [{name: clean, command: [clean, "{{ inputs.host }}"], timeout: 30s}]
    rescue: [{name: mend, command: [mend]}]
  - {name: each, note: "{{ item }}", for_each: {items: [a, b]}, when: depth.value > 90}
  - {name: settle, wait: 1m}
verify: {http: {url: "http://{{ inputs.host }}/"}, for: 1m, within: 5m}
---
kind: playbook_test
playbook: tidy
cases:
"""
ALL = "look: {value: 2}, clean: {exit: 0}, verify: {status: 200}"


async def tried(tmp_path: Path, case: str) -> Told:
    (tmp_path / "incidentd.yaml").write_text(f"{BOOK}  - {{name: x, alert: {{labels: {{instance: w-3}}}}, {case}}}\n")
    settings = config.load(tmp_path / "incidentd.yaml", env={})
    return await try_case(settings.cases[0], settings.playbooks["tidy"])


@pytest.mark.parametrize(
    "case",
    [
        f"given: {{{ALL}}}, expect: {{outcome: verified, ran: [look, clean, settle, verify], "
        "skipped: [ask, quiet, tell, each (1), each (2)]}",
        f"given: {{{ALL.replace('2}', '5}', 1)}}}, expect: {{note: {{tell: It is 5.}}}}",
        "given: {look: [{value: 50}, {value: 20}, {value: 5}], clean: {}, verify: {}}, expect: {outcome: verified}",
        "given: {look: {value: 8}, clean: {}, verify: {}}, "
        "expect: {outcome: verified, alertmanager: {quiet: '{instance=\"w-3\"} for 30m'}}",
        "given: {look: {value: 9}, ask: {answer: all}, quiet: {}, clean: {}, verify: {}}, "
        "expect: {ran: [look, ask, quiet, tell, clean, settle, verify], approve: {ask: 'Clean w-3?'}}",
        "given: {look: {value: 9}, ask: {timed_out: true}, quiet: {}, clean: {}, verify: {}}, "
        "expect: {outcome: verified}",
        "given: {look: {value: 9}, ask: {answer: none}}, expect: {outcome: failed, reason: 'is one of all, some'}",
        "given: {look: {value: 8}, quiet: {timed_out: true}}, expect: {outcome: failed, ran: [look, quiet]}",
        "given: {look: {value: 8}, quiet: {id: s-1}, clean: {}, verify: {}}, expect: {outcome: verified}",
        "given: {look: {value: 50}}, expect: {outcome: failed, ran: [look], reason: '`depth.value < 10` does not'}",
        "given: {look: {value: 2}, clean: {timed_out: true}, mend: {}, verify: {}}, "
        "expect: {outcome: verified, ran: [look, clean, mend, settle, verify]}",
        "given: {look: {value: 2}, clean: {exit: 1}, mend: {exit: 1}}, expect: {reason: '`mend` failed'}",
        f"given: {{{ALL.replace('200', '503')}}}, expect: {{outcome: verify_failed, reason: 'HTTP 503, expected 2xx'}}",
        "given: {look: {value: 2}, clean: {}, verify: [{status: 503}, {status: 200}]}, expect: {outcome: verified}",
    ],
)
async def test_a_case_that_is_as_expected_passes(tmp_path: Path, case: str) -> None:
    assert (await tried(tmp_path, case)).failures == ()


@pytest.mark.parametrize(
    ("case", "words"),
    [
        (f"given: {{{ALL}}}, expect: {{outcome: failed}}", "`outcome` is verified, expected failed"),
        (f"given: {{{ALL}}}, expect: {{ran: [clean]}}", "`ran` is [look, clean, settle, verify], expected [clean]"),
        (f"given: {{{ALL}}}, expect: {{command: {{clean: [clean, w-4]}}}}", "`clean` is [clean, w-3], expected"),
        (f"given: {{{ALL}}}, expect: {{command: {{mend: [mend]}}}}", "`mend` was not done"),
        (f"given: {{{ALL}}}, expect: {{http: {{verify: GET http://w-4/}}}}", "`verify` is GET http://w-3/, expected"),
        (f"given: {{{ALL}}}, expect: {{promql: {{look: up}}}}", '`look` is depth{host="w-3"}, expected up'),
        (f"given: {{{ALL}}}, expect: {{reason: nothing}}", "expected it to say 'nothing'"),
        (
            "given: {look: {value: 2}}, expect: {ran: [look]}",
            "does not say under `given` what `clean` gives, such as `clean: {exit: 0}`",
        ),
        (
            "given: {look: {value: null}}, expect: {outcome: verified}",
            "`outcome` is failed, expected verified: the step `look` failed: no data",
        ),
    ],
)
async def test_a_case_that_goes_another_way_says_how_at_its_place(tmp_path: Path, case: str, words: str) -> None:
    told = await tried(tmp_path, case)
    assert any(words in failure.text for failure in told.failures), told.failures
    assert all(failure.where.line == BOOK.count("\n") + 1 for failure in told.failures)


async def test_time_passes_as_the_playbook_says_and_nobody_waits_for_it(tmp_path: Path) -> None:
    given = "given: {look: [{value: 50}, {value: 2}], clean: {}, verify: {}}"
    told = await tried(tmp_path, f"{given}, expect: {{outcome: verified}}")
    assert [(int(at.total_seconds()), said.partition(":")[0]) for at, said in told.course] == [
        (5, "look"), (5, "ask"), (5, "quiet"), (5, "tell"), (5, "clean"), (5, "each (1)"), (5, "each (2)"),
        (65, "settle"), (65, "verify"), (125, "verified"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("given: {loook: {value: 2}}, expect: {ran: []}", "`tidy` has no step `loook`"),
        ("expect: {ran: [cleen]}", "`tidy` has no step `cleen`"),
        ("expect: {command: {x: [y]}}", "`tidy` has no step `x`"),
        ("expect: {skipped: [each]}", "`each` is done once for each item, so there are several of this name"),
        ("expect: {}", "`expect` is empty"),
        ("expect: {outcome: fine}", "it must be one of"),
        ("given: {look: {valeu: 2}}, expect: {ran: []}", "unknown key `valeu`"),
        ("given: {look: {exit: 2}}, expect: {ran: []}", "`look` is of kind `promql`, which does not give `exit`"),
        ("given: {quiet: [{}, {status: 200}]}, expect: {ran: []}", "`quiet` is of kind `alertmanager`, which does not"),
        ("given: {verify: {value: 1}}, expect: {ran: []}", "`verify` is of kind `http`, which does not give `value`"),
        ("given: {quiet: ok}, expect: {ran: []}", "(write what it gives, such as {exit: 0}, {status: 200}, "),
        ("given: {tell: {stdout: x}}, expect: {ran: []}", "a step of kind `note` gives nothing that a case could say"),
    ],
)
async def test_a_case_about_nothing_is_refused(tmp_path: Path, case: str, words: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(words)):
        await tried(tmp_path, case)


OFFERED = """
kind: config
---
kind: playbook
name: tidy
title: Tidy
mode: approve
match: ['alertname="DiskFull"', 'env!="test"']
target: x
domain: "{{ labels.zone | default('a') }}"
steps: [{name: say, note: Hello.}]
---
kind: rules
rules:
  - {name: slow, match: ['alertname="Slow"'], severity: sev3, decide: hold, playbook: tidy}
  - {name: everything-else, match: [], severity: sev3, decide: hold}
---
kind: playbook_test
playbook: tidy
cases:
"""
NOT = "this alert does not match: label alertname is 'Down', wanted alertname=\"DiskFull\""


@pytest.mark.parametrize(
    ("labels", "expect", "failure"),
    [
        ("alertname: DiskFull", "outcome: done", ""),
        ("alertname: Slow", "outcome: done", ""),  # a rule that names it takes no notice of its `match`
        ("alertname: Down", "outcome: not_matched, ran: [], reason: wanted alertname", ""),
        ("alertname: DiskFull, env: test", "outcome: not_matched", ""),
        ("alertname: DiskFull, zone: ''", "outcome: refused, reason: the domain of tidy is empty", ""),
        ("alertname: Down", "ran: []", f"{NOT}; if that is meant, write `outcome: not_matched`"),
        ("alertname: Down", "outcome: done", f"`outcome` is not_matched, expected done: {NOT}"),
        ("alertname: DiskFull", "outcome: not_matched", "`outcome` is done, expected not_matched: it ran to its end"),
    ],
)
async def test_a_case_is_tried_only_with_an_alert_that_brings_the_playbook_in(
    tmp_path: Path, labels: str, expect: str, failure: str
) -> None:
    case = f"  - {{name: x, alert: {{labels: {{{labels}}}}}, expect: {{{expect}}}}}\n"
    (tmp_path / "incidentd.yaml").write_text(OFFERED + case)
    settings = config.load(tmp_path / "incidentd.yaml", env={})
    told = await try_case(settings.cases[0], settings.playbooks["tidy"], settings.rules)
    assert [it.text[: len(failure)] for it in told.failures] == [failure] * bool(failure)


SECOND = """
kind: config
---
kind: playbook
name: first
title: First
mode: approve
match: ['alertname="Lag"']
target: x
steps: [{name: say, note: Hello.}]
---
kind: playbook
name: tidy
title: Tidy
mode: approve
match: ['alertname=~"Lag|Slow"']
target: x
steps: [{name: say, note: Hello.}]
---
kind: rules
rules:
  - {name: a, match: ['env="a"'], severity: sev3, decide: hold, playbook: tidy}
  - {name: b, match: ['env=~"b|c"'], when: [{promql: up, is: '> 0'}], severity: sev3, decide: hold, playbook: first}
  - {name: c, match: ['env="c"'], severity: sev3, decide: hold, playbook: tidy}
  - {name: d, match: ['env="d"'], severity: sev3, decide: hold, playbook: first}
  - {name: late, match: ['env=~"d|e"'], severity: sev3, decide: hold, playbook: tidy}
  - {name: everything-else, match: [], severity: sev3, decide: hold}
---
kind: playbook_test
playbook: tidy
cases:
"""


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ("alertname: Slow", ""),
        ("alertname: Lag", "`first` takes this alert: it matches too, and comes before `tidy`"),
        ("alertname: Lag, env: a", ""),  # a rule names it
        ("alertname: Slow, env: b", ""),  # where the condition of `b` is not met
        ("alertname: Lag, env: b", "`first` takes this alert"),
        ("alertname: Lag, env: c", ""),  # where the condition of `b` is not met
        ("alertname: Slow, env: d", "the rule d names `first` for this alert"),
        ("alertname: Down, env: d", "this alert does not match"),
    ],
)
def test_an_alert_that_another_playbook_takes_does_not_bring_one_in(tmp_path: Path, labels: str, reason: str) -> None:
    wanted = f'{{outcome: not_matched, reason: "{reason}"}}' if reason else "{outcome: done}"
    case = f"  - {{name: x, alert: {{labels: {{{labels}}}}}, expect: {wanted}}}\n"
    (tmp_path / "incidentd.yaml").write_text(SECOND + case)
    done = CliRunner().invoke(main, ["test", str(tmp_path / "incidentd.yaml")])
    assert done.exit_code == 0, done.output


ASKED = """
kind: config
---
kind: people
people: {ana: {name: Ana}, ben: {name: Ben}}
---
kind: teams
teams: {platform: {people: [ana]}}
---
kind: playbook
name: drain
title: Drain
mode: approve
target: x
steps:
  - {name: ask, approve: {question: "Now?", who: {teams: [platform]}, expires: 5m}}
  - {name: drain, command: [drain]}
  - {name: drain (force), command: [drain, --force]}
---
kind: playbook_test
playbook: drain
cases:
"""


@pytest.mark.parametrize(
    ("given", "failure"),
    [
        ("ask: {answer: 'yes', by: ana}, drain: {}, drain (force): {}", ""),
        ("ask: {answer: 'yes'}, drain: {}, drain (force): {}", ""),
        ("ask: {answer: 'yes', by: ben}, drain: {}, drain (force): {}", "is for team platform, not for ben"),
        ("ask: {answer: 'yes', by: ana}, drain: {}", "the case does not say under `given` what `drain (force)` gives"),
    ],
)  # fmt: skip
def test_a_case_holds_who_answers_against_who_is_asked_and_takes_no_bracket_for_a_repetition(
    tmp_path: Path, given: str, failure: str
) -> None:
    case = f"  - {{name: x, alert: {{labels: {{}}}}, given: {{{given}}}, expect: {{outcome: done}}}}\n"
    (tmp_path / "incidentd.yaml").write_text(ASKED + case)
    done = CliRunner().invoke(main, ["test", str(tmp_path / "incidentd.yaml")])
    assert (done.exit_code, failure in done.output) == (int(bool(failure)), True), done.output


async def test_what_a_case_says_that_a_program_or_a_server_gives_is_kept_as_the_runner_keeps_it() -> None:
    """Line breaks at its end, control characters, and what is too long."""
    printed = "active\x1b[31m\n" + "x" * 100_000 + "\n\n"
    tools = Tools(session=None, query=None, redact=str, silence=None, ticket=None, env=command.environment({}))  # type: ignore[arg-type]  # a program needs none of them
    program = (
        "import sys; sys.stdout.write('active\\x1b[31m\\n' + 'x' * 100_000 + '\\n\\n'); sys.stderr.write('a\\r\\n')"
    )
    argv = [sys.executable, "-c", program]
    step = Step(name="look", kind="command", args=argv)
    real = await command.run(Call(step=step, context={}, source="", tools=tools, errand=Errand()))
    imagined = Imagined(lambda: Gives(stdout=printed, stderr="a\r\n"), asyncio.sleep)
    assert (await imagined.run_step(step, {})).value == real.value

    asked = Step(name="ask", kind="http", args={"url": "http://w-3/"})
    imagined = Imagined(lambda: Gives(body=printed), asyncio.sleep)
    kept = web_request.answered(200, printed.encode(), {}, str)
    assert (await imagined.run_step(asked, {})).value == kept.value
    assert "[... the rest was not read]" in kept.value["body"]


SH = {"url": "http://w-3/", "silence": ['a="b"'], "for": "1h", "query": "up", "summary": "It broke"}
NEVER = TimeoutError()


class _Silent:
    """A server that does not answer."""

    def request(self, *_: object, **__: object) -> NoReturn:
        raise NEVER


@pytest.mark.parametrize(
    ("kind", "args", "gives"),
    [
        ("command", ["sh", "-c", "echo begun; exec sleep 600"], Gives(timed_out=True, stdout="begun\n")),
        ("command", ["sh", "-c", "trap 'exit 3' TERM; sleep 600 & wait"], Gives(timed_out=True, exit=3)),
        ("command", ["sh", "-c", "echo begun; kill -9 $$"], Gives(exit=-9, stdout="begun\n")),
        ("command", ["sh", "-c", "exit 4"], Gives(exit=4)),
        ("http", SH, Gives(timed_out=True)),
        ("promql", SH, Gives(timed_out=True)),
        ("promql", SH, Gives()),
        ("alertmanager", SH, Gives(timed_out=True)),
        ("ticket", SH, Gives(timed_out=True)),
    ],
)
async def test_what_did_not_go_well_is_registered_and_tried_again_as_by_the_runner(
    monkeypatch: pytest.MonkeyPatch, kind: str, args: object, gives: Gives
) -> None:
    step = Step(name="step", kind=kind, args=args, timeout=timedelta(seconds=0.5), retries=1, delay=timedelta(0))
    late = TemporaryError("no answer", maybe_done=True)
    async with running(
        Source(NEVER if gives.timed_out else None), silence=Silencer(NEVER), ticket=Filer(late)
    ) as runner:
        if kind == "http":
            monkeypatch.setattr(runner._tools.session, "request", _Silent().request, raising=False)
        real = await runner.run_step(step, {}, source="prod")
    passed: list[float] = []

    async def at_once(seconds: float) -> None:
        passed.append(seconds)

    imagined = await Imagined(lambda: gives, at_once).run_step(step, {})
    assert _without_words(imagined) == _without_words(real)
    assert sum(passed) == 0.5 * gives.timed_out * (2 if "(try 2)" in real.summary else 1)


def _without_words(result: StepResult) -> tuple[object, ...]:
    return result.ok, result.unknown, result.clean, result.final, result.value, "(try 2)" in result.summary


@pytest.mark.slow
def test_every_shipped_playbook_has_cases_that_pass() -> None:
    done = CliRunner().invoke(main, ["test", str(EXAMPLE), "-v"])
    assert done.exit_code == 0, done.output
    for path in (ROOT / "playbooks").glob("*.yaml"):
        assert path.stem.endswith("_test") or path.with_name(f"{path.stem}_test.yaml").exists(), path
    assert "a restart that times out is not done again" in done.output


def test_the_cases_of_one_file_are_tried_alone_and_a_failure_ends_with_1(tmp_path: Path) -> None:
    case = "{name: what if, alert: {labels: {instance: w-3}}, given: {look: {value: 2}}, expect: {outcome: verified}}"
    (tmp_path / "incidentd.yaml").write_text(f"{BOOK}  - {case}\n")
    done = CliRunner().invoke(main, ["test", str(tmp_path / "incidentd.yaml"), "--junit", str(tmp_path / "x.xml")])
    assert done.exit_code == 1
    assert "FAILED  tidy: what if" in done.output
    assert "how it went:" in done.output
    assert 'name="what if"' in (tmp_path / "x.xml").read_text()
