"""`incidentd test`: which stories are told, what is printed, and the exit codes."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from incidentd.cli import main

ROOT = Path(__file__).parents[2]
EXAMPLE = str(ROOT / "deploy" / "example" / "incidentd.yaml")
TRACES = str(ROOT / "tests" / "data" / "stories" / "hold.yaml")
WRONG = """kind: rules_test
stories:
  - name: is wrong about the minute
    at: {0m: {fires: [{alertname: Watched}]}}
    expect: {20m: {declared: no_progress}}
"""
BROKEN = WRONG.replace("Watched}]}}", "Watched}]}, 1m: {acknowledged_by: anna}}").replace("20m", "20 minutes")


def typed(*words: str) -> Result:
    return CliRunner().invoke(main, ["test", *words])


def story(folder: Path, text: str) -> str:
    (folder / "x_test.yaml").write_text(text)
    return str(folder / "x_test.yaml")


@pytest.mark.slow
def test_the_shipped_stories_pass_and_are_counted() -> None:
    done = typed(EXAMPLE)
    assert done.exit_code == 0, done.output
    assert "ok      a checkout that is down is declared at once" in done.output
    assert ", 0 failed (" in done.output.splitlines()[-1]


def test_stories_of_named_files_are_told_alone() -> None:
    done = typed("--config.file", EXAMPLE, str(ROOT / "rules" / "routine_test.yaml"))
    assert (done.exit_code, done.output.count("ok ")) == (0, 3)


def test_a_story_is_chosen_by_its_name_and_shows_its_course() -> None:
    done = typed(TRACES, "--run", "^a blip", "-v")
    assert done.exit_code == 0, done.output
    assert "9m  HOLD-1: Closed: resolved by itself, quiet for 5m." in done.output
    assert done.output.splitlines()[-1].startswith("1 passed, 0 failed")


def test_a_story_that_went_otherwise_exits_1_and_says_where_and_what_was(tmp_path: Path) -> None:
    done = typed("--config.file", TRACES, story(tmp_path, WRONG), "--junit", str(tmp_path / "out.xml"))
    assert done.exit_code == 1
    assert "x_test.yaml:5:20: at 20m expected declared: no_progress; there is: HOLD-1 (watched, sev3)" in done.output
    assert "declares at 30m" in done.output
    suites = ElementTree.fromstring((tmp_path / "out.xml").read_text())  # noqa: S314 - written here
    assert (suites.get("tests"), suites.get("failures")) == ("1", "1")
    assert suites.find("testsuite/testcase/failure") is not None


def test_every_mistake_in_a_story_is_said_at_once_and_exits_2(tmp_path: Path) -> None:
    done = typed("--config.file", TRACES, story(tmp_path, BROKEN))
    assert done.exit_code == 2
    assert "x_test.yaml:5:14: the key `20 minutes`" in done.stderr
    done = typed("--config.file", TRACES, story(tmp_path, BROKEN.replace("20 minutes", "20m")))
    assert "x_test.yaml:4:69: there is no person `anna` (did you mean `ana`?)" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((TRACES, "--run", "no such story"), "no story or case has this in its name"),
        ((TRACES, "--run", "("), "is no regular expression"),
        ((TRACES, EXAMPLE), "is a second configuration"),
        (("no-such-file.yaml",), "cannot be read"),
        ((), "name a configuration"),
    ],
)
def test_what_cannot_be_told_exits_2(words: tuple[str, ...], said: str) -> None:
    done = typed(*words)
    assert done.exit_code == 2
    assert said in done.stderr
