"""`incidentd replay`: history and changed rules in, the difference out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from incidentd.cli import files, main

ROOT = Path(__file__).parents[2]
EXAMPLE = str(ROOT / "deploy" / "example" / "incidentd.yaml")
GROWTH = str(ROOT / "tests" / "data" / "payloads" / "group_growth")
CHANGED = """kind: rules
rules:
  - {name: errors, match: ['service=~"pay.*"'], severity: sev2, urgency: urgent, decide: declare, page: default}
  - {name: everything-else, match: [], severity: sev3, urgency: urgent, decide: hold, page: default}
"""


def typed(*words: str) -> Result:
    return CliRunner().invoke(main, ["replay", *words])


@pytest.fixture
def changed(tmp_path: Path) -> str:
    (tmp_path / "changed.yaml").write_text(CHANGED)
    return str(tmp_path / "changed.yaml")


@pytest.mark.slow
def test_the_present_rules_are_replayed_alone() -> None:
    done = typed(GROWTH, "--config.file", EXAMPLE)
    assert done.exit_code == 0, done.output
    assert "deliveries from 2026-" in done.output
    assert "changed" not in done.output


@pytest.mark.slow
def test_changed_rules_take_the_place_of_the_present_ones(changed: str) -> None:
    done = typed(GROWTH, "--config.file", EXAMPLE, "--rules", changed)
    assert done.exit_code == 0, done.output
    assert "present         changed" in done.output
    assert "declared earlier (1)" in done.output
    assert "(at_once, rule errors, sev2, 2 pages)" in done.output

    said = json.loads(typed(GROWTH, "--config.file", EXAMPLE, "--rules", changed, "--json").output)
    assert [it["kind"] for it in said["differences"] if it["moved_seconds"] < 0] == ["declared earlier"]
    assert set(said["present"]) == {"incidents", "holds", "tickets", "pages", "messages"}


@pytest.mark.slow
def test_a_whole_configuration_may_be_what_changed() -> None:
    done = typed(GROWTH, "--config.file", EXAMPLE, "--rules", EXAMPLE, "--since", "1h")
    assert done.exit_code == 0, done.output
    assert "Nothing differs." in done.output


def test_rules_that_are_included_already_stand_in_the_place_of_all(tmp_path: Path) -> None:
    """Only those of the named files, in the order in which they are named, and once."""
    config, rules, more = tmp_path / "incidentd.yaml", tmp_path / "rules.yaml", tmp_path / "more.yaml"
    config.write_text("kind: config\ninclude: [more.yaml, rules.yaml]\n")
    rules.write_text(
        "kind: rules\nrules: [{name: a, match: ['env=\"prod\"'], severity: sev1, page: default}]\n---\n"
        "kind: people\npeople: {ana: {name: Ana}}\n"
    )
    more.write_text("kind: rules\nrules: [{name: all, match: [], severity: sev3, decide: hold, page: default}]\n")
    loaded = files.load(config, [rules, more, rules], instead_of=("rules", "rules_test"))
    assert [rule.name for rule in loaded.rules] == ["a", "all"]
    assert [path.name for path in loaded.files] == ["incidentd.yaml", "more.yaml", "rules.yaml"]
    with pytest.raises(SystemExit):  # nothing of `more.yaml` is left, so the last rule takes too little
        files.load(config, [rules], instead_of=("rules", "rules_test"))

    rules.write_text(CHANGED)
    more.write_text("kind: people\npeople: {ana: {name: Ana}}\n")
    done = typed(GROWTH, "--config.file", str(config), "--rules", str(rules))
    assert done.exit_code == 0, done.output
    assert "Nothing differs." in done.output


def test_files_without_rules_stand_in_the_place_of_none(tmp_path: Path) -> None:
    (tmp_path / "people.yaml").write_text("kind: people\npeople: {zoe: {name: Zoe}}\n")
    done = typed(GROWTH, "--config.file", EXAMPLE, "--rules", str(tmp_path / "people.yaml"))
    assert (done.exit_code, "there are no rules in" in done.stderr) == (2, True), done.output


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--store", "sqlite:////nowhere/at-all.db"), 1, "there is no store at"),
        ((GROWTH, "--since", "soon"), 2, "is not a duration"),
        ((GROWTH, "--rules", "no-such-file.yaml"), 2, "cannot be read"),
        (("no-such-folder",), 1, "cannot read no-such-folder"),
    ],
)
def test_what_cannot_be_replayed_is_said(words: tuple[str, ...], code: int, said: str) -> None:
    done = typed(*words)
    assert (done.exit_code, said in done.stderr) == (code, True), done.output
