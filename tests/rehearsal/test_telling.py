"""Stories told to the engine: what a hold does over an hour, what differs is said, and files that are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from incidentd import config
from incidentd.rehearsal import reports
from incidentd.rehearsal.telling import Told, tell
from incidentd.settings import Settings
from incidentd.stories import Story

ROOT = Path(__file__).parents[2]
TRACES = config.load(ROOT / "tests" / "data" / "stories" / "hold.yaml", env={})
GUARDS = config.load(
    ROOT / "tests" / "data" / "stories" / "guards.yaml", env={"PUSH": "json://127.0.0.1:9/x"}
)  # fmt: skip
SHIPPED = config.load(ROOT / "deploy" / "example" / "incidentd.yaml", env={})


def name(story: Story) -> str:
    return story.name


def told_text(told: Told) -> str:
    return "\n".join(reports.lines([told]))


@pytest.mark.parametrize("story", TRACES.stories, ids=name)
async def test_a_trace_of_a_hold_ends_at_its_minute_for_its_reason(story: Story) -> None:
    told = await tell(story, TRACES)
    assert not told.failures, told_text(told)


@pytest.mark.parametrize("story", GUARDS.stories, ids=name)
async def test_a_guard_refuses_and_a_mode_changes_as_its_story_says(story: Story) -> None:
    told = await tell(story, GUARDS)
    assert not told.failures, told_text(told)


@pytest.mark.parametrize("story", SHIPPED.stories, ids=name)
async def test_the_shipped_rules_do_what_their_stories_say(story: Story) -> None:
    told = await tell(story, SHIPPED)
    assert not told.failures, told_text(told)


def test_each_shipped_rule_is_in_a_story() -> None:
    named = {it.word for story in SHIPPED.stories for it in story.expectations}
    assert {rule.name for rule in SHIPPED.rules} <= named


RULES = """
kind: config
---
kind: people
people:
  ana: {name: Ana Ruiz, channels: {push: {url_env: PUSH}}}
  ben: {name: Ben Okafor, channels: {push: {url_env: PUSH}}}
---
kind: escalations
escalations:
  ops: {urgent: {levels: [{after: 0m, page: {person: ana}}, {after: 10m, page: {person: ben}}]}}
---
kind: playbook
name: mend
title: Mend it
mode: approve
target: it
risk: low
limits: {per_target: 1 in 1m, total: 1 in 1m, alert_age: 10m}
manual_minutes: 1
steps: [{name: do, command: [/bin/true], idempotent: true}]
verify: {promql: {query: up, is: "> 0"}, for: 1m, within: 5m}
on_failure: page
---
kind: rules
rules:
  - {name: slow, match: ['a="slow"'], severity: sev3, decide: hold, page: ops, hold: {no_progress_after: 20m}}
  - {name: mended, match: ['a="mended"'], severity: sev3, decide: hold, page: ops, playbook: mend}
  - {name: task, match: ['a="task"'], severity: sev4, decide: ticket}
  - {name: noise, match: ['a="noise"'], severity: sev4, decide: record}
  - {name: everything-else, match: [], severity: sev1, urgency: urgent, decide: declare, page: ops}
---
kind: rules_test
stories:
"""


def loaded(folder: Path, story: str, *, rules: str = RULES) -> Settings:
    path = folder / "incidentd.yaml"
    path.write_text(rules + f"  - {{name: it, {story}}}\n")
    return config.load(path, env={"PUSH": "json://127.0.0.1:9"})


async def failures(folder: Path, story: str) -> list[str]:
    settings = loaded(folder, story)
    told = await tell(settings.stories[0], settings)
    return [failure.text for failure in told.failures]


FIRES = "at: {0m: {fires: [{a: slow}]}}"
MEND = "at: {0m: {fires: [{a: mended}]}"


@pytest.mark.parametrize(
    ("story", "words"),
    [
        (f"{FIRES}, expect: {{5m: {{hold: mended}}}}", "open hold of rule mended; there is: HOLD-1 (slow, sev3)"),
        (f"{FIRES}, expect: {{5m: {{state: snoozed}}}}", "expected HOLD-1 snoozed; it is holding"),
        (f"{FIRES}, expect: {{5m: {{declares_at: 21m}}}}", "expected HOLD-1 to declare at 21m; it would at 20m"),
        (f"{FIRES}, expect: {{21m: {{declared: no_progress}}}}", "INC-1 (slow, sev3) was declared at 20m"),
        (f"{FIRES}, expect: {{21m: {{declared: no_progress, severity: sev3}}}}", "was declared at 20m"),
        (f"{FIRES}, expect: {{5m: {{declared: no_progress, severity: sev3}}}}", "HOLD-1 (slow, sev3) holding"),
        (f"{FIRES}, expect: {{20m: {{declared: growing}}}}", "INC-1 is declared now, but the reason is no_progress"),
        (f"{FIRES}, expect: {{20m: {{rule: task}}}}", "expected rule task; INC-1 is of rule slow"),
        (f"{FIRES}, expect: {{5m: {{severity: sev2}}}}", "expected severity: sev2; that of HOLD-1 is sev3"),
        (f"{FIRES}, expect: {{5m: {{urgency: ticket}}}}", "expected urgency: ticket; that of HOLD-1 is urgent"),
        (f"{FIRES}, expect: {{20m: {{status: resolved}}}}", "expected status: resolved; that of INC-1 is declared"),
        (f"{FIRES}, expect: {{5m: {{closed: merged}}}}", "expected closed: merged; there is: HOLD-1"),
        (f"{FIRES}, expect: {{5m: {{ticket: task}}}}", "expected a ticket of rule task; there is: HOLD-1"),
        (f"{FIRES}, expect: {{0m: {{recorded: noise}}}}", "expected recorded by rule noise; it was: hold by rule slow"),
        (f"{FIRES}, expect: {{10m: {{paged: [ana]}}}}", "expected ana paged; paged now: ben, ben/"),
        (f"{FIRES}, expect: {{0m: {{paged: []}}}}", "expected that nobody was paged; ops, ana, ana/"),
        (f"{FIRES}, expect: {{15m: {{not_paged: [ben]}}}}", "ben not paged until now; earlier: at 10m"),
        (f"{FIRES}, expect: {{5m: {{playbook: done}}}}", "expected playbook: done; no playbook was begun"),
        (f"{MEND}}}, expect: {{1m: {{playbook: done}}}}", "expected playbook: done; RUN-1 is proposed"),
        (f"{FIRES}, expect: {{0m: {{says: [all is well]}}}}", "expected the words 'all is well'"),
        (f"{FIRES}, expect: {{5m: {{holds: 2}}}}", "expected 2 holds until now; there were 1"),
        (f"{FIRES}, expect: {{5m: {{nothing: true}}}}", "expected nothing to come of it; there is: HOLD-1"),
        ("at: {0m: {fires: [{a: noise}]}}, expect: {0m: {nothing: false}}", "expected something to come of it"),
        (f"{MEND}, 1m: {{playbook: verified}}}}, expect: {{1m: {{holds: 1}}}}", "no playbook runs; RUN-1 is proposed"),
        (f"{MEND}, 1m: {{resolved_by: ana}}}}, expect: {{1m: {{holds: 1}}}}", "has nothing to act on: open"),
        ("at: {0m: {fires: [{a: slow}]}, 1m: {acknowledged_by: ben}}, expect: {1m: {holds: 1}}", "not sent to ben"),
    ],
)  # fmt: skip
async def test_what_differs_is_said_with_what_is_there_instead(tmp_path: Path, story: str, words: str) -> None:
    [text] = await failures(tmp_path, story)
    assert words in text


async def test_a_playbook_that_is_approved_and_helps_closes_the_hold(tmp_path: Path) -> None:
    story = (
        "at: {0m: {fires: [{a: mended}]}, 1m: {approved_by: ana}, 3m: {playbook: verified, resolves: all}}, "
        "expect: {0m: {playbook: proposed}, 1m: {playbook: verifying}, 3m: {playbook: verified, state: recovering}, "
        "8m: {closed: auto_remediated}}"
    )
    assert await failures(tmp_path, story) == []


async def test_a_playbook_of_which_the_story_says_nothing_is_not_believed(tmp_path: Path) -> None:
    story = (
        f"{MEND}, 1m: {{approved_by: ana}}}}, expect: {{5m: {{playbook: verifying}}, 6m: {{playbook: verify_failed}}}}"
    )
    assert await failures(tmp_path, story) == []


WAITS = ("steps: [{name: do,", "steps: [{name: settle, wait: 10m}, {name: do,")


@pytest.mark.parametrize(
    ("at", "words"),
    [
        ("2m", "at 2m `playbook: verified` is not possible: RUN-1 is still at the step `settle`"),
        ("11m30s", "the verification of RUN-1 has held for 30s of the 1m that it has to"),
        ("12m", ""),
    ],
)
async def test_a_run_is_verified_when_its_verification_has_held(tmp_path: Path, at: str, words: str) -> None:
    story = f"{MEND}, 1m: {{approved_by: ana}}, {at}: {{playbook: verified}}}}, expect: {{1m: {{playbook: running}}}}"
    settings = loaded(tmp_path, story, rules=RULES.replace(*WAITS))
    told = await tell(settings.stories[0], settings)
    assert [it.text for it in told.failures if words in it.text] == [it.text for it in told.failures]
    assert bool(told.failures) is bool(words)


async def test_a_run_may_fail_before_its_verification(tmp_path: Path) -> None:
    story = f"{MEND}, 1m: {{approved_by: ana}}, 2m: {{playbook: failed}}}}, expect: {{2m: {{playbook: verify_failed}}}}"
    settings = loaded(tmp_path, story, rules=RULES.replace(*WAITS))
    assert not (await tell(settings.stories[0], settings)).failures


DECLARED = "0m: {fires: [{a: slow}]}, 1m: {declared_by: ana}, 2m: {acknowledged_by: ana}"


@pytest.mark.parametrize(
    ("by", "expect", "words"),
    [
        ("ana", "status: resolved", ""),
        ("ben", "status: investigating, refused: [ben may not make INC-1 resolved]", ""),
        ("ben", "status: investigating", "`resolved_by` is not possible: ben may not make INC-1 resolved"),
    ],
)
async def test_an_incident_is_resolved_by_whom_the_daemon_lets(
    tmp_path: Path, by: str, expect: str, words: str
) -> None:
    found = await failures(tmp_path, f"at: {{{DECLARED}, 5m: {{resolved_by: {by}}}}}, expect: {{5m: {{{expect}}}}}")
    assert [words in it for it in found] == [True] * bool(words)


TWO = "at: {0m: {fires: [{a: slow}]}, 20m: {fires: [{a: other}]}}"
"""At 20m `slow` is declared for no progress, and the other at once."""


@pytest.mark.parametrize(
    ("expect", "words"),
    [
        ("declared: no_progress, rule: slow, severity: sev3", ""),
        ("declared: no_progress, severity: sev3", ""),
        ("declared: at_once, rule: everything-else, severity: sev1", ""),
        ("declared: at_once, severity: sev1", ""),
        ("declared: at_once, rule: slow, severity: sev3", "INC-1 is declared now, but the reason is no_progress"),
        ("declared: no_progress, rule: everything-else", "INC-2 is declared now, but the reason is at_once"),
        ("declared: no_progress, severity: sev1", "expected severity: sev1; that of INC-1 is sev3"),
    ],
)
async def test_of_two_incidents_of_one_minute_the_one_that_is_meant_is_looked_at(
    tmp_path: Path, expect: str, words: str
) -> None:
    found = await failures(tmp_path, f"{TWO}, expect: {{20m: {{{expect}}}}}")
    assert [words in it for it in found] == [True] * bool(words), found


async def test_a_hold_in_the_middle_of_a_step_declares_when_the_step_may_be_over(tmp_path: Path) -> None:
    rules = RULES.replace("playbook: mend}", "playbook: mend, hold: {no_progress_after: 20m}}").replace(*WAITS)
    rules = rules.replace("wait: 10m", "wait: 30m")
    happens = f"{MEND}, 10m: {{approved_by: ana}}}}"
    settings = loaded(
        tmp_path, f"{happens}, expect: {{19m: {{declares_at: 20m}}, 20m: {{declares_at: 40m5s}}}}", rules=rules
    )
    told = await tell(settings.stories[0], settings)
    assert not told.failures, told_text(told)


LOOKS = "steps: [{name: look, LOOKS, register: seen}, {name: do, when: WHEN, command: [/bin/true]}]"


async def looked(folder: Path, looks: str, when: str, story: str = "") -> list[str]:
    steps = LOOKS.replace("LOOKS", looks).replace("WHEN", when)
    rules = RULES.replace("steps: [{name: do, command: [/bin/true], idempotent: true}]", steps)
    story = story or f"{MEND}, 1m: {{approved_by: ana}}}}, expect: {{1m: {{playbook: verifying}}}}"
    settings = loaded(folder, story, rules=rules)
    return [failure.text for failure in (await tell(settings.stories[0], settings)).failures]


@pytest.mark.parametrize(
    ("looks", "when"),
    [
        ("command: [/bin/true]", "seen.exit == 0"),
        ("command: [/bin/true]", "seen.ok"),
        ("http: {url: 'http://x/', expect: {status: [204, 200]}}", "seen.status == 204"),
        ("alertmanager: {silence: ['a=\"b\"'], for: 1h}", "seen.id != ''"),
        ("promql: {query: up}", "seen.ok"),
    ],
)
async def test_a_step_of_a_story_gives_what_one_gives_that_succeeds(tmp_path: Path, looks: str, when: str) -> None:
    assert await looked(tmp_path, looks, when) == []


@pytest.mark.parametrize(
    ("looks", "when", "how"),
    [
        ("command: [/bin/true]", "seen.stdout == 'on'", "try `mend`"),
        ("command: [/bin/true]", "seen.stderr == ''", "try `mend`"),
        ("http: {url: 'http://x/'}", "seen.body =~ 'on'", "try `mend`"),
        ("promql: {query: up}", "seen.value > 3", "say with `promql:` what its query gives, or try `mend`"),
    ],
)
async def test_a_story_that_does_not_say_what_a_condition_looks_at_fails(
    tmp_path: Path, looks: str, when: str, how: str
) -> None:
    said = f"does not say what the step `look` of RUN-1 gives, and `do` depends on it (`{when}`): {how} with a case"
    assert [it for it in await looked(tmp_path, looks, when) if said in it]


@pytest.mark.parametrize(
    ("value", "expect"),
    [
        ("5", "playbook: verifying, says: ['do: fine']"),
        ("2", "playbook: verifying, says: ['do: skipped: `seen.value > 3` does not hold']"),
        ("1", "playbook: failed, says: ['1, wanted > 1']"),
        ("null", "playbook: failed, says: [no data]"),
    ],
)
async def test_a_query_of_a_step_gives_what_the_story_says(tmp_path: Path, value: str, expect: str) -> None:
    at = f"at: {{0m: {{promql: {{depth: {value}}}, fires: [{{a: mended}}]}}, 1m: {{approved_by: ana}}}}"
    story = f"{at}, expect: {{1m: {{{expect}}}}}"
    assert await looked(tmp_path, 'promql: {query: depth, is: "> 1"}', "seen.value > 3", story) == []


async def test_a_message_may_have_in_it_what_the_story_does_not_say(tmp_path: Path) -> None:
    rules = RULES.replace(
        "steps: [{name: do, command: [/bin/true], idempotent: true}]",
        "steps: [{name: look, promql: {query: up}, register: seen}, {name: tell, note: 'It is {{ seen.value }}.'}]",
    )
    settings = loaded(
        tmp_path, f"{MEND}, 1m: {{approved_by: ana}}}}, expect: {{1m: {{says: [It is ?.]}}}}", rules=rules
    )
    told = await tell(settings.stories[0], settings)
    assert not told.failures, told_text(told)


async def test_what_prometheus_answers_is_part_of_the_course(tmp_path: Path) -> None:
    happens = "0m: {promql: {queue_depth: 12.5}, fires: [{a: slow}]}, 5m: {promql: {queue_depth: null}}"
    settings = loaded(tmp_path, f"at: {{{happens}}}, expect: {{5m: {{hold: slow}}}}")
    told = await tell(settings.stories[0], settings)
    said = [text for _, text in told.course if "queue_depth" in text]
    assert (told.failures, said) == ((), ["> queue_depth is 12.5", "> queue_depth is unknown"])


LOSING = """
  - name: losing-money
    match: ['a="slow"']
    when: [{promql: 'sum(lost{a="{{ labels.a }}"})', is: "> 100", unknown: false}]
    severity: sev1
    urgency: urgent
    decide: declare
    page: ops
"""


@pytest.mark.parametrize("asked", ["'sum(lost{a=\"slow\"})'", "losing-money"])
@pytest.mark.parametrize(("value", "came"), [("250", "declared: at_once"), ("3", "hold: slow"), ("null", "hold: slow")])
async def test_a_condition_on_live_data_is_met_or_not_as_the_story_says(
    tmp_path: Path, asked: str, value: str, came: str
) -> None:
    path = tmp_path / "incidentd.yaml"
    story = f"at: {{0m: {{promql: {{{asked}: {value}}}, fires: [{{a: slow}}]}}}}, expect: {{0m: {{{came}}}}}"
    path.write_text(
        RULES.replace("kind: rules\nrules:", f"kind: rules\nrules:{LOSING}") + f"  - {{name: it, {story}}}\n"
    )
    settings = config.load(path, env={"PUSH": "json://127.0.0.1:9"})
    told = await tell(settings.stories[0], settings)
    assert not told.failures, told_text(told)


SOURCES = "sources: [{name: prod, prometheus: {url: 'http://127.0.0.1:9'}}, {name: staging}]"
NONE = "at 0s `promql` is not possible: the source staging has no `prometheus`, so what is asked of it is unknown"


@pytest.mark.parametrize(("source", "found"), [("prod", []), ("staging", [NONE])])
async def test_a_source_without_prometheus_is_not_told_what_it_answers(
    tmp_path: Path, source: str, found: list[str]
) -> None:
    rules = RULES.replace("kind: config\n", f"kind: config\n{SOURCES}\n")
    rules = rules.replace("kind: rules\nrules:", f"kind: rules\nrules:{LOSING}")
    came = "declared: at_once" if source == "prod" else "hold: slow"
    at = "at: {0m: {promql: {losing-money: 250}, fires: [{a: slow}]}}"
    settings = loaded(tmp_path, f"source: {source}, {at}, expect: {{0m: {{{came}}}}}", rules=rules)
    told = await tell(settings.stories[0], settings)
    assert [it.text for it in told.failures] == found, told_text(told)


async def test_a_failed_story_shows_how_it_went(tmp_path: Path) -> None:
    settings = loaded(tmp_path, f"{FIRES}, expect: {{20m: {{declared: growing}}}}")
    told = await tell(settings.stories[0], settings)
    text = told_text(told)
    where = settings.stories[0].expectations[0].where
    assert f"{where}: at 20m expected declared: growing" in text
    assert text.index("0s  > {a=") < text.index("HOLD-1: Holding: declares at") < text.index("20m  INC-1: Declared")


async def test_junit_counts_every_story_and_holds_what_differed(tmp_path: Path) -> None:
    settings = loaded(tmp_path, f"{FIRES}, expect: {{20m: {{declared: growing}}}}")
    told = await tell(settings.stories[0], settings)
    xml = reports.junit([told])
    assert '<testsuites name="incidentd" tests="1" failures="1" errors="0">' in xml
    assert f'line="{settings.stories[0].where.line}"' in xml
    assert "expected declared: growing" in xml
    assert reports.total([told]).startswith("0 passed, 1 failed")
